//! The rendezvous as its clients know it, and what holds whatever they say.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use peer::code::{Code, CodeError, Mailbox, Waiting};
use proptest::prelude::*;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::conversation::Conversation;
use super::{Beside, Rendezvous};
use crate::http::rendezvous::{PATH, router};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

fn rendezvous() -> Rendezvous {
    Rendezvous::new("attic".into(), Beside::Coordinator)
}

/// What is answered, without the acknowledgement.
fn tell(conversation: &mut Conversation, word: &Value) -> Vec<Value> {
    let answers = conversation.hear(&word.to_string());
    answers.iter().skip(1).map(|said| serde_json::to_value(said).unwrap()).collect()
}

fn bound(rendezvous: &Rendezvous, side: &str) -> Conversation {
    let mut conversation = rendezvous.enter(HERE).unwrap();
    assert!(tell(&mut conversation, &json!({"type": "bind", "appid": "app", "side": side})).is_empty());
    conversation
}

fn error(answers: &[Value]) -> &str {
    answers.last().and_then(|answer| answer["error"].as_str()).unwrap_or("none")
}

#[test]
fn words_have_their_order() {
    let all = rendezvous();
    let mut one = all.enter(HERE).unwrap();
    assert_eq!(error(&tell(&mut one, &json!({"type": "list"}))), "must bind first");
    assert_eq!(tell(&mut one, &json!({"type": "ping", "ping": 7}))[0]["pong"], 7);
    let mut one = bound(&all, "a");
    assert_eq!(error(&tell(&mut one, &json!({"type": "bind", "appid": "b", "side": "b"}))), "already bound");
    assert_eq!(
        error(&tell(&mut one, &json!({"type": "add", "phase": "0", "body": ""}))),
        "must open mailbox before adding"
    );
    for word in [
        json!({"type": "claim"}),
        json!({"type": "nothing"}),
        json!([]),
        json!({"type": "claim", "nameplate": 5}),
    ] {
        assert_eq!(error(&tell(&mut one, &word)), "not understood", "{word}");
    }
    for nameplate in ["", "x", "5 ", "1234567890"] {
        let answers = tell(&mut one, &json!({"type": "claim", "nameplate": nameplate}));
        assert_eq!(error(&answers), "that is no nameplate", "{nameplate}");
    }
    assert_eq!(one.hear("{").len(), 1);
}

#[test]
fn two_sides_meet_at_a_nameplate_and_a_third_finds_it_crowded() {
    let all = rendezvous();
    let [mut one, mut two, mut three] = ["1", "2", "3"].map(|side| bound(&all, side));
    let nameplate = tell(&mut one, &json!({"type": "allocate"}))[0]["nameplate"].as_str().unwrap().to_owned();
    assert_eq!(nameplate.len(), 1, "short ones first");
    let claim = json!({"type": "claim", "nameplate": nameplate});
    let mailbox = tell(&mut one, &claim)[0]["mailbox"].clone();
    assert_eq!(tell(&mut two, &json!({"type": "list"}))[0]["nameplates"][0]["id"], nameplate.as_str());
    assert_eq!(tell(&mut two, &claim)[0]["mailbox"], mailbox);
    assert_eq!(error(&tell(&mut three, &claim)), "crowded");
    assert_eq!(error(&tell(&mut three, &json!({"type": "open", "mailbox": mailbox}))), "crowded");
    for side in [&mut one, &mut two] {
        assert_eq!(tell(side, &json!({"type": "release"}))[0]["type"], "released");
    }
    let mut again = bound(&all, "1");
    assert!(tell(&mut again, &json!({"type": "list"}))[0]["nameplates"].as_array().unwrap().is_empty());
}

#[test]
fn who_has_closed_may_still_release_and_who_does_not_read_loses_its_place() {
    use futures_util::FutureExt;
    let all = rendezvous();
    let [mut one, mut two] = ["1", "2"].map(|side| bound(&all, side));
    for side in [&mut one, &mut two] {
        let mailbox = tell(side, &json!({"type": "claim", "nameplate": "5"}))[0]["mailbox"].clone();
        tell(side, &json!({"type": "open", "mailbox": mailbox}));
    }
    for phase in 0..70 {
        tell(&mut two, &json!({"type": "add", "phase": phase.to_string(), "body": ""}));
        while two.next().now_or_never().is_some() {}
    }
    let heard = std::iter::from_fn(|| one.next().now_or_never()).take_while(Option::is_some).count();
    assert_eq!(heard, 64, "and then it ends");
    assert_eq!(tell(&mut two, &json!({"type": "close", "mood": "happy"}))[0]["type"], "closed");
    assert!(two.next().now_or_never().is_none(), "it goes on");
    assert_eq!(tell(&mut two, &json!({"type": "release"}))[0]["type"], "released");
}

#[test]
fn nobody_meets_anybody_alone() {
    let all = rendezvous();
    let [mut one, mut two] = ["1", "2"].map(|side| bound(&all, side));
    let key = proto::DeviceId::from_public_key([3; 32]);
    let claim = json!({"type": "claim", "nameplate": "5"});
    let mailbox = tell(&mut one, &claim)[0]["mailbox"].clone();
    let meet = json!({"type": "meet", "key": key});
    assert_eq!(error(&tell(&mut one, &meet)), "must open mailbox before meeting");
    tell(&mut one, &json!({"type": "open", "mailbox": mailbox}));
    assert_eq!(tell(&mut one, &meet)[0]["type"], "met");
    assert!(!all.has_met(key), "the relay is for two");
    tell(&mut two, &claim);
    assert!(all.has_met(key));
}

#[test]
fn connections_are_counted_and_given_back() {
    let all = rendezvous();
    let held: Vec<_> = std::iter::from_fn(|| all.enter(HERE)).collect();
    assert_eq!(held.len(), 64);
    assert!(all.enter("10.0.0.1".parse().unwrap()).is_some(), "another address");
    drop(held);
    assert!(all.enter(HERE).is_some());
}

#[test]
fn who_is_alone_has_long_nameplates() {
    let all = Rendezvous::new("x".into(), Beside::Nothing);
    let answer = &tell(&mut bound(&all, "a"), &json!({"type": "allocate"}))[0]["nameplate"];
    assert_eq!(answer.as_str().unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_listens_to_goes() {
    let all = rendezvous();
    let mut one = bound(&all, "a");
    let nameplate = tell(&mut one, &json!({"type": "allocate"}))[0]["nameplate"].clone();
    let mailbox = tell(&mut one, &json!({"type": "claim", "nameplate": nameplate}))[0]["mailbox"].clone();
    tell(&mut one, &json!({"type": "open", "mailbox": mailbox}));
    tell(&mut one, &json!({"type": "add", "phase": "0", "body": "00"}));
    let count = || {
        let mut all = all.0.mailboxes.lock();
        all.tidy(tokio::time::Instant::now());
        all.count()
    };
    tokio::time::advance(Duration::from_secs(3600)).await;
    assert_eq!(count(), (1, 1, 2), "somebody listens");
    drop(one);
    assert_eq!(count(), (1, 1, 2), "and may come back");
    tokio::time::advance(Duration::from_secs(601)).await;
    assert_eq!(count(), (0, 0, 0));
}

#[derive(Clone, Debug)]
enum Act {
    Claim(u8),
    Release,
    Open,
    Add(u8),
    Close,
    Come,
}

fn acts() -> impl Strategy<Value = Vec<(usize, Act)>> {
    let act = prop_oneof![
        (1_u8..3).prop_map(Act::Claim),
        Just(Act::Release),
        Just(Act::Open),
        any::<u8>().prop_map(Act::Add),
        Just(Act::Close),
        Just(Act::Come),
    ];
    prop::collection::vec((0_usize..4, act), 0..80)
}

/// A side, as it may come back on another connection.
struct Side {
    name: String,
    conversation: Conversation,
    mailbox: Option<String>,
    heard: Vec<(String, String)>,
}

impl Side {
    fn come(all: &Rendezvous, name: String) -> Self {
        let conversation = bound(all, &name);
        Self { name, conversation, mailbox: None, heard: Vec::new() }
    }

    fn act(&mut self, act: &Act, number: usize) {
        let word = match act {
            Act::Claim(id) => json!({"type": "claim", "nameplate": id.to_string()}),
            Act::Release => json!({"type": "release"}),
            Act::Open => json!({"type": "open", "mailbox": self.mailbox}),
            Act::Add(byte) => json!({"type": "add", "phase": number.to_string(), "body": byte.to_string()}),
            Act::Close => json!({"type": "close"}),
            Act::Come => return,
        };
        for answer in tell(&mut self.conversation, &word) {
            match answer["type"].as_str() {
                Some("claimed") => self.mailbox = answer["mailbox"].as_str().map(str::to_owned),
                Some("message") => self.hear(&answer),
                _ => {}
            }
        }
    }

    fn hear(&mut self, message: &Value) {
        let text = |key: &str| message[key].as_str().unwrap().to_owned();
        self.heard.push((text("phase"), text("body")));
    }

    fn listen(&mut self) {
        use futures_util::FutureExt;
        while let Some(Some(said)) = self.conversation.next().now_or_never() {
            self.hear(&serde_json::to_value(said).unwrap());
        }
    }
}

proptest! {
    /// No mailbox has three sides, nobody hears anything twice or out of order, and nothing stays once all are gone.
    #[test]
    fn it_holds_whatever_is_said(acts in acts()) {
        let all = rendezvous();
        let mut sides: Vec<Side> = (0..4).map(|side| Side::come(&all, side.to_string())).collect();
        for (number, (at, act)) in acts.iter().enumerate() {
            match act {
                Act::Come => sides[*at] = Side::come(&all, sides[*at].name.clone()),
                act => sides[*at].act(act, number),
            }
            for side in &mut sides {
                side.listen();
                let numbers: Vec<usize> = side.heard.iter().map(|(phase, _)| phase.parse().unwrap()).collect();
                prop_assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
            }
            all.0.mailboxes.lock().check();
        }
        drop(sides);
        let mut left = all.0.mailboxes.lock();
        left.tidy(tokio::time::Instant::now() + Duration::from_secs(601));
        prop_assert_eq!(left.count(), (0, 0, 0));
    }

    #[test]
    fn no_word_is_too_strange(text in "\\PC{0,60}") {
        let all = rendezvous();
        prop_assert!(!bound(&all, "a").hear(&text).is_empty());
    }
}

/// A rendezvous on a socket, as long as the guard is there.
async fn on_socket(rendezvous: Rendezvous) -> (std::net::SocketAddr, tokio_util::sync::DropGuard) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, end) = (listener.local_addr().unwrap(), CancellationToken::new());
    tokio::spawn(peer::edge::serve(listener, router(rendezvous), None, None, end.clone()));
    (address, end.drop_guard())
}

async fn mailbox(at: std::net::SocketAddr) -> Mailbox {
    let stream = TcpStream::connect(at).await.unwrap();
    Mailbox::enter(Box::new(stream), &at.to_string(), PATH, "test").await.unwrap()
}

#[tokio::test]
async fn two_who_know_the_code_hear_each_other_and_the_number_is_free_again() {
    let all = rendezvous();
    let (at, _up) = on_socket(all.clone()).await;
    let mut before: Option<Code> = None;
    for _ in 0..2 {
        let waiting = Waiting::offer(mailbox(at).await, before.as_ref()).await.unwrap();
        let code = waiting.code().clone();
        assert!(before.is_none_or(|before| before == code));
        let there = Waiting::join(mailbox(at).await, code.clone()).await.unwrap();
        let (here, there) = tokio::join!(waiting.meet(), there.meet_soon());
        let (mut here, mut there) = (here.unwrap(), there.unwrap());
        here.say(b"one").await.unwrap();
        here.say(b"two").await.unwrap();
        there.say(b"three").await.unwrap();
        assert_eq!(there.hear().await.unwrap(), b"one");
        assert_eq!(there.hear().await.unwrap(), b"two");
        assert_eq!(here.hear().await.unwrap(), b"three");
        let key = proto::DeviceId::from_public_key([3; 32]);
        assert!(!all.has_met(key));
        here.meet_at_relay(key).await.unwrap();
        assert!(all.has_met(key));
        tokio::join!(here.close(), there.close());
        assert!(!all.has_met(key));
        before = Some(code);
    }
    assert_eq!(all.0.mailboxes.lock().count(), (0, 0, 0));
}

#[tokio::test]
async fn a_wrong_guess_burns_the_code_and_both_hear_of_it() {
    let (at, _up) = on_socket(rendezvous()).await;
    let waiting = Waiting::offer(mailbox(at).await, None).await.unwrap();
    let code = waiting.code().to_string();
    let guess: Code = format!("{}-wrong-guess", waiting.code().nameplate()).parse().unwrap();
    let guessing = Waiting::join(mailbox(at).await, guess).await.unwrap();
    let (here, there) = tokio::join!(waiting.meet(), guessing.meet_soon());
    assert!(matches!(here, Err(CodeError::WrongCode)));
    assert!(matches!(there, Err(CodeError::WrongCode)));
    let again = Waiting::join(mailbox(at).await, code.parse().unwrap()).await;
    assert!(matches!(again, Err(CodeError::Nobody)), "the right one is good no more");
}

//! A link against a coordinator that is played by the test, over a stream in memory.

use super::*;
use crate::serve::router;
use crate::testing::World;
use axum::Router;
use axum::body::Body;
use axum::http::{Method, Response};
use futures_util::{SinkExt, StreamExt};
use proto::api::devices::LinkStanding;
use proto::base64url;
use proto::lineage::Lineage;
use proto::ticket::{SigningKey, Ticket, TicketError};
use proto::wire::link::{
    Addresses, FromAgent, FromCoordinator, OfferedShare, Revoked, TicketKeys, hello_text,
};
use proto::{ApiError, DeviceId, ErrorCode, ShareId};
use time::OffsetDateTime;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tower::ServiceExt;

/// A device with a link, and the coordinator's end of it.
struct Played {
    world: World,
    control: Control,
    endpoint: Endpoint,
    coordinator: SigningKey,
    registration: watch::Sender<Registration>,
    dial: mpsc::UnboundedSender<DuplexStream>,
    dials: mpsc::UnboundedReceiver<DuplexStream>,
}

struct FakeDial(mpsc::UnboundedSender<DuplexStream>);

impl Dial for FakeDial {
    fn dial(&self) -> BoxFuture<'static, io::Result<Dialled>> {
        let (ours, theirs) = tokio::io::duplex(64 * 1024);
        let sent = self.0.send(theirs).map_err(|_| io::ErrorKind::ConnectionRefused.into());
        let dialled = Dialled { stream: Box::new(ours), host: "attic:7000".into() };
        Box::pin(async move { sent.map(|()| dialled) })
    }
}

/// The coordinator's end of one link.
struct Line(WebSocketStream<DuplexStream>);

impl Line {
    async fn say(&mut self, message: &FromCoordinator) {
        self.0.send(Message::text(serde_json::to_string(message).unwrap())).await.unwrap();
    }

    async fn hear(&mut self) -> FromAgent {
        loop {
            if let Message::Text(text) = self.0.next().await.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// Waits until the device has read everything that was said before.
    async fn settle(&mut self) {
        self.0.send(Message::Ping("x".into())).await.unwrap();
        while !matches!(self.0.next().await.unwrap().unwrap(), Message::Pong(_)) {}
    }
}

fn registration(shares: Vec<OfferedShare>) -> Registration {
    Registration {
        name: "Cellar".into(),
        platform: "linux".into(),
        version: "1".into(),
        addresses: Addresses::default(),
        shares,
    }
}

impl Played {
    async fn new() -> Self {
        let (world, key) = (World::new(), DeviceKey::from_seed([7; 32]).unwrap());
        let endpoint =
            Endpoint::bind(peer::Config { quic: false, ..peer::Config::new(key.clone()) }).await.unwrap();
        let coordinator = SigningKey::generate().unwrap();
        let (registration, registered) = watch::channel(registration(Vec::new()));
        let parts = Parts {
            key,
            agent: Arc::clone(&world.agent),
            endpoint: endpoint.clone(),
            registration: registered,
        };
        let control = Control::new(parts, Issuer::default());
        let (dial, dials) = mpsc::unbounded_channel();
        let played = Self { world, control, endpoint, coordinator, registration, dial, dials };
        played.control.join(vec![played.membership()]);
        played
    }

    /// The coordinator as it was joined.
    fn membership(&self) -> Membership {
        Membership {
            coordinator: self.coordinator.public().id(),
            name: "Attic".into(),
            ticket_keys: vec![self.coordinator.public()],
            authorities: Vec::new(),
            offered: Offered::All,
            joined: OffsetDateTime::UNIX_EPOCH,
            dial: Arc::new(FakeDial(self.dial.clone())),
        }
    }

    /// Answers a dial up to the hello.
    async fn greeted(&mut self) -> (Line, FromAgent) {
        let stream = self.dials.recv().await.unwrap();
        let mut line = Line(tokio_tungstenite::accept_async(stream).await.unwrap());
        let coordinator = self.coordinator.public().id();
        line.say(&FromCoordinator::Challenge {
            nonce: "nonce".into(),
            coordinator,
            time: OffsetDateTime::now_utc(),
        })
        .await;
        let hello = line.hear().await;
        (line, hello)
    }

    fn welcome(&self) -> FromCoordinator {
        self.welcome_with(TicketKeys { ticket_keys: vec![self.coordinator.public()], ..Default::default() })
    }

    fn welcome_with(&self, keys: TicketKeys) -> FromCoordinator {
        FromCoordinator::Welcome {
            keys,
            gateways: vec![DeviceId::from_public_key([3; 32])],
            relays: Vec::new(),
            notice: None,
        }
    }

    /// Lets the device in.
    async fn welcomed(&mut self) -> Line {
        let (mut line, _) = self.greeted().await;
        line.say(&self.welcome()).await;
        line
    }

    /// Asks the device for a file.
    async fn ask(&self, path: &str, ticket: &Ticket) -> Response<Body> {
        let request = axum::http::Request::builder()
            .method(Method::GET)
            .uri(format!("/agent/v1/shares/{}/stream?path={path}", self.world.share))
            .header("authorization", format!("Bearer {}", ticket.as_str()))
            .body(Body::empty())
            .unwrap();
        Router::from(router(Arc::clone(&self.world.agent))).oneshot(request).await.unwrap()
    }

    fn state(&self) -> LinkState {
        self.control.states().borrow().values().next().unwrap().clone()
    }

    /// Offers the coordinator only these from now on.
    fn offer(&self, offered: Offered) {
        self.control.join(vec![Membership { offered, ..self.membership() }]);
    }

    /// Whether a ticket that this key signs now opens anything.
    fn honours(&self, key: &SigningKey) -> Result<(), TicketError> {
        let ticket = key.sign(&self.world.claims()).unwrap();
        self.world.agent.tickets().verify(&ticket, None).map(drop)
    }

    /// A body under way that a ticket of this key opened.
    async fn opened(&self, key: &SigningKey) -> Body {
        let ticket = key.sign(&self.world.claims()).unwrap();
        let mut body = self.ask("large.bin", &ticket).await.into_body();
        http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
        body
    }
}

/// What a coordinator tells of these keys, of which the last were vouched for by those before.
fn keys(told: &[&SigningKey], line: &[&SigningKey]) -> TicketKeys {
    let first = Lineage::begin(line[0].public());
    let lineage = line.windows(2).fold(first, |all, two| all.with(two[0], two[1].public()).unwrap());
    TicketKeys {
        ticket_keys: told.iter().map(|key| key.public()).collect(),
        lineage: Some(lineage),
        dropped: Vec::new(),
    }
}

#[tokio::test]
async fn it_proves_its_key_and_says_what_it_offers() {
    let mut played = Played::new().await;
    let (_line, hello) = played.greeted().await;
    let FromAgent::Hello { device, signature, registration, .. } = hello else { panic!("{hello:?}") };
    let text = hello_text(&played.coordinator.public().id(), "nonce");
    peer::key::verify(device, &text, &base64url::decode(&signature).unwrap()).unwrap();
    assert_eq!((device, registration.name.as_str()), (played.endpoint.id(), "Cellar"));
}

#[tokio::test]
async fn what_changes_is_said_once_and_the_end_is_a_goodbye() {
    let mut played = Played::new().await;
    let mut line = played.welcomed().await;
    line.settle().await;
    assert_eq!(played.state().standing, LinkStanding::Connected);
    let films =
        OfferedShare { id: ShareId::generate(), name: "Films".into(), read_only: false, inbox: false };
    played.registration.send_replace(registration(vec![films.clone()]));
    let said = line.hear().await;
    assert!(matches!(said, FromAgent::Shares { shares } if shares == [films]));
    let (said, ()) = tokio::join!(line.hear(), played.control.leave());
    assert!(matches!(said, FromAgent::Goodbye));
}

#[tokio::test]
async fn a_broken_link_comes_back_and_a_refused_one_says_why() {
    let mut played = Played::new().await;
    drop(played.welcomed().await);
    let (mut line, _) = played.greeted().await;
    let error = ApiError::new(ErrorCode::Forbidden, "Not any more.", "Pair it again.");
    line.say(&FromCoordinator::Refused { error: error.clone() }).await;
    let mut states = played.control.states();
    let shown = states.wait_for(|all| all.values().any(|state| state.trouble.as_ref() == Some(&error))).await;
    assert_eq!(shown.unwrap().values().next().unwrap().standing, LinkStanding::Refused);
}

#[tokio::test]
async fn why_it_tries_again_is_told_down_to_the_bottom() {
    let mut played = Played::new().await;
    let mut line = played.welcomed().await;
    line.settle().await;
    let mut states = played.control.states();
    played.dials.close();
    drop(line);
    let waiting = |state: &LinkState| {
        let trouble = state.trouble.as_ref().map(|trouble| trouble.message.as_str()).unwrap_or_default();
        state.standing == LinkStanding::Waiting && trouble.contains("cannot be reached: connection refused")
    };
    states.wait_for(|all| all.values().any(waiting)).await.unwrap();
}

#[tokio::test]
async fn a_coordinator_is_told_of_what_it_is_offered_and_allows_nothing_else() {
    let mut played = Played::new().await;
    played.world.write("large.bin", &vec![7; 8 << 20]);
    let share = OfferedShare { id: played.world.share, name: "Films".into(), read_only: false, inbox: false };
    let kept = OfferedShare { id: ShareId::generate(), name: "Diary".into(), read_only: false, inbox: false };
    played.registration.send_replace(registration(vec![share.clone(), kept.clone()]));
    played.offer(Offered::Only([share.id].into_iter().collect()));
    let (mut line, hello) = played.greeted().await;
    let FromAgent::Hello { registration, .. } = hello else { panic!("{hello:?}") };
    assert_eq!(registration.shares, [share]);
    line.say(&played.welcome()).await;
    line.settle().await;
    let ticket = played.coordinator.sign(&played.world.claims()).unwrap();
    let mut body = played.ask("large.bin", &ticket).await.into_body();
    http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
    played.offer(Offered::Only([kept.id].into_iter().collect()));
    let said = line.hear().await;
    assert!(matches!(said, FromAgent::Shares { shares } if shares == [kept]));
    assert!(http_body_util::BodyExt::collect(body).await.is_err(), "what is withheld breaks off");
    assert_eq!(played.ask("large.bin", &ticket).await.status(), 403);
    played.offer(Offered::All);
    assert!(matches!(line.hear().await, FromAgent::Shares { shares } if shares.len() == 2));
    assert_eq!(played.ask("large.bin", &ticket).await.status(), 200);
}

#[tokio::test]
async fn another_coordinator_at_the_address_learns_nothing() {
    let mut played = Played::new().await;
    played.coordinator = SigningKey::generate().unwrap();
    let stream = played.dials.recv().await.unwrap();
    let mut line = Line(tokio_tungstenite::accept_async(stream).await.unwrap());
    let coordinator = played.coordinator.public().id();
    line.say(&FromCoordinator::Challenge { nonce: "n".into(), coordinator, time: OffsetDateTime::now_utc() })
        .await;
    while let Some(Ok(message)) = line.0.next().await {
        assert!(!message.is_text(), "{message:?}");
    }
}

#[tokio::test]
async fn its_tickets_count_until_it_is_left_and_what_it_ends_breaks_off() {
    let mut played = Played::new().await;
    played.world.write("large.bin", &vec![7; 8 << 20]);
    let mut line = played.welcomed().await;
    line.settle().await;
    let claims = played.world.claims();
    let ticket = played.coordinator.sign(&claims).unwrap();
    let mut body = played.ask("large.bin", &ticket).await.into_body();
    http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
    let what = Revoked::Principal { id: claims.sub };
    line.say(&FromCoordinator::Revoked { what, at: OffsetDateTime::now_utc() }).await;
    line.settle().await;
    assert!(http_body_util::BodyExt::collect(body).await.is_err());
    assert_eq!(played.ask("large.bin", &ticket).await.status(), 401);
    let other = played.coordinator.sign(&played.world.claims()).unwrap();
    assert!(played.world.agent.tickets().verify(&other, None).is_ok());
    let mut body = played.ask("large.bin", &other).await.into_body();
    http_body_util::BodyExt::frame(&mut body).await.unwrap().unwrap();
    played.control.join(Vec::new());
    assert!(played.world.agent.tickets().verify(&other, None).is_err(), "it was left");
    assert!(http_body_util::BodyExt::collect(body).await.is_err(), "what it allowed breaks off");
}

#[tokio::test]
async fn a_key_that_is_announced_counts_at_once_and_one_that_is_over_no_more() {
    let mut played = Played::new().await;
    played.world.write("large.bin", &vec![7; 8 << 20]);
    let mut pinned = played.control.pinned();
    let mut line = played.welcomed().await;
    line.settle().await;
    let (first, next) = (played.coordinator.public(), SigningKey::generate().unwrap());
    assert_eq!(played.honours(&next), Err(TicketError::Key));
    let opened = played.opened(&played.coordinator).await;
    for (told, good) in [
        (vec![&played.coordinator, &next], [Ok(()), Ok(())]),
        (vec![&next, &played.coordinator], [Ok(()), Ok(())]),
        (vec![&next], [Err(TicketError::Key), Ok(())]),
    ] {
        line.say(&FromCoordinator::Keys { keys: keys(&told, &[&played.coordinator, &next]) }).await;
        line.settle().await;
        assert_eq!([&played.coordinator, &next].map(|key| played.honours(key)), good);
        let told: Vec<_> = told.iter().map(|key| key.public()).collect();
        let pinned = pinned.borrow_and_update().get(&first.id()).map(|pinned| pinned.keys.clone());
        assert_eq!(pinned, Some(told), "to be kept");
    }
    assert_eq!(played.state().standing, LinkStanding::Connected);
    let size = http_body_util::BodyExt::collect(opened).await.unwrap().to_bytes().len();
    assert!(size > 0, "what the old key opened was not touched");
}

#[tokio::test]
async fn what_a_dropped_key_opened_breaks_off() {
    let mut played = Played::new().await;
    played.world.write("large.bin", &vec![7; 8 << 20]);
    let mut line = played.welcomed().await;
    line.settle().await;
    let next = SigningKey::generate().unwrap();
    let opened = played.opened(&played.coordinator).await;
    let dropped = vec![played.coordinator.public().id()];
    let told = TicketKeys { dropped, ..keys(&[&next], &[&played.coordinator, &next]) };
    line.say(&FromCoordinator::Keys { keys: told }).await;
    line.settle().await;
    assert!(http_body_util::BodyExt::collect(opened).await.is_err());
    assert_eq!(played.honours(&played.coordinator), Err(TicketError::Key));
    assert_eq!(played.honours(&next), Ok(()));
}

#[tokio::test]
async fn what_an_end_concerns_breaks_off_though_its_key_is_over() {
    let mut played = Played::new().await;
    played.world.write("large.bin", &vec![7; 8 << 20]);
    let mut line = played.welcomed().await;
    line.settle().await;
    let next = SigningKey::generate().unwrap();
    let opened = played.opened(&played.coordinator).await;
    let person = played.world.last();
    line.say(&FromCoordinator::Keys { keys: keys(&[&next], &[&played.coordinator, &next]) }).await;
    let what = Revoked::Principal { id: person };
    line.say(&FromCoordinator::Revoked { what, at: OffsetDateTime::now_utc() }).await;
    line.settle().await;
    assert!(http_body_util::BodyExt::collect(opened).await.is_err());
}

#[tokio::test]
async fn who_was_away_all_the_time_learns_the_keys_and_forged_ones_are_refused() {
    let [second, third, thief] = std::array::from_fn(|_| SigningKey::generate().unwrap());
    let mut played = Played::new().await;
    let first = SigningKey::from_bytes(played.coordinator.as_bytes()).unwrap();
    let (mut line, _) = played.greeted().await;
    line.say(&played.welcome_with(keys(&[&third, &second], &[&first, &second, &third]))).await;
    line.settle().await;
    assert_eq!(
        [&first, &second, &third, &thief].map(|key| played.honours(key).is_ok()),
        [false, true, true, false]
    );
    let unsigned = TicketKeys { ticket_keys: vec![thief.public()], ..Default::default() };
    let by_first = keys(&[&thief], &[&first, &thief]);
    let beside = keys(&[&third, &thief], &[&first, &second, &third]);
    let mut states = played.control.states();
    for forged in [unsigned, by_first, beside] {
        line.say(&FromCoordinator::Keys { keys: forged }).await;
        let refused = |state: &LinkState| {
            let why = state.trouble.as_ref().map(|why| why.code);
            state.standing == LinkStanding::Refused && why == Some(ErrorCode::WrongSignature)
        };
        states.wait_for(|all| all.values().any(refused)).await.unwrap();
        assert_eq!([&third, &thief].map(|key| played.honours(key).is_ok()), [true, false]);
        let membership = played.membership();
        let again = Membership {
            ticket_keys: vec![third.public(), second.public()],
            joined: membership.joined + time::Duration::seconds(1),
            ..membership
        };
        played.control.join(Vec::new());
        while played.dials.try_recv().is_ok() {}
        played.control.join(vec![again]);
        (line, _) = played.greeted().await;
        line.say(&played.welcome_with(keys(&[&third, &second], &[&first, &second, &third]))).await;
        line.settle().await;
    }
}

#[tokio::test]
async fn another_way_is_taken_at_the_next_dial_and_touches_no_link() {
    let mut played = Played::new().await;
    let mut line = played.welcomed().await;
    line.settle().await;
    let (sender, mut elsewhere) = mpsc::unbounded_channel();
    let other_keys = vec![SigningKey::generate().unwrap().public()];
    let membership = Membership { ticket_keys: other_keys, ..played.membership() };
    played.control.join(vec![Membership { dial: Arc::new(FakeDial(sender)), ..membership }]);
    line.settle().await;
    assert_eq!(played.honours(&played.coordinator), Ok(()), "the link knows the keys better");
    drop(line);
    elsewhere.recv().await.unwrap();
    assert!(played.dials.try_recv().is_err());
}

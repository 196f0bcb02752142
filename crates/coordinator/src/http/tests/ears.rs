//! The event socket at its door: who may open it, what it tells again, and how it ends. Over streams in memory.

use std::time::{Duration, Instant};

use axum::Extension;
use futures_util::{SinkExt, StreamExt};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use proto::DeviceId;
use proto::api::events::{Event, Happening};
use tokio::io::DuplexStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::*;

/// Less than one event: whoever does not read is felt at once.
const ON_THE_WAY: usize = 64;

/// A listener's end of the socket.
struct Ear(WebSocketStream<DuplexStream>);

impl Ear {
    async fn open(
        world: &World,
        browser: &Browser,
        query: &str,
        extra: &[(&'static str, String)],
    ) -> Result<Self, WsError> {
        let (ours, theirs) = tokio::io::duplex(ON_THE_WAY);
        let app = world.app.clone().layer(Extension(browser.connection));
        tokio::spawn(async move {
            let answering = auto::Builder::new(TokioExecutor::new());
            let service = TowerToHyperService::new(app);
            // However the connection ends, the test sees it at its own end.
            let _ = answering.serve_connection_with_upgrades(TokioIo::new(theirs), service).await;
        });
        let mut request = format!("ws://{}/api/v1/events/ws{query}", browser.host).into_client_request()?;
        for (name, value) in extra {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        tokio_tungstenite::client_async(request, ours).await.map(|(socket, _)| Self(socket))
    }

    async fn with(world: &World, browser: &Browser, token: &str, query: &str) -> Self {
        Self::open(world, browser, query, &[protocols(token)]).await.unwrap()
    }

    async fn hear(&mut self) -> Event {
        loop {
            if let Message::Text(text) = self.0.next().await.unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// The next message about a watched place.
    async fn told(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.0.next().await.unwrap().unwrap() {
                let told: Value = serde_json::from_str(&text).unwrap();
                if told["type"] == "file_changed" {
                    return told;
                }
            }
        }
    }

    /// The code with which it was closed, whatever is told before.
    async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.0.next().await.unwrap().unwrap() {
                return frame.unwrap().code.into();
            }
        }
    }

    /// Waits until all that was sent before has been dealt with. What was told until then.
    async fn settle(&mut self) -> Vec<Value> {
        self.0.send(Message::Ping("x".into())).await.unwrap();
        let mut told = Vec::new();
        loop {
            match self.0.next().await.unwrap().unwrap() {
                Message::Pong(_) => return told,
                Message::Text(text) => told.push(serde_json::from_str(&text).unwrap()),
                _ => {}
            }
        }
    }
}

fn protocols(token: &str) -> (&'static str, String) {
    ("sec-websocket-protocol", format!("stream-v1, auth.{token}"))
}

async fn token(world: &World, browser: &mut Browser) -> String {
    let given = browser.get(world, "/api/v1/events/token").await;
    assert_eq!((given.status, &given.body["expires_in"]), (StatusCode::OK, &json!(90)));
    given.body["ws_token"].as_str().unwrap().to_owned()
}

fn online(number: u8) -> Happening {
    Happening::DeviceOnline { device: DeviceId::from_public_key([number; 32]) }
}

fn tell(world: &World, what: &Happening) {
    world.coordinator.rooms().events.tell(what, |_| true);
}

#[tokio::test]
async fn a_wrong_used_old_or_foreign_token_closes_the_socket() {
    let (world, mut owner) = World::set_up().await;
    let good = token(&world, &mut owner).await;
    let mut ear = Ear::with(&world, &owner, &good, "").await;
    ear.settle().await;
    let (late, taken_along) = (token(&world, &mut owner).await, token(&world, &mut owner).await);
    let elsewhere = open(5);
    for (token, browser) in [(&"0".repeat(64), &owner), (&good, &owner), (&taken_along, &elsewhere)] {
        assert_eq!(Ear::with(&world, browser, token, "").await.closed().await, 1008);
    }
    world.clock.pass(90);
    assert_eq!(Ear::with(&world, &owner, &late, "").await.closed().await, 1008, "after 90 seconds");
    ear.settle().await;
}

#[tokio::test]
async fn a_page_of_another_site_opens_nothing() {
    let (world, mut owner) = World::set_up().await;
    for origin in ["https://evil.example", "null", "http://localhost:7001", "https://localhost:7000"] {
        let token = token(&world, &mut owner).await;
        let extra = [protocols(&token), ("origin", origin.to_owned())];
        let Err(WsError::Http(answer)) = Ear::open(&world, &owner, "", &extra).await else {
            panic!("{origin} was let in")
        };
        assert_eq!(answer.status().as_u16(), 403, "{origin}");
    }
    let token = token(&world, &mut owner).await;
    let extra = [protocols(&token), ("origin", "http://localhost:7000".to_owned())];
    Ear::open(&world, &owner, "", &extra).await.unwrap().settle().await;
}

#[tokio::test]
async fn who_comes_back_is_told_what_was_missed_and_once() {
    let (world, mut owner) = World::set_up().await;
    let first = token(&world, &mut owner).await;
    let mut ear = Ear::with(&world, &owner, &first, "").await;
    ear.settle().await;
    tell(&world, &Happening::PairingWaiting);
    let heard = ear.hear().await;
    assert_eq!(heard.what, Happening::PairingWaiting);
    drop(ear);
    tell(&world, &Happening::CatalogChanged);
    tell(&world, &Happening::PairingWaiting);
    let second = token(&world, &mut owner).await;
    let mut ear = Ear::with(&world, &owner, &second, &format!("?after={}", heard.seq)).await;
    for (number, what) in [(1, Happening::CatalogChanged), (2, Happening::PairingWaiting)] {
        let again = ear.hear().await;
        assert_eq!((again.seq, again.what), (heard.seq + number, what));
    }
    world.clock.pass(301);
    tell(&world, &Happening::CatalogChanged);
    let third = token(&world, &mut owner).await;
    let mut late = Ear::with(&world, &owner, &third, &format!("?after={}", heard.seq)).await;
    assert_eq!(late.hear().await.what, Happening::EventsLost, "after more than five minutes");
}

#[tokio::test]
async fn a_session_that_ends_takes_its_socket_along() {
    let (world, mut owner) = World::set_up().await;
    let mut other = private(4).signed_in(&world).await;
    let (mine, theirs) = (token(&world, &mut owner).await, token(&world, &mut other).await);
    let unused = token(&world, &mut other).await;
    let mut stays = Ear::with(&world, &owner, &mine, "").await;
    let mut ends = Ear::with(&world, &other, &theirs, "").await;
    ends.settle().await;
    let sessions = owner.get(&world, "/api/v1/sessions").await.body["sessions"].clone();
    let of_other = sessions.as_array().unwrap().iter().find(|session| session["current"] == false).unwrap();
    let path = format!("/api/v1/sessions/{}", of_other["id"].as_str().unwrap());
    let begun = Instant::now();
    assert_eq!(owner.send(&world, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(ends.closed().await, 1008);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(Ear::with(&world, &other, &unused, "").await.closed().await, 1008, "a token it had left");
    stays.settle().await;
}

#[tokio::test]
async fn the_end_of_the_process_is_told() {
    let (world, mut owner) = World::set_up().await;
    let given = token(&world, &mut owner).await;
    let mut ear = Ear::with(&world, &owner, &given, "").await;
    ear.settle().await;
    let (code, ()) = tokio::join!(ear.closed(), world.coordinator.close());
    assert_eq!(code, 1001);
}

#[tokio::test]
async fn who_does_not_listen_is_told_to_come_again() {
    let (world, mut owner) = World::set_up().await;
    let given = token(&world, &mut owner).await;
    let mut ear = Ear::with(&world, &owner, &given, "").await;
    ear.settle().await;
    // From here on time passes as soon as nothing else happens.
    tokio::time::pause();
    (1..9).for_each(|number| tell(&world, &online(number)));
    // A little longer than the socket is waited for.
    tokio::time::sleep(Duration::from_millis(5100)).await;
    assert_eq!(ear.closed().await, 1013);
}

#[tokio::test]
async fn what_is_watched_is_told_to_this_socket_alone() {
    let (world, mut owner) = World::set_up().await;
    let shares = owner.get(&world, "/api/v1/catalog/shares").await.body;
    let (device, share) = (&shares["shares"][0]["device_id"], &shares["shares"][0]["id"]);
    let place = |path: &str, editing: bool| json!({"device": device, "share": share, "path": path, "editing": editing});
    let list = |places: &[Value]| Message::Text(json!({"watch": places}).to_string().into());
    let [first, second] = [token(&world, &mut owner).await, token(&world, &mut owner).await];
    let mut ear = Ear::with(&world, &owner, &first, "").await;
    let mut other = Ear::with(&world, &owner, &second, "").await;
    ear.0.send(list(&[place("d/a b.txt", true)])).await.unwrap();
    let told = ear.told().await;
    assert_eq!((&told["device"], &told["share"], &told["path"]), (device, share, &json!("d/a b.txt")));
    assert_eq!(told["seen"], json!({"entry": null, "others": 1}));
    ear.0.send(list(&[place("d/a b.txt", true), place("d", false)])).await.unwrap();
    assert_eq!(ear.told().await["path"], "d", "what is on the list already is not told again");
    assert!(other.settle().await.iter().all(|told| told["type"] != "file_changed"), "nobody else is told");
    ear.0.send(list(&vec![place("x", false); 33])).await.unwrap();
    assert_eq!(ear.closed().await, 1003);
    let (mut guest, _) = joining::guest(&world, &mut owner).await;
    let third = token(&world, &mut guest).await;
    let mut stranger = Ear::with(&world, &guest, &third, "").await;
    stranger.0.send(list(&[place("d", false)])).await.unwrap();
    assert_eq!(stranger.told().await["seen"]["others"], 0, "who may not look sees nothing there");
    for nonsense in ["", "{}", "[1]", r#"{"watch":[{"device":"x"}]}"#] {
        let token = token(&world, &mut owner).await;
        let mut ear = Ear::with(&world, &owner, &token, "").await;
        ear.0.send(Message::Text(nonsense.into())).await.unwrap();
        assert_eq!(ear.closed().await, 1003, "{nonsense}");
    }
}

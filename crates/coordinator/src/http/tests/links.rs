//! The control link over a real socket: who gets in, what is said, and how it ends.

use std::net::SocketAddr;

use futures_util::{SinkExt, StreamExt};
use peer::{DeviceKey, Endpoint, Meeting};
use proto::wire::link::{
    Addresses, FromAgent, FromCoordinator, MAX_MESSAGE_BYTES, OfferedShare, Registration, Revoked, VERSION,
    hello_text,
};
use proto::{ErrorCode, ShareId, base64url};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::clock::Clock;

/// A machine that is set up and listens, and the key of another that is paired with it.
pub(super) struct Port {
    pub(super) world: World,
    pub(super) owner: Browser,
    address: SocketAddr,
    shutdown: CancellationToken,
    pub(super) machine: DeviceKey,
}

impl Drop for Port {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// A machine's end of a link.
pub(super) struct Line(WebSocketStream<TcpStream>);

impl Line {
    pub(super) async fn say(&mut self, message: &FromAgent) {
        self.0.send(Message::text(serde_json::to_string(message).unwrap())).await.unwrap();
    }

    /// The next message, or `None` once the link has ended. Who else may knock is told at any time.
    pub(super) async fn hear(&mut self) -> Option<FromCoordinator> {
        loop {
            match self.hear_all().await {
                Some(FromCoordinator::Peers { .. }) => {}
                message => return message,
            }
        }
    }

    async fn hear_all(&mut self) -> Option<FromCoordinator> {
        loop {
            match self.0.next().await {
                Some(Ok(Message::Text(text))) => return Some(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    /// Waits until the coordinator has read everything that was said before.
    async fn settle(&mut self) {
        self.0.send(Message::Ping("x".into())).await.unwrap();
        while !matches!(self.0.next().await.unwrap().unwrap(), Message::Pong(_)) {}
    }

    async fn refused(&mut self) -> ErrorCode {
        match self.hear().await {
            Some(FromCoordinator::Refused { error }) => {
                assert!(self.hear().await.is_none(), "it ends after a refusal");
                error.code
            }
            other => panic!("{other:?}"),
        }
    }
}

pub(super) fn share(name: &str) -> OfferedShare {
    OfferedShare { id: ShareId::generate(), name: name.into(), read_only: false, inbox: false }
}

/// What a machine says first, and how it may be wrong.
struct Hello {
    key: DeviceKey,
    text: Vec<u8>,
    protocol: u32,
    time: OffsetDateTime,
    shares: Vec<OfferedShare>,
}

impl Hello {
    fn message(&self) -> FromAgent {
        let direct = vec!["192.0.2.7:7000".parse().unwrap()];
        FromAgent::Hello {
            protocol: self.protocol,
            device: self.key.id(),
            signature: base64url::encode(&self.key.sign(&self.text)),
            time: self.time,
            registration: Box::new(Registration {
                name: "Cellar".into(),
                platform: "linux".into(),
                version: "1".into(),
                addresses: Addresses { direct, ..Default::default() },
                shares: self.shares.clone(),
            }),
        }
    }
}

impl Port {
    pub(super) async fn open() -> Self {
        let (world, _) = World::set_up().await;
        let machine = DeviceKey::from_seed([5; 32]).unwrap();
        let owner = world.coordinator.rooms().identity.owner_id().unwrap();
        world.coordinator.rooms().store.pair_for_test(machine.id(), owner).await;
        let world = world.restart().await;
        let key = DeviceKey::from_seed([1; 32]).unwrap();
        let endpoint = Endpoint::bind(peer::Config { quic: false, ..peer::Config::new(key) }).await.unwrap();
        world.coordinator.set_endpoint(endpoint);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, shutdown) = (listener.local_addr().unwrap(), CancellationToken::new());
        tokio::spawn(peer::edge::serve(listener, world.app.clone(), None, None, shutdown.clone()));
        let owner = on_machine().signed_in(&world).await;
        Self { world, owner, address, shutdown, machine }
    }

    async fn try_dial(&self, headers: &[(&'static str, &'static str)]) -> Result<Line, WsError> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let mut request = format!("ws://{}/api/v1/agents/link", self.address).into_client_request()?;
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        tokio_tungstenite::client_async(request, stream).await.map(|(socket, _)| Line(socket))
    }

    /// Dials and hears the challenge.
    async fn dial(&self) -> (Line, Hello) {
        let mut line = self.try_dial(&[]).await.unwrap();
        let Some(FromCoordinator::Challenge { nonce, coordinator, time }) = line.hear().await else {
            panic!()
        };
        assert_eq!(time, self.world.clock.wall());
        let text = hello_text(&coordinator, &nonce);
        let hello = Hello { key: self.machine.clone(), text, protocol: VERSION, time, shares: Vec::new() };
        (line, hello)
    }

    /// A link of the paired machine that offers these shares.
    pub(super) async fn link(&self, shares: &[OfferedShare]) -> (Line, FromCoordinator) {
        let (mut line, hello) = self.dial().await;
        line.say(&Hello { shares: shares.to_vec(), ..hello }.message()).await;
        let welcome = line.hear().await.unwrap();
        assert!(matches!(welcome, FromCoordinator::Welcome { .. }), "{welcome:?}");
        (line, welcome)
    }

    async fn machine_in_catalog(&mut self) -> Value {
        let devices = self.owner.get(&self.world, "/api/v1/catalog/devices").await.body;
        let id = self.machine.id().to_string();
        devices["devices"]
            .as_array()
            .unwrap()
            .iter()
            .find(|device| device["id"] == id.as_str())
            .unwrap()
            .clone()
    }
}

#[tokio::test]
async fn a_paired_machine_is_welcomed_and_seen() {
    let mut port = Port::open().await;
    let films = share("Films");
    assert_eq!(port.machine_in_catalog().await["online"], false);
    let (mut line, welcome) = port.link(std::slice::from_ref(&films)).await;
    let FromCoordinator::Welcome { keys, gateways, relays, notice } = welcome else { panic!() };
    assert_eq!(relays, [format!("http://{}/", port.address)], "as it was asked for");
    assert_eq!(keys, *port.world.coordinator.ticket_keys().borrow());
    assert_eq!(gateways, [DeviceKey::from_seed([1; 32]).unwrap().id()]);
    assert!(notice.is_none());
    assert_eq!(port.machine_in_catalog().await["online"], true);
    let shares = port.owner.get(&port.world, "/api/v1/catalog/shares").await.body;
    let seen = shares["shares"].as_array().unwrap().iter().any(|share| share["id"] == films.id.to_string());
    assert!(seen, "{shares}");
    line.say(&FromAgent::Goodbye).await;
    assert!(line.hear().await.is_none());
    let gone = port.machine_in_catalog().await;
    assert_eq!((&gone["online"], gone["last_seen"].is_string()), (&json!(false), true));
    let base = format!("/api/v1/devices/{}/shares/{}/list", port.machine.id(), films.id);
    assert_eq!(port.owner.get(&port.world, &base).await.code(), "DEVICE_OFFLINE");
}

/// A device at this coordinator's relay that has no other way anywhere.
async fn at_the_relay(port: &Port, key: &DeviceKey) -> (Endpoint, Addresses) {
    let relay = format!("http://{}/", port.address);
    let endpoint =
        Endpoint::bind(peer::Config { lan: false, ..peer::Config::new(key.clone()) }).await.unwrap();
    endpoint.use_relays(&[Meeting { relay: relay.clone(), with: endpoint.id() }], Vec::new());
    (endpoint, Addresses { relay: Some(relay), ..Addresses::default() })
}

fn knock() -> axum::http::Request<axum::body::Body> {
    axum::http::Request::get("/").body(axum::body::Body::empty()).unwrap()
}

#[tokio::test]
async fn the_relay_brings_paired_machines_together_and_tells_others_why_not() {
    let port = Port::open().await;
    let stranger = DeviceKey::from_seed([8; 32]).unwrap();
    let (machine, there) = at_the_relay(&port, &port.machine).await;
    machine.serve(tower::service_fn(|_| async {
        Ok(axum::response::Response::new(axum::body::Body::from("yes")))
    }));
    let gateway = DeviceKey::from_seed([1; 32]).unwrap();
    machine.allow([gateway.id(), stranger.id()].into());
    machine.addresses().wait_for(|told| told.relay.is_some()).await.unwrap();
    let (gateway, _) = at_the_relay(&port, &gateway).await;
    gateway.learn(port.machine.id(), there.clone());
    gateway.request(port.machine.id(), knock()).await.unwrap();
    assert!(port.world.coordinator.rooms().relay.has(port.machine.id()));

    let (stranger, _) = at_the_relay(&port, &stranger).await;
    stranger.learn(port.machine.id(), there);
    let asked = std::time::Instant::now();
    let error = stranger.request(port.machine.id(), knock()).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("not paired here"), "{error}");
    assert!(asked.elapsed() < std::time::Duration::from_secs(10), "{:?}", asked.elapsed());
    assert!(!port.world.coordinator.rooms().relay.has(stranger.id()));
}

#[tokio::test]
async fn who_cannot_prove_to_be_paired_is_refused() {
    let port = Port::open().await;
    let (mut line, mut hello) = port.dial().await;
    hello.text.push(b'x');
    line.say(&hello.message()).await;
    assert_eq!(line.refused().await, ErrorCode::WrongSignature);
    let (mut line, hello) = port.dial().await;
    line.say(&Hello { key: DeviceKey::from_seed([6; 32]).unwrap(), ..hello }.message()).await;
    assert_eq!(line.refused().await, ErrorCode::Forbidden);
    let (mut line, hello) = port.dial().await;
    line.say(&Hello { protocol: VERSION + 1, ..hello }.message()).await;
    assert_eq!(line.refused().await, ErrorCode::Unsupported);
    // A signature for one challenge is none for another.
    let (_, first) = port.dial().await;
    let (mut line, _) = port.dial().await;
    line.say(&first.message()).await;
    assert_eq!(line.refused().await, ErrorCode::WrongSignature);
}

#[tokio::test]
async fn pages_and_readable_connections_keep_no_link() {
    let port = Port::open().await;
    for origin in ["https://evil.example", "null", "http://127.0.0.1"] {
        let refused = port.try_dial(&[("origin", origin)]).await.err().unwrap();
        assert!(matches!(&refused, WsError::Http(answer) if answer.status() == 403), "{refused}");
    }
    let mut rebound = port.try_dial(&[("host", "evil.example")]).await.err().unwrap();
    assert!(matches!(&mut rebound, WsError::Http(answer) if answer.status() == 421), "{rebound}");
    let mut request = Request::builder().uri("/api/v1/agents/link").header(HOST, "192.168.1.7:7000");
    for (name, value) in [
        ("connection", "upgrade"),
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "AAAAAAAAAAAAAAAAAAAAAA=="),
    ] {
        request = request.header(name, value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(open(9).connection);
    let answer = port.world.app.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN, "on a connection that others can read");
}

#[tokio::test]
async fn a_machine_is_told_who_else_may_knock() {
    let port = Port::open().await;
    let (mut line, _) = port.link(&[]).await;
    let Some(FromCoordinator::Peers { peers }) = line.hear_all().await else { panic!() };
    assert_eq!(
        peers.iter().map(|peer| peer.device).collect::<Vec<_>>(),
        [port.world.coordinator.rooms().device]
    );
}

#[tokio::test]
async fn what_is_not_understood_or_too_long_ends_the_link() {
    let port = Port::open().await;
    for words in [Message::text("{}"), Message::text("[".repeat(100_000)), Message::binary(vec![1])] {
        let (mut line, _) = port.dial().await;
        line.0.send(words).await.unwrap();
        assert!(line.hear().await.is_none());
    }
    let (mut line, _) = port.dial().await;
    // It may hang up before all of it is written.
    let _ = line.0.send(Message::text("x".repeat(MAX_MESSAGE_BYTES + 1))).await;
    assert!(line.hear().await.is_none());
    let (mut line, _) = port.link(&[]).await;
    line.0.send(Message::text("{\"type\":\"nonsense\"}")).await.unwrap();
    assert!(line.hear().await.is_none());
}

#[tokio::test]
async fn a_newer_link_takes_the_older_one_s_place() {
    let mut port = Port::open().await;
    let (mut older, _) = port.link(&[]).await;
    let (mut newer, _) = port.link(&[]).await;
    assert!(older.hear().await.is_none());
    newer.say(&FromAgent::Heartbeat { time: port.world.clock.wall() }).await;
    newer.settle().await;
    assert_eq!(port.machine_in_catalog().await["online"], true);
}

#[tokio::test]
async fn a_wrong_clock_is_told_on_both_sides_until_it_is_right() {
    let mut port = Port::open().await;
    let films = share("Films");
    let (mut line, hello) = port.dial().await;
    let time = hello.time + time::Duration::minutes(5);
    line.say(&Hello { time, shares: vec![films.clone()], ..hello }.message()).await;
    let Some(FromCoordinator::Welcome { notice: Some(notice), .. }) = line.hear().await else { panic!() };
    assert_eq!(notice.code, ErrorCode::ClockSkew);
    assert!(notice.message.contains("5 minutes ahead of"), "{}", notice.message);
    let path = format!("/api/v1/devices/{}/shares/{}/list", port.machine.id(), films.id);
    let answer = port.owner.get(&port.world, &path).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::CONFLICT, "CLOCK_SKEW"), "{}", answer.body);
    line.say(&FromAgent::Heartbeat { time: port.world.clock.wall() }).await;
    line.settle().await;
    assert_eq!(port.owner.get(&port.world, &path).await.code(), "DEVICE_UNREACHABLE", "nobody listens there");
}

#[tokio::test]
async fn another_ticket_key_is_told_to_who_is_there_and_to_who_comes() {
    let mut port = Port::open().await;
    let (mut line, welcome) = port.link(&[]).await;
    let FromCoordinator::Welcome { keys: before, .. } = welcome else { panic!() };
    for at_once in [false, true] {
        let asked = json!({"at_once": at_once});
        let answer = port.owner.post(&port.world, "/api/v1/keys/rotate", asked).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let Some(FromCoordinator::Keys { keys }) = line.hear().await else { panic!() };
        assert!(keys != before && keys.follow_from(&before.ticket_keys));
        assert_eq!(keys, *port.world.coordinator.ticket_keys().borrow());
    }
    let (mut line, hello) = port.dial().await;
    assert!(
        String::from_utf8(hello.text.clone()).unwrap().contains(&before.ticket_keys[0].id()),
        "the id stays"
    );
    line.say(&hello.message()).await;
    let Some(FromCoordinator::Welcome { keys, .. }) = line.hear().await else { panic!() };
    assert!(keys.ticket_keys.len() == 1 && keys.follow_from(&before.ticket_keys));
}

#[tokio::test]
async fn what_ends_is_told_and_a_machine_that_ends_is_shown_out() {
    let mut port = Port::open().await;
    let (mut line, _) = port.link(&[share("Films")]).await;
    let mut other = private(4).signed_in(&port.world).await;
    let sessions = port.owner.get(&port.world, "/api/v1/sessions").await.body;
    let sessions = sessions["sessions"].as_array().unwrap();
    let id = sessions.iter().find(|session| session["current"] == false).unwrap()["id"].as_str().unwrap();
    let path = format!("/api/v1/sessions/{id}");
    port.owner.send(&port.world, Method::DELETE, &path, None).await;
    assert_eq!(other.get(&port.world, "/api/v1/auth/me").await.status, StatusCode::UNAUTHORIZED);
    let told = line.hear().await.unwrap();
    let is_it = matches!(&told, FromCoordinator::Revoked { what: Revoked::Session { id: ended }, .. }
        if ended.to_string() == id);
    assert!(is_it, "{told:?}");
    let path = format!("/api/v1/devices/{}", port.machine.id());
    let answer = port.owner.send(&port.world, Method::DELETE, &path, None).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    let mut last = None;
    while let Some(told) = line.hear().await {
        last = Some(told);
    }
    assert!(matches!(last, Some(FromCoordinator::Refused { .. })), "{last:?}");
    let shares = port.owner.get(&port.world, "/api/v1/catalog/shares").await.body;
    assert_eq!(shares["shares"].as_array().unwrap().len(), 1, "{shares}");
    let (mut line, hello) = port.dial().await;
    line.say(&hello.message()).await;
    assert_eq!(line.refused().await, ErrorCode::Forbidden);
}

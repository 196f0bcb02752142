//! Two devices over real sockets on this machine.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::arriving::Arriving;
use http_body::Frame;
use http_body_util::{Empty, Full};
use iroh_relay::server::{RelayConfig, Server, ServerConfig};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::*;
use crate::lane::LaneKind;
use crate::{PeerId, edge};

/// A device that listens, until it is dropped.
struct Listening {
    endpoint: Endpoint,
    address: SocketAddr,
    shutdown: CancellationToken,
    served: Option<JoinHandle<()>>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

impl Listening {
    /// A device whose key grows from `seed`, answering peers with `handler` at `address`.
    async fn at<S, B>(address: &str, seed: u8, handler: S) -> Self
    where
        S: Handler<B> + Sync,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let endpoint = device(seed, true, true).await;
        endpoint.serve(handler);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        endpoint.listens_at(address);
        let shutdown = CancellationToken::new();
        let page = tower::service_fn(|_| async { Ok(Response::new(Full::new(Bytes::from("page")))) });
        let served =
            tokio::spawn(edge::serve(listener, page, None, Some(endpoint.clone()), shutdown.clone()));
        Self { endpoint, address, shutdown, served: Some(served) }
    }

    /// Where it is, once it is there on that lane.
    async fn addresses(&self, lane: LaneKind) -> Addresses {
        let mut told = self.endpoint.addresses();
        told.wait_for(|told| lane == LaneKind::Lan || !told.udp.is_empty()).await.unwrap().clone()
    }

    /// Stops listening, and waits until it has.
    async fn end(mut self) -> SocketAddr {
        self.shutdown.cancel();
        self.endpoint.close().await;
        self.served.take().unwrap().await.unwrap();
        self.address
    }
}

async fn device(seed: u8, lan: bool, quic: bool) -> Endpoint {
    Endpoint::bind(Config { key: DeviceKey::from_seed([seed; 32]).unwrap(), lan, quic }).await.unwrap()
}

/// A device that only dials, on the LAN lane alone.
async fn dialler(seed: u8) -> Endpoint {
    device(seed, true, false).await
}

/// A dialler that `device` allows and that knows where it is.
async fn friend(device: &Listening) -> Endpoint {
    friend_on(LaneKind::Lan, device).await
}

/// The same on one lane.
async fn friend_on(lane: LaneKind, listening: &Listening) -> Endpoint {
    let friend = device(1, lane == LaneKind::Lan, lane == LaneKind::Direct).await;
    listening.endpoint.allow(HashSet::from([friend.id()]));
    friend.learn(listening.endpoint.id(), listening.addresses(lane).await);
    friend
}

/// The lanes that every promise holds on.
const LANES: [LaneKind; 2] = [LaneKind::Lan, LaneKind::Direct];

fn at(address: SocketAddr) -> Addresses {
    Addresses { direct: vec![address], ..Addresses::default() }
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).body(Empty::new()).unwrap()
}

async fn text(response: Response<Answer>) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// Answers with what it knows of the caller, and the caller's own words.
fn echo() -> impl Handler<Full<Bytes>> + Sync {
    tower::service_fn(|request: Request<Arriving>| async move {
        let peer = request.extensions().get::<PeerId>().expect("a lane's request has one").0;
        let encrypted = request.extensions().get::<Connection>().expect("and this").encrypted;
        let head = format!("{} {} {} {encrypted} ", request.method(), request.uri(), peer.short());
        let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Ok(Response::new(Full::new(Bytes::from([head.as_bytes(), &body].concat()))))
    })
}

/// A body without an end. Says when it is let go.
struct Endless(Option<mpsc::UnboundedSender<&'static str>>);

impl Drop for Endless {
    fn drop(&mut self) {
        let _ = self.0.take().map(|events| events.send("gone"));
    }
}

impl Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[7; 16 * 1024])))))
    }
}

/// Answers `/endless` without an end, `/never` never, all else with one word.
fn patient(events: mpsc::UnboundedSender<&'static str>) -> impl Handler<BoxBody> + Sync {
    tower::service_fn(move |request: Request<Arriving>| {
        let events = events.clone();
        async move {
            let mut held = Endless(Some(events.clone()));
            if request.uri().path() == "/never" {
                let _ = events.send("asked");
                std::future::pending::<()>().await;
            }
            if request.uri().path() == "/endless" {
                return Ok(Response::new(BoxBody::new(held.map_err(Into::into))));
            }
            held.0 = None;
            Ok(Response::new(BoxBody::new(Full::new(Bytes::from("short")).map_err(Into::into))))
        }
    })
}

#[tokio::test]
async fn a_request_and_its_answer_pass() {
    for lane in LANES {
        let device = Listening::at("127.0.0.1:0", 2, echo()).await;
        let friend = friend_on(lane, &device).await;
        let request = Request::post("http://elsewhere/agent/v1/info?x=1").body(Full::new(Bytes::from("hi")));
        let answer = friend.request(device.endpoint.id(), request.unwrap()).await.unwrap();
        assert_eq!(text(answer).await, format!("POST /agent/v1/info?x=1 {} true hi", friend.id().short()));
        let path = friend.path(device.endpoint.id());
        assert_eq!(path.lane, Some(lane));
        assert!(path.round_trip.is_some());
    }
}

#[tokio::test]
async fn who_is_not_allowed_is_refused_and_told_so() {
    for lane in LANES {
        let listening = Listening::at("127.0.0.1:0", 2, echo()).await;
        listening.endpoint.admit(DeviceKey::from_seed([9; 32]).unwrap().id());
        let stranger = device(3, lane == LaneKind::Lan, lane == LaneKind::Direct).await;
        stranger.learn(listening.endpoint.id(), listening.addresses(lane).await);
        let answer = stranger.request(listening.endpoint.id(), get("/")).await;
        assert!(matches!(answer, Err(OpenError::Refused)), "{lane:?}: {:?}", answer.map(drop));
        listening.endpoint.admit(stranger.id());
        assert!(stranger.request(listening.endpoint.id(), get("/")).await.is_ok());
    }
}

#[tokio::test]
async fn another_device_at_the_address_is_not_taken_for_the_peer() {
    let device = Listening::at("127.0.0.1:0", 2, echo()).await;
    let friend = friend(&device).await;
    let expected = DeviceKey::from_seed([9; 32]).unwrap().id();
    friend.learn(expected, at(device.address));
    let answer = friend.request(expected, get("/")).await;
    assert!(matches!(answer, Err(OpenError::WrongKey)), "{:?}", answer.map(drop));
}

#[tokio::test]
async fn the_page_shares_the_port() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let device = Listening::at("127.0.0.1:0", 2, echo()).await;
    let mut tcp = TcpStream::connect(device.address).await.unwrap();
    tcp.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    tcp.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with("page"), "{answer}");
}

#[tokio::test]
async fn nowhere_and_nobody_are_said() {
    let friend = dialler(1).await;
    let peer = DeviceKey::from_seed([2; 32]).unwrap().id();
    assert!(matches!(friend.request(peer, get("/")).await, Err(OpenError::NoAddress)));
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    friend.learn(peer, at(address));
    assert!(matches!(friend.request(peer, get("/")).await, Err(OpenError::Closed(_))));
    assert_eq!(friend.path(peer).lane, None);
}

#[tokio::test(start_paused = true)]
async fn a_silent_host_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let friend = dialler(1).await;
    let peer = DeviceKey::from_seed([2; 32]).unwrap().id();
    friend.learn(peer, at(silent.local_addr().unwrap()));
    let asked = tokio::time::Instant::now();
    assert!(matches!(friend.request(peer, get("/")).await, Err(OpenError::Unreachable(_))));
    assert!(asked.elapsed() < crate::way::OPEN_DEADLINE);
}

#[tokio::test]
async fn a_thousand_requests_share_connections() {
    let ports = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::clone(&ports);
    let handler = tower::service_fn(move |request: Request<Arriving>| {
        seen.lock().insert(request.extensions().get::<Connection>().expect("every request has one").remote);
        async { Ok(Response::new(Full::new(Bytes::from("yes")))) }
    });
    let device = Listening::at("127.0.0.1:0", 2, handler).await;
    let friend = friend(&device).await;
    for _ in 0..1000 {
        assert_eq!(text(friend.request(device.endpoint.id(), get("/")).await.unwrap()).await, "yes");
    }
    assert!(ports.lock().len() <= 2, "{} connections", ports.lock().len());
}

#[tokio::test]
async fn a_peer_that_restarts_is_found_again() {
    let mut device = Listening::at("127.0.0.1:0", 2, echo()).await;
    let friend = friend(&device).await;
    for _ in 0..3 {
        let answer = friend.request(device.endpoint.id(), get("/")).await.unwrap();
        let said = text(answer).await;
        assert!(said.starts_with("GET / "), "{said}");
        let address = device.end().await;
        device = Listening::at(&address.to_string(), 2, echo()).await;
        device.endpoint.admit(friend.id());
    }
}

#[tokio::test]
async fn revoking_breaks_off_what_is_under_way() {
    for (lane, device_revokes) in LANES.into_iter().flat_map(|lane| [(lane, true), (lane, false)]) {
        let (events, mut happened) = mpsc::unbounded_channel();
        let device = Listening::at("127.0.0.1:0", 2, patient(events)).await;
        let friend = friend_on(lane, &device).await;
        let mut body = friend.request(device.endpoint.id(), get("/endless")).await.unwrap().into_body();
        body.frame().await.unwrap().unwrap();
        if device_revokes {
            device.endpoint.revoke(friend.id());
        } else {
            friend.revoke(device.endpoint.id());
        }
        let broken = loop {
            match body.frame().await {
                Some(Ok(_)) => {}
                other => break other,
            }
        };
        assert!(matches!(broken, Some(Err(_))), "an answer that was cut off must not look whole");
        assert_eq!(happened.recv().await, Some("gone"));
        if device_revokes {
            let answer = friend.request(device.endpoint.id(), get("/")).await;
            assert!(matches!(answer, Err(OpenError::Refused)), "{:?}", answer.map(drop));
        }
    }
}

#[tokio::test]
async fn a_reader_that_stalls_costs_only_its_own_stream() {
    for lane in LANES {
        let (events, mut happened) = mpsc::unbounded_channel();
        let device = Listening::at("127.0.0.1:0", 2, patient(events)).await;
        let friend = friend_on(lane, &device).await;
        let stalled = friend.request(device.endpoint.id(), get("/endless")).await.unwrap();
        for _ in 0..100 {
            assert_eq!(text(friend.request(device.endpoint.id(), get("/")).await.unwrap()).await, "short");
        }
        assert!(happened.try_recv().is_err(), "the stalled answer still stands");
        drop(stalled);
        assert_eq!(happened.recv().await, Some("gone"), "{lane:?}");
    }
}

#[tokio::test]
async fn letting_go_ends_the_work_at_the_other_end() {
    for lane in LANES {
        let (events, mut happened) = mpsc::unbounded_channel();
        let device = Listening::at("127.0.0.1:0", 2, patient(events)).await;
        let friend = friend_on(lane, &device).await;
        let answer = friend.request(device.endpoint.id(), get("/endless")).await.unwrap();
        drop(answer);
        assert_eq!(happened.recv().await, Some("gone"), "{lane:?}: an answer that nobody reads any more");
        let asking = tokio::spawn({
            let (friend, peer) = (friend.clone(), device.endpoint.id());
            async move { friend.request(peer, get("/never")).await.map(drop) }
        });
        assert_eq!(happened.recv().await, Some("asked"), "{lane:?}");
        asking.abort();
        assert_eq!(happened.recv().await, Some("gone"), "{lane:?}: a question nobody waits for any more");
    }
}

async fn relay() -> (Server, String) {
    let mut config = ServerConfig::default();
    config.relay = Some(RelayConfig::new(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))));
    let server = Server::spawn(config).await.unwrap();
    let url = format!("http://{}/", server.http_addr().unwrap());
    (server, url)
}

#[tokio::test]
async fn a_device_that_several_look_for_is_met_at_the_relay_of_each() {
    let (_first, first) = relay().await;
    let (_second, second) = relay().await;
    let device_2 = device(2, false, true).await;
    device_2.serve(echo());
    let mut friends = Vec::new();
    for (seed, relay) in [(3, first), (4, second)] {
        let friend = device(seed, false, true).await;
        friend.learn(device_2.id(), Addresses { relay: Some(relay.clone()), ..Addresses::default() });
        friends.push((Meeting { relay, with: friend.id() }, friend));
    }
    device_2.allow(friends.iter().map(|(_, friend)| friend.id()).collect());
    let meetings: Vec<Meeting> = friends.iter().map(|(meeting, _)| meeting.clone()).collect();
    device_2.use_relays(&meetings, Vec::new());
    for (meeting, friend) in &friends {
        let answer = friend.request(device_2.id(), get("/")).await;
        assert!(answer.is_ok(), "{meeting:?}: {:?}", answer.map(drop));
    }
}

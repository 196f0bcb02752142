//! The relay: passes on what two devices say to each other while they have no direct path. It sees nothing but who
//! talks to whom and how much. A device proves its key before it is served, and has to be one that may use the relay.
//! Knows no web framework: whoever owns the route brings the WebSocket.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{Sink, Stream};
use http::{HeaderMap, Request};
use iroh::EndpointId;
use iroh_relay::http::{CLIENT_AUTH_HEADER, ProtocolVersion};
use iroh_relay::protos::handshake;
use iroh_relay::protos::streams::StreamError;
use iroh_relay::server::client::Config;
use iroh_relay::server::clients::Clients;
use iroh_relay::server::streams::{Bucket, RelayedStream};
use iroh_relay::server::{Access, AccessControl, ClientRequest, DynAccessControl, Metrics};
use iroh_relay::{ExportKeyingMaterial, KeyCache};
use parking_lot::Mutex;
use proto::DeviceId;
use tokio::time::Sleep;

/// Where devices open their WebSocket.
pub const PATH: &str = iroh_relay::http::RELAY_PATH;
/// Where devices look how far away the relay is. The answer is empty.
pub const PROBE_PATH: &str = iroh_relay::http::RELAY_PROBE_PATH;
/// The WebSocket's subprotocol.
pub const SUBPROTOCOL: &str = "iroh-relay-v2";

/// Keys whose form was checked already.
const KNOWN_KEYS: usize = 1024;
/// What one device may have passed on in a second: a film of the finest, or a large copy over a household's line …
const BYTES_PER_SECOND: i64 = 32 << 20;
/// … and at once.
const BURST_BYTES: i64 = 8 << 20;
/// How often more is allowed.
const REFILL_EVERY: Duration = Duration::from_millis(50);

/// Connections of one device: one for each program with its key, and those whose death is not noticed yet.
const MAX_OF_ONE: usize = 8;

/// A relay, with the devices that are at it now.
pub struct Relay {
    clients: Clients,
    keys: KeyCache,
    metrics: Arc<Metrics>,
    here: Arc<Here>,
}

impl Default for Relay {
    fn default() -> Self {
        Self {
            clients: Clients::default(),
            keys: KeyCache::new(KNOWN_KEYS),
            metrics: Arc::default(),
            here: Arc::default(),
        }
    }
}

/// What a device may have passed on, whichever of its connections it comes on.
type Allowance = Arc<Mutex<Bucket>>;

/// The devices that are at a relay, and what each may have passed on.
#[derive(Default)]
struct Here(Mutex<HashMap<DeviceId, Weak<Mutex<Bucket>>>>);

impl Here {
    fn allowance(&self, device: DeviceId) -> Result<Allowance, String> {
        let mut here = self.0.lock();
        if let Some(allowance) = here.get(&device).and_then(Weak::upgrade) {
            // One more holder is this function itself.
            let connections = Arc::strong_count(&allowance) - 1;
            return if connections < MAX_OF_ONE {
                Ok(allowance)
            } else {
                Err("it has too many connections".into())
            };
        }
        let full = Bucket::new(BURST_BYTES, BYTES_PER_SECOND, REFILL_EVERY);
        let allowance = Arc::new(Mutex::new(full.map_err(|error| error.to_string())?));
        here.retain(|_, known| known.strong_count() > 0);
        here.insert(device, Arc::downgrade(&allowance));
        Ok(allowance)
    }

    fn has(&self, device: DeviceId) -> bool {
        self.0.lock().get(&device).is_some_and(|known| known.strong_count() > 0)
    }
}

/// Asked whether a device may use the relay.
pub type MayUse = Arc<dyn Fn(DeviceId) -> bool + Send + Sync>;

impl Relay {
    /// Serves the device at the other end of a WebSocket whose opening request had these headers. Returns once it is let in;
    /// it is served until it leaves or is [evicted](Self::evict).
    ///
    /// # Errors
    /// It did not prove a key, or may not use the relay; a sentence for the log.
    pub async fn serve<S, E>(&self, socket: S, headers: HeaderMap, may_use: MayUse) -> Result<(), String>
    where
        S: Stream<Item = Result<Bytes, E>> + Sink<Bytes, Error = E> + Unpin + Send + 'static,
        E: std::error::Error + Send + Sync + 'static,
    {
        let mut socket = Socket { words: socket, allowance: None, rest: None };
        let (mut opening, ()) = Request::new(()).into_parts();
        opening.headers = headers;
        let proof = opening.headers.get(CLIENT_AUTH_HEADER).cloned();
        let proven = handshake::serverside(&mut socket, proof).await.map_err(|error| format!("{error:#}"))?;
        let request = ClientRequest::new(proven.client_key, ProtocolVersion::V2, opening);
        let door: Arc<dyn DynAccessControl> = Arc::new(Door(may_use));
        let entered = proven.authorize_with(&request, &door, &mut socket).await;
        let entered = entered.map_err(|error| format!("{error:#}"))?;
        socket.allowance = Some(self.here.allowance(device_of(&request))?);
        let stream = RelayedStream::new(socket, self.keys.clone());
        let client = Config::new(entered, stream, ProtocolVersion::V2);
        self.clients.register(client, Arc::clone(&self.metrics));
        Ok(())
    }

    /// True while a device waits here.
    #[must_use]
    pub fn has(&self, device: DeviceId) -> bool {
        self.here.has(device)
    }

    /// Ends a device's connection, if it has one.
    pub fn evict(&self, device: DeviceId) {
        if let Ok(id) = EndpointId::from_bytes(device.public_key()) {
            self.clients.disconnect(id, None);
        }
    }
}

fn device_of(request: &ClientRequest) -> DeviceId {
    DeviceId::from_public_key(*request.endpoint_id().as_bytes())
}

/// The relay's door.
struct Door(MayUse);

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Door")
    }
}

impl AccessControl for Door {
    async fn on_connect(&self, request: &ClientRequest) -> Access {
        if (self.0)(device_of(request)) {
            return Access::Allow;
        }
        Access::Deny { reason: Some("this device is not paired here".into()) }
    }
}

/// A WebSocket in the relay's terms. Who says too much is heard later, and so learns to say it slower.
struct Socket<S> {
    words: S,
    /// None during the greeting.
    allowance: Option<Allowance>,
    rest: Option<Pin<Box<Sleep>>>,
}

impl<S> Socket<S> {
    /// Notes what was heard, and how long to rest for it.
    fn spend(&mut self, bytes: usize) {
        let Some(allowance) = &self.allowance else { return };
        if let Err(until) = allowance.lock().consume(bytes) {
            self.rest = Some(Box::pin(tokio::time::sleep_until(until)));
        }
    }
}

impl<S, E> Stream for Socket<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(rest) = &mut self.rest {
            ready!(rest.as_mut().poll(cx));
            self.rest = None;
        }
        let next = ready!(Pin::new(&mut self.words).poll_next(cx));
        if let Some(Ok(word)) = &next {
            self.spend(word.len());
        }
        Poll::Ready(next.map(|word| word.map_err(StreamError::from_std)))
    }
}

impl<S, E> Sink<Bytes> for Socket<S>
where
    S: Sink<Bytes, Error = E> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    type Error = StreamError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Pin::new(&mut self.words).poll_ready(cx).map_err(StreamError::from_std)
    }

    fn start_send(mut self: Pin<&mut Self>, word: Bytes) -> Result<(), StreamError> {
        Pin::new(&mut self.words).start_send(word).map_err(StreamError::from_std)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Pin::new(&mut self.words).poll_flush(cx).map_err(StreamError::from_std)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Pin::new(&mut self.words).poll_close(cx).map_err(StreamError::from_std)
    }
}

/// The edge's TLS ends before the WebSocket does; devices prove their keys by answering a challenge instead.
impl<S> ExportKeyingMaterial for Socket<S> {
    fn export_keying_material<T: AsMut<[u8]>>(&self, _: T, _: &[u8], _: Option<&[u8]>) -> Option<T> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::StreamExt;

    /// Words that are there at once, and go nowhere.
    struct Talk(usize);

    impl Stream for Talk {
        type Item = Result<Bytes, std::io::Error>;

        fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            let word = self.0.min(32 * 1024);
            self.0 -= word;
            Poll::Ready((word > 0).then(|| Ok(Bytes::from(vec![7; word]))))
        }
    }

    /// How long it takes to hear so much on each of some connections of one device.
    async fn heard_in(connections: usize, bytes: usize) -> Duration {
        let (here, device) = (Here::default(), DeviceId::from_public_key([1; 32]));
        let begun = tokio::time::Instant::now();
        let hear = |_| {
            let allowance = Some(here.allowance(device).unwrap());
            Socket { words: Talk(bytes), allowance, rest: None }.count()
        };
        futures_util::future::join_all((0..connections).map(hear)).await;
        assert!(!here.has(device), "they are gone");
        begun.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn a_device_is_heard_no_faster_than_allowed_on_however_many_connections() {
        assert_eq!(heard_in(1, 4 << 20).await, Duration::ZERO, "a burst is welcome");
        for (connections, bytes) in [(1, 72 << 20), (4, 18 << 20)] {
            let took = heard_in(connections, bytes).await.as_secs_f64();
            assert!((1.8..2.2).contains(&took), "{took} seconds on {connections}");
        }
    }

    #[test]
    fn a_device_has_a_few_connections_and_not_one_more() {
        let (here, device) = (Here::default(), DeviceId::from_public_key([1; 32]));
        let mut held: Vec<_> = (0..MAX_OF_ONE).map(|_| here.allowance(device).unwrap()).collect();
        assert!(here.allowance(device).is_err());
        assert!(here.allowance(DeviceId::from_public_key([2; 32])).is_ok(), "another device");
        held.pop();
        assert!(here.allowance(device).is_ok());
    }

    #[test]
    fn the_subprotocol_is_the_librarys() {
        assert_eq!(SUBPROTOCOL, ProtocolVersion::V2.to_str());
    }
}

//! The relay: passes on what two devices say to each other while they have no direct path. It sees nothing but who
//! talks to whom and how much. A device proves its key before it is served, and has to be one that may use the relay.
//! Knows no web framework: whoever owns the route brings the WebSocket.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{Sink, Stream};
use http::{HeaderMap, Request};
use iroh::EndpointId;
use iroh_relay::http::{CLIENT_AUTH_HEADER, ProtocolVersion};
use iroh_relay::protos::handshake;
use iroh_relay::protos::streams::StreamError;
use iroh_relay::server::client::Config;
use iroh_relay::server::clients::Clients;
use iroh_relay::server::streams::RelayedStream;
use iroh_relay::server::{Access, AccessControl, ClientRequest, DynAccessControl, Metrics};
use iroh_relay::{ExportKeyingMaterial, KeyCache};
use proto::DeviceId;

/// Where devices open their WebSocket.
pub const PATH: &str = iroh_relay::http::RELAY_PATH;
/// Where devices look how far away the relay is. The answer is empty.
pub const PROBE_PATH: &str = iroh_relay::http::RELAY_PROBE_PATH;
/// The WebSocket's subprotocol.
pub const SUBPROTOCOL: &str = "iroh-relay-v2";

/// Keys whose form was checked already.
const KNOWN_KEYS: usize = 1024;

/// A relay, with the devices that are at it now.
pub struct Relay {
    clients: Clients,
    keys: KeyCache,
    metrics: Arc<Metrics>,
}

impl Default for Relay {
    fn default() -> Self {
        Self { clients: Clients::default(), keys: KeyCache::new(KNOWN_KEYS), metrics: Arc::default() }
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
        let mut socket = Socket(socket);
        let (mut opening, ()) = Request::new(()).into_parts();
        opening.headers = headers;
        let proof = opening.headers.get(CLIENT_AUTH_HEADER).cloned();
        let proven = handshake::serverside(&mut socket, proof).await.map_err(|error| format!("{error:#}"))?;
        let request = ClientRequest::new(proven.client_key, ProtocolVersion::V2, opening);
        let door: Arc<dyn DynAccessControl> = Arc::new(Door(may_use));
        let entered = proven.authorize_with(&request, &door, &mut socket).await;
        let entered = entered.map_err(|error| format!("{error:#}"))?;
        let stream = RelayedStream::new(socket, self.keys.clone());
        let client = Config::new(entered, stream, ProtocolVersion::V2);
        self.clients.register(client, Arc::clone(&self.metrics));
        Ok(())
    }

    /// Ends a device's connection, if it has one.
    pub fn evict(&self, device: DeviceId) {
        if let Ok(id) = EndpointId::from_bytes(device.public_key()) {
            self.clients.disconnect(id, None);
        }
    }
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
        let device = DeviceId::from_public_key(*request.endpoint_id().as_bytes());
        if (self.0)(device) {
            return Access::Allow;
        }
        Access::Deny { reason: Some("this device is not paired here".into()) }
    }
}

/// A WebSocket in the relay's terms.
struct Socket<S>(S);

impl<S, E> Stream for Socket<S>
where
    S: Stream<Item = Result<Bytes, E>> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    type Item = Result<Bytes, StreamError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx).map(|next| next.map(|word| word.map_err(StreamError::from_std)))
    }
}

impl<S, E> Sink<Bytes> for Socket<S>
where
    S: Sink<Bytes, Error = E> + Unpin,
    E: std::error::Error + Send + Sync + 'static,
{
    type Error = StreamError;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Pin::new(&mut self.0).poll_ready(cx).map_err(StreamError::from_std)
    }

    fn start_send(mut self: Pin<&mut Self>, word: Bytes) -> Result<(), StreamError> {
        Pin::new(&mut self.0).start_send(word).map_err(StreamError::from_std)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Pin::new(&mut self.0).poll_flush(cx).map_err(StreamError::from_std)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), StreamError>> {
        Pin::new(&mut self.0).poll_close(cx).map_err(StreamError::from_std)
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

    #[test]
    fn the_subprotocol_is_the_librarys() {
        assert_eq!(SUBPROTOCOL, ProtocolVersion::V2.to_str());
    }
}

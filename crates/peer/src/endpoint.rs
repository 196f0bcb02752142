//! The endpoint: this device among others. It opens streams to peers by their keys, whichever lane carries them,
//! and answers the peers that are allowed. One in a process. Knows no right beyond who may knock.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, StreamExt};
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use parking_lot::RwLock;
use proto::DeviceId;
use proto::wire::link::Addresses;
use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::{oneshot, watch};
use tokio_rustls::StartHandshake;
use tokio_util::sync::CancellationToken;

use crate::accept::{Answering, Caller, StreamService};
use crate::ask;
use crate::connection::Connection;
use crate::edge::Handler;
use crate::error::OpenError;
use crate::http::answer::Answer;
use crate::http::serve;
use crate::http::{BoxBody, BoxError};
use crate::key::DeviceKey;
use crate::lane::lan::Lan;
use crate::lane::quic::Quic;
use crate::lane::{PathState, Stream};
use crate::peers::Peers;
use crate::protocol::Protocol;
use crate::relays::Meeting;
use crate::way::Ways;

/// What an endpoint is made of.
#[derive(Clone, Debug)]
pub struct Config {
    /// This device's key.
    pub key: DeviceKey,
    /// Whether peers are looked for at their TCP addresses.
    pub lan: bool,
    /// Whether QUIC is used: UDP, and through relays. Its sockets are bound when they are first needed.
    pub quic: bool,
}

impl Config {
    /// All lanes, with this key.
    #[must_use]
    pub const fn new(key: DeviceKey) -> Self {
        Self { key, lan: true, quic: true }
    }
}

/// An endpoint could not be made.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The key does not make a certificate.
    #[error("the device key cannot be used for TLS")]
    Tls(#[from] rustls::Error),
}

/// This device among others. Clones are the same endpoint.
#[derive(Clone)]
pub struct Endpoint(Arc<Inner>);

struct Inner {
    id: DeviceId,
    ways: Arc<Ways>,
    answering: Arc<Answering>,
    runtime: Handle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.answering.shutdown.cancel();
    }
}

impl Endpoint {
    /// Makes the endpoint. Nobody may enter yet, and no peer's address is known. Call it where tasks can be spawned.
    ///
    /// # Errors
    /// See [`BindError`].
    #[allow(clippy::unused_async, reason = "has to be called on a runtime")]
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let peers = Arc::<Peers>::default();
        let lan = Lan::new(&config.key, Arc::clone(&peers) as _)?;
        let id = config.key.id();
        let (ways, bound) = Ways::new(config, lan);
        let answering = Arc::new(Answering {
            peers,
            service: RwLock::default(),
            streams: RwLock::default(),
            shutdown: CancellationToken::new(),
        });
        let ways = Arc::new(ways);
        tokio::spawn(run_quic(bound, Arc::downgrade(&ways), Arc::clone(&answering)));
        Ok(Self(Arc::new(Inner { id, ways, answering, runtime: Handle::current() })))
    }

    /// This device.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        self.0.id
    }

    /// Says where the edge listens on TCP. UDP will be at the same port where that is free.
    pub fn listens_at(&self, address: SocketAddr) {
        self.0.ways.whereabouts.set_tcp(address);
    }

    /// Where this device can be reached: now, and whenever that changes.
    #[must_use]
    pub fn addresses(&self) -> watch::Receiver<Addresses> {
        self.0.ways.whereabouts.subscribe()
    }

    /// Makes these the only devices whose streams are accepted. Connections of all others end at once.
    pub fn allow(&self, peers: HashSet<DeviceId>) {
        if !peers.is_empty() {
            self.be_reachable();
        }
        self.0.answering.peers.allow(peers);
    }

    /// Accepts one more device's streams.
    pub fn admit(&self, peer: DeviceId) {
        self.be_reachable();
        self.0.answering.peers.admit(peer);
    }

    /// Accepts no more streams of this device, and ends every connection to and from it at once.
    pub fn revoke(&self, peer: DeviceId) {
        self.0.answering.peers.revoke(peer);
    }

    /// Says where a peer is, as somebody trusted told. A hint: whoever answers there has to prove its key.
    pub fn learn(&self, peer: DeviceId, addresses: Addresses) {
        self.0.answering.peers.peer(peer).learn(addresses);
    }

    /// Says where a peer is without a relay; where it was said to be met otherwise, it still is.
    pub fn learn_direct(&self, peer: DeviceId, addresses: &Addresses) {
        let peer = self.0.answering.peers.peer(peer);
        let relay = peer.addresses().relay;
        peer.learn(Addresses { relay, ..addresses.clone() });
    }

    /// Waits at these relays from now on, and trusts these authorities' certificates at them.
    pub fn use_relays(&self, meetings: &[Meeting], authorities: Vec<CertificateDer<'static>>) {
        let ways = Arc::clone(&self.0.ways);
        ways.want_relays(meetings, authorities);
        self.0.runtime.spawn(async move { ways.go_to_relays().await });
    }

    /// Trusts this authority's certificates at relays as well: the one at this machine's own, where it need not wait.
    pub fn trust_own_relay(&self, authority: CertificateDer<'static>) {
        self.0.ways.trust.set_own(authority);
    }

    /// Answers peers' requests (the device API) with this service from now on. Requests carry the extensions
    /// [`PeerId`](crate::PeerId) and [`Connection`].
    pub fn serve<S, B>(&self, handler: S)
    where
        S: Handler<B> + Sync,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        *self.0.answering.service.write() = Some(serve::boxed(handler));
    }

    /// Answers the streams that peers open for this protocol with this function from now on. Not for HTTP.
    pub fn serve_streams<F>(&self, protocol: Protocol, answer: impl Fn(Caller) -> F + Send + Sync + 'static)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let answer: StreamService = Arc::new(move |caller| answer(caller).boxed());
        self.0.answering.streams.write().insert(protocol, answer);
    }

    /// How a peer is reached now.
    #[must_use]
    pub fn path(&self, peer: DeviceId) -> PathState {
        self.0.answering.peers.peer(peer).path()
    }

    /// Opens a stream to a peer.
    ///
    /// # Errors
    /// There is no way to it; known within ten seconds.
    pub async fn open(&self, peer: DeviceId, protocol: Protocol) -> Result<Stream, OpenError> {
        let peer = self.0.answering.peers.peer(peer);
        Ok(self.0.ways.open(&peer, protocol).await?.into_stream())
    }

    /// Sends a request to a peer's device API. Bodies stream both ways; dropping the future or the answer's body
    /// ends the work at the other end. The address's host, the `Host` header and the extensions are this side's own
    /// and are not sent.
    ///
    /// # Errors
    /// There is no way to the peer, or the stream broke before the answer began.
    pub async fn request<B>(&self, peer: DeviceId, request: Request<B>) -> Result<Response<Answer>, OpenError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let peer = self.0.answering.peers.peer(peer);
        let request = request.map(|body| BoxBody::new(body.map_err(Into::into)));
        ask::ask(&self.0.ways, &peer, request).await
    }

    /// Ends every connection, in good order.
    pub async fn close(&self) {
        self.0.answering.shutdown.cancel();
        if let Some(quic) = self.0.ways.quic_if_bound() {
            quic.close().await;
        }
    }

    /// Takes a connection whose caller asks for a lane, and answers on it until it ends.
    pub(crate) async fn accept(
        &self,
        began: StartHandshake<TcpStream>,
        connection: Connection,
        deadline: Duration,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        self.0.answering.on_lan(&self.0.ways.lan, began, connection, deadline, shutdown).await
    }

    /// Whoever may enter has to find a way in.
    fn be_reachable(&self) {
        let ways = Arc::clone(&self.0.ways);
        self.0.runtime.spawn(async move {
            ways.quic().await;
        });
    }
}

/// Answers on the QUIC lane once it is bound, and follows where it is.
async fn run_quic(bound: oneshot::Receiver<Arc<Quic>>, ways: Weak<Ways>, answering: Arc<Answering>) {
    let Ok(quic) = bound.await else { return };
    let mut seen = quic.addresses();
    let followed = async {
        while let Some((udp, relay)) = seen.next().await {
            let Some(ways) = ways.upgrade() else { return };
            ways.whereabouts.set_udp(udp, relay);
        }
    };
    tokio::join!(followed, answering.on_quic(quic));
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod netns;
#[cfg(test)]
mod tests;

//! The endpoint: this device among others. It opens streams to peers by their keys, whichever lane carries them,
//! and answers the peers that are allowed. One in a process. Knows no right beyond who may knock.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use parking_lot::RwLock;
use proto::DeviceId;
use proto::wire::link::Addresses;
use tokio::net::TcpStream;
use tokio_rustls::StartHandshake;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::edge::Handler;
use crate::error::{OpenError, io_error};
use crate::http::answer::Answer;
use crate::http::connection::{self, Unanswered};
use crate::http::serve::{self, Ends, PeerService};
use crate::http::{BoxBody, BoxError};
use crate::key::DeviceKey;
use crate::lane::lan::{Accepted, Lan};
use crate::lane::{LaneKind, PathState, Stream};
use crate::peers::{Peer, Peers};
use crate::protocol::Protocol;

/// Nobody waits longer to hear that a peer cannot be reached.
const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// Connections that turn out to be closed, before one is dialled that is certainly new.
const MAX_STALE: usize = 3;

/// What an endpoint is made of.
#[derive(Debug)]
pub struct Config {
    /// This device's key.
    pub key: DeviceKey,
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
    lan: Lan,
    peers: Arc<Peers>,
    service: RwLock<Option<PeerService>>,
}

impl Endpoint {
    /// Makes the endpoint. Nobody may enter yet, and no peer's address is known.
    ///
    /// # Errors
    /// See [`BindError`].
    #[allow(clippy::unused_async, reason = "binds sockets of other lanes")]
    pub async fn bind(config: Config) -> Result<Self, BindError> {
        let peers = Arc::<Peers>::default();
        let lan = Lan::new(&config.key, Arc::clone(&peers) as _)?;
        Ok(Self(Arc::new(Inner { id: config.key.id(), lan, peers, service: RwLock::default() })))
    }

    /// This device.
    #[must_use]
    pub fn id(&self) -> DeviceId {
        self.0.id
    }

    /// Makes these the only devices whose streams are accepted. Connections of all others end at once.
    pub fn allow(&self, peers: HashSet<DeviceId>) {
        self.0.peers.allow(peers);
    }

    /// Accepts one more device's streams.
    pub fn admit(&self, peer: DeviceId) {
        self.0.peers.admit(peer);
    }

    /// Accepts no more streams of this device, and ends every connection to and from it at once.
    pub fn revoke(&self, peer: DeviceId) {
        self.0.peers.revoke(peer);
    }

    /// Says where a peer is, as somebody trusted told. A hint: whoever answers there has to prove its key.
    pub fn learn(&self, peer: DeviceId, addresses: Addresses) {
        self.0.peers.peer(peer).learn(addresses);
    }

    /// Answers peers' requests (the device API) with this service from now on. Requests carry the extensions
    /// [`PeerId`](crate::PeerId) and [`Connection`].
    pub fn serve<S, B>(&self, handler: S)
    where
        S: Handler<B> + Sync,
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        *self.0.service.write() = Some(serve::boxed(handler));
    }

    /// How a peer is reached now.
    #[must_use]
    pub fn path(&self, peer: DeviceId) -> PathState {
        self.0.peers.peer(peer).path()
    }

    /// Opens a stream to a peer.
    ///
    /// # Errors
    /// There is no way to it; known within ten seconds.
    pub async fn open(&self, peer: DeviceId, protocol: Protocol) -> Result<Stream, OpenError> {
        self.open_to(&self.0.peers.peer(peer), protocol).await
    }

    /// Sends a request to a peer's device API. Bodies stream both ways; dropping the future or the answer's body
    /// ends the work at the other end. The address's host, the `Host` header and the extensions are this side's own
    /// and are not sent.
    ///
    /// # Errors
    /// There is no way to the peer, or the stream broke before the answer began.
    pub async fn request<B>(
        &self,
        peer: DeviceId,
        mut request: Request<B>,
    ) -> Result<Response<Answer>, OpenError>
    where
        B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
    {
        let peer = self.0.peers.peer(peer);
        connection::readdress(&mut request, &peer.host);
        let mut request = request.map(|body| BoxBody::new(body.map_err(Into::into)));
        let ended = peer.ended();
        for stale in 0.. {
            let free = if stale < MAX_STALE { peer.pool.take() } else { None };
            let mut connection = match free {
                Some(connection) => connection,
                None => self.connect(&peer).await?,
            };
            match connection.ask(request).await {
                Ok(response) => {
                    return Ok(response.map(|body| Answer::new(body, connection, Arc::clone(&peer.pool))));
                }
                Err(Unanswered { unsent: Some(again), .. }) if stale < MAX_STALE && !ended.is_cancelled() => {
                    request = again;
                }
                Err(_) if ended.is_cancelled() => return Err(OpenError::Revoked),
                Err(Unanswered { error, .. }) => return Err(OpenError::Broken(Box::new(error))),
            }
        }
        Err(OpenError::Revoked)
    }

    /// A new connection for requests.
    async fn connect(&self, peer: &Arc<Peer>) -> Result<connection::Connection, OpenError> {
        let ended = peer.ended();
        let stream = self.open_to(peer, Protocol::HTTP).await?;
        let id = peer.id;
        let farewell = move |end: hyper::Result<()>| {
            if let Err(error) = end {
                let cause = io_error(&error).map(io::Error::kind);
                tracing::debug!(peer = %id.short(), %error, ?cause, "a connection broke");
            }
        };
        connection::Connection::begin(stream, ended, farewell)
            .await
            .map_err(|error| OpenError::Broken(Box::new(error)))
    }

    async fn open_to(&self, peer: &Peer, protocol: Protocol) -> Result<Stream, OpenError> {
        let addresses = peer.direct();
        let opened = tokio::time::timeout(OPEN_DEADLINE, self.0.lan.dial(peer.id, &addresses, protocol))
            .await
            .unwrap_or_else(|_| Err(OpenError::TimedOut("no address answers".into())));
        match opened {
            Ok(dialled) => {
                peer.answered(dialled.address, dialled.round_trip);
                peer.set_path(PathState {
                    lane: Some(LaneKind::Lan),
                    round_trip: Some(dialled.round_trip),
                    why: format!("it answers at {}", dialled.address),
                });
                Ok(Box::new(dialled.stream))
            }
            Err(error) => {
                peer.set_path(PathState { lane: None, round_trip: None, why: error.to_string() });
                Err(error)
            }
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
        let accepted = tokio::time::timeout(deadline, self.0.lan.accept(began)).await?;
        let Accepted { peer, protocol, stream } = accepted?;
        // Asked again: it may have been shown out since the handshake looked.
        let revoked = self.0.peers.enter(peer).ok_or(io::ErrorKind::PermissionDenied)?;
        let service = match protocol {
            Protocol::HTTP => self.0.service.read().clone(),
            _ => None,
        };
        let service = service.ok_or_else(|| io::Error::other("this device does not serve that"))?;
        serve::converse(Box::new(stream), peer, connection, service, Ends { revoked, shutdown }).await
    }
}

//! Answers the streams that peers open, whichever lane they come on.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use iroh::endpoint::Incoming;
use parking_lot::RwLock;
use proto::DeviceId;
use tokio::net::TcpStream;
use tokio_rustls::StartHandshake;
use tokio_util::sync::CancellationToken;

use crate::connection::Connection;
use crate::http::serve::{self, Ends, PeerService};
use crate::lane::lan::{Accepted, Lan};
use crate::lane::quic::{Link, Quic};
use crate::lane::{Carrier, Carries, Stream};
use crate::peers::Peers;
use crate::protocol::Protocol;

/// Who has not finished a handshake by then is no peer.
const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);

/// A stream that a peer opened, and whose.
pub struct Caller {
    /// Who opened it.
    pub peer: DeviceId,
    /// The stream.
    pub stream: Stream,
    /// What carries it.
    pub carrier: Carrier,
    /// Cancelled when it must end: the peer is no longer welcome, or the program ends.
    pub ended: CancellationToken,
}

/// Whatever answers the streams of one protocol, with its type forgotten.
pub(crate) type StreamService = Arc<dyn Fn(Caller) -> BoxFuture<'static, ()> + Send + Sync>;

/// What answers peers.
pub(crate) struct Answering {
    pub(crate) peers: Arc<Peers>,
    pub(crate) service: RwLock<Option<PeerService>>,
    /// What answers the protocols beside HTTP.
    pub(crate) streams: RwLock<HashMap<Protocol, StreamService>>,
    /// The endpoint ends.
    pub(crate) shutdown: CancellationToken,
}

impl Answering {
    /// Takes a TCP connection whose caller asks for a lane, and answers on it until it ends.
    pub(crate) async fn on_lan(
        &self,
        lan: &Lan,
        began: StartHandshake<TcpStream>,
        connection: Connection,
        deadline: Duration,
        shutdown: CancellationToken,
    ) -> io::Result<()> {
        let accepted = tokio::time::timeout(deadline, lan.accept(began)).await?;
        let Accepted { peer, protocol, stream } = accepted?;
        // Asked again: it may have been shown out since the handshake looked.
        let revoked = self.peers.enter(peer).ok_or(io::ErrorKind::PermissionDenied)?;
        let stream = (Box::new(stream) as Stream, Carrier(Carries::Lan));
        self.answer(stream, peer, protocol, connection, Ends { revoked, shutdown }).await
    }

    /// Takes QUIC connections until the endpoint ends.
    pub(crate) async fn on_quic(self: Arc<Self>, quic: Arc<Quic>) {
        loop {
            let incoming = tokio::select! {
                incoming = quic.accept() => incoming,
                () = self.shutdown.cancelled() => break,
            };
            let Some(incoming) = incoming else { break };
            tokio::spawn(Arc::clone(&self).on_link(incoming));
        }
        quic.close().await;
    }

    /// Takes one QUIC connection, and answers on its streams until it ends.
    async fn on_link(self: Arc<Self>, incoming: Incoming) {
        let accepted = tokio::time::timeout(HANDSHAKE_DEADLINE, Link::accept(incoming)).await;
        let Ok(Some((link, peer, protocol))) = accepted else { return };
        let Some(revoked) = self.peers.enter(peer) else {
            tracing::debug!(device = %peer.short(), "refused: not paired");
            link.refuse();
            // Dropped at once, the connection would end before its dialler has heard why.
            return link.closed().await;
        };
        if !link.welcome().await {
            return;
        }
        loop {
            let stream = tokio::select! {
                stream = link.accept_stream() => stream,
                () = revoked.cancelled() => {
                    link.refuse();
                    return link.closed().await;
                }
            };
            let Some(stream) = stream else { return };
            let (answering, revoked, remote) = (Arc::clone(&self), revoked.clone(), link.remote());
            let stream = (stream, Carrier(Carries::Quic(link.clone())));
            tokio::spawn(async move {
                let ends = Ends { revoked, shutdown: answering.shutdown.clone() };
                let local = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
                let connection = Connection { remote, local, encrypted: true };
                if let Err(error) = answering.answer(stream, peer, protocol, connection, ends).await {
                    tracing::debug!(%error, "a peer's stream ended");
                }
            });
        }
    }

    async fn answer(
        &self,
        (stream, carrier): (Stream, Carrier),
        peer: DeviceId,
        protocol: Protocol,
        connection: Connection,
        ends: Ends,
    ) -> io::Result<()> {
        let not_served = || io::Error::other("this device does not serve that");
        if protocol == Protocol::HTTP {
            let service = self.service.read().clone().ok_or_else(not_served)?;
            return serve::converse(stream, peer, connection, service, ends).await;
        }
        let service = self.streams.read().get(&protocol).cloned().ok_or_else(not_served)?;
        let ended = ends.revoked.child_token();
        let mut answered = service(Caller { peer, stream, carrier, ended: ended.clone() });
        tokio::select! {
            () = answered.as_mut() => return Ok(()),
            () = ends.shutdown.cancelled() => ended.cancel(),
        }
        answered.await;
        Ok(())
    }
}

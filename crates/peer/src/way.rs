//! Which lane a stream takes: the LAN lane where a direct address answers, QUIC where none does. A lane that fails
//! gives way to the other within seconds, and the better one is taken again once it works.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use parking_lot::Mutex;
use rustls::pki_types::CertificateDer;
use tokio::sync::{OnceCell, oneshot};
use tokio_util::sync::CancellationToken;

use crate::addresses::Whereabouts;
use crate::endpoint::Config;
use crate::error::OpenError;
use crate::key::DeviceKey;
use crate::lane::Stream;
use crate::lane::lan::Lan;
use crate::lane::quic::{Link, Quic};
use crate::lane::trust::Trust;
use crate::peer::Peer;
use crate::protocol::Protocol;
use crate::relays::{Meeting, Relays};

/// Nobody waits longer to hear that a peer cannot be reached.
pub(crate) const OPEN_DEADLINE: Duration = Duration::from_secs(10);
/// How long the LAN lane has before QUIC is tried as well.
const HEAD_START: Duration = Duration::from_millis(400);
/// A link without streams is ended after one to two times this.
const LINK_IDLE: Duration = Duration::from_secs(60);

/// How long QUIC has where the system at every address says that the peer's port is closed: its program has ended, or
/// those are addresses in another network.
const CLOSED_PATIENCE: Duration = Duration::from_secs(2);

/// A lane on which a stream is being opened.
type Opening<'a> = Pin<Box<dyn Future<Output = Result<Opened, OpenError>> + Send + 'a>>;

/// The lanes of this device.
pub(crate) struct Ways {
    key: DeviceKey,
    pub(crate) lan: Lan,
    use_lan: bool,
    use_quic: bool,
    pub(crate) whereabouts: Whereabouts,
    quic: OnceCell<Option<Arc<Quic>>>,
    relays: Arc<Relays>,
    pub(crate) trust: Arc<Trust>,
    /// Told of the QUIC lane once it is bound.
    bound: Mutex<Option<oneshot::Sender<Arc<Quic>>>>,
}

/// A stream, and on which lane it is.
pub(crate) enum Opened {
    Lan(Stream),
    Quic(Stream),
}

impl Opened {
    pub(crate) fn into_stream(self) -> Stream {
        match self {
            Self::Lan(stream) | Self::Quic(stream) => stream,
        }
    }
}

impl Ways {
    /// Also gives word of the QUIC lane, once it is bound.
    pub(crate) fn new(config: Config, lan: Lan) -> (Self, oneshot::Receiver<Arc<Quic>>) {
        let (bound, word) = oneshot::channel();
        let ways = Self {
            key: config.key,
            lan,
            use_lan: config.lan,
            use_quic: config.quic,
            whereabouts: Whereabouts::new(),
            quic: OnceCell::new(),
            relays: Arc::default(),
            trust: Arc::default(),
            bound: Mutex::new(Some(bound)),
        };
        (ways, word)
    }

    /// Opens a stream on the best lane there is.
    pub(crate) async fn open(&self, peer: &Arc<Peer>, protocol: Protocol) -> Result<Opened, OpenError> {
        let opened = tokio::time::timeout(OPEN_DEADLINE, self.race(peer, protocol))
            .await
            .unwrap_or_else(|_| Err(OpenError::TimedOut("no lane reaches it".into())));
        if let Err(error) = &opened {
            peer.failed(error.to_string());
        }
        opened
    }

    /// The likelier lane has a start before the other.
    async fn race(&self, peer: &Arc<Peer>, protocol: Protocol) -> Result<Opened, OpenError> {
        let lan: Opening<'_> = Box::pin(async { self.open_on_lan(peer, protocol).await.map(Opened::Lan) });
        let quic: Opening<'_> = Box::pin(async { self.open_on_quic(peer, protocol).await.map(Opened::Quic) });
        let (mut first, second) = if peer.lan_is_promising() { (lan, quic) } else { (quic, lan) };
        match tokio::time::timeout(HEAD_START, &mut first).await {
            Ok(ended) => or_else(ended, second).await,
            Err(_) => match select(first, second).await {
                Either::Left((ended, other)) | Either::Right((ended, other)) => or_else(ended, other).await,
            },
        }
    }

    /// Opens a stream on the LAN lane.
    pub(crate) async fn open_on_lan(&self, peer: &Peer, protocol: Protocol) -> Result<Stream, OpenError> {
        if !self.use_lan {
            return Err(OpenError::NoAddress);
        }
        match self.lan.dial(peer.id, &peer.direct(), protocol).await {
            Ok(dialled) => {
                peer.lan_answered(dialled.address, dialled.round_trip);
                Ok(Box::new(dialled.stream))
            }
            Err(error) => {
                match &error {
                    OpenError::Refused | OpenError::NoAddress => {}
                    OpenError::Silent(_) => peer.lan_died(error.to_string()),
                    _ => peer.lan_is_silent(error.to_string()),
                }
                Err(error)
            }
        }
    }

    async fn open_on_quic(&self, peer: &Arc<Peer>, protocol: Protocol) -> Result<Stream, OpenError> {
        let Some(quic) = self.quic().await else { return Err(OpenError::NoAddress) };
        let mut links = peer.links.lock().await;
        if let Some(link) = links.get(&protocol).filter(|link| !link.is_closed()).cloned() {
            drop(links);
            return link.open().await;
        }
        let link = quic.dial(peer.id, &peer.addresses(), protocol).await?;
        links.insert(protocol, link.clone());
        drop(links);
        tokio::spawn(keep(link.clone(), Arc::clone(peer), protocol, peer.ended()));
        link.open().await
    }

    /// The QUIC lane. It is bound when it is first needed: a device that knows no other does without its memory.
    pub(crate) async fn quic(&self) -> Option<&Arc<Quic>> {
        if self.quic.get().is_none() {
            self.quic.get_or_init(|| self.bind_quic()).await;
            self.go_to_relays().await;
        }
        self.quic_if_bound()
    }

    /// Names the relays to wait at from now on, and the authorities whose certificates are trusted at them.
    pub(crate) fn want_relays(&self, meetings: &[Meeting], authorities: Vec<CertificateDer<'static>>) {
        self.trust.set_joined(authorities);
        self.relays.want(meetings);
    }

    /// Waits where it was last said.
    pub(crate) async fn go_to_relays(&self) {
        if let Some(quic) = self.quic_if_bound() {
            self.relays.go(quic).await;
        }
    }

    /// The QUIC lane, if it was needed yet.
    pub(crate) fn quic_if_bound(&self) -> Option<&Arc<Quic>> {
        self.quic.get()?.as_ref()
    }

    async fn bind_quic(&self) -> Option<Arc<Quic>> {
        if !self.use_quic {
            return None;
        }
        // The edge's own port, so that one rule in a firewall serves both.
        match Quic::bind(&self.key, self.whereabouts.port().unwrap_or(0), &self.trust).await {
            Ok(quic) => {
                let quic = Arc::new(quic);
                let (relays, lane) = (Arc::clone(&self.relays), Arc::downgrade(&quic));
                tokio::spawn(async move { relays.stay(lane).await });
                if let Some(bound) = self.bound.lock().take() {
                    let _ = bound.send(Arc::clone(&quic));
                }
                Some(quic)
            }
            Err(error) => {
                tracing::warn!(%error, "no UDP: other devices are reached on the local network only");
                None
            }
        }
    }
}

/// What came of one lane, or else of the other.
async fn or_else(ended: Result<Opened, OpenError>, other: Opening<'_>) -> Result<Opened, OpenError> {
    let why = match ended {
        Ok(_) | Err(OpenError::Refused) => return ended,
        Err(why) => why,
    };
    let other = match why {
        OpenError::Closed(_) => tokio::time::timeout(CLOSED_PATIENCE, other)
            .await
            .unwrap_or_else(|_| Err(OpenError::TimedOut("no other way leads to it".into()))),
        _ => other.await,
    };
    other.map_err(|other| OpenError::both(why, other))
}

/// Keeps a link until it ends, must end, or is of no use.
async fn keep(link: Link, peer: Arc<Peer>, protocol: Protocol, ended: CancellationToken) {
    let mut was_idle = false;
    loop {
        tokio::select! {
            () = link.closed() => break,
            () = ended.cancelled() => link.refuse(),
            () = tokio::time::sleep(LINK_IDLE) => {
                if was_idle && link.is_idle() {
                    link.hang_up();
                }
                was_idle = link.is_idle();
            }
        }
    }
    let mut links = peer.links.lock().await;
    if links.get(&protocol).is_some_and(Link::is_closed) {
        links.remove(&protocol);
    }
}

//! What is known of each other device: whether it may enter, where it is, and the connections there are to it.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proto::DeviceId;
use proto::wire::link::Addresses;
use tokio_util::sync::CancellationToken;

use crate::http::pool::Pool;
use crate::lane::PathState;
use crate::lane::pin::MayEnter;

/// Every other device that was named here.
#[derive(Default)]
pub(crate) struct Peers {
    book: Mutex<Book>,
}

#[derive(Default)]
struct Book {
    allowed: HashSet<DeviceId>,
    known: HashMap<DeviceId, Arc<Peer>>,
}

/// One other device.
pub(crate) struct Peer {
    pub(crate) id: DeviceId,
    /// What stands in the `Host` header of requests to it.
    pub(crate) host: String,
    pub(crate) pool: Arc<Pool>,
    state: Mutex<State>,
}

struct State {
    /// Ends every connection there is to and from the peer.
    ended: CancellationToken,
    addresses: Addresses,
    /// Where it answered last, and how fast.
    answered: Option<(SocketAddr, Duration)>,
    path: PathState,
}

impl Peers {
    /// Makes these the devices that may enter; who is not among them any more is shown out.
    pub(crate) fn allow(&self, peers: HashSet<DeviceId>) {
        let gone: Vec<Arc<Peer>> = {
            let mut book = self.book.lock();
            let before = std::mem::replace(&mut book.allowed, peers);
            before.difference(&book.allowed).filter_map(|id| book.known.get(id).cloned()).collect()
        };
        for peer in gone {
            peer.end();
        }
    }

    /// Lets one more device enter.
    pub(crate) fn admit(&self, peer: DeviceId) {
        self.book.lock().allowed.insert(peer);
    }

    /// Shows a device out.
    pub(crate) fn revoke(&self, peer: DeviceId) {
        let known = {
            let mut book = self.book.lock();
            book.allowed.remove(&peer);
            book.known.get(&peer).cloned()
        };
        if let Some(peer) = known {
            peer.end();
        }
    }

    /// The word that ends what this peer has opened; `None` if it may not enter.
    pub(crate) fn enter(&self, peer: DeviceId) -> Option<CancellationToken> {
        let mut book = self.book.lock();
        book.allowed.contains(&peer).then(|| book.peer(peer).ended())
    }

    /// What is known of a device.
    pub(crate) fn peer(&self, id: DeviceId) -> Arc<Peer> {
        self.book.lock().peer(id)
    }
}

impl MayEnter for Peers {
    fn may_enter(&self, device: DeviceId) -> bool {
        self.book.lock().allowed.contains(&device)
    }
}

impl Book {
    fn peer(&mut self, id: DeviceId) -> Arc<Peer> {
        Arc::clone(self.known.entry(id).or_insert_with(|| Arc::new(Peer::new(id))))
    }
}

impl Peer {
    fn new(id: DeviceId) -> Self {
        let state = State {
            ended: CancellationToken::new(),
            addresses: Addresses::default(),
            answered: None,
            path: PathState { lane: None, round_trip: None, why: "nothing was asked of it yet".into() },
        };
        Self { id, host: id.to_string(), pool: Arc::default(), state: Mutex::new(state) }
    }

    /// Ends every connection to and from the peer, at once.
    pub(crate) fn end(&self) {
        let ended = std::mem::take(&mut self.state.lock().ended);
        ended.cancel();
        self.pool.clear();
    }

    /// Cancelled when connections that exist now must end.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.state.lock().ended.clone()
    }

    pub(crate) fn learn(&self, addresses: Addresses) {
        self.state.lock().addresses = addresses;
    }

    /// Where to look for it on the LAN: where it answered last, then what others say.
    pub(crate) fn direct(&self) -> Vec<SocketAddr> {
        let state = self.state.lock();
        let known = state.addresses.direct.iter().copied();
        let last = state.answered.map(|(address, _)| address).filter(|a| state.addresses.direct.contains(a));
        last.into_iter().chain(known.filter(|address| Some(*address) != last)).collect()
    }

    /// Remembers where the peer answered.
    pub(crate) fn answered(&self, address: SocketAddr, round_trip: Duration) {
        self.state.lock().answered = Some((address, round_trip));
    }

    pub(crate) fn path(&self) -> PathState {
        self.state.lock().path.clone()
    }

    pub(crate) fn set_path(&self, path: PathState) {
        self.state.lock().path = path;
    }
}

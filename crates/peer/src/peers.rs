//! Every other device that was named here, and which of them may enter.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use parking_lot::Mutex;
use proto::DeviceId;
use tokio_util::sync::CancellationToken;

use crate::lane::pin::MayEnter;
use crate::peer::Peer;

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

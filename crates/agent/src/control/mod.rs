//! The links of this device to the coordinators it has joined: one task for each, which comes back whenever it breaks.
//! What they say about keys and other devices is followed here; the links themselves know only their wire.

mod backoff;
mod link;
mod state;
#[cfg(test)]
mod tests;
mod trust;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use peer::{CertificateDer, DeviceKey, Endpoint, Stream};
use proto::ticket::{Issuer, PublicKey};
use proto::wire::link::Registration;
use proto::{DeviceId, Offered};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use link::Link;
pub use state::LinkState;
use state::States;
use trust::Trust;

use crate::agent::Agent;

/// How long goodbyes may take at the end of the process.
const GOODBYE: Duration = Duration::from_secs(1);

/// The way to a coordinator.
pub trait Dial: Send + Sync + 'static {
    /// Opens a stream on which the coordinator has proved that it is the one that was joined.
    fn dial(&self) -> BoxFuture<'static, io::Result<Dialled>>;
}

/// An open way to a coordinator.
pub struct Dialled {
    /// The way.
    pub stream: Stream,
    /// The host, and port, that the coordinator is asked for by on it.
    pub host: String,
}

/// A coordinator that this device has joined.
#[derive(Clone)]
pub struct Membership {
    /// The coordinator's id.
    pub coordinator: String,
    /// What its machine is called.
    pub name: String,
    /// The keys whose tickets count.
    pub ticket_keys: Vec<PublicKey>,
    /// Authorities that certify it, and its relay.
    pub authorities: Vec<CertificateDer<'static>>,
    /// Which shares it is offered.
    pub offered: Offered,
    /// When it was joined: who joins anew may have found another way to it.
    pub joined: OffsetDateTime,
    /// The way to it.
    pub dial: Arc<dyn Dial>,
}

/// What control is made of.
pub struct Parts {
    /// This device's key.
    pub key: DeviceKey,
    /// Whose tickets and answers the coordinators rule.
    pub agent: Arc<Agent>,
    /// Whose guests they name.
    pub endpoint: Endpoint,
    /// What this device says of itself, now and whenever it changes.
    pub registration: watch::Receiver<Registration>,
}

/// The links.
pub struct Control {
    key: DeviceKey,
    registration: watch::Receiver<Registration>,
    trust: Arc<Trust>,
    links: Mutex<HashMap<String, Running>>,
    states: States,
}

/// How each link stands, by the id of its coordinator.
pub type LinkStates = HashMap<String, LinkState>;

/// The ticket keys of each coordinator, by its id.
pub type PinnedKeys = HashMap<String, Pinned>;

/// The ticket keys of a coordinator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pinned {
    /// When it was joined: what was pinned then is not what is pinned after joining anew.
    pub joined: OffsetDateTime,
    /// The keys.
    pub keys: Vec<PublicKey>,
}

/// One link under way.
struct Running {
    joined: OffsetDateTime,
    offered: watch::Sender<Offered>,
    /// The way for the next dial; the present link stays as it is.
    dial: watch::Sender<Arc<dyn Dial>>,
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl Control {
    /// No links yet. `own` is what counts of this machine's own coordinator, if it has one.
    #[must_use]
    pub fn new(parts: Parts, own: Issuer) -> Self {
        let trust = Arc::new(Trust::new(parts.agent, parts.endpoint, own));
        let states = States::default();
        Self { key: parts.key, registration: parts.registration, trust, links: Mutex::default(), states }
    }

    /// The keys of this machine's own coordinator are others now.
    pub fn set_own_keys(&self, own: Issuer) {
        self.trust.set_own(own);
    }

    /// This machine's own coordinator lets these machines knock.
    pub fn set_own_guests(&self, guests: Vec<DeviceId>) {
        self.trust.set_own_guests(guests);
    }

    /// The keys of each coordinator as they are pinned, now and whenever one has learned others: they are to be kept.
    #[must_use]
    pub fn pinned(&self) -> watch::Receiver<PinnedKeys> {
        self.trust.pinned()
    }

    /// Keeps links to these coordinators and to no other. A link that there is goes on: it takes what is offered at once and
    /// the way for its next dial, and knows the coordinator's keys better than anybody.
    pub fn join(&self, memberships: Vec<Membership>) {
        let mut links = self.links.lock();
        let wanted = |id: &String, running: &Running| {
            memberships.iter().any(|m| m.coordinator == *id && m.joined == running.joined)
        };
        let gone: Vec<String> =
            links.iter().filter(|(id, running)| !wanted(id, running)).map(|(id, _)| id.clone()).collect();
        for id in gone {
            if let Some(running) = links.remove(&id) {
                running.end.cancel();
                self.trust.forget(&id);
                self.states.forget(&id);
            }
        }
        for membership in memberships {
            match links.entry(membership.coordinator.clone()) {
                Entry::Vacant(free) => drop(free.insert(self.begin(membership))),
                Entry::Occupied(running) => {
                    // First of all nothing more is allowed; then the coordinator is told.
                    self.trust.offer(&membership.coordinator, &membership.offered);
                    running.get().offered.send_replace(membership.offered);
                    running.get().dial.send_replace(membership.dial);
                }
            }
        }
    }

    fn begin(&self, membership: Membership) -> Running {
        self.trust.join(&membership);
        let Membership { coordinator, name, offered, joined, dial, .. } = membership;
        let (offered, follow_offered) = watch::channel(offered);
        let (dial, way) = watch::channel(dial);
        let end = CancellationToken::new();
        let link = Link {
            key: self.key.clone(),
            registration: self.registration.clone(),
            offered: follow_offered,
            way,
            said: None,
            trust: Arc::clone(&self.trust),
            state: self.states.of(&coordinator),
            coordinator,
            name,
        };
        let task = tokio::spawn(link.keep(end.clone()));
        Running { joined, offered, dial, end, task }
    }

    /// How the link to each coordinator stands, now and whenever that changes.
    #[must_use]
    pub fn states(&self) -> watch::Receiver<LinkStates> {
        self.states.watch()
    }

    /// Says goodbye to every coordinator, so that this device is offline there at once.
    pub async fn leave(&self) {
        let links: Vec<Running> = self.links.lock().drain().map(|(_, link)| link).collect();
        links.iter().for_each(|link| link.end.cancel());
        let all = futures_util::future::join_all(links.into_iter().map(|link| link.task));
        if tokio::time::timeout(GOODBYE, all).await.is_err() {
            tracing::debug!("not every goodbye was said in time");
        }
    }
}

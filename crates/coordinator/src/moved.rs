//! What people were last seen to have: when rights, rooms, devices or shares change, what somebody lost ends, and what
//! looks different is told to those whom it concerns, and to nobody else. A change at one share is looked at there
//! alone, and changes that come together are looked at together.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use proto::api::events::Happening;
use proto::wire::link::Revoked;
use proto::{DeviceId, Permissions, PrincipalId, ShareId};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use crate::coordinator::Rooms;
use crate::store::shares::SharedFolder;

/// More shares than these changing at once for one person are told as one change of everything.
const MAX_SHARES_TOLD: usize = 32;
/// Changes that come together are looked at together.
const GATHER: Duration = Duration::from_millis(100);
/// How often rights are looked at whose time may be over.
const EXPIRY_PERIOD: Duration = Duration::from_secs(1);

/// Where rights may look different from before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Moved {
    /// On these shares.
    Shares(HashSet<ShareId>),
    /// Anywhere.
    Everything,
}

impl Default for Moved {
    fn default() -> Self {
        Self::Shares(HashSet::new())
    }
}

impl Moved {
    fn is_nothing(&self) -> bool {
        matches!(self, Self::Shares(shares) if shares.is_empty())
    }

    fn add(&mut self, share: ShareId) {
        if let Self::Shares(shares) = self {
            shares.insert(share);
        }
    }
}

/// What was told last.
#[derive(Default)]
pub(crate) struct LastTold {
    /// What people hold by rights given to them.
    holdings: Mutex<Holdings>,
    /// What those who listen see.
    views: Mutex<HashMap<PrincipalId, View>>,
}

type Holdings = HashMap<ShareId, HashMap<PrincipalId, Permissions>>;

/// What one person sees, as short as it can be compared.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct View {
    /// A hash of each machine's name, and of whether it is hidden.
    devices: HashMap<DeviceId, u64>,
    /// A hash of each share's name, and of what may be done with it.
    shares: HashMap<ShareId, (DeviceId, u64)>,
}

impl View {
    /// What to tell somebody who saw this before and sees `now`.
    fn changes(&self, now: &Self) -> Vec<Happening> {
        let gone = self.shares.keys().any(|share| !now.shares.contains_key(share));
        let changed = now.shares.iter().filter(|(share, seen)| self.shares.get(share) != Some(seen));
        let mut changed: Vec<_> = changed
            .map(|(share, (device, _))| Happening::ShareChanged { device: *device, share: *share })
            .collect();
        if gone || self.devices != now.devices || changed.len() > MAX_SHARES_TOLD {
            changed = vec![Happening::CatalogChanged];
        }
        changed
    }

    /// Puts what is seen now of some shares, and of the machines they are or were on, in place of what was seen before;
    /// gives that.
    fn replace(&mut self, shares: &HashSet<ShareId>, devices: &HashSet<DeviceId>, now: &Self) -> Self {
        let before = Self {
            devices: devices.iter().filter_map(|id| self.devices.remove_entry(id)).collect(),
            shares: shares.iter().filter_map(|id| self.shares.remove_entry(id)).collect(),
        };
        self.devices.extend(&now.devices);
        self.shares.extend(&now.shares);
        before
    }
}

fn hash_of(value: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

impl Rooms {
    /// To be called after every change of rights, rooms, devices or shares, and when a right's time is over: ends what
    /// people do not hold any more, and tells listeners what looks different to them.
    pub(crate) fn rights_moved(&self) {
        self.moved(&Moved::Everything);
    }

    /// The same after a change that concerns one share alone.
    pub(crate) fn rights_moved_on(&self, share: ShareId) {
        self.moved(&Moved::Shares([share].into()));
    }

    fn moved(&self, moved: &Moved) {
        self.end_what_is_lost(moved);
        self.tell_what_changed(moved);
    }

    fn end_what_is_lost(&self, moved: &Moved) {
        let mut last = self.told.holdings.lock();
        let looked_at = match moved {
            Moved::Shares(shares) => shares.clone(),
            Moved::Everything => last.keys().copied().chain(self.rights.shares_with_rights()).collect(),
        };
        let mut lost = Vec::new();
        let mut holdings = self.holdings_on(&looked_at);
        for share in looked_at {
            let now = holdings.remove(&share).unwrap_or_default();
            let before = last.remove(&share).unwrap_or_default();
            let less = |person, had: &Permissions| now.get(person).is_none_or(|has| has.union(*had) != *has);
            lost.extend(
                before.iter().filter(|(person, had)| less(person, had)).map(|(person, _)| (*person, share)),
            );
            if !now.is_empty() {
                last.insert(share, now);
            }
        }
        drop(last);
        for (principal, share) in lost {
            self.has_ended(Revoked::Grant { principal, share });
        }
    }

    /// What everybody holds on those of these shares that are there and on which somebody was given anything.
    fn holdings_on(&self, shares: &HashSet<ShareId>) -> Holdings {
        let everybody = self.identity.principals().ids();
        let mut holdings = Holdings::new();
        for share in shares.iter().filter_map(|id| self.share(*id)) {
            let mut people = self.rights.look(|known| known.people_on(share.id, &everybody));
            if people.is_empty() {
                continue;
            }
            // They hold without being given anything, and may lose it as well.
            let owners = [Some(share.place.owner), self.identity.owner_id()];
            people.extend(owners.into_iter().flatten().filter(|owner| everybody.contains(owner)));
            let held = people.into_iter().map(|person| (person, self.held_by(person, &share).permissions));
            holdings.insert(share.id, held.filter(|(_, permissions)| !permissions.is_empty()).collect());
        }
        holdings
    }

    /// All that somebody sees now.
    fn view(&self, person: PrincipalId) -> View {
        let devices = self.devices_seen_by(person).into_iter();
        let shares = self.shares_seen_by(person).into_iter().map(|(share, held)| {
            let seen = hash_of((&share.name, share.place.read_only, held.permissions));
            (share.id, (share.place.device, seen))
        });
        View {
            devices: devices.map(|row| (row.id, hash_of((&row.name, row.visible)))).collect(),
            shares: shares.collect(),
        }
    }

    /// What somebody sees now of these shares and machines.
    fn part_of_view(
        &self,
        person: PrincipalId,
        shares: &HashSet<ShareId>,
        devices: &HashSet<DeviceId>,
    ) -> View {
        let seen = shares.iter().filter_map(|id| {
            let share = self.share(*id)?;
            let permissions = self.held_by(person, &share).permissions;
            let seen = hash_of((&share.name, share.place.read_only, permissions));
            (!permissions.is_empty()).then_some((share.id, (share.place.device, seen)))
        });
        let known = devices.iter().filter_map(|id| {
            let row = self.identity.devices().find(*id).filter(|_| self.sees_device(person, *id))?;
            Some((*id, hash_of((&row.name, row.visible))))
        });
        View { devices: known.collect(), shares: seen.collect() }
    }

    /// Remembers what somebody sees who begins to listen: from here on they are told what changes.
    pub(crate) fn begin_view(&self, person: PrincipalId) {
        let view = self.view(person);
        self.told.views.lock().entry(person).or_insert(view);
    }

    fn tell_what_changed(&self, moved: &Moved) {
        let listeners = self.events.people();
        let mut views = self.told.views.lock();
        views.retain(|person, _| listeners.contains(person));
        for person in listeners {
            // Whoever began to listen only now has been told nothing yet.
            views.entry(person).or_insert_with(|| self.view(person));
        }
        let mut news = Vec::new();
        for (person, view) in views.iter_mut() {
            let changes = match moved {
                Moved::Everything => {
                    let now = self.view(*person);
                    std::mem::replace(view, now.clone()).changes(&now)
                }
                Moved::Shares(shares) => {
                    let was_on =
                        shares.iter().filter_map(|id| view.shares.get(id)).map(|(device, _)| *device);
                    let is_on =
                        shares.iter().filter_map(|id| self.share(*id)).map(|share| share.place.device);
                    let devices = was_on.chain(is_on).collect();
                    let now = self.part_of_view(*person, shares, &devices);
                    view.replace(shares, &devices, &now).changes(&now)
                }
            };
            news.extend(changes.into_iter().map(|what| (*person, what)));
        }
        drop(views);
        for (person, what) in news {
            self.events.tell(&what, |hearer| hearer == person);
        }
    }
}

/// Ends what rights allowed when their time is over, and follows what changes at the machines. Ends by itself when the
/// rooms are gone.
pub(crate) async fn watch_rights(rooms: Weak<Rooms>) {
    let Some(mut watching) = rooms.upgrade().map(|rooms| Watching::begin(&rooms)) else { return };
    while watching.gather().await {
        let Some(rooms) = rooms.upgrade() else { return };
        watching.look(&rooms);
    }
}

/// What is followed.
struct Watching {
    devices: watch::Receiver<u64>,
    shares: watch::Receiver<Arc<Vec<SharedFolder>>>,
    machines: Receiver<Happening>,
    /// What has come together since the last look.
    moved: Moved,
    happened: Vec<Happening>,
    looked_ms: i64,
}

impl Watching {
    fn begin(rooms: &Rooms) -> Self {
        Self {
            devices: rooms.identity.devices().changes(),
            shares: rooms.shares.subscribe(),
            machines: rooms.registry.changes(),
            moved: Moved::default(),
            happened: Vec::new(),
            looked_ms: rooms.now_ms(),
        }
    }

    /// Waits until something has changed, and a moment longer for what comes with it, or until it is time to look for
    /// rights that are over. False if nothing will change any more.
    async fn gather(&mut self) -> bool {
        let mut until = Instant::now() + EXPIRY_PERIOD;
        loop {
            let happened = tokio::select! {
                changed = self.devices.changed() => changed.map(|()| None).map_err(|_| RecvError::Closed),
                changed = self.shares.changed() => changed.map(|()| None).map_err(|_| RecvError::Closed),
                happened = self.machines.recv() => happened.map(Some),
                () = sleep_until(until) => return true,
            };
            if !self.note(happened) {
                return false;
            }
            until = until.min(Instant::now() + GATHER);
        }
    }

    /// False if nothing will happen any more.
    fn note(&mut self, happened: Result<Option<Happening>, RecvError>) -> bool {
        match happened {
            Ok(Some(Happening::ShareChanged { share, .. })) => self.moved.add(share),
            Ok(Some(what)) => self.happened.push(what),
            Ok(None) => self.moved = Moved::Everything,
            Err(RecvError::Lagged(_)) => {
                self.moved = Moved::Everything;
                self.happened.push(Happening::CatalogChanged);
            }
            Err(RecvError::Closed) => return false,
        }
        true
    }

    fn look(&mut self, rooms: &Rooms) {
        let now_ms = rooms.now_ms();
        rooms.rights.ended_within(self.looked_ms, now_ms).into_iter().for_each(|share| self.moved.add(share));
        self.looked_ms = now_ms;
        let moved = std::mem::take(&mut self.moved);
        if !moved.is_nothing() {
            rooms.moved(&moved);
        }
        self.happened.drain(..).for_each(|what| rooms.tell(&what));
    }
}

#[cfg(test)]
impl Rooms {
    /// True if what was told last is what would be told if everything were looked at now.
    pub(crate) fn told_is_current(&self) -> bool {
        let holdings = self.holdings_on(&self.rights.shares_with_rights().into_iter().collect());
        let views = self.told.views.lock();
        *self.told.holdings.lock() == holdings
            && views.iter().all(|(person, view)| *view == self.view(*person))
    }

    /// Looks at these shares alone.
    pub(crate) fn shares_moved(&self, shares: impl IntoIterator<Item = ShareId>) {
        self.moved(&Moved::Shares(shares.into_iter().collect()));
    }
}

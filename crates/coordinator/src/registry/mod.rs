//! The other machines: which are there, where, and what they offer. Everything is known by heart; the store is written
//! only when something changed. Knows no socket: a door holds each machine's link and tells. Who may come in is not
//! asked here.

mod machine;
mod offer;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, RwLock};
use proto::api::events::Happening;
use proto::wire::link::{Addresses, FromCoordinator, OFFLINE_AFTER, OfferedShare, Revoked};
use proto::{DeviceId, ShareId};
use time::OffsetDateTime;
use tokio::sync::oneshot::error::TryRecvError;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub(crate) use machine::Presence;
use machine::{Entry, LinkHandle};
pub(crate) use offer::BadOffer;

use crate::clock::{Clock, to_ms};
use crate::store::{Store, StoreError};

/// Messages that wait for one machine; one that takes none for so long has its link ended and comes again.
const LINK_QUEUE: usize = 64;
/// What is told to those who watch; whoever is further behind asks for everything again.
const CHANGES_QUEUE: usize = 4096;
/// How often it is written down when everybody was last heard: a heartbeat alone writes nothing.
const SAVE_EVERY: Duration = Duration::from_secs(300);
/// Machines of which that is written at once: others wait for the database no longer than for these.
const SAVE_AT_ONCE: usize = 500;
/// For how long a machine that was away is still told what ended meanwhile. Tickets live shorter.
const REMEMBER_ENDED: time::Duration = time::Duration::minutes(15);
/// Endings remembered at most.
const MAX_ENDED: usize = 1024;

/// Why a machine is not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RegisterError {
    #[error(transparent)]
    Offer(#[from] BadOffer),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A machine's open link, as its door holds it.
pub(crate) struct Link {
    pub(crate) device: DeviceId,
    serial: u64,
    /// What is to be sent.
    pub(crate) messages: mpsc::Receiver<FromCoordinator>,
    /// Cancelled when a newer link took its place, or the machine was shown out.
    pub(crate) ended: CancellationToken,
    /// What ended while the machine was away.
    pub(crate) missed: Vec<FromCoordinator>,
}

/// The room.
pub(crate) struct Registry {
    store: Store,
    clock: Arc<dyn Clock>,
    book: RwLock<Book>,
    /// Held while something is written: memory follows the store in the same order.
    writing: tokio::sync::Mutex<()>,
    /// Offers to be taken by whoever writes next.
    waiting: Mutex<Vec<Waiting>>,
    ended: Mutex<VecDeque<Remembered>>,
    /// When it was last written down when everybody was heard.
    saved_steady_ms: AtomicI64,
    changes: broadcast::Sender<Happening>,
    /// Counts up whenever a machine comes, or comes from elsewhere.
    moves: watch::Sender<u64>,
}

/// Something that ended, for those who come back.
struct Remembered {
    at: OffsetDateTime,
    what: Revoked,
    /// The only machine that it concerns, if it does not concern all.
    only: Option<DeviceId>,
}

#[derive(Default)]
struct Book {
    machines: HashMap<DeviceId, Entry>,
    /// Whose every share is that any machine ever offered: an id once used by one is never another's.
    owners: HashMap<ShareId, DeviceId>,
    /// Machines that are not where the store says.
    unsaved: HashSet<DeviceId>,
    serial: u64,
}

impl Book {
    fn offer_of(&self, device: DeviceId) -> &[OfferedShare] {
        self.machines.get(&device).map(|entry| &entry.offer[..]).unwrap_or_default()
    }
}

/// An offer that waits to be taken.
struct Waiting {
    device: DeviceId,
    shares: Vec<OfferedShare>,
    done: oneshot::Sender<Result<(), BadOffer>>,
}

impl Registry {
    pub(crate) async fn open(store: Store, clock: Arc<dyn Clock>, own: DeviceId) -> Result<Self, StoreError> {
        let mut book = Book::default();
        let others = store.presences().await?.into_iter().filter(|(id, _)| *id != own);
        book.machines = others.map(|(id, row)| (id, Entry::new(row))).collect();
        for row in store.remote_shares().await? {
            book.owners.insert(row.id, row.device);
            if let Some(entry) = book.machines.get_mut(&row.device).filter(|_| !row.withdrawn) {
                entry.offer_at_start(row.offered());
            }
        }
        Ok(Self {
            store,
            saved_steady_ms: AtomicI64::new(clock.steady_ms()),
            clock,
            book: RwLock::new(book),
            writing: tokio::sync::Mutex::default(),
            waiting: Mutex::default(),
            ended: Mutex::default(),
            changes: broadcast::Sender::new(CHANGES_QUEUE),
            moves: watch::Sender::new(0),
        })
    }

    /// What happens to machines and their shares from now on.
    pub(crate) fn changes(&self) -> broadcast::Receiver<Happening> {
        self.changes.subscribe()
    }

    /// Tells whenever a machine comes, or comes from elsewhere.
    pub(crate) fn moves(&self) -> watch::Receiver<u64> {
        self.moves.subscribe()
    }

    /// One other machine, as it is now; as if it had never been heard if it was not.
    pub(crate) fn presence(&self, device: DeviceId) -> Presence {
        self.book.read().machines.get(&device).map(Entry::presence).unwrap_or_default()
    }

    /// Whether another machine is there, and when it last said anything.
    pub(crate) fn last_heard(&self, device: DeviceId) -> (bool, Option<i64>) {
        self.book.read().machines.get(&device).map(Entry::last_heard).unwrap_or_default()
    }

    /// What every machine offers.
    pub(crate) fn offers(&self) -> HashMap<DeviceId, Arc<[OfferedShare]>> {
        let book = self.book.read();
        book.machines.iter().map(|(id, entry)| (*id, Arc::clone(&entry.offer))).collect()
    }

    /// Where every machine was last known to be.
    pub(crate) fn addresses(&self) -> Vec<(DeviceId, Addresses)> {
        let book = self.book.read();
        book.machines.iter().map(|(id, entry)| (*id, entry.row.addresses.clone())).collect()
    }

    /// What another machine offers under this id now.
    pub(crate) fn share(&self, id: ShareId) -> Option<(DeviceId, OfferedShare)> {
        let book = self.book.read();
        let device = *book.owners.get(&id)?;
        let share = book.machines.get(&device)?.offer.iter().find(|offered| offered.id == id)?;
        Some((device, share.clone()))
    }

    /// Ends a machine's link at once.
    pub(crate) fn hang_up(&self, device: DeviceId) {
        if let Some(entry) = self.book.write().machines.get_mut(&device) {
            entry.disconnect(true);
        }
    }

    /// Shows a machine out: its link ends, and nothing is known of it or of what it offered.
    pub(crate) async fn remove(&self, device: DeviceId) -> Result<(), StoreError> {
        let _turn = self.writing.lock().await;
        self.store.delete_remote_shares(device).await?;
        let mut book = self.book.write();
        // Its link ends as the handle goes.
        book.machines.remove(&device);
        book.owners.retain(|_, owner| *owner != device);
        Ok(())
    }

    /// Lets a machine in whose key was proved. A newer link takes the place of an older one.
    pub(crate) async fn register(
        &self,
        device: DeviceId,
        addresses: Addresses,
        shares: Vec<OfferedShare>,
        skew: time::Duration,
    ) -> Result<Link, RegisterError> {
        self.take_offer(device, shares).await?;
        self.take_addresses(device, addresses);
        let (sender, messages) = mpsc::channel(LINK_QUEUE);
        let ended = CancellationToken::new();
        let now = self.now();
        // Under both locks, so that nothing ends between what was missed and what will be sent.
        let remembered = self.ended.lock();
        let mut book = self.book.write();
        book.serial += 1;
        let serial = book.serial;
        let entry = book.machines.entry(device).or_default();
        let came = entry.connect(LinkHandle { serial, sender, ended: ended.clone() }, now, skew);
        drop(book);
        let concerns = |past: &&Remembered| past.only.is_none_or(|only| only == device);
        let missed =
            remembered.iter().filter(concerns).map(|past| revoked(past.what.clone(), past.at)).collect();
        drop(remembered);
        self.moves.send_modify(|count| *count += 1);
        if came {
            self.tell(Happening::DeviceOnline { device });
        }
        Ok(Link { device, serial, messages, ended, missed })
    }

    /// The machine said something.
    pub(crate) fn heard(&self, link: &Link, skew: Option<time::Duration>) {
        let now = self.now();
        let came = self.with(link, |entry| entry.hear(now, skew)).unwrap_or(false);
        if came {
            self.tell(Happening::DeviceOnline { device: link.device });
        }
    }

    /// The machine offers something else now.
    pub(crate) async fn offered(&self, link: &Link, shares: Vec<OfferedShare>) -> Result<(), RegisterError> {
        if self.with(link, |_| ()).is_none() {
            return Ok(());
        }
        self.take_offer(link.device, shares).await
    }

    /// The machine is somewhere else now.
    pub(crate) fn moved(&self, link: &Link, addresses: Addresses) {
        if self.with(link, |_| ()).is_some() {
            self.take_addresses(link.device, addresses);
        }
    }

    /// The link is gone. After a goodbye the machine is offline at once; otherwise it may be back in a moment.
    pub(crate) async fn left(&self, link: &Link, goodbye: bool) {
        let went = self.with(link, |entry| entry.disconnect(goodbye)).flatten();
        if let Some(seen_ms) = went {
            self.offline(&[(link.device, seen_ms)]).await;
        }
    }

    /// Every few seconds: who has not said a word for too long is offline. Now and then it is written down when the
    /// others were heard, so that a process that is killed forgets little.
    pub(crate) async fn sweep(&self) {
        let silent_since = self.clock.steady_ms() - ms(OFFLINE_AFTER);
        let gone: Vec<(DeviceId, i64)> = {
            let mut book = self.book.write();
            let silent = book.machines.iter_mut();
            silent.filter_map(|(id, entry)| Some((*id, entry.expire(silent_since)?))).collect()
        };
        self.offline(&gone).await;
        self.save_addresses().await;
        if self.clock.steady_ms() - self.saved_steady_ms.load(Ordering::Relaxed) >= ms(SAVE_EVERY) {
            self.save().await;
        }
    }

    /// Writes down when everybody was last heard, and where.
    pub(crate) async fn save(&self) {
        self.save_addresses().await;
        self.saved_steady_ms.store(self.clock.steady_ms(), Ordering::Relaxed);
        let seen: Vec<_> = {
            let book = self.book.read();
            book.machines.iter().filter_map(|(id, entry)| Some((*id, entry.seen_if_online()?))).collect()
        };
        self.save_seen(&seen).await;
    }

    /// Tells one machine something, if it is there.
    pub(crate) fn push(&self, device: DeviceId, message: FromCoordinator) {
        if let Some(entry) = self.book.read().machines.get(&device) {
            entry.push(message);
        }
    }

    /// Tells every machine that is there.
    pub(crate) fn push_to_all(&self, message: &FromCoordinator) {
        self.book.read().machines.values().for_each(|entry| entry.push(message.clone()));
    }

    /// Tells the machines which it concerns that something ended, now or when they come back.
    pub(crate) fn push_revoked(&self, what: Revoked) {
        let at = self.clock.wall();
        let mut remembered = self.ended.lock();
        while remembered.len() >= MAX_ENDED
            || remembered.front().is_some_and(|past| at - past.at > REMEMBER_ENDED)
        {
            remembered.pop_front();
        }
        let book = self.book.read();
        let only = match &what {
            // Rights on a folder of this machine, or of one that is gone, are no other machine's business; nor is what
            // came there.
            Revoked::Grant { share, .. } | Revoked::Transfer { share, .. } => match book.owners.get(share) {
                Some(device) => Some(*device),
                None => return,
            },
            _ => None,
        };
        remembered.push_back(Remembered { at, what: what.clone(), only });
        let told = |device: &DeviceId| only.is_none_or(|only| only == *device);
        for (_, entry) in book.machines.iter().filter(|(device, _)| told(device)) {
            entry.push(revoked(what.clone(), at));
        }
    }

    fn now(&self) -> machine::Now {
        machine::Now { wall_ms: to_ms(self.clock.wall()), steady_ms: self.clock.steady_ms() }
    }

    /// Does something to the link's machine, unless a newer link has taken its place.
    fn with<T>(&self, link: &Link, change: impl FnOnce(&mut Entry) -> T) -> Option<T> {
        let mut book = self.book.write();
        let entry = book.machines.get_mut(&link.device)?;
        entry.is_current(link.serial).then(|| change(entry))
    }

    /// Keeps what a machine offers, together with what others offer at the same time.
    async fn take_offer(&self, device: DeviceId, shares: Vec<OfferedShare>) -> Result<(), RegisterError> {
        loop {
            let (done, mut taken) = oneshot::channel();
            self.waiting.lock().push(Waiting { device, shares: shares.clone(), done });
            let _turn = self.writing.lock().await;
            // Whoever had the turn before may have taken it already.
            if taken.try_recv() == Err(TryRecvError::Empty) {
                let waiting = std::mem::take(&mut *self.waiting.lock());
                self.take_offers(waiting).await?;
            }
            // Without an answer whoever took it was broken off, or failed: then it is tried here.
            if let Ok(answer) = taken.try_recv() {
                return Ok(answer?);
            }
        }
    }

    /// Called with the turn. An answer means that the offer is kept, or why it is not taken.
    async fn take_offers(&self, waiting: Vec<Waiting>) -> Result<(), StoreError> {
        let good = self.good_of(waiting);
        let changed: Vec<_> = {
            let book = self.book.read();
            let changed = |one: &&Waiting| book.offer_of(one.device) != &one.shares[..];
            good.iter().filter(changed).map(|one| (one.device, &one.shares[..])).collect()
        };
        if !changed.is_empty() {
            self.store.offer_remote_shares(&changed, to_ms(self.clock.wall())).await?;
        }
        for Waiting { device, shares, done } in good {
            let changed = {
                let mut book = self.book.write();
                let changed = offer::difference(book.offer_of(device), &shares);
                book.owners.extend(shares.iter().map(|share| (share.id, device)));
                book.machines.entry(device).or_default().offer = shares.into();
                changed
            };
            changed.into_iter().for_each(|share| self.tell(Happening::ShareChanged { device, share }));
            // Whoever waited may be gone.
            let _ = done.send(Ok(()));
        }
        Ok(())
    }

    /// Those that can be taken; the others are told why not. Of two that name the same share the first has it.
    fn good_of(&self, waiting: Vec<Waiting>) -> Vec<Waiting> {
        let book = self.book.read();
        let mut named: HashMap<ShareId, DeviceId> = HashMap::new();
        let mut good = Vec::new();
        for one in waiting {
            let owner = |share: ShareId| book.owners.get(&share).or_else(|| named.get(&share));
            match offer::check(&one.shares, |share| owner(share).is_some_and(|owner| *owner != one.device)) {
                Ok(()) => {
                    named.extend(one.shares.iter().map(|share| (share.id, one.device)));
                    good.push(one);
                }
                // Whoever waited may be gone.
                Err(bad) => drop(one.done.send(Err(bad))),
            }
        }
        good
    }

    /// Where a machine is now. Written down in a while with others': it says so itself whenever it comes.
    fn take_addresses(&self, device: DeviceId, addresses: Addresses) {
        let mut book = self.book.write();
        let entry = book.machines.entry(device).or_default();
        if entry.row.addresses == addresses {
            return;
        }
        entry.row.addresses = addresses;
        book.unsaved.insert(device);
        drop(book);
        self.moves.send_modify(|count| *count += 1);
    }

    async fn offline(&self, gone: &[(DeviceId, i64)]) {
        if gone.is_empty() {
            return;
        }
        for (device, _) in gone {
            self.tell(Happening::DeviceOffline { device: *device });
        }
        self.save_seen(gone).await;
    }

    async fn save_addresses(&self) {
        let moved: Vec<_> = {
            let mut book = self.book.write();
            let unsaved = std::mem::take(&mut book.unsaved).into_iter();
            let known = |id| Some((id, book.machines.get(&id)?.row.addresses.clone()));
            unsaved.filter_map(known).collect()
        };
        for some in moved.chunks(SAVE_AT_ONCE) {
            if let Err(error) = self.store.save_addresses(some).await {
                tracing::warn!(%error, "cannot write down where machines are");
            }
        }
    }

    async fn save_seen(&self, seen: &[(DeviceId, i64)]) {
        for some in seen.chunks(SAVE_AT_ONCE) {
            if let Err(error) = self.store.save_seen(some).await {
                tracing::warn!(%error, "cannot write down when machines were last heard");
            }
        }
    }

    fn tell(&self, what: Happening) {
        // Nobody may be watching.
        let _ = self.changes.send(what);
    }
}

fn revoked(what: Revoked, at: OffsetDateTime) -> FromCoordinator {
    FromCoordinator::Revoked { what, at }
}

fn ms(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

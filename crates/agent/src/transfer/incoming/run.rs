//! One control stream's life: what the sender told of, what of it is here, and what waits to be made durable.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use proto::RelPath;
use proto::api::transfers::PausedBy;
use proto::wire::transfer::{Entry, FromReceiver, Problem, What};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::transfer::flow::Flow;
use crate::transfer::journal::Record;
use crate::transfer::pieces::{Chaining, Progress};

/// A piece whose entry is told of later than this is nobody's.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether the run has ended meanwhile.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// So many bytes may be here and not written down: they come again when the process ends.
const MOST_UNNOTED: u64 = 4 << 20;
/// So many bytes may be here and not durable yet: they come again when the machine ends.
const MOST_UNSETTLED: u64 = 256 << 20;

/// One control stream's life at the receiver.
pub struct Run {
    number: u64,
    /// True if nothing had come before it.
    fresh: bool,
    retired: AtomicBool,
    ended: CancellationToken,
    told: Mutex<Vec<Arc<Slot>>>,
    more_told: Condvar,
    all_told: AtomicBool,
    /// Entries that are told of and not here yet, by their items; and how far the items are told of.
    open: Mutex<Vec<Open>>,
    unsettled: Mutex<Unsettled>,
    /// Something may be settled.
    pub(super) wake: Notify,
    /// Bytes that are here, all in all.
    got: AtomicU64,
    say: mpsc::UnboundedSender<FromReceiver>,
    flow: Arc<Flow>,
}

/// An entry that was told of.
pub(super) struct Slot {
    pub(super) entry: Entry,
    /// Where it comes together.
    pub(super) path: RelPath,
    pub(super) state: Mutex<SlotState>,
}

/// Where an entry stands.
pub(super) enum SlotState {
    /// A file that is coming.
    Coming(Coming),
    /// It is here: a folder, a link, or a file with this hash.
    Here(Option<Chaining>),
    /// It comes as another entry, which will be told of in a moment. Until then its item misses it.
    Replaced,
    /// It does not come.
    Given,
}

/// A file that is coming.
pub(super) struct Coming {
    /// Open once its first piece has come; never for a file that is one piece.
    pub(super) file: Option<Arc<File>>,
    pub(super) progress: Progress,
    /// How often a piece of it was not what it should be.
    pub(super) wrong: u32,
}

#[derive(Clone, Default)]
struct Open {
    entries: u64,
    bytes: u64,
    /// No more entries of it will be told of.
    all_told: bool,
    placed: bool,
    /// The folder that it goes to, if it is not the one that was approved.
    into: Option<RelPath>,
}

/// What is here and waits to be made durable.
#[derive(Default)]
pub(super) struct Unsettled {
    pub(super) records: Vec<Record>,
    /// The large files among them, which can be made durable one by one.
    pub(super) files: Vec<Arc<File>>,
    /// True if there are others.
    pub(super) others: bool,
    bytes: u64,
    /// How many of the records are written down already, and how many bytes the others are about.
    pub(super) noted: usize,
    unnoted: u64,
}

impl Run {
    pub(super) fn new(
        (number, fresh): (u64, bool),
        items: usize,
        say: mpsc::UnboundedSender<FromReceiver>,
    ) -> Self {
        Self {
            number,
            fresh,
            retired: AtomicBool::new(false),
            ended: CancellationToken::new(),
            told: Mutex::default(),
            more_told: Condvar::new(),
            all_told: AtomicBool::new(false),
            open: Mutex::new(vec![Open::default(); items]),
            unsettled: Mutex::default(),
            wake: Notify::new(),
            got: AtomicU64::new(0),
            say,
            flow: Arc::default(),
        }
    }

    /// How its bytes come.
    #[must_use]
    pub const fn flow(&self) -> &Arc<Flow> {
        &self.flow
    }

    /// Which one it is.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// True if nothing had come before it: then there is nothing in the tree that it does not know.
    pub(super) const fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// Cancelled when it is over.
    #[must_use]
    pub const fn ended(&self) -> &CancellationToken {
        &self.ended
    }

    pub(super) fn say(&self, word: FromReceiver) {
        // Nobody hears it once the run is over.
        let _ = self.say.send(word);
    }

    pub(super) fn tell_of_hold(&self, by: Option<PausedBy>) {
        let why = match by {
            None => return self.say(FromReceiver::GoOn),
            Some(PausedBy::Sender) => "The sender paused it.",
            Some(PausedBy::Receiver) => "The receiver paused it.",
            Some(PausedBy::NoSpace) => {
                "The receiver's disk is full; it goes on by itself once there is room."
            }
        };
        self.say(FromReceiver::Hold { why: why.into() });
    }

    /// How many entries were told of.
    pub(super) fn told(&self) -> usize {
        self.told.lock().len()
    }

    /// Some more entries, which come item by item.
    pub(super) fn tell(&self, slots: Vec<Arc<Slot>>) {
        let last = slots.iter().map(|slot| usize::from(slot.entry.item)).max();
        self.add(slots);
        // Not before: an item that is all told is looked for among what was told.
        self.open.lock().iter_mut().take(last.unwrap_or(0)).for_each(|open| open.all_told = true);
        self.wake.notify_one();
    }

    /// Some more entries, of any items.
    pub(super) fn add(&self, slots: Vec<Arc<Slot>>) {
        let mut open = self.open.lock();
        for slot in &slots {
            if let Some(open) = open.get_mut(usize::from(slot.entry.item))
                && matches!(*slot.state.lock(), SlotState::Coming(_))
            {
                open.entries += 1;
            }
        }
        drop(open);
        let replaced = slots.iter().filter_map(|slot| self.told_of(slot.entry.replaces?)).collect::<Vec<_>>();
        self.told.lock().extend(slots);
        for slot in replaced {
            let was = std::mem::replace(&mut *slot.state.lock(), SlotState::Given);
            // What it was missing, the new one is missing now.
            if matches!(was, SlotState::Replaced) {
                self.close(slot.entry.item);
            }
        }
        self.more_told.notify_all();
    }

    pub(super) fn tell_all(&self) {
        self.all_told.store(true, Ordering::Release);
        self.open.lock().iter_mut().for_each(|open| open.all_told = true);
        self.wake.notify_one();
    }

    /// Nothing more comes of an item; it goes to this folder, if not to the one that was approved.
    pub(super) fn tell_all_of(&self, item: u16, into: Option<RelPath>) {
        let mut open = self.open.lock();
        if let Some(open) = open.get_mut(usize::from(item)) {
            (open.all_told, open.into) = (true, into);
        }
        let all = open.iter().all(|open| open.all_told || open.placed);
        self.all_told.store(all, Ordering::Release);
    }

    /// The folder that an item goes to, if it is not the one that was approved.
    pub(super) fn into(&self, item: u16) -> Option<RelPath> {
        self.open.lock().get(usize::from(item))?.into.clone()
    }

    /// An entry that was told of.
    pub(super) fn told_of(&self, entry: u32) -> Option<Arc<Slot>> {
        self.told.lock().get(entry as usize).cloned()
    }

    /// An entry; it may have to be waited for, since a piece can be faster than what is told.
    pub(super) fn slot(&self, entry: u32) -> Option<Arc<Slot>> {
        let until = Instant::now() + PATIENCE;
        let mut told = self.told.lock();
        loop {
            if let Some(slot) = told.get(entry as usize) {
                return Some(Arc::clone(slot));
            }
            if self.ended.is_cancelled() || Instant::now() >= until {
                return None;
            }
            // That the run has ended is told to nobody who waits here.
            self.more_told.wait_for(&mut told, LOOK_EVERY);
        }
    }

    /// So many bytes of an item were told of, with these.
    pub(super) fn count_told(&self, item: u16, bytes: u64) -> u64 {
        let mut open = self.open.lock();
        let Some(open) = open.get_mut(usize::from(item)) else { return 0 };
        open.bytes = open.bytes.saturating_add(bytes);
        open.bytes
    }

    /// An entry that was told of does not come.
    pub(super) fn withdraw(&self, slot: &Slot) {
        if slot.void() && self.close(slot.entry.item) {
            self.wake.notify_one();
        }
        self.uncount(&slot.entry);
    }

    /// Another entry takes its place: nothing more of it is written. How many bytes of it came.
    pub(super) fn replace(&self, slot: &Slot) -> u64 {
        self.uncount(&slot.entry);
        let mut state = slot.state.lock();
        match std::mem::replace(&mut *state, SlotState::Given) {
            SlotState::Coming(coming) => {
                *state = SlotState::Replaced;
                coming.progress.bytes()
            }
            SlotState::Here(_) => slot.facts().map_or(0, |facts| facts.size),
            SlotState::Replaced | SlotState::Given => 0,
        }
    }

    /// Its bytes are not awaited any more.
    pub(super) fn uncount(&self, entry: &Entry) {
        let mut open = self.open.lock();
        if let (What::File(facts), Some(open)) = (&entry.what, open.get_mut(usize::from(entry.item))) {
            open.bytes = open.bytes.saturating_sub(facts.size);
        }
    }

    /// The entries of an item.
    pub(super) fn slots_of(&self, item: u16) -> Vec<Arc<Slot>> {
        self.told.lock().iter().filter(|slot| slot.entry.item == item).cloned().collect()
    }

    /// A piece is here. True if it is time to write down what is.
    pub(super) fn took(
        &self,
        slot: &Slot,
        record: Record,
        bytes: u64,
        file: Option<Arc<File>>,
        is_whole: bool,
    ) -> bool {
        let mut unsettled = self.unsettled.lock();
        unsettled.records.push(record);
        unsettled.bytes += bytes;
        unsettled.unnoted += bytes;
        match file {
            Some(file) if !unsettled.files.iter().any(|known| Arc::ptr_eq(known, &file)) => {
                unsettled.files.push(file);
            }
            Some(_) => {}
            None => unsettled.others = true,
        }
        let much = unsettled.bytes >= MOST_UNSETTLED;
        let is_time = unsettled.unnoted >= MOST_UNNOTED;
        drop(unsettled);
        self.got.fetch_add(bytes, Ordering::Relaxed);
        let item_is_here = is_whole && self.close(slot.entry.item);
        if much || item_is_here {
            self.wake.notify_one();
        }
        is_time
    }

    /// Has what is here and not written down yet be written down.
    pub(super) fn note<E>(&self, write: impl FnOnce(&[Record]) -> Result<(), E>) -> Result<(), E> {
        let mut unsettled = self.unsettled.lock();
        write(unsettled.records.get(unsettled.noted..).unwrap_or_default())?;
        (unsettled.noted, unsettled.unnoted) = (unsettled.records.len(), 0);
        Ok(())
    }

    /// Nothing more of it counts. For who has the journal, so that nobody writes down anything of it meanwhile.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::Acquire)
    }

    /// One entry less is missing. True if its item has no other.
    pub(super) fn close(&self, item: u16) -> bool {
        let mut open = self.open.lock();
        let Some(open) = open.get_mut(usize::from(item)) else { return false };
        open.entries = open.entries.saturating_sub(1);
        open.entries == 0
    }

    /// The items that are here as a whole and not in their place.
    pub(super) fn ready(&self) -> Vec<u16> {
        let open = self.open.lock();
        let ready =
            (0..).zip(open.iter()).filter(|(_, open)| open.all_told && open.entries == 0 && !open.placed);
        ready.map(|(item, _)| item).collect()
    }

    pub(super) fn placed(&self, item: u16) {
        if let Some(open) = self.open.lock().get_mut(usize::from(item)) {
            open.placed = true;
        }
    }

    /// True if everything was told of and is in its place.
    pub(super) fn is_done(&self) -> bool {
        self.all_told.load(Ordering::Acquire) && self.open.lock().iter().all(|open| open.placed)
    }

    pub(super) fn unsettled(&self) -> Unsettled {
        std::mem::take(&mut self.unsettled.lock())
    }

    pub(super) fn count(&self, bytes: u64) {
        self.got.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(super) fn got(&self) -> u64 {
        self.got.load(Ordering::Relaxed)
    }

    /// An entry cannot come: the others go on.
    pub(super) fn give_up(&self, at: u32, slot: &Slot, why: Problem) {
        if slot.void() {
            self.say(FromReceiver::Failed { entry: at, why });
            if self.close(slot.entry.item) {
                self.wake.notify_one();
            }
        }
    }
}

impl Slot {
    /// Wants no more of it, and nothing of what came. True if it was coming.
    pub(super) fn void(&self) -> bool {
        matches!(std::mem::replace(&mut *self.state.lock(), SlotState::Given), SlotState::Coming(_))
    }

    /// What it is if it is here: the hash of a file.
    #[allow(clippy::option_option, reason = "here or not, and a file or not")]
    pub(super) fn here(&self) -> Option<Option<Chaining>> {
        match &*self.state.lock() {
            SlotState::Here(hash) => Some(*hash),
            SlotState::Coming(_) | SlotState::Replaced | SlotState::Given => None,
        }
    }

    /// The facts of the file that it is.
    pub(super) const fn facts(&self) -> Option<proto::wire::transfer::FileFacts> {
        match self.entry.what {
            What::File(facts) => Some(facts),
            What::Folder { .. } | What::Link { .. } => None,
        }
    }
}

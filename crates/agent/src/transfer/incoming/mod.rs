//! One transfer at its receiver: what is expected, what has arrived, and the place out of sight where it comes together.
//!
//! The place is a folder in the store of the share that the transfer is for:
//! - `expected.json`: what the coordinator said ([`Expected`]);
//! - `journal`: what counts ([`journal`](super::journal));
//! - `tree/`: what is coming, each item under its number.
//!
//! [`run`] is one control stream's life; [`entries`] takes what the sender tells, [`pieces`] what it sends, [`settle`]
//! makes it durable and puts what is whole into its place. What comes over HTTP comes by [`chunks`], into a run of its
//! own, and is settled like the rest. [`room`] waits while the disk is full.

mod chunks;
mod commit;
mod control;
mod entries;
mod folders;
mod grow;
mod pieces;
mod room;
mod run;
mod settle;

use std::sync::Arc;

use parking_lot::Mutex;
use proto::api::transfers::{Arrived, ArrivedItem, Expected, ItemState, PausedBy, Way};
use proto::wire::transfer::FromReceiver;
use proto::{ApiError, PrincipalId, RelPath, TransferId};
use tokio::sync::{mpsc, watch};

use chunks::ByChunks;
use folders::Folders;

use super::journal::{Journal, Known, Place, Record};
use super::names;
use super::pieces::{Progress, hash_piece, piece_len};
use crate::agent::Share;
use crate::files::write::WriteError;
use crate::files::{FilesError, note, tree};
use crate::share::ShareRoot;
use crate::share::write::{Spot, sync_file};

pub use chunks::Chunk;
pub use control::converse;
pub use grow::{ChunkError, Growing, Intake};
pub use pieces::take as take_pieces;
pub use run::Run;

const EXPECTED: &str = "expected.json";
const JOURNAL: &str = "journal";
const TREE: &str = "tree";
/// A note that is being written.
const NEW: &str = "new";

/// One transfer at its receiver.
pub struct Incoming {
    id: TransferId,
    share: Arc<Share>,
    /// The folder of this transfer.
    home: ShareRoot,
    /// What is coming.
    tree: ShareRoot,
    folders: Folders,
    journal: Mutex<Journal>,
    /// What counted before this process.
    known: Mutex<Known>,
    state: Mutex<State>,
    /// One run begins at a time: each reads what those before wrote down.
    beginning: Mutex<()>,
    /// Counts up with every change that others should see.
    changes: watch::Sender<u64>,
    /// Who holds it.
    held: watch::Sender<Option<PausedBy>>,
}

struct State {
    expected: Expected,
    items: Vec<ArrivedItem>,
    /// The control stream there is.
    run: Option<Arc<Run>>,
    runs: u64,
    /// What comes over HTTP, in that run.
    chunked: Option<Arc<ByChunks>>,
}

impl Incoming {
    /// Expects a transfer, durably.
    ///
    /// # Errors
    /// The disk's.
    pub fn expect(share: Arc<Share>, id: TransferId, expected: Expected) -> Result<Self, WriteError> {
        let home = share.store.rooms()?.incoming.inner_root(&id.to_string())?;
        write_note(&home, &expected)?;
        Self::open(share, id, home, expected)
    }

    /// A transfer that was expected by a process before this one; `None` if it was not, or that ended before it was noted.
    ///
    /// # Errors
    /// The disk's.
    pub fn reopen(share: Arc<Share>, id: TransferId) -> Result<Option<Self>, WriteError> {
        let Some(rooms) = share.store.made()? else { return Ok(None) };
        if rooms.incoming.stat(&path(&id.to_string())).is_err() {
            return Ok(None);
        }
        let home = rooms.incoming.inner_root(&id.to_string())?;
        match home.open_file(&path(EXPECTED)) {
            Err(FilesError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
            Ok(open) => {
                let expected = serde_json::from_reader(std::io::BufReader::new(open.file));
                Self::open(share, id, home, expected.map_err(std::io::Error::from)?).map(Some)
            }
        }
    }

    fn open(
        share: Arc<Share>,
        id: TransferId,
        home: ShareRoot,
        expected: Expected,
    ) -> Result<Self, WriteError> {
        let tree = home.inner_root(TREE)?;
        let (journal, known) = Journal::open(&home.spot(&path(JOURNAL))?)?;
        let items = expected.items.iter().map(arrived).collect();
        let held = watch::Sender::new(expected.paused_by);
        let state = State { expected, items, run: None, runs: 0, chunked: None };
        let incoming = Self {
            id,
            share,
            home,
            tree,
            folders: Folders::default(),
            journal: Mutex::new(journal),
            known: Mutex::new(known),
            state: Mutex::new(state),
            beginning: Mutex::default(),
            changes: watch::Sender::new(0),
            held,
        };
        incoming.make_sure()?;
        incoming.find_again()?;
        Ok(incoming)
    }

    /// After a crash: reads what may not have been durable. What is not what it was then does not count.
    fn make_sure(&self) -> Result<(), WriteError> {
        let (mut known, mut journal) = (self.known.lock(), self.journal.lock());
        if known.unsure.is_empty() {
            return Ok(());
        }
        self.share.root.sync_all()?;
        let mut records = Vec::new();
        for (item, path, piece) in std::mem::take(&mut known.unsure) {
            let Some(progress) = known.files.get_mut(&(item, path.clone())) else { continue };
            if !self.is_sure(item, &path, progress, piece) {
                progress.unmark(piece);
                records.push(Record::Spoiled { item, path, piece });
            }
        }
        records.push(Record::Settled);
        journal.append(&records)
    }

    fn is_sure(&self, item: u16, path: &[u8], progress: &Progress, piece: u32) -> bool {
        let size = progress.facts().size;
        let place = names::place(item, path).ok();
        let file = place.and_then(|place| self.tree.open_file(&place.path).ok());
        match (file, progress.chaining(piece), piece_len(size, piece)) {
            (Some(open), Some(chaining), Some(len)) if open.stat.size <= size => {
                hash_piece(&open.file, size, (piece, len)).is_ok_and(|hash| hash == chaining)
            }
            // A file without bytes.
            (Some(open), _, None) => open.stat.size == 0,
            _ => false,
        }
    }

    /// What arrived before this process.
    fn find_again(&self) -> Result<(), WriteError> {
        let known = self.known.lock();
        let mut state = self.state.lock();
        for ((item, _), progress) in &known.files {
            if let Some(item) = state.items.get_mut(usize::from(*item)) {
                item.received_size += progress.bytes();
                item.state = ItemState::Receiving;
            }
        }
        for item in &known.committed {
            // What failed after that was thrown away.
            if self.item_spot(*item)?.stat().is_ok()
                && let Some(item) = state.items.get_mut(usize::from(*item))
            {
                item.state = ItemState::Committed;
            }
        }
        drop((known, state));
        self.find_placed()
    }

    /// Items that went to their places before.
    fn find_placed(&self) -> Result<(), WriteError> {
        let (known, mut state) = (self.known.lock(), self.state.lock());
        for (item, place) in &known.places {
            let (path, hash) = match place {
                Place::There(path, hash) => (path, *hash),
                Place::Perhaps(path) if self.item_spot(*item)?.stat().is_err() => (path, None),
                Place::Perhaps(_) => continue,
            };
            if let Some(item) = state.items.get_mut(usize::from(*item)) {
                item.state = ItemState::Finalized;
                item.final_path = Some(path.clone());
                item.blake3 = hash.map(|hash| blake3::Hash::from_bytes(hash).to_hex().to_string());
                item.received_size = item.expected_size;
            }
        }
        Ok(())
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> TransferId {
        self.id
    }

    /// The share it is for.
    #[must_use]
    pub const fn share(&self) -> &Arc<Share> {
        &self.share
    }

    /// Who sends.
    #[must_use]
    pub fn sender(&self) -> PrincipalId {
        self.state.lock().expected.sender_principal_id
    }

    /// The coordinator says again what to expect: another destination counts for what is not in its place yet.
    ///
    /// # Errors
    /// Other items, or the disk's.
    pub fn expect_again(&self, expected: Expected) -> Result<(), WriteError> {
        let mut state = self.state.lock();
        if state.expected == expected {
            return Ok(());
        }
        if state.expected.items != expected.items {
            return Err(FilesError::Changed.into());
        }
        write_note(&self.home, &expected)?;
        let paused_by = expected.paused_by;
        state.expected = expected;
        drop(state);
        self.hold(paused_by);
        Ok(())
    }

    /// Holds the transfer, or lets it go on.
    pub fn hold(&self, by: Option<PausedBy>) {
        if self.held.send_replace(by) != by {
            self.tell_of_hold(by);
        }
    }

    /// [`Self::hold`], unless something else than this holds it now.
    fn hold_instead(&self, of: Option<PausedBy>, by: Option<PausedBy>) -> bool {
        let held = self.held.send_if_modified(|held| {
            let fits = *held == of;
            *held = if fits { by } else { *held };
            fits
        });
        if held {
            self.tell_of_hold(by);
        }
        held
    }

    fn tell_of_hold(&self, by: Option<PausedBy>) {
        if let Some(run) = self.run() {
            run.tell_of_hold(by);
        }
        self.changed();
    }

    /// What has arrived.
    #[must_use]
    pub fn arrived(&self) -> Arrived {
        let state = self.state.lock();
        let paused_by = *self.held.borrow();
        let connected = state.run.as_ref().is_some_and(|run| !run.ended().is_cancelled())
            && state.chunked.as_ref().is_none_or(|chunked| chunked.is_busy());
        let flow = state.run.as_ref().filter(|_| connected).map(|run| run.flow());
        let by_http = state.chunked.as_ref().filter(|_| connected).map(|_| Way::ThroughCoordinator);
        let way = by_http.or_else(|| flow.and_then(|flow| flow.way()));
        let limited_by = flow.filter(|_| paused_by.is_none()).and_then(|flow| flow.limit_of_receiver());
        let mut items = state.items.clone();
        for item in items.iter_mut().filter(|item| paused_by.is_some() && is_on_its_way(item.state)) {
            item.state = ItemState::Paused;
        }
        Arrived { transfer_id: self.id, paused_by, connected, way, limited_by, items }
    }

    /// True if every item is in its place, or cannot come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state.lock().items.iter().all(|item| !is_on_its_way(item.state))
    }

    /// Waits until it [is over](Self::is_over).
    pub async fn over(&self) {
        // It changes once more when its last item is in its place.
        let _ = self.changes().wait_for(|_| self.is_over()).await;
    }

    /// Told whenever [`Self::arrived`] may be another.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Begins a control stream's life. It ends the one before. True if nothing of the transfer is here.
    fn begin(&self, say: mpsc::UnboundedSender<FromReceiver>) -> Result<(Arc<Run>, bool), WriteError> {
        let _turn = self.beginning.lock();
        self.begin_alone(say)
    }

    /// [`Self::begin`], for who sees to it that none begins beside it.
    fn begin_alone(&self, say: mpsc::UnboundedSender<FromReceiver>) -> Result<(Arc<Run>, bool), WriteError> {
        // Not taken in the condition: the state would be locked while its last items are put into their places.
        let before = self.state.lock().run.take();
        if let Some(before) = before {
            before.ended().cancel();
            let settled = self.settle(&before);
            self.retire(&before);
            settled?;
        }
        let (journal, known) = Journal::open(&self.home.spot(&path(JOURNAL))?)?;
        let fresh = known == Known::default();
        // What was begun and not written down may be there all the same.
        let clean = fresh && tree::contents(self.tree.open_folder(&RelPath::root())?)?.is_empty();
        (*self.journal.lock(), *self.known.lock()) = (journal, known);
        self.make_sure()?;
        self.find_placed()?;
        let mut state = self.state.lock();
        state.runs += 1;
        let run = Arc::new(Run::new((state.runs, clean), state.items.len(), say));
        for (item, number) in state.items.iter_mut().zip(0..) {
            match is_on_its_way(item.state) {
                // Counted anew, as the sender tells what there is.
                true => (item.received_size, item.renamed) = (0, Vec::new()),
                false => run.placed(number),
            }
        }
        (state.run, state.chunked) = (Some(Arc::clone(&run)), None);
        drop(state);
        self.changed();
        Ok((run, fresh))
    }

    /// The control stream there is.
    #[must_use]
    pub fn run(&self) -> Option<Arc<Run>> {
        self.state.lock().run.clone()
    }

    /// Ends the control stream there is, as a crash does: what was not settled is left as it is.
    pub fn stop(&self) {
        let run = self.state.lock().run.take();
        if let Some(run) = run {
            run.ended().cancel();
            self.retire(&run);
        }
    }

    /// From now on nothing of a run is written down.
    fn retire(&self, run: &Run) {
        let _nobody_writes = self.journal.lock();
        run.retire();
    }

    /// Gives the transfer up: whoever sends is told, and what came of it and is not in its place goes.
    ///
    /// # Errors
    /// The disk's.
    pub fn give_up(&self) -> Result<(), WriteError> {
        self.stop();
        let all = self.share.store.rooms()?.incoming.open_folder(&RelPath::root())?.into_folder();
        tree::remove(&Spot::of(all, self.id.to_string().as_bytes()))
    }

    fn item_spot(&self, item: u16) -> Result<Spot, WriteError> {
        self.tree.spot(&path(&item.to_string()))
    }

    fn with_item(&self, item: u16, change: impl FnOnce(&mut ArrivedItem)) {
        if let Some(item) = self.state.lock().items.get_mut(usize::from(item)) {
            change(item);
        }
    }

    fn state_of(&self, item: u16) -> Option<ItemState> {
        self.state.lock().items.get(usize::from(item)).map(|item| item.state)
    }

    fn fail_item(&self, item: u16, error: ApiError) {
        self.with_item(item, |item| {
            item.state = ItemState::Failed;
            item.error = Some(error);
        });
        self.changed();
    }
}

const fn is_on_its_way(state: ItemState) -> bool {
    use ItemState::{Committed, Paused, Pending, Receiving, Staged};
    matches!(state, Pending | Receiving | Paused | Staged | Committed)
}

fn arrived(item: &proto::api::transfers::ExpectedItem) -> ArrivedItem {
    ArrivedItem {
        item_id: item.id,
        filename: item.offered.filename.clone(),
        expected_size: item.offered.size,
        received_size: 0,
        state: ItemState::Pending,
        final_path: None,
        blake3: None,
        renamed: Vec::new(),
        error: None,
    }
}

fn write_note(home: &ShareRoot, expected: &Expected) -> Result<(), WriteError> {
    let new = home.spot(&path(NEW))?;
    tree::remove(&new)?;
    sync_file(&note::write(&new, expected)?)?;
    new.move_over(&home.spot(&path(EXPECTED))?)?;
    new.sync_folder()
}

/// A path of this module's own.
fn path(name: &str) -> RelPath {
    RelPath::root().join(name.as_bytes()).unwrap_or_default()
}

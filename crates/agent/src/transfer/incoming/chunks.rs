//! What comes over HTTP: files in chunks, each file in order, into a run of their own. What counts of them is pieces, as of all
//! that comes; nobody has to connect, so the run lasts until nothing is said for long. [`grow`](super::grow) takes the bytes.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use proto::api::transfers::{ArrivedItem, ItemKind, ItemState, OfferedItem, PausedBy};
use proto::wire::transfer::{Entry, FileFacts, Have, PIECE, What};
use proto::{ApiError, ErrorCode, TransferItemId};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval};

use super::control::SETTLE_EVERY;
use super::entries::check_count;
use super::grow::Growing;
use super::run::{Run, Slot};
use super::settle::is_unknown;
use super::{Incoming, is_on_its_way};
use crate::files::undo::now_ms;
use crate::files::write::{WriteError, off_thread};
use crate::transfer::journal::Record;
use crate::transfer::names;

/// A sender of whom nothing was heard for so long is not connected.
const GONE_AFTER: Duration = Duration::from_secs(30);
/// The run ends, and what is held open is let go, when nothing was heard for so long.
const ENDS_AFTER: Duration = Duration::from_secs(600);

/// A file: its item, and its path in it.
type Key = (u16, Vec<u8>);

/// What comes over HTTP of one transfer.
pub(super) struct ByChunks {
    pub(super) run: Arc<Run>,
    pub(super) files: Mutex<HashMap<Key, Arc<Growing>>>,
    /// When something was last heard.
    heard: Mutex<Instant>,
}

/// Which bytes are to come, as their sender says.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// The item.
    pub item: TransferItemId,
    /// Its name.
    pub filename: Option<String>,
    /// The bytes of the whole file.
    pub size: Option<u64>,
    /// SHA-256 of the whole file.
    pub sha256: Option<String>,
    /// Where the file goes in an item that is a folder; empty for the item itself.
    pub path: String,
    /// True if it is not a file, but a folder in such an item.
    pub is_folder: bool,
    /// When the file last changed: nanoseconds since 1970.
    pub modified_ns: Option<i64>,
}

impl Incoming {
    /// The file that some bytes are of, ready to take them; none if it is a folder, which is made. Blocks.
    ///
    /// # Errors
    /// It was not offered like this, is not in a state to take bytes, or the disk's.
    pub fn growing(self: &Arc<Self>, chunk: &Chunk) -> Result<Option<Arc<Growing>>, ApiError> {
        self.check_held()?;
        let (item, offered, arrived) = self.item(chunk.item)?;
        let size = check_offered(chunk, &offered)?;
        if !matches!(arrived.state, ItemState::Pending | ItemState::Receiving | ItemState::Staged) {
            return Err(wrong_state(arrived.state, "takes no bytes"));
        }
        let chunked = self.by_chunks()?;
        let path = chunk.path.clone().into_bytes();
        let modified_ns = chunk.modified_ns.unwrap_or_else(now_ns);
        let mut files = chunked.files.lock();
        if chunk.is_folder {
            let what = What::Folder { modified_ns };
            return self.enter(&chunked, Entry { item, path, what, replaces: None }).map(|_| None);
        }
        let key = (item, path);
        if let Some(known) = files.get(&key) {
            return if known.size() == size {
                Ok(Some(Arc::clone(known)))
            } else {
                Err(not_as_offered("size"))
            };
        }
        let what = What::File(FileFacts { size, modified_ns, executable: false });
        let (number, slot) =
            self.enter(&chunked, Entry { item, path: key.1.clone(), what, replaces: None })?;
        let wanted = known_hash(&offered.sha256).or_else(|| known_hash(&chunk.sha256));
        let growing = Arc::new(Growing::new(Arc::clone(&chunked.run), (number, slot), wanted));
        files.insert(key, Arc::clone(&growing));
        Ok(Some(growing))
    }

    /// The run into which everything goes that comes over HTTP.
    pub(super) fn by_chunks(self: &Arc<Self>) -> Result<Arc<ByChunks>, ApiError> {
        let _turn = self.beginning.lock();
        let there = self.state.lock().chunked.clone();
        if let Some(there) = there.filter(|there| !there.run.ended().is_cancelled()) {
            there.heard();
            return Ok(there);
        }
        let (say, _) = mpsc::unbounded_channel();
        let (run, _) = self.begin_alone(say).map_err(|error| self.refuse(error))?;
        let heard = Mutex::new(Instant::now());
        let chunked = Arc::new(ByChunks { run, files: Mutex::default(), heard });
        if let Err(error) = self.tell_known(&chunked) {
            chunked.run.ended().cancel();
            return Err(error);
        }
        self.state.lock().chunked = Some(Arc::clone(&chunked));
        tokio::runtime::Handle::current().spawn(keep(Arc::clone(self), Arc::clone(&chunked)));
        Ok(chunked)
    }

    /// Tells the run, which no sender does, of what is here: all that comes before the first gap of each file.
    fn tell_known(self: &Arc<Self>, chunked: &Arc<ByChunks>) -> Result<(), ApiError> {
        let (mut entries, mut cuts) = (self.folders_expected(), Vec::new());
        for ((item, path), progress) in &mut self.known.lock().files {
            let (item, path, pieces) = (*item, path.clone(), progress.first());
            if progress.cut(pieces) {
                cuts.push(Record::Cut { item, path: path.clone(), pieces });
            }
            entries.push(Entry { item, path, what: What::File(progress.facts()), replaces: None });
        }
        self.journal.lock().append(&cuts).map_err(|error| self.refuse(error))?;
        let mut files = chunked.files.lock();
        for entry in entries {
            let Some(offered) = self.offered(entry.item) else { continue };
            let (key, is_file) = ((entry.item, entry.path.clone()), matches!(entry.what, What::File(_)));
            let entered = self.enter(chunked, entry)?;
            if is_file && entered.1.here().is_none() && self.state_of(key.0) == Some(ItemState::Committed) {
                self.with_item(key.0, |item| item.state = ItemState::Receiving);
            }
            if is_file {
                let wanted = known_hash(&offered.sha256);
                files.insert(key, Arc::new(Growing::new(Arc::clone(&chunked.run), entered, wanted)));
            }
        }
        Ok(())
    }

    /// The items that are folders and not in their places.
    fn folders_expected(&self) -> Vec<Entry> {
        let state = self.state.lock();
        let all = (0..).zip(state.expected.items.iter().zip(&state.items));
        let folders = all.filter(|(_, (expected, arrived))| {
            expected.offered.kind == ItemKind::Folder && is_on_its_way(arrived.state)
        });
        let what = What::Folder { modified_ns: now_ns() };
        folders
            .map(|(item, _)| Entry { item, path: Vec::new(), what: what.clone(), replaces: None })
            .collect()
    }

    /// Tells the run of an entry. Its number.
    pub(super) fn enter(
        self: &Arc<Self>,
        chunked: &ByChunks,
        entry: Entry,
    ) -> Result<(u32, Arc<Slot>), ApiError> {
        let run = &chunked.run;
        check_count(run, 1)?;
        // Nobody tells of the folders on the way.
        if let Some(folder) = names::place(entry.item, &entry.path)?.path.parent() {
            self.tree.make_folders(&folder).map_err(|error| self.refuse(error))?;
        }
        let (slot, have) = self.take_entry(run, entry, false)?;
        if let Have::Refused(why) = have {
            return Err(crate::transfer::error(why));
        }
        let (number, slot) = (u32::try_from(run.told()).unwrap_or(u32::MAX), Arc::new(slot));
        run.add(vec![Arc::clone(&slot)]);
        if let Some(facts) = slot.facts().filter(|facts| facts.size == 0 && have == Have::Nothing) {
            let (item, path, chaining) = (slot.entry.item, slot.entry.path.clone(), [0; 32]);
            run.took(&slot, Record::Piece { item, path, facts, piece: 0, chaining }, 0, None, false);
        }
        Ok((number, slot))
    }

    /// Throws away what came of a file: it may come again from its beginning.
    pub(super) fn void(self: &Arc<Self>, growing: &Growing) -> Result<(), ApiError> {
        self.settle(growing.run()).map_err(|error| self.refuse(error))?;
        let chunked = self.state.lock().chunked.clone();
        let Some(chunked) = chunked.filter(|chunked| Arc::ptr_eq(&chunked.run, growing.run())) else {
            return Ok(());
        };
        let entry = growing.again();
        let (item, path) = (entry.item, entry.path.clone());
        self.journal.lock().append(&[Record::Cut { item, path: path.clone(), pieces: 0 }])?;
        let mut files = chunked.files.lock();
        let entered = self.enter(&chunked, entry)?;
        let again = Growing::new(Arc::clone(&chunked.run), entered, growing.wanted().cloned());
        files.insert((item, path), Arc::new(again));
        drop(files);
        self.with_item(item, |item| item.state = ItemState::Receiving);
        self.changed();
        Ok(())
    }

    /// An item by its id: its place among them, what was offered, and what has arrived.
    pub(super) fn item(&self, id: TransferItemId) -> Result<(u16, OfferedItem, ArrivedItem), ApiError> {
        let state = self.state.lock();
        let mut all = (0..).zip(state.expected.items.iter().zip(&state.items));
        let found = all.find(|(_, (expected, _))| expected.id == id);
        let (place, (expected, arrived)) = found.ok_or_else(no_such_item)?;
        Ok((place, expected.offered.clone(), arrived.clone()))
    }

    fn offered(&self, item: u16) -> Option<OfferedItem> {
        let state = self.state.lock();
        let arrived = state.items.get(usize::from(item)).filter(|arrived| is_on_its_way(arrived.state));
        arrived.and_then(|_| state.expected.items.get(usize::from(item))).map(|item| item.offered.clone())
    }

    /// Refuses what comes while somebody holds the transfer.
    pub(super) fn check_held(&self) -> Result<(), ApiError> {
        match *self.held.borrow() {
            None => Ok(()),
            Some(PausedBy::NoSpace) => Err(WriteError::NoSpace.into()),
            Some(by) => Err(paused(by)),
        }
    }

    /// Says why something was not done; a disk that is full holds the transfer.
    pub(super) fn refuse(self: &Arc<Self>, error: WriteError) -> ApiError {
        if matches!(error, WriteError::NoSpace) {
            self.hold_for_room(u64::from(PIECE));
        }
        error.into()
    }
}

impl ByChunks {
    /// Something was heard.
    pub(super) fn heard(&self) {
        *self.heard.lock() = Instant::now();
    }

    /// True if somebody sends.
    pub(super) fn is_busy(&self) -> bool {
        self.was_heard_within(GONE_AFTER)
    }

    fn was_heard_within(&self, time: Duration) -> bool {
        self.heard.lock().elapsed() < time || self.files.lock().values().any(|file| file.is_growing())
    }
}

/// Settles what comes, whenever it is worth it, until the run is over.
async fn keep(incoming: Arc<Incoming>, chunked: Arc<ByChunks>) {
    let mut every = interval(SETTLE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let over = chunked.run.ended();
    while !over.is_cancelled() {
        tokio::select! {
            () = over.cancelled() => {}
            () = chunked.run.wake.notified() => {}
            _ = every.tick() => {}
        }
        let (settling, of) = (Arc::clone(&incoming), Arc::clone(&chunked));
        let settled = off_thread(move || settling.settle_by_chunks(&of)).await;
        if settled.is_err() || chunked.run.is_done() || !chunked.was_heard_within(ENDS_AFTER) {
            over.cancel();
        }
    }
    incoming.changed();
}

impl Incoming {
    /// Settles what came over HTTP, now.
    ///
    /// # Errors
    /// The disk's.
    #[cfg(test)]
    pub(crate) fn settle_now(self: &Arc<Self>) -> Result<(), ApiError> {
        let chunked = self.by_chunks()?;
        Ok(self.settle_by_chunks(&chunked)?)
    }

    /// Settles what came over HTTP. Where the disk fails the run is over: what it had not written down comes again.
    pub(super) fn settle_by_chunks(self: &Arc<Self>, chunked: &ByChunks) -> Result<(), WriteError> {
        let settled = self.settle(&chunked.run);
        if let Err(error) = &settled {
            chunked.run.ended().cancel();
            if matches!(error, WriteError::NoSpace) {
                self.hold_for_room(u64::from(PIECE));
            }
        }
        settled
    }
}

/// Compares what is said of some bytes with what was offered. The size of their file.
fn check_offered(chunk: &Chunk, offered: &OfferedItem) -> Result<u64, ApiError> {
    if chunk.filename.as_ref().is_some_and(|name| *name != offered.filename) {
        return Err(not_as_offered("name"));
    }
    if offered.kind == ItemKind::Folder {
        let is_inside = !chunk.path.is_empty();
        let size = if chunk.is_folder { Some(0) } else { chunk.size };
        return match (is_inside, size) {
            (true, Some(size)) => Ok(size),
            (false, _) => Err(parameter("Of a file in a folder, 'path' says where in it the file goes.")),
            (_, None) => Err(parameter("Of a file in a folder, 'size' says how many bytes it has.")),
        };
    }
    let (said, known) = (known_hash(&chunk.sha256), known_hash(&offered.sha256));
    match () {
        () if chunk.is_folder || !chunk.path.is_empty() => Err(not_as_offered("kind: it is a file")),
        () if chunk.size.is_some_and(|size| size != offered.size) => Err(not_as_offered("size")),
        () if said.is_some_and(|said| known.is_some_and(|known| !known.eq_ignore_ascii_case(&said))) => {
            Err(not_as_offered("SHA-256"))
        }
        () => Ok(offered.size),
    }
}

fn known_hash(said: &Option<String>) -> Option<String> {
    said.clone().filter(|said| !is_unknown(said))
}

fn now_ns() -> i64 {
    now_ms() * 1_000_000
}

fn not_as_offered(what: &str) -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        format!("This is not what was offered: it has another {what}."),
        "It may have changed since; offer it anew.",
    )
}

fn parameter(why: &str) -> ApiError {
    ApiError::new(ErrorCode::BadParameter, why, "See the API's description at /api/openapi.json.")
}

fn paused(by: PausedBy) -> ApiError {
    let who = if by == PausedBy::Sender { "sender" } else { "receiver" };
    ApiError::new(
        ErrorCode::WrongState,
        format!("The {who} paused this transfer."),
        "It goes on when they let it.",
    )
}

fn no_such_item() -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        "This transfer has no such item, or it was not approved.",
        "Look at the transfer again.",
    )
}

/// What an item in this state cannot do.
pub(super) fn wrong_state(state: ItemState, cannot: &str) -> ApiError {
    let state = serde_json::to_value(state).ok();
    let state = state.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
    ApiError::new(
        ErrorCode::WrongState,
        format!("The item is {state}, and {cannot}."),
        "Look at the transfer again.",
    )
}

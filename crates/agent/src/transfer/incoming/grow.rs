//! A file that grows by chunks: one after the other, and each counts as a whole or not at all. Hashed as it comes; what becomes a
//! whole piece by it counts like any other piece.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use proto::api::delivery::ChunkTaken;
use proto::api::transfers::ItemState;
use proto::wire::transfer::{Entry, PIECE};
use proto::{ApiError, ErrorCode, TransferItemId};
use tokio::sync::OwnedMutexGuard;
use tokio_util::sync::CancellationToken;

use super::Incoming;
use super::run::{Run, Slot, SlotState};
use crate::crash;
use crate::files::upload::turn::Turns;
use crate::files::write::WriteError;
use crate::files::write::publish::{self, hex};
use crate::files::write::sums::{Algorithm, Sums};
use crate::transfer::pieces::{Chaining, PieceHasher, piece_len};

/// A file that grows.
pub struct Growing {
    run: Arc<Run>,
    number: u32,
    slot: Arc<Slot>,
    size: u64,
    /// The SHA-256 that was said of it.
    wanted: Option<String>,
    turns: Turns<Grown>,
}

/// How far it has grown.
#[derive(Clone)]
struct Grown {
    len: u64,
    /// Has what there is of the piece that is not whole.
    hasher: PieceHasher,
    /// Has everything, if everything came while somebody listened.
    sha256: Option<Sums>,
    file: Option<Arc<File>>,
}

/// Why a chunk was not taken.
#[derive(Debug)]
pub enum ChunkError {
    /// It does not begin where the file ends; it should begin here.
    Offset(u64),
    /// Anything else.
    Refused(ApiError),
}

impl From<ApiError> for ChunkError {
    fn from(error: ApiError) -> Self {
        Self::Refused(error)
    }
}

impl Growing {
    pub(super) fn new(run: Arc<Run>, (number, slot): (u32, Arc<Slot>), wanted: Option<String>) -> Self {
        let size = slot.facts().map_or(0, |facts| facts.size);
        let first = match &*slot.state.lock() {
            SlotState::Coming(coming) => coming.progress.first(),
            SlotState::Here(_) | SlotState::Replaced | SlotState::Given => u32::MAX,
        };
        let len = size.min(u64::from(first) * u64::from(PIECE));
        let sha256 = wanted.is_some().then(|| Sums::of([Algorithm::Sha256])).filter(|_| len == 0);
        let grown = Grown { len, hasher: hasher_at(size, len), sha256, file: None };
        Self { run, number, slot, size, wanted, turns: Turns::new(grown) }
    }

    pub(super) const fn size(&self) -> u64 {
        self.size
    }

    pub(super) const fn run(&self) -> &Arc<Run> {
        &self.run
    }

    pub(super) const fn wanted(&self) -> Option<&String> {
        self.wanted.as_ref()
    }

    pub(super) fn is_growing(&self) -> bool {
        self.turns.is_taken()
    }

    /// The same file, to come from its beginning.
    pub(super) fn again(&self) -> Entry {
        Entry { replaces: Some(self.number), ..self.slot.entry.clone() }
    }

    /// Makes ready for a chunk that begins here and has so many bytes, if that is known. A chunk that is on its way gives way to it.
    ///
    /// # Errors
    /// It begins elsewhere, or would lead beyond the end.
    pub async fn take_chunk(
        self: Arc<Self>,
        incoming: Arc<Incoming>,
        offset: u64,
        length: Option<u64>,
    ) -> Result<(Intake, CancellationToken), ChunkError> {
        let (grown, stop) = self.turns.take_over().await;
        if grown.len != offset {
            return Err(ChunkError::Offset(grown.len));
        }
        if length.is_some_and(|length| length > self.size - offset) {
            return Err(too_long(self.size).into());
        }
        let next = grown.clone();
        Ok((Intake { incoming, growing: self, grown, next, came: Vec::new(), is_too_long: false }, stop))
    }

    /// The SHA-256 of what came, once all came. Read again only if not all of it came to this process.
    pub(super) fn sha256(&self, incoming: &Incoming) -> Result<String, WriteError> {
        let (grown, _) = self.turns.take_over_blocking();
        match grown.sha256.clone() {
            Some(sums) => Ok(sums.finish().get(Algorithm::Sha256).map(hex).unwrap_or_default()),
            None => publish::sha256(&incoming.tree.spot(&self.slot.path)?.open()?),
        }
    }
}

fn hasher_at(size: u64, len: u64) -> PieceHasher {
    PieceHasher::new(size, u32::try_from(len / u64::from(PIECE)).unwrap_or(u32::MAX))
}

/// Takes the bytes of one chunk. Unless it is [finished](Self::finish) nothing of it counts.
pub struct Intake {
    incoming: Arc<Incoming>,
    growing: Arc<Growing>,
    grown: OwnedMutexGuard<Grown>,
    next: Grown,
    came: Vec<(u32, Chaining)>,
    is_too_long: bool,
}

impl Intake {
    /// Takes some more bytes. Blocks.
    ///
    /// # Errors
    /// The disk's, or more came than the file has.
    pub fn take(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        if bytes.len() as u64 > self.growing.size - self.next.len {
            self.is_too_long = true;
            return Err(WriteError::TooLarge);
        }
        let file = self.open()?;
        crash::step("write")?;
        file.write_all_at(bytes, self.next.len)?;
        if let Some(sums) = &mut self.next.sha256 {
            sums.add(bytes);
        }
        self.hash(bytes);
        Ok(())
    }

    fn open(&mut self) -> Result<Arc<File>, WriteError> {
        if let Some(file) = &self.next.file {
            return Ok(Arc::clone(file));
        }
        let Growing { slot, .. } = &*self.growing;
        let (Some(facts), piece) = (slot.facts(), self.piece()) else { return Err(WriteError::Gone) };
        let file = self.incoming.file_of(slot, facts, piece)?.ok_or(WriteError::Gone)?;
        self.next.file = Some(Arc::clone(&file));
        Ok(file)
    }

    /// The piece that the next byte is of.
    fn piece(&self) -> u32 {
        u32::try_from(self.next.len / u64::from(PIECE)).unwrap_or(u32::MAX)
    }

    fn hash(&mut self, mut bytes: &[u8]) {
        let (piece_bytes, size) = (u64::from(PIECE), self.growing.size);
        while !bytes.is_empty() {
            let room = usize::try_from(piece_bytes - self.next.len % piece_bytes).unwrap_or(usize::MAX);
            let (some, rest) = bytes.split_at(room.min(bytes.len()));
            let piece = self.piece();
            self.next.hasher.update(some);
            self.next.len += some.len() as u64;
            if self.next.len.is_multiple_of(piece_bytes) || self.next.len == size {
                self.came.push((piece, self.next.hasher.finish()));
                self.next.hasher = hasher_at(size, self.next.len);
            }
            bytes = rest;
        }
    }

    /// Why not all of it was taken.
    #[must_use]
    pub fn refuse(&self, error: WriteError) -> ApiError {
        if self.is_too_long { too_long(self.growing.size) } else { self.incoming.refuse(error) }
    }

    /// All bytes of the chunk came: they count. `is_last` if the file is to be whole now. Blocks.
    ///
    /// # Errors
    /// It is not, its SHA-256 is not what was said, or the disk's.
    pub fn finish(mut self, item_id: TransferItemId, is_last: bool) -> Result<ChunkTaken, ChunkError> {
        let Growing { run, slot, size, wanted, .. } = &*self.growing;
        if is_last && self.next.len < *size {
            return Err(too_short(*size, self.next.len).into());
        }
        let (incoming, item) = (&self.incoming, slot.entry.item);
        let counted: u64 =
            self.came.iter().filter_map(|(piece, _)| piece_len(*size, *piece)).map(u64::from).sum();
        let more = self.next.len - self.grown.len;
        incoming.with_item(item, |item| {
            item.state = ItemState::Receiving;
            item.received_size = (item.received_size + more).saturating_sub(counted);
        });
        for came in self.came.drain(..) {
            let file = self.next.file.as_ref().ok_or(WriteError::Gone).map_err(ApiError::from)?;
            incoming.count(run, slot, came, file).map_err(ApiError::from)?;
        }
        let is_whole = self.next.len == *size;
        // A file that is whole is not held open.
        let file = self.next.file.take().filter(|_| !is_whole);
        *self.grown = Grown { file, ..self.next.clone() };
        drop(self.grown);
        let is_item = slot.entry.path.is_empty();
        if is_whole && is_item {
            incoming.with_item(item, |item| item.state = ItemState::Staged);
        }
        if let Some(said) = wanted.as_ref().filter(|_| is_whole && !is_item)
            && !said.eq_ignore_ascii_case(&self.growing.sha256(incoming).map_err(ApiError::from)?)
        {
            incoming.void(&self.growing)?;
            return Err(another_hash().into());
        }
        incoming.changed();
        let state = if is_whole { ItemState::Staged } else { ItemState::Receiving };
        let blake3 = slot.here().flatten().map(|hash| hex(&hash));
        Ok(ChunkTaken { item_id, received_size: self.next.len, expected_size: *size, state, blake3 })
    }
}

/// What came is not what was said of it.
pub(super) fn another_hash() -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        "What arrived is not what was offered: its hash is another.",
        "It was thrown away; send it again from its beginning.",
    )
}

fn too_long(size: u64) -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        format!("This is more than was offered: the file has {size} bytes."),
        "It may have changed since; offer it anew.",
    )
}

fn too_short(size: u64, len: u64) -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        format!("This cannot be the last of it: {len} of {size} bytes would be here."),
        "Send what is missing.",
    )
}

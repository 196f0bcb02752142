//! Takes the pieces of one stream, one after the other: each is hashed as it comes, and written if it is what it should
//! be. Blocks: on the stream, on the disk, and while the transfer is held.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use proto::api::transfers::ItemState;
use proto::wire::transfer::{FileFacts, FromReceiver, PIECE, PieceHead};
use proto::{ApiError, ErrorCode};
use tokio::runtime::Handle;

use super::Incoming;
use super::run::{Run, Slot, SlotState};
use crate::crash;
use crate::files::write::WriteError;
use crate::share::write::set_modified;
use crate::transfer::blocking::Blocking;
use crate::transfer::journal::Record;
use crate::transfer::pieces::{Chaining, PieceHasher, piece_len};
use crate::transfer::problem;

/// Heads and small pieces are read so many bytes at once.
const READ_AT_ONCE: usize = 256 << 10;
/// Hashed while they are still in the processor's own memory.
const HASHED_AT_ONCE: usize = 128 << 10;
/// How often a piece of a file may be wrong.
const MOST_WRONG: u32 = 8;

/// Takes pieces until the sender ends the stream or the run is over.
///
/// # Errors
/// The stream broke, or what came on it is no such piece.
pub fn take(incoming: &Arc<Incoming>, run: &Run, stream: Blocking) -> io::Result<()> {
    let mut stream = BufReader::with_capacity(READ_AT_ONCE, stream);
    let mut buffer = vec![0; READ_AT_ONCE];
    while let Some(head) = next_head(&mut stream)? {
        incoming.wait_while_held(run)?;
        let slot = run.slot(head.entry).ok_or_else(|| invalid("a piece of nothing"))?;
        let facts = slot.facts().ok_or_else(|| invalid("a piece of a folder"))?;
        if piece_len(facts.size, head.piece) != Some(head.len) {
            return Err(invalid("a piece of another length"));
        }
        if buffer.len() < head.len as usize {
            buffer.resize(PIECE as usize, 0);
        }
        let bytes = &mut buffer[..head.len as usize];
        let chaining = read_hashed(&mut stream, bytes, PieceHasher::new(facts.size, head.piece))?;
        if chaining == head.chaining {
            incoming.write(run, &Came { slot: &slot, facts, head, bytes })?;
        } else {
            again(run, &slot, &head);
        }
    }
    Ok(())
}

/// A piece that is what it should be.
struct Came<'a> {
    slot: &'a Slot,
    facts: FileFacts,
    head: PieceHead,
    bytes: &'a [u8],
}

fn invalid(why: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}

/// The next piece's head; `None` where the sender stopped between two.
fn next_head(stream: &mut impl Read) -> io::Result<Option<PieceHead>> {
    let mut head = [0; PieceHead::BYTES];
    let mut read = 0;
    while read < head.len() {
        match stream.read(&mut head[read..])? {
            0 if read == 0 => return Ok(None),
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            more => read += more,
        }
    }
    Ok(Some(PieceHead::from_bytes(&head)))
}

fn read_hashed(stream: &mut impl Read, bytes: &mut [u8], mut hasher: PieceHasher) -> io::Result<Chaining> {
    for some in bytes.chunks_mut(HASHED_AT_ONCE) {
        stream.read_exact(some)?;
        hasher.update(some);
    }
    Ok(hasher.finish())
}

/// Asks for a piece once more; a file that is wrong again and again is given up.
fn again(run: &Run, slot: &Slot, head: &PieceHead) {
    let mut state = slot.state.lock();
    let SlotState::Coming(coming) = &mut *state else { return };
    coming.wrong += 1;
    if coming.wrong <= MOST_WRONG {
        return run.say(FromReceiver::Again { entry: head.entry, piece: head.piece });
    }
    drop(state);
    run.give_up(head.entry, slot, problem(WriteError::Checksum.into()));
}

impl Incoming {
    /// Writes a piece that was verified. While the disk is full it waits for room.
    fn write(self: &Arc<Self>, run: &Run, came: &Came<'_>) -> io::Result<()> {
        loop {
            match self.try_write(run, came) {
                Ok(()) => return Ok(()),
                Err(WriteError::NoSpace) => self.wait_for_room(run, came.bytes.len() as u64)?,
                Err(error) => {
                    run.give_up(came.head.entry, came.slot, problem(error.into()));
                    self.fail_entry(came.slot);
                    return Ok(());
                }
            }
        }
    }

    fn try_write(&self, run: &Run, came: &Came<'_>) -> Result<(), WriteError> {
        let Came { slot, facts, head, bytes } = *came;
        let Some(file) = self.file_of(slot, facts, head.piece)? else { return Ok(()) };
        crash::step("write")?;
        file.write_all_at(bytes, u64::from(head.piece) * u64::from(PIECE))?;
        self.count(run, slot, (head.piece, head.chaining), &file)
    }

    /// A piece is in its file: it counts from now on.
    pub(super) fn count(
        &self,
        run: &Run,
        slot: &Slot,
        (piece, chaining): (u32, Chaining),
        file: &Arc<File>,
    ) -> Result<(), WriteError> {
        let mut state = slot.state.lock();
        let SlotState::Coming(coming) = &mut *state else { return Ok(()) };
        if !coming.progress.mark(piece, chaining) {
            return Ok(());
        }
        let facts = coming.progress.facts();
        let hash = coming.progress.hash().map(|hash| *hash.as_bytes());
        if hash.is_some() {
            set_modified(&**file, facts.modified_ns)?;
            *state = SlotState::Here(hash);
        }
        drop(state);
        let (item, path) = (slot.entry.item, slot.entry.path.clone());
        let bytes = piece_len(facts.size, piece).map_or(0, u64::from);
        // Said first: it may be settled, and in its place, a moment later.
        self.with_item(item, |item| {
            item.received_size += bytes;
            item.state = ItemState::Receiving;
        });
        let alone = (facts.size > u64::from(PIECE)).then(|| Arc::clone(file));
        let record = Record::Piece { item, path, facts, piece, chaining };
        if run.took(slot, record, bytes, alone, hash.is_some()) {
            self.note(run)?;
        }
        Ok(())
    }

    /// The file that a piece is written to; `None` if it is here already, or not wanted any more.
    pub(super) fn file_of(
        &self,
        slot: &Slot,
        facts: FileFacts,
        piece: u32,
    ) -> Result<Option<Arc<File>>, WriteError> {
        let mut state = slot.state.lock();
        let SlotState::Coming(coming) = &mut *state else { return Ok(None) };
        if coming.progress.has(piece) {
            return Ok(None);
        }
        if let Some(file) = &coming.file {
            return Ok(Some(Arc::clone(file)));
        }
        let spot = self.folders.spot(&self.tree, &slot.path)?;
        let create = || if facts.executable { spot.create_executable() } else { spot.create() };
        let file = if facts.size > u64::from(PIECE) {
            spot.open_to_write()?
        } else {
            match create() {
                // A run before this one was cut off while it wrote it.
                Err(WriteError::Exists) => {
                    spot.remove_file()?;
                    create()?
                }
                created => created?,
            }
        };
        let file = Arc::new(file);
        if facts.size > u64::from(PIECE) {
            coming.file = Some(Arc::clone(&file));
        }
        Ok(Some(file))
    }

    fn fail_entry(&self, slot: &Slot) {
        let error = ApiError::new(
            ErrorCode::WriteFailed,
            "Some of it could not be written.",
            "See what the sender was told of single files.",
        );
        self.with_item(slot.entry.item, |item| item.error = Some(error));
        self.changed();
    }

    /// Waits until nobody holds the transfer.
    pub(super) fn wait_while_held(&self, run: &Run) -> io::Result<()> {
        if self.held.borrow().is_none() {
            return Ok(());
        }
        let mut held = self.held.subscribe();
        wait(run, async { drop(held.wait_for(Option::is_none).await) })
    }
}

/// Waits for something, as long as the run goes on.
pub(super) fn wait(run: &Run, until: impl Future<Output = ()>) -> io::Result<()> {
    Handle::current().block_on(async {
        tokio::select! {
            () = until => Ok(()),
            () = run.ended().cancelled() => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    })
}

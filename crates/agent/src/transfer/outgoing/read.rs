//! Reads pieces, hashes them, and writes them to one stream, until there will be no more. Blocks.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use proto::ApiError;
use proto::wire::transfer::{FileFacts, PIECE, PieceHead};

use super::queue::{Job, Queue};
use super::rate_limit::Limited;
use super::walk::facts_of;
use super::{Outgoing, Source};
use crate::files::FilesError;
use crate::share::Stat;
use crate::transfer::pieces::{PieceHasher, piece_len};

/// Small pieces are written so many bytes at once.
const WRITTEN_AT_ONCE: usize = 256 << 10;
/// Hashed while they are still in the processor's own memory.
const HASHED_AT_ONCE: usize = 128 << 10;

/// A file that changed is looked at again after this time …
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// … and so often at most.
const LOOKS: u32 = 40;

/// What became of a file when it was read.
pub(super) enum Trouble {
    /// It is another now: it has to be told of anew.
    Changed(FileFacts),
    /// It cannot be read.
    Lost(ApiError),
}

impl From<FilesError> for Trouble {
    fn from(error: FilesError) -> Self {
        Self::Lost(error.into())
    }
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        Self::Lost(FilesError::from(error).into())
    }
}

/// Writes pieces of the queue to a stream; `troubled` is told of files that cannot be sent as they were told of.
///
/// # Errors
/// The stream broke.
pub(super) fn feed(queue: &Queue, stream: Limited, troubled: impl Fn(Job, Trouble)) -> io::Result<()> {
    let mut stream = BufWriter::with_capacity(WRITTEN_AT_ONCE, stream);
    let mut buffer = vec![0; WRITTEN_AT_ONCE];
    loop {
        let job = match queue.try_pop() {
            Some(job) => job,
            None => {
                // Nothing may lie here while there is nothing to do.
                stream.flush()?;
                let Some(job) = queue.pop() else { break };
                job
            }
        };
        if job.file.void.load(Ordering::Relaxed) {
            continue;
        }
        match read(&job, &mut buffer) {
            Ok(head) => {
                stream.write_all(&head.to_bytes())?;
                stream.write_all(&buffer[..head.len as usize])?;
            }
            // Told once, whoever is at another of its pieces.
            Err(_) if job.file.void.swap(true, Ordering::Relaxed) => {}
            Err(Trouble::Changed(now)) => {
                let trouble = settled(&job, now);
                troubled(job, trouble);
            }
            Err(trouble) => troubled(job, trouble),
        }
    }
    stream.into_inner().map_err(io::IntoInnerError::into_error)?.stream.finish()
}

/// Reads and hashes a piece. A file that is not what it was when it was told of is not sent.
fn read(job: &Job, buffer: &mut Vec<u8>) -> Result<PieceHead, Trouble> {
    let facts = job.file.facts;
    let Some(len) = piece_len(facts.size, job.piece) else { return Err(FilesError::Changed.into()) };
    if buffer.len() < len as usize {
        buffer.resize(PIECE as usize, 0);
    }
    let file = job.file.open()?;
    let mut hasher = PieceHasher::new(facts.size, job.piece);
    let mut offset = u64::from(job.piece) * u64::from(PIECE);
    for some in buffer[..len as usize].chunks_mut(HASHED_AT_ONCE) {
        match file.read_exact_at(some, offset) {
            // It has become shorter; what it is now is told below.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => break,
            read => read?,
        }
        hasher.update(some);
        offset += some.len() as u64;
    }
    check(&file, facts)?;
    Ok(PieceHead { entry: job.entry, piece: job.piece, len, chaining: hasher.finish() })
}

fn check(file: &File, told: FileFacts) -> Result<(), Trouble> {
    let now = facts_of(&Stat::of_handle(file)?);
    if (now.size, now.modified_ns) == (told.size, told.modified_ns) {
        Ok(())
    } else {
        Err(Trouble::Changed(now))
    }
}

/// What a file that changed is now. One that somebody is writing is given a moment to become what it is to be.
fn settled(job: &Job, mut now: FileFacts) -> Trouble {
    for _ in 0..LOOKS {
        std::thread::sleep(LOOK_EVERY);
        match job.file.source.root.stat(&job.file.path) {
            Err(error) => return error.into(),
            Ok(stat) if facts_of(&stat) == now => break,
            Ok(stat) => now = facts_of(&stat),
        }
    }
    Trouble::Changed(now)
}

impl Outgoing {
    /// The file. One of many pieces stays open.
    fn open(&self) -> Result<Arc<File>, Trouble> {
        let mut held = self.open.lock();
        if let Some(open) = &*held {
            return Ok(Arc::clone(open));
        }
        let Source { root, .. } = &self.source;
        let open = root.open_file(&self.path)?;
        let file = Arc::new(open.file);
        check(&file, self.facts)?;
        if self.facts.size > u64::from(PIECE) {
            *held = Some(Arc::clone(&file));
        }
        Ok(file)
    }
}

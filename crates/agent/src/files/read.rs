//! The content of one file, as it is sent: in windows the kernel sends itself where the connection can do that, else
//! in chunks.
//!
//! Nothing here waits for a disk on the runtime's threads: what is not in the page cache is first read in on the
//! blocking pool. Before every step the file is looked at again by its handle; if its size or time of change is
//! another, the body ends as broken, so that no answer is ever made of two versions or shorter than it said.

use std::collections::VecDeque;
use std::fs::File;
use std::io::IoSliceMut;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use peer::sendfile::{Lane, Version, WINDOW};
use rustix::io::{Errno, ReadWriteFlags, pread, preadv2};
use tokio::task::JoinHandle;

use super::FilesError;
use crate::share::{OpenFile, Stat};

/// How much is read at a time where content passes through this process.
const CHUNK: usize = 128 << 10;
/// The same for little: a slow reader of a small file holds no more.
const SMALL_CHUNK: usize = 16 << 10;
/// How far apart a window is probed for being in the page cache.
const PROBE: usize = 256 << 10;
/// Content up to this size is read at once and sent in the same write as its header.
pub const SMALL: u64 = 64 << 10;

/// Reads a small piece of a file whole.
///
/// # Errors
/// [`FilesError::Changed`] if the file is not what it was when it was opened, or the disk's error.
pub async fn small(open: OpenFile, span: Range<u64>) -> Result<Bytes, FilesError> {
    let mut chunk = Chunk::take(length(&span, CHUNK));
    if !span.is_empty() && read_cached(&open.file, chunk.buffer(), span.start) != Ok(chunk.len) {
        return super::off_thread(move || {
            read_full(&open.file, chunk.buffer(), span.start)?;
            unchanged(&open.file, &open.stat)?;
            Ok(chunk.into())
        })
        .await;
    }
    unchanged(&open.file, &open.stat)?;
    Ok(chunk.into())
}

/// A piece of an answer.
#[derive(Clone, Debug)]
pub enum Part {
    /// Ready bytes: what stands between the ranges of a multipart answer.
    Text(Bytes),
    /// Content of the file.
    Span(Range<u64>),
}

/// A body made of pieces of one file.
pub struct FileBody {
    file: Arc<File>,
    stat: Stat,
    lane: Option<Lane>,
    parts: VecDeque<Part>,
    remaining: u64,
    /// True once anything went out.
    begun: bool,
    /// What was just read into the page cache.
    warm: Range<u64>,
    reading: Option<JoinHandle<Result<Bytes, FilesError>>>,
}

impl FileBody {
    /// A body of these parts, in order. With a lane the kernel sends the content.
    #[must_use]
    pub fn new(open: OpenFile, parts: Vec<Part>, lane: Option<Lane>) -> Self {
        let remaining = parts.iter().map(|part| match part {
            Part::Text(text) => text.len() as u64,
            Part::Span(span) => span.end - span.start,
        });
        Self {
            remaining: remaining.sum(),
            file: Arc::new(open.file),
            stat: open.stat,
            lane,
            parts: parts.into(),
            begun: false,
            warm: 0..0,
            reading: None,
        }
    }

    /// The next bytes of a span, or `None` if they are being read in.
    fn next_of(&mut self, span: &Range<u64>) -> Result<Option<Bytes>, FilesError> {
        if let Some(window) = self.window(span)? {
            return Ok(window);
        }
        let mut chunk = Chunk::take(length(span, CHUNK));
        match read_cached(&self.file, chunk.buffer(), span.start) {
            Ok(read) if read > 0 => {
                unchanged(&self.file, &self.stat)?;
                chunk.len = read;
                Ok(Some(chunk.into()))
            }
            _ => {
                let (file, stat, start) = (Arc::clone(&self.file), self.stat, span.start);
                self.read_off_thread(move || {
                    read_full(&file, chunk.buffer(), start)?;
                    unchanged(&file, &stat)?;
                    Ok(chunk.into())
                });
                Ok(None)
            }
        }
    }

    /// A window on a span: `Some(None)` while it is read into the page cache, `None` if there can be none.
    fn window(&mut self, span: &Range<u64>) -> Result<Option<Option<Bytes>>, FilesError> {
        let Some(lane) = &self.lane else { return Ok(None) };
        let len = length(span, WINDOW);
        let wanted = span.start..span.start + len as u64;
        if self.warm != wanted && !is_cached(&self.file, span.start, len) {
            let (file, start) = (Arc::clone(&self.file), span.start);
            self.warm = wanted;
            self.read_off_thread(move || warm(&file, start, len).map(|()| Bytes::new()));
            return Ok(Some(None));
        }
        // The lane looks again right before and after it sends; only what waits here for its turn is worth a look.
        if self.begun {
            unchanged(&self.file, &self.stat)?;
        }
        let version = Version::new(self.stat.size, self.stat.mtime_ns);
        Ok(lane.window(&self.file, version, span.start, len).map(Some))
    }

    fn read_off_thread(&mut self, work: impl FnOnce() -> Result<Bytes, FilesError> + Send + 'static) {
        self.reading = Some(tokio::task::spawn_blocking(work));
    }

    fn poll_bytes(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Bytes>, FilesError>> {
        loop {
            if let Some(reading) = &mut self.reading {
                let read = ready!(Pin::new(reading).poll(cx));
                self.reading = None;
                let bytes = read.map_err(|panicked| FilesError::Io(panicked.into()))??;
                if !bytes.is_empty() {
                    return Poll::Ready(Ok(Some(self.passed(bytes))));
                }
            }
            match self.parts.front().cloned() {
                None => return Poll::Ready(Ok(None)),
                Some(Part::Text(text)) => {
                    self.parts.pop_front();
                    self.remaining -= text.len() as u64;
                    return Poll::Ready(Ok(Some(text)));
                }
                Some(Part::Span(span)) if span.is_empty() => drop(self.parts.pop_front()),
                Some(Part::Span(span)) => {
                    if let Some(bytes) = self.next_of(&span)? {
                        return Poll::Ready(Ok(Some(self.passed(bytes))));
                    }
                }
            }
        }
    }

    /// Notes that these bytes of the present span go out.
    fn passed(&mut self, bytes: Bytes) -> Bytes {
        let len = bytes.len() as u64;
        self.begun = true;
        self.remaining -= len;
        if let Some(Part::Span(span)) = self.parts.front_mut() {
            span.start += len;
            if span.is_empty() {
                self.parts.pop_front();
            }
        }
        bytes
    }
}

impl http_body::Body for FileBody {
    type Data = Bytes;
    type Error = FilesError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, FilesError>>> {
        let bytes = ready!(self.poll_bytes(cx));
        if let Err(error) = &bytes {
            tracing::warn!(%error, "content broke off");
            self.parts.clear();
        }
        Poll::Ready(bytes.map(|bytes| bytes.map(Frame::data)).transpose())
    }

    fn is_end_stream(&self) -> bool {
        self.remaining == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.remaining)
    }
}

fn length(span: &Range<u64>, most: usize) -> usize {
    usize::try_from(span.end - span.start).unwrap_or(most).min(most)
}

/// Reads what the page cache holds; an error if it holds nothing of it, or if the file system cannot say.
fn read_cached(file: &File, buffer: &mut [u8], offset: u64) -> Result<usize, Errno> {
    preadv2(file, &mut [IoSliceMut::new(buffer)], offset, ReadWriteFlags::NOWAIT)
}

fn is_cached(file: &File, offset: u64, len: usize) -> bool {
    let probe = |at: usize| matches!(read_cached(file, &mut [0], offset + at as u64), Ok(1));
    (0..len).step_by(PROBE).all(probe) && probe(len - 1)
}

/// Fills the buffer, waiting for the disk.
///
/// # Errors
/// [`FilesError::Changed`] if the file ends before, or the disk's error.
pub fn read_full(file: &File, mut buffer: &mut [u8], mut offset: u64) -> Result<(), FilesError> {
    while !buffer.is_empty() {
        match pread(file, &mut *buffer, offset) {
            Ok(0) => return Err(FilesError::Changed),
            Ok(read) => {
                buffer = &mut buffer[read..];
                offset += read as u64;
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(FilesError::Io(error.into())),
        }
    }
    Ok(())
}

/// Reads a window into the page cache.
fn warm(file: &File, offset: u64, len: usize) -> Result<(), FilesError> {
    let mut chunk = Chunk::take(CHUNK);
    for at in (0..len).step_by(CHUNK) {
        let piece = (len - at).min(CHUNK);
        read_full(file, &mut chunk.buffer()[..piece], offset + at as u64)?;
    }
    Ok(())
}

/// Fails if the file is no longer the version that was opened.
///
/// # Errors
/// [`FilesError::Changed`].
pub fn unchanged(file: &File, opened: &Stat) -> Result<(), FilesError> {
    let now = Stat::of_handle(file)?;
    let same = (now.size, now.mtime_ns, now.ino) == (opened.size, opened.mtime_ns, opened.ino);
    if same { Ok(()) } else { Err(FilesError::Changed) }
}

/// Buffers of one size that wait to be filled again.
struct Spare {
    size: usize,
    most: usize,
    buffers: Mutex<Vec<Box<[u8]>>>,
}

static SPARE_SMALL: Spare = Spare { size: SMALL_CHUNK, most: 64, buffers: Mutex::new(Vec::new()) };
static SPARE_LARGE: Spare = Spare { size: CHUNK, most: 32, buffers: Mutex::new(Vec::new()) };

/// A buffer that is lent out as [`Bytes`] and comes back: fresh memory would be cleared before each read.
struct Chunk {
    buffer: Box<[u8]>,
    len: usize,
    spare: &'static Spare,
}

impl Chunk {
    fn take(len: usize) -> Self {
        let spare = if len <= SMALL_CHUNK { &SPARE_SMALL } else { &SPARE_LARGE };
        let buffer = spare.buffers.lock().pop();
        Self { buffer: buffer.unwrap_or_else(|| vec![0; spare.size].into()), len, spare }
    }

    fn buffer(&mut self) -> &mut [u8] {
        &mut self.buffer[..self.len]
    }
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.buffer[..self.len]
    }
}

impl From<Chunk> for Bytes {
    fn from(chunk: Chunk) -> Self {
        Self::from_owner(chunk)
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mut buffers = self.spare.buffers.lock();
        if buffers.len() < self.spare.most {
            buffers.push(std::mem::take(&mut self.buffer));
        }
    }
}

//! Bytes that stand for a piece of a file: content that the kernel moves from the page cache to the socket.
//!
//! Copying file content through this process costs ten times the CPU of `sendfile`, but hyper owns the socket and
//! knows only [`Bytes`]. So a body on a plain HTTP/1.1 connection may ask the connection's [`Lane`] for a *window*:
//! a `Bytes` that points into a static block of zeros nobody ever reads, at a slot which the lane remembers as
//! "this file, from this offset". hyper passes it on untouched; the connection's [`LaneIo`], at the very end,
//! recognises the address, and calls `sendfile` instead of `write`. The slot is freed when hyper drops the `Bytes`.
//!
//! Safety of the trick, all of it checked: the lane is offered only where no layer rewrites bodies (plain TCP,
//! HTTP/1.x); a window names its slot by its address, so order does not matter and a part of a window is
//! understood; a slot that is no longer known, a file that ends early, or one that changes while its window waits for
//! the reader, breaks the connection. Zeros can therefore never be sent in place of content, nor one file or version
//! in place of another. What the kernel has already queued is the page cache's own memory: who writes into a file in
//! place, without cutting it first, can still change that.

use std::fs::File;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// The most bytes one window stands for. Also the step at which a body checks that its file is unchanged.
pub const WINDOW: usize = 1 << 20;
/// Windows under way at once on one connection; hyper holds one or two.
const SLOTS: usize = 8;

/// Never read, never written: it only lends its addresses. As `.bss` it takes no memory.
static ADDRESSES: [u8; WINDOW * SLOTS] = [0; WINDOW * SLOTS];

/// Where a window's bytes really are.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) file: Arc<File>,
    pub(crate) offset: u64,
    version: Version,
}

/// What tells that a file's content is still the same: its size, and when it last changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    size: u64,
    mtime_ns: i64,
}

impl Version {
    /// The version of a file of this size that last changed then: nanoseconds since 1970, as many as 64 bits hold.
    #[must_use]
    pub const fn new(size: u64, mtime_ns: i64) -> Self {
        Self { size, mtime_ns }
    }

    /// The version that an open file is now.
    ///
    /// # Errors
    /// The file system does not answer.
    #[allow(clippy::unnecessary_cast, clippy::cast_lossless, reason = "systems differ in these types")]
    pub fn of(file: &File) -> io::Result<Self> {
        let stat = rustix::fs::fstat(file)?;
        let seconds = (stat.st_mtime as i64).saturating_mul(1_000_000_000);
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        Ok(Self::new(size, seconds.saturating_add_unsigned(stat.st_mtime_nsec as u64)))
    }
}

impl Source {
    /// Fails if the file is not the version that its window stands for.
    pub(crate) fn check(&self) -> io::Result<()> {
        if Version::of(&self.file)? == self.version {
            return Ok(());
        }
        Err(io::Error::other("a file changed while it was sent"))
    }
}

/// The windows of one connection. A request extension on connections that can use it.
#[derive(Clone, Default)]
pub struct Lane {
    slots: Arc<Mutex<[Option<Source>; SLOTS]>>,
}

impl Lane {
    /// Bytes that stand for `len` bytes of this version of `file`, from `offset`; or `None` if every slot is in use
    /// or `len` is over [`WINDOW`]: the caller then reads and copies.
    #[must_use]
    pub fn window(&self, file: &Arc<File>, version: Version, offset: u64, len: usize) -> Option<Bytes> {
        if len == 0 || len > WINDOW {
            return None;
        }
        let mut slots = self.slots.lock();
        let slot = slots.iter().position(Option::is_none)?;
        slots[slot] = Some(Source { file: Arc::clone(file), offset, version });
        Some(Bytes::from_owner(Window { lane: self.clone(), slot, len }))
    }

    /// What `bytes` stands for; `None` for ordinary bytes.
    ///
    /// # Errors
    /// `bytes` is a window whose slot is not known: a bug, answered by breaking the connection.
    pub(crate) fn source_of(&self, bytes: &[u8]) -> io::Result<Option<Source>> {
        let block = ADDRESSES.as_ptr_range();
        if !block.contains(&bytes.as_ptr()) {
            return Ok(None);
        }
        let position = bytes.as_ptr() as usize - block.start as usize;
        let (slot, within) = (position / WINDOW, position % WINDOW);
        match &self.slots.lock()[slot] {
            Some(source) => Ok(Some(Source { offset: source.offset + within as u64, ..source.clone() })),
            None => Err(io::Error::other("a file window outlived its connection")),
        }
    }
}

/// Owns a slot for as long as hyper holds the bytes.
struct Window {
    lane: Lane,
    slot: usize,
    len: usize,
}

impl AsRef<[u8]> for Window {
    fn as_ref(&self) -> &[u8] {
        &ADDRESSES[self.slot * WINDOW..][..self.len]
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        self.lane.slots.lock()[self.slot] = None;
    }
}

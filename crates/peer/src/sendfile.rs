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
//! understood; a slot that is no longer known, or a file that ends early, breaks the connection. Zeros can
//! therefore never be sent in place of content, nor one file in place of another.

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
struct Source {
    file: Arc<File>,
    offset: u64,
}

/// The windows of one connection. A request extension on connections that can use it.
#[derive(Clone, Default)]
pub struct Lane {
    slots: Arc<Mutex<[Option<Source>; SLOTS]>>,
}

impl Lane {
    /// Bytes that stand for `len` bytes of `file` from `offset`, or `None` if every slot is in use or `len` is
    /// over [`WINDOW`]: the caller then reads and copies.
    #[must_use]
    pub fn window(&self, file: &Arc<File>, offset: u64, len: usize) -> Option<Bytes> {
        if len == 0 || len > WINDOW {
            return None;
        }
        let mut slots = self.slots.lock();
        let slot = slots.iter().position(Option::is_none)?;
        slots[slot] = Some(Source { file: Arc::clone(file), offset });
        Some(Bytes::from_owner(Window { lane: self.clone(), slot, len }))
    }

    /// The file and offset that `bytes` stands for; `None` for ordinary bytes.
    ///
    /// # Errors
    /// `bytes` is a window whose slot is not known: a bug, answered by breaking the connection.
    pub(crate) fn source_of(&self, bytes: &[u8]) -> io::Result<Option<(Arc<File>, u64)>> {
        let block = ADDRESSES.as_ptr_range();
        if !block.contains(&bytes.as_ptr()) {
            return Ok(None);
        }
        let position = bytes.as_ptr() as usize - block.start as usize;
        let (slot, within) = (position / WINDOW, position % WINDOW);
        match &self.slots.lock()[slot] {
            Some(source) => Ok(Some((Arc::clone(&source.file), source.offset + within as u64))),
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

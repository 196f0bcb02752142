//! Where a share keeps what is not in its place: parts that are coming, contents that were replaced, what was deleted,
//! how to undo, and what moves. A folder `.lanthorn-store` in the share's root, on the same disk, so that everything goes in and
//! out by a rename. It is made by the first write.

use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use parking_lot::{Condvar, Mutex};
use proto::RelPath;

use super::WriteError;
use crate::share::ShareRoot;

/// The folder of the store, in Lanthorn's own names.
const HOME: &str = "store";

/// The rooms of the store, each a gate of its own.
pub struct Rooms {
    /// Content that is coming: a file each.
    pub parts: ShareRoot,
    /// Uploads that can be resumed: a folder each.
    pub uploads: ShareRoot,
    /// Transfers from other machines: a folder each.
    pub incoming: ShareRoot,
    /// Contents that were replaced: under the path of the file they were of.
    pub versions: ShareRoot,
    /// What was deleted: a folder each.
    pub trash: ShareRoot,
    /// How to undo: a file each.
    pub undo: ShareRoot,
    /// What is about to move and has versions, which are to follow: a file each.
    pub moves: ShareRoot,
}

/// The store of one share.
pub struct Store {
    share: Arc<ShareRoot>,
    rooms: OnceLock<Rooms>,
    making: Mutex<()>,
    busy: Busy,
}

impl Store {
    /// The store of a share; nothing is made yet.
    #[must_use]
    pub fn new(share: Arc<ShareRoot>) -> Self {
        Self { share, rooms: OnceLock::new(), making: Mutex::new(()), busy: Busy::default() }
    }

    /// The rooms, made where they are missing.
    ///
    /// # Errors
    /// [`WriteError`]: the share's root cannot be written to.
    pub fn rooms(&self) -> Result<&Rooms, WriteError> {
        if let Some(rooms) = self.rooms.get() {
            return Ok(rooms);
        }
        let _making = self.making.lock();
        if let Some(rooms) = self.rooms.get() {
            return Ok(rooms);
        }
        let home = self.share.own_root(HOME)?;
        let rooms = Rooms {
            parts: home.inner_root("parts")?,
            uploads: home.inner_root("uploads")?,
            incoming: home.inner_root("incoming")?,
            versions: home.inner_root("versions")?,
            trash: home.inner_root("trash")?,
            undo: home.inner_root("undo")?,
            moves: home.inner_root("moves")?,
        };
        Ok(self.rooms.get_or_init(|| rooms))
    }

    /// The rooms, if anything was ever written here: who only looks makes nothing.
    ///
    /// # Errors
    /// As [`Self::rooms`].
    pub fn made(&self) -> Result<Option<&Rooms>, WriteError> {
        match self.rooms.get() {
            Some(rooms) => Ok(Some(rooms)),
            None if self.share.has_own(HOME)? => self.rooms().map(Some),
            None => Ok(None),
        }
    }

    /// Waits until no other of our own writers is at work on this path, and keeps them away until dropped.
    #[must_use]
    pub fn hold(&self, path: &RelPath) -> Held<'_> {
        self.busy.hold(path)
    }
}

/// The paths that are being written.
#[derive(Default)]
struct Busy {
    paths: Mutex<HashSet<RelPath>>,
    freed: Condvar,
}

/// A path kept for one writer. Short: looked at, renamed, given back. Never across a wait for the network.
pub struct Held<'a> {
    busy: &'a Busy,
    path: RelPath,
}

impl Busy {
    fn hold(&self, path: &RelPath) -> Held<'_> {
        let mut paths = self.paths.lock();
        while !paths.insert(path.clone()) {
            self.freed.wait(&mut paths);
        }
        Held { busy: self, path: path.clone() }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.busy.paths.lock().remove(&self.path);
        self.busy.freed.notify_all();
    }
}

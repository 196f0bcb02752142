//! Where a tree comes together before anybody sees it: a folder among the parts, with its inner folders held open.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use proto::RelPath;
use uuid::Uuid;

use crate::crash;
use crate::files::write::WriteError;
use crate::files::write::part::check_room;
use crate::files::write::store::Store;
use crate::files::{FilesError, tree};
use crate::share::write::{Spot, mark_used, reserve, set_modified};

/// Folders that are held open.
const MOST_OPEN: usize = 256;
const BUFFER: usize = 256 << 10;
/// For files from this size on it is looked first whether there is room.
const LARGE: u64 = 1 << 20;

/// A tree that is coming. It goes with what is still in it.
pub(super) struct Stage<'a> {
    store: &'a Store,
    spot: Spot,
    top: Arc<OwnedFd>,
    open: HashMap<RelPath, Arc<OwnedFd>>,
    folders: u64,
    buffer: Vec<u8>,
}

/// A file that is coming. It goes unless it was finished.
pub(super) struct Coming {
    spot: Spot,
    file: File,
    written: u64,
    finished: bool,
}

impl<'a> Stage<'a> {
    pub(super) fn create(store: &'a Store) -> Result<Self, WriteError> {
        let parts = store.rooms()?.parts.open_folder(&RelPath::root())?.into_folder();
        let spot = Spot::of(parts, Uuid::now_v7().simple().to_string().as_bytes());
        spot.make_folder()?;
        let top = spot.open_folder()?.into_folder();
        mark_used(&top);
        Ok(Self { store, spot, top, open: HashMap::new(), folders: 0, buffer: vec![0; BUFFER] })
    }

    /// What everybody uses to read.
    pub(super) fn buffer(&mut self) -> &mut [u8] {
        &mut self.buffer
    }

    /// How many folders were made.
    pub(super) const fn folders(&self) -> u64 {
        self.folders
    }

    /// Everything that came, by its outermost names.
    pub(super) fn contents(&self) -> Result<Vec<Spot>, FilesError> {
        tree::contents(self.spot.open_folder()?)
    }

    /// A folder of the tree, made if it is not there yet.
    pub(super) fn folder(&mut self, path: &RelPath) -> Result<Arc<OwnedFd>, WriteError> {
        if let Some(open) = self.open.get(path) {
            return Ok(Arc::clone(open));
        }
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Ok(Arc::clone(&self.top));
        };
        let spot = Spot::of(self.folder(&parent)?, name);
        match spot.make_folder() {
            Ok(()) => self.folders += 1,
            Err(WriteError::Exists) => {}
            Err(error) => return Err(error),
        }
        let folder = spot.open_folder()?.into_folder();
        if self.open.len() >= MOST_OPEN {
            self.open.clear();
        }
        self.open.insert(path.clone(), Arc::clone(&folder));
        Ok(folder)
    }

    /// A file of the tree. Names that this disk takes for the same are an error.
    pub(super) fn file(&mut self, path: &RelPath, size: u64, executable: bool) -> Result<Coming, WriteError> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(FilesError::IsFolder.into());
        };
        if size >= LARGE {
            check_room(&self.store.rooms()?.parts, size)?;
        }
        let spot = Spot::of(self.folder(&parent)?, name);
        let file = if executable { spot.create_executable()? } else { spot.create()? };
        let coming = Coming { spot, file, written: 0, finished: false };
        if size >= LARGE {
            reserve(&coming.file, size)?;
        }
        Ok(coming)
    }
}

impl Drop for Stage<'_> {
    fn drop(&mut self) {
        if let Err(error) = tree::remove(&self.spot) {
            tracing::warn!(%error, "what was not unpacked to its place is left to be swept");
        }
    }
}

impl Coming {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        crash::step("write")?;
        self.file.write_all_at(bytes, self.written)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    pub(super) fn finish(mut self, modified: Option<i64>) -> Result<(), WriteError> {
        if let Some(modified) = modified {
            set_modified(&self.file, modified)?;
        }
        self.finished = true;
        Ok(())
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if !self.finished {
            let _ = self.spot.remove_file();
        }
    }
}

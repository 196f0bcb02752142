//! The folders of a tree that many files come into, held open: a file is then one name in an open folder.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use parking_lot::Mutex;
use proto::RelPath;

use crate::files::FilesError;
use crate::files::write::WriteError;
use crate::share::ShareRoot;
use crate::share::write::Spot;

/// Folders that are held open.
const MOST_OPEN: usize = 256;

#[derive(Default)]
pub(super) struct Folders(Mutex<HashMap<RelPath, Arc<OwnedFd>>>);

impl Folders {
    /// The place of a path. Folders on the way that nobody told of are made.
    pub(super) fn spot(&self, root: &ShareRoot, path: &RelPath) -> Result<Spot, WriteError> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(FilesError::IsFolder.into());
        };
        let mut open = self.0.lock();
        if let Some(folder) = open.get(&parent) {
            return Ok(Spot::of(Arc::clone(folder), name));
        }
        root.make_folders(&parent)?;
        let folder = root.open_folder(&parent)?.into_folder();
        if open.len() >= MOST_OPEN {
            open.clear();
        }
        open.insert(parent, Arc::clone(&folder));
        Ok(Spot::of(folder, name))
    }
}

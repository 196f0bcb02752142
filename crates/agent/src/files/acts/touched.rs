//! The folders whose names an act changed: each is made durable once, before anybody is told.

use std::collections::HashMap;

use crate::files::write::WriteError;
use crate::share::ShareRoot;
use crate::share::write::Spot;

/// From this many folders on, one wait for the whole disk is shorter than one for each.
const MANY: usize = 64;

/// What has to be made durable.
#[derive(Default)]
pub(super) struct Touched {
    folders: HashMap<(u64, u64), Spot>,
    /// Too many to be held: it will be the whole disk.
    whole_disk: bool,
}

impl Touched {
    /// The folder that this is a name in was changed.
    pub(super) fn add(&mut self, spot: &Spot) -> Result<(), WriteError> {
        if !self.whole_disk {
            self.folders.entry(spot.folder_id()?).or_insert_with(|| spot.clone());
        }
        if self.folders.len() >= MANY {
            self.whole_disk = true;
            self.folders.clear();
        }
        Ok(())
    }

    pub(super) fn sync(&mut self, root: &ShareRoot) -> Result<(), WriteError> {
        if std::mem::take(&mut self.whole_disk) {
            return root.sync_all();
        }
        self.folders.drain().try_for_each(|(_, spot)| spot.sync_folder())
    }
}

//! The folder of one upload in the share's store:
//!
//! - `data`: the bytes that came;
//! - `info.json`: what it is to be. Written last, so that without it the folder is what a broken beginning left;
//! - `verified`: how far the bytes were compared with their checksums. What lies behind is cut off after a crash. Absent
//!   if nothing was ever announced with a checksum;
//! - `end.json`: how it ended. `data` is gone then, or about to go.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use proto::{RelPath, UploadId};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::info::{End, Info};
use crate::crash;
use crate::files::write::WriteError;
use crate::files::write::store::Store;
use crate::files::{FilesError, note};
use crate::share::write::{Spot, sync_file};

const DATA: &str = "data";
const INFO: &str = "info.json";
const VERIFIED: &str = "verified";
const END: &str = "end.json";
/// A note that is being written.
const NEW: &str = "new";
/// Every file that can be in the folder, in the order in which they are removed.
const FILES: [&str; 5] = [INFO, NEW, DATA, VERIFIED, END];
/// Stands in `verified` for: to its end.
pub(super) const ALL: u64 = u64::MAX;

/// The folder of one upload, held open for as long as something is done in it.
pub(super) struct Home {
    /// Its name in the folder of all.
    spot: Spot,
    folder: Arc<OwnedFd>,
}

impl Home {
    /// Makes the folder, with no bytes in it. It is no upload before [`Self::write_info`].
    pub(super) fn make(store: &Store, id: UploadId) -> Result<(Self, File), WriteError> {
        let spot = Self::spot_of(store, id)?;
        spot.make_folder()?;
        let home = Self::at(spot)?;
        let data = home.data().create()?;
        Ok((home, data))
    }

    pub(super) fn open(store: &Store, id: UploadId) -> Result<Self, WriteError> {
        Self::at(Self::spot_of(store, id)?)
    }

    fn spot_of(store: &Store, id: UploadId) -> Result<Spot, WriteError> {
        let all = store.rooms()?.uploads.open_folder(&RelPath::root())?.into_folder();
        Ok(Spot::of(all, id.to_string().as_bytes()))
    }

    fn at(spot: Spot) -> Result<Self, WriteError> {
        let folder = spot.open_folder()?.into_folder();
        Ok(Self { spot, folder })
    }

    fn file(&self, name: &str) -> Spot {
        Spot::of(Arc::clone(&self.folder), name.as_bytes())
    }

    /// Where the bytes are.
    pub(super) fn data(&self) -> Spot {
        self.file(DATA)
    }

    /// Writes down what the upload is to be, in one step, durably.
    pub(super) fn write_info(&self, info: &Info) -> Result<(), WriteError> {
        let new = self.file(NEW);
        self.write(&new, info)?;
        new.move_over(&self.file(INFO))?;
        new.sync_folder()?;
        self.spot.sync_folder()
    }

    pub(super) fn info(&self) -> Result<Info, WriteError> {
        self.read(INFO)
    }

    /// Writes down how it ended, and lets go of the bytes. Not made durable by itself: whatever a power cut takes of it, the
    /// bytes go no earlier than the note comes.
    pub(super) fn write_end(&self, end: &End) -> Result<(), WriteError> {
        note::write(&self.file(END), end)?;
        gone_is_fine(self.data().remove_file())
    }

    /// How it ended, if it has.
    pub(super) fn end(&self) -> Result<Option<End>, WriteError> {
        match self.file(END).stat() {
            Err(FilesError::NotFound) => Ok(None),
            Err(error) => Err(error.into()),
            // A power cut can take a note's content.
            Ok(_) => Ok(Some(self.read(END).unwrap_or(End::Finished))),
        }
    }

    /// How far the bytes are verified.
    pub(super) fn verified(&self) -> Result<u64, WriteError> {
        let mut bytes = [0; 8];
        match self.file(VERIFIED).open() {
            Err(FilesError::NotFound) => Ok(ALL),
            Err(error) => Err(error.into()),
            // It was being made when the process ended: before the first byte that it is about.
            Ok(open) if open.stat.size < 8 => Ok(ALL),
            Ok(open) => {
                open.file.read_exact_at(&mut bytes, 0)?;
                Ok(u64::from_le_bytes(bytes))
            }
        }
    }

    /// Notes durably how far the bytes are verified. Written in place: one block, which is the old or the new.
    pub(super) fn set_verified(&self, until: u64) -> Result<(), WriteError> {
        let spot = self.file(VERIFIED);
        let made = spot.stat().is_err();
        let file = if made { spot.create()? } else { spot.open_to_write()? };
        crash::step("write mark")?;
        file.write_all_at(&until.to_le_bytes(), 0)?;
        sync_file(&file)?;
        if made { spot.sync_folder() } else { Ok(()) }
    }

    /// Removes the whole folder.
    pub(super) fn remove(self) -> Result<(), WriteError> {
        for name in FILES {
            gone_is_fine(self.file(name).remove_file())?;
        }
        gone_is_fine(self.spot.remove_folder())
    }

    fn write(&self, spot: &Spot, note: &impl Serialize) -> Result<(), WriteError> {
        gone_is_fine(spot.remove_file())?;
        sync_file(&note::write(spot, note)?)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<T, WriteError> {
        let text = std::io::read_to_string(self.file(name).open()?.file)?;
        Ok(serde_json::from_str(&text).map_err(std::io::Error::from)?)
    }
}

pub(super) fn gone_is_fine(removed: Result<(), WriteError>) -> Result<(), WriteError> {
    match removed {
        Err(WriteError::Files(FilesError::NotFound)) => Ok(()),
        removed => removed,
    }
}

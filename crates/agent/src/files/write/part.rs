//! A part: content on its way, in a hidden file that removes itself unless it was put into its place.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use proto::RelPath;
use uuid::Uuid;

use super::WriteError;
use super::store::Store;
use crate::crash;
use crate::files::FilesError;
use crate::share::write::{Spot, copy_content, mark_used, reserve, set_modified, sync_file};
use crate::share::{OpenFile, Stat};

/// Free space that is left alone: a full disk harms more than the upload that filled it. So much at most …
const LEAVE_FREE: u64 = 64 << 20;
/// … and of a small disk this part.
const LEAVE_PART: u64 = 20;

/// Content that is coming.
pub struct PartFile {
    content: Content,
    written: u64,
}

/// Whole content that is durable, and the name under which it lies until it is put into its place.
pub struct Content {
    /// Its file.
    pub file: File,
    /// Where it lies.
    pub spot: Spot,
}

impl PartFile {
    /// An empty part. `expected` bytes are reserved, if it is known how many will come.
    ///
    /// # Errors
    /// [`WriteError::NoSpace`], or the share cannot be written to.
    pub fn create(store: &Store, expected: Option<u64>) -> Result<Self, WriteError> {
        let rooms = store.rooms()?;
        check_room(&rooms.parts, expected.unwrap_or(0))?;
        let folder = rooms.parts.open_folder(&RelPath::root())?.into_folder();
        let part = Self::create_in(folder)?;
        if let Some(bytes) = expected.filter(|bytes| *bytes > 0) {
            reserve(&part.content.file, bytes)?;
        }
        Ok(part)
    }

    /// An empty part in the store's folder of parts, opened before, for which nothing is reserved.
    ///
    /// # Errors
    /// The disk's.
    pub fn create_in(parts: Arc<std::os::fd::OwnedFd>) -> Result<Self, WriteError> {
        let spot = Spot::of(parts, new_name().as_bytes());
        let file = spot.create()?;
        mark_used(&file);
        Ok(Self { content: Content { file, spot }, written: 0 })
    }

    /// A file that is there already, under a second name: as a part it can be put into another place and is never
    /// missing from its own. `None` on disks where a file has one name.
    ///
    /// # Errors
    /// Not a file, or may not be opened.
    pub fn link_of(store: &Store, from: &Spot) -> Result<Option<Self>, WriteError> {
        let spot = new_spot(store)?;
        let file = from.open()?;
        if from.link_to(&spot).is_err() {
            return Ok(None);
        }
        let part = Self { written: file.stat.size, content: Content { file: file.file, spot } };
        let same = part.content.spot.stat()?.ino == file.stat.ino;
        if same { Ok(Some(part)) } else { Err(FilesError::Changed.into()) }
    }

    /// A part with the content of a file, its time of change included.
    ///
    /// # Errors
    /// The disk's, and [`FilesError::Changed`] if the file was written to meanwhile.
    pub fn copy_of(store: &Store, from: &OpenFile) -> Result<Self, WriteError> {
        let mut part = Self::create(store, Some(from.stat.size))?;
        part.written = copy_content(&from.file, &part.content.file)?;
        let after = Stat::of_handle(&from.file)?;
        if (after.size, after.mtime_ns) != (from.stat.size, from.stat.mtime_ns) || part.written != after.size
        {
            return Err(FilesError::Changed.into());
        }
        set_modified(&part.content.file, after.mtime_ns)?;
        Ok(part)
    }

    /// Takes some more bytes.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        crash::step("write")?;
        self.content.file.write_all_at(bytes, self.written)?;
        self.written += bytes.len() as u64;
        Ok(())
    }

    /// Bytes so far.
    #[must_use]
    pub const fn written(&self) -> u64 {
        self.written
    }

    /// Its file, for readers of what came so far.
    #[must_use]
    pub const fn file(&self) -> &File {
        &self.content.file
    }

    /// Sets when the content last changed, and makes it durable. `modified` is nanoseconds since 1970; now if absent.
    ///
    /// # Errors
    /// The disk's.
    pub fn seal(self, modified: Option<i64>) -> Result<Sealed, WriteError> {
        let sealed = self.seal_later(modified)?;
        sync_file(&sealed.0.content.file)?;
        Ok(sealed)
    }

    /// [`Self::seal`], for many parts that are made durable together before anybody is told.
    ///
    /// # Errors
    /// The disk's.
    pub fn seal_later(self, modified: Option<i64>) -> Result<Sealed, WriteError> {
        if let Some(modified) = modified {
            set_modified(&self.content.file, modified)?;
        }
        Ok(Sealed(self))
    }
}

/// A part that is whole. Only such a one can be published.
pub struct Sealed(PartFile);

impl Sealed {
    /// What is to be put into its place.
    #[must_use]
    pub const fn content(&self) -> &Content {
        &self.0.content
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        // After it was put into its place there is nothing of that name.
        let _ = self.content.spot.remove_file();
    }
}

/// A name among the parts, where nothing is: what is left there is removed some day.
///
/// # Errors
/// The disk's.
pub fn new_spot(store: &Store) -> Result<Spot, WriteError> {
    let folder = store.rooms()?.parts.open_folder(&RelPath::root())?.into_folder();
    Ok(Spot::of(folder, new_name().as_bytes()))
}

fn new_name() -> String {
    Uuid::now_v7().simple().to_string()
}

/// Refuses what would fill the disk.
///
/// # Errors
/// [`WriteError::NoSpace`].
pub fn check_room(disk: &crate::share::ShareRoot, bytes: u64) -> Result<(), WriteError> {
    let leave = LEAVE_FREE.min(disk.disk_bytes()? / LEAVE_PART);
    if disk.free_bytes()? < bytes.saturating_add(leave) { Err(WriteError::NoSpace) } else { Ok(()) }
}

//! The end of an upload: the whole is compared with what was announced, and put into its place.
//!
//! It is published under a second name of the same content, so that wherever the process ends the bytes are either in
//! their place or still here. If they are both, the upload was published, and is not again.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use proto::api::writing::{Clash, Outcome};
use proto::{RelPath, UploadId};

use super::home::{Home, gone_is_fine};
use super::info::{End, Place, Purpose, Target};
use super::turn::Turn;
use super::{Stage, UploadError};
use crate::agent::Share;
use crate::files::write::part::{Content, PartFile, Sealed};
use crate::files::write::publish::{self, Expect, Published};
use crate::files::write::sums::Sums;
use crate::files::write::{WriteError, names};
use crate::files::{FilesError, entry, undo};
use crate::share::write::{Spot, set_modified};
use crate::share::{Node, Stat};

const READ_AT_ONCE: usize = 1 << 20;

/// Refuses at once what could only fail when everything has come.
///
/// # Errors
/// [`WriteError`]: why it cannot go there.
pub(super) fn foresee(share: &Share, target: &Target) -> Result<(), WriteError> {
    let stat = share.root.spot(&target.path).and_then(|spot| Ok(spot.stat()?));
    match stat {
        Ok(there) if there.node == Node::Folder && replaces(&target.expect) => {
            Err(FilesError::IsFolder.into())
        }
        Ok(there) => publish::check(share, &target.path, &target.expect, &there),
        Err(WriteError::Files(FilesError::NotFound)) => {
            publish::check_gone(&target.path, &target.expect)?;
            names::check_portable(target.path.name().unwrap_or_default())?;
            folder_above(share, &target.path)
        }
        Err(error) => Err(error),
    }
}

const fn replaces(expect: &Expect) -> bool {
    matches!(expect, Expect::Clash(Clash::Replace) | Expect::Match(_))
}

/// Looks whether the folders of a path are folders, as far as they are there.
fn folder_above(share: &Share, path: &RelPath) -> Result<(), WriteError> {
    let Some(parent) = path.parent() else { return Ok(()) };
    match share.root.stat(&parent) {
        Ok(stat) if stat.node == Node::Folder => Ok(()),
        Ok(_) => Err(FilesError::NotFolder.into()),
        Err(FilesError::NotFound) => folder_above(share, &parent),
        Err(error) => Err(error.into()),
    }
}

impl Turn {
    /// Puts a whole upload into its place; does nothing for one that is not whole, or a piece of another. `otherwise` is what
    /// must be there instead of what was said when it was begun.
    ///
    /// # Errors
    /// [`WriteError::Exists`], [`WriteError::Conflict`] and the like: the upload waits, whole, to be told otherwise.
    /// [`WriteError::Checksum`]: it is over.
    pub fn finish(&mut self, share: &Share, otherwise: Option<Expect>) -> Result<(), UploadError> {
        let known = self.upload.known();
        let (Purpose::File(target) | Purpose::Joined(target, _)) = &known.info.purpose else { return Ok(()) };
        if !known.is_whole() {
            return Ok(());
        }
        let home = Home::open(&share.store, known.info.id)?;
        let data = home.data().open_to_write()?;
        self.check(&home, &data, target)?;
        let place = match already_there(share, target, &data)? {
            Some(place) => place,
            None => self.publish(share, &home, data, target, otherwise)?,
        };
        Ok(self.upload.end(&home, End::Published(place))?)
    }

    /// Compares the whole with what was announced. What did not pass through this process is read.
    fn check(&mut self, home: &Home, data: &File, target: &Target) -> Result<(), WriteError> {
        if self.hand.fits || target.checksums.is_empty() {
            return Ok(());
        }
        let length = data.metadata()?.len();
        let sums = match self.hand.take_sums(length) {
            Some(sums) => sums,
            None => read_through(data, Sums::wanted(&target.checksums))?,
        };
        let fits = sums.finish().check(&target.checksums);
        self.hand.fits = fits.is_ok();
        if fits.is_err() {
            self.upload.end(home, End::Failed)?;
        }
        fits
    }

    fn publish(
        &self,
        share: &Share,
        home: &Home,
        data: File,
        target: &Target,
        otherwise: Option<Expect>,
    ) -> Result<Place, WriteError> {
        if let Some(parent) = target.path.parent() {
            share.root.make_folders(&parent)?;
        }
        if let Some(modified) = target.modified {
            set_modified(&data, modified)?;
        }
        let expect = otherwise.unwrap_or_else(|| target.expect.clone());
        let second = SecondName::of(share, self.upload.id, home, data)?;
        let published = publish::publish(share, second.content(), &target.path, &expect, self.upload.by)?;
        let undo = undo::of_written(share, &published, self.upload.by);
        let Published { path, stat, outcome, .. } = published;
        Ok(Place { path, outcome, version: entry::version(&stat), undo })
    }

    /// How it ended, if it has.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        match self.upload.known().stage {
            Stage::Open => None,
            Stage::Ended(end) => Some(end),
        }
    }
}

fn read_through(mut data: &File, mut sums: Sums) -> Result<Sums, WriteError> {
    let mut buffer = vec![0; READ_AT_ONCE];
    loop {
        match data.read(&mut buffer)? {
            0 => return Ok(sums),
            read => sums.add(&buffer[..read]),
        }
    }
}

/// The place of content that was published by a process which ended before it could write that down.
fn already_there(share: &Share, target: &Target, data: &File) -> Result<Option<Place>, WriteError> {
    if data.metadata()?.nlink() < 2 {
        return Ok(None);
    }
    let own = Stat::of_handle(data)?;
    let Some(path) = publish::found_at(share, &target.path, own.ino) else { return Ok(None) };
    let outcome = if path == target.path { Outcome::Done } else { Outcome::Renamed };
    Ok(Some(Place { path, outcome, version: entry::version(&own), undo: None }))
}

/// Content of an upload as it is published.
enum SecondName {
    /// Under a second name among the parts.
    Linked(Linked),
    /// Somebody moved away what was published a moment before the process ended: that stays as it is.
    Copied(Sealed),
    /// The disk knows no second names.
    Itself(Content),
}

/// A second name, removed unless it was put into its place.
struct Linked(Content);

impl Drop for Linked {
    fn drop(&mut self) {
        let _ = self.0.spot.remove_file();
    }
}

impl SecondName {
    fn of(share: &Share, id: UploadId, home: &Home, data: File) -> Result<Self, WriteError> {
        let parts = share.store.rooms()?.parts.open_folder(&RelPath::root())?.into_folder();
        let spot = Spot::of(parts, id.to_string().as_bytes());
        gone_is_fine(spot.remove_file())?;
        if data.metadata()?.nlink() > 1 {
            let copy = PartFile::copy_of(&share.store, &home.data().open()?)?;
            return Ok(Self::Copied(copy.seal(None)?));
        }
        match home.data().link_to(&spot) {
            Ok(()) => Ok(Self::Linked(Linked(Content { file: data, spot }))),
            Err(_) => Ok(Self::Itself(Content { file: data, spot: home.data() })),
        }
    }

    const fn content(&self) -> &Content {
        match self {
            Self::Linked(Linked(content)) | Self::Itself(content) => content,
            Self::Copied(sealed) => sealed.content(),
        }
    }
}

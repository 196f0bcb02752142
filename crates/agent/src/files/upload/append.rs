//! Bytes at the end of an upload. What came is kept if the connection breaks off, unless it was announced with a
//! checksum: then all of it is kept or nothing.

use std::fs::File;
use std::os::unix::fs::FileExt;

use super::home::{ALL, Home};
use super::info::{End, Purpose};
use super::registry::Known;
use super::turn::Turn;
use super::{Stage, UploadError};
use crate::agent::Share;
use crate::crash;
use crate::files::write::WriteError;
use crate::files::write::part::check_room;
use crate::files::write::sums::{Checksum, Sums};
use crate::share::write::{reserve, sync_file};

/// Bytes that are being added.
pub struct Appending {
    home: Home,
    file: File,
    /// Where the first of them goes.
    from: u64,
    /// Where the next one goes.
    at: u64,
    checked: Option<(Checksum, Sums)>,
    /// What is computed of the whole.
    whole: Option<Whole>,
}

/// What is computed of the whole upload.
struct Whole {
    with: Sums,
    /// Without these bytes.
    without: Sums,
}

/// How many of the bytes came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// All.
    Whole,
    /// Some: the connection broke off, or the disk is full.
    Partly,
    /// More than there can be.
    TooMany,
}

impl Turn {
    /// How many bytes can come at most from here.
    #[must_use]
    pub fn room(&self) -> u64 {
        let Known { info, offset, .. } = self.upload.known();
        info.length.unwrap_or(i64::MAX.unsigned_abs()).saturating_sub(offset)
    }

    /// Begins to add bytes at `offset`; `expected` of them, if that is known.
    ///
    /// # Errors
    /// [`UploadError`]: it is not there, or takes no bytes; more than fit; or the disk's.
    pub fn append(
        &mut self,
        share: &Share,
        offset: u64,
        expected: Option<u64>,
        checksum: Option<Checksum>,
    ) -> Result<Appending, UploadError> {
        let Known { info, offset: at, stage, .. } = self.upload.known();
        match (&info.purpose, stage) {
            (Purpose::Joined(..), _) => return Err(UploadError::Joined),
            (_, Stage::Ended(End::Failed)) => return Err(WriteError::Gone.into()),
            (_, Stage::Ended(_)) => return Err(UploadError::Offset(at)),
            (_, Stage::Open) if offset != at => return Err(UploadError::Offset(at)),
            (_, Stage::Open) => {}
        }
        if expected.is_some_and(|bytes| bytes > self.room()) {
            return Err(WriteError::TooLarge.into());
        }
        if info.length.is_none() {
            check_room(&share.store.rooms()?.uploads, expected.unwrap_or(0))?;
        }
        let home = Home::open(&share.store, info.id)?;
        self.mark(&home, if checksum.is_some() { at } else { ALL })?;
        let wanted = info.purpose.target().map_or(&[][..], |target| &target.checksums);
        let whole = match (at, self.hand.take_sums(at)) {
            (0, _) => Some(Sums::wanted(wanted)),
            (_, sums) => sums,
        };
        let file = home.data().open_to_write()?;
        let whole =
            whole.filter(|_| !wanted.is_empty()).map(|sums| Whole { without: sums.clone(), with: sums });
        let checked = checksum.map(|checksum| (checksum.clone(), Sums::of([checksum.algorithm])));
        Ok(Appending { home, file, from: at, at, checked, whole })
    }

    /// Bytes behind this one are not verified, and are cut off should the process end now.
    fn mark(&mut self, home: &Home, verified: u64) -> Result<(), WriteError> {
        if self.hand.verified != verified {
            home.set_verified(verified)?;
            self.hand.verified = verified;
        }
        Ok(())
    }

    /// Ends the adding: what can be kept is durable, and is what the upload says of itself. After an error of the disk
    /// the upload is over: what the disk forgot is not asked for again.
    ///
    /// # Errors
    /// [`WriteError::Checksum`], [`WriteError::TooLarge`]: nothing was added. Or the disk's.
    pub fn settle(&mut self, appending: Appending, came: Came) -> Result<(), WriteError> {
        let Appending { home, file, from, at, checked, whole } = appending;
        let has_sum = checked.is_some();
        let verdict = match (came, checked) {
            (Came::TooMany, _) => Err(WriteError::TooLarge),
            (Came::Whole, Some((checksum, sums))) => sums.finish().check(&[checksum]),
            _ => Ok(()),
        };
        let keep = verdict.is_ok() && (came == Came::Whole || !has_sum);
        let end = if keep { at } else { from };
        self.hand.sums = whole.map(|whole| (if keep { whole.with } else { whole.without }, end));
        if let Err(error) = self.settle_at(&home, &file, end, has_sum) {
            self.upload.end(&home, End::Failed)?;
            return Err(error);
        }
        self.upload.reached(end);
        verdict
    }

    fn settle_at(&mut self, home: &Home, file: &File, end: u64, verified: bool) -> Result<(), WriteError> {
        if file.metadata()?.len() > end {
            crash::step("cut")?;
            file.set_len(end)?;
            // The cut took what was reserved behind it. If the disk filled meanwhile, who goes on will hear of it.
            if let Some(length) = self.upload.known().info.length {
                _ = reserve(file, length);
            }
        }
        sync_file(file)?;
        if verified { self.mark(home, end) } else { Ok(()) }
    }
}

impl Appending {
    /// Takes some more bytes.
    ///
    /// # Errors
    /// The disk's. Nothing more is taken then.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        crash::step("write")?;
        self.file.write_all_at(bytes, self.at)?;
        self.at += bytes.len() as u64;
        if let Some((_, sums)) = &mut self.checked {
            sums.add(bytes);
        }
        if let Some(whole) = &mut self.whole {
            whole.with.add(bytes);
        }
        Ok(())
    }
}

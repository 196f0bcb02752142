//! Versions: the contents that files had before they were replaced.
//!
//! The store mirrors the share: a file's path is a folder there, and in it lie, under names of our own, each former
//! content and beside it a note of when and by whom it was replaced. Moving a file or folder moves its mirror.

mod sweep;

use std::ffi::CStr;
use std::sync::Arc;
use std::time::Duration;

use proto::api::writing::{Clash, Version};
use proto::path::RESERVED_PREFIX;
use proto::{PrincipalId, RelPath, VersionId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

pub use sweep::sweep;

use super::undo::now_ms;
use super::write::WriteError;
use super::write::part::{Content, PartFile};
use super::write::publish::{self, Expect, Published};
use super::{FilesError, entry, note};
use crate::agent::Share;
use crate::share::write::{Spot, copy_content, set_modified, sync_file};
use crate::share::{OpenFile, OpenFolder, Stat};

/// The most contents that are kept of one file.
const MOST_VERSIONS: usize = 100;
/// For how long they are kept.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// How far apart contents are that are kept, by their age: up to an hour old every one that is a minute from the next
/// newer, up to a day old one for each hour, up to 30 days one for each day, and then one for each week.
const SPACING: [(Duration, Duration); 4] = [
    (Duration::from_secs(3600), Duration::from_secs(0)),
    (Duration::from_secs(24 * 3600), Duration::from_secs(3600)),
    (Duration::from_secs(30 * 24 * 3600), Duration::from_secs(24 * 3600)),
    (LONGEST, Duration::from_secs(7 * 24 * 3600)),
];
const NOTE_ENDING: &str = ".json";

/// What is noted of a content that was replaced.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    id: VersionId,
    /// When it was replaced: milliseconds since 1970.
    at_ms: i64,
    /// Who replaced it.
    by: PrincipalId,
    /// The version of what took its place. While *that* lies here, the two have not changed places.
    became: String,
}

/// A content that is about to be kept.
pub struct Keeping {
    note: Note,
    /// Where it will lie.
    spot: Spot,
    note_spot: Spot,
}

impl Keeping {
    /// Moves new content to where the old will be kept, with a note of what is about to happen.
    ///
    /// # Errors
    /// The disk's. The content is where it was then.
    pub fn prepare(
        share: &Share,
        path: &RelPath,
        content: &Content,
        by: PrincipalId,
    ) -> Result<Self, WriteError> {
        let versions = &share.store.rooms()?.versions;
        versions.make_folders(path)?;
        let folder = versions.open_folder(path)?.into_folder();
        let id = VersionId::generate();
        let (spot, note_spot) = spots(&folder, id);
        let became = entry::version(&Stat::of_handle(&content.file)?);
        let note = Note { id, at_ms: now_ms(), by, became };
        let keeping = Self { note, spot, note_spot };
        let noted = note::write(&keeping.note_spot, &keeping.note).and_then(|file| sync_file(&file));
        if let Err(error) = noted.and_then(|()| content.spot.move_to(&keeping.spot)) {
            let _ = keeping.note_spot.remove_file();
            return Err(error);
        }
        Ok(keeping)
    }

    /// Changes places with the file that is there. What was there, as it was at that moment.
    ///
    /// # Errors
    /// The disk's.
    pub fn swap(&self, spot: &Spot) -> Result<Stat, WriteError> {
        if !self.spot.exchange(spot)? {
            self.swap_stepwise(spot)?;
        }
        Ok(self.spot.stat()?)
    }

    /// [`Self::swap`] on disks that cannot do it in one step: what is there gets a second name, and is then replaced.
    fn swap_stepwise(&self, spot: &Spot) -> Result<(), WriteError> {
        let aside = self.spot.beside(format!("{RESERVED_PREFIX}{}.new", self.note.id).as_bytes());
        self.spot.move_over(&aside)?;
        if spot.link_to(&self.spot).is_err() {
            copy_whole(spot, &self.spot)?;
        }
        aside.move_over(spot)
    }

    /// Puts the content back to where it came from: it did not change places after all.
    ///
    /// # Errors
    /// The disk's.
    pub fn abandon(self, content: &Spot) -> Result<(), WriteError> {
        self.spot.move_to(content)?;
        self.note_spot.remove_file()
    }

    /// Makes durable what is kept.
    ///
    /// # Errors
    /// The disk's.
    pub fn make_durable(&self) -> Result<VersionId, WriteError> {
        self.spot.sync_folder()?;
        Ok(self.note.id)
    }
}

fn copy_whole(from: &Spot, to: &Spot) -> Result<(), WriteError> {
    let (from, to) = (from.open()?, to.create()?);
    copy_content(&from.file, &to)?;
    set_modified(&to, from.stat.mtime_ns)?;
    sync_file(&to)
}

fn spots(folder: &Arc<std::os::fd::OwnedFd>, id: VersionId) -> (Spot, Spot) {
    let spot = Spot::own(Arc::clone(folder), &id.to_string());
    (spot, Spot::own(Arc::clone(folder), &format!("{id}{NOTE_ENDING}")))
}

/// The contents that are kept of a file, newest first.
///
/// # Errors
/// The disk's.
pub fn list(share: &Share, path: &RelPath) -> Result<Vec<Version>, WriteError> {
    Ok(kept(share, path)?.into_iter().map(|kept| kept.shown()).collect())
}

/// A content that is kept.
struct Kept {
    note: Note,
    stat: Stat,
    spot: Spot,
    note_spot: Spot,
}

impl Kept {
    fn shown(&self) -> Version {
        let replaced_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.note.at_ms) * 1_000_000);
        Version {
            id: self.note.id,
            size: self.stat.size,
            modified: entry::modified(&self.stat),
            version: entry::version(&self.stat),
            replaced_at: replaced_at.unwrap_or(OffsetDateTime::UNIX_EPOCH),
            replaced_by: self.note.by,
        }
    }

    fn remove(&self) -> Result<(), WriteError> {
        self.spot.remove_file()?;
        self.note_spot.remove_file()
    }
}

/// Newest first.
fn kept(share: &Share, path: &RelPath) -> Result<Vec<Kept>, WriteError> {
    let Some(rooms) = share.store.made()? else { return Ok(Vec::new()) };
    let folder = match rooms.versions.open_folder(path) {
        Ok(folder) => folder,
        Err(FilesError::NotFound | FilesError::NotFolder) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let ids = ids(&folder)?;
    let folder = folder.into_folder();
    let mut kept: Vec<Kept> = ids.into_iter().filter_map(|id| look(&folder, id)).collect();
    kept.sort_by_key(|kept| std::cmp::Reverse((kept.note.at_ms, kept.note.id)));
    Ok(kept)
}

fn ids(folder: &OpenFolder) -> Result<Vec<VersionId>, FilesError> {
    let mut ids = Vec::new();
    folder.read_names(|name, _| ids.extend(id_of_note(name)))?;
    Ok(ids)
}

fn id_of_note(name: &CStr) -> Option<VersionId> {
    name.to_str().ok()?.strip_prefix(RESERVED_PREFIX)?.strip_suffix(NOTE_ENDING)?.parse().ok()
}

/// The content of a note; none if the two never changed places, or the note was cut short by the end of the process.
fn look(folder: &Arc<std::os::fd::OwnedFd>, id: VersionId) -> Option<Kept> {
    let (spot, note_spot) = spots(folder, id);
    let note = read_note(&note_spot)?;
    let stat = spot.stat().ok()?;
    (entry::version(&stat) != note.became).then_some(Kept { note, stat, spot, note_spot })
}

fn read_note(spot: &Spot) -> Option<Note> {
    note::read(spot)
}

/// Opens a former content.
///
/// # Errors
/// [`FilesError::NotFound`], or the disk's.
pub fn open(share: &Share, path: &RelPath, id: VersionId) -> Result<OpenFile, WriteError> {
    let rooms = share.store.made()?.ok_or(FilesError::NotFound)?;
    let folder = rooms.versions.open_folder(path)?.into_folder();
    let kept = look(&folder, id).ok_or(FilesError::NotFound)?;
    Ok(kept.spot.open()?)
}

/// Makes a former content the present one; what is there now is kept in turn. The former one stays where it is: a copy
/// is published, which the disk makes without moving bytes where it can.
///
/// # Errors
/// [`FilesError::NotFound`], or the disk's.
pub fn restore(
    share: &Share,
    path: &RelPath,
    id: VersionId,
    by: PrincipalId,
) -> Result<Published, WriteError> {
    bring(share, path, id, &Expect::Clash(Clash::Replace), by)
}

/// [`restore`], if what is there now is as expected.
///
/// # Errors
/// As there, and [`WriteError::Conflict`].
pub fn bring(
    share: &Share,
    path: &RelPath,
    id: VersionId,
    expect: &Expect,
    by: PrincipalId,
) -> Result<Published, WriteError> {
    let former = open(share, path, id)?;
    let part = PartFile::copy_of(&share.store, &former)?;
    let sealed = part.seal(None)?;
    publish::publish(share, sealed.content(), path, expect, by)
}

/// Who wrote this version of a file, if it replaced another.
#[must_use]
pub fn writer_of(share: &Share, path: &RelPath, version: &str) -> Option<PrincipalId> {
    let kept = kept(share, path).ok()?;
    kept.iter().find(|kept| kept.note.became == version).map(|kept| kept.note.by)
}

/// Removes the contents of a file that are not worth keeping any more.
///
/// # Errors
/// The disk's.
pub fn thin_out(share: &Share, path: &RelPath) -> Result<(), WriteError> {
    let kept = kept(share, path)?;
    let times: Vec<i64> = kept.iter().map(|kept| kept.note.at_ms).collect();
    for (kept, keep) in kept.iter().zip(worth_keeping(&times, now_ms())) {
        if !keep {
            kept.remove()?;
        }
    }
    Ok(())
}

/// Which of these contents, newest first by when they were replaced, are kept.
fn worth_keeping(times_ms: &[i64], now_ms: i64) -> Vec<bool> {
    let mut newer: Option<i64> = None;
    let mut left = MOST_VERSIONS;
    times_ms
        .iter()
        .map(|at| {
            let age = Duration::from_millis(u64::try_from(now_ms - at).unwrap_or(0));
            let spacing = SPACING.iter().find(|(until, _)| age <= *until).map(|(_, spacing)| *spacing);
            let apart = newer.map(|newer| Duration::from_millis(u64::try_from(newer - at).unwrap_or(0)));
            let keep = left > 0 && spacing.is_some_and(|spacing| apart.is_none_or(|apart| apart >= spacing));
            if keep {
                newer = Some(*at);
                left -= 1;
            }
            keep
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_is_kept_less_often() {
        const HOUR: i64 = 3_600_000;
        let now = 1_000 * 24 * HOUR;
        let every = |step: i64, count: i64| (0..count).map(|n| now - n * step).collect::<Vec<_>>();
        let count = |times: &[i64]| worth_keeping(times, now).into_iter().filter(|keep| *keep).count();
        assert_eq!(count(&every(60_000, 60)), 60, "of the last hour all");
        assert_eq!(count(&every(HOUR / 4, 24 * 4)), 5 + 22, "of the last day one for each hour");
        assert_eq!(count(&every(24 * HOUR, 400)), 31 + 47, "then days, then weeks, and nothing after a year");
        assert_eq!(count(&every(1, 500)), MOST_VERSIONS);
        assert_eq!(worth_keeping(&[], now), Vec::<bool>::new());
        assert_eq!(worth_keeping(&[now + HOUR], now), [true], "a clock that was set back loses nothing");
    }
}

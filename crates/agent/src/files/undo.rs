//! How acts are undone: for each a note of what to do, good for seven days, named by a token that only who acted is told.
//!
//! A note is written after the act and not made durable by itself: what a power cut can take is the undoing, never
//! what was done.

use proto::api::writing::{Outcome, UNDO_DAYS};
use proto::{PrincipalId, RelPath, TrashId, UndoToken, VersionId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::write::publish::Published;
use super::write::{WriteError, part};
use super::{FilesError, entry, note};
use crate::agent::Share;
use crate::share::write::Spot;

/// For how long a note is good.
const LIFETIME_MS: i64 = UNDO_DAYS as i64 * 24 * 3600 * 1000;

/// One thing to do, in order to undo. Each names what it expects to find: what changed since is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Inverse {
    /// It was made: it goes to the trash.
    Discard {
        /// Where it is.
        path: RelPath,
        /// Its [`entry::version`]. A folder's changes with the names in it.
        version: String,
    },
    /// The file was replaced: the former content comes back.
    Bring {
        /// Where it is.
        path: RelPath,
        /// The version that the act made.
        version: String,
        /// What comes back.
        id: VersionId,
    },
    /// It was moved over a file: it goes back, and then the former content comes back.
    Separate {
        /// Where it is.
        path: RelPath,
        /// Where it goes.
        to: RelPath,
        /// The version that the act made.
        version: String,
        /// What comes back.
        id: VersionId,
    },
    /// It was moved: it goes back.
    MoveBack(Back),
    /// Names were changed together: they all go back together.
    RenameBack {
        /// Each of them.
        moves: Vec<Back>,
    },
    /// The folder was made: it is removed if it is empty.
    RemoveFolder {
        /// Where it is.
        path: RelPath,
    },
    /// The empty folder was removed: it is made again.
    MakeFolder {
        /// Where it was.
        path: RelPath,
    },
    /// It was deleted: it comes back out of the trash.
    Restore {
        /// Its name there.
        id: TrashId,
    },
}

/// The way back of something that was moved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Back {
    /// Where it is.
    pub path: RelPath,
    /// Where it goes.
    pub to: RelPath,
    /// Its number on the disk.
    pub ino: u64,
}

/// How to undo one act.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    /// When it was done: milliseconds since 1970.
    pub at_ms: i64,
    /// Who did it, and may undo it.
    pub by: PrincipalId,
    /// What to do, in this order.
    pub steps: Vec<Inverse>,
}

impl Note {
    /// How to undo something that was done now.
    #[must_use]
    pub fn new(by: PrincipalId, steps: Vec<Inverse>) -> Self {
        Self { at_ms: now_ms(), by, steps }
    }

    /// True once it is over its time.
    #[must_use]
    pub fn is_over(&self, now_ms: i64) -> bool {
        now_ms - self.at_ms > LIFETIME_MS
    }

    /// Writes it down under a token.
    ///
    /// # Errors
    /// The disk's.
    pub fn write(&self, share: &Share, token: UndoToken) -> Result<(), WriteError> {
        note::write(&spot(share, token)?, self).map(drop)
    }

    /// Takes a note, for who did it. Nobody else gets it afterwards, unless it is put back.
    ///
    /// # Errors
    /// [`WriteError::Gone`]: never was, was used, or is over its time. [`WriteError::NotYours`].
    pub fn take(share: &Share, token: UndoToken, by: PrincipalId) -> Result<Taken, WriteError> {
        let gone = |error: FilesError| match error {
            FilesError::NotFound => WriteError::Gone,
            error => error.into(),
        };
        let spot = spot(share, token)?;
        let text = std::io::read_to_string(spot.open().map_err(gone)?.file)?;
        let note: Self = serde_json::from_str(&text).map_err(|_| WriteError::Gone)?;
        if note.by != by {
            return Err(WriteError::NotYours);
        }
        let aside = part::new_spot(&share.store)?;
        match spot.move_to(&aside) {
            // Somebody else who has the token was quicker.
            Err(WriteError::Files(error)) => return Err(gone(error)),
            moved => moved?,
        }
        let taken = Taken { note, spot, aside };
        if taken.note.is_over(now_ms()) { Err(WriteError::Gone) } else { Ok(taken) }
    }
}

/// A note that was taken. It goes, unless it is put back.
pub struct Taken {
    /// What it says.
    pub note: Note,
    spot: Spot,
    aside: Spot,
}

impl Taken {
    /// Makes its token good again: nothing was undone. Needs no room on the disk.
    ///
    /// # Errors
    /// The disk's.
    pub fn put_back(self) -> Result<(), WriteError> {
        self.aside.move_to(&self.spot)
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        // After it was put back there is nothing of that name. What is left is swept.
        let _ = self.aside.remove_file();
    }
}

/// Milliseconds since 1970.
#[must_use]
pub fn now_ms() -> i64 {
    i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX)
}

/// Writes down how to undo an act. There is no token for an act that did nothing, or where the disk had no room for the note:
/// what was done is done all the same, and trash and versions have what was there before.
#[must_use]
pub fn write_down(share: &Share, by: PrincipalId, steps: Vec<Inverse>) -> Option<UndoToken> {
    if steps.is_empty() {
        return None;
    }
    let token = UndoToken::generate();
    match Note::new(by, steps).write(share, token) {
        Ok(()) => Some(token),
        Err(error) => {
            tracing::warn!(share = %share.id, %error, "it could not be written down how to undo an act");
            None
        }
    }
}

fn spot(share: &Share, token: UndoToken) -> Result<Spot, WriteError> {
    let folder = share.store.rooms()?.undo.open_folder(&RelPath::root())?.into_folder();
    Ok(Spot::of(folder, format!("{token}.json").as_bytes()))
}

/// What undoes that content was published.
#[must_use]
pub fn inverse_of(published: &Published) -> Option<Inverse> {
    let (path, version) = (published.path.clone(), entry::version(&published.stat));
    match (published.outcome, published.kept) {
        (Outcome::Replaced, Some(id)) => Some(Inverse::Bring { path, version, id }),
        (Outcome::Done | Outcome::Renamed, _) => Some(Inverse::Discard { path, version }),
        _ => None,
    }
}

/// Writes down how to undo that one file was published.
#[must_use]
pub fn of_written(share: &Share, published: &Published, by: PrincipalId) -> Option<UndoToken> {
    write_down(share, by, inverse_of(published).into_iter().collect())
}

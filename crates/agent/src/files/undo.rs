//! How acts are undone: for each a note of what to do, good for seven days, named by a token that only who acted is told.
//!
//! A note is written after the act and not made durable by itself: what a power cut can take is the undoing, never
//! what was done.

use std::io::Write;

use proto::api::writing::Outcome;
use proto::{PrincipalId, RelPath, TrashId, UndoToken, VersionId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::entry;
use super::write::WriteError;
use super::write::publish::Published;
use crate::agent::Share;
use crate::share::write::Spot;

/// One thing to do, in order to undo. Each names what it expects to find: what changed since is left alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Inverse {
    /// The file was made: it goes to the trash.
    Discard {
        /// Where it is.
        path: RelPath,
        /// Its version, or nothing for a folder.
        version: Option<String>,
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
    /// It was moved: it goes back.
    MoveBack {
        /// Where it is.
        path: RelPath,
        /// Where it goes.
        to: RelPath,
        /// Its number on the disk.
        ino: u64,
    },
    /// The folder was made: it is removed if it is empty.
    RemoveFolder {
        /// Where it is.
        path: RelPath,
    },
    /// It was deleted: it comes back out of the trash.
    Restore {
        /// Its name there.
        id: TrashId,
    },
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

/// Writes down how to undo an act. Nothing is written, and there is no token, for an act that did nothing.
///
/// # Errors
/// The disk's.
pub fn write_down(
    share: &Share,
    by: PrincipalId,
    steps: Vec<Inverse>,
) -> Result<Option<UndoToken>, WriteError> {
    if steps.is_empty() {
        return Ok(None);
    }
    let token = UndoToken::generate();
    let at_ms =
        i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
    let note = serde_json::to_vec(&Note { at_ms, by, steps }).map_err(std::io::Error::from)?;
    spot(share, token)?.create()?.write_all(&note)?;
    Ok(Some(token))
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
        (Outcome::Done | Outcome::Renamed, _) => Some(Inverse::Discard { path, version: Some(version) }),
        _ => None,
    }
}

/// Writes down how to undo that one file was published.
///
/// # Errors
/// The disk's.
pub fn of_written(
    share: &Share,
    published: &Published,
    by: PrincipalId,
) -> Result<Option<UndoToken>, WriteError> {
    write_down(share, by, inverse_of(published).into_iter().collect())
}

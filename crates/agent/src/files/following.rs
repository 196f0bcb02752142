//! Versions follow what they are of by a step of their own. Before something moves that has versions, it is written down where
//! they are to follow to; should the process end in between, the next one lets them.

use proto::{RelPath, TrashId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::acts::trash;
use super::write::WriteError;
use super::write::publish::found_at;
use super::{mirror, note, tree};
use crate::agent::Share;
use crate::share::write::{Spot, is_used, mark_used};

/// Where something with versions goes.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To a path, or a numbered name beside it.
    To(RelPath),
    /// It changes places with what is there.
    Exchanged(RelPath),
    /// To the trash.
    Thrown(TrashId),
}

#[derive(Serialize, Deserialize)]
struct Note {
    from: RelPath,
    way: Way,
    /// The number on the disk of what moves.
    ino: u64,
    /// That of its folder of versions. While this is where it was, they have not followed.
    mirror_ino: Option<u64>,
}

/// A move that is written down until the versions have followed.
#[must_use]
pub struct Announced {
    spot: Spot,
    /// Held open: it is in use.
    _file: std::fs::File,
    /// The versions did not follow: the sweeper shall try again.
    stays: bool,
}

/// The move is done, and the versions followed or not.
pub fn done(announced: Option<Announced>, followed: bool) {
    if let Some(mut announced) = announced {
        announced.stays = !followed;
    }
}

impl Drop for Announced {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        if let Err(error) = self.spot.remove_file() {
            tracing::warn!(%error, "the note of a move is left to be swept");
        }
    }
}

/// Writes down that what is at `from` is about to move. `None` if it has no versions.
///
/// # Errors
/// The disk's: then nothing should be moved.
pub fn announce(share: &Share, from: &RelPath, way: Way) -> Result<Option<Announced>, WriteError> {
    let mirror_ino = mirror::ino_of(share, from)?;
    let follows = match &way {
        Way::Exchanged(other) => mirror_ino.is_some() || mirror::ino_of(share, other)?.is_some(),
        Way::To(_) | Way::Thrown(_) => mirror_ino.is_some(),
    };
    if !follows {
        return Ok(None);
    }
    let ino = share.root.spot(from)?.stat()?.ino;
    let folder = share.store.rooms()?.moves.open_folder(&RelPath::root())?.into_folder();
    let spot = Spot::of(folder, Uuid::now_v7().simple().to_string().as_bytes());
    let file = note::write(&spot, &Note { from: from.clone(), way, ino, mirror_ino })?;
    mark_used(&file);
    Ok(Some(Announced { spot, _file: file, stays: false }))
}

/// Lets versions follow where a process ended before they did.
///
/// # Errors
/// The disk's.
pub fn sweep(share: &Share) -> Result<(), WriteError> {
    for spot in tree::contents(share.store.rooms()?.moves.open_folder(&RelPath::root())?)? {
        if spot.open().is_ok_and(|open| is_used(open.file)) {
            continue;
        }
        let followed = match note::read::<Note>(&spot) {
            Some(note) => note.follow(share)?,
            None => true,
        };
        if followed {
            spot.remove_file()?;
        }
    }
    Ok(())
}

impl Note {
    /// False if it is to be tried again.
    fn follow(&self, share: &Share) -> Result<bool, WriteError> {
        let Self { from, way, ino, mirror_ino } = self;
        let is_there = |path: &RelPath| share.root.stat_link(path).is_ok_and(|stat| stat.ino == *ino);
        if is_there(from) || mirror::ino_of(share, from)? != *mirror_ino {
            return Ok(true);
        }
        Ok(match way {
            Way::To(to) => found_at(share, to, *ino).is_none_or(|to| mirror::carry(share, from, &to)),
            Way::Exchanged(other) => !is_there(other) || mirror::exchange(share, from, other),
            Way::Thrown(id) => trash::take_versions(share, *id, *ino, from),
        })
    }
}

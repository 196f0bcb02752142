//! Goes through all versions of a share: what is over its time goes, what was only half kept when the process ended
//! goes, and of the rest the oldest if they take too much room.

use proto::RelPath;
use proto::path::is_reserved;

use super::{Kept, ids, kept, read_note, spots, thin_out};
use crate::agent::Share;
use crate::files::write::WriteError;
use crate::files::{FilesError, entry};
use crate::share::Node;

/// Removes what is not worth keeping. What is half kept is only on its way, unless it was begun before `begun_ms`.
///
/// # Errors
/// The disk's.
pub fn sweep(share: &Share, most_bytes: u64, begun_ms: i64) -> Result<(), WriteError> {
    let mut all = Vec::new();
    let mut ahead = vec![RelPath::root()];
    while let Some(path) = ahead.pop() {
        ahead.extend(inner(share, &path)?);
        remove_strays(share, &path, begun_ms)?;
        thin_out(share, &path)?;
        all.extend(kept(share, &path)?.into_iter().map(One::of));
    }
    all.sort_by_key(|one| std::cmp::Reverse(one.at_ms));
    let mut left = most_bytes;
    for one in all {
        match left.checked_sub(one.bytes) {
            Some(rest) => left = rest,
            None => one.kept.remove()?,
        }
    }
    Ok(())
}

struct One {
    at_ms: i64,
    bytes: u64,
    kept: Kept,
}

impl One {
    fn of(kept: Kept) -> Self {
        Self { at_ms: kept.note.at_ms, bytes: kept.stat.size, kept }
    }
}

/// The folders of the mirror in a folder of the mirror.
fn inner(share: &Share, path: &RelPath) -> Result<Vec<RelPath>, WriteError> {
    let folder = match share.store.rooms()?.versions.open_folder(path) {
        // It was moved a moment ago.
        Err(FilesError::NotFound | FilesError::NotFolder) => return Ok(Vec::new()),
        folder => folder?,
    };
    let mut inner = Vec::new();
    folder.read_names(|name, node| {
        let name = name.to_bytes();
        if !is_reserved(name) && matches!(node, None | Some(Node::Folder)) {
            inner.extend(path.join(name));
        }
    })?;
    Ok(inner)
}

/// What never changed places with what it should replace, and notes whose content is not there.
fn remove_strays(share: &Share, path: &RelPath, begun_ms: i64) -> Result<(), WriteError> {
    let folder = match share.store.rooms()?.versions.open_folder(path) {
        Err(FilesError::NotFound | FilesError::NotFolder) => return Ok(()),
        folder => folder?,
    };
    let ids = ids(&folder)?;
    let folder = folder.into_folder();
    for id in ids {
        let (spot, note_spot) = spots(&folder, id);
        let Ok(noted) = note_spot.stat() else { continue };
        if noted.mtime_ns / 1_000_000 > begun_ms {
            continue;
        }
        match spot.stat() {
            // Whatever else cannot be read may be all that there is of a content.
            Ok(stat) if read_note(&note_spot).is_none_or(|note| note.became != entry::version(&stat)) => {
                continue;
            }
            Ok(_) => spot.remove_file()?,
            Err(FilesError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        note_spot.remove_file()?;
    }
    Ok(())
}

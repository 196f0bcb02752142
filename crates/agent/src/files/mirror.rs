//! The mirror of the share in its store of versions: what files had before goes along when they are moved, deleted and
//! restored. Versions that cannot follow stay under the path they were of, where they can still be asked for.

use proto::RelPath;

use super::FilesError;
use super::tree;
use super::write::WriteError;
use crate::agent::Share;
use crate::share::write::Spot;

/// Takes the versions of everything at a path to another path. Those that are there already stay. False if they did not
/// follow.
pub fn carry(share: &Share, from: &RelPath, to: &RelPath) -> bool {
    warn_of(from, || {
        let Some(mirror) = mirror_of(share, from)? else { return Ok(()) };
        let versions = &share.store.rooms()?.versions;
        versions.make_folders(&to.parent().unwrap_or_default())?;
        merge(&mirror, &versions.spot(to)?)
    })
}

/// Lets the versions of two paths change places. False if they did not.
pub fn exchange(share: &Share, one: &RelPath, other: &RelPath) -> bool {
    warn_of(one, || {
        match (mirror_of(share, one)?, mirror_of(share, other)?) {
            (Some(mirror), Some(with)) => return mirror.exchange(&with).map(drop),
            (Some(_), None) => _ = carry(share, one, other),
            (None, Some(_)) => _ = carry(share, other, one),
            (None, None) => {}
        }
        Ok(())
    })
}

/// Takes the versions of everything at a path out of the mirror, to a place where nothing is. False if they did not follow.
pub fn take_out(share: &Share, path: &RelPath, to: &Spot) -> bool {
    warn_of(path, || mirror_of(share, path)?.map_or(Ok(()), |mirror| mirror.move_to(to)))
}

/// Takes versions back into the mirror. False if they did not follow.
pub fn put_in(share: &Share, from: &Spot, path: &RelPath) -> bool {
    warn_of(path, || {
        if matches!(from.stat(), Err(FilesError::NotFound)) {
            return Ok(());
        }
        let versions = &share.store.rooms()?.versions;
        versions.make_folders(&path.parent().unwrap_or_default())?;
        merge(from, &versions.spot(path)?)
    })
}

/// The number on the disk of the folder with the versions of everything at a path; none if there are none.
///
/// # Errors
/// The disk's.
pub fn ino_of(share: &Share, path: &RelPath) -> Result<Option<u64>, WriteError> {
    if share.store.made()?.is_none() {
        return Ok(None);
    }
    let mirror = mirror_of(share, path)?;
    Ok(mirror.map(|mirror| mirror.stat()).transpose()?.map(|stat| stat.ino))
}

/// What the versions belong to is in its place already: that they do not follow is no reason to say that it is not.
fn warn_of(path: &RelPath, work: impl FnOnce() -> Result<(), WriteError>) -> bool {
    let done = work();
    if let Err(error) = &done {
        tracing::warn!(%path, %error, "the versions of a path could not go along");
    }
    done.is_ok()
}

fn mirror_of(share: &Share, path: &RelPath) -> Result<Option<Spot>, WriteError> {
    let spot = match share.store.rooms()?.versions.spot(path) {
        Err(WriteError::Files(FilesError::NotFound | FilesError::NotFolder)) => return Ok(None),
        spot => spot?,
    };
    match spot.stat() {
        Err(FilesError::NotFound) => Ok(None),
        there => Ok(there.map(|_| Some(spot))?),
    }
}

fn merge(from: &Spot, to: &Spot) -> Result<(), WriteError> {
    match from.move_to(to) {
        Err(WriteError::Exists) => {}
        done => return done,
    }
    let folder = to.open_folder()?.into_folder();
    for inside in tree::contents(from.open_folder()?)? {
        merge(&inside, &Spot::of(folder.clone(), inside.name().to_bytes()))?;
    }
    from.remove_folder()
}

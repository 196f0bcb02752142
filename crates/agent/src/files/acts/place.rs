//! Puts something that is whole somewhere else into its place, where nothing may be.

use proto::RelPath;
use proto::api::writing::{Clash, Outcome};
use uuid::Uuid;

use super::touched::Touched;
use crate::agent::Share;
use crate::files::write::publish::numbered_beside;
use crate::files::write::{WriteError, names};
use crate::files::{FilesError, tree};
use crate::share::write::Spot;
use crate::share::{Node, Stat};

/// Where something went.
pub(super) struct Placed {
    pub(super) path: RelPath,
    pub(super) spot: Spot,
    pub(super) stat: Stat,
    pub(super) outcome: Outcome,
}

/// Moves what is at a place to a path. `None` if it was left where it is, as wished.
///
/// # Errors
/// [`WriteError::Exists`]: something is there, and no other name is wished. What is there is never replaced.
pub(super) fn settle(
    share: &Share,
    from: &Spot,
    to: &RelPath,
    clash: Clash,
    touched: &mut Touched,
) -> Result<Option<Placed>, WriteError> {
    let spot = share.root.spot(to)?;
    let (path, spot, outcome) = match shift(share, from, &spot) {
        Ok(()) => (to.clone(), spot, Outcome::Done),
        Err(WriteError::Exists) if clash == Clash::Skip => return Ok(None),
        Err(WriteError::Exists) if clash == Clash::Rename => {
            let (path, spot) = numbered_beside(to, &spot, |free| shift(share, from, free))?;
            (path, spot, Outcome::Renamed)
        }
        Err(error) => return Err(error),
    };
    touched.add(from)?;
    touched.add(&spot)?;
    let stat = spot.stat()?;
    Ok(Some(Placed { path, spot, stat, outcome }))
}

/// Moves what is here to a name where nothing is, also to where the disk itself can only copy: between two of its
/// parts that share a mount.
pub(super) fn shift(share: &Share, from: &Spot, to: &Spot) -> Result<(), WriteError> {
    match from.move_to(to) {
        Err(WriteError::Files(FilesError::Outside)) => {}
        done => return done,
    }
    if to.stat().is_ok() {
        return Err(WriteError::Exists);
    }
    // Next to where it goes, under a name that nobody sees.
    let beside = Spot::own(to.folder(), &format!("moving-{}", Uuid::now_v7().simple()));
    let copied = tree::copy(from, &beside).and_then(|_| share.root.sync_all());
    if let Err(error) = copied.and_then(|()| beside.move_to(to)) {
        tree::remove(&beside)?;
        return Err(error);
    }
    to.sync_folder()?;
    tree::remove(from)
}

/// Refuses what no act may do: something into itself, or under a new name that is trouble elsewhere.
pub(super) fn check_way(from: &RelPath, to: &RelPath) -> Result<(), WriteError> {
    if from.holds(to) {
        return Err(WriteError::IntoItself);
    }
    let Some(name) = to.name() else { return Err(WriteError::Exists) };
    if from.name() == Some(name) { Ok(()) } else { names::check_portable(name) }
}

/// True where a file could be put over what is there.
pub(super) fn is_file(spot: &Spot) -> bool {
    spot.stat().is_ok_and(|stat| stat.node == Node::File)
}

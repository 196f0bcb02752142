//! Makes folders.

use proto::api::writing::{Acted, Outcome};
use proto::{PrincipalId, RelPath};

use super::{Act, Became};
use crate::agent::Share;
use crate::files::FilesError;
use crate::files::undo::Inverse;
use crate::files::write::{WriteError, names};

/// Makes a folder; with `parents` those that it is in too, and then one that is there already is no error.
///
/// # Errors
/// The disk's, once something was made. That the folder cannot be made is said of the item.
pub fn make_folder(
    share: &Share,
    path: RelPath,
    parents: bool,
    by: PrincipalId,
) -> Result<Acted, WriteError> {
    let mut act = Act::new(share, by);
    let made = if parents { act.make_way(&path) } else { act.make_one(&path).map(|()| true) };
    let became = made.map(|made| {
        let outcome = if made { Outcome::Done } else { Outcome::Skipped };
        Became::at(path.clone(), outcome)
    });
    act.note(path, became);
    act.finish()
}

impl Act<'_> {
    /// Makes what is missing of the way to a folder, and the folder. True if it was made now.
    pub(super) fn make_way(&mut self, path: &RelPath) -> Result<bool, WriteError> {
        match self.share.root.open_folder(path) {
            Ok(_) => return Ok(false),
            Err(FilesError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(parent) = path.parent() {
            self.make_way(&parent)?;
        }
        match self.make_one(path) {
            // Somebody was quicker.
            Err(WriteError::Exists) if self.share.root.open_folder(path).is_ok() => Ok(false),
            made => made.map(|()| true),
        }
    }

    /// Makes a folder where nothing is.
    pub(super) fn make_one(&mut self, path: &RelPath) -> Result<(), WriteError> {
        names::check_portable(path.name().ok_or(WriteError::Exists)?)?;
        let spot = self.share.root.spot(path)?;
        spot.make_folder()?;
        self.touched.add(&spot)?;
        self.steps.push(Inverse::RemoveFolder { path: path.clone() });
        Ok(())
    }
}

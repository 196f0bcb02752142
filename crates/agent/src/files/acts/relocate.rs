//! Moves files and folders within a share: in one step each, with the versions they had.

use proto::api::writing::{Acted, Clash};
use proto::{PrincipalId, RelPath};

use super::place::{Placed, check_way, is_file, settle};
use super::{Act, Became, Step, refused};
use crate::agent::Share;
use crate::files::following::{Announced, Way};
use crate::files::undo::{Back, Inverse};
use crate::files::write::WriteError;
use crate::files::{following, mirror};
use crate::share::write::Spot;

/// Moves each thing, in this order.
///
/// # Errors
/// The disk's, once something was moved. Why one could not be is said of the item.
pub fn relocate(share: &Share, steps: Vec<Step>, clash: Clash, by: PrincipalId) -> Result<Acted, WriteError> {
    let mut act = Act::new(share, by);
    for Step { from, to } in steps {
        match to {
            Ok(to) => {
                let became = act.relocate_one(&from, &to, clash);
                act.note(from, became);
            }
            Err(error) => act.items.push(refused(from, error)),
        }
    }
    act.finish()
}

impl Act<'_> {
    fn relocate_one(&mut self, from: &RelPath, to: &RelPath, clash: Clash) -> Result<Became, WriteError> {
        let source = self.share.root.spot(from)?;
        source.stat()?;
        if from == to {
            return Ok(Became::skipped());
        }
        check_way(from, to)?;
        let target = self.share.root.spot(to)?;
        if clash == Clash::Replace
            && is_file(&source)
            && is_file(&target)
            && !is_respelling(&source, &target)?
        {
            return self.move_over(from, &source, to);
        }
        let announced = following::announce(self.share, from, Way::To(to.clone()))?;
        if respell(&source, &target)? {
            return self.moved(from, to.clone(), &target, announced);
        }
        match settle(self.share, &source, to, clash, &mut self.touched)? {
            None => Ok(Became::skipped()),
            Some(Placed { path, spot, outcome, .. }) => {
                let became = self.moved(from, path, &spot, announced)?;
                Ok(Became { outcome, ..became })
            }
        }
    }

    /// Something is in its new place now.
    pub(super) fn moved(
        &mut self,
        from: &RelPath,
        to: RelPath,
        spot: &Spot,
        announced: Option<Announced>,
    ) -> Result<Became, WriteError> {
        let ino = spot.stat()?.ino;
        self.touched.add(spot)?;
        let followed = mirror::carry(self.share, from, &to);
        following::done(announced, followed);
        self.steps.push(Inverse::MoveBack(Back { path: to.clone(), to: from.clone(), ino }));
        Ok(Became::at(to, proto::api::writing::Outcome::Done))
    }
}

/// Changes nothing but how a name is spelled, where the disk finds the same thing by both spellings.
pub(super) fn respell(from: &Spot, to: &Spot) -> Result<bool, WriteError> {
    let respells = is_respelling(from, to)?;
    if respells {
        from.move_over(to)?;
    }
    Ok(respells)
}

fn is_respelling(from: &Spot, to: &Spot) -> Result<bool, WriteError> {
    let Ok(there) = to.stat() else { return Ok(false) };
    let here = from.stat()?;
    let same = (here.dev, here.ino) == (there.dev, there.ino) && from.folder_id()? == to.folder_id()?;
    // By two names of one file it would be found too, and then the other name is taken.
    Ok(same && !to.is_spelled_so()?)
}

//! Moves a file over another: what was there is kept as a version, and at every moment each of the two contents has a
//! name.

use proto::RelPath;
use proto::api::writing::Clash;

use super::{Act, Became};
use crate::agent::Share;
use crate::files::following::Way;
use crate::files::undo::{Back, Inverse, inverse_of};
use crate::files::write::WriteError;
use crate::files::write::part::{PartFile, Sealed, new_spot};
use crate::files::write::publish::{self, Expect, Published, numbered_beside};
use crate::files::{FilesError, entry, following, mirror};
use crate::share::Stat;
use crate::share::write::Spot;

impl Act<'_> {
    pub(super) fn move_over(
        &mut self,
        from: &RelPath,
        source: &Spot,
        to: &RelPath,
    ) -> Result<Became, WriteError> {
        let before = source.stat()?;
        if self.share.root.spot(to)?.stat()?.ino == before.ino {
            // Two names of one file: neither is newer.
            return Err(WriteError::Exists);
        }
        let announced = following::announce(self.share, from, Way::To(to.clone()))?;
        let content = second_name(self.share, source)?;
        let expect = Expect::Clash(Clash::Replace);
        let published = publish::publish(self.share, content.content(), to, &expect, self.by)?;
        if let Err(error) = self.take_away(from, source, &before) {
            // The source stays; what became of the target can be undone all the same.
            self.steps.extend(inverse_of(&published));
            return Err(error);
        }
        let followed = mirror::carry(self.share, from, to);
        following::done(announced, followed);
        self.steps.push(way_back(from, &published));
        Ok(Became::at(to.clone(), published.outcome))
    }

    /// Removes the name of a file whose content is in another place too; not if something else has it by now.
    fn take_away(&mut self, from: &RelPath, source: &Spot, before: &Stat) -> Result<(), WriteError> {
        let aside = new_spot(&self.share.store)?;
        source.move_to(&aside)?;
        self.touched.add(source)?;
        let taken = aside.stat()?;
        if (taken.ino, taken.size, taken.mtime_ns) == (before.ino, before.size, before.mtime_ns) {
            // It has its content in the new place. What cannot be removed now is swept.
            let _ = aside.remove_file();
            return Ok(());
        }
        // Somebody saved it a moment ago: that goes back, beside what may have come meanwhile.
        match aside.move_to(source) {
            Err(WriteError::Exists) => drop(numbered_beside(from, source, |free| aside.move_to(free))?),
            back => back?,
        }
        Err(FilesError::Changed.into())
    }
}

/// The file under a second name; a durable copy where a file can have only one.
pub(super) fn second_name(share: &Share, source: &Spot) -> Result<Sealed, WriteError> {
    match PartFile::link_of(&share.store, source)? {
        Some(part) => part.seal_later(None),
        None => PartFile::copy_of(&share.store, &source.open()?)?.seal(None),
    }
}

fn way_back(from: &RelPath, published: &Published) -> Inverse {
    let (path, to) = (published.path.clone(), from.clone());
    match published.kept {
        Some(id) => Inverse::Separate { path, to, version: entry::version(&published.stat), id },
        None => Inverse::MoveBack(Back { path, to, ino: published.stat.ino }),
    }
}

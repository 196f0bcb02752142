//! Undoes an act: does what was written down, as far as everything still is as the act left it. Itself an act, so that
//! an undo can be undone.

use proto::api::writing::{Acted, Clash, Outcome};
use proto::{PrincipalId, RelPath, UndoToken, VersionId};

use super::place::settle;
use super::rename::Change;
use super::{Act, Became};
use crate::agent::Share;
use crate::files::following::Way;
use crate::files::undo::{Back, Inverse, Note, inverse_of};
use crate::files::write::WriteError;
use crate::files::write::publish::{Expect, Tag};
use crate::files::{FilesError, entry, following, versions};
use crate::share::write::Spot;

/// Undoes what a token stands for. The token is used then, unless nothing at all could be undone.
///
/// # Errors
/// [`WriteError::Gone`], [`WriteError::NotYours`], or the disk's.
pub fn undo(share: &Share, token: UndoToken, by: PrincipalId) -> Result<Acted, WriteError> {
    let taken = Note::take(share, token, by)?;
    let mut act = Act::new(share, by);
    taken.note.steps.iter().for_each(|step| act.reverse(step));
    if act.steps.is_empty() {
        taken.put_back()?;
    }
    act.finish()
}

impl Act<'_> {
    fn reverse(&mut self, step: &Inverse) {
        match step {
            Inverse::Discard { path, version } => {
                let became = self.discard(path, version);
                self.reversed(path, became);
            }
            Inverse::Bring { path, version, id } => {
                let became = self.bring(path, version, *id);
                self.reversed(path, became);
            }
            Inverse::Separate { path, to, version, id } => {
                let became = self.separate(path, to, version, *id);
                self.reversed(path, became);
            }
            Inverse::MoveBack(back) => {
                let became = self.move_back(back);
                self.reversed(&back.path, became);
            }
            Inverse::RenameBack { moves } => self.rename_back(moves),
            Inverse::RemoveFolder { path } => {
                let became = self.remove_folder(path);
                self.reversed(path, became);
            }
            Inverse::MakeFolder { path } => {
                let became = self.make_one(path).map(|()| Became::at(path.clone(), Outcome::Done));
                self.reversed(path, became);
            }
            Inverse::Restore { id } => {
                let (path, became) = self.restore_one(*id, Clash::Ask);
                self.reversed(&path, became);
            }
        }
    }

    fn reversed(&mut self, path: &RelPath, became: Result<Became, WriteError>) {
        self.note(path.clone(), became.map_err(changed_since));
    }

    fn discard(&mut self, path: &RelPath, version: &str) -> Result<Became, WriteError> {
        self.unchanged(path, version)?;
        self.throw_one(path, version)
    }

    fn bring(&mut self, path: &RelPath, version: &str, id: VersionId) -> Result<Became, WriteError> {
        let expect = Expect::Match(vec![Tag::Version(version.to_owned())]);
        let published = versions::bring(self.share, path, id, &expect, self.by)?;
        self.steps.extend(inverse_of(&published));
        Ok(Became::at(published.path, published.outcome))
    }

    fn separate(
        &mut self,
        path: &RelPath,
        to: &RelPath,
        version: &str,
        id: VersionId,
    ) -> Result<Became, WriteError> {
        let spot = self.unchanged(path, version)?;
        let back = self.share.root.spot(to)?;
        versions::open(self.share, path, id)?;
        spot.link_to(&back)?;
        self.touched.add(&back)?;
        self.steps.push(Inverse::Discard { path: to.clone(), version: version.to_owned() });
        self.bring(path, version, id)?;
        Ok(Became::at(to.clone(), Outcome::Done))
    }

    fn move_back(&mut self, Back { path, to, ino }: &Back) -> Result<Became, WriteError> {
        let source = self.share.root.spot(path)?;
        if source.stat()?.ino != *ino {
            return Err(WriteError::NotUndoable);
        }
        let announced = following::announce(self.share, path, Way::To(to.clone()))?;
        if super::relocate::respell(&source, &self.share.root.spot(to)?)? {
            let spot = source.beside(to.name().unwrap_or_default());
            return self.moved(path, to.clone(), &spot, announced);
        }
        let placed = settle(self.share, &source, to, Clash::Ask, &mut self.touched)?;
        let placed = placed.ok_or(WriteError::NotUndoable)?;
        self.moved(path, placed.path, &placed.spot, announced)
    }

    fn rename_back(&mut self, moves: &[Back]) {
        let is_there =
            |back: &Back| self.share.root.stat_link(&back.path).is_ok_and(|stat| stat.ino == back.ino);
        let (there, gone): (Vec<_>, Vec<_>) = moves.iter().partition(|back| is_there(back));
        let changes: Vec<Change> =
            there.iter().map(|back| Change { from: back.path.clone(), to: back.to.clone() }).collect();
        let done = self.change_names(&changes);
        for (change, done) in changes.into_iter().zip(done) {
            self.reversed(&change.from, done.map(|()| Became::at(change.to, Outcome::Done)));
        }
        gone.iter().for_each(|back| self.reversed(&back.path, Err(WriteError::NotUndoable)));
    }

    fn remove_folder(&mut self, path: &RelPath) -> Result<Became, WriteError> {
        let spot = self.share.root.spot(path)?;
        spot.remove_folder()?;
        self.touched.add(&spot)?;
        self.steps.push(Inverse::MakeFolder { path: path.clone() });
        Ok(Became { to: None, outcome: Outcome::Done })
    }

    /// The place of something that still is what an act left there.
    fn unchanged(&self, path: &RelPath, version: &str) -> Result<Spot, WriteError> {
        let spot = self.share.root.spot(path)?;
        if entry::version(&spot.stat()?) == version { Ok(spot) } else { Err(WriteError::NotUndoable) }
    }
}

/// That something else is there, or nothing, is why it cannot be undone. What the disk says stays.
fn changed_since(error: WriteError) -> WriteError {
    use FilesError as Files;
    match error {
        WriteError::Exists
        | WriteError::NotEmpty
        | WriteError::Gone
        | WriteError::Conflict(_)
        | WriteError::IsLink
        | WriteError::Files(
            Files::NotFound | Files::NotFolder | Files::IsFolder | Files::Outside | Files::Changed,
        ) => WriteError::NotUndoable,
        other => other,
    }
}

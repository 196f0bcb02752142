//! Puts a tree that came whole into its place. What is new there goes by one rename, with all that is in it; folders that
//! exist are gone into; where a file is, the clash is settled like every other.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use proto::api::writing::{ActItem, Outcome};
use proto::{ApiError, RelPath, UndoToken};

use super::stage::Stage;
use super::{Tally, Unpack};
use crate::files::undo::{self, Inverse};
use crate::files::write::WriteError;
use crate::files::write::part::Content;
use crate::files::write::publish::{self, Expect};
use crate::files::{FilesError, entry, tree};
use crate::share::Node;
use crate::share::write::Spot;

/// What happens on the way.
struct Merging<'a> {
    unpack: &'a Unpack<'a>,
    tally: &'a mut Tally,
    steps: Vec<Inverse>,
}

impl Unpack<'_> {
    /// Puts everything into its place, durably. What undoes that.
    pub(super) fn merge(&self, stage: Stage<'_>, tally: &mut Tally) -> Result<Option<UndoToken>, WriteError> {
        let mut merging = Merging { unpack: self, tally, steps: Vec::new() };
        let folder = self.share.root.open_folder(&self.into)?.into_folder();
        merging.all(stage.contents()?, &folder, &RelPath::root())?;
        let steps = merging.steps;
        if !steps.is_empty() {
            self.share.watched.touch();
            self.share.root.sync_all()?;
        }
        Ok(undo::write_down(self.share, self.by, steps))
    }
}

impl Merging<'_> {
    /// Everything of one folder. `inner` is its path in the archive.
    fn all(&mut self, contents: Vec<Spot>, folder: &Arc<OwnedFd>, inner: &RelPath) -> Result<(), WriteError> {
        for staged in contents {
            let name = staged.name().to_bytes();
            let (inner, spot) = (join(inner, name)?, Spot::of(Arc::clone(folder), name));
            if let Err(error) = self.one(&staged, &spot, &inner) {
                self.fail(&staged, inner, &error.into())?;
            }
        }
        Ok(())
    }

    fn one(&mut self, staged: &Spot, spot: &Spot, inner: &RelPath) -> Result<(), WriteError> {
        let mut path = self.unpack.into.clone();
        for name in inner.names() {
            path = join(&path, name)?;
        }
        match staged.move_to(spot) {
            Err(WriteError::Exists) => self.meet(staged, spot, inner, &path),
            Err(error) => Err(error),
            Ok(()) => {
                let version = entry::version(&spot.stat()?);
                self.steps.push(Inverse::Discard { path, version });
                Ok(())
            }
        }
    }

    /// Something is there.
    fn meet(
        &mut self,
        staged: &Spot,
        spot: &Spot,
        inner: &RelPath,
        path: &RelPath,
    ) -> Result<(), WriteError> {
        match (staged.stat()?.node, spot.stat()?.node) {
            (Node::Folder, Node::Folder) => {
                self.tally.folders = self.tally.folders.saturating_sub(1);
                let folder = spot.open_folder()?.into_folder();
                self.all(tree::contents(staged.open_folder()?)?, &folder, inner)
            }
            (Node::Folder, Node::Link) => Err(WriteError::IsLink),
            (Node::Folder, _) => Err(FilesError::NotFolder.into()),
            (_, _) => self.publish(staged, spot, inner, path),
        }
    }

    fn publish(
        &mut self,
        staged: &Spot,
        spot: &Spot,
        inner: &RelPath,
        path: &RelPath,
    ) -> Result<(), WriteError> {
        let content = Content { file: staged.open_to_write()?, spot: staged.clone() };
        let Unpack { share, clash, by, .. } = *self.unpack;
        let published = publish::place(share, &content, path, spot, &Expect::Clash(clash), by)?;
        let outcome = published.outcome;
        self.steps.extend(undo::inverse_of(&published));
        if outcome == Outcome::Skipped {
            self.tally.files -= 1;
            self.tally.bytes -= staged.stat()?.size;
        }
        if matches!(outcome, Outcome::Skipped | Outcome::Renamed) {
            let to = Some(published.path).filter(|_| outcome == Outcome::Renamed);
            self.tally.exceptions.push(ActItem { from: inner.clone(), to, outcome, error: None });
        }
        Ok(())
    }

    /// Something could not go to its place, nor what is in it.
    fn fail(&mut self, staged: &Spot, inner: RelPath, error: &ApiError) -> Result<(), WriteError> {
        let stat = staged.stat()?;
        if stat.node == Node::Folder {
            self.tally.folders = self.tally.folders.saturating_sub(1);
            for inside in tree::contents(staged.open_folder()?)? {
                let inner = join(&inner, inside.name().to_bytes())?;
                self.fail(&inside, inner, error)?;
            }
        } else {
            self.tally.files -= 1;
            self.tally.bytes -= stat.size;
        }
        self.tally.fail(inner, error.clone());
        Ok(())
    }
}

fn join(path: &RelPath, name: &[u8]) -> Result<RelPath, WriteError> {
    path.join(name).map_err(|_| WriteError::BadName("it is too long"))
}

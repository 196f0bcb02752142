//! Copies files and folders within a share. A copy is made whole in the store first, made durable there, and then
//! renamed into its place: it is never half there.

use proto::api::writing::{Acted, Clash, Outcome};
use proto::{PrincipalId, RelPath};

use super::place::{Placed, check_way, settle};
use super::{Act, BATCH, Became, FEW, Step, refused, told};
use crate::agent::Share;
use crate::files::undo::{Inverse, inverse_of};
use crate::files::write::WriteError;
use crate::files::write::part::{PartFile, Sealed, check_room, new_spot};
use crate::files::write::publish::{self, Expect};
use crate::files::{FilesError, entry, tree};
use crate::share::Node;
use crate::share::write::{Spot, mark_used, permit_like, sync_file};

/// Copies each thing, in this order.
///
/// # Errors
/// The disk's, once something was copied. Why one could not be is said of the item.
pub fn copy(share: &Share, steps: Vec<Step>, clash: Clash, by: PrincipalId) -> Result<Acted, WriteError> {
    let mut act = Act::new(share, by);
    let mut steps = steps.into_iter();
    loop {
        let batch: Vec<Step> = steps.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return act.finish();
        }
        act.copy_batch(batch, clash)?;
    }
}

/// What was copied, whole, in the store.
enum Copied {
    /// There is nothing to do, as wished.
    Nothing,
    File(Sealed),
    /// A folder or link.
    Tree(Tree),
}

/// A tree in the store, in a folder of its own that goes away with what was not put into its place.
struct Tree {
    home: Spot,
    spot: Spot,
    /// How many files and folders it has.
    count: usize,
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _ = tree::remove(&self.home);
    }
}

impl Act<'_> {
    fn copy_batch(&mut self, batch: Vec<Step>, clash: Clash) -> Result<(), WriteError> {
        let copied: Vec<_> = batch
            .into_iter()
            .map(|Step { from, to }| {
                let copied = to.map(|to| copy_one(self.share, &from, &to, clash).map(|copied| (to, copied)));
                (from, copied)
            })
            .collect();
        let whole: Vec<&Copied> =
            copied.iter().filter_map(|(_, one)| Some(&one.as_ref().ok()?.as_ref().ok()?.1)).collect();
        let durable = make_durable(self.share, &whole).map_err(told);
        for (from, copied) in copied {
            match copied.and_then(|copied| durable.clone().map(|()| copied)) {
                Err(error) => self.items.push(refused(from, error)),
                Ok(copied) => {
                    let became = copied.and_then(|(to, copied)| self.put(&copied, &to, clash));
                    self.note(from, became);
                }
            }
        }
        Ok(())
    }

    /// Puts a copy into its place.
    fn put(&mut self, copied: &Copied, to: &RelPath, clash: Clash) -> Result<Became, WriteError> {
        match copied {
            Copied::Nothing => Ok(Became::skipped()),
            Copied::File(sealed) => self.put_file(sealed, to, clash),
            Copied::Tree(tree) => match settle(self.share, &tree.spot, to, clash, &mut self.touched)? {
                None => Ok(Became::skipped()),
                Some(Placed { path, stat, outcome, .. }) => {
                    let version = entry::version(&stat);
                    self.steps.push(Inverse::Discard { path: path.clone(), version });
                    Ok(Became::at(path, outcome))
                }
            },
        }
    }

    fn put_file(&mut self, sealed: &Sealed, to: &RelPath, clash: Clash) -> Result<Became, WriteError> {
        let spot = self.share.root.spot(to)?;
        let expect = Expect::Clash(clash);
        let published = publish::place(self.share, sealed.content(), to, &spot, &expect, self.by)?;
        self.touched.add(&spot)?;
        self.steps.extend(inverse_of(&published));
        let to = (published.outcome != Outcome::Skipped).then_some(published.path);
        Ok(Became { to, outcome: published.outcome })
    }
}

fn copy_one(share: &Share, from: &RelPath, to: &RelPath, clash: Clash) -> Result<Copied, WriteError> {
    let source = share.root.spot(from)?;
    let stat = source.stat()?;
    check_way(from, to)?;
    match share.root.spot(to)?.stat() {
        Ok(_) if clash == Clash::Skip || (from == to && clash == Clash::Replace) => {
            return Ok(Copied::Nothing);
        }
        Ok(there) if clash == Clash::Ask || (clash == Clash::Replace && there.node != Node::File) => {
            return Err(WriteError::Exists);
        }
        Ok(_) | Err(FilesError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    if stat.node == Node::File {
        let part = PartFile::copy_of(&share.store, &source.open()?)?;
        permit_like(part.file(), &source)?;
        return Ok(Copied::File(part.seal_later(None)?));
    }
    check_room(&share.root, tree::bytes(&source))?;
    copy_tree(share, &source).map(Copied::Tree)
}

fn copy_tree(share: &Share, source: &Spot) -> Result<Tree, WriteError> {
    let home = new_spot(&share.store)?;
    home.make_folder()?;
    let inside = home.open_folder()?.into_folder();
    mark_used(&inside);
    let mut copy = Tree { spot: Spot::of(inside, b"copy"), home, count: 0 };
    copy.count = tree::copy(source, &copy.spot)?;
    Ok(copy)
}

/// One wait for all copies, before any of them is in its place.
fn make_durable(share: &Share, copied: &[&Copied]) -> Result<(), WriteError> {
    let count = |copied: &&Copied| match copied {
        Copied::Nothing => 0,
        Copied::File(_) => 1,
        Copied::Tree(tree) => tree.count,
    };
    if copied.iter().map(count).sum::<usize>() > FEW {
        return share.root.sync_all();
    }
    copied.iter().try_for_each(|copied| match copied {
        Copied::Nothing => Ok(()),
        Copied::File(sealed) => sync_file(&sealed.content().file),
        Copied::Tree(tree) => tree::sync(&tree.spot),
    })
}

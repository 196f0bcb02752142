//! Makes what came durable, writes down that it counts, and puts what is whole into its place. One thread at a time.

use std::collections::HashSet;
use std::sync::Arc;

use proto::api::transfers::{ItemState, OfferedItem};
use proto::wire::transfer::What;
use proto::{ApiError, ErrorCode, RelPath};

use super::run::{Run, Slot, Unsettled};
use super::{Incoming, TREE};
use crate::files::write::WriteError;
use crate::files::write::publish::{self, hex};
use crate::files::{FilesError, tree};
use crate::share::write::{Spot, set_modified, sync_file};
use crate::share::{Node, ShareRoot};
use crate::transfer::journal::{Place, Record};
use crate::transfer::names;
use crate::transfer::pieces::Chaining;

/// Why an item did not go to its place.
enum NotPlaced {
    /// It never will.
    ForGood(ApiError),
    /// The disk is full, or failed when the item had perhaps gone: where it is, the next run finds out.
    Midway(WriteError),
}

impl From<ApiError> for NotPlaced {
    fn from(error: ApiError) -> Self {
        Self::ForGood(error)
    }
}

impl From<WriteError> for NotPlaced {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::NoSpace => Self::Midway(error),
            other => Self::ForGood(other.into()),
        }
    }
}

impl Incoming {
    /// Settles what there is of a run.
    ///
    /// # Errors
    /// The disk's. Nothing that was told as settled is lost.
    pub(super) fn settle(&self, run: &Run) -> Result<(), WriteError> {
        let mut journal = self.journal.lock();
        if run.is_retired() {
            return Ok(());
        }
        // Asked first: whatever is ready now is among what is unsettled now, or was settled before.
        let ready = run.ready();
        let Unsettled { mut records, files, others, noted, .. } = run.unsettled();
        if records.is_empty() && ready.is_empty() {
            return Ok(());
        }
        if others || !ready.is_empty() {
            self.share.root.sync_all()?;
        } else {
            files.iter().try_for_each(|file| sync_file(file))?;
        }
        if !records.is_empty() {
            records.push(Record::Settled);
            journal.append(records.get(noted..).unwrap_or_default())?;
        }
        for item in ready {
            match self.place(run, item, &mut |record| journal.append(&[record])) {
                Err(NotPlaced::Midway(error)) => return Err(error),
                Err(NotPlaced::ForGood(error)) => {
                    journal.append(&[Record::Dropped { item }])?;
                    self.fail_item(item, error);
                }
                Ok(()) => {}
            }
            run.placed(item);
        }
        drop(journal);
        if run.is_done() {
            self.clear()?;
        }
        self.changed();
        Ok(())
    }

    /// Writes down what is here, though it is not durable. Left to who settles, where somebody does.
    pub(super) fn note(&self, run: &Run) -> Result<(), WriteError> {
        let Some(mut journal) = self.journal.try_lock() else { return Ok(()) };
        if run.is_retired() || run.ended().is_cancelled() {
            return Ok(());
        }
        run.note(|records| journal.note(records))
    }

    /// Puts a whole item into its place.
    fn place(
        &self,
        run: &Run,
        item: u16,
        note: &mut dyn FnMut(Record) -> Result<(), WriteError>,
    ) -> Result<(), NotPlaced> {
        let slots = run.slots_of(item);
        let offered =
            self.state.lock().expected.items.get(usize::from(item)).map(|item| item.offered.clone());
        let Some(offered) = offered else { return Ok(()) };
        let staged = self.item_spot(item)?;
        let hash = content_of(&slots).map_err(|error| self.said_why(item).unwrap_or(error))?;
        if self.state_of(item) != Some(ItemState::Committed) {
            check(hash, &offered, || publish::sha256(&staged.open()?))?;
        }
        self.with_item(item, |item| item.state = ItemState::Committed);
        self.remove_strangers(run, item, &slots)?;
        self.finish_folders(&slots)?;
        let path = self.move_to_place(item, &staged, (run.into(item), &offered.filename), note)?;
        note(Record::Placed { item, path: path.clone(), hash }).map_err(NotPlaced::Midway)?;
        self.with_item(item, |item| {
            item.state = ItemState::Finalized;
            item.blake3 = hash.map(|hash| hex(&hash));
            item.final_path = Some(path);
        });
        Ok(())
    }

    /// Why it is not here, in the words of who could not read or write it.
    fn said_why(&self, item: u16) -> Option<ApiError> {
        self.state.lock().items.get(usize::from(item))?.error.clone()
    }

    /// Makes the links of an item, and gives its folders their times: the inner ones first, since what is done in a folder
    /// changes its time.
    fn finish_folders(&self, slots: &[Arc<Slot>]) -> Result<(), WriteError> {
        for slot in slots.iter().rev() {
            match &slot.entry.what {
                What::Link { target } if slot.here().is_some() => {
                    match self.tree.spot(&slot.path)?.make_link(target) {
                        // It was made before the process ended.
                        Err(WriteError::Exists) => {}
                        made => made?,
                    }
                }
                What::Folder { modified_ns } if slot.here().is_some() => {
                    set_modified(self.tree.spot(&slot.path)?.open_folder()?.dir, *modified_ns)?;
                }
                What::File(_) | What::Folder { .. } | What::Link { .. } => {}
            }
        }
        Ok(())
    }

    /// Moves an item to a free name where it is to be. Noted before: a crash leaves no doubt whether it was moved.
    fn move_to_place(
        &self,
        item: u16,
        staged: &Spot,
        (into, filename): (Option<RelPath>, &str),
        note: &mut dyn FnMut(Record) -> Result<(), WriteError>,
    ) -> Result<String, NotPlaced> {
        let known = self.known.lock().places.get(&item).cloned();
        if let Some(Place::Perhaps(path)) = known
            && matches!(staged.stat(), Err(FilesError::NotFound))
        {
            return Ok(path);
        }
        let folder = into.unwrap_or_else(|| self.destination());
        self.share.root.make_folders(&folder)?;
        let name = names::receivable(filename.as_bytes());
        let path = folder.join(&name).map_err(|_| WriteError::BadName("it is too long"))?;
        let spot = self.share.root.spot(&path)?;
        let mut go = |path: &RelPath, spot: &Spot| {
            note(Record::Placing { item, path: path.to_string() })?;
            staged.move_to(spot)
        };
        let path = match go(&path, &spot) {
            Err(WriteError::Exists) => {
                let folder = path.parent().unwrap_or_default();
                let take = |free: &Spot| {
                    let path = folder.join(free.name().to_bytes());
                    go(&path.map_err(|_| WriteError::BadName("it is too long"))?, free)
                };
                publish::numbered_beside(&path, &spot, take)?.0
            }
            went => went.map(|()| path)?,
        };
        spot.sync_folder().map_err(NotPlaced::Midway)?;
        self.share.watched.touch();
        Ok(path.to_string())
    }

    /// The folder that was approved, from the share's root.
    pub(super) fn destination(&self) -> RelPath {
        self.state.lock().expected.destination_path.parse().unwrap_or_default()
    }

    /// Removes from a tree that goes to its place whatever is not whole in this run: what was begun and given up, here or
    /// in a run before.
    fn remove_strangers(&self, run: &Run, item: u16, slots: &[Arc<Slot>]) -> Result<(), WriteError> {
        let all_here = slots.iter().all(|slot| slot.here().is_some());
        if self.item_spot(item)?.stat()?.node != Node::Folder || all_here && run.is_fresh() {
            return Ok(());
        }
        let here = slots.iter().filter(|slot| slot.here().is_some()).map(|slot| &slot.path).collect();
        remove_others(&self.tree, &super::path(&item.to_string()), &here)
    }

    /// Everything is in its place: what is left is the journal, which says so.
    fn clear(&self) -> Result<(), WriteError> {
        let tree = self.home.spot(&super::path(TREE))?;
        for left in tree::contents(tree.open_folder()?)? {
            tree::remove(&left)?;
        }
        Ok(())
    }
}

/// What an item is if it is here: the hash of a file.
pub(super) fn content_of(slots: &[Arc<Slot>]) -> Result<Option<Chaining>, ApiError> {
    let top = slots.iter().rfind(|slot| slot.entry.path.is_empty());
    top.and_then(|slot| slot.here()).ok_or_else(did_not_come)
}

/// Compares a file with what was said of it. Its SHA-256 is asked for only if that was said.
pub(super) fn check(
    hash: Option<Chaining>,
    offered: &OfferedItem,
    sha256: impl FnOnce() -> Result<String, WriteError>,
) -> Result<(), WriteError> {
    let Some(hash) = hash else { return Ok(()) };
    let said = |said: &Option<String>| said.clone().filter(|said| !is_unknown(said));
    let of_blake3 = said(&offered.blake3).map(|said| said.eq_ignore_ascii_case(&hex(&hash)));
    let of_sha256 = match said(&offered.sha256) {
        Some(said) => Some(said.eq_ignore_ascii_case(&sha256()?)),
        None => None,
    };
    if of_blake3.into_iter().chain(of_sha256).all(|fits| fits) { Ok(()) } else { Err(WriteError::Checksum) }
}

/// Removes all files and links beneath a folder but these.
fn remove_others(tree: &ShareRoot, folder: &RelPath, but: &HashSet<&RelPath>) -> Result<(), WriteError> {
    let mut names = Vec::new();
    tree.open_folder(folder)?.read_names(|name, _| names.push(name.to_bytes().to_vec()))?;
    for name in names {
        let path = folder.join(&name).map_err(|_| WriteError::BadName("it is too long"))?;
        let spot = tree.spot(&path)?;
        match spot.stat()?.node {
            Node::Folder => remove_others(tree, &path, but)?,
            _ if but.contains(&path) => {}
            _ => spot.remove_file()?,
        }
    }
    Ok(())
}

/// Sixty-four zeros stand for a hash that is not known.
pub(super) fn is_unknown(hash: &str) -> bool {
    hash.bytes().all(|digit| digit == b'0')
}

fn did_not_come() -> ApiError {
    ApiError::new(
        ErrorCode::ReadFailed,
        "It did not come: the sender could not read it, or it could not be written here.",
        "See what the sender was told, and send it again.",
    )
}

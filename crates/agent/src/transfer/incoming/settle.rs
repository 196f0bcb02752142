//! Makes what came durable, writes down that it counts, and puts what is whole into its place. One thread at a time.

use proto::api::transfers::{ItemState, OfferedItem};
use proto::wire::transfer::What;
use proto::{ApiError, ErrorCode, RelPath};

use super::run::{Run, Slot, Unsettled};
use super::{Incoming, TREE};
use crate::files::write::WriteError;
use crate::files::write::publish::{self, hex};
use crate::files::{FilesError, tree};
use crate::share::write::{Spot, set_modified, sync_file};
use crate::transfer::journal::{Place, Record};
use crate::transfer::names;
use crate::transfer::pieces::Chaining;

impl Incoming {
    /// Settles what there is of a run.
    ///
    /// # Errors
    /// The disk's. Nothing that was told as settled is lost.
    pub(super) fn settle(&self, run: &Run) -> Result<(), WriteError> {
        let mut journal = self.journal.lock();
        // Asked first: whatever is ready now is among what is unsettled now, or was settled before.
        let ready = run.ready();
        let Unsettled { records, files, others, .. } = run.unsettled();
        if others || !ready.is_empty() {
            self.share.root.sync_all()?;
        } else {
            files.iter().try_for_each(|file| sync_file(file))?;
        }
        journal.append(&records)?;
        for item in ready {
            let placed = self.place(run, item, &mut |record| journal.append(&[record]));
            run.placed(item);
            if let Err(error) = placed {
                self.fail_item(item, error);
            }
        }
        drop(journal);
        if run.is_done() {
            self.clear()?;
        }
        self.changed();
        Ok(())
    }

    /// Puts a whole item into its place.
    fn place(
        &self,
        run: &Run,
        item: u16,
        note: &mut dyn FnMut(Record) -> Result<(), WriteError>,
    ) -> Result<(), ApiError> {
        let slots = run.slots_of(item);
        let offered =
            self.state.lock().expected.items.get(usize::from(item)).map(|item| item.offered.clone());
        let Some(offered) = offered else { return Ok(()) };
        let staged = self.item_spot(item)?;
        let hash =
            self.check(&slots, &staged, &offered).map_err(|error| self.said_why(item).unwrap_or(error))?;
        self.with_item(item, |item| item.state = ItemState::Committed);
        self.finish_folders(&slots)?;
        let path = self.move_to_place(item, &staged, &offered.filename, note)?;
        note(Record::Placed { item, path: path.clone(), hash })?;
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

    /// Compares an item with what was said of it. The hash of a file.
    fn check(
        &self,
        slots: &[std::sync::Arc<Slot>],
        staged: &Spot,
        offered: &OfferedItem,
    ) -> Result<Option<Chaining>, ApiError> {
        let top = slots.iter().rfind(|slot| slot.entry.path.is_empty());
        let hash = top.and_then(|slot| slot.here()).ok_or_else(did_not_come)?;
        let blake3 = offered.blake3.as_deref().filter(|said| !is_unknown(said));
        if let (Some(said), Some(hash)) = (blake3, hash)
            && !said.eq_ignore_ascii_case(&hex(&hash))
        {
            return Err(WriteError::Checksum.into());
        }
        let sha256 = offered.sha256.as_deref().filter(|said| !is_unknown(said) && hash.is_some());
        if let Some(said) = sha256
            && !said.eq_ignore_ascii_case(&publish::sha256(&staged.open()?)?)
        {
            return Err(WriteError::Checksum.into());
        }
        Ok(hash)
    }

    /// Makes the links of an item, and gives its folders their times: the inner ones first, since what is done in a folder
    /// changes its time.
    fn finish_folders(&self, slots: &[std::sync::Arc<Slot>]) -> Result<(), WriteError> {
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
        filename: &str,
        note: &mut dyn FnMut(Record) -> Result<(), WriteError>,
    ) -> Result<String, WriteError> {
        let known = self.known.lock().places.get(&item).cloned();
        if let Some(Place::Perhaps(path)) = known
            && matches!(staged.stat(), Err(FilesError::NotFound))
        {
            return Ok(path);
        }
        let folder: RelPath = self.state.lock().expected.destination_path.parse().unwrap_or_default();
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
        spot.sync_folder()?;
        self.share.watched.touch();
        Ok(path.to_string())
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

/// Sixty-four zeros stand for a hash that is not known.
fn is_unknown(hash: &str) -> bool {
    hash.bytes().all(|digit| digit == b'0')
}

fn did_not_come() -> ApiError {
    ApiError::new(
        ErrorCode::ReadFailed,
        "It did not come: the sender could not read it, or it could not be written here.",
        "See what the sender was told, and send it again.",
    )
}

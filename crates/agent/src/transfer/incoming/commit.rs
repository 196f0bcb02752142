//! The end of an item that came over HTTP: found to be what was offered, then put into its place. Both may be asked again.

use std::sync::Arc;

use proto::api::delivery::{FinalizeItem, ItemCommitted, ItemFinalized};
use proto::api::transfers::{ItemKind, ItemState, OfferedItem};
use proto::{ApiError, ErrorCode, RelPath, TransferItemId};

use super::Incoming;
use super::chunks::{ByChunks, Chunk, wrong_state};
use super::grow::another_hash;
use super::run::SlotState;
use super::settle::{check, content_of};
use crate::files::write::WriteError;
use crate::files::write::publish::hex;
use crate::transfer::journal::Record;

impl Incoming {
    /// Finds an item to be what was offered, and makes it durable. `partial` if a folder may lack files. Blocks.
    ///
    /// # Errors
    /// Something is missing, it is something else, or the disk's.
    pub fn commit(self: &Arc<Self>, id: TransferItemId, partial: bool) -> Result<ItemCommitted, ApiError> {
        let (item, offered, arrived) = self.item(id)?;
        if matches!(arrived.state, ItemState::Committed | ItemState::Finalized) {
            return Ok(ItemCommitted { item_id: id, state: arrived.state, blake3: arrived.blake3 });
        }
        self.check_held()?;
        if arrived.state == ItemState::Pending && offered.size == 0 && offered.kind != ItemKind::Folder {
            self.growing(&nothing_of(id))?;
        }
        let chunked = self.by_chunks()?;
        self.check_all_here(&chunked, (item, &offered), partial)?;
        self.settle_by_chunks(&chunked)?;
        let hash = content_of(&chunked.run.slots_of(item)).map_err(|_| missing(0, 1))?;
        let file = chunked.files.lock().get(&(item, Vec::new())).cloned();
        let sha256 = || file.as_ref().map_or(Err(WriteError::Gone), |file| file.sha256(self));
        match (check(hash, &offered, sha256), &file) {
            (Err(WriteError::Checksum), Some(file)) => {
                self.void(file)?;
                return Err(another_hash());
            }
            (checked, _) => checked?,
        }
        self.journal.lock().append(&[Record::Committed { item }]).map_err(|error| self.refuse(error))?;
        let blake3 = hash.map(|hash| hex(&hash));
        self.with_item(item, |item| (item.state, item.blake3) = (ItemState::Committed, blake3.clone()));
        self.changed();
        Ok(ItemCommitted { item_id: id, state: ItemState::Committed, blake3 })
    }

    /// Refuses an item of which something is missing.
    fn check_all_here(
        &self,
        chunked: &ByChunks,
        (item, offered): (u16, &OfferedItem),
        partial: bool,
    ) -> Result<(), ApiError> {
        let slots = chunked.run.slots_of(item);
        let files = slots.iter().filter(|slot| slot.facts().is_some());
        let (mut here, mut coming) = (0, 0);
        for slot in files {
            match &*slot.state.lock() {
                SlotState::Here(_) => here += 1,
                SlotState::Coming(_) => coming += 1,
                SlotState::Replaced | SlotState::Given => {}
            }
        }
        let wanted = if offered.kind == ItemKind::Folder { offered.files } else { 1 };
        match () {
            () if coming > 0 => Err(missing(here, here + coming)),
            () if here < wanted && !partial => Err(missing(here, wanted)),
            () if here < wanted && offered.kind == ItemKind::Folder => {
                self.with_item(item, |item| item.error = Some(some_did_not_come(wanted - here)));
                Ok(())
            }
            () => Ok(()),
        }
    }

    /// Puts an item that was committed into its place. Blocks.
    ///
    /// # Errors
    /// It was not committed, may not go there, or the disk's.
    pub fn finalize(self: &Arc<Self>, wish: &FinalizeItem) -> Result<ItemFinalized, ApiError> {
        let (item, _, arrived) = self.item(wish.item_id)?;
        if arrived.state != ItemState::Finalized {
            self.check_held()?;
            let into = self.allowed(&wish.destination_path)?;
            let chunked = self.by_chunks()?;
            let state = self.state_of(item).unwrap_or(arrived.state);
            if state != ItemState::Committed {
                return Err(wrong_state(state, "was not committed"));
            }
            chunked.run.tell_all_of(item, into);
            self.settle_by_chunks(&chunked)?;
        }
        let (_, _, arrived) = self.item(wish.item_id)?;
        match (arrived.final_path, arrived.error) {
            (Some(final_path), _) => {
                let (item_id, state, renamed) = (wish.item_id, arrived.state, arrived.renamed);
                Ok(ItemFinalized { item_id, state, final_path, renamed })
            }
            (None, Some(error)) => Err(error),
            (None, None) => Err(wrong_state(arrived.state, "was not put into its place")),
        }
    }

    /// The folder that is wished, if it is the one that was approved or in it; none if it is that one.
    fn allowed(&self, wish: &str) -> Result<Option<RelPath>, ApiError> {
        let (wish, approved): (RelPath, _) = (wish.parse()?, self.destination());
        match () {
            () if wish.is_root() || wish == approved => Ok(None),
            () if approved.holds(&wish) => Ok(Some(wish)),
            () => Err(not_approved()),
        }
    }
}

/// Says of an item, as its sender would, that it is a file without bytes.
const fn nothing_of(item: TransferItemId) -> Chunk {
    Chunk {
        item,
        filename: None,
        size: None,
        sha256: None,
        path: String::new(),
        is_folder: false,
        modified_ns: None,
    }
}

fn missing(here: u64, wanted: u64) -> ApiError {
    ApiError::new(
        ErrorCode::WrongState,
        format!("The item is receiving: {here} of {wanted} files are here as a whole."),
        "Send what is missing.",
    )
}

fn some_did_not_come(count: u64) -> ApiError {
    ApiError::new(
        ErrorCode::ReadFailed,
        format!("{count} of its files did not come: the sender could not read them."),
        "Ask the sender for them.",
    )
}

fn not_approved() -> ApiError {
    ApiError::new(
        ErrorCode::Forbidden,
        "The receiver did not approve that folder.",
        "Leave 'destination_path' empty, or name a folder in the one that was approved.",
    )
}

//! A transfer as it is kept: its row, its items and its state, which say the same.

use std::collections::HashMap;

use proto::TransferItemId;
use proto::api::transfers::{ItemState, TRANSFER_HOURS, TransferItem, TransferState};

use serde_json::{Value, json};

use super::items;
use super::state::{NotMoved, State};
use crate::store::StoreError;
use crate::store::transfers::TransferRow;

/// For how long it is waited, from the last thing that happened.
const PATIENCE_MS: i64 = TRANSFER_HOURS as i64 * 3_600_000;

/// A whole transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Transfer {
    pub(crate) row: TransferRow,
    pub(crate) items: Vec<TransferItem>,
    /// What the row's `state` and `state_data` say.
    state: State,
}

impl Transfer {
    pub(super) fn read(row: TransferRow, items: Vec<TransferItem>) -> Result<Self, StoreError> {
        let state: State =
            serde_json::from_str(&row.state_data).map_err(|_| StoreError::Row("transfer's state"))?;
        Ok(Self { row, items, state })
    }

    pub(crate) const fn state(&self) -> &State {
        &self.state
    }

    /// Goes on to another state. What has not come to its end ends with the transfer.
    pub(super) fn go(&mut self, step: impl FnOnce(State) -> Result<State, NotMoved>) -> Result<(), NotMoved> {
        let next = step(self.state.clone())?;
        let end = match next.word() {
            TransferState::Rejected => Some(ItemState::Rejected),
            TransferState::Cancelled => Some(ItemState::Cancelled),
            TransferState::Expired => Some(ItemState::Expired),
            TransferState::Failed => Some(ItemState::Failed),
            _ => None,
        };
        if let Some(end) = end {
            items::end(&mut self.items, end);
        }
        self.row.state = next.word();
        // A state is plain data: it can be written.
        self.row.state_data = serde_json::to_string(&next).unwrap_or_default();
        self.state = next;
        Ok(())
    }

    /// Something has happened: from now on it is waited again.
    pub(super) const fn wait_from(&mut self, now_ms: i64) {
        self.row.expires_ms = now_ms + PATIENCE_MS;
    }

    pub(super) fn put_sizes(&mut self, sizes: &HashMap<TransferItemId, u64>) {
        for item in &mut self.items {
            if let Some(size) = sizes.get(&item.id) {
                item.received_size = *size;
            }
        }
    }

    /// What the log says of it: no names of files, and nobody's words.
    pub(crate) fn in_the_log(&self) -> Value {
        json!({
            "transfer": self.row.id,
            "state": self.row.state,
            "sender": self.row.sender,
            "items": self.items.len(),
            "bytes": self.wanted_bytes(),
            "from_share": self.row.source.as_ref().map(|source| source.share_id),
        })
    }

    /// Bytes that were offered and are wanted.
    pub(crate) fn wanted_bytes(&self) -> u64 {
        let wanted = self.items.iter().filter(|item| item.state != ItemState::Rejected);
        wanted.map(|item| item.offered.size).fold(0, u64::saturating_add)
    }
}

//! What is known by heart of transfers under way, beside what is written down: how much is there, and how it flows.

use std::collections::HashMap;

use parking_lot::Mutex;
use proto::api::transfers::{Limit, Way};
use proto::{TransferId, TransferItemId};

/// How one transfer goes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// How many bytes of each item are there: more than is written down.
    pub(super) sizes: HashMap<TransferItemId, u64>,
    pub(super) way: Option<Way>,
    pub(super) limited_by: Option<Limit>,
    /// What the machine that sends by itself says of it.
    pub(super) note: Option<String>,
}

impl Live {
    /// What the sending machine said last, unless a good way was found since.
    pub(super) fn note_if_it_counts(&self) -> Option<String> {
        self.note.clone().filter(|_| !matches!(self.way, Some(Way::Lan | Way::Direct)))
    }
}

/// How all of them go.
#[derive(Default)]
pub(super) struct AllLive(Mutex<HashMap<TransferId, Live>>);

impl AllLive {
    pub(super) fn of(&self, id: TransferId) -> Live {
        self.0.lock().get(&id).cloned().unwrap_or_default()
    }

    /// Takes note of something; gives what `change` says of it.
    pub(super) fn note<T>(&self, id: TransferId, change: impl FnOnce(&mut Live) -> T) -> T {
        change(self.0.lock().entry(id).or_default())
    }

    pub(super) fn forget(&self, id: TransferId) {
        self.0.lock().remove(&id);
    }
}

//! What is sent to somebody's machine: who agreed to what, and how far it is. `state` and `items` are pure; `record` is a
//! transfer as it is kept; here every change is made, one at a time and on the disk before it counts. `parties` says who
//! may, `offering`, `answering` and `opening` are the moves of people, `expiry` those of time, and `driver` those of the
//! receiver's device, where the bytes arrive. What a share's machine sends by itself is `source`'s, on which machine a
//! `person` receives is chosen there, and how it goes in this moment is in `live`. No byte of a file comes here.

mod answering;
mod driver;
mod expiry;
mod items;
mod live;
mod offering;
mod opening;
mod parties;
mod person;
mod record;
mod source;
pub(crate) mod state;
mod telling;
#[cfg(test)]
mod tests;
mod trust;

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use proto::{ApiError, DeviceId, PrincipalId, TransferId};
use tokio::sync::watch;

pub(crate) use driver::drive_forever;
pub(crate) use parties::Side;
pub(crate) use record::Transfer;

use crate::access::Denied;
use crate::clock::{Clock, to_ms};
use crate::gateway::GatewayError;
use crate::identity::passcode::PasscodeError;
use crate::store::transfers::TransferRow;
use crate::store::trusted_senders::TrustedRow;
use crate::store::{Store, StoreError};
use live::AllLive;
use state::NotMoved;

/// Why something about a transfer was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TransferError {
    /// There is none of that id, or it is no business of whoever asks.
    #[error("there is no such transfer")]
    Unknown,
    /// There is no such device, or whoever asks does not see it.
    #[error("there is no such device")]
    UnknownDevice,
    /// It is the other side's to say.
    #[error("only the {0:?} may do this")]
    Only(Side),
    /// It is the business of the receiving machine's owner alone.
    #[error("only the owner of the machine may do this")]
    OwnerOnly,
    /// Nobody of that id has a machine to which whoever asks may send.
    #[error("they have no machine that takes anything")]
    NoMachine,
    /// The machine has no inbox.
    #[error("the machine has no inbox")]
    NoInbox,
    /// Whoever asks may send nothing to the machine.
    #[error("nothing may be sent there")]
    MayNotSend,
    #[error("not allowed on the share")]
    Denied(Denied),
    #[error(transparent)]
    NotMoved(#[from] NotMoved),
    /// What was said makes no sense: why, for people.
    #[error("{0}")]
    Invalid(String),
    #[error("there are too many already")]
    TooMany,
    #[error(transparent)]
    Passcode(#[from] PasscodeError),
    #[error("the device was not told")]
    Gateway(#[from] GatewayError),
    /// The device said no.
    #[error("the device refused")]
    Device(ApiError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<Denied> for TransferError {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

/// The book of transfers. Everything but the items is known by heart.
pub(crate) struct Transfers {
    store: Store,
    clock: Arc<dyn Clock>,
    rows: RwLock<HashMap<TransferId, TransferRow>>,
    /// Whose transfers to which machine begin without a question.
    trusted: RwLock<HashMap<(DeviceId, PrincipalId), TrustedRow>>,
    /// How those go that are under way.
    live: AllLive,
    /// Held while something is changed: each change starts from what the one before left.
    changing: tokio::sync::Mutex<()>,
    /// Counts up with each change.
    changes: watch::Sender<u64>,
}

impl Transfers {
    pub(crate) async fn open(store: Store, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let rows = store.transfers().await?.into_iter().map(|row| (row.id, row)).collect();
        let trusted = store.trusted_senders().await?.into_iter();
        let trusted = trusted.map(|row| ((row.device, row.sender), row)).collect();
        Ok(Self {
            store,
            clock,
            rows: RwLock::new(rows),
            trusted: RwLock::new(trusted),
            live: AllLive::default(),
            changing: tokio::sync::Mutex::default(),
            changes: watch::Sender::new(0),
        })
    }

    /// Tells whenever anything has changed.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn now_ms(&self) -> i64 {
        to_ms(self.clock.wall())
    }

    /// One transfer, but for its items.
    pub(crate) fn row(&self, id: TransferId) -> Option<TransferRow> {
        self.rows.read().get(&id).cloned()
    }

    /// Those of which this is true, the newest first.
    pub(crate) fn rows_where(&self, which: impl Fn(&TransferRow) -> bool) -> Vec<TransferRow> {
        let mut rows: Vec<_> = self.rows.read().values().filter(|row| which(row)).cloned().collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.created_ms, row.id)));
        rows
    }

    /// One transfer, with what has come by now.
    pub(crate) async fn get(&self, id: TransferId) -> Result<Transfer, TransferError> {
        let (row, items) = self.store.transfer(id).await?.ok_or(TransferError::Unknown)?;
        let mut transfer = Transfer::read(row, items)?;
        transfer.put_sizes(&self.live.of(id).sizes);
        Ok(transfer)
    }

    async fn insert(&self, transfer: &Transfer) -> Result<(), TransferError> {
        let _turn = self.changing.lock().await;
        self.store.insert_transfer(&transfer.row, &transfer.items).await?;
        self.learn(transfer.row.clone());
        Ok(())
    }

    /// Makes a change, if `step` finds that it can be made, and gives what the transfer is then. It is on the disk, and
    /// nothing else has changed between what `step` saw and that.
    async fn change<E: From<TransferError>>(
        &self,
        id: TransferId,
        step: impl FnOnce(&mut Transfer) -> Result<(), E>,
    ) -> Result<Transfer, E> {
        let _turn = self.changing.lock().await;
        let before = self.get(id).await?;
        let mut after = before.clone();
        step(&mut after)?;
        if after == before {
            return Ok(after);
        }
        after.row.updated_ms = self.now_ms();
        let mut changed = Vec::new();
        for (place, item) in after.items.iter().enumerate() {
            if before.items[place] != *item {
                changed.push((place, item));
            }
        }
        self.store.update_transfer(&after.row, &changed).await.map_err(TransferError::from)?;
        self.learn(after.row.clone());
        Ok(after)
    }

    async fn forget(&self, id: TransferId) -> Result<(), StoreError> {
        let _turn = self.changing.lock().await;
        self.store.delete_transfer(id).await?;
        self.rows.write().remove(&id);
        self.live.forget(id);
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }

    fn learn(&self, row: TransferRow) {
        if row.state.is_over() {
            self.live.forget(row.id);
        }
        self.rows.write().insert(row.id, row);
        self.changes.send_modify(|count| *count += 1);
    }
}

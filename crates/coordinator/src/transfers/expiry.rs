//! What time does to transfers: a passcode that was not said lapses, an offer that nobody answered expires, and what came
//! to its end long ago is forgotten.

use proto::TransferId;
use proto::api::events::Happening;
use proto::api::transfers::TransferState;

use super::state::State;
use super::{Transfer, TransferError};
use crate::coordinator::Rooms;
use crate::store::transfers::TransferRow;

/// For how long it is remembered what came to its end.
const HISTORY_MS: i64 = 90 * 24 * 3_600_000;
/// Transfers remembered at most: beyond that, those that ended longest ago are forgotten.
const MAX_KEPT: usize = 10_000;

impl Rooms {
    /// Every few seconds.
    pub(crate) async fn sweep_transfers(&self) {
        for row in self.transfers.rows_where(|row| !row.state.is_over()) {
            if let Err(error) = self.sweep_transfer(&row).await {
                tracing::warn!(transfer = %row.id, error = &error as &dyn std::error::Error, "cannot look after a transfer");
            }
        }
        for row in self.history_over() {
            if let Err(error) = self.transfers.forget(row.id).await {
                tracing::warn!(transfer = %row.id, %error, "cannot forget a transfer");
            }
        }
    }

    async fn sweep_transfer(&self, row: &TransferRow) -> Result<(), TransferError> {
        let now_ms = self.now_ms();
        let gone = !self.identity.principals().lives(row.sender)
            || self.identity.devices().owner_of(row.device).is_none();
        match () {
            () if gone => {
                let why = "The sender, or the machine, does not belong here any more.".to_owned();
                self.end_transfer(row.id, |state| state.fail(why)).await
            }
            () if now_ms >= row.expires_ms => self.end_transfer(row.id, State::expire).await,
            () if row.state == TransferState::ApprovedPendingSenderPasscode => {
                match self.transfers.get(row.id).await?.state() {
                    State::Approved(window) if now_ms >= window.until_ms => {
                        self.lapse_transfer(row.id).await.map(drop)
                    }
                    _ => Ok(()),
                }
            }
            () => Ok(()),
        }
    }

    /// It cannot be finished.
    pub(super) async fn fail_transfer(&self, id: TransferId, why: String) -> Result<(), TransferError> {
        self.end_transfer(id, |state| state.fail(why)).await
    }

    async fn end_transfer(
        &self,
        id: TransferId,
        end: impl FnOnce(State) -> Result<State, super::state::NotMoved>,
    ) -> Result<(), TransferError> {
        let end = |transfer: &mut Transfer| Ok(transfer.go(end)?);
        let transfer = self.transfers.change::<TransferError>(id, end).await?;
        self.transfer_over(&transfer).await;
        Ok(())
    }

    /// The passcode was not said in time.
    pub(super) async fn lapse_transfer(&self, id: TransferId) -> Result<Transfer, TransferError> {
        let now_ms = self.now_ms();
        let lapse = |transfer: &mut Transfer| Ok(transfer.go(|state| state.lapse(now_ms))?);
        let transfer = self.transfers.change::<TransferError>(id, lapse).await?;
        self.tell_transfer(&transfer, |transfer, state| Happening::TransferPasscodeLapsed {
            transfer,
            state,
        });
        Ok(transfer)
    }

    /// What came to its end too long ago, or is too much.
    fn history_over(&self) -> Vec<TransferRow> {
        let since_ms = self.now_ms() - HISTORY_MS;
        // The newest first.
        let mut ended = self.transfers.rows_where(|row| row.state.is_over());
        let too_many = ended.split_off(ended.len().min(MAX_KEPT));
        ended.retain(|row| row.updated_ms < since_ms);
        ended.into_iter().chain(too_many).collect()
    }
}

//! The sender says the passcode, and is given what opens the receiver's inbox; again and again, while the transfer is under
//! way: no delivery outlives its ticket for want of another.

use proto::api::events::Happening;
use proto::{Secret, TransferId};

use super::offering::invalid;
use super::parties::{Side, is_under_way};
use super::state::{NotMoved, State, Window};
use super::{Transfer, TransferError};
use crate::access::Caller;
use crate::coordinator::Rooms;

impl Rooms {
    /// Opens a transfer, by its passcode where it needs one.
    pub(crate) async fn open_transfer(
        &self,
        caller: &Caller,
        id: TransferId,
        passcode: Option<String>,
    ) -> Result<Transfer, TransferError> {
        let row = self.transfer_as(caller, id, Side::Sender)?;
        self.may_deliver(&row)?;
        if is_under_way(row.state) {
            return self.transfers.get(id).await;
        }
        let window = match self.transfers.get(id).await?.state() {
            State::Approved(window) if self.now_ms() < window.until_ms => window.clone(),
            State::Approved(_) => return Err(self.window_over(id).await?),
            other => return Err(NotMoved::WrongState(other.word(), "opened").into()),
        };
        let passcode = passcode.ok_or_else(|| invalid("The receiver's passcode is needed."))?;
        let who = (row.sender, row.device);
        self.identity.try_passcode(who, &Secret::new(passcode), &window.hash).await?;
        self.let_open(id, &window).await
    }

    async fn let_open(&self, id: TransferId, window: &Window) -> Result<Transfer, TransferError> {
        let now_ms = self.now_ms();
        let open = |transfer: &mut Transfer| {
            transfer.wait_from(now_ms);
            Ok(transfer.go(|state| state.open(window, now_ms))?)
        };
        let transfer = self.transfers.change::<TransferError>(id, open).await?;
        self.tell_transfer(&transfer, |transfer, state| Happening::TransferPasscodeOpened {
            transfer,
            state,
        });
        Ok(transfer)
    }

    /// The passcode came too late: the receiver has to answer again.
    async fn window_over(&self, id: TransferId) -> Result<TransferError, TransferError> {
        let transfer = self.lapse_transfer(id).await?;
        Ok(NotMoved::WrongState(transfer.row.state, "opened").into())
    }
}

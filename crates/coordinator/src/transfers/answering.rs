//! What the two sides do with a transfer: agree, refuse, hold, let go, give up. Each is on the disk before it is answered,
//! and told to both.

use proto::api::events::Happening;
use proto::api::transfers::{
    ApproveTransfer, ItemState, MAX_LABEL, PASSCODE_SECONDS, PausedBy, TransferState, TrustLimits,
};
use proto::wire::link::Revoked;
use proto::{DeviceId, Permission, PrincipalId, Secret, ShareId, TransferId, TransferItemId};

use super::items;
use super::offering::invalid;
use super::parties::{Side, Sides};
use super::state::{Held, Opening, Window};
use super::trust::Destination;
use super::{Transfer, TransferError};
use crate::access::{Caller, Denied};
use crate::audit::Entry;
use crate::coordinator::Rooms;
use crate::settings::label;
use crate::store::transfers::TransferRow;

/// The longest reason, in characters.
const MAX_REASON: usize = 500;

fn checked_reason(reason: Option<String>) -> Result<Option<String>, TransferError> {
    let check =
        |text: String| label(&text, MAX_REASON).ok_or_else(|| invalid("'reason' is one line of text."));
    reason.map(check).transpose()
}

impl Rooms {
    /// The receiver agrees to all of it or to a part.
    pub(crate) async fn approve_transfer(
        &self,
        caller: &Caller,
        id: TransferId,
        wish: ApproveTransfer,
    ) -> Result<Transfer, TransferError> {
        let asked = self.transfer_as(caller, id, Side::Receiver)?;
        let device = self.chosen_machine(caller, &asked, wish.receiver_device_id)?;
        let row = TransferRow { device, ..asked };
        let place = self.chosen_place(caller, &row, &wish)?;
        let always = self.trust_wished(caller, &row, &wish)?;
        let opening = self.opening(&row, &place, wish.passcode, always.is_some()).await?;
        let now_ms = self.now_ms();
        let approve = |transfer: &mut Transfer| {
            transfer.go(|state| state.approve(opening))?;
            transfer.row.device = device;
            transfer.row.share = place.share;
            transfer.row.destination = place.folder.to_string();
            transfer.wait_from(now_ms);
            choose(transfer, wish.items.as_deref())
        };
        let transfer = self.transfers.change(id, approve).await?;
        if let Some((limits, place)) = always {
            self.trust((row.device, row.sender), &limits, place).await?;
        }
        self.tell_transfer(&transfer, |transfer, state| Happening::TransferApproved { transfer, state });
        Ok(transfer)
    }

    /// Where it shall go: as was asked, or somewhere else that is the receiver's to choose.
    fn chosen_place(
        &self,
        caller: &Caller,
        row: &TransferRow,
        wish: &ApproveTransfer,
    ) -> Result<Destination, TransferError> {
        let share = wish.receiver_share_id.or(row.share);
        let elsewhere = wish.receiver_share_id.is_some_and(|share| Some(share) != row.share);
        let asked = if elsewhere { "" } else { row.destination.as_str() };
        let folder = wish.destination_path.as_deref().unwrap_or(asked);
        self.receivers_place(caller, row, self.destination(row.device, share, folder)?)
    }

    /// The place, if whoever receives may let things in there.
    fn receivers_place(
        &self,
        caller: &Caller,
        row: &TransferRow,
        place: Destination,
    ) -> Result<Destination, TransferError> {
        let owns = self.identity.devices().owner_of(row.device) == Some(caller.principal);
        let Some(share) = place.share else {
            // Into the inbox of a machine its owner alone lets things.
            let stays = row.share.is_none();
            return if owns || stays { Ok(place) } else { Err(TransferError::OwnerOnly) };
        };
        self.may_let_into(caller, row.device, share).map(|()| place)
    }

    /// Whether the caller may let things into a share of this machine.
    pub(super) fn may_let_into(
        &self,
        caller: &Caller,
        device: DeviceId,
        share: ShareId,
    ) -> Result<(), TransferError> {
        let owns = self.identity.devices().owner_of(device) == Some(caller.principal);
        match () {
            () if self.lets_into(caller.principal, device, share) => Ok(()),
            () if owns && self.share(share).is_some_and(|share| share.place.device == device) => {
                Err(Denied::Lacks(Permission::AcceptIncoming).into())
            }
            () => Err(Denied::Unknown.into()),
        }
    }

    /// How far the sender shall be trusted from now on, if at all: the machine's owner alone says so.
    fn trust_wished(
        &self,
        caller: &Caller,
        row: &TransferRow,
        wish: &ApproveTransfer,
    ) -> Result<Option<(TrustLimits, Destination)>, TransferError> {
        let Some(limits) = wish.always.clone() else { return Ok(None) };
        if self.identity.devices().owner_of(row.device) != Some(caller.principal) {
            return Err(TransferError::OwnerOnly);
        }
        let place = self.destination(row.device, limits.receiver_share_id, &limits.destination_path)?;
        let place = self.receivers_place(caller, row, place)?;
        Ok(Some((limits, place)))
    }

    /// By a passcode, or at once from somebody who is trusted.
    async fn opening(
        &self,
        row: &TransferRow,
        place: &Destination,
        passcode: Option<String>,
        trusted: bool,
    ) -> Result<Opening, TransferError> {
        if let Some(passcode) = passcode {
            let hash = self.identity.hash_passcode(&Secret::new(passcode)).await?;
            let until_ms = self.now_ms() + i64::from(PASSCODE_SECONDS) * 1000;
            return Ok(Opening::Passcode(Window { hash, until_ms }));
        }
        let bytes = self.transfers.get(row.id).await?.wanted_bytes();
        if trusted || self.trusted(row.sender, row.device, place, bytes).is_some() {
            return Ok(Opening::AtOnce);
        }
        Err(invalid("A passcode of four digits is needed: tell it to the sender by another way."))
    }

    /// The receiver does not want it.
    pub(crate) async fn reject_transfer(
        &self,
        caller: &Caller,
        id: TransferId,
        reason: Option<String>,
    ) -> Result<Transfer, TransferError> {
        self.transfer_as(caller, id, Side::Receiver)?;
        let reason = checked_reason(reason)?;
        let reject = |transfer: &mut Transfer| Ok(transfer.go(|state| state.reject(reason))?);
        let transfer = self.transfers.change::<TransferError>(id, reject).await?;
        self.tell_transfer(&transfer, |transfer, state| Happening::TransferRejected { transfer, state });
        Ok(transfer)
    }

    /// One of the two gives it up. Its tickets open nothing more.
    pub(crate) async fn cancel_transfer(
        &self,
        caller: &Caller,
        id: TransferId,
        reason: Option<String>,
    ) -> Result<Transfer, TransferError> {
        self.transfer_of(caller, id)?;
        let reason = checked_reason(reason)?;
        let cancel = |transfer: &mut Transfer| Ok(transfer.go(|state| state.cancel(reason))?);
        let transfer = self.transfers.change::<TransferError>(id, cancel).await?;
        self.transfer_over(&transfer).await;
        Ok(transfer)
    }

    /// Gives up every offer of somebody that has not begun; gives how many.
    pub(crate) async fn cancel_waiting(&self, caller: &Caller) -> Result<u64, TransferError> {
        use TransferState::{ApprovedPendingSenderPasscode as Approved, PendingReceiverApproval as Pending};
        let waits =
            |row: &TransferRow| row.sender == caller.principal && [Pending, Approved].contains(&row.state);
        let mut cancelled = 0;
        for row in self.transfers.rows_where(waits) {
            match self.cancel_transfer(caller, row.id, None).await {
                Ok(_) => cancelled += 1,
                // It has moved on meanwhile.
                Err(TransferError::NotMoved(_) | TransferError::Unknown) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(cancelled)
    }

    /// Holds a transfer, or lets it go on, for the side that asks.
    pub(crate) async fn hold_transfer(
        &self,
        caller: &Caller,
        id: TransferId,
        holds: bool,
    ) -> Result<Transfer, TransferError> {
        let row = self.transfer_of(caller, id)?;
        let by = match self.sides(caller.principal, &row) {
            Sides { sends: true, .. } => PausedBy::Sender,
            Sides { .. } => PausedBy::Receiver,
        };
        self.set_held(id, by, holds).await
    }

    pub(super) async fn set_held(
        &self,
        id: TransferId,
        by: PausedBy,
        holds: bool,
    ) -> Result<Transfer, TransferError> {
        let set = |transfer: &mut Transfer| {
            Ok(transfer.go(|state| if holds { state.hold(by) } else { state.release(by) })?)
        };
        let transfer = self.transfers.change::<TransferError>(id, set).await?;
        let paused_by = transfer.state().held().and_then(Held::by);
        self.tell_transfer(&transfer, |transfer, state| Happening::TransferHeld {
            transfer,
            state,
            paused_by,
        });
        Ok(transfer)
    }

    /// Whoever asks calls it this from now on, for themselves.
    pub(crate) async fn label_transfer(
        &self,
        caller: &Caller,
        id: TransferId,
        name: Option<String>,
    ) -> Result<Transfer, TransferError> {
        let sides = self.sides(caller.principal, &self.transfer_of(caller, id)?);
        let check = |text: String| {
            label(&text, MAX_LABEL).ok_or_else(|| invalid("'label' is one line of at most 120 characters."))
        };
        let name = name.filter(|text| !text.trim().is_empty()).map(check).transpose()?;
        let set = |transfer: &mut Transfer| {
            let row = &mut transfer.row;
            *(if sides.sends { &mut row.sender_label } else { &mut row.receiver_label }) = name;
            Ok(())
        };
        self.transfers.change(id, set).await
    }

    /// What ended is told, and what its tickets opened breaks off.
    pub(super) async fn transfer_over(&self, transfer: &Transfer) {
        if let Some(delivery) = self.delivery_of(&transfer.row) {
            self.has_ended(Revoked::Transfer { id: delivery.transfer, share: delivery.share });
        }
        if let Some(source) = &transfer.row.source {
            self.has_ended(Revoked::Transfer { id: transfer.row.id, share: source.share_id });
        }
        let cancelled = transfer.row.state == TransferState::Cancelled;
        self.write_down_end(transfer).await;
        self.tell_transfer(transfer, |transfer, state| {
            if cancelled {
                Happening::TransferCancelled { transfer, state }
            } else {
                Happening::TransferEnded { transfer, state }
            }
        });
    }

    /// What came to its end by itself is in the log too, in the name of who sent it: what people do, their requests leave
    /// there.
    async fn write_down_end(&self, transfer: &Transfer) {
        let Transfer { row, .. } = transfer;
        let action = match row.state {
            TransferState::Completed => "transfer.completed",
            TransferState::Failed => "transfer.failed",
            TransferState::Expired => "transfer.expired",
            _ => return,
        };
        let (device, share) = (Some(row.device), row.share.or_else(|| self.inbox_of(row.device)));
        let detail = transfer.in_the_log();
        let actor = Some(row.sender);
        let entry = Entry { actor, action, allowed: true, device, share, detail, ..Entry::default() };
        self.audit.record(entry).await;
    }

    /// Whoever asks does not want to see what has come to its end any more; gives how many that were. What neither side
    /// wants to see is forgotten.
    pub(crate) async fn clear_history(&self, person: PrincipalId) -> Result<u64, TransferError> {
        let owns = |row: &TransferRow| self.identity.devices().owner_of(row.device) == Some(person);
        let (mut deleted, over) = (0, self.transfers.rows_where(|row| row.state.is_over()));
        for row in over {
            let sent = row.sender == person && !row.sender_cleared;
            let came = owns(&row) && !row.receiver_cleared;
            if !sent && !came {
                continue;
            }
            let clear = |transfer: &mut Transfer| {
                transfer.row.sender_cleared |= sent;
                transfer.row.receiver_cleared |= came;
                Ok(())
            };
            let after = self.transfers.change::<TransferError>(row.id, clear).await?.row;
            if after.sender_cleared && after.receiver_cleared && !after.device_knows {
                self.transfers.forget(row.id).await?;
            }
            deleted += 1;
        }
        Ok(deleted)
    }
}

/// Leaves what was chosen, and refuses the rest.
fn choose(transfer: &mut Transfer, chosen: Option<&[TransferItemId]>) -> Result<(), TransferError> {
    let Some(chosen) = chosen else { return Ok(()) };
    let known = chosen.iter().all(|id| transfer.items.iter().any(|item| item.id == *id));
    if chosen.is_empty() || !known {
        return Err(invalid("'items' names one item of the transfer at least, and no others."));
    }
    let unwanted = transfer.items.iter_mut().filter(|item| !chosen.contains(&item.id));
    unwanted.filter(|item| !items::is_over(item.state)).for_each(|item| item.state = ItemState::Rejected);
    // One that was left out before, when the receiver had to answer again, is wanted now.
    let wanted = transfer.items.iter_mut().filter(|item| chosen.contains(&item.id));
    wanted.filter(|item| item.state == ItemState::Rejected).for_each(|item| item.state = ItemState::Pending);
    Ok(())
}

//! Who has to do with a transfer. The one place where it is decided who may see, answer, carry out or end one.

use proto::api::transfers::TransferState;
use proto::{DeviceId, Permission, PrincipalId, ShareId, TransferId};

use super::TransferError;
use crate::access::{Caller, Delivery, Denied, Grant, authorize_delivery};
use crate::coordinator::Rooms;
use crate::store::transfers::TransferRow;

/// A side of a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Sender,
    Receiver,
}

/// On which sides somebody is: on both of what they send to themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sides {
    pub(crate) sends: bool,
    pub(crate) receives: bool,
}

impl Sides {
    pub(crate) const fn any(self) -> bool {
        self.sends || self.receives
    }

    const fn on(self, side: Side) -> bool {
        match side {
            Side::Sender => self.sends,
            Side::Receiver => self.receives,
        }
    }
}

impl Rooms {
    /// On which sides of a transfer somebody is. The receiving side are the machine's owner and those who may let things
    /// into the share to which it goes.
    pub(crate) fn sides(&self, person: PrincipalId, row: &TransferRow) -> Sides {
        let owns = self.identity.devices().owner_of(row.device) == Some(person);
        let lets_in = || row.share.is_some_and(|share| self.lets_into(person, row.device, share));
        Sides { sends: row.sender == person, receives: owns || lets_in() }
    }

    /// True if somebody may let things into a share of a device.
    pub(super) fn lets_into(&self, person: PrincipalId, device: DeviceId, share: ShareId) -> bool {
        self.holds(person, device, share, Permission::AcceptIncoming)
    }

    fn holds(&self, person: PrincipalId, device: DeviceId, share: ShareId, permission: Permission) -> bool {
        let share = self.share(share).filter(|share| share.place.device == device);
        share.is_some_and(|share| self.held_by(person, &share).permissions.allows(permission))
    }

    /// The transfer, for somebody who has to do with it.
    pub(crate) fn transfer_of(&self, caller: &Caller, id: TransferId) -> Result<TransferRow, TransferError> {
        let row = self.transfers.row(id).filter(|row| self.sides(caller.principal, row).any());
        row.ok_or(TransferError::Unknown)
    }

    /// The transfer, for somebody who is on this side of it.
    pub(crate) fn transfer_as(
        &self,
        caller: &Caller,
        id: TransferId,
        side: Side,
    ) -> Result<TransferRow, TransferError> {
        let row = self.transfer_of(caller, id)?;
        if self.sides(caller.principal, &row).on(side) { Ok(row) } else { Err(TransferError::Only(side)) }
    }

    /// Whether somebody may send something to a share of a device, or to its inbox.
    pub(super) fn may_send(
        &self,
        person: PrincipalId,
        device: DeviceId,
        share: Option<ShareId>,
    ) -> Result<(), TransferError> {
        if !self.sees_device(person, device) {
            return Err(TransferError::UnknownDevice);
        }
        let Some(share) = share else { return self.may_send_to_inbox(person, device) };
        match () {
            () if self.holds(person, device, share, Permission::RequestSend) => Ok(()),
            () if Permission::ALL.iter().any(|any| self.holds(person, device, share, *any)) => {
                Err(Denied::Lacks(Permission::RequestSend).into())
            }
            () => Err(Denied::Unknown.into()),
        }
    }

    /// The inbox takes things from its owner, and from whoever may send to any share of the device.
    fn may_send_to_inbox(&self, person: PrincipalId, device: DeviceId) -> Result<(), TransferError> {
        let to_any = || {
            let mut shares = self.shares_on(device).into_iter();
            shares.any(|share| self.held_by(person, &share).permissions.allows(Permission::RequestSend))
        };
        match () {
            () if self.identity.devices().owner_of(device) != Some(person) && !to_any() => {
                Err(TransferError::MayNotSend)
            }
            () if self.inbox_of(device).is_none() => Err(TransferError::NoInbox),
            () => Ok(()),
        }
    }

    /// Where a transfer goes at its device; `None` if there is no such place any more.
    pub(super) fn delivery_of(&self, row: &TransferRow) -> Option<Delivery> {
        let share = match row.share {
            Some(share) => self.share(share).filter(|share| share.place.device == row.device)?.id,
            None => self.inbox_of(row.device)?,
        };
        Some(Delivery { transfer: row.id, device: row.device, share })
    }

    /// What somebody may do with a transfer at its device while it is under way.
    pub(crate) fn allow_transfer(
        &self,
        caller: &Caller,
        device: DeviceId,
        id: TransferId,
        side: Side,
    ) -> Result<Grant, TransferError> {
        let row = self.transfer_as(caller, id, side)?;
        if row.device != device {
            return Err(TransferError::Unknown);
        }
        if side == Side::Sender {
            self.may_deliver(&row)?;
        }
        if !is_under_way(row.state) {
            return Err(super::state::NotMoved::WrongState(row.state, "carried out").into());
        }
        let delivery = self.delivery_of(&row).ok_or(TransferError::NoInbox)?;
        let permission = match side {
            Side::Sender => Permission::RequestSend,
            Side::Receiver => Permission::AcceptIncoming,
        };
        Ok(authorize_delivery(&delivery, (caller.principal, caller.client), permission))
    }

    /// True while bytes of it may come.
    pub(crate) fn is_under_way(&self, id: TransferId) -> bool {
        self.transfers.row(id).is_some_and(|row| is_under_way(row.state))
    }

    /// True while somebody who was let do something with a transfer at its device may go on.
    pub(crate) fn still_delivers(&self, caller: &Caller, id: TransferId) -> bool {
        self.transfer_of(caller, id).is_ok_and(|row| is_under_way(row.state))
    }
}

/// True while bytes may come.
pub(super) const fn is_under_way(state: TransferState) -> bool {
    matches!(state, TransferState::PasscodeOpen | TransferState::InProgress)
}

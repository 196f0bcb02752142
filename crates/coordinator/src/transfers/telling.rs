//! What each side is told of a transfer, and how it looks to whoever asks.

use proto::api::events::Happening;
use proto::api::transfers::{self as api, TransferState};
use proto::{DeviceId, PrincipalId, TransferId};

use super::Transfer;
use super::parties::is_under_way;
use super::state::Held;
use crate::access::Caller;
use crate::clock::from_ms;
use crate::coordinator::Rooms;
use crate::store::transfers::TransferRow;

impl Rooms {
    /// True if somebody may hear of this about a transfer: both sides, but of an offer only who is to answer it.
    pub(crate) fn may_hear_of_transfer(&self, person: PrincipalId, id: TransferId, what: &Happening) -> bool {
        let Some(row) = self.transfers.row(id) else { return false };
        let sides = self.sides(person, &row);
        if matches!(what, Happening::TransferRequested { .. }) { sides.receives } else { sides.any() }
    }

    /// Tells those who may hear it.
    pub(super) fn tell_transfer(
        &self,
        transfer: &Transfer,
        what: impl FnOnce(TransferId, TransferState) -> Happening,
    ) {
        self.tell(&what(transfer.row.id, transfer.row.state));
    }

    /// An offer is told to who is to answer it; one that needs no answer to both sides.
    pub(super) fn tell_offered(&self, transfer: &Transfer) {
        self.tell_transfer(transfer, |transfer, state| match state {
            TransferState::PendingReceiverApproval => Happening::TransferRequested { transfer, state },
            _ => Happening::TransferPasscodeOpened { transfer, state },
        });
    }

    /// A transfer as somebody sees it who has to do with it.
    pub(crate) fn shown_transfer(&self, caller: &Caller, transfer: Transfer) -> api::Transfer {
        let sides = self.sides(caller.principal, &transfer.row);
        let (state, reason) = (transfer.state().word(), transfer.state().reason().map(str::to_owned));
        let paused_by = transfer.state().held().and_then(Held::by);
        let Transfer { row, items, .. } = transfer;
        let (live, under_way) = (self.transfers.live.of(row.id), is_under_way(row.state));
        let way_note =
            if under_way { self.absent_side(&row).or_else(|| live.note_if_it_counts()) } else { None };
        api::Transfer {
            id: row.id,
            sender_principal_id: row.sender,
            sender_name: self.identity.principals().name(row.sender).unwrap_or_default(),
            sender_device_id: row.sender_device,
            receiver_device_id: row.device,
            receiver_name: self.device_name(row.device),
            receiver_principal_id: row.person,
            receiver_share_id: row.share,
            destination_path: row.destination,
            state,
            paused_by,
            reason,
            message: row.message,
            incoming: sides.receives,
            source: row.source.filter(|_| sides.sends),
            label: if sides.sends { row.sender_label } else { row.receiver_label },
            way: live.way.filter(|_| under_way),
            way_note,
            limited_by: live.limited_by.filter(|_| under_way),
            created_at: from_ms(row.created_ms),
            expires_at: from_ms(row.expires_ms),
            updated_at: from_ms(row.updated_ms),
            items,
        }
    }

    /// That a machine has to come before anything flows.
    fn absent_side(&self, row: &TransferRow) -> Option<String> {
        let sender = row.sender_device.filter(|_| row.source.is_some());
        let absent =
            [Some(row.device), sender].into_iter().flatten().find(|device| !self.presence_of(*device).0)?;
        Some(format!("{} is not online; it goes on as soon as it is.", self.device_name(absent)))
    }

    fn device_name(&self, device: DeviceId) -> String {
        if device == self.device {
            return self.settings.get().device_name;
        }
        self.identity.devices().find(device).map(|row| row.name).unwrap_or_default()
    }
}

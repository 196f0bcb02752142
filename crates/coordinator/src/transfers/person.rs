//! On which of their machines a person receives: on the one that is likeliest to be there, unless they say otherwise.

use std::cmp::Reverse;

use proto::api::transfers::OfferTransfer;
use proto::{DeviceId, PrincipalId};

use super::TransferError;
use super::offering::invalid;
use crate::access::Caller;
use crate::coordinator::Rooms;
use crate::store::transfers::TransferRow;

impl Rooms {
    /// The machine for which an offer is.
    pub(super) fn receiver_of(
        &self,
        caller: &Caller,
        offer: &OfferTransfer,
    ) -> Result<DeviceId, TransferError> {
        match (offer.receiver_device_id, offer.receiver_principal_id) {
            (Some(device), None) => Ok(device),
            (None, Some(_)) if offer.receiver_share_id.is_some() || offer.destination_path.is_some() => {
                Err(invalid("Where on their machines something goes, the person says who receives it."))
            }
            (None, Some(person)) => {
                let source = offer.source.as_ref().and_then(|source| self.share(source.share_id));
                let from = source.map(|share| share.place.device).or(offer.sender_device_id);
                self.machine_of(caller.principal, person, from)
            }
            _ => Err(invalid("Either 'receiver_device_id' or 'receiver_principal_id' says who receives.")),
        }
    }

    /// That of somebody's machines that takes what this sender sends: one that is online, else the one last seen.
    fn machine_of(
        &self,
        sender: PrincipalId,
        person: PrincipalId,
        from: Option<DeviceId>,
    ) -> Result<DeviceId, TransferError> {
        let theirs = self.identity.devices().all().into_iter().filter(|row| row.principal == person);
        let takes = |device: DeviceId| Some(device) != from && self.may_send(sender, device, None).is_ok();
        let machines = theirs.map(|row| row.id).filter(|device| takes(*device));
        machines
            .max_by_key(|device| (self.presence_of(*device), Reverse(*device)))
            .ok_or(TransferError::NoMachine)
    }

    /// Whether a sender may send to where a transfer goes now. What was sent to a person goes to whichever of their machines
    /// they chose, as long as the sender may send to any.
    pub(super) fn may_deliver(&self, row: &TransferRow) -> Result<(), TransferError> {
        match row.person {
            Some(person) => self.machine_of(row.sender, person, row.sender_device).map(drop),
            None => self.may_send(row.sender, row.device, row.share),
        }
    }

    /// The machine on which the receiver wants it.
    pub(super) fn chosen_machine(
        &self,
        caller: &Caller,
        row: &TransferRow,
        wished: Option<DeviceId>,
    ) -> Result<DeviceId, TransferError> {
        let Some(device) = wished.filter(|device| *device != row.device) else { return Ok(row.device) };
        if row.person != Some(caller.principal) {
            return Err(invalid(
                "Only who was sent something as a person chooses on which of their machines.",
            ));
        }
        match self.identity.devices().owner_of(device) {
            Some(owner) if owner == caller.principal && Some(device) != row.sender_device => {
                self.inbox_of(device).map(|_| device).ok_or(TransferError::NoInbox)
            }
            _ => Err(TransferError::UnknownDevice),
        }
    }
}

//! What there is: the machines and shares of everybody, and who sees what of them. Puts together what other rooms know
//! by heart. What people were last seen to have is `moved`'s part.

use std::collections::HashSet;

use proto::api::events::Happening;
use proto::ticket::Resource;
use proto::wire::link::{Addresses, OfferedShare, Revoked};
use proto::{DeviceId, Permission, PrincipalId, ShareId, TransferId};
use time::OffsetDateTime;

use crate::access::{
    Caller, Denied, Grant, Held, Place, authorize, authorize_device, authorize_sending, effective,
};
use crate::clock::{from_ms, to_ms};
use crate::coordinator::Rooms;
use crate::store::devices::DeviceRow;
use crate::store::shares::SharedFolder;

/// A share of any machine.
#[derive(Clone, Debug)]
pub(crate) struct Placed {
    pub(crate) id: ShareId,
    pub(crate) name: String,
    pub(crate) place: Place,
}

impl Rooms {
    pub(crate) fn now_ms(&self) -> i64 {
        to_ms(self.clock.wall())
    }

    /// Where this device's shares are; `None` for a device that is not paired, or not any more.
    pub(crate) fn place_on(&self, device: DeviceId) -> Option<Place> {
        let row = self.identity.devices().find(device)?;
        Some(Place { device, owner: row.principal, visible: row.visible, read_only: false, inbox: false })
    }

    /// A share on a machine, as it is offered.
    fn placed(place: Place, offered: &OfferedShare) -> Placed {
        let place = Place { read_only: offered.read_only, inbox: offered.inbox, ..place };
        Placed { id: offered.id, name: offered.name.clone(), place }
    }

    /// The inbox of a device, if it offers one here.
    pub(crate) fn inbox_of(&self, device: DeviceId) -> Option<ShareId> {
        self.shares_on(device).into_iter().find(|share| share.place.inbox).map(|share| share.id)
    }

    /// A share on offer, on whichever machine.
    pub(crate) fn share(&self, id: ShareId) -> Option<Placed> {
        let local = self.shares.borrow().iter().find(|share| share.id == id).map(SharedFolder::offered);
        let (device, offered) = match local {
            Some(offered) => (self.device, offered),
            None => self.registry.share(id)?,
        };
        Some(Self::placed(self.place_on(device)?, &offered))
    }

    /// Whether a device answers, and when it last did.
    pub(crate) fn presence_of(&self, device: DeviceId) -> (bool, Option<OffsetDateTime>) {
        if device == self.device {
            let online = self.gateway.is_local_online();
            return (online, online.then(|| self.clock.wall()));
        }
        let (online, seen_ms) = self.registry.last_heard(device);
        (online, seen_ms.map(from_ms))
    }

    /// Where a device can be dialled by another.
    pub(crate) fn whereabouts(&self, device: DeviceId) -> Addresses {
        if device == self.device {
            self.gateway.own_addresses(device)
        } else {
            self.registry.presence(device).addresses
        }
    }

    /// A device has been hidden: the owner of this coordinator, who holds all elsewhere without any grant, loses it.
    pub(crate) fn end_for_the_owner(&self, device: DeviceId) {
        let Some(principal) = self.identity.owner_id() else { return };
        if self.identity.devices().owner_of(device) == Some(principal) {
            return;
        }
        for share in self.shares_on(device) {
            self.has_ended(Revoked::Grant { principal, share: share.id });
        }
    }

    /// What a device offers, or did when it was last heard.
    pub(crate) fn shares_on(&self, device: DeviceId) -> Vec<Placed> {
        let Some(place) = self.place_on(device) else { return Vec::new() };
        if device == self.device {
            return self.shares.borrow().iter().map(|share| Self::placed(place, &share.offered())).collect();
        }
        let offer = self.registry.presence(device).offer;
        offer.iter().map(|offered| Self::placed(place, offered)).collect()
    }

    /// Goes through all that is on offer, machine by machine, those that are away among them.
    fn each_offer(&self, machines: &[DeviceRow], mut look: impl FnMut(&DeviceRow, &[OfferedShare])) {
        let offers = self.registry.offers();
        for row in machines {
            if row.id == self.device {
                let shares = self.shares.borrow();
                look(row, &shares.iter().map(SharedFolder::offered).collect::<Vec<_>>());
            } else if let Some(offer) = offers.get(&row.id) {
                look(row, offer);
            }
        }
    }

    /// Goes through what somebody sees among what these machines offer, with what they hold.
    fn each_seen_by(&self, person: PrincipalId, machines: &[DeviceRow], mut look: impl FnMut(Placed, Held)) {
        let Some(owner) = self.identity.owner_id() else { return };
        let now_ms = self.now_ms();
        self.each_offer(machines, |row, offer| {
            self.rights.look(|known| {
                let place = Place {
                    device: row.id,
                    owner: row.principal,
                    visible: row.visible,
                    read_only: false,
                    inbox: false,
                };
                for share in offer.iter().map(|offered| Self::placed(place, offered)) {
                    let held = effective(person, owner, &share.place, known.held(person, share.id, now_ms));
                    if !held.permissions.is_empty() {
                        look(share, held);
                    }
                }
            });
        });
    }

    /// What somebody may do with a share on a private connection.
    pub(crate) fn held_by(&self, person: PrincipalId, share: &Placed) -> Held {
        let Some(owner) = self.identity.owner_id() else { return Held::default() };
        effective(person, owner, &share.place, self.rights.held(person, share.id, self.now_ms()))
    }

    /// What the caller may do with a share on the connection on which they ask.
    pub(crate) fn held(&self, caller: &Caller, share: &Placed) -> Held {
        caller.limit(self.held_by(caller.principal, share))
    }

    /// Decides whether the caller may do this with a share of this device.
    pub(crate) fn allow(
        &self,
        caller: &Caller,
        device: DeviceId,
        share: ShareId,
        permission: Permission,
    ) -> Result<Grant, Denied> {
        let placed = self.share(share).filter(|share| share.place.device == device).ok_or(Denied::Unknown)?;
        let granted = self.rights.held(caller.principal, share, self.now_ms());
        authorize(caller, &placed.place, share, granted, permission)
    }

    /// Decides whether the caller may have a share's machine send of it.
    pub(crate) fn allow_sending(
        &self,
        caller: &Caller,
        share: ShareId,
        transfer: TransferId,
    ) -> Result<Grant, Denied> {
        let placed = self.share(share).ok_or(Denied::Unknown)?;
        let granted = self.rights.held(caller.principal, share, self.now_ms());
        authorize_sending(caller, &placed.place, (share, transfer), granted)
    }

    /// Decides whether the caller may ask a device what it is.
    pub(crate) fn allow_device(&self, caller: &Caller, device: DeviceId) -> Result<Grant, Denied> {
        if !self.sees_device(caller.principal, device) {
            return Err(Denied::Unknown);
        }
        Ok(authorize_device(caller, device))
    }

    /// True if somebody knows of a device: it is theirs, or it is not hidden and they own this coordinator or hold
    /// something on one of its shares.
    pub(crate) fn sees_device(&self, person: PrincipalId, device: DeviceId) -> bool {
        let Some(place) = self.place_on(device) else { return false };
        if person == place.owner {
            return true;
        }
        place.visible
            && (self.identity.owner_id() == Some(person)
                || self
                    .shares_on(device)
                    .iter()
                    .any(|share| !self.held_by(person, share).permissions.is_empty()))
    }

    /// The shares that somebody sees, with what they hold, by device and name, inboxes last.
    pub(crate) fn shares_seen_by(&self, person: PrincipalId) -> Vec<(Placed, Held)> {
        let mut seen = Vec::new();
        self.each_seen_by(person, &self.identity.devices().all(), |share, held| seen.push((share, held)));
        seen.sort_by_cached_key(|(share, _)| {
            (share.place.device, share.place.inbox, share.name.to_lowercase(), share.id)
        });
        seen
    }

    /// The paired devices that somebody sees, in no order.
    pub(crate) fn devices_seen_by(&self, person: PrincipalId) -> Vec<DeviceRow> {
        let mut devices = self.identity.devices().all();
        let mut holds_on = HashSet::new();
        let owner = self.identity.owner_id() == Some(person);
        if !owner {
            self.each_seen_by(person, &devices, |share, _| holds_on.extend([share.place.device]));
        }
        devices.retain(|row| row.principal == person || row.visible && (owner || holds_on.contains(&row.id)));
        devices
    }

    /// True if somebody may be told of this now.
    pub(crate) fn may_hear(&self, person: PrincipalId, what: &Happening) -> bool {
        match what {
            Happening::DeviceOnline { device } | Happening::DeviceOffline { device } => {
                self.sees_device(person, *device)
            }
            Happening::ShareChanged { share, .. } => {
                self.share(*share).is_some_and(|share| !self.held_by(person, &share).permissions.is_empty())
            }
            Happening::CatalogChanged | Happening::EventsLost => true,
            Happening::PairingWaiting => self.identity.owner_id() == Some(person),
            transfer => transfer.transfer().is_some_and(|id| self.may_hear_of_transfer(person, id, transfer)),
        }
    }

    /// Tells those who may hear it.
    pub(crate) fn tell(&self, what: &Happening) {
        self.events.tell(what, |person| self.may_hear(person, what));
    }

    /// True while the caller may go on with what was granted: asked of answers that take their time.
    pub(crate) fn still_allowed(&self, caller: &Caller, grant: &Grant) -> bool {
        self.still_lives(caller)
            && match grant.resource() {
                Some((Resource::Share(share), permissions)) => {
                    permissions.iter().all(|each| self.allow(caller, grant.device(), share, each).is_ok())
                }
                Some((Resource::Transfer(id, _), _)) => self.still_delivers(caller, id),
                None => self.allow_device(caller, grant.device()).is_ok(),
            }
    }
}

//! Who may do what. [`authorize`] is the only maker of a [`Grant`], and the gateway takes nothing less.
//! Knows no HTTP and no store: callers bring the caller and the share.

pub(crate) mod grants;
mod running;
pub(crate) mod ticket_keys;
mod tickets;

use std::fmt;

use proto::api::auth::Privacy;
use proto::id::DropId;
use proto::ticket::Resource;
use proto::{DeviceId, Permission, Permissions, PrincipalId, SessionId, ShareId, TransferId, UploadId};

pub(crate) use grants::{Held, Rights};
pub(crate) use running::Running;
pub(crate) use tickets::TicketDesk;

/// With what somebody asks: a browser that is signed in, a machine that holds an access token, or the key of an upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Session(SessionId),
    Device(DeviceId),
    /// What goes on of an upload whose login has ended.
    Upload(UploadId),
    /// Whoever has the link to a drop.
    Drop(DropId),
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => id.fmt(f),
            Self::Device(id) => id.fmt(f),
            Self::Upload(id) => id.fmt(f),
            Self::Drop(id) => id.fmt(f),
        }
    }
}

/// Who asks, as the door found out. Cannot be made from anything a request says by itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    pub(crate) principal: PrincipalId,
    pub(crate) client: Client,
    /// How private the connection is on which the session or token began, and on which it asks.
    pub(crate) privacy: Privacy,
    /// The owner of this machine.
    pub(crate) owner: PrincipalId,
    /// The browser the session runs in.
    pub(crate) browser_id: Option<i64>,
}

impl Caller {
    /// True for the owner of this coordinator.
    pub(crate) fn is_owner(&self) -> bool {
        self.principal == self.owner
    }

    /// The signed-in browser that asks, if it is one.
    pub(crate) const fn session(&self) -> Option<SessionId> {
        match self.client {
            Client::Session(id) => Some(id),
            Client::Device(_) | Client::Upload(_) | Client::Drop(_) => None,
        }
    }

    /// True if the session can only look and copy.
    pub(crate) fn read_only(&self) -> bool {
        self.privacy == Privacy::Open
    }

    /// What is left of a right on the connection on which the caller asks.
    pub(crate) fn limit(&self, held: Held) -> Held {
        let all = held.permissions;
        let permissions =
            if self.read_only() { all.intersection(Permissions::without_privacy()) } else { all };
        Held { permissions, ..held }
    }
}

/// Where a share is, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) device: DeviceId,
    /// Whose device it is.
    pub(crate) owner: PrincipalId,
    /// False if only its owner sees the device.
    pub(crate) visible: bool,
    /// True if nothing can be written there, whatever a grant says.
    pub(crate) read_only: bool,
    /// True for the device's inbox: nobody but its owner sees it, and it cannot be given to anybody.
    pub(crate) inbox: bool,
}

/// What somebody may do with a share, on a private connection: the one place where this is decided.
/// `coordinator` is the owner of this coordinator, `granted` what the rights given to the person add up to.
pub(crate) fn effective(person: PrincipalId, coordinator: PrincipalId, place: &Place, granted: Held) -> Held {
    let held = match () {
        () if person == place.owner => Held::ALL,
        () if !place.visible || place.inbox => Held::default(),
        () if person == coordinator => Held::ALL,
        () => granted,
    };
    let permissions = if place.read_only { held.permissions.without_writing() } else { held.permissions };
    let permissions = if place.inbox { permissions.without(Permission::ManageShare) } else { permissions };
    Held { permissions, ..held }
}

/// What was allowed: the right to one request to one device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    device: DeviceId,
    principal: PrincipalId,
    client: Client,
    resource: Option<(Resource, Permissions)>,
    /// When the right ends, if it does by itself: no ticket lives longer.
    until_ms: Option<i64>,
}

impl Grant {
    pub(crate) const fn device(&self) -> DeviceId {
        self.device
    }

    /// What may be done with what, if the request is about more than the device itself.
    pub(crate) const fn resource(&self) -> Option<(Resource, Permissions)> {
        self.resource
    }

    /// The share that the request is about, or to which a transfer goes.
    pub(crate) fn share(&self) -> Option<ShareId> {
        self.resource.map(|(resource, _)| resource.share())
    }
}

/// The caller may not do this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// The caller has no right on the share at all, and is not told that it exists.
    Unknown,
    /// The caller lacks this one right.
    Lacks(Permission),
}

/// Decides whether the caller may do this with the share, of which they hold by rights given to them what `granted`
/// says.
pub(crate) fn authorize(
    caller: &Caller,
    place: &Place,
    share: ShareId,
    granted: Held,
    permission: Permission,
) -> Result<Grant, Denied> {
    let held = caller.limit(effective(caller.principal, caller.owner, place, granted));
    if held.permissions.is_empty() {
        return Err(Denied::Unknown);
    }
    if !held.permissions.allows(permission) {
        return Err(Denied::Lacks(permission));
    }
    // The ticket allows no more than the request needs; looking goes with copying.
    let needed = [Permission::Read, permission].into_iter().collect();
    let resource = Some((Resource::Share(share), held.permissions.intersection(needed)));
    let (principal, client) = (caller.principal, caller.client);
    Ok(Grant { device: place.device, principal, client, resource, until_ms: held.until_ms })
}

/// The right to have a share's machine send of it, as this transfer and nothing else: that of whoever may save copies.
pub(crate) fn authorize_sending(
    caller: &Caller,
    place: &Place,
    (share, transfer): (ShareId, TransferId),
    granted: Held,
) -> Result<Grant, Denied> {
    authorize(caller, place, share, granted, Permission::Read)?;
    let grant = authorize(caller, place, share, granted, Permission::Download)?;
    let both = [Permission::Read, Permission::Download].into_iter().collect();
    Ok(Grant { resource: Some((Resource::Transfer(transfer, share), both)), ..grant })
}

/// The right to ask a device what it is: everybody who sees it has it.
pub(crate) const fn authorize_device(caller: &Caller, device: DeviceId) -> Grant {
    Grant { device, principal: caller.principal, client: caller.client, resource: None, until_ms: None }
}

/// A transfer that is under way, with its place at the receiver's device: as the room of transfers found it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Delivery {
    pub(crate) transfer: TransferId,
    pub(crate) device: DeviceId,
    pub(crate) share: ShareId,
}

/// The right of one who has to do with a transfer to their part of it at the receiver's device. Which part that is, and that
/// it is theirs, is decided where the transfer is known (`transfers::parties`): no right on the share goes with it.
pub(crate) fn authorize_delivery(
    delivery: &Delivery,
    (principal, client): (PrincipalId, Client),
    permission: Permission,
) -> Grant {
    let resource = Resource::Transfer(delivery.transfer, delivery.share);
    let resource = Some((resource, [permission].into_iter().collect()));
    Grant { device: delivery.device, principal, client, resource, until_ms: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everybody a device can have to do with.
    struct Cast {
        coordinator: PrincipalId,
        owner: PrincipalId,
        member: PrincipalId,
    }

    fn cast() -> Cast {
        let [coordinator, owner, member] = std::array::from_fn(|_| PrincipalId::generate());
        Cast { coordinator, owner, member }
    }

    fn caller(principal: PrincipalId, cast: &Cast, privacy: Privacy) -> Caller {
        let client = Client::Session(SessionId::generate());
        Caller { principal, client, privacy, owner: cast.coordinator, browser_id: None }
    }

    fn words(permissions: Permissions) -> String {
        permissions.iter().map(Permission::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn who_may_what() {
        const ALL: &str = "read download write request_send accept_incoming manage_share";
        const UNWRITABLE: &str = "read download manage_share";
        const INBOX: &str = "read download write request_send accept_incoming";
        let cast = cast();
        let granted: Permissions = [Permission::Read, Permission::Write].into_iter().collect();
        // For each kind of device what its owner, the coordinator's owner, a member with a grant and one without hold.
        for (visible, read_only, inbox, expected) in [
            (true, false, false, [ALL, ALL, "read write", ""]),
            (true, true, false, [UNWRITABLE, UNWRITABLE, "read", ""]),
            (false, false, false, [ALL, "", "", ""]),
            (false, true, false, [UNWRITABLE, "", "", ""]),
            (true, false, true, [INBOX, "", "", ""]),
            (true, true, true, ["read download", "", "", ""]),
        ] {
            let device = DeviceId::from_public_key([1; 32]);
            let place = Place { device, owner: cast.owner, visible, read_only, inbox };
            let grant = Held { permissions: granted, until_ms: Some(9) };
            let people = [
                (cast.owner, Held::default()),
                (cast.coordinator, grant),
                (cast.member, grant),
                (cast.member, Held::default()),
            ];
            for ((person, granted), expected) in people.into_iter().zip(expected) {
                let held = effective(person, cast.coordinator, &place, granted);
                assert_eq!(words(held.permissions), expected, "{place:?}");
                let expires = person == cast.member && visible && !inbox && granted.until_ms.is_some();
                assert_eq!(held.until_ms, expires.then_some(9), "an owner's right does not end");
                for privacy in [Privacy::Local, Privacy::Private, Privacy::Open] {
                    let caller = caller(person, &cast, privacy);
                    for permission in Permission::ALL {
                        let answer = authorize(&caller, &place, ShareId::generate(), granted, permission);
                        let looks = matches!(permission, Permission::Read | Permission::Download);
                        let left = held.permissions.iter().any(|p| {
                            privacy != Privacy::Open || matches!(p, Permission::Read | Permission::Download)
                        });
                        let may = held.permissions.allows(permission) && (privacy != Privacy::Open || looks);
                        match answer.map(|grant| grant.resource) {
                            Ok(Some((_, ticket))) => {
                                assert!(may, "{permission:?} {privacy:?}");
                                assert!(ticket.allows(permission));
                                let most: Permissions = [Permission::Read, permission].into_iter().collect();
                                assert_eq!(ticket.union(most), most, "no more than the request needs");
                                assert_eq!(
                                    ticket.union(held.permissions),
                                    held.permissions,
                                    "no more than is held"
                                );
                            }
                            Err(denied) if left => assert!(!may && denied == Denied::Lacks(permission)),
                            Err(denied) => assert!(!may && denied == Denied::Unknown),
                            Ok(None) => panic!("a share was asked for"),
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_allowed_ends_with_the_right() {
        let cast = cast();
        let device = DeviceId::from_public_key([1; 32]);
        let place = Place { device, owner: cast.owner, visible: true, read_only: false, inbox: false };
        let granted = Held { permissions: Permissions::for_everyone(), until_ms: Some(77) };
        let share = ShareId::generate();
        let member = caller(cast.member, &cast, Privacy::Private);
        let grant = authorize(&member, &place, share, granted, Permission::Download).unwrap();
        assert_eq!((grant.until_ms, grant.device(), grant.share()), (Some(77), device, Some(share)));
    }
}

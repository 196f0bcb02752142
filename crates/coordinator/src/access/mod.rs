//! Who may do what. [`authorize`] is the only maker of a [`Grant`], and the gateway takes nothing less.
//! Knows no HTTP and no store: callers bring the caller and the share.

mod running;
mod tickets;

use std::fmt;

use proto::api::auth::Privacy;
use proto::{DeviceId, Permission, Permissions, PrincipalId, SessionId, ShareId};

pub(crate) use running::Running;
pub(crate) use tickets::TicketDesk;

/// With what somebody asks: a browser that is signed in, or a machine that holds an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Client {
    Session(SessionId),
    Device(DeviceId),
}

impl fmt::Display for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(id) => id.fmt(f),
            Self::Device(id) => id.fmt(f),
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
            Client::Device(_) => None,
        }
    }

    /// True if the session can only look and copy.
    pub(crate) fn read_only(&self) -> bool {
        self.privacy == Privacy::Open
    }

    /// What the caller may do with a share of the owner's. Nobody else has any right yet.
    pub(crate) fn permissions(&self) -> Permissions {
        let held = if self.is_owner() { Permissions::all() } else { Permissions::NONE };
        if self.read_only() { held.intersection(Permissions::without_privacy()) } else { held }
    }
}

/// What was allowed: the right to one request to one device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    device: DeviceId,
    principal: PrincipalId,
    client: Client,
    resource: Option<(ShareId, Permissions)>,
}

impl Grant {
    pub(crate) const fn device(&self) -> DeviceId {
        self.device
    }

    /// The share that may be used, if the request is about one.
    pub(crate) fn share(&self) -> Option<ShareId> {
        self.resource.map(|(share, _)| share)
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

/// Decides whether the caller may do this with the share.
pub(crate) fn authorize(
    caller: &Caller,
    device: DeviceId,
    share: ShareId,
    permission: Permission,
) -> Result<Grant, Denied> {
    let held = caller.permissions();
    if held == Permissions::NONE {
        return Err(Denied::Unknown);
    }
    if !held.allows(permission) {
        return Err(Denied::Lacks(permission));
    }
    // The ticket allows no more than the request needs; looking goes with copying.
    let needed = [Permission::Read, permission].into_iter().collect();
    let resource = Some((share, held.intersection(needed)));
    Ok(Grant { device, principal: caller.principal, client: caller.client, resource })
}

/// The right to ask a device what it is: everybody who is signed in has it.
pub(crate) const fn authorize_device(caller: &Caller, device: DeviceId) -> Grant {
    Grant { device, principal: caller.principal, client: caller.client, resource: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_may_all_on_a_private_way_and_look_and_copy_on_an_open_one() {
        let owner = PrincipalId::generate();
        let device = DeviceId::from_public_key([1; 32]);
        let caller = |principal, privacy| Caller {
            principal,
            client: Client::Session(SessionId::generate()),
            privacy,
            owner,
            browser_id: None,
        };
        for permission in Permission::ALL {
            let ask = |caller: Caller| authorize(&caller, device, ShareId::generate(), permission).map(drop);
            assert_eq!(ask(caller(owner, Privacy::Private)), Ok(()));
            assert_eq!(ask(caller(owner, Privacy::Local)), Ok(()));
            let looks = matches!(permission, Permission::Read | Permission::Download);
            let expected = if looks { Ok(()) } else { Err(Denied::Lacks(permission)) };
            assert_eq!(ask(caller(owner, Privacy::Open)), expected);
            let stranger = caller(PrincipalId::generate(), Privacy::Private);
            assert_eq!(ask(stranger), Err(Denied::Unknown));
        }
    }
}

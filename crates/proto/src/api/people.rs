//! Shapes of people, rooms, grants and invites: who may do what. `/api/v1/{people,rooms,grants,invites}`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::id::{GrantId, InviteId, RoomId};
use crate::{DeviceId, Permissions, PrincipalId, ShareId};

/// A person, or a service that acts as one.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The principal.
    pub id: PrincipalId,
    /// What they are called.
    pub display_name: String,
    /// True for the owner of this coordinator.
    pub owner: bool,
    /// When they came.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// The people here.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct People {
    /// Sorted by name.
    pub people: Vec<Person>,
}

/// Names something: a person, a room, a device.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Rename {
    /// What to call it: 1 to 64 characters.
    pub name: String,
}

/// A room: people who are given rights together.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Room {
    /// The room.
    pub id: RoomId,
    /// What it is called.
    pub name: String,
    /// Who is in it.
    pub members: Vec<PrincipalId>,
}

/// Makes a room.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeRoom {
    /// What to call it: 1 to 64 characters.
    pub name: String,
}

/// The rooms here.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Rooms {
    /// Sorted by name.
    pub rooms: Vec<Room>,
}

/// Whom a grant is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Subject {
    /// One person.
    Principal(PrincipalId),
    /// Everybody in a room.
    Room(RoomId),
    /// Everybody who is paired.
    Everyone,
}

/// What somebody may do with a share.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Grant {
    /// The grant.
    pub id: GrantId,
    /// The share.
    pub share: ShareId,
    /// Who.
    pub subject: Subject,
    /// What.
    #[schema(value_type = Vec<crate::Permission>)]
    pub permissions: Permissions,
    /// Until when; absent for as long as nobody ends it.
    #[serde(with = "time::serde::rfc3339::option", default)]
    #[schema(required)]
    pub expires_at: Option<OffsetDateTime>,
    /// Who gave it.
    pub granted_by: PrincipalId,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
}

/// The grants that the caller may see.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Grants {
    /// Sorted by share and age.
    pub grants: Vec<Grant>,
}

/// The query of `/grants`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct GrantsQuery {
    /// Only those on this share.
    pub share: Option<String>,
}

/// Gives or changes a right: a second one for the same share and subject replaces the first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutGrant {
    /// The share.
    pub share: ShareId,
    /// Who.
    pub subject: Subject,
    /// What.
    #[schema(value_type = Vec<crate::Permission>)]
    pub permissions: Permissions,
    /// Until when.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub expires_at: Option<OffsetDateTime>,
}

/// What one person may do with a share, and why.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Effective {
    /// The person.
    pub principal: PrincipalId,
    /// The share.
    pub share: ShareId,
    /// What they may do in the end.
    #[schema(value_type = Vec<crate::Permission>)]
    pub permissions: Permissions,
    /// The grants that make it up; empty for the owner, who needs none.
    pub because: Vec<GrantId>,
}

/// The answer to "who can see this?" and "what would this person then be able to do?".
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EffectiveRights {
    /// Everybody who may do anything.
    pub rights: Vec<Effective>,
}

/// Asks somebody in. The answer's secret is shown once.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeInvite {
    /// What the guest or the machine will be called.
    pub name: String,
    /// Whose machine it pairs; a new person's if absent.
    #[serde(default)]
    pub principal: Option<PrincipalId>,
    /// What the newcomer may do from the start.
    #[serde(default)]
    pub grants: Vec<InviteGrant>,
    /// Seconds for which the invite is good: 60 to 2,592,000.
    pub lifetime_seconds: u64,
}

/// A right that an invite carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InviteGrant {
    /// The share.
    pub share: ShareId,
    /// What.
    #[schema(value_type = Vec<crate::Permission>)]
    pub permissions: Permissions,
    /// Until when.
    #[serde(with = "time::serde::rfc3339::option", default)]
    pub expires_at: Option<OffsetDateTime>,
}

/// An invite, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invite {
    /// The invite.
    pub id: InviteId,
    /// What the newcomer will be called.
    pub name: String,
    /// Whose machine it pairs, or who comes in; a new person if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub principal: Option<PrincipalId>,
    /// What they may do from the start.
    pub grants: Vec<InviteGrant>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it ends unused.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// The device or person that used it.
    #[serde(with = "time::serde::rfc3339::option", default)]
    #[schema(required)]
    pub used_at: Option<OffsetDateTime>,
}

/// Invites, newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Invites {
    /// All that are not over for long.
    pub invites: Vec<Invite>,
}

/// A new invite with its secret, which is never told again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MadeInvite {
    /// The invite.
    pub invite: Invite,
    /// One string: what a machine is given (`lanthorn pair …`).
    pub text: String,
    /// The same as an address for a browser.
    pub url: String,
    /// Its secret as sixteen words, to be read out.
    pub words: String,
}

/// A browser uses an invite.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UseInvite {
    /// The invite's string.
    pub invite: String,
}

/// A device as it is kept. `/api/v1/devices`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PairedDevice {
    /// The device.
    pub id: DeviceId,
    /// What it is called here.
    pub name: String,
    /// The system it runs on.
    pub platform: String,
    /// Whose it is.
    pub owner_principal_id: PrincipalId,
    /// False if only its owner sees it.
    pub visible: bool,
    /// True for the machine that this coordinator runs on.
    pub this: bool,
    /// When it was paired.
    #[serde(with = "time::serde::rfc3339")]
    pub paired_at: OffsetDateTime,
}

/// The paired machines.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PairedDevices {
    /// Sorted by name.
    pub devices: Vec<PairedDevice>,
}

//! Shapes of what there is: `/api/v1/catalog/…`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::devices::JoinedCoordinator;
use crate::{DeviceId, Permissions, PrincipalId, ShareId};

/// A machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// The machine.
    pub id: DeviceId,
    /// What it is called.
    pub name: String,
    /// Whose it is.
    pub owner_principal_id: PrincipalId,
    /// False if only its owner sees it.
    pub visible: bool,
    /// True if it answers now.
    pub online: bool,
    /// True for the machine that serves this page.
    pub local: bool,
    /// When it last answered.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_seen: Option<OffsetDateTime>,
    /// The coordinators that it has joined, and how its links to them stand: of this machine, for its owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joined: Vec<JoinedCoordinator>,
}

/// The machines the caller can see.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Devices {
    /// Sorted by name.
    pub devices: Vec<Device>,
}

/// A folder of a device, offered under a name.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Share {
    /// The share.
    pub id: ShareId,
    /// The machine it is on.
    pub device_id: DeviceId,
    /// What it is called.
    pub name: String,
    /// True if nothing can be written to it, whatever a grant says.
    pub read_only: bool,
    /// True for the machine's inbox, to which comes what is sent to it. Its owner's alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inbox: bool,
    /// True if its machine answers now.
    pub device_online: bool,
    /// What the caller may do with it.
    #[schema(value_type = Vec<crate::Permission>)]
    pub permissions: Permissions,
    /// Where it is on the machine, as an absolute path. Told to the owner on a private connection only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<String>,
}

/// The shares the caller can see.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Shares {
    /// Sorted by device and name, inboxes last.
    pub shares: Vec<Share>,
}

/// Offers another folder of this machine.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AddShare {
    /// The folder, as an absolute path.
    pub folder: String,
    /// What to call it; the folder's name if absent.
    #[serde(default)]
    pub name: Option<String>,
    /// True to let everybody who is paired look into it and save copies.
    #[serde(default)]
    pub everyone_may_read: bool,
}

/// The query of `/catalog/shares`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct SharesQuery {
    /// Only those of this machine.
    pub device_id: Option<String>,
    /// True to be told of inboxes too: they are shares like others, but where people share things they are in the way.
    pub inbox: bool,
}

/// Shows a machine to others, or hides it from everybody but its owner.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetVisibility {
    /// False to hide it.
    pub visible: bool,
}

/// Whether a machine is shown to others.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Visibility {
    /// The machine.
    pub id: DeviceId,
    /// False if only its owner sees it.
    pub visible: bool,
}

/// Renames a share.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameShare {
    /// What to call it.
    pub name: String,
}

//! Shapes of what there is: `/api/v1/catalog/…`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{DeviceId, Permissions, ShareId};

/// A machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// The machine.
    pub id: DeviceId,
    /// What it is called.
    pub name: String,
    /// True if it answers now.
    pub online: bool,
    /// True for the machine that serves this page.
    pub local: bool,
    /// When it last answered.
    #[serde(with = "time::serde::rfc3339::option")]
    pub last_seen: Option<OffsetDateTime>,
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
    /// Sorted by device and name.
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
}

/// Renames a share.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenameShare {
    /// What to call it.
    pub name: String,
}

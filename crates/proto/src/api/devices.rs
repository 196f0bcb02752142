//! Shapes of how machines reach each other: `/api/v1/devices/{device}/{path,ticket}`, and the coordinators that a machine
//! has joined.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{ApiError, DeviceId, Offered, Permission, ShareId};

/// On which way a request to a device goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lane {
    /// No way: it is this machine.
    Local,
    /// TLS over TCP, straight to it on the network.
    Lan,
    /// QUIC, straight to it.
    Direct,
    /// QUIC, through a relay.
    Relayed,
    /// There is no connection now.
    None,
}

/// How a device is reached now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DevicePath {
    /// The way.
    pub lane: Lane,
    /// Milliseconds to it and back, as last measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub round_trip_ms: Option<f64>,
    /// Why this way and no better one, for people.
    pub why: String,
}

/// Asks for the way straight to a device, for one of its shares.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WantTicket {
    /// The share.
    pub share: ShareId,
    /// What is to be done there: `read` or `download`.
    pub permission: Permission,
}

/// The way straight to a device: a ticket that only the machine that asked can use, and where the device is.
#[derive(Clone, Serialize, Deserialize, ToSchema)]
pub struct DirectWay {
    /// To be sent to the device as `Authorization: Bearer …`.
    pub ticket: String,
    /// Seconds for which it is good. Another one is to be had while the right stands.
    pub expires_in: u64,
    /// The key that the device has to prove.
    pub device: DeviceId,
    /// Where it may answer on the LAN lane, likeliest first. Hints: whoever answers has to prove the key.
    #[schema(value_type = Vec<String>)]
    pub addresses: Vec<SocketAddr>,
}

/// How a machine's link to a coordinator that it has joined stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LinkStanding {
    /// It has not been tried to the end yet.
    Connecting,
    /// The machine is registered there.
    Connected,
    /// There is no link; the machine tries again.
    Waiting,
    /// The coordinator does not let the machine in; it asks again now and then.
    Refused,
}

/// A coordinator that this machine has joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JoinedCoordinator {
    /// The id that it had when it was joined.
    pub id: String,
    /// What its machine is called.
    pub name: String,
    /// Where it was joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// How the link to it stands.
    pub standing: LinkStanding,
    /// Since when it stands so.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
    /// What is wrong, for people: why there is no link, or a clock that is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<ApiError>,
    /// The shares of this machine that it is offered; absent if all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shares: Option<Vec<ShareId>>,
}

impl JoinedCoordinator {
    /// What it is offered, as it is written here.
    #[must_use]
    pub fn shares_of(offered: &Offered) -> Option<Vec<ShareId>> {
        match offered {
            Offered::All => None,
            Offered::Only(shares) => Some(shares.iter().copied().collect()),
        }
    }
}

//! Shapes of how other machines are reached: `/api/v1/devices/{device}/path`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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

//! How the bytes of a transfer flow, and what keeps them from flowing faster.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How bytes flow from one machine to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// TCP, straight to an address of the other.
    Lan,
    /// QUIC, straight to the other, through whatever is between them.
    Direct,
    /// QUIC through a relay, which sees no content.
    Relayed,
    /// HTTPS through the coordinator.
    ThroughCoordinator,
}

/// What keeps bytes from flowing faster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// The sender reads and hashes no faster.
    Sender,
    /// The network between the two.
    Network,
    /// The receiver writes no faster.
    Receiver,
    /// The limit that the sender set.
    RateLimit,
}

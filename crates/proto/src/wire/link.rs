//! The control link: the WebSocket that a device keeps to its coordinator (`/api/v1/agents/link`).
//!
//! Participants: a device and one coordinator it has been paired with. JSON text messages of at most
//! [`MAX_MESSAGE_BYTES`]. The coordinator speaks first ([`FromCoordinator::Challenge`]); the device proves its key
//! ([`FromAgent::Hello`], signing [`hello_text`]); the coordinator answers with [`FromCoordinator::Welcome`] or
//! [`FromCoordinator::Refused`]. From then on either side speaks when it has something to say. The device sends a
//! heartbeat every [`HEARTBEAT`]; after [`OFFLINE_AFTER`] without a word it counts as offline, after a
//! [`FromAgent::Goodbye`] at once. Requests for files never go over this link.

use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::ticket::PublicKey;
use crate::{ApiError, DeviceId, Lineage, PrincipalId, SessionId, ShareId, TransferId};

/// The version of this protocol.
pub const VERSION: u32 = 1;
/// The longest message: some thousand shares.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;
/// How often a device says that it is there.
pub const HEARTBEAT: Duration = Duration::from_secs(20);
/// How long each side waits for the other's part of the greeting.
pub const GREETING: Duration = Duration::from_secs(10);
/// After how long without a word a device counts as offline.
pub const OFFLINE_AFTER: Duration = Duration::from_secs(90);

/// Where a device can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Addresses {
    /// Addresses of its port, TCP and UDP alike, likeliest first.
    #[schema(value_type = Vec<String>)]
    pub direct: Vec<SocketAddr>,
    /// Where else it is on UDP: another port than that, or as it is seen from outside its network.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<String>)]
    pub udp: Vec<SocketAddr>,
    /// The relay that it listens at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub relay: Option<String>,
}

/// A folder that a device offers. The folder's place stays with the device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedShare {
    /// The share: its device made the id.
    pub id: ShareId,
    /// What it is called.
    pub name: String,
    /// True if nothing can be written to it, whatever a grant says.
    #[serde(default)]
    pub read_only: bool,
    /// True for the device's inbox: its owner's alone, whatever a grant says. One at most.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inbox: bool,
}

/// What a device says of itself when it registers.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Registration {
    /// Its name now; the coordinator keeps the name its owner gave it there.
    pub name: String,
    /// The system it runs on: "linux".
    pub platform: String,
    /// The program's version.
    pub version: String,
    /// Where it can be reached.
    pub addresses: Addresses,
    /// All it offers: what is not here is not on offer any more.
    pub shares: Vec<OfferedShare>,
}

/// Messages of a device.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromAgent {
    /// Proves the device's key, and registers it.
    Hello {
        /// [`VERSION`].
        protocol: u32,
        /// The device.
        device: DeviceId,
        /// Its Ed25519 signature of [`hello_text`], in base64url.
        signature: String,
        /// Its clock, so that the coordinator can say that it is wrong.
        #[serde(with = "time::serde::rfc3339")]
        time: OffsetDateTime,
        /// What it offers.
        registration: Box<Registration>,
    },
    /// The device is there.
    Heartbeat {
        /// Its clock.
        #[serde(with = "time::serde::rfc3339")]
        time: OffsetDateTime,
    },
    /// The shares, when they changed: all of them.
    Shares {
        /// All it offers.
        shares: Vec<OfferedShare>,
    },
    /// Where the device can be reached, when that changed.
    Addresses {
        /// All addresses.
        addresses: Addresses,
    },
    /// The device ends in good order.
    Goodbye,
}

/// Messages of a coordinator.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromCoordinator {
    /// The first word.
    Challenge {
        /// Random text to sign, used once.
        nonce: String,
        /// The coordinator's id.
        coordinator: String,
        /// Its clock, so that a device whose clock is wrong can say so.
        #[serde(with = "time::serde::rfc3339")]
        time: OffsetDateTime,
    },
    /// The device is known and registered.
    Welcome {
        /// Which tickets count.
        #[serde(flatten)]
        keys: TicketKeys,
        /// The keys that the coordinator's gateway presents when it asks the device for something.
        gateways: Vec<DeviceId>,
        /// Relays the device may use.
        #[serde(default)]
        relays: Vec<String>,
        /// What is wrong although the device is let in: its clock, for one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        notice: Option<ApiError>,
    },
    /// The device is not let in. The link ends.
    Refused {
        /// Why.
        error: ApiError,
    },
    /// Which tickets count from now on.
    Keys {
        /// As in `Welcome`.
        #[serde(flatten)]
        keys: TicketKeys,
    },
    /// Other devices that may come, and where they are.
    Peers {
        /// All that may come now.
        peers: Vec<Peer>,
    },
    /// Something ended: drop within two seconds what is served for it.
    Revoked {
        /// What ended.
        what: Revoked,
        /// When, by the coordinator's clock: a ticket written later is good again.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
}

/// Which of a coordinator's keys sign tickets, and how they follow from keys that a device has pinned.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketKeys {
    /// Public keys whose tickets count: the present one first.
    pub ticket_keys: Vec<PublicKey>,
    /// The line of the coordinator's keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// The ids of keys that were given up because somebody else may have them: what they opened breaks off.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
}

impl TicketKeys {
    /// True if a device that has pinned these may take them: the keys are among them, or are vouched for by them.
    #[must_use]
    pub fn follow_from(&self, pinned: &[PublicKey]) -> bool {
        let all_in = |known: &[PublicKey]| self.ticket_keys.iter().all(|key| known.contains(key));
        let line = || self.lineage.as_ref().and_then(|line| line.from_pinned(pinned));
        all_in(pinned) || line().is_some_and(|line| all_in(&line))
    }
}

/// Another device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peer {
    /// The device.
    pub device: DeviceId,
    /// Where it was last known to be.
    pub addresses: Addresses,
}

/// What can end before its time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Revoked {
    /// One ticket.
    Ticket {
        /// Its `jti`.
        id: String,
    },
    /// A signed-in browser.
    Session {
        /// The session.
        id: SessionId,
    },
    /// A device as a client.
    Device {
        /// The device.
        id: DeviceId,
    },
    /// Everything of a person.
    Principal {
        /// The person.
        id: PrincipalId,
    },
    /// What a person had on a share.
    Grant {
        /// The person.
        principal: PrincipalId,
        /// The share.
        share: ShareId,
    },
    /// A delivery: nothing more of it is taken.
    Transfer {
        /// The transfer.
        id: TransferId,
        /// The share it went to.
        share: ShareId,
    },
}

/// What a device signs to prove its key to this coordinator and no other.
#[must_use]
pub fn hello_text(coordinator: &str, nonce: &str) -> Vec<u8> {
    format!("lanthorn link {VERSION}\n{coordinator}\n{nonce}").into_bytes()
}

//! Shapes of events: `/api/v1/events/…`. A WebSocket carries them as JSON, each once and in order per person.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::{DeviceId, ShareId};

/// The subprotocol of the event socket.
pub const PROTOCOL: &str = "stream-v1";

/// The query of `/events/ws`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct EventsQuery {
    /// The number of the last event that was received: what came after it is told again, for five minutes.
    pub after: Option<u64>,
}

/// A token that opens the event socket within 90 seconds.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct EventsToken {
    /// To be offered as the subprotocol `auth.<token>` beside `stream-v1`.
    pub ws_token: String,
    /// Seconds for which it is good.
    pub expires_in: u64,
}

/// Something that happened, as one person is told of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Counts up by one for each event of this person.
    pub seq: u64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// What.
    #[serde(flatten)]
    pub what: Happening,
}

/// What can happen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Happening {
    /// A device answers.
    DeviceOnline {
        /// The device.
        device: DeviceId,
    },
    /// A device does not answer any more.
    DeviceOffline {
        /// The device.
        device: DeviceId,
    },
    /// A share came, went, or changed its name or the person's rights on it.
    ShareChanged {
        /// The device it is on.
        device: DeviceId,
        /// The share.
        share: ShareId,
    },
    /// Devices were paired, renamed, hidden, shown or revoked: ask for the catalog again.
    CatalogChanged,
    /// A machine waits to be let in. Told to the owner only.
    PairingWaiting,
    /// More happened than is remembered: ask for everything again.
    EventsLost,
}

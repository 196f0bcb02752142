//! Shapes of events: `/api/v1/events/…`. A WebSocket carries them as JSON, each once and in order per person.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::transfers::{ItemState, Limit, PausedBy, TransferState, Way};
use crate::{DeviceId, ShareId, TransferId, TransferItemId};

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

impl Happening {
    /// The transfer that it is about, if it is about one.
    #[must_use]
    pub const fn transfer(&self) -> Option<TransferId> {
        match self {
            Self::TransferRequested { transfer, .. }
            | Self::TransferApproved { transfer, .. }
            | Self::TransferRejected { transfer, .. }
            | Self::TransferPasscodeOpened { transfer, .. }
            | Self::TransferPasscodeLapsed { transfer, .. }
            | Self::TransferHeld { transfer, .. }
            | Self::TransferItemState { transfer, .. }
            | Self::TransferProgress { transfer, .. }
            | Self::TransferCancelled { transfer, .. }
            | Self::TransferEnded { transfer, .. } => Some(*transfer),
            _ => None,
        }
    }
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
    /// Somebody offers something: whoever receives has to answer.
    TransferRequested {
        /// The transfer.
        transfer: TransferId,
        /// Where it stands now.
        state: TransferState,
    },
    /// The receiver agreed.
    TransferApproved {
        /// The transfer.
        transfer: TransferId,
        /// Where it stands now.
        state: TransferState,
    },
    /// The receiver does not want it.
    TransferRejected {
        /// The transfer.
        transfer: TransferId,
        /// Where it stands now.
        state: TransferState,
    },
    /// It may begin: the sender said the passcode, or is trusted.
    TransferPasscodeOpened {
        /// The transfer.
        transfer: TransferId,
        /// Where it stands now.
        state: TransferState,
    },
    /// The passcode was not said in time: the receiver has to answer again.
    TransferPasscodeLapsed {
        /// The transfer.
        transfer: TransferId,
        /// Where it stands now.
        state: TransferState,
    },
    /// Somebody holds it, or lets it go on.
    TransferHeld {
        /// The transfer.
        transfer: TransferId,
        /// Where it stands.
        state: TransferState,
        /// Who holds it; nobody if absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        paused_by: Option<PausedBy>,
    },
    /// One of its items is elsewhere on its way.
    TransferItemState {
        /// The transfer.
        transfer: TransferId,
        /// Where it stands now.
        state: TransferState,
        /// The item.
        item: TransferItemId,
        /// Where that one stands now.
        item_state: ItemState,
    },
    /// Some more of it has come; told once a second at most.
    TransferProgress {
        /// The transfer.
        transfer: TransferId,
        /// Bytes that are there.
        received: u64,
        /// Bytes that were offered and are wanted.
        total: u64,
        /// How they flow.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        way: Option<Way>,
        /// What keeps them from flowing faster.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limited_by: Option<Limit>,
    },
    /// One of the two gave it up.
    TransferCancelled {
        /// The transfer.
        transfer: TransferId,
        /// Where it stands now.
        state: TransferState,
    },
    /// It is completed, failed or expired.
    TransferEnded {
        /// The transfer.
        transfer: TransferId,
        /// Where it stands now.
        state: TransferState,
    },
    /// More happened than is remembered: ask for everything again.
    EventsLost,
}

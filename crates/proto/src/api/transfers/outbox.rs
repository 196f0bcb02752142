//! `/agent/v1/outbox/transfers/{id}/…`: what a machine sends of its shares. Said by the coordinator, in the name of whoever
//! sends, with a ticket for this transfer and share that allows to read and to download.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{OfferedItem, Way};
use crate::wire::link::Addresses;
use crate::{ApiError, DeviceId};

/// `POST …/measure`: what is to be offered of the ticket's share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Measure {
    /// Files and folders of the share, in text form.
    pub paths: Vec<String>,
}

/// What they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Measured {
    /// An item for each path, in their order.
    pub items: Vec<OfferedItem>,
}

/// `PUT …/{id}`: what is to be sent of the ticket's share. Said again with every new ticket; what is under
/// way goes on. Nothing of it is kept when the process ends.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Outbound {
    /// Files and folders of the share, in text form: those items that the receiver wants, in their order.
    pub paths: Vec<String>,
    /// The machine that receives.
    pub receiver_device_id: DeviceId,
    /// Where it is.
    pub addresses: Addresses,
    /// Opens its inbox to this machine.
    pub ticket: String,
    /// When that ticket ends: unless another comes until then, so does the sending.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { paths, receiver_device_id, addresses, ticket: _, expires_at } = self;
        write!(f, "Outbound({paths:?}, {receiver_device_id:?}, {addresses:?}, {expires_at})")
    }
}

/// How far the sending is: the answer to `PUT`, and each line of `GET …/watch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Carried {
    /// Where it stands.
    pub state: OutboundState,
    /// How its bytes flow, as far as this side knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// Why by no better way, or why nothing flows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// Why it ended, if it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

/// Where a sending stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutboundState {
    /// It is on its way to the receiver, or will be once that is reached.
    Reaching,
    /// Bytes flow, or the receiver holds them.
    Sending,
    /// Everything is in its place.
    Done,
    /// It will not go on by itself.
    Failed,
}

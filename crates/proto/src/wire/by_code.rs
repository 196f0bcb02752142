//! What two say who met by a code, and were never paired: JSON in the mailbox of a rendezvous, sealed by what the code became.
//!
//! Participants: the giver, who has shown a code, and the taker, who typed it. The giver speaks first: [`FromGiver::Offer`].
//! The taker answers with [`FromTaker::Take`], and is then the receiver of [`transfer`](super::transfer): it mints the ticket
//! itself, and the giver dials. Both have keys that live as long as their programs. The mailbox stays open until the end, so
//! that the taker can say where it has moved; it ends with [`FromTaker::Done`], or with [`FromTaker::Declined`].
//!
//! The code stays good while downloads are left: a taker that was interrupted takes it again, and finds by
//! [`Offer::transfer`] what came before.

use serde::{Deserialize, Serialize};

use super::link::Addresses;
use crate::api::transfers::ExpectedItem;
use crate::{ApiError, DeviceId, TransferId};

/// The name of these programs at a rendezvous: no code of theirs is mistaken for another's.
pub const APP: &str = "lanthorn/send/1";
/// The longest text that is part of an offer. Longer ones are sent as a file.
pub const MAX_TEXT_BYTES: usize = 64 << 10;

/// What the giver says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromGiver {
    /// What there is.
    Offer(Box<Offer>),
    /// There is nothing, or not any more.
    Refused {
        /// Why.
        error: ApiError,
    },
}

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// The same for everybody who takes it, as often as they do.
    pub transfer: TransferId,
    /// Whose machine it comes from: its name.
    pub from: String,
    /// The key with which the giver will dial.
    pub giver: DeviceId,
    /// A word that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// A text that is all there is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Files and folders.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<ExpectedItem>,
}

/// What the taker says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum FromTaker {
    /// It is to come here.
    Take {
        /// The key that answers there.
        taker: DeviceId,
        /// Where that is.
        addresses: Addresses,
        /// Opens the transfer to the giver's key.
        ticket: String,
    },
    /// It is somewhere else now.
    Moved {
        /// Where.
        addresses: Addresses,
    },
    /// It does not want it.
    Declined,
    /// It has everything, or could not take all of it.
    Done {
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ApiError>,
    },
}

//! Shapes of what a sender says to the receiver's device over HTTP: `POST /agent/v1/inbox/transfers/{transfer}/chunk`,
//! `…/commit` and `…/finalize`, for browsers and where there is no direct way between the two devices.
//!
//! A file is sent in chunks of up to [`MAX_CHUNK_BYTES`](super::transfers::MAX_CHUNK_BYTES), each beginning where the one before
//! ended (`x-chunk-offset`; 409 `OFFSET_CONFLICT` says where, in its sentence and in a header of that name). An item is then
//! committed, which finds it to be what was offered and makes it durable, and finalized, which puts it into its place. Of
//! a folder each file says where in it it goes.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::transfers::ItemState;
use crate::TransferItemId;

/// The header that says where a chunk begins; 0 if absent. In a refusal: where the next one has to begin.
pub const CHUNK_OFFSET: &str = "x-chunk-offset";
/// The header that says with `1` that a chunk is the last of its file.
pub const CHUNK_LAST: &str = "x-chunk-last";
/// The longest `destination_path`.
pub const MAX_DESTINATION: usize = 400;

/// The query of `POST …/chunk`: which bytes they are. What is said of the item must be what was offered.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ChunkQuery {
    /// The item.
    #[param(value_type = String)]
    pub item_id: Option<TransferItemId>,
    /// The item's name.
    pub filename: Option<String>,
    /// The bytes of the whole file. Of a file in a folder it has to be said; else it is as offered.
    pub size: Option<u64>,
    /// SHA-256 of the whole file, as 64 hexadecimal digits; all zeros mean that it is not known.
    pub sha256: Option<String>,
    /// Of an item that is a folder: where in it the file goes, names with `/` between them.
    pub path: Option<String>,
    /// True for a folder in such an item, which needs to be said only if nothing is in it. It has no bytes.
    pub folder: bool,
    /// When the file last changed (RFC 3339).
    pub modified: Option<String>,
}

/// A chunk was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChunkTaken {
    /// The item.
    pub item_id: TransferItemId,
    /// The bytes of the file that are here.
    pub received_size: u64,
    /// How many it is to have.
    pub expected_size: u64,
    /// `receiving`, or `staged` once all are here.
    pub state: ItemState,
    /// BLAKE3 of the file once all its bytes are here, as 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
}

/// The query of `POST …/commit`: nothing more of an item comes.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct CommitQuery {
    /// The item.
    #[param(value_type = String)]
    pub item_id: Option<TransferItemId>,
    /// True if a folder is to be kept though fewer files came than were offered: the sender could not read the others.
    pub partial: bool,
}

/// An item is what was offered, and durable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemCommitted {
    /// The item.
    pub item_id: TransferItemId,
    /// `committed`, or `finalized` if it is in its place already.
    pub state: ItemState,
    /// BLAKE3 of a file, as 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
}

/// `POST …/finalize`: an item goes to its place.
#[derive(Clone, Debug, Deserialize, Serialize, ToSchema)]
pub struct FinalizeItem {
    /// The item.
    pub item_id: TransferItemId,
    /// The folder, from the root of the share or inbox, in text form: the one that the receiver approved, or one in it. What
    /// is missing of it is made. Empty, it is the one that was approved.
    #[serde(default)]
    pub destination_path: String,
}

/// An item is in its place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ItemFinalized {
    /// The item.
    pub item_id: TransferItemId,
    /// `finalized`.
    pub state: ItemState,
    /// Where it went, from the root of the share or inbox, in text form.
    pub final_path: String,
    /// Names in it that had to be changed, as they were and as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<(String, String)>,
}

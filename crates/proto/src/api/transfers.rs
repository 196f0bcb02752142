//! Shapes of transfers: `/api/v1/transfers/…` at the coordinator, where both sides agree,
//! `/agent/v1/inbox/transfers/{transfer}/…` at the receiver, where the bytes arrive, and `/agent/v1/outbox/…` at a machine
//! that sends of its own shares.
//!
//! A transfer is offered, approved or rejected, opened with a passcode unless the receiver trusts the sender, and then
//! carried out. Its items are the files and folders that were chosen; what is in a folder is told while it is sent.

mod outbox;
mod way;

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

pub use outbox::{Carried, Measure, Measured, Outbound, OutboundState};
pub use way::{Limit, Way};

use crate::{ApiError, DeviceId, PrincipalId, ShareId, TransferId, TransferItemId};

/// The most items of one transfer; a folder counts as one.
pub const MAX_ITEMS: usize = 200;
/// The most names of a folder's content that are told with the offer.
pub const MAX_PREVIEW: usize = 200;
/// For how long an offer waits, and an approved transfer may take to end, in hours.
pub const TRANSFER_HOURS: u32 = 24;
/// For how long the passcode opens a transfer after its approval, in seconds.
pub const PASSCODE_SECONDS: u32 = 300;
/// Wrong passcodes until it is locked.
pub const PASSCODE_TRIES: u32 = 5;
/// The digits of a passcode.
pub const PASSCODE_DIGITS: usize = 4;
/// The largest body of one `chunk` request, in bytes.
pub const MAX_CHUNK_BYTES: u64 = 8 << 20;

/// Where a transfer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferState {
    /// The receiver has not answered yet.
    PendingReceiverApproval,
    /// The receiver agreed; the sender has to say the passcode.
    ApprovedPendingSenderPasscode,
    /// It may begin.
    PasscodeOpen,
    /// Bytes have come.
    InProgress,
    /// Everything is in its place.
    Completed,
    /// The receiver did not want it.
    Rejected,
    /// One of the two gave it up.
    Cancelled,
    /// Its time was over.
    Expired,
    /// It cannot be finished; `reason` says why.
    Failed,
}

impl TransferState {
    /// True for a state that a transfer does not leave any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Completed | Self::Rejected | Self::Cancelled | Self::Expired | Self::Failed)
    }
}

/// Where one item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// Nothing of it has come.
    Pending,
    /// It is coming.
    Receiving,
    /// It is held.
    Paused,
    /// All its bytes are there.
    Staged,
    /// They are the right ones, and durable.
    Committed,
    /// It is in its place.
    Finalized,
    /// The receiver did not want it.
    Rejected,
    /// It was given up with its transfer.
    Cancelled,
    /// Its transfer's time was over.
    Expired,
    /// It could not be taken; its `error` says why.
    Failed,
}

/// What an item is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ItemKind {
    /// One file.
    #[default]
    File,
    /// A folder with all that is in it.
    Folder,
    /// A piece of text.
    Text,
}

/// An item as it is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfferedItem {
    /// Its name: one name, no path.
    pub filename: String,
    /// File, folder or text.
    #[serde(default)]
    pub kind: ItemKind,
    /// Its bytes, all in all. Of a folder, as far as it is known.
    pub size: u64,
    /// How many files it is; 1 unless it is a folder.
    #[serde(default = "one")]
    pub files: u64,
    /// SHA-256 of a file, as 64 hexadecimal digits; all zeros mean that it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// BLAKE3 of a file, as 64 hexadecimal digits, where it is known beforehand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    /// What kind of file it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
    /// Some of what is in a folder, as paths in it, for the receiver to look at.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub preview: Vec<String>,
}

const fn one() -> u64 {
    1
}

impl OfferedItem {
    /// One of which no more is known.
    #[must_use]
    pub fn new(filename: impl Into<String>, kind: ItemKind, size: u64) -> Self {
        Self {
            filename: filename.into(),
            kind,
            size,
            files: 1,
            sha256: None,
            blake3: None,
            mime_type: None,
            preview: Vec::new(),
        }
    }
}

/// Files and folders of a share, which its machine sends by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferSource {
    /// The share. Whoever sends needs `read` and `download` there for as long as it is sent.
    pub share_id: ShareId,
    /// What is sent of it, in text form: an item each.
    pub paths: Vec<String>,
}

/// `POST /transfers`: an offer.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct OfferTransfer {
    /// The machine that is to receive. Either this or `receiver_principal_id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_device_id: Option<DeviceId>,
    /// The person who is to receive: on which of their machines, the coordinator chooses, and they may say otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_principal_id: Option<PrincipalId>,
    /// The share it is to go to; the inbox if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_share_id: Option<ShareId>,
    /// The folder in that share, in text form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_path: Option<String>,
    /// The machine whose bytes they are; absent if the caller itself uploads them over HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_device_id: Option<DeviceId>,
    /// What is sent of a share, by its machine itself. That machine is then the one whose bytes they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<TransferSource>,
    /// What is offered: 1 to [`MAX_ITEMS`]. None with a `source`: its machine says what that is.
    #[serde(default)]
    pub items: Vec<OfferedItem>,
    /// A word to the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// One item of a transfer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TransferItem {
    /// Its id.
    pub id: TransferItemId,
    /// As it was offered.
    #[serde(flatten)]
    pub offered: OfferedItem,
    /// Where it stands.
    pub state: ItemState,
    /// Bytes of it that are there.
    #[serde(default)]
    pub received_size: u64,
    /// Where it went, from the root of the share or inbox, in text form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_path: Option<String>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

/// Who holds a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PausedBy {
    /// The sender.
    Sender,
    /// The receiver.
    Receiver,
    /// The receiver's disk is full; it goes on by itself once there is room.
    NoSpace,
}

/// A transfer, as both sides see it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// Who sends.
    pub sender_principal_id: PrincipalId,
    /// What they are called.
    pub sender_name: String,
    /// The machine whose bytes they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender_device_id: Option<DeviceId>,
    /// The machine that receives.
    pub receiver_device_id: DeviceId,
    /// What it is called.
    pub receiver_name: String,
    /// The person it is for, if it was sent to a person and not to a machine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_principal_id: Option<PrincipalId>,
    /// The share it goes to; the inbox if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_share_id: Option<ShareId>,
    /// The folder there, in text form.
    #[serde(default)]
    pub destination_path: String,
    /// Where it stands.
    pub state: TransferState,
    /// Who holds it, while it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<PausedBy>,
    /// Why it ended, or was not wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The sender's word to the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// True if the caller may answer it.
    pub incoming: bool,
    /// What its machine sends of a share. Shown to the sender alone, who can offer the same again with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<TransferSource>,
    /// What the caller calls it. Each side has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// How its bytes flow, while they do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// Why by no better way, or why nothing flows, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way_note: Option<String>,
    /// What keeps them from flowing faster, while they flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<Limit>,
    /// When it was offered.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ends if nothing comes of it.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
    /// What is sent.
    pub items: Vec<TransferItem>,
}

/// Which transfers are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransferRole {
    /// Both kinds.
    #[default]
    All,
    /// Those to the caller's machines.
    Incoming,
    /// Those of the caller.
    Outgoing,
}

/// The query of `GET /transfers`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct TransfersQuery {
    /// Which ones.
    #[param(inline)]
    pub role: TransferRole,
    /// At most so many: 200 unless less is asked for.
    pub limit: Option<u32>,
}

/// Transfers, the newest first.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Transfers {
    /// The transfers.
    pub transfers: Vec<Transfer>,
}

/// `POST /transfers/{id}/approve`: the receiver's yes.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct ApproveTransfer {
    /// Four digits that the receiver tells the sender by another way. Not needed from a sender who is trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passcode: Option<String>,
    /// Another machine than was asked for. It is the caller's own, too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_device_id: Option<DeviceId>,
    /// Another share than was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_share_id: Option<ShareId>,
    /// The folder there, in text form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination_path: Option<String>,
    /// Only these items; all if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub items: Option<Vec<TransferItemId>>,
    /// From now on this sender needs to ask no more, within these limits. The machine's owner alone can say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub always: Option<TrustLimits>,
}

impl fmt::Debug for ApproveTransfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { passcode: _, receiver_device_id, receiver_share_id, destination_path, items, always } =
            self;
        let place = (receiver_device_id, receiver_share_id, destination_path);
        write!(f, "ApproveTransfer({place:?}, {items:?}, {always:?})")
    }
}

/// How far a sender is trusted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TrustLimits {
    /// The most bytes of one transfer; any if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
    /// The share it goes to; the inbox if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver_share_id: Option<ShareId>,
    /// The folder there, in text form.
    #[serde(default)]
    pub destination_path: String,
}

/// `POST /transfers/{id}/reject` and `…/cancel`: why.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct EndTransfer {
    /// Why, for the other side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The longest label, in characters.
pub const MAX_LABEL: usize = 120;

/// `PUT /transfers/{id}/label`: what the caller calls it.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct LabelTransfer {
    /// One line of at most 120 characters; nothing takes it away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// `POST /transfers/{id}/passcode/open`: the sender's proof that the receiver told it.
#[derive(Clone, Default, Serialize, Deserialize, ToSchema)]
pub struct OpenTransfer {
    /// The passcode; not needed where the sender is trusted, or to have the ticket renewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passcode: Option<String>,
}

impl fmt::Debug for OpenTransfer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenTransfer(with a passcode: {})", self.passcode.is_some())
    }
}

/// A transfer that may begin, or go on.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OpenedTransfer {
    /// The transfer.
    pub transfer: Transfer,
    /// Opens the receiver's inbox for it.
    pub upload_ticket: String,
    /// Where the inbox is reached over HTTP, through this coordinator.
    pub upload_base_url: String,
    /// When the ticket ends. It can be renewed here until then and afterwards.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// Where the receiver is reached directly.
    pub addresses: crate::wire::link::Addresses,
}

/// `POST /transfers/history/clear`: what came to its end is not shown to the caller any more.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ClearedTransfers {
    /// How many that were.
    pub deleted: u64,
}

/// `POST /transfers/pending/cancel`: every offer of the caller that has not begun is given up.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CancelledTransfers {
    /// How many that were.
    pub cancelled: u64,
}

/// Somebody whose transfers to a machine begin without a question.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrustedSender {
    /// The machine.
    pub device_id: DeviceId,
    /// Who is trusted.
    pub sender_principal_id: PrincipalId,
    /// What they are called.
    pub sender_name: String,
    /// How far.
    #[serde(flatten)]
    pub limits: TrustLimits,
    /// Since when.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

/// Those who are trusted on the caller's machines.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrustedSenders {
    /// Whoever was trusted first comes first.
    pub trusted: Vec<TrustedSender>,
}

/// `PUT /agent/v1/inbox/transfers/{id}`: what the receiver is to expect. Said by the coordinator, again after every
/// change; what has arrived stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Expected {
    /// Who sends.
    pub sender_principal_id: PrincipalId,
    /// What they are called.
    pub sender_name: String,
    /// The share it goes to: the inbox is one too.
    pub receiver_share_id: ShareId,
    /// The folder there, in text form.
    #[serde(default)]
    pub destination_path: String,
    /// Who holds it, while it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<PausedBy>,
    /// What may come: what was approved.
    pub items: Vec<ExpectedItem>,
}

/// An item that may come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ExpectedItem {
    /// Its id.
    pub id: TransferItemId,
    /// As it was offered.
    #[serde(flatten)]
    pub offered: OfferedItem,
}

/// What has arrived of a transfer: `GET …/status`, and each line of `GET …/watch`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Arrived {
    /// The transfer.
    pub transfer_id: TransferId,
    /// Who holds it, while it is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused_by: Option<PausedBy>,
    /// True while a sender is connected.
    pub connected: bool,
    /// How its bytes come, while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub way: Option<Way>,
    /// What keeps them from coming faster, while they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limited_by: Option<Limit>,
    /// Every item that may come.
    pub items: Vec<ArrivedItem>,
}

/// What has arrived of an item.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ArrivedItem {
    /// The item.
    pub item_id: TransferItemId,
    /// Its name as it was offered.
    pub filename: String,
    /// How many bytes it is to have, as far as that is known.
    pub expected_size: u64,
    /// How many of them are here and verified.
    pub received_size: u64,
    /// Where it stands.
    pub state: ItemState,
    /// Where it went, from the root of the share or inbox, in text form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub final_path: Option<String>,
    /// BLAKE3 of a file that arrived, as 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blake3: Option<String>,
    /// Names in it that had to be changed, as they were and as they are.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renamed: Vec<(String, String)>,
    /// What went wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

//! Shapes of files across machines, through the coordinator: `/api/v1/files/…`.
//!
//! The answers have every member that programs of before Lanthorn look for (`items`, `is_dir`, `current_path`, …), and
//! beside them what entries have everywhere else.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::files::{Entry, Kind, MatchType, SearchHit};
use super::writing::{ActItem, Clash};
use crate::{ApiError, DeviceId, ErrorCode, Permissions, RelPath, ShareId, UndoToken};

/// The query of `/files/list`.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListAcrossQuery {
    /// The machine.
    pub device_id: String,
    /// The share.
    pub share_id: String,
    /// The folder, in text form; empty for the share's root.
    #[serde(default)]
    pub path: String,
    /// How many entries at the most: 50 to 5,000; 300 if absent.
    pub max_results: Option<u32>,
}

/// The query of `/files/search`.
#[derive(Clone, Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct SearchAcrossQuery {
    /// What to look for, 1 to 120 characters: words in any order, each in the name or the path; `*` and `?` make a word
    /// a pattern.
    pub q: String,
    /// Only on this machine.
    pub device_id: Option<String>,
    /// Only in this share.
    pub share_id: Option<String>,
    /// Only below this folder of each share.
    #[serde(default)]
    pub path: String,
    /// `false` to find only what is in that folder itself.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    pub recursive: Option<String>,
    /// Only of this kind.
    #[param(inline)]
    pub kind: Option<Kind>,
    /// Only files of at least this many bytes.
    pub min_size: Option<u64>,
    /// Only files of at most this many bytes.
    pub max_size: Option<u64>,
    /// Only files changed at or after this time (RFC 3339).
    pub after: Option<String>,
    /// Only files changed before this time (RFC 3339).
    pub before: Option<String>,
    /// How many shares are searched at the most: 1 to 200; 30 if absent.
    pub max_shares: Option<u32>,
    /// How many results of one share at the most: 10 to 1,000; 200 if absent.
    pub max_results_per_share: Option<u32>,
    /// How many results in all at the most: 20 to 5,000; 800 if absent.
    pub max_results_total: Option<u32>,
    /// After so many milliseconds the answer ends with what has come: 500 to 20,000; 6,000 if absent.
    pub timeout_budget_ms: Option<u32>,
}

/// The body of `POST /files/copy`: files and folders that go from one share to another, on whichever machines.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CopyAcross {
    /// What.
    pub from: CopySource,
    /// Into which folder.
    pub to: CopyTarget,
    /// True to delete it where it was (to the trash), once all of it is where it should be.
    #[serde(default, rename = "move")]
    pub moves: bool,
    /// What is done when a name is taken. Folders that exist are gone into.
    #[serde(default)]
    pub clash: Clash,
}

/// What is copied.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CopySource {
    /// The machine.
    pub device: DeviceId,
    /// The share.
    pub share: ShareId,
    /// Files and folders of one folder, in text form.
    pub paths: Vec<String>,
}

/// Where copies go.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct CopyTarget {
    /// The machine.
    pub device: DeviceId,
    /// The share.
    pub share: ShareId,
    /// The folder, in text form; empty for the share's root.
    #[serde(default)]
    pub path: String,
}

/// One line of the answer of `POST /files/copy`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum CopyEvent {
    /// An item that did not come to the place it was meant for, or that was not deleted where it was.
    Item(ActItem),
    /// The end: everything that is not named by an item is in its place, durably.
    Done {
        /// How many files came to their places.
        files: u64,
        /// How many folders were made.
        folders: u64,
        /// Bytes of content.
        bytes: u64,
        /// True if everything was deleted where it was.
        moved: bool,
        /// With this it can be undone in the share where it is now.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<UndoToken>,
        /// With this it comes back to the share where it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo_source: Option<UndoToken>,
    },
    /// It did not come to its end: what came before is in its place, and nothing was deleted.
    Broken {
        /// Why.
        error: ApiError,
    },
}

/// A result, and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundEntry {
    /// The file or folder, and how it matched.
    #[serde(flatten)]
    pub hit: SearchHit,
    /// The machine.
    pub device_id: DeviceId,
    /// What the machine is called.
    pub device_name: String,
    /// The share.
    pub share_id: ShareId,
    /// What the share is called.
    pub share_name: String,
}

/// A share that could not be searched, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShareError {
    /// The machine.
    pub device_id: DeviceId,
    /// What the machine is called.
    pub device_name: String,
    /// The share.
    pub share_id: ShareId,
    /// What the share is called.
    pub share_name: String,
    /// Why, for people.
    pub error: String,
    /// What to do about it.
    pub hint: String,
    /// Why, for programs.
    pub code: ErrorCode,
}

/// A machine that has shares for the caller and is not there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OfflineDevice {
    /// The machine.
    pub device_id: DeviceId,
    /// What it is called.
    pub device_name: String,
    /// When it was last there.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub last_seen: Option<OffsetDateTime>,
}

/// A share that has answered to the end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ShareDone {
    /// The machine.
    pub device_id: DeviceId,
    /// The share.
    pub share_id: ShareId,
    /// How many matched there in all.
    pub total: u64,
    /// True if more matched than were sent.
    pub truncated: bool,
    /// False if the share was still being read.
    pub complete: bool,
}

/// The end of a search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchEnd {
    /// How many results were sent.
    pub sent: u64,
    /// True if there may be more: more matched, or time or a limit ended the search.
    pub truncated: bool,
    /// False if a share was still being read, did not answer in time, or could not be searched.
    pub complete: bool,
    /// How many shares had not answered to the end when the search ended.
    pub unanswered: u32,
    /// Milliseconds it took.
    pub took_ms: u64,
}

/// One line of a streamed search, or the data of one server-sent event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SearchAcrossEvent {
    /// A result, sent as soon as its machine has answered.
    Hit(Box<FoundEntry>),
    /// A machine that is not there.
    Offline(OfflineDevice),
    /// A share could not be searched.
    Error(ShareError),
    /// A share has answered to the end.
    Share(ShareDone),
    /// The end: always the last.
    Done(SearchEnd),
}

/// An entry with the members that older programs look for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Item {
    /// The file or folder.
    #[serde(flatten)]
    pub entry: Entry,
    /// True for a folder.
    pub is_dir: bool,
    /// The folder it is in, in text form; empty for the share's root.
    pub parent_path: String,
    /// Where its content can be had, to be shown in place. Files only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_url: Option<String>,
    /// Where its content can be had, to be saved. Files only, and only who may save copies is told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_url: Option<String>,
}

/// A result in the form of one answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundItem {
    /// The file or folder.
    #[serde(flatten)]
    pub item: Item,
    /// How it matched.
    pub match_type: MatchType,
    /// The machine.
    pub device_id: DeviceId,
    /// What the machine is called.
    pub device_name: String,
    /// The share.
    pub share_id: ShareId,
    /// What the share is called.
    pub share_name: String,
}

/// The answer of `/files/search` as one document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FoundAcross {
    /// What was looked for.
    pub query: String,
    /// Below which folder of each share; empty for the roots.
    #[schema(value_type = String)]
    pub base_path: RelPath,
    /// False if only that folder itself was looked at.
    pub recursive: bool,
    /// False if one share of one machine was named.
    pub federated: bool,
    /// Folders first, then by path without case.
    pub items: Vec<FoundItem>,
    /// True if there may be more: more matched, or time or a limit ended the search.
    pub truncated: bool,
    /// The shares that could not be searched.
    pub errors: Vec<ShareError>,
    /// The machines that are not there.
    pub offline: Vec<OfflineDevice>,
}

/// The answer of `/files/list`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ListingAcross {
    /// The machine.
    pub device_id: DeviceId,
    /// The share.
    pub share_id: ShareId,
    /// What the caller may do with the share.
    #[schema(value_type = Vec<crate::Permission>)]
    pub permissions: Permissions,
    /// The folder.
    #[schema(value_type = String)]
    pub current_path: RelPath,
    /// The folder it is in; null for the share's root.
    #[schema(value_type = Option<String>, required)]
    pub parent_path: Option<RelPath>,
    /// The entries: folders first, then by name.
    pub items: Vec<Item>,
    /// True if the folder has more.
    pub truncated: bool,
    /// How many entries the answer may have.
    pub limit: u32,
}

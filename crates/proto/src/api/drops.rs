//! `/api/v1/drops`: what waits behind a link for any browser. Whoever has the link's secret needs nothing else; only a hash
//! of it is kept.
//!
//! A download is counted when it is *taken* (`POST …/take`): what that answers opens the content as often as is wanted,
//! with ranges too, until the drop is over. Content that is asked for without it takes one by itself.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::ShareId;
use crate::id::DropId;

/// The most files and folders of one drop.
pub const MAX_PATHS: usize = 200;
/// How long a drop can wait, in seconds: a minute to 30 days.
pub const LIFETIME_SECONDS: std::ops::RangeInclusive<u64> = 60..=2_592_000;

/// Has something wait behind a link: `POST /api/v1/drops`, signed in, with the right to read and download it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MakeDrop {
    /// The share in which it is.
    pub share_id: ShareId,
    /// Files and folders in it: 1 to 200.
    pub paths: Vec<String>,
    /// Seconds for which the link is good: 60 to 2,592,000.
    pub lifetime_seconds: u64,
    /// How often it may be taken; as often as anybody likes, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads: Option<u32>,
    /// A word to whoever opens the link: at most 500 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// A new drop with its secret, which is never told again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MadeDrop {
    /// The drop.
    #[serde(rename = "drop")]
    pub made: OwnDrop,
    /// What opens it.
    pub secret: String,
    /// The address to give away: `https://…/d/SECRET`.
    pub link: String,
}

/// A drop, as whoever made it sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnDrop {
    /// The drop.
    pub id: DropId,
    /// What it is of: the first name, and how many more.
    pub title: String,
    /// The share in which it is; none while a program sends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share_id: Option<ShareId>,
    /// Its files and folders, from the share's root.
    pub paths: Vec<String>,
    /// The word that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// How often it was taken.
    pub taken: u32,
    /// How often it may still be taken; as often as anybody likes, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads_left: Option<u32>,
}

/// Somebody's drops, newest first: `GET /api/v1/drops`. `DELETE /api/v1/drops/{id}` ends one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OwnDrops {
    /// All that are not over.
    pub drops: Vec<OwnDrop>,
}

/// A drop, as whoever has the link sees it: `GET /api/v1/drops/{secret}`, without a sign-in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OpenedDrop {
    /// Whose it is: a name.
    pub from: String,
    /// The word that goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// How often it may still be taken; as often as anybody likes, if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads_left: Option<u32>,
    /// Files and folders: the first is `…/files/0`. A folder comes as a zip archive.
    pub items: Vec<DropItem>,
}

/// One file or folder of a drop.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DropItem {
    /// Its name.
    pub name: String,
    /// True for a folder.
    pub is_folder: bool,
    /// A file's bytes; of a folder only where its sender has counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// How many files a folder has, where its sender has counted them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub files: Option<u64>,
}

/// A download that was taken: `POST /api/v1/drops/{secret}/take`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TakenDrop {
    /// Opens the content: `…/files/{n}?take=…`, `…/archive?take=…` (all of it as one zip archive).
    pub take: String,
    /// How often it may still be taken by others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downloads_left: Option<u32>,
}

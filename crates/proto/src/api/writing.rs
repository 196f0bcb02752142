//! Shapes of the writing half of the device API under `/agent/v1/shares/{share}/…`: files that come, acts that can be
//! undone, what is kept of former contents.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use super::files::{Entry, EntryType};
use crate::{ApiError, DeviceId, PrincipalId, RelPath, ShareId, TrashId, UndoToken, UploadId, VersionId};

/// The most items one act takes.
pub const MAX_ITEMS: usize = 10_000;
/// For how long an act can be undone, in days.
pub const UNDO_DAYS: u32 = 7;
/// For how long an unfinished upload waits for its rest, in hours.
pub const UPLOAD_HOURS: u32 = 24;
/// The largest text that can be edited in place, in bytes.
pub const MAX_EDIT_BYTES: u64 = 5 << 20;

/// What is done when the name is taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Clash {
    /// Nothing: the answer is `EXISTS`, so that somebody can be asked.
    #[default]
    Ask,
    /// Another name is taken: `name (1).ext`.
    Rename,
    /// What is there is replaced, and kept as a version.
    Replace,
    /// Nothing, and that is no error.
    Skip,
}

/// What became of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It is at the place that was asked for, where nothing was before.
    Done,
    /// It took the place of something, which was kept.
    Replaced,
    /// It has another name, since the one asked for was taken.
    Renamed,
    /// Nothing was done, as wished.
    Skipped,
    /// It could not be done; the item's `error` says why.
    Failed,
}

/// The query of `PUT …/content`. What is there already is replaced only with `If-Match`, or where `clash` says so.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct PutQuery {
    /// Where the file shall be, in text form.
    pub path: String,
    /// What is done when the name is taken and no condition says otherwise.
    #[param(inline)]
    pub clash: Clash,
    /// When its content last changed (RFC 3339); now if absent.
    pub modified: Option<String>,
    /// Make the folders it is in.
    pub parents: bool,
}

/// The answer to a file that came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Written {
    /// The file as it is now; its `version` is what `If-Match` takes.
    #[serde(flatten)]
    pub entry: Entry,
    /// What became of it.
    pub outcome: Outcome,
    /// SHA-256 of the content, as 64 hexadecimal digits, where it was computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// With this the act can be undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoToken>,
}

/// What is at a place now, for somebody whose change was made to something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conflict {
    /// The present version, as `If-Match` takes it. Empty if the file is gone.
    pub version: String,
    /// SHA-256 of the present content, where the file is not too large to be hashed for an answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Its bytes.
    pub size: u64,
    /// When it last changed.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub modified: Option<OffsetDateTime>,
    /// Who changed it, if that was done through Lanthorn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<PrincipalId>,
    /// Where the present content is, after `…/shares/{share}/`.
    pub content: String,
}

/// The body of `mkdir`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct MakeFolder {
    /// The folder to make, in text form.
    pub path: String,
    /// Make the folders it is in too; one that exists already is no error then.
    #[serde(default)]
    pub parents: bool,
}

/// Something that goes from one place to another.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// Where it is, in text form.
    pub from: String,
    /// Where it shall be, its own name included.
    pub to: String,
}

/// The body of `move` and `copy`.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Relocate {
    /// What goes where, in this order.
    pub items: Vec<Step>,
    /// What is done when a name is taken. Folders are never replaced.
    #[serde(default)]
    pub clash: Clash,
}

/// The body of `rename`: names changed alike.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Rename {
    /// What is renamed, in text form.
    pub paths: Vec<String>,
    /// How the new names come about.
    pub rule: NameRule,
    /// True to be told the new names without anything being done.
    #[serde(default)]
    pub preview: bool,
}

/// How new names come about.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum NameRule {
    /// Every occurrence of a text is replaced by another, in the name without its ending.
    Replace {
        /// The text to find.
        find: String,
        /// What stands there afterwards.
        with: String,
        /// True if capitals matter.
        #[serde(default)]
        match_case: bool,
    },
    /// A name with a number for each, in the order of the list: `{n}` in the text is the number. Endings stay.
    Number {
        /// The text, with `{n}`.
        text: String,
        /// The first number.
        start: u32,
    },
}

impl Default for NameRule {
    fn default() -> Self {
        Self::Number { text: "{n}".into(), start: 1 }
    }
}

/// The body of `delete`: what goes to the share's trash.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Delete {
    /// What is deleted, in text form.
    pub paths: Vec<String>,
}

/// The body of `restore`: what comes back out of the trash.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
pub struct Restore {
    /// What is restored, each to the place it had.
    pub ids: Vec<TrashId>,
    /// What is done when its name is taken.
    #[serde(default)]
    pub clash: Clash,
}

/// The body of `undo`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct Undo {
    /// What the act answered with.
    pub token: UndoToken,
}

/// What became of one item of an act.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActItem {
    /// Where it was.
    #[schema(value_type = String)]
    pub from: RelPath,
    /// Where it is now (in a preview: would be), if it is anywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub to: Option<RelPath>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why it could not be done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<ApiError>,
}

/// The answer to an act.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Acted {
    /// Each item, in the order asked.
    pub items: Vec<ActItem>,
    /// With this what was done can be undone, for seven days; absent if nothing was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<UndoToken>,
}

/// Something in the trash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trashed {
    /// By this it is restored.
    pub id: TrashId,
    /// The place it had.
    #[schema(value_type = String)]
    pub path: RelPath,
    /// What it is.
    #[serde(rename = "type")]
    pub entry_type: EntryType,
    /// Bytes of a file; 0 for a folder.
    pub size: u64,
    /// When it was deleted.
    #[serde(with = "time::serde::rfc3339")]
    pub deleted_at: OffsetDateTime,
    /// Who deleted it.
    pub deleted_by: PrincipalId,
}

/// The answer of `trash`, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Trash {
    /// What is in it.
    pub items: Vec<Trashed>,
    /// After how many days it is gone for good.
    pub days: u32,
}

/// The query of `DELETE …/trash`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct TrashQuery {
    /// Only this one; everything if empty.
    pub id: String,
}

/// A content that a file had.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Version {
    /// By this it is viewed and restored.
    pub id: VersionId,
    /// Its bytes.
    pub size: u64,
    /// When it was written.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub modified: Option<OffsetDateTime>,
    /// What the file's `version` was then.
    pub version: String,
    /// When something else took its place.
    #[serde(with = "time::serde::rfc3339")]
    pub replaced_at: OffsetDateTime,
    /// Who put something else in its place.
    pub replaced_by: PrincipalId,
}

/// The answer of `versions`, newest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Versions {
    /// The file.
    #[schema(value_type = String)]
    pub path: RelPath,
    /// The contents that are kept.
    pub versions: Vec<Version>,
}

/// The query of a version: which file's, and which.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct VersionQuery {
    /// The file, in text form.
    pub path: String,
    /// The version's id.
    pub id: String,
}

/// The body of `versions/restore`: a former content becomes the present one, which is kept in turn.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RestoreVersion {
    /// The file, in text form.
    pub path: String,
    /// The version.
    pub id: VersionId,
}

/// A file that has not come whole yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Upload {
    /// The upload; it goes on at `…/uploads/{id}`.
    pub id: UploadId,
    /// Where the file shall be.
    #[schema(value_type = String)]
    pub path: RelPath,
    /// Its bytes in all, where that was said.
    #[schema(required)]
    pub length: Option<u64>,
    /// The bytes that are safe on the disk.
    pub offset: u64,
    /// When it was begun.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it is given up if nothing more comes.
    #[serde(with = "time::serde::rfc3339")]
    pub expires: OffsetDateTime,
}

/// The answer of `GET …/uploads`: the caller's own unfinished uploads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Uploads {
    /// Oldest first.
    pub uploads: Vec<Upload>,
}

/// The query of `POST …/unpack`, whose body is a tar archive: many small files in one request.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct UnpackQuery {
    /// The folder into which it is unpacked, in text form.
    pub path: String,
    /// What is done when a name is taken. Folders that exist are gone into.
    #[param(inline)]
    pub clash: Clash,
}

/// One line of the answer of `unpack`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum UnpackEvent {
    /// An item that did not come to the place it was meant for.
    Item(ActItem),
    /// The end: everything that is not named by an item is in its place, durably.
    Done {
        /// How many files came to their places.
        files: u64,
        /// How many folders were made.
        folders: u64,
        /// Bytes of content.
        bytes: u64,
        /// With this it can be undone.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        undo: Option<UndoToken>,
    },
    /// It did not come to its end: what came before is in its place.
    Broken {
        /// Why.
        error: ApiError,
    },
}

/// One line of the answer of `watch`: what is at the place now. Told at once, and again whenever it changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Seen {
    /// What is there; nothing if it is gone.
    #[schema(required)]
    pub entry: Option<Entry>,
    /// Who wrote the present content, if that was done through Lanthorn in this run of the device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_by: Option<PrincipalId>,
    /// How many others watch the same place with `editing`.
    pub others: u32,
}

/// The query of `watch`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct WatchQuery {
    /// The file or folder, in text form.
    pub path: String,
    /// True if the caller has it open for editing, and counts as such for others.
    pub editing: bool,
    /// True for one line only: what is there now.
    pub once: bool,
}

/// What a page wants to be told of on its event socket, instead of what it wanted before: sent as a text message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct WatchList {
    /// The places, at most [`MAX_WATCHES`].
    pub watch: Vec<Watch>,
}

/// The most places that one event socket watches.
pub const MAX_WATCHES: usize = 32;

/// A place that is watched.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
pub struct Watch {
    /// The device.
    pub device: DeviceId,
    /// The share.
    pub share: ShareId,
    /// The file or folder, in text form.
    #[schema(value_type = String)]
    pub path: RelPath,
    /// True if it is open for editing.
    #[serde(default)]
    pub editing: bool,
}

/// What is at a watched place, as the event socket tells it: without a number, for it is told to this socket alone, and
/// told anew when the socket opens again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "type", rename = "file_changed")]
pub struct FileChanged {
    /// The device.
    pub device: DeviceId,
    /// The share.
    pub share: ShareId,
    /// The place.
    #[schema(value_type = String)]
    pub path: RelPath,
    /// What is there.
    pub seen: Seen,
}

//! What an upload is to be: said when it is begun, kept beside its bytes.

use proto::api::writing::Outcome;
use proto::{PrincipalId, RelPath, UndoToken, UploadId};
use serde::{Deserialize, Serialize};

use crate::files::undo::now_ms;
use crate::files::write::publish::Expect;
use crate::files::write::sums::Checksum;

/// What is noted of an upload when it begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Info {
    /// Its name.
    pub id: UploadId,
    /// Who sends it. Nobody else sees it.
    pub by: PrincipalId,
    /// When it was begun: milliseconds since 1970.
    pub created_ms: i64,
    /// Its bytes in all, once that is known.
    pub length: Option<u64>,
    /// What becomes of it.
    pub purpose: Purpose,
    /// `Upload-Metadata` as it came, for who asks for it again.
    pub metadata: String,
}

/// What becomes of an upload.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// A file.
    File(Target),
    /// A part of a file that is put together of several.
    Piece,
    /// A file that is put together of these.
    Joined(Target, Vec<UploadId>),
}

/// Where a file shall be, and on what conditions.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Target {
    /// The place.
    pub path: RelPath,
    /// What must be there.
    pub expect: Expect,
    /// When its content last changed: nanoseconds since 1970.
    pub modified: Option<i64>,
    /// What the whole must hash to.
    pub checksums: Vec<Checksum>,
}

/// How an upload ended. Kept for a while, for who did not hear of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// The file is in its place.
    Published(Place),
    /// It became a part of this one.
    Joined(UploadId),
    /// It is in its place, and more is not known: the process ended at that moment.
    Finished,
    /// It was not what had been announced, or the disk failed.
    Failed,
}

/// Where the file went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its place, which is another than asked for if it was [`Outcome::Renamed`].
    pub path: RelPath,
    /// What became of it.
    pub outcome: Outcome,
    /// Its version.
    pub version: String,
    /// What undoes it.
    pub undo: Option<UndoToken>,
}

impl Info {
    /// Of an upload that begins now.
    #[must_use]
    pub fn new(by: PrincipalId, length: Option<u64>, purpose: Purpose, metadata: String) -> Self {
        Self { id: UploadId::generate(), by, created_ms: now_ms(), length, purpose, metadata }
    }
}

impl Purpose {
    /// Where it shall be, unless it is a piece.
    #[must_use]
    pub const fn target(&self) -> Option<&Target> {
        match self {
            Self::File(target) | Self::Joined(target, _) => Some(target),
            Self::Piece => None,
        }
    }
}

//! Writing: new content comes as a [`part`], is put in its place by [`publish`], and what it replaces is kept.
//!
//! [`store`] says where everything lies that is not in its place (yet, or any more); [`names`] finds names that are free.
//! Not known here: transports and who may.

pub mod names;
pub mod part;
pub mod publish;
#[cfg(test)]
mod races;
pub mod store;
pub mod sums;
#[cfg(test)]
pub(crate) mod tests;

use proto::api::writing::Conflict;
use proto::{ApiError, ErrorCode};
use rustix::io::Errno;

use super::FilesError;

/// Why something was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The place could not be reached, as in reading.
    #[error(transparent)]
    Files(FilesError),
    /// The name is taken.
    #[error("the name is taken")]
    Exists,
    /// A link is there: the file it points to should be named.
    #[error("is a link")]
    IsLink,
    /// A folder that is not empty.
    #[error("the folder is not empty")]
    NotEmpty,
    /// The disk cannot hold such a name, or another system could not.
    #[error("not a name for a file: {0}")]
    BadName(&'static str),
    /// The disk cannot be written to.
    #[error("the disk is read-only")]
    ReadOnly,
    /// The operating system refuses.
    #[error("may not be written by the user that runs Lanthorn")]
    Denied,
    /// The disk, or the user's part of it, is full.
    #[error("no room on the disk")]
    NoSpace,
    /// Longer than the disk, or what was said before, allows.
    #[error("too large")]
    TooLarge,
    /// Something exists, and it was not said which version of it is meant.
    #[error("exists, and no version was named")]
    Unconditional,
    /// Something else is there than what the change was made to.
    #[error("something else is there")]
    Conflict(Box<Conflict>),
    /// The bytes are not those that were announced.
    #[error("the checksum does not fit")]
    Checksum,
    /// It was, and is not any more.
    #[error("is not there any more")]
    Gone,
    /// A folder was to go into itself.
    #[error("a folder cannot be put into itself")]
    IntoItself,
    /// What was done cannot be undone: something else happened since.
    #[error("something else happened since")]
    NotUndoable,
    /// Somebody else did it.
    #[error("was done by somebody else")]
    NotYours,
    /// The disk failed.
    #[error("cannot be written")]
    Io(#[source] std::io::Error),
}

impl From<FilesError> for WriteError {
    fn from(error: FilesError) -> Self {
        match error {
            FilesError::Io(cause) => Self::Io(cause),
            other => Self::Files(other),
        }
    }
}

impl From<Errno> for WriteError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::EXIST => Self::Exists,
            Errno::NOTEMPTY => Self::NotEmpty,
            Errno::NAMETOOLONG => Self::BadName("it is too long for this disk"),
            Errno::INVAL | Errno::ILSEQ => Self::BadName("this disk does not take its characters"),
            Errno::ROFS => Self::ReadOnly,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::NOSPC | Errno::DQUOT => Self::NoSpace,
            Errno::FBIG => Self::TooLarge,
            other => FilesError::from(other).into(),
        }
    }
}

impl From<std::io::Error> for WriteError {
    fn from(error: std::io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None => Self::Io(error),
        }
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        let conflict = match error {
            WriteError::Files(error) => return error.into(),
            WriteError::Conflict(conflict) => Some(conflict),
            ref other => return plain(other),
        };
        let said = Self::new(
            ErrorCode::Conflict,
            "Somebody else changed this since you opened it.",
            "Look at what is there now, merge the two, and save with its version in 'If-Match'.",
        );
        Self { conflict, ..said }
    }
}

fn plain(error: &WriteError) -> ApiError {
    use ErrorCode as Code;
    let (code, message, hint) = match error {
        WriteError::Exists => (
            Code::Exists,
            "Something of that name is here already.",
            "Choose another name, or say what shall be done with 'clash'.",
        ),
        WriteError::IsLink => {
            (Code::IsLink, "This is a link to another place.", "Change the file that it points to.")
        }
        WriteError::NotEmpty => {
            (Code::Exists, "The folder is not empty.", "Look into it: somebody may have added something.")
        }
        WriteError::BadName(why) => {
            let message = format!("This is not a name that a file can have: {why}.");
            return ApiError::new(Code::BadName, message, "Choose another name.");
        }
        WriteError::ReadOnly => (
            Code::ReadOnly,
            "The disk of this share cannot be written to.",
            "Have it mounted for writing on that machine.",
        ),
        WriteError::Denied => (
            Code::AccessDenied,
            "This machine's user may not write here.",
            "Change the folder's permissions on that machine.",
        ),
        WriteError::NoSpace => (
            Code::NoSpace,
            "There is no room for this on the disk.",
            "Free some space on that machine, then go on.",
        ),
        WriteError::TooLarge => {
            (Code::TooLarge, "This is more than was announced, or than the disk takes.", "Begin again.")
        }
        WriteError::Unconditional => (
            Code::PreconditionRequired,
            "There is a file of that name already.",
            "Say which version you mean to replace with 'If-Match', or use clash=replace to replace any.",
        ),
        WriteError::Checksum => (
            Code::ChecksumMismatch,
            "What arrived is not what was sent: its checksum differs. Nothing was changed.",
            "Send it again; if it happens often, a disk or a cable may be failing.",
        ),
        WriteError::Gone => {
            (Code::Gone, "This is not there any more.", "It was finished, given up, or is over its time.")
        }
        WriteError::IntoItself => {
            (Code::BadPath, "A folder cannot be put into itself.", "Choose a folder outside of it.")
        }
        WriteError::NotUndoable => (
            Code::NotUndoable,
            "This cannot be undone any more: something else happened to it since.",
            "Look at what is there now; the trash and the file's versions have what was there before.",
        ),
        WriteError::NotYours => {
            (Code::Forbidden, "Only who did this can undo it.", "Ask them, or change it back yourself.")
        }
        WriteError::Files(_) | WriteError::Conflict(_) | WriteError::Io(_) => (
            Code::WriteFailed,
            "The disk could not be written.",
            "See the log on that machine; the disk may be failing or was unplugged.",
        ),
    };
    ApiError::new(code, message, hint)
}

/// Runs work that changes the disk where it may block: on the blocking pool. It goes on to its end also when nobody
/// waits for it any more.
///
/// # Errors
/// The work's own, or [`WriteError::Io`] if it panicked.
pub async fn off_thread<T, W>(work: W) -> Result<T, WriteError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, WriteError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panicked) => Err(WriteError::Io(panicked.into())),
    }
}

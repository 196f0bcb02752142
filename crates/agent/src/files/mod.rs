//! The rooms of the file plane: listing, reading, packing, searching, picturing. They name no transport.

pub mod acts;
pub mod archive;
pub mod entry;
pub mod entry_json;
pub mod film;
pub mod following;
pub mod ignoring;
pub mod index;
pub mod kind;
pub mod list;
pub mod media;
pub mod mirror;
pub mod names;
pub mod natural;
pub(crate) mod note;
pub mod pieces;
pub mod range;
pub mod read;
pub mod search;
pub mod sweep;
pub mod thumbnail;
pub mod tool;
pub mod transcode;
pub mod tree;
#[cfg(test)]
mod trials;
pub mod undo;
pub mod unpack;
pub mod upload;
pub mod versions;
pub mod watch;
pub mod write;

use proto::{ApiError, ErrorCode};
use rustix::io::Errno;

/// Why a file operation did not happen.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// Nothing of that name.
    #[error("there is nothing of that name")]
    NotFound,
    /// A link that leads out, a loop of links, or another disk.
    #[error("the place leads out of the share")]
    Outside,
    /// A device, FIFO or socket.
    #[error("not a file or folder")]
    Special,
    /// A folder where a file was asked for.
    #[error("is a folder")]
    IsFolder,
    /// A file where a folder was asked for.
    #[error("is not a folder")]
    NotFolder,
    /// The operating system refuses.
    #[error("may not be read by the user that runs Lanthorn")]
    Denied,
    /// Somebody keeps renaming, or every place is taken.
    #[error("busy")]
    Busy,
    /// The file was changed, cut or replaced while it was read.
    #[error("changed while it was read")]
    Changed,
    /// The disk failed.
    #[error("cannot be read")]
    Io(#[source] std::io::Error),
}

impl From<Errno> for FilesError {
    fn from(errno: Errno) -> Self {
        match errno {
            Errno::NOENT => Self::NotFound,
            Errno::XDEV | Errno::LOOP => Self::Outside,
            Errno::NOTDIR => Self::NotFolder,
            Errno::ISDIR => Self::IsFolder,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            // Opening a socket, or a device without a driver.
            Errno::NXIO | Errno::NODEV => Self::Special,
            Errno::NAMETOOLONG | Errno::INVAL | Errno::ILSEQ => Self::NotFound,
            Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => Self::Busy,
            other => Self::Io(other.into()),
        }
    }
}

impl From<std::io::Error> for FilesError {
    fn from(error: std::io::Error) -> Self {
        match Errno::from_io_error(&error) {
            Some(errno) => errno.into(),
            None => Self::Io(error),
        }
    }
}

impl From<FilesError> for ApiError {
    fn from(error: FilesError) -> Self {
        let (code, message, hint) = match error {
            FilesError::NotFound => (
                ErrorCode::NotFound,
                "There is nothing of that name here.",
                "It may have been renamed or deleted; reload the folder.",
            ),
            FilesError::Outside => (
                ErrorCode::OutsideShare,
                "This leads out of the shared folder.",
                "To offer the place it points to, share that folder itself.",
            ),
            FilesError::Special => (
                ErrorCode::OutsideShare,
                "This is a device, pipe or socket, not a file.",
                "Only regular files and folders can be opened.",
            ),
            FilesError::IsFolder => {
                (ErrorCode::IsFolder, "This is a folder.", "List it, or download it as an archive.")
            }
            FilesError::NotFolder => (ErrorCode::NotFolder, "This is not a folder.", "Open it as a file."),
            FilesError::Denied => (
                ErrorCode::AccessDenied,
                "This machine's user may not read this.",
                "Change the file's permissions on that machine.",
            ),
            FilesError::Busy => (ErrorCode::Busy, "The machine is busy.", "Try again in a moment."),
            FilesError::Changed => (
                ErrorCode::Conflict,
                "The file changed while it was read.",
                "Try again when it is no longer written to.",
            ),
            FilesError::Io(_) => (
                ErrorCode::ReadFailed,
                "The disk could not be read.",
                "See the log on that machine; the disk may be failing or was unplugged.",
            ),
        };
        Self::new(code, message, hint)
    }
}

/// Runs disk work where it may block: on the blocking pool.
///
/// # Errors
/// The work's own, or [`FilesError::Io`] if it panicked.
pub async fn off_thread<T, W>(work: W) -> Result<T, FilesError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, FilesError> + Send + 'static,
{
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(panicked) => Err(FilesError::Io(panicked.into())),
    }
}

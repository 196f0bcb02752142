//! Uploads that survive: a file comes in pieces, over any number of connections and restarts of either side.
//!
//! Each is a folder in the share's store ([`home`]): what it is to be ([`info`]), the bytes so far, up to where they are
//! verified, and how it ended. The disk is the only truth: what is known here was read from it and is lost with the
//! process. Bytes come by [`append`]; who may add some is settled by [`turn`]; [`finish`] puts the file into its place, [`join`]
//! makes one of several. Not known here: transports, headers.

pub mod append;
pub mod finish;
mod home;
pub mod info;
pub mod join;
mod registry;
#[cfg(test)]
mod tests;
pub mod turn;

use proto::{ApiError, ErrorCode};

use super::write::{self, WriteError};

pub use registry::{Known, Stage, Upload, Uploads};

/// Why an upload does not go on.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// As for every file that is written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// There is none of this name, or it is somebody else's.
    #[error("there is no such upload")]
    Unknown,
    /// The bytes do not go where it stands: there.
    #[error("the upload is at byte {0}")]
    Offset(u64),
    /// There are too many that were not finished.
    #[error("too many unfinished uploads")]
    TooMany,
    /// Its length was said before, and was another.
    #[error("the length was said before")]
    OtherLength,
    /// It is put together of others and takes no bytes itself.
    #[error("takes no bytes")]
    Joined,
    /// What it is to be put together of is not there as a whole.
    #[error("a piece is not whole")]
    PieceMissing,
}

impl From<UploadError> for ApiError {
    fn from(error: UploadError) -> Self {
        use ErrorCode as Code;
        let (code, message, hint) = match error {
            UploadError::Write(error) => return error.into(),
            UploadError::Unknown => {
                (Code::NotFound, "There is no such upload.", "It may be over its time: begin it again.")
            }
            UploadError::Offset(at) => {
                let message = format!("The upload goes on at byte {at}.");
                return Self::new(Code::OffsetConflict, message, "Send what comes from there.");
            }
            UploadError::TooMany => (
                Code::TooMany,
                "You have too many unfinished uploads in this share.",
                "Finish some of them, or give them up.",
            ),
            UploadError::OtherLength => (
                Code::BadParameter,
                "The upload has another length.",
                "Say its length once, and not less than what has come.",
            ),
            UploadError::Joined => (
                Code::Forbidden,
                "This upload is put together of others and takes no bytes itself.",
                "Send them to one of those.",
            ),
            UploadError::PieceMissing => (
                Code::Conflict,
                "An upload that this one is to be put together of has not come whole.",
                "Finish it first, or begin it again.",
            ),
        };
        Self::new(code, message, hint)
    }
}

/// Runs work on uploads where it may block: on the blocking pool. It goes on to its end also when nobody waits for it any more.
///
/// # Errors
/// The work's own, or [`WriteError::Io`] if it panicked.
pub async fn off_thread<T, W>(work: W) -> Result<T, UploadError>
where
    T: Send + 'static,
    W: FnOnce() -> Result<T, UploadError> + Send + 'static,
{
    write::off_thread(move || Ok(work())).await?
}

//! Answers of devices read as what they should be, with a limit on each.

use std::time::Duration;

use axum::body::Body;
use http::{Response, StatusCode};
use http_body_util::{BodyExt, Limited};
use proto::api::files::{Entry, Listing};
use proto::path::escape_name;
use proto::{ApiError, ErrorCode, RelPath};
use serde::de::DeserializeOwned;

/// The longest error that is read.
const MAX_ERROR: usize = 16 << 10;
/// The longest sentence of an error that is passed on.
const MAX_SENTENCE: usize = 300;
/// The longest listing: 5,000 entries with the longest names fit.
const MAX_LISTING: usize = 16 << 20;
/// How long an error's body may take.
const ERROR_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest version of an entry; ours have a fraction of that.
const MAX_VERSION: usize = 128;

/// What a device is said to have done when its answer makes no sense.
pub(super) fn nonsense() -> ApiError {
    ApiError::new(
        ErrorCode::DeviceFailed,
        "The device did not answer properly.",
        "Look whether Lanthorn on it is up to date.",
    )
}

/// The answer's body if it is good; else the error that the device gave.
pub(crate) async fn read_error(answer: Response<Body>) -> Result<Body, ApiError> {
    let status = answer.status();
    if status == StatusCode::OK {
        return Ok(answer.into_body());
    }
    let read =
        tokio::time::timeout(ERROR_TIMEOUT, read_json::<ApiError>(answer.into_body(), MAX_ERROR)).await;
    let Ok(Ok(error)) = read else { return Err(nonsense()) };
    let code = match status {
        // That a ticket was not taken is no news about the session of whoever asks.
        StatusCode::UNAUTHORIZED => ErrorCode::DeviceFailed,
        _ if error.code.status() == status => error.code,
        // A code that does not go with the status is none of ours.
        _ => return Err(nonsense()),
    };
    let (message, hint) = (sentence(&error.message), sentence(&error.hint));
    Err(ApiError { retry_after: error.retry_after, ..ApiError::new(code, message, hint) })
}

/// A sentence from elsewhere, as far as it is passed on.
fn sentence(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(MAX_SENTENCE).collect()
}

/// A body as JSON.
pub(crate) async fn read_json<T: DeserializeOwned>(body: Body, most: usize) -> Result<T, ApiError> {
    let bytes = Limited::new(body, most).collect().await.map_err(|_| nonsense())?.to_bytes();
    serde_json::from_slice(&bytes).map_err(|_| nonsense())
}

/// A folder's listing, if it is one of what was asked for.
pub(crate) async fn read_listing(
    answer: Response<Body>,
    folder: &RelPath,
    limit: u32,
) -> Result<Listing, ApiError> {
    let mut listing: Listing = read_json(read_error(answer).await?, MAX_LISTING).await?;
    if listing.path != *folder || listing.entries.len() > limit as usize {
        return Err(nonsense());
    }
    let in_folder = |entry: &Entry| entry.path.parent().as_ref() == Some(folder);
    let entries = listing.entries.into_iter().map(|entry| sane_entry(entry).filter(in_folder));
    listing.entries = entries.collect::<Option<_>>().ok_or_else(nonsense)?;
    Ok(listing)
}

/// An entry as it may be passed on; `None` if it is none.
pub(super) fn sane_entry(mut entry: Entry) -> Option<Entry> {
    if entry.version.len() > MAX_VERSION {
        return None;
    }
    // A device that called a file otherwise than it is would show people one thing and open another.
    entry.name = escape_name(entry.path.name()?);
    Some(entry)
}

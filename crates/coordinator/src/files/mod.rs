//! Files across machines: many shares searched at once, and their answers read with care. What a device says is not
//! trusted further than it goes: a slow, broken or hostile one costs only itself.
//! Knows no door and no rights: an [`Ask`] brings both.

mod lines;
mod place;
mod reading;
pub(crate) mod search;
#[cfg(test)]
mod tests;

use std::fmt::Write;

use axum::body::Body;
use futures_util::future::BoxFuture;
use http::Response;
use proto::ApiError;

pub(crate) use lines::Lines;
pub(crate) use place::Place;
pub(crate) use reading::{read_error, read_json, read_listing};

/// The way to a share: authorises, takes the request there with its own ticket, and brings the answer.
pub(crate) trait Ask: Send + Sync + 'static {
    /// Asks for what is at `tail`, which follows `/agent/v1`.
    fn ask(&self, place: &Place, tail: String) -> BoxFuture<'_, Result<Response<Body>, ApiError>>;

    /// False once whoever asks may not look into the share any more.
    fn still(&self, place: &Place) -> bool;
}

/// A text as it stands in a query.
pub(crate) fn in_query(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

//! What a caller asks for, taken from the address. Whatever is wrong with it is answered as JSON with status 400.

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use percent_encoding::percent_decode_str;
use proto::{ApiError, ErrorCode};
use serde::de::DeserializeOwned;

use super::error::Refusal;

/// The parameters of a request.
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        // Decoding would put U+FFFD in place of bytes that are no UTF-8, and so name another file.
        let query = parts.uri.query().unwrap_or_default();
        if percent_decode_str(query).decode_utf8().is_err() {
            return Err(Refusal(ApiError::new(
                ErrorCode::BadPath,
                "The address has bytes that are not UTF-8.",
                "Write a name's odd bytes as \\xHH, as a listing does.",
            )));
        }
        let Query(params) =
            Query::try_from_uri(&parts.uri).map_err(|error| Refusal::parameter(error.body_text()))?;
        Ok(Self(params))
    }
}

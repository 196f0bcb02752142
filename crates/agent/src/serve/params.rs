//! What a caller asks for, taken from the address or from a body of JSON. Whatever is wrong with it is answered as JSON with status 400.

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
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

/// The most bytes a body of JSON may have: ten thousand long paths.
const MAX_JSON: usize = 64 << 20;

/// The body of a request, read as JSON.
pub struct JsonBody<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        let too_large = |_| {
            Refusal(ApiError::new(
                ErrorCode::TooLarge,
                "The request is too large, or broke off.",
                "Ask for less at once.",
            ))
        };
        let body = to_bytes(request.into_body(), MAX_JSON).await.map_err(too_large)?;
        let read = serde_json::from_slice(&body);
        read.map(Self).map_err(|error| Refusal::parameter(format!("The body is not as expected: {error}.")))
    }
}

//! JSON bodies and queries in, with an answer in our own words when they cannot be read.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use proto::ErrorCode;
use serde::de::DeserializeOwned;

use super::error::Refusal;

/// How long a small body may take to arrive.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
const HINT: &str = "See the API's description at /api/openapi.json.";

/// A JSON body. Only `application/json`: a form on another site can send anything else.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        if !is_json(&request) {
            return Err(Refusal::new(ErrorCode::Unsupported, "The body must be application/json.", HINT));
        }
        let reading = tokio::time::timeout(BODY_TIMEOUT, Bytes::from_request(request, state));
        let bytes = reading
            .await
            .map_err(|_| {
                Refusal::new(ErrorCode::TimedOut, "The body took too long to arrive.", "Try again.")
            })?
            .map_err(|rejection| match rejection.status().as_u16() {
                413 => Refusal::new(ErrorCode::TooLarge, "The body is too large.", HINT),
                _ => Refusal::new(ErrorCode::BadRequest, "The body could not be read.", "Try again."),
            })?;
        // The message is about the form only: serde's may quote what was sent, and that may be a PIN.
        serde_json::from_slice(&bytes).map(Self).map_err(|e| {
            Refusal::new(
                ErrorCode::BadRequest,
                format!("The body is not the right JSON ({}).", what(&e)),
                HINT,
            )
        })
    }
}

fn what(error: &serde_json::Error) -> String {
    use serde_json::error::Category::{Data, Eof, Io, Syntax};
    let kind = match error.classify() {
        Syntax => "not well-formed",
        Data => "a wrong, missing or unknown field",
        Eof | Io => "it ends too early",
    };
    format!("{kind}, line {}, column {}", error.line(), error.column())
}

fn is_json(request: &Request) -> bool {
    let value = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value
        .and_then(|value| value.split(';').next())
        .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

/// The query of an address.
pub(crate) struct QueryOf<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Query::<T>::from_request_parts(parts, state)
            .await
            .map(|Query(query)| Self(query))
            .map_err(|_| Refusal::parameter("The query cannot be understood."))
    }
}

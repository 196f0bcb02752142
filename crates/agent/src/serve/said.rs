//! What the coordinator says in JSON: the body of a request that nobody else makes.

use axum::Json;
use axum::extract::{FromRequest, Request};
use proto::{ApiError, ErrorCode};
use serde::de::DeserializeOwned;

use super::error::Refusal;

/// The body, understood.
pub struct Said<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Said<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let read = Json::from_request(request, state).await;
        read.map(|Json(said)| Self(said)).map_err(|_| Refusal(not_understood()))
    }
}

pub(super) fn not_understood() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "What is to be done was not understood.",
        "This is said by the coordinator; bring both machines to the same version of Lanthorn.",
    )
}

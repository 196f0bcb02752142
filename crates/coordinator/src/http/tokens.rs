//! `/api/v1/auth/{nonce,token}`: how a paired machine gets the token with which it asks for everything else.

use axum::Json;
use axum::extract::State;
use proto::access_token::LIFETIME;
use proto::api::auth::Privacy;
use proto::api::pairing::{AccessToken, Nonce, TokenRequest};
use proto::{ApiError, ErrorCode};
use serde_json::json;

use super::error::Refusal;
use super::json::JsonBody;
use super::trail::Trail;
use crate::audit::Entry;
use crate::coordinator::Coordinator;
use crate::identity::Visitor;
use crate::identity::access_token::TokenError;

/// Something to sign, good for a minute and once.
#[utoipa::path(get, path = "/api/v1/auth/nonce", tag = "auth",
    responses((status = 200, body = Nonce), (status = 429, body = ApiError)))]
pub(crate) async fn nonce(
    State(coordinator): State<Coordinator>,
    visitor: Visitor,
) -> Result<Json<Nonce>, Refusal> {
    let identity = &coordinator.rooms().identity;
    identity.may_ask_for_token(visitor.address).map_err(Refusal::too_many)?;
    let nonce = identity.tokens().nonce().map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Refusal::internal()
    })?;
    let rooms = coordinator.rooms();
    let time = Some(rooms.clock.wall());
    Ok(Json(Nonce { nonce, coordinator: rooms.tickets.coordinator().to_owned(), time }))
}

/// Gives a paired machine an access token for its signature of the nonce.
#[utoipa::path(post, path = "/api/v1/auth/token", tag = "auth", request_body = TokenRequest,
    responses((status = 200, body = AccessToken), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 429, body = ApiError)))]
pub(crate) async fn token(
    State(coordinator): State<Coordinator>,
    visitor: Visitor,
    trail: Trail,
    JsonBody(asked): JsonBody<TokenRequest>,
) -> Result<Json<AccessToken>, Refusal> {
    let rooms = coordinator.rooms();
    rooms.identity.may_ask_for_token(visitor.address).map_err(Refusal::too_many)?;
    let open = visitor.privacy == Privacy::Open;
    if open && !rooms.settings.allow_open() {
        return Err(Refusal::not_private());
    }
    let device = asked.client_device_id;
    let known = rooms.identity.devices().find(device);
    let key = rooms.tickets.signing_key();
    let signer = (rooms.tickets.coordinator(), key.as_ref());
    let given = rooms.identity.tokens().give(signer, known, &asked.nonce, &asked.signature, open);
    if given.is_err() {
        let entry = trail.refused(None, "token", json!({}));
        rooms.audit.record(Entry { device: Some(device), ..entry }).await;
    }
    let (access_token, principal_id) = given?;
    Ok(Json(AccessToken {
        access_token,
        token_type: "bearer".to_owned(),
        expires_in: LIFETIME.whole_seconds().unsigned_abs(),
        principal_id,
        client_device_id: device,
    }))
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::NotProven => Self::new(
                ErrorCode::WrongSignature,
                "This machine is not paired here, or did not prove its key.",
                "Pair it first: lanthorn pair.",
            ),
            TokenError::Busy => Self(
                ApiError::new(ErrorCode::Busy, "Too many machines ask at once.", "Try again in a minute.")
                    .retry_after(60),
            ),
            TokenError::Key(error) => {
                tracing::error!(%error, "cannot write an access token");
                Self::internal()
            }
        }
    }
}

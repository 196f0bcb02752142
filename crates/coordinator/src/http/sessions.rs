//! `/api/v1/sessions`: the signed-in browsers, shown and ended.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proto::api::auth::{Session, Sessions};
use proto::api::people::Rename;
use proto::wire::link::Revoked;
use proto::{ApiError, SessionId};
use serde_json::json;

use super::caller::PrivateCaller;
use super::error::Refusal;
use super::json::JsonBody;
use super::trail::Trail;
use crate::access::Caller;
use crate::clock::from_ms;
use crate::coordinator::{Coordinator, Rooms};
use crate::settings::parse_name;
use crate::store::sessions::SessionRow;

fn shown(row: SessionRow, caller: &Caller) -> Session {
    Session {
        current: Some(row.id) == caller.session(),
        id: row.id,
        browser: row.browser,
        address: row.address,
        privacy: row.privacy,
        created: from_ms(row.created_ms),
        last_seen: from_ms(row.seen_ms),
    }
}

/// The session, if it is the caller's business.
fn find(rooms: &Rooms, caller: &Caller, id: &str) -> Result<SessionId, Refusal> {
    let id: SessionId = id.parse().map_err(|_| no_such_session())?;
    let theirs = caller.is_owner() || rooms.identity.sessions().principal_of(id) == Some(caller.principal);
    theirs.then_some(id).ok_or_else(no_such_session)
}

/// The signed-in browsers.
#[utoipa::path(get, path = "/api/v1/sessions", tag = "auth",
    responses((status = 200, body = Sessions), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn list(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
) -> Json<Sessions> {
    let rooms = coordinator.rooms();
    let rows = rooms.identity.sessions().list(rooms.idle()).into_iter();
    let theirs = rows.filter(|row| caller.is_owner() || row.principal == caller.principal);
    Json(Sessions { sessions: theirs.map(|row| shown(row, &caller)).collect() })
}

/// Gives a signed-in browser another name.
#[utoipa::path(patch, path = "/api/v1/sessions/{id}", tag = "auth", request_body = Rename,
    params(("id" = String, Path, description = "the session")),
    responses((status = 200, body = Session), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn rename(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    Path(id): Path<String>,
    JsonBody(rename): JsonBody<Rename>,
) -> Result<Json<Session>, Refusal> {
    let rooms = coordinator.rooms();
    let id = find(rooms, &caller, &id)?;
    let name = parse_name(&rename.name).map_err(Refusal::parameter)?;
    let row = rooms.identity.sessions().rename(id, &name).await?;
    row.map(|row| Json(shown(row, &caller))).ok_or_else(no_such_session)
}

/// Ends a session. Its browser has to sign in again, and as one that is not known.
#[utoipa::path(delete, path = "/api/v1/sessions/{id}", tag = "auth",
    params(("id" = String, Path, description = "the session")),
    responses((status = 204), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn end(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    let id = find(rooms, &caller, &id)?;
    let found = if Some(id) == caller.session() {
        let found = rooms.identity.sessions().end(id).await?;
        rooms.sessions_ended(&[id]);
        found
    } else {
        rooms.revoke(Revoked::Session { id }).await?
    };
    if !found {
        return Err(no_such_session());
    }
    rooms.audit.record_durably(trail.done(Some(&caller), "session.ended", json!({"session": id}))).await;
    Ok(StatusCode::NO_CONTENT)
}

fn no_such_session() -> Refusal {
    Refusal::not_found("There is no such session.")
}

//! `/api/v1/auth/…`: signing in and out, and changing the PIN.

use axum::Json;
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use proto::api::auth::{ChangePin, Login, Me, Privacy};
use proto::{ApiError, ErrorCode, PrincipalId, SessionId};
use serde_json::json;

use super::caller::{Anybody, MaybeCaller, OwnerCaller};
use super::cookie::Cookie;
use super::error::Refusal;
use super::json::JsonBody;
use super::trail::Trail;
use crate::access::{Caller, Client};
use crate::audit::Entry;
use crate::coordinator::{Coordinator, Rooms};
use crate::identity::session::SessionIdentity;
use crate::identity::{SignInError, SignedIn, Visitor};

/// Who is signed in, as the page is told.
pub(crate) fn me_of(rooms: &Rooms, caller: &Caller) -> Option<Me> {
    Some(Me {
        principal: caller.principal,
        display_name: rooms.identity.principals().name(caller.principal)?,
        owner: caller.is_owner(),
        session: caller.session(),
        client_device: match caller.client {
            Client::Session(_) | Client::Upload(_) | Client::Drop(_) => None,
            Client::Device(id) => Some(id),
        },
        read_only: caller.read_only(),
        idle_seconds: idle_seconds(rooms, caller.principal),
    })
}

fn idle_seconds(rooms: &Rooms, principal: PrincipalId) -> u64 {
    u64::try_from(rooms.idle().of(principal) / 1000).unwrap_or(0)
}

/// The answer to somebody who was let in.
pub(crate) fn signed_in(rooms: &Rooms, visitor: &Visitor, admitted: SignedIn) -> Result<Response, Refusal> {
    let principal = admitted.session.principal;
    let me = Me {
        principal,
        display_name: rooms.identity.principals().name(principal).ok_or_else(Refusal::internal)?,
        owner: rooms.identity.owner_id() == Some(principal),
        session: Some(admitted.session.id),
        client_device: None,
        read_only: admitted.session.privacy == Privacy::Open,
        idle_seconds: idle_seconds(rooms, principal),
    };
    let cookie = if me.owner { Cookie::Session } else { Cookie::Guest };
    let mut response = Json(me).into_response();
    let session = cookie.set(&admitted.token, visitor.encrypted);
    let known = admitted.known.and_then(|token| Cookie::Known.set(&token, visitor.encrypted));
    response.headers_mut().extend([session, known].into_iter().flatten().map(|value| (SET_COOKIE, value)));
    Ok(response)
}

/// Signs in with the PIN.
#[utoipa::path(post, path = "/api/v1/auth/login", tag = "auth", request_body = Login,
    responses((status = 200, body = Me), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 429, body = ApiError), (status = 503, body = ApiError)))]
pub(crate) async fn login(
    State(coordinator): State<Coordinator>,
    visitor: Visitor,
    MaybeCaller(before): MaybeCaller,
    trail: Trail,
    JsonBody(login): JsonBody<Login>,
) -> Result<Response, Refusal> {
    let rooms = coordinator.rooms();
    if visitor.privacy == Privacy::Open && !rooms.settings.allow_open() {
        return Err(Refusal::not_private());
    }
    let admitted = match rooms.identity.sign_in(&visitor, &login.pin).await {
        Ok(admitted) => admitted,
        Err(error) => {
            let wrong = matches!(error, SignInError::WrongPin | SignInError::Locked(_));
            let refusal = Refusal::from(error);
            if wrong {
                let detail = json!({"code": refusal.0.code});
                rooms.audit.record(trail.refused(None, "sign_in", detail)).await;
            }
            return Err(refusal);
        }
    };
    let entry = trail.done(None, "sign_in", json!({"session": admitted.session.id}));
    rooms.audit.record(Entry { actor: Some(admitted.session.principal), ..entry }).await;
    if let Some(before) = before.and_then(|caller| caller.session()) {
        // The browser's old session is not its session any more: each sign-in has a new token.
        rooms.identity.sessions().end(before).await?;
        rooms.sessions_ended(&[before]);
    }
    signed_in(rooms, &visitor, admitted)
}

/// Signs out. Also an answer to those who are not signed in.
#[utoipa::path(post, path = "/api/v1/auth/logout", tag = "auth",
    responses((status = 204), (status = 403, body = ApiError)))]
pub(crate) async fn logout(
    State(coordinator): State<Coordinator>,
    Anybody(connection): Anybody,
    MaybeCaller(caller): MaybeCaller,
    trail: Trail,
) -> Result<Response, Refusal> {
    let rooms = coordinator.rooms();
    if let Some(caller) = caller
        && let Some(session) = caller.session()
    {
        rooms.identity.sessions().end(session).await?;
        rooms.sessions_ended(&[session]);
        rooms.audit.record(trail.done(Some(&caller), "sign_out", json!({"session": session}))).await;
    }
    let mut headers = HeaderMap::new();
    headers.extend(Cookie::Session.clear(connection.encrypted).map(|value| (SET_COOKIE, value)));
    Ok((StatusCode::NO_CONTENT, headers).into_response())
}

/// Who is signed in here.
#[utoipa::path(get, path = "/api/v1/auth/me", tag = "auth",
    responses((status = 200, body = Me), (status = 401, body = ApiError)))]
pub(crate) async fn me(State(coordinator): State<Coordinator>, caller: Caller) -> Result<Json<Me>, Refusal> {
    me_of(coordinator.rooms(), &caller).map(Json).ok_or_else(Refusal::not_set_up)
}

/// Changes the PIN. Every other session ends. The machine itself, by its own key, need not know the present one.
#[utoipa::path(post, path = "/api/v1/auth/pin", tag = "auth", request_body = ChangePin,
    responses((status = 204), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 409, body = ApiError), (status = 429, body = ApiError)))]
pub(crate) async fn change_pin(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    visitor: Visitor,
    trail: Trail,
    JsonBody(change): JsonBody<ChangePin>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    let (ended, deed) = match (caller.client, &change.current_pin) {
        (Client::Session(id), Some(current)) => {
            let session = session_of(&caller, id);
            (rooms.identity.change_pin(&visitor, session, current, &change.new_pin).await?, "pin.changed")
        }
        (Client::Session(_), None) => return Err(Refusal::parameter("'current_pin' is missing.")),
        // Whoever has the machine's own key can read its database too.
        (Client::Device(device), None) if device == rooms.device => {
            (rooms.identity.replace_pin(&change.new_pin).await?, "pin.replaced")
        }
        (Client::Device(_) | Client::Upload(_) | Client::Drop(_), _) => return Err(only_in_a_browser()),
    };
    rooms.sessions_ended(&ended);
    rooms.audit.record_durably(trail.done(Some(&caller), deed, json!({}))).await;
    Ok(StatusCode::NO_CONTENT)
}

const fn session_of(caller: &Caller, id: SessionId) -> SessionIdentity {
    SessionIdentity {
        id,
        principal: caller.principal,
        privacy: caller.privacy,
        browser_id: caller.browser_id,
    }
}

fn only_in_a_browser() -> Refusal {
    Refusal::new(
        ErrorCode::Forbidden,
        "The PIN is changed in a browser, or on the machine itself.",
        "Open the settings page, or run `lanthorn pin` on that machine.",
    )
}

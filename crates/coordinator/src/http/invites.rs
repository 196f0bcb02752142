//! `/api/v1/invites`: the owner asks somebody in; a guest's browser takes the invitation.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use proto::api::auth::{Me, Privacy};
use proto::api::people::{Invite, InviteGrant, Invites, MadeInvite, MakeInvite, Subject, UseInvite};
use proto::id::InviteId;
use proto::{ApiError, Permission, PrincipalId};
use serde_json::json;

use super::caller::{MaybeCaller, OwnerCaller};
use super::error::Refusal;
use super::json::JsonBody;
use super::pairing::Urls;
use super::sign_in::signed_in;
use super::trail::Trail;
use crate::access::Caller;
use crate::access::grants::Wanted;
use crate::audit::Entry;
use crate::clock::{from_ms, to_ms};
use crate::coordinator::{Coordinator, Rooms};
use crate::identity::Visitor;
use crate::identity::joining::{Gifts, JoinError};
use crate::settings::label;
use crate::store::invites::InviteRow;

/// How long an invitation can be good: a minute to 30 days.
const LIFETIME_SECONDS: std::ops::RangeInclusive<u64> = 60..=2_592_000;
/// Rights that one invitation carries, at most.
const MAX_GRANTS: usize = 200;

fn shown(row: InviteRow) -> Invite {
    Invite {
        id: row.id,
        name: row.name,
        principal: row.principal,
        grants: row.grants,
        created: from_ms(row.created_ms),
        expires_at: from_ms(row.expires_ms),
        used_at: row.used_ms.map(from_ms),
    }
}

/// Asks somebody in.
#[utoipa::path(post, path = "/api/v1/invites", tag = "people", request_body = MakeInvite,
    responses((status = 201, body = MadeInvite), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn make(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    urls: Urls,
    JsonBody(asked): JsonBody<MakeInvite>,
) -> Result<(StatusCode, Json<MadeInvite>), Refusal> {
    let rooms = coordinator.rooms();
    let name = label(&asked.name, 80).ok_or_else(|| Refusal::parameter("A name has 1 to 80 characters."))?;
    if !LIFETIME_SECONDS.contains(&asked.lifetime_seconds) {
        return Err(Refusal::parameter("An invitation is good for one minute to 30 days."));
    }
    check_grants(rooms, &caller, &asked.grants)?;
    if asked.principal.is_some_and(|id| !rooms.identity.principals().lives(id)) {
        return Err(Refusal::not_found("There is no such person."));
    }
    let lifetime_ms = i64::try_from(asked.lifetime_seconds * 1000).map_err(|_| Refusal::internal())?;
    let row = |now_ms: i64| InviteRow {
        id: InviteId::generate(),
        name,
        principal: asked.principal,
        grants: asked.grants,
        created_ms: now_ms,
        expires_ms: now_ms + lifetime_ms,
        used_ms: None,
    };
    let (row, secret) = rooms.identity.invites().make(row).await?;
    // Behind the `#`, a secret is sent to no server and stands in no log.
    // Whoever is to be told it is known by the pin before.
    let pinned = match rooms.authority.pin() {
        Some(pin) => pin.behind(&secret.text()),
        None => secret.text(),
    };
    let url = format!("{}invite#{pinned}", urls.for_others().unwrap_or("/"));
    let detail = json!({"invite": row.id, "grants": row.grants});
    rooms.audit.record_durably(trail.done(Some(&caller), "invite.made", detail)).await;
    let made = MadeInvite { invite: shown(row), text: url.clone(), url, words: secret.words() };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Nobody gives by an invitation what they could not give by hand.
fn check_grants(rooms: &Rooms, caller: &Caller, grants: &[InviteGrant]) -> Result<(), Refusal> {
    if grants.len() > MAX_GRANTS {
        return Err(Refusal::parameter("An invitation carries 200 rights at most."));
    }
    let manages = |grant: &InviteGrant| {
        let share = rooms.share(grant.share);
        share.is_some_and(|share| rooms.held(caller, &share).permissions.allows(Permission::ManageShare))
    };
    if grants.iter().all(manages) { Ok(()) } else { Err(Refusal::not_found("There is no such share.")) }
}

/// What an invitation still gives to somebody, on shares that are still there. What has ended meanwhile is not given.
pub(crate) fn carried_by(rooms: &Rooms, person: PrincipalId, grants: &[InviteGrant]) -> Vec<Wanted> {
    let now_ms = to_ms(rooms.clock.wall());
    let wanted = grants.iter().map(|grant| Wanted {
        share: grant.share,
        subject: Subject::Principal(person),
        permissions: grant.permissions,
        expires_ms: grant.expires_at.map(to_ms),
    });
    let lasts = |wanted: &Wanted| wanted.expires_ms.is_none_or(|expires| now_ms < expires);
    let good = |wanted: &Wanted| !wanted.permissions.is_empty() && rooms.share(wanted.share).is_some();
    wanted.filter(|wanted| lasts(wanted) && good(wanted)).collect()
}

/// The invitations, without their secrets.
#[utoipa::path(get, path = "/api/v1/invites", tag = "people",
    responses((status = 200, body = Invites), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn list(
    State(coordinator): State<Coordinator>,
    _: OwnerCaller,
) -> Result<Json<Invites>, Refusal> {
    let rows = coordinator.rooms().identity.invites().list().await?;
    Ok(Json(Invites { invites: rows.into_iter().map(shown).collect() }))
}

/// Takes an invitation back. Whoever came in by it stays.
#[utoipa::path(delete, path = "/api/v1/invites/{id}", tag = "people",
    params(("id" = String, Path, description = "the invitation")),
    responses((status = 204), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn take_back(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    let none = || Refusal::not_found("There is no such invitation.");
    let id: InviteId = id.parse().map_err(|_| none())?;
    if !rooms.identity.invites().take_back(id).await? {
        return Err(none());
    }
    rooms.audit.record_durably(trail.done(Some(&caller), "invite.taken_back", json!({"invite": id}))).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Lets a guest's browser in. The invitation is used up by it.
#[utoipa::path(post, path = "/api/v1/invites/use", tag = "people", request_body = UseInvite,
    responses((status = 200, body = Me), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 429, body = ApiError)))]
pub(crate) async fn take(
    State(coordinator): State<Coordinator>,
    visitor: Visitor,
    trail: Trail,
    MaybeCaller(before): MaybeCaller,
    JsonBody(asked): JsonBody<UseInvite>,
) -> Result<Response, Refusal> {
    let rooms = coordinator.rooms();
    if visitor.privacy == Privacy::Open && !rooms.settings.allow_open() {
        return Err(Refusal::not_private());
    }
    let carried = |person, grants: &[InviteGrant]| carried_by(rooms, person, grants);
    let gifts = Gifts { rights: &rooms.rights, wanted: &carried };
    let used = rooms.identity.use_invite(&visitor, &asked.invite, &gifts).await;
    // A flood is turned away without a trace: else it would fill the log.
    if used.is_err() && !matches!(used, Err(JoinError::TooMany(_))) {
        rooms.audit.record(trail.refused(None, "invite.used", json!({}))).await;
    }
    let (admitted, grants) = used?;
    let person = admitted.session.principal;
    rooms.rights_moved();
    let entry = trail.done(None, "invite.used", json!({"grants": grants}));
    rooms.audit.record_durably(Entry { actor: Some(person), ..entry }).await;
    if let Some(before) = before.and_then(|caller| caller.session()) {
        rooms.identity.sessions().end(before).await?;
        rooms.sessions_ended(&[before]);
    }
    signed_in(rooms, &visitor, admitted)
}

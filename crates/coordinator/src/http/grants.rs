//! `/api/v1/grants` and `/api/v1/shares/{id}/access`: who may do what with a share, given, changed and ended by those
//! who manage it. Nobody gives more, or for longer, than they hold themselves.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proto::api::people::{Effective, EffectiveRights, Grant, Grants, GrantsQuery, PutGrant, Subject};
use proto::id::GrantId;
use proto::{ApiError, ErrorCode, Permission, Permissions, PrincipalId, ShareId};
use serde_json::{Value, json};

use super::caller::PrivateCaller;
use super::error::Refusal;
use super::json::{JsonBody, QueryOf};
use super::trail::Trail;
use crate::access::grants::{ChangeError, Known, Wanted};
use crate::access::{Caller, Denied, Held, effective};
use crate::catalog::Placed;
use crate::clock::{from_ms, to_ms};
use crate::coordinator::{Coordinator, Rooms};
use crate::store::grants::GrantRow;

fn shown(row: GrantRow) -> Grant {
    Grant {
        id: row.id,
        share: row.share,
        subject: row.subject,
        permissions: row.permissions,
        expires_at: row.expires_ms.map(from_ms),
        granted_by: row.granted_by,
        created: from_ms(row.created_ms),
    }
}

impl From<ChangeError> for Refusal {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::TooMany => {
                Self::new(ErrorCode::TooMany, "There are too many of them already.", "End one first.")
            }
            ChangeError::Unknown => Self::not_found("There is nothing of that id."),
            ChangeError::Store(error) => error.into(),
        }
    }
}

fn no_such_grant() -> Refusal {
    Refusal::not_found("There is no such grant.")
}

fn beyond() -> Refusal {
    Refusal::new(
        ErrorCode::Forbidden,
        "You cannot give or end more than you hold yourself.",
        "Ask the owner of the machine.",
    )
}

/// A share that the caller manages, with what they hold there.
fn managed(rooms: &Rooms, caller: &Caller, share: ShareId) -> Result<(Placed, Held), Refusal> {
    let placed = rooms.share(share).ok_or(Denied::Unknown)?;
    let held = rooms.held(caller, &placed);
    match () {
        () if held.permissions.is_empty() => Err(Denied::Unknown.into()),
        () if !held.permissions.allows(Permission::ManageShare) => {
            Err(Denied::Lacks(Permission::ManageShare).into())
        }
        () => Ok((placed, held)),
    }
}

/// Whether somebody who holds this may give or end that.
fn within(held: Held, permissions: Permissions, expires_ms: Option<i64>) -> Result<(), Refusal> {
    let more = held.permissions.union(permissions) != held.permissions;
    let longer = held.until_ms.is_some_and(|until| expires_ms.is_none_or(|expires| expires > until));
    if more || longer { Err(beyond()) } else { Ok(()) }
}

/// A right that may be given, as it was asked for.
fn wanted(rooms: &Rooms, caller: &Caller, put: &PutGrant) -> Result<(Placed, Wanted), Refusal> {
    let (share, held) = managed(rooms, caller, put.share)?;
    let expires_ms = put.expires_at.map(to_ms);
    if put.permissions.is_empty() {
        return Err(Refusal::parameter("A grant allows one thing at least; to end it, delete it."));
    }
    if expires_ms.is_some_and(|expires| expires <= to_ms(rooms.clock.wall())) {
        return Err(Refusal::parameter("The time at which the grant ends is over already."));
    }
    let known = match put.subject {
        Subject::Everyone => true,
        Subject::Principal(id) => rooms.identity.principals().lives(id),
        Subject::Room(id) => rooms.rights.room(id).is_some(),
    };
    if !known {
        return Err(Refusal::not_found("There is no such person or room."));
    }
    within(held, put.permissions, expires_ms)?;
    let PutGrant { share: id, subject, permissions, .. } = *put;
    Ok((share, Wanted { share: id, subject, permissions, expires_ms }))
}

/// What the log keeps of a grant.
fn detail(grant: &GrantRow) -> Value {
    json!({
        "grant": grant.id,
        "subject": grant.subject,
        "permissions": grant.permissions,
        "expires_ms": grant.expires_ms,
    })
}

/// The grants on shares that the caller manages, and those that are for the caller.
#[utoipa::path(get, path = "/api/v1/grants", tag = "grants", params(GrantsQuery),
    responses((status = 200, body = Grants), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn list(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    QueryOf(query): QueryOf<GrantsQuery>,
) -> Result<Json<Grants>, Refusal> {
    let rooms = coordinator.rooms();
    let only: Option<ShareId> = match query.share {
        Some(id) => Some(id.parse().map_err(|_| Denied::Unknown)?),
        None => None,
    };
    let all = rooms.rights.grants().into_iter().filter(|grant| only.is_none_or(|share| grant.share == share));
    let seen = all.filter(|grant| sees(rooms, &caller, grant));
    Ok(Json(Grants { grants: seen.map(shown).collect() }))
}

/// True for who manages the share, and for whom the grant is.
fn sees(rooms: &Rooms, caller: &Caller, grant: &GrantRow) -> bool {
    let Some(share) = rooms.share(grant.share) else { return false };
    let held = rooms.held(caller, &share).permissions;
    let for_them = match grant.subject {
        Subject::Everyone => true,
        Subject::Principal(id) => id == caller.principal,
        Subject::Room(id) => {
            rooms.rights.room(id).is_some_and(|room| room.members.contains(&caller.principal))
        }
    };
    held.allows(Permission::ManageShare) || for_them && !held.is_empty()
}

fn find(rooms: &Rooms, caller: &Caller, id: &str) -> Result<GrantRow, Refusal> {
    let grant = id.parse::<GrantId>().ok().and_then(|id| rooms.rights.grant(id));
    grant.filter(|grant| sees(rooms, caller, grant)).ok_or_else(no_such_grant)
}

/// One grant.
#[utoipa::path(get, path = "/api/v1/grants/{id}", tag = "grants", params(("id" = String, Path, description = "the grant")),
    responses((status = 200, body = Grant), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn get(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    Path(id): Path<String>,
) -> Result<Json<Grant>, Refusal> {
    find(coordinator.rooms(), &caller, &id).map(shown).map(Json)
}

/// Gives a right, or puts it in place of the one that the same subject has on the share.
#[utoipa::path(put, path = "/api/v1/grants", tag = "grants", request_body = PutGrant,
    responses((status = 200, body = Grant), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn put(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    JsonBody(put): JsonBody<PutGrant>,
) -> Result<Json<Grant>, Refusal> {
    let rooms = coordinator.rooms();
    let (share, wanted) = wanted(rooms, &caller, &put)?;
    if let Some(before) =
        rooms.rights.grants().iter().find(|g| (g.share, g.subject) == (wanted.share, wanted.subject))
    {
        // Replacing a right ends it, too.
        within(managed(rooms, &caller, put.share)?.1, before.permissions, wanted.expires_ms)?;
    }
    let grant = rooms.rights.put(&wanted, caller.principal, to_ms(rooms.clock.wall())).await?;
    rooms.rights_moved_on(share.id);
    let entry = trail.done(Some(&caller), "grant.put", detail(&grant)).about(share.id, &share.place);
    rooms.audit.record_durably(entry).await;
    Ok(Json(shown(grant)))
}

/// Ends a right. What it allowed ends at once.
#[utoipa::path(delete, path = "/api/v1/grants/{id}", tag = "grants",
    params(("id" = String, Path, description = "the grant")),
    responses((status = 204), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn end(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    let grant = find(rooms, &caller, &id)?;
    let (share, held) = managed(rooms, &caller, grant.share)?;
    within(Held { until_ms: None, ..held }, grant.permissions, None)?;
    let grant = rooms.rights.end(grant.id).await?;
    rooms.rights_moved_on(share.id);
    let entry = trail.done(Some(&caller), "grant.ended", detail(&grant)).about(share.id, &share.place);
    rooms.audit.record_durably(entry).await;
    Ok(StatusCode::NO_CONTENT)
}

/// What the subject of a grant could do with the share if it were given. Nothing is kept.
#[utoipa::path(post, path = "/api/v1/grants/dry-run", tag = "grants", request_body = PutGrant,
    responses((status = 200, body = EffectiveRights), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn dry_run(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    JsonBody(put): JsonBody<PutGrant>,
) -> Result<Json<EffectiveRights>, Refusal> {
    let rooms = coordinator.rooms();
    let (share, wanted) = wanted(rooms, &caller, &put)?;
    let then = rooms.rights.look(|known| known.with(&wanted, caller.principal, to_ms(rooms.clock.wall())));
    let concerned = |person| then.is_for(wanted.subject, person);
    Ok(Json(EffectiveRights { rights: rights_on(rooms, &share, &then, caller.owner, concerned) }))
}

/// Who can see this? Everybody who may do anything with a share, and why.
#[utoipa::path(get, path = "/api/v1/shares/{id}/access", tag = "grants",
    params(("id" = String, Path, description = "the share")),
    responses((status = 200, body = EffectiveRights), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn access(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    Path(id): Path<String>,
) -> Result<Json<EffectiveRights>, Refusal> {
    let rooms = coordinator.rooms();
    let (share, _) = managed(rooms, &caller, id.parse().map_err(|_| Denied::Unknown)?)?;
    let rights = rooms.rights.look(|known| rights_on(rooms, &share, known, caller.owner, |_| true));
    Ok(Json(EffectiveRights { rights }))
}

fn rights_on(
    rooms: &Rooms,
    share: &Placed,
    known: &Known,
    owner: PrincipalId,
    concerned: impl Fn(PrincipalId) -> bool,
) -> Vec<Effective> {
    let now_ms = to_ms(rooms.clock.wall());
    let people = rooms.identity.principals().list().into_iter().map(|row| row.id);
    let rights = people.filter(|person| concerned(*person)).map(|person| {
        let granted = known.held(person, share.id, now_ms);
        let held = effective(person, owner, &share.place, granted);
        let owns = [owner, share.place.owner].contains(&person);
        let because = known.because(person, share.id, now_ms).map(|grant| grant.id);
        Effective {
            principal: person,
            share: share.id,
            permissions: held.permissions,
            because: if owns { Vec::new() } else { because.collect() },
        }
    });
    rights.filter(|right| !right.permissions.is_empty()).collect()
}

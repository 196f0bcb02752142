//! `/api/v1/people`: who there is. The owner sees and changes everybody; anybody else themselves, and who the owner is.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proto::api::people::{People, Person, Rename};
use proto::wire::link::Revoked;
use proto::{ApiError, PrincipalId};
use serde_json::json;

use super::caller::{OwnerCaller, PrivateCaller};
use super::error::Refusal;
use super::json::JsonBody;
use super::trail::Trail;
use crate::access::Caller;
use crate::clock::from_ms;
use crate::coordinator::Coordinator;
use crate::settings::parse_name;
use crate::store::principals::PrincipalRow;

fn shown(row: PrincipalRow, caller: &Caller) -> Person {
    Person {
        id: row.id,
        display_name: row.display_name,
        owner: row.id == caller.owner,
        since: from_ms(row.created_ms),
    }
}

/// The people here, as far as they are the caller's business.
#[utoipa::path(get, path = "/api/v1/people", tag = "people",
    responses((status = 200, body = People), (status = 401, body = ApiError)))]
pub(crate) async fn list(State(coordinator): State<Coordinator>, caller: Caller) -> Json<People> {
    let rows = coordinator.rooms().identity.principals().list().into_iter();
    let concerned =
        rows.filter(|row| caller.is_owner() || [caller.principal, caller.owner].contains(&row.id));
    Json(People { people: concerned.map(|row| shown(row, &caller)).collect() })
}

/// Gives somebody another name: the owner anybody, anybody else themselves.
#[utoipa::path(patch, path = "/api/v1/people/{id}", tag = "people", request_body = Rename,
    params(("id" = String, Path, description = "the person")),
    responses((status = 200, body = Person), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn rename(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
    JsonBody(rename): JsonBody<Rename>,
) -> Result<Json<Person>, Refusal> {
    let id: PrincipalId = id.parse().map_err(|_| nobody())?;
    if !caller.is_owner() && id != caller.principal {
        return Err(nobody());
    }
    let name = parse_name(&rename.name).map_err(Refusal::parameter)?;
    let rooms = coordinator.rooms();
    let row = rooms.identity.principals().rename(id, &name).await?.ok_or_else(nobody)?;
    rooms.audit.record_durably(trail.done(Some(&caller), "person.renamed", json!({"person": id}))).await;
    Ok(Json(shown(row, &caller)))
}

/// Ends a person's rights, machines and browsers here, at once and everywhere.
#[utoipa::path(delete, path = "/api/v1/people/{id}", tag = "people",
    params(("id" = String, Path, description = "the person")),
    responses((status = 204), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn remove(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let id: PrincipalId = id.parse().map_err(|_| nobody())?;
    if id == caller.owner {
        return Err(Refusal::parameter("The owner cannot be removed."));
    }
    let rooms = coordinator.rooms();
    if !rooms.revoke(Revoked::Principal { id }).await? {
        return Err(nobody());
    }
    rooms.audit.record_durably(trail.done(Some(&caller), "person.removed", json!({"person": id}))).await;
    Ok(StatusCode::NO_CONTENT)
}

fn nobody() -> Refusal {
    Refusal::not_found("There is no such person.")
}

//! `/api/v1/rooms`: people who are given rights together. The owner's business; others see the rooms they are in.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proto::api::people::{MakeRoom, Rename, Room, Rooms as AllRooms};
use proto::id::RoomId;
use proto::{ApiError, PrincipalId};
use serde_json::{Value, json};

use super::caller::{OwnerCaller, PrivateCaller};
use super::error::Refusal;
use super::json::JsonBody;
use super::trail::Trail;
use crate::access::Caller;
use crate::clock::to_ms;
use crate::coordinator::{Coordinator, Rooms};
use crate::settings::parse_name;
use crate::store::rooms::RoomRow;

fn shown(row: RoomRow) -> Room {
    Room { id: row.id, name: row.name, members: row.members.into_iter().collect() }
}

fn no_such_room() -> Refusal {
    Refusal::not_found("There is no such room.")
}

fn room_id(id: &str) -> Result<RoomId, Refusal> {
    id.parse().map_err(|_| no_such_room())
}

/// Lets a change be felt and writes it down.
async fn felt(rooms: &Rooms, trail: &Trail, caller: &Caller, action: &'static str, detail: Value) {
    rooms.rights_moved();
    rooms.audit.record_durably(trail.done(Some(caller), action, detail)).await;
}

/// The rooms: for the owner all, for anybody else those they are in.
#[utoipa::path(get, path = "/api/v1/rooms", tag = "rooms",
    responses((status = 200, body = AllRooms), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn list(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
) -> Json<AllRooms> {
    let rooms = coordinator.rooms().rights.rooms().into_iter();
    let seen = rooms.filter(|room| caller.is_owner() || room.members.contains(&caller.principal));
    Json(AllRooms { rooms: seen.map(shown).collect() })
}

/// Makes a room.
#[utoipa::path(post, path = "/api/v1/rooms", tag = "rooms", request_body = MakeRoom,
    responses((status = 201, body = Room), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError)))]
pub(crate) async fn make(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    JsonBody(make): JsonBody<MakeRoom>,
) -> Result<(StatusCode, Json<Room>), Refusal> {
    let rooms = coordinator.rooms();
    let name = parse_name(&make.name).map_err(Refusal::parameter)?;
    let room = rooms.rights.make_room(&name, to_ms(rooms.clock.wall())).await?;
    felt(rooms, &trail, &caller, "room.made", json!({"room": room.id})).await;
    Ok((StatusCode::CREATED, Json(shown(room))))
}

/// Renames a room.
#[utoipa::path(patch, path = "/api/v1/rooms/{id}", tag = "rooms", request_body = Rename,
    params(("id" = String, Path, description = "the room")),
    responses((status = 200, body = Room), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn rename(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    Path(id): Path<String>,
    JsonBody(rename): JsonBody<Rename>,
) -> Result<Json<Room>, Refusal> {
    let rooms = coordinator.rooms();
    let name = parse_name(&rename.name).map_err(Refusal::parameter)?;
    let room = rooms.rights.rename_room(room_id(&id)?, &name).await?;
    felt(rooms, &trail, &caller, "room.renamed", json!({"room": room.id})).await;
    Ok(Json(shown(room)))
}

/// Ends a room. What its members were allowed through it ends at once.
#[utoipa::path(delete, path = "/api/v1/rooms/{id}", tag = "rooms",
    params(("id" = String, Path, description = "the room")),
    responses((status = 204), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn end(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    let room = rooms.rights.end_room(room_id(&id)?).await?;
    felt(rooms, &trail, &caller, "room.ended", json!({"room": room.id})).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Takes somebody into a room.
#[utoipa::path(put, path = "/api/v1/rooms/{id}/members/{person}", tag = "rooms",
    params(("id" = String, Path, description = "the room"), ("person" = String, Path, description = "the person")),
    responses((status = 200, body = Room), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn join(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    Path((id, person)): Path<(String, String)>,
) -> Result<Json<Room>, Refusal> {
    let rooms = coordinator.rooms();
    let person = person_id(&person)?;
    if !rooms.identity.principals().lives(person) {
        return Err(nobody());
    }
    let room = rooms.rights.join(room_id(&id)?, person).await?;
    felt(rooms, &trail, &caller, "room.joined", json!({"room": room.id, "person": person})).await;
    Ok(Json(shown(room)))
}

/// Takes somebody out of a room. What they were allowed through it ends at once.
#[utoipa::path(delete, path = "/api/v1/rooms/{id}/members/{person}", tag = "rooms",
    params(("id" = String, Path, description = "the room"), ("person" = String, Path, description = "the person")),
    responses((status = 200, body = Room), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn leave(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    Path((id, person)): Path<(String, String)>,
) -> Result<Json<Room>, Refusal> {
    let rooms = coordinator.rooms();
    let person = person_id(&person)?;
    let room = rooms.rights.leave(room_id(&id)?, person).await?;
    felt(rooms, &trail, &caller, "room.left", json!({"room": room.id, "person": person})).await;
    Ok(Json(shown(room)))
}

fn person_id(id: &str) -> Result<PrincipalId, Refusal> {
    id.parse().map_err(|_| nobody())
}

fn nobody() -> Refusal {
    Refusal::not_found("There is no such person.")
}

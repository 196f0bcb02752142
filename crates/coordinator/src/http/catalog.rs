//! `/api/v1/catalog/…`: the devices and shares there are, and which folders this machine offers.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proto::api::catalog::{
    AddShare, Device, Devices, RenameShare, SetVisibility, Share, Shares, SharesQuery, Visibility,
};
use proto::api::people::Subject;
use proto::{ApiError, DeviceId, ErrorCode, Permission, Permissions, ShareId};
use serde_json::{Value, json};

use super::caller::{OwnerCaller, PrivateCaller};
use super::error::Refusal;
use super::json::{JsonBody, QueryOf};
use super::setup::share_name;
use super::trail::Trail;
use crate::access::grants::Wanted;
use crate::access::{Caller, Denied, Held};
use crate::audit::Entry;
use crate::catalog::Placed;
use crate::clock::to_ms;
use crate::coordinator::{Coordinator, Rooms};
use crate::settings::parse_name;
use crate::store::devices::DeviceRow;
use crate::store::shares::SharedFolder;

/// Shares of one machine beside its inbox, at most.
const MAX_SHARES: usize = 200;

/// The machines the caller can see.
#[utoipa::path(get, path = "/api/v1/catalog/devices", tag = "catalog",
    responses((status = 200, body = Devices), (status = 401, body = ApiError)))]
pub(crate) async fn devices(State(coordinator): State<Coordinator>, caller: Caller) -> Json<Devices> {
    let rooms = coordinator.rooms();
    let seen = rooms.devices_seen_by(caller.principal).into_iter();
    let mut devices: Vec<_> = seen.map(|row| shown_device(rooms, row, &caller)).collect();
    devices.sort_by_cached_key(|device| (device.name.to_lowercase(), device.id));
    Json(Devices { devices })
}

fn shown_device(rooms: &Rooms, row: DeviceRow, caller: &Caller) -> Device {
    let local = row.id == rooms.device;
    let (online, last_seen) = rooms.presence_of(row.id);
    // Where a machine is joined is its owner's own business.
    let may_know = local && caller.principal == row.principal && !caller.read_only();
    Device {
        joined: if may_know { rooms.joined.now(online) } else { Vec::new() },
        id: row.id,
        name: if local { rooms.settings.get().device_name } else { row.name },
        owner_principal_id: row.principal,
        visible: row.visible,
        online,
        local,
        last_seen,
    }
}

/// The shares the caller can see.
#[utoipa::path(get, path = "/api/v1/catalog/shares", tag = "catalog", params(SharesQuery),
    responses((status = 200, body = Shares), (status = 401, body = ApiError)))]
pub(crate) async fn shares(
    State(coordinator): State<Coordinator>,
    caller: Caller,
    QueryOf(query): QueryOf<SharesQuery>,
) -> Json<Shares> {
    let rooms = coordinator.rooms();
    let only = query.device_id.map(|id| id.parse::<DeviceId>().ok());
    let seen = rooms.shares_seen_by(caller.principal).into_iter();
    let seen = seen.filter(|(share, _)| only.is_none_or(|only| only == Some(share.place.device)));
    let seen = seen.filter(|(share, _)| query.inbox || !share.place.inbox);
    let limited = seen.map(|(share, held)| (share, caller.limit(held)));
    let seen = limited.filter(|(_, held)| !held.permissions.is_empty());
    Json(Shares { shares: seen.map(|(share, held)| shown(rooms, &share, held, &caller)).collect() })
}

fn shown(rooms: &Rooms, share: &Placed, held: Held, caller: &Caller) -> Share {
    // Where a folder is on its machine is its owner's own business.
    let may_know = caller.principal == share.place.owner && !caller.read_only();
    let folders = rooms.shares.borrow();
    let folder = folders.iter().find(|folder| may_know && folder.id == share.id);
    Share {
        id: share.id,
        device_id: share.place.device,
        name: share.name.clone(),
        read_only: share.place.read_only,
        inbox: share.place.inbox,
        device_online: rooms.presence_of(share.place.device).0,
        permissions: held.permissions,
        folder: folder.map(|folder| folder.folder.to_string_lossy().into_owned()),
    }
}

/// The share as the caller sees it after a change.
fn shown_now(rooms: &Rooms, caller: &Caller, id: ShareId) -> Result<Json<Share>, Refusal> {
    let share = rooms.share(id).ok_or(Denied::Unknown)?;
    Ok(Json(shown(rooms, &share, rooms.held(caller, &share), caller)))
}

/// Shows a machine to others, or hides it from everybody but its owner.
#[utoipa::path(post, path = "/api/v1/catalog/devices/{device}/visibility", tag = "catalog", request_body = SetVisibility,
    params(("device" = String, Path, description = "the device")),
    responses((status = 200, body = Visibility), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn set_visibility(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
    JsonBody(set): JsonBody<SetVisibility>,
) -> Result<Json<Visibility>, Refusal> {
    let rooms = coordinator.rooms();
    let no_such_device = || Refusal::not_found("There is no such device.");
    let id: DeviceId = id.parse().map_err(|_| no_such_device())?;
    if !rooms.sees_device(caller.principal, id) {
        return Err(no_such_device());
    }
    if rooms.identity.devices().owner_of(id) != Some(caller.principal) {
        return Err(Refusal::new(
            ErrorCode::Forbidden,
            "Only the owner of the machine may hide or show it.",
            "Ask its owner.",
        ));
    }
    let row = rooms.identity.devices().show(id, set.visible).await?.ok_or_else(no_such_device)?;
    rooms.rights_moved();
    if !row.visible {
        rooms.end_for_the_owner(id);
    }
    let entry = trail.done(Some(&caller), "device.visibility", json!({"visible": row.visible}));
    rooms.audit.record_durably(Entry { device: Some(id), ..entry }).await;
    Ok(Json(Visibility { id, visible: row.visible }))
}

/// Offers another folder of this machine.
#[utoipa::path(post, path = "/api/v1/catalog/shares", tag = "catalog", request_body = AddShare,
    responses((status = 201, body = Share), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 409, body = ApiError)))]
pub(crate) async fn add_share(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    JsonBody(add): JsonBody<AddShare>,
) -> Result<(StatusCode, Json<Share>), Refusal> {
    let rooms = coordinator.rooms();
    let folder = rooms.folders.check(&add.folder).await?;
    let name = match add.name {
        Some(name) => parse_name(&name).map_err(Refusal::parameter)?,
        None => share_name(&folder),
    };
    let _turn = rooms.sharing.lock().await;
    if rooms.shares.borrow().iter().filter(|share| !share.inbox).count() >= MAX_SHARES {
        return Err(Refusal::new(
            ErrorCode::TooMany,
            "There are too many shares already.",
            "Remove one first.",
        ));
    }
    let id = ShareId::generate();
    if !rooms.store.insert_share(id, &name, &folder, to_ms(rooms.clock.wall())).await? {
        return Err(name_taken());
    }
    if add.everyone_may_read {
        rooms.rights.put(&for_everyone(id), caller.principal, to_ms(rooms.clock.wall())).await?;
    }
    rooms.publish_shares().await?;
    written(rooms, &trail, &caller, "share.added", id, json!({"everyone_may_read": add.everyone_may_read}))
        .await;
    Ok((StatusCode::CREATED, shown_now(rooms, &caller, id)?))
}

/// Renames a share.
#[utoipa::path(patch, path = "/api/v1/catalog/shares/{id}", tag = "catalog", request_body = RenameShare,
    params(("id" = String, Path, description = "the share")),
    responses((status = 200, body = Share), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError), (status = 409, body = ApiError)))]
pub(crate) async fn rename_share(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
    JsonBody(rename): JsonBody<RenameShare>,
) -> Result<Json<Share>, Refusal> {
    let rooms = coordinator.rooms();
    let name = parse_name(&rename.name).map_err(Refusal::parameter)?;
    let _turn = rooms.sharing.lock().await;
    let share = find(rooms, &caller, &id)?;
    if !rooms.store.rename_share(share.id, &name).await? {
        return Err(name_taken());
    }
    rooms.publish_shares().await?;
    written(rooms, &trail, &caller, "share.renamed", share.id, json!({})).await;
    shown_now(rooms, &caller, share.id)
}

/// Stops offering a folder. Nothing in it is touched.
#[utoipa::path(delete, path = "/api/v1/catalog/shares/{id}", tag = "catalog",
    params(("id" = String, Path, description = "the share")),
    responses((status = 204), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn remove_share(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    let _turn = rooms.sharing.lock().await;
    let share = find(rooms, &caller, &id)?;
    rooms.store.delete_share(share.id).await?;
    rooms.publish_shares().await?;
    rooms.running.end_share(share.id);
    rooms.rights.forget_share(share.id).await?;
    written(rooms, &trail, &caller, "share.removed", share.id, json!({})).await;
    Ok(StatusCode::NO_CONTENT)
}

/// A folder of this machine whose share the caller manages.
fn find(rooms: &Rooms, caller: &Caller, id: &str) -> Result<SharedFolder, Refusal> {
    let id: ShareId = id.parse().map_err(|_| Denied::Unknown)?;
    rooms.allow(caller, rooms.device, id, Permission::ManageShare)?;
    let shares = rooms.shares.borrow();
    let found = shares.iter().find(|share| share.id == id);
    found.cloned().ok_or(Denied::Unknown.into())
}

/// The right that lets everybody who is paired look into a share and save copies.
pub(crate) fn for_everyone(share: ShareId) -> Wanted {
    let permissions = Permissions::for_everyone();
    Wanted { share, subject: Subject::Everyone, permissions, expires_ms: None }
}

async fn written(
    rooms: &Rooms,
    trail: &Trail,
    caller: &Caller,
    action: &'static str,
    share: ShareId,
    detail: Value,
) {
    rooms.rights_moved_on(share);
    let entry =
        Entry { share: Some(share), device: Some(rooms.device), ..trail.done(Some(caller), action, detail) };
    rooms.audit.record_durably(entry).await;
}

fn name_taken() -> Refusal {
    Refusal::new(ErrorCode::Conflict, "There is a share of that name already.", "Choose another name.")
}

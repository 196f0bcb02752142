//! `/api/v1/catalog/…`: the devices and shares there are, and which folders this machine offers.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proto::api::catalog::{AddShare, Device, Devices, RenameShare, Share, Shares};
use proto::{ApiError, ErrorCode, Permissions, ShareId};

use super::caller::OwnerCaller;
use super::error::Refusal;
use super::json::JsonBody;
use super::setup::share_name;
use crate::access::Caller;
use crate::clock::{from_ms, to_ms};
use crate::coordinator::{Coordinator, Rooms};
use crate::registry::Presence;
use crate::settings::parse_name;
use crate::store::devices::DeviceRow;
use crate::store::shares::SharedFolder;

/// Shares of one machine, at most.
const MAX_SHARES: usize = 200;

/// The machines the caller can see.
#[utoipa::path(get, path = "/api/v1/catalog/devices", tag = "catalog",
    responses((status = 200, body = Devices), (status = 401, body = ApiError)))]
pub(crate) async fn devices(State(coordinator): State<Coordinator>, caller: Caller) -> Json<Devices> {
    let rooms = coordinator.rooms();
    let online = rooms.gateway.is_local_online();
    let this = Device {
        id: rooms.device,
        name: rooms.settings.get().device_name,
        online,
        local: true,
        last_seen: online.then(|| rooms.clock.wall()),
    };
    let others = others_of(rooms, &caller).into_iter().map(|(row, presence)| Device {
        id: row.id,
        name: row.name,
        online: presence.online,
        local: false,
        last_seen: presence.seen_ms.map(from_ms),
    });
    Json(Devices { devices: std::iter::once(this).chain(others).collect() })
}

/// The other machines that the caller can see, by name.
fn others_of(rooms: &Rooms, caller: &Caller) -> Vec<(DeviceRow, Presence)> {
    let rows = rooms.identity.devices().list().into_iter();
    rows.filter(|row| row.id != rooms.device && (row.principal == caller.principal || caller.is_owner()))
        .map(|row| {
            let presence = rooms.registry.presence(row.id);
            (row, presence)
        })
        .collect()
}

/// The shares the caller can see.
#[utoipa::path(get, path = "/api/v1/catalog/shares", tag = "catalog",
    responses((status = 200, body = Shares), (status = 401, body = ApiError)))]
pub(crate) async fn shares(State(coordinator): State<Coordinator>, caller: Caller) -> Json<Shares> {
    let rooms = coordinator.rooms();
    if caller.permissions() == Permissions::NONE {
        return Json(Shares { shares: Vec::new() });
    }
    let own = Arc::clone(&rooms.shares.borrow());
    let mut shares: Vec<Share> = own.iter().map(|share| shown(rooms, share, &caller)).collect();
    for (row, presence) in others_of(rooms, &caller) {
        shares.extend(presence.offer.iter().map(|offered| Share {
            id: offered.id,
            device_id: row.id,
            name: offered.name.clone(),
            permissions: caller.permissions(),
            folder: None,
        }));
    }
    Json(Shares { shares })
}

fn shown(rooms: &Rooms, share: &SharedFolder, caller: &Caller) -> Share {
    Share {
        id: share.id,
        device_id: rooms.device,
        name: share.name.clone(),
        permissions: caller.permissions(),
        folder: (!caller.read_only()).then(|| share.folder.to_string_lossy().into_owned()),
    }
}

/// Offers another folder of this machine.
#[utoipa::path(post, path = "/api/v1/catalog/shares", tag = "catalog", request_body = AddShare,
    responses((status = 201, body = Share), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 409, body = ApiError)))]
pub(crate) async fn add_share(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    JsonBody(add): JsonBody<AddShare>,
) -> Result<(StatusCode, Json<Share>), Refusal> {
    let rooms = coordinator.rooms();
    let folder = rooms.folders.check(&add.folder).await?;
    let name = match add.name {
        Some(name) => parse_name(&name).map_err(Refusal::parameter)?,
        None => share_name(&folder),
    };
    let _turn = rooms.sharing.lock().await;
    if rooms.shares.borrow().len() >= MAX_SHARES {
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
    publish(rooms).await?;
    let share = SharedFolder { id, name, folder: folder.into() };
    Ok((StatusCode::CREATED, Json(shown(rooms, &share, &caller))))
}

/// Renames a share.
#[utoipa::path(patch, path = "/api/v1/catalog/shares/{id}", tag = "catalog", request_body = RenameShare,
    params(("id" = String, Path, description = "the share")),
    responses((status = 200, body = Share), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError), (status = 409, body = ApiError)))]
pub(crate) async fn rename_share(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    Path(id): Path<String>,
    JsonBody(rename): JsonBody<RenameShare>,
) -> Result<Json<Share>, Refusal> {
    let rooms = coordinator.rooms();
    let name = parse_name(&rename.name).map_err(Refusal::parameter)?;
    let _turn = rooms.sharing.lock().await;
    let mut share = find(rooms, &id)?;
    if !rooms.store.rename_share(share.id, &name).await? {
        return Err(name_taken());
    }
    publish(rooms).await?;
    share.name = name;
    Ok(Json(shown(rooms, &share, &caller)))
}

/// Stops offering a folder. Nothing in it is touched.
#[utoipa::path(delete, path = "/api/v1/catalog/shares/{id}", tag = "catalog",
    params(("id" = String, Path, description = "the share")),
    responses((status = 204), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn remove_share(
    State(coordinator): State<Coordinator>,
    _: OwnerCaller,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    let _turn = rooms.sharing.lock().await;
    let share = find(rooms, &id)?;
    rooms.store.delete_share(share.id).await?;
    publish(rooms).await?;
    rooms.running.end_share(share.id);
    Ok(StatusCode::NO_CONTENT)
}

fn find(rooms: &Rooms, id: &str) -> Result<SharedFolder, Refusal> {
    let id: Option<ShareId> = id.parse().ok();
    let shares = rooms.shares.borrow();
    let found = shares.iter().find(|share| Some(share.id) == id);
    found.cloned().ok_or_else(|| Refusal::not_found("There is no such share."))
}

/// Tells everybody who watches the list. Called with `sharing` held, so lists come in order.
async fn publish(rooms: &Rooms) -> Result<(), Refusal> {
    rooms.shares.send_replace(Arc::new(rooms.store.shares().await?));
    Ok(())
}

fn name_taken() -> Refusal {
    Refusal::new(ErrorCode::Conflict, "There is a share of that name already.", "Choose another name.")
}

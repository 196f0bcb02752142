//! `/api/v1/devices`: the paired machines, named and revoked. Each is its owner's business and this machine's owner's.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proto::api::people::{PairedDevice, PairedDevices, Rename};
use proto::api::settings::SettingsChange;
use proto::wire::link::Revoked;
use proto::{ApiError, DeviceId};
use serde_json::json;

use super::caller::PrivateCaller;
use super::error::Refusal;
use super::json::JsonBody;
use super::trail::Trail;
use crate::access::Caller;
use crate::audit::Entry;
use crate::clock::from_ms;
use crate::coordinator::{Coordinator, Rooms};
use crate::settings::parse_name;
use crate::store::devices::DeviceRow;

fn shown(rooms: &Rooms, row: DeviceRow) -> PairedDevice {
    let this = row.id == rooms.device;
    PairedDevice {
        id: row.id,
        name: if this { rooms.settings.get().device_name } else { row.name },
        platform: row.platform,
        owner_principal_id: row.principal,
        visible: row.visible,
        this,
        paired_at: from_ms(row.paired_ms),
    }
}

/// The machine, if it is the caller's business.
fn find(rooms: &Rooms, caller: &Caller, id: &str) -> Result<DeviceRow, Refusal> {
    let row = id.parse::<DeviceId>().ok().and_then(|id| rooms.identity.devices().find(id));
    row.filter(|row| caller.is_owner() || row.principal == caller.principal).ok_or_else(no_such_device)
}

/// The paired machines: for the owner all, for anybody else their own.
#[utoipa::path(get, path = "/api/v1/devices", tag = "devices",
    responses((status = 200, body = PairedDevices), (status = 401, body = ApiError)))]
pub(crate) async fn list(State(coordinator): State<Coordinator>, caller: Caller) -> Json<PairedDevices> {
    let rooms = coordinator.rooms();
    let rows = rooms.identity.devices().list().into_iter();
    let theirs = rows.filter(|row| caller.is_owner() || row.principal == caller.principal);
    Json(PairedDevices { devices: theirs.map(|row| shown(rooms, row)).collect() })
}

/// Gives a machine another name. It keeps that name here, whatever it calls itself.
#[utoipa::path(patch, path = "/api/v1/devices/{device}", tag = "devices", request_body = Rename,
    params(("device" = String, Path, description = "the device")),
    responses((status = 200, body = PairedDevice), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn rename(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
    JsonBody(rename): JsonBody<Rename>,
) -> Result<Json<PairedDevice>, Refusal> {
    let rooms = coordinator.rooms();
    let id = find(rooms, &caller, &id)?.id;
    let name = parse_name(&rename.name).map_err(Refusal::parameter)?;
    if id == rooms.device {
        let change = SettingsChange { device_name: Some(name.clone()), ..SettingsChange::default() };
        rooms.settings.change(change).await?;
    }
    let row = rooms.identity.devices().rename(id, &name).await?.ok_or_else(no_such_device)?;
    let entry = trail.done(Some(&caller), "device.renamed", json!({}));
    rooms.audit.record_durably(Entry { device: Some(id), ..entry }).await;
    Ok(Json(shown(rooms, row)))
}

/// Ends a machine's membership: its tokens, tickets and streams end at once, and it has to be paired anew.
#[utoipa::path(delete, path = "/api/v1/devices/{device}", tag = "devices",
    params(("device" = String, Path, description = "the device")),
    responses((status = 204), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn revoke(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    let id = find(rooms, &caller, &id)?.id;
    if id == rooms.device {
        return Err(Refusal::parameter("This machine cannot be removed from itself."));
    }
    if !rooms.revoke(Revoked::Device { id }).await? {
        return Err(no_such_device());
    }
    let entry = trail.done(Some(&caller), "device.revoked", json!({}));
    rooms.audit.record_durably(Entry { device: Some(id), ..entry }).await;
    Ok(StatusCode::NO_CONTENT)
}

fn no_such_device() -> Refusal {
    Refusal::not_found("There is no such device.")
}

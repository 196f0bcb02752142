//! `/api/v1/devices/{device}/…`: the device API, for who may. Request and answer pass through as they are.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use peer::{LaneKind, PathState};
use proto::api::devices::{DevicePath, Lane};
use proto::clock::skew_notice;
use proto::ticket::CLOCK_SKEW;
use proto::{ApiError, DeviceId, Permission, ShareId};
use serde_json::json;

use super::error::Refusal;
use super::trail::Trail;
use super::upload_key::{self, DeviceCaller};
use crate::access::{Caller, Grant};
use crate::coordinator::{Coordinator, Rooms};
use crate::gateway::LinkError;
use crate::gateway::tail::{self, Part, Target};
use crate::transfers::Side;

const PREFIX: &str = "/api/v1/devices/";

/// Takes a request to a device.
pub(crate) async fn forward(
    State(coordinator): State<Coordinator>,
    DeviceCaller(caller): DeviceCaller,
    trail: Trail,
    request: Request,
) -> Result<Response, Refusal> {
    let (device, path) = split(request.uri().path()).ok_or_else(nothing_here)?;
    let tail = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    send(coordinator.rooms(), &caller, &trail, device, &tail, request).await
}

/// Takes a request to what `tail` names of a device, as far as the caller may. Every request to a device goes this way.
pub(super) async fn send(
    rooms: &Rooms,
    caller: &Caller,
    trail: &Trail,
    device: DeviceId,
    tail: &str,
    request: Request,
) -> Result<Response, Refusal> {
    let path = tail.split('?').next().unwrap_or_default();
    let grant = grant_for(rooms, caller, trail, device, path).await?;
    let method = request.method().clone();
    let mut answer = rooms.gateway.send(&grant, &rooms.tickets, tail, request).await?;
    upload_key::add(rooms, caller, &method, grant.share(), &mut answer);
    let still = || rooms.still_allowed(caller, &grant);
    Ok(rooms.running.hold(&grant, answer, still))
}

/// The device, and what follows it as it stands in the address.
fn split(path: &str) -> Option<(DeviceId, &str)> {
    let rest = path.strip_prefix(PREFIX)?;
    let (device, tail) = rest.split_at(rest.find('/')?);
    Some((device.parse().ok()?, tail))
}

async fn grant_for(
    rooms: &Rooms,
    caller: &Caller,
    trail: &Trail,
    device: DeviceId,
    path: &str,
) -> Result<Grant, Refusal> {
    let grant = match tail::parse(path).ok_or_else(nothing_here)? {
        Target::Device => rooms.allow_device(caller, device).map_err(|_| no_such_device())?,
        Target::Share(share, permission) => {
            let decision = rooms.allow(caller, device, share, permission);
            note(rooms, caller, trail, share, permission, decision.is_ok()).await;
            decision?
        }
        Target::Transfer(id, part) => {
            let sends = part == Part::Delivers || rooms.transfer_as(caller, id, Side::Sender).is_ok();
            let side = if sends { Side::Sender } else { Side::Receiver };
            rooms.allow_transfer(caller, device, id, side)?
        }
    };
    may_answer(rooms, device)?;
    Ok(grant)
}

/// Says at once what a request to another machine would only find out after a while.
pub(super) fn may_answer(rooms: &Rooms, device: DeviceId) -> Result<(), Refusal> {
    if device == rooms.device {
        return if rooms.gateway.is_local_online() { Ok(()) } else { Err(LinkError::Offline.into()) };
    }
    let presence = rooms.registry.presence(device);
    if !presence.online {
        return Err(LinkError::Offline.into());
    }
    if presence.skew.abs() <= CLOCK_SKEW {
        return Ok(());
    }
    let name = rooms.identity.devices().find(device).map(|row| row.name).unwrap_or_default();
    skew_notice(presence.skew, &name).map_or(Ok(()), |notice| Err(Refusal(notice)))
}

/// How a device is reached now: on which lane, how fast, and why not better.
#[utoipa::path(get, path = "/api/v1/devices/{device}/path", tag = "devices",
    params(("device" = String, Path, description = "the device")),
    responses((status = 200, body = DevicePath), (status = 401, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn path(
    State(coordinator): State<Coordinator>,
    caller: Caller,
    Path(device): Path<String>,
) -> Result<Json<DevicePath>, Refusal> {
    let rooms = coordinator.rooms();
    let device = device.parse().map_err(|_| no_such_device())?;
    rooms.allow_device(&caller, device).map_err(|_| no_such_device())?;
    if device == rooms.device {
        let why = "it is this machine".to_owned();
        return Ok(Json(DevicePath { lane: Lane::Local, round_trip_ms: None, why }));
    }
    let why = "this coordinator has no way to other machines".to_owned();
    let none = DevicePath { lane: Lane::None, round_trip_ms: None, why };
    Ok(Json(rooms.gateway.path(device).map_or(none, shown)))
}

fn shown(path: PathState) -> DevicePath {
    let lane = match path.lane {
        None => Lane::None,
        Some(LaneKind::Lan) => Lane::Lan,
        Some(LaneKind::Direct) => Lane::Direct,
        Some(LaneKind::Relayed) => Lane::Relayed,
    };
    let round_trip_ms = path.round_trip.map(|time| time.as_secs_f64() * 1000.0);
    DevicePath { lane, round_trip_ms, why: path.why }
}

pub(super) fn no_such_device() -> Refusal {
    Refusal::not_found("There is no such device.")
}

/// Writes down that somebody reads from a share that is not theirs, or was not let: once in a while for each.
async fn note(
    rooms: &Rooms,
    caller: &Caller,
    trail: &Trail,
    share: ShareId,
    needs: Permission,
    allowed: bool,
) {
    let Some(place) = rooms.share(share).map(|share| share.place) else { return };
    let action = match (allowed, needs) {
        (true, _) if place.owner == caller.principal => return,
        (true, Permission::Download) => "share.download",
        (true, _) => "share.read",
        (false, _) => "share.refused",
    };
    if rooms.audit.is_news(caller, share, action) {
        let detail = json!({"permission": needs});
        let entry = if allowed {
            trail.done(Some(caller), action, detail)
        } else {
            trail.refused(Some(caller), action, detail)
        };
        rooms.audit.record(entry.about(share, &place)).await;
    }
}

fn nothing_here() -> Refusal {
    Refusal::not_found("There is nothing at this address.")
}

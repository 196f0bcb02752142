//! `/api/v1/devices/{device}/…`: the device API, for who may. Request and answer pass through as they are.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::Response;
use peer::{LaneKind, PathState};
use proto::api::devices::{DevicePath, Lane};
use proto::{ApiError, DeviceId, ShareId};

use super::agents_link::{clock_words, is_wrong};
use super::error::Refusal;
use crate::access::{Caller, Grant, authorize, authorize_device};
use crate::coordinator::{Coordinator, Rooms};
use crate::gateway::LinkError;
use crate::gateway::tail::{self, Target};

const PREFIX: &str = "/api/v1/devices/";

/// Takes a request to a device.
pub(crate) async fn forward(
    State(coordinator): State<Coordinator>,
    caller: Caller,
    request: Request,
) -> Result<Response, Refusal> {
    let rooms = coordinator.rooms();
    let (device, path) = split(request.uri().path()).ok_or_else(nothing_here)?;
    let grant = grant_for(rooms, &caller, device, path)?;
    let tail = match request.uri().query() {
        Some(query) => format!("{path}?{query}"),
        None => path.to_owned(),
    };
    let answer = rooms.gateway.send(&grant, &rooms.tickets, &tail, request).await?;
    let still = || rooms.still_lives(&caller) && is_offered(rooms, &grant);
    Ok(rooms.running.hold(&grant, answer, still))
}

/// The device, and what follows it as it stands in the address.
fn split(path: &str) -> Option<(DeviceId, &str)> {
    let rest = path.strip_prefix(PREFIX)?;
    let (device, tail) = rest.split_at(rest.find('/')?);
    Some((device.parse().ok()?, tail))
}

fn grant_for(rooms: &Rooms, caller: &Caller, device: DeviceId, path: &str) -> Result<Grant, Refusal> {
    let name = name_of(rooms, caller, device)?;
    let grant = match tail::parse(path).ok_or_else(nothing_here)? {
        Target::Device => authorize_device(caller, device),
        Target::Share(share, permission) => {
            if !offers(rooms, device, share) {
                return Err(Refusal::not_found("There is no such share."));
            }
            authorize(caller, device, share, permission)?
        }
    };
    if device != rooms.device {
        may_answer(rooms, device, &name)?;
    }
    Ok(grant)
}

/// What the device is called, if the caller may know that there is one.
fn name_of(rooms: &Rooms, caller: &Caller, device: DeviceId) -> Result<String, Refusal> {
    if device == rooms.device {
        return Ok(rooms.settings.get().device_name);
    }
    let known = rooms.identity.devices().find(device);
    let known = known.filter(|row| row.principal == caller.principal || caller.is_owner());
    Ok(known.ok_or_else(no_such_device)?.name)
}

/// Says at once what a request to another machine would only find out after a while.
fn may_answer(rooms: &Rooms, device: DeviceId, name: &str) -> Result<(), Refusal> {
    let presence = rooms.registry.presence(device);
    if !presence.online {
        return Err(LinkError::Offline.into());
    }
    if is_wrong(presence.skew) {
        return Err(Refusal(clock_words(presence.skew, name)));
    }
    Ok(())
}

fn offers(rooms: &Rooms, device: DeviceId, share: ShareId) -> bool {
    if device == rooms.device {
        return rooms.shares.borrow().iter().any(|offered| offered.id == share);
    }
    rooms.registry.device_of(share) == Some(device)
}

/// False if the share that was allowed is not on offer any more.
fn is_offered(rooms: &Rooms, grant: &Grant) -> bool {
    grant.share().is_none_or(|share| offers(rooms, grant.device(), share))
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
    name_of(rooms, &caller, device)?;
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

fn no_such_device() -> Refusal {
    Refusal::not_found("There is no such device.")
}

fn nothing_here() -> Refusal {
    Refusal::not_found("There is nothing at this address.")
}

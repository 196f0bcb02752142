//! `/api/v1/devices/{device}/…`: the device API, for who may. Request and answer pass through as they are.

use axum::extract::{Request, State};
use axum::response::Response;
use proto::DeviceId;

use super::error::Refusal;
use crate::access::{Caller, Grant, authorize, authorize_device};
use crate::coordinator::{Coordinator, Rooms};
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
    if device != rooms.device {
        return Err(Refusal::not_found("There is no such device."));
    }
    match tail::parse(path).ok_or_else(nothing_here)? {
        Target::Device => Ok(authorize_device(caller, device)),
        Target::Share(share, permission) => {
            if !rooms.shares.borrow().iter().any(|offered| offered.id == share) {
                return Err(Refusal::not_found("There is no such share."));
            }
            Ok(authorize(caller, device, share, permission)?)
        }
    }
}

/// False if the share that was allowed is not on offer any more.
fn is_offered(rooms: &Rooms, grant: &Grant) -> bool {
    let shares = rooms.shares.borrow();
    grant.share().is_none_or(|share| shares.iter().any(|offered| offered.id == share))
}

fn nothing_here() -> Refusal {
    Refusal::not_found("There is nothing at this address.")
}

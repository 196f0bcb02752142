//! `/api/v1/devices/{device}/ticket`: the way straight to a device for a machine that has a right there. From then on
//! they need no coordinator, until the ticket ends or what it stands for is ended.

use std::net::SocketAddr;

use axum::Json;
use axum::extract::{Path, State};
use proto::api::devices::{DirectWay, WantTicket};
use proto::ticket::Ticket;
use proto::{ApiError, DeviceId, ErrorCode, Permission};
use serde_json::{Value, json};

use super::caller::{Anybody, MachineCaller};
use super::devices::{may_answer, no_such_device};
use super::error::Refusal;
use super::json::JsonBody;
use super::trail::Trail;
use crate::access::{Caller, Denied, Grant};
use crate::audit::Entry;
use crate::coordinator::{Coordinator, Rooms};

/// Gives a machine a ticket for one share of another, and says where that one is.
#[utoipa::path(post, path = "/api/v1/devices/{device}/ticket", tag = "devices",
    params(("device" = String, Path, description = "the device")), request_body = WantTicket,
    responses((status = 200, body = DirectWay), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError), (status = 409, body = ApiError),
        (status = 429, body = ApiError), (status = 503, body = ApiError)))]
pub(crate) async fn ticket(
    State(coordinator): State<Coordinator>,
    MachineCaller { caller, key }: MachineCaller,
    Anybody(connection): Anybody,
    Path(device): Path<String>,
    trail: Trail,
    JsonBody(asked): JsonBody<WantTicket>,
) -> Result<Json<DirectWay>, Refusal> {
    let rooms = coordinator.rooms();
    rooms.identity.may_ask_for_ticket(key).map_err(Refusal::too_many)?;
    let device = device.parse().map_err(|_| no_such_device())?;
    if !matches!(asked.permission, Permission::Read | Permission::Download) {
        return Err(Refusal::parameter("A device is asked straight to read or to download."));
    }
    let grant = rooms.allow(&caller, device, asked.share, asked.permission);
    if grant.is_err() {
        write_down(rooms, &asked, trail.refused(Some(&caller), "ticket.refused", detail(&asked))).await;
    }
    let grant = grant?;
    let (ticket, expires_in) = give(rooms, &caller, &grant, key)?;
    write_down(rooms, &asked, trail.done(Some(&caller), "ticket.given", detail(&asked))).await;
    let addresses = rooms.registry.presence(device).addresses.direct;
    Ok(Json(DirectWay {
        ticket: ticket.as_str().to_owned(),
        expires_in,
        device,
        addresses: addresses.into_iter().filter(|at| means_the_same(at, connection.is_local())).collect(),
    }))
}

/// Signs a ticket, if there is any use in it; with it goes for how many seconds it is good.
fn give(rooms: &Rooms, caller: &Caller, grant: &Grant, key: DeviceId) -> Result<(Ticket, u64), Refusal> {
    if grant.device() == rooms.device {
        return Err(asked_here());
    }
    may_answer(rooms, grant.device())?;
    let given = rooms.tickets.give(grant, key).map_err(|error| {
        tracing::error!(%error, "cannot write a ticket");
        Refusal::internal()
    })?;
    let (ticket, life) = given.ok_or_else(Refusal::internal)?;
    // What ends from now on concerns this ticket, and the device is told; what ended before it was signed is seen here.
    if !rooms.still_allowed(caller, grant) {
        return Err(Denied::Unknown.into());
    }
    Ok((ticket, life.whole_seconds().max(0).unsigned_abs()))
}

/// An address of this machine for itself is another one's elsewhere.
const fn means_the_same(address: &SocketAddr, on_this_machine: bool) -> bool {
    on_this_machine || !address.ip().is_loopback()
}

fn detail(asked: &WantTicket) -> Value {
    json!({"permission": asked.permission})
}

/// Every ticket is written down, and every refusal of one to a share that there is.
async fn write_down(rooms: &Rooms, asked: &WantTicket, entry: Entry) {
    if let Some(share) = rooms.share(asked.share) {
        rooms.audit.record(entry.about(asked.share, &share.place)).await;
    }
}

fn asked_here() -> Refusal {
    Refusal::new(
        ErrorCode::Conflict,
        "This is the machine that you are asking: there is no straighter way to it.",
        "Ask it through /api/v1/devices/{device}/…",
    )
}

//! `/api/v1/transfers/trusted/…`: whose transfers to the caller's machines begin without a question, and how far they are
//! trusted.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proto::api::transfers::{TrustLimits, TrustedSender, TrustedSenders};
use proto::{ApiError, DeviceId, PrincipalId};
use serde_json::json;

use super::caller::PrivateCaller;
use super::error::Refusal;
use super::json::JsonBody;
use super::trail::Trail;
use crate::access::Caller;
use crate::audit::Entry;
use crate::coordinator::{Coordinator, Rooms};

/// Whose transfers to the caller's machines begin without a question.
#[utoipa::path(get, path = "/api/v1/transfers/trusted", tag = "transfers",
    responses((status = 200, body = TrustedSenders), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn list(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
) -> Json<TrustedSenders> {
    Json(TrustedSenders { trusted: coordinator.rooms().trusted_by(caller.principal) })
}

/// From now on this person asks no more before they send to this machine, within limits; or within others than before.
#[utoipa::path(put, path = "/api/v1/transfers/trusted/{device}/{person}", tag = "transfers",
    params(("device" = String, Path, description = "the caller's machine"),
        ("person" = String, Path, description = "who is to be trusted")),
    request_body = TrustLimits,
    responses((status = 200, body = TrustedSender), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn put(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(who): Path<(String, String)>,
    JsonBody(limits): JsonBody<TrustLimits>,
) -> Result<Json<TrustedSender>, Refusal> {
    let rooms = coordinator.rooms();
    let (device, person) = on_own_machine(rooms, &caller, &who)?;
    let trusted = rooms.trust_sender(&caller, (device, person), &limits).await?;
    let detail = json!({"sender": person, "limits": limits});
    let entry = trail.done(Some(&caller), "transfer.trusted", detail);
    rooms.audit.record_durably(Entry { device: Some(device), ..entry }).await;
    Ok(Json(trusted))
}

/// From now on this person asks again before they send to this machine.
#[utoipa::path(delete, path = "/api/v1/transfers/trusted/{device}/{person}", tag = "transfers",
    params(("device" = String, Path, description = "the caller's machine"),
        ("person" = String, Path, description = "who was trusted")),
    responses((status = 204), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn remove(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(who): Path<(String, String)>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    let (device, person) = on_own_machine(rooms, &caller, &who)?;
    if !rooms.transfers.distrust(device, person).await? {
        return Err(nobody());
    }
    let entry = trail.done(Some(&caller), "transfer.distrusted", json!({"sender": person}));
    rooms.audit.record_durably(Entry { device: Some(device), ..entry }).await;
    Ok(StatusCode::NO_CONTENT)
}

fn nobody() -> Refusal {
    Refusal::not_found("Nobody of that id is trusted on such a machine of yours.")
}

/// A machine of the caller's, and a person.
fn on_own_machine(
    rooms: &Rooms,
    caller: &Caller,
    (device, person): &(String, String),
) -> Result<(DeviceId, PrincipalId), Refusal> {
    let device: DeviceId = device.parse().map_err(|_| nobody())?;
    let person: PrincipalId = person.parse().map_err(|_| nobody())?;
    let owns = rooms.identity.devices().owner_of(device) == Some(caller.principal);
    let known = rooms.identity.principals().name(person).is_some();
    if owns && known { Ok((device, person)) } else { Err(nobody()) }
}

//! `/api/v1/transfers/…`: what is sent to somebody's machine. Offers, answers, and what opens the receiver's inbox; the bytes
//! themselves go to the device.

use std::future::Future;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use proto::api::transfers::{
    ApproveTransfer, CancelledTransfers, ClearedTransfers, EndTransfer, LabelTransfer, OfferTransfer,
    OpenTransfer, OpenedTransfer, Transfer as Shown, TransferRole, Transfers, TransfersQuery,
};
use proto::wire::link::Addresses;
use proto::{ApiError, PrincipalId, TransferId};
use serde_json::json;

use super::caller::PrivateCaller;
use super::devices::may_answer;
use super::error::Refusal;
use super::json::{JsonBody, QueryOf};
use super::trail::Trail;
use crate::access::{Caller, Client};
use crate::audit::Entry;
use crate::coordinator::{Coordinator, Rooms};
use crate::store::transfers::TransferRow;
use crate::transfers::{Side, Transfer, TransferError};

/// Transfers in one answer, at most.
const MAX_LISTED: usize = 200;

/// Carries something to its end, even if whoever asked hangs up: what is decided is also told.
async fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Refusal>> + Send + 'static,
) -> Result<T, Refusal> {
    tokio::spawn(work).await.unwrap_or_else(|_| Err(Refusal::internal()))
}

fn parse(id: &str) -> Result<TransferId, Refusal> {
    id.parse().map_err(|_| TransferError::Unknown.into())
}

/// Writes down what became of a try to do something with a transfer, and answers with it.
async fn answered(
    rooms: &Rooms,
    (caller, trail): (&Caller, &Trail),
    (action, id): (&'static str, Option<TransferId>),
    done: Result<Transfer, TransferError>,
) -> Result<Shown, Refusal> {
    let transfer = match done {
        Ok(transfer) => transfer,
        Err(error) => {
            let refusal = Refusal::from(error);
            let detail = json!({"transfer": id, "code": refusal.0.code});
            // What is no business of theirs is not named in the log either.
            let row = id.and_then(|id| rooms.transfer_of(caller, id).ok());
            let entry = about(rooms, row.as_ref(), trail.refused(Some(caller), action, detail));
            rooms.audit.record(entry).await;
            return Err(refusal);
        }
    };
    let detail = transfer.in_the_log();
    let entry = about(rooms, Some(&transfer.row), trail.done(Some(caller), action, detail));
    rooms.audit.record_durably(entry).await;
    Ok(rooms.shown_transfer(caller, transfer))
}

/// What somebody does with a transfer, and what the log calls it.
struct Moves {
    coordinator: Coordinator,
    caller: Caller,
    trail: Trail,
    action: &'static str,
}

impl Moves {
    /// Makes one move, to its end, writes it down, and shows the transfer as it is then.
    async fn one<F>(self, id: &str, make: impl FnOnce(TransferId) -> F) -> Result<Json<Shown>, Refusal>
    where
        F: Future<Output = Result<Transfer, TransferError>> + Send + 'static,
    {
        let id = parse(id)?;
        let made = make(id);
        to_the_end(async move {
            let Self { coordinator, caller, trail, action } = self;
            let made = made.await;
            answered(coordinator.rooms(), (&caller, &trail), (action, Some(id)), made).await.map(Json)
        })
        .await
    }
}

fn about(rooms: &Rooms, row: Option<&TransferRow>, entry: Entry) -> Entry {
    let Some(row) = row else { return entry };
    let share = row.share.or_else(|| rooms.inbox_of(row.device));
    Entry { device: Some(row.device), share, ..entry }
}

/// Offers something to a machine: to its inbox, or to one of its shares.
#[utoipa::path(post, path = "/api/v1/transfers", tag = "transfers", request_body = OfferTransfer,
    responses((status = 201, body = Shown), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError), (status = 429, body = ApiError)))]
pub(crate) async fn offer(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    JsonBody(offer): JsonBody<OfferTransfer>,
) -> Result<(StatusCode, Json<Shown>), Refusal> {
    to_the_end(async move {
        let rooms = coordinator.rooms();
        let made = rooms.offer_transfer(&caller, offer).await;
        let shown = answered(rooms, (&caller, &trail), ("transfer.created", None), made).await?;
        Ok((StatusCode::CREATED, Json(shown)))
    })
    .await
}

/// The transfers that the caller sends or receives, the newest first.
#[utoipa::path(get, path = "/api/v1/transfers", tag = "transfers", params(TransfersQuery),
    responses((status = 200, body = Transfers), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn list(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    QueryOf(query): QueryOf<TransfersQuery>,
) -> Result<Json<Transfers>, Refusal> {
    let rooms = coordinator.rooms();
    let most = query.limit.map_or(MAX_LISTED, |limit| usize::try_from(limit).unwrap_or(MAX_LISTED));
    let rows = rooms.transfers.rows_where(|row| is_listed(rooms, caller.principal, row, query.role));
    let mut transfers = Vec::new();
    for row in rows.into_iter().take(most.min(MAX_LISTED)) {
        match rooms.transfers.get(row.id).await {
            Ok(transfer) => transfers.push(rooms.shown_transfer(&caller, transfer)),
            // It was forgotten meanwhile.
            Err(TransferError::Unknown) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Json(Transfers { transfers }))
}

fn is_listed(rooms: &Rooms, person: PrincipalId, row: &TransferRow, role: TransferRole) -> bool {
    let sides = rooms.sides(person, row);
    let outgoing = sides.sends && !row.sender_cleared;
    let incoming = sides.receives && !row.receiver_cleared;
    match role {
        TransferRole::All => outgoing || incoming,
        TransferRole::Incoming => incoming,
        TransferRole::Outgoing => outgoing,
    }
}

/// One transfer, for either of its sides.
#[utoipa::path(get, path = "/api/v1/transfers/{id}", tag = "transfers",
    params(("id" = String, Path, description = "the transfer")),
    responses((status = 200, body = Shown), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn get(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Refusal> {
    let rooms = coordinator.rooms();
    let row = rooms.transfer_of(&caller, parse(&id)?)?;
    let transfer = rooms.transfers.get(row.id).await?;
    Ok(Json(rooms.shown_transfer(&caller, transfer)))
}

/// The receiver agrees: to all or a part, here or elsewhere, by a passcode or without.
#[utoipa::path(post, path = "/api/v1/transfers/{id}/approve", tag = "transfers", request_body = ApproveTransfer,
    params(("id" = String, Path, description = "the transfer")),
    responses((status = 200, body = Shown), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError), (status = 409, body = ApiError)))]
pub(crate) async fn approve(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
    JsonBody(wish): JsonBody<ApproveTransfer>,
) -> Result<Json<Shown>, Refusal> {
    let moves = Moves { coordinator: coordinator.clone(), caller, trail, action: "transfer.approved" };
    moves.one(&id, |id| async move { coordinator.rooms().approve_transfer(&caller, id, wish).await }).await
}

/// The receiver does not want it.
#[utoipa::path(post, path = "/api/v1/transfers/{id}/reject", tag = "transfers", request_body = EndTransfer,
    params(("id" = String, Path, description = "the transfer")),
    responses((status = 200, body = Shown), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError), (status = 409, body = ApiError)))]
pub(crate) async fn reject(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
    JsonBody(end): JsonBody<EndTransfer>,
) -> Result<Json<Shown>, Refusal> {
    let moves = Moves { coordinator: coordinator.clone(), caller, trail, action: "transfer.rejected" };
    moves
        .one(&id, |id| async move { coordinator.rooms().reject_transfer(&caller, id, end.reason).await })
        .await
}

/// Either side gives it up.
#[utoipa::path(post, path = "/api/v1/transfers/{id}/cancel", tag = "transfers", request_body = EndTransfer,
    params(("id" = String, Path, description = "the transfer")),
    responses((status = 200, body = Shown), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError), (status = 409, body = ApiError)))]
pub(crate) async fn cancel(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
    JsonBody(end): JsonBody<EndTransfer>,
) -> Result<Json<Shown>, Refusal> {
    let moves = Moves { coordinator: coordinator.clone(), caller, trail, action: "transfer.cancelled" };
    moves
        .one(&id, |id| async move { coordinator.rooms().cancel_transfer(&caller, id, end.reason).await })
        .await
}

/// Either side holds it: nothing more comes until that side lets go.
#[utoipa::path(post, path = "/api/v1/transfers/{id}/pause", tag = "transfers",
    params(("id" = String, Path, description = "the transfer")),
    responses((status = 200, body = Shown), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError), (status = 409, body = ApiError)))]
pub(crate) async fn pause(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Refusal> {
    hold(coordinator, caller, trail, &id, true).await
}

/// The side that holds it lets it go on.
#[utoipa::path(post, path = "/api/v1/transfers/{id}/resume", tag = "transfers",
    params(("id" = String, Path, description = "the transfer")),
    responses((status = 200, body = Shown), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError), (status = 409, body = ApiError)))]
pub(crate) async fn resume(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Refusal> {
    hold(coordinator, caller, trail, &id, false).await
}

/// Names it for the caller alone.
#[utoipa::path(put, path = "/api/v1/transfers/{id}/label", tag = "transfers", request_body = LabelTransfer,
    params(("id" = String, Path, description = "the transfer")),
    responses((status = 200, body = Shown), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn label(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    Path(id): Path<String>,
    JsonBody(wish): JsonBody<LabelTransfer>,
) -> Result<Json<Shown>, Refusal> {
    let rooms = coordinator.rooms();
    let labelled = rooms.label_transfer(&caller, parse(&id)?, wish.label).await?;
    Ok(Json(rooms.shown_transfer(&caller, labelled)))
}

async fn hold(
    coordinator: Coordinator,
    caller: Caller,
    trail: Trail,
    id: &str,
    holds: bool,
) -> Result<Json<Shown>, Refusal> {
    let action = if holds { "transfer.paused" } else { "transfer.resumed" };
    let moves = Moves { coordinator: coordinator.clone(), caller, trail, action };
    moves.one(id, move |id| async move { coordinator.rooms().hold_transfer(&caller, id, holds).await }).await
}

/// The sender says the passcode, unless the transfer is open already, and is given what opens the receiver's inbox.
#[utoipa::path(post, path = "/api/v1/transfers/{id}/passcode/open", tag = "transfers", request_body = OpenTransfer,
    params(("id" = String, Path, description = "the transfer")),
    responses((status = 200, body = OpenedTransfer), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError), (status = 409, body = ApiError),
        (status = 429, body = ApiError), (status = 503, body = ApiError)))]
pub(crate) async fn open(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
    JsonBody(open): JsonBody<OpenTransfer>,
) -> Result<Json<OpenedTransfer>, Refusal> {
    let id = parse(&id)?;
    to_the_end(async move {
        let rooms = coordinator.rooms();
        let renews = rooms.is_under_way(id);
        let done = rooms.open_transfer(&caller, id, open.passcode).await;
        let action = if renews { "transfer.renewed" } else { "transfer.passcode_opened" };
        let shown = answered(rooms, (&caller, &trail), (action, Some(id)), done).await?;
        // The device knows what to expect before the sender comes.
        may_answer(rooms, shown.receiver_device_id)?;
        rooms.prepare_device(&rooms.transfers.get(id).await?).await?;
        give(rooms, &caller, shown).map(Json)
    })
    .await
}

/// Signs a ticket for the sender. From a machine it is good for that machine alone, and it is told where to go; a browser
/// goes through this coordinator and is told nothing.
fn give(rooms: &Rooms, caller: &Caller, transfer: Shown) -> Result<OpenedTransfer, Refusal> {
    let device = transfer.receiver_device_id;
    let grant = rooms.allow_transfer(caller, device, transfer.id, Side::Sender)?;
    let machine = match caller.client {
        Client::Device(machine) => Some(machine),
        Client::Session(_) | Client::Upload(_) | Client::Drop(_) => None,
    };
    let presenter = transfer.sender_device_id.or(machine).or(rooms.gateway.id()).unwrap_or(rooms.device);
    let given = rooms.tickets.give(&grant, presenter).map_err(|error| {
        tracing::error!(%error, "cannot write a ticket");
        Refusal::internal()
    })?;
    let (ticket, life) = given.ok_or_else(Refusal::internal)?;
    Ok(OpenedTransfer {
        upload_ticket: ticket.as_str().to_owned(),
        upload_base_url: format!("/api/v1/devices/{device}/inbox/transfers/{}", transfer.id),
        expires_at: rooms.clock.wall() + life,
        addresses: machine.map_or_else(Addresses::default, |_| rooms.whereabouts(device)),
        transfer,
    })
}

/// What came to its end is not shown to the caller any more.
#[utoipa::path(post, path = "/api/v1/transfers/history/clear", tag = "transfers",
    responses((status = 200, body = ClearedTransfers), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn clear_history(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
) -> Result<Json<ClearedTransfers>, Refusal> {
    let deleted = coordinator.rooms().clear_history(caller.principal).await?;
    Ok(Json(ClearedTransfers { deleted }))
}

/// Every offer of the caller that has not begun is given up.
#[utoipa::path(post, path = "/api/v1/transfers/pending/cancel", tag = "transfers",
    responses((status = 200, body = CancelledTransfers), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn cancel_pending(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
) -> Result<Json<CancelledTransfers>, Refusal> {
    to_the_end(async move {
        let rooms = coordinator.rooms();
        let cancelled = rooms.cancel_waiting(&caller).await?;
        let detail = json!({"cancelled": cancelled});
        rooms.audit.record_durably(trail.done(Some(&caller), "transfer.bulk_cancelled", detail)).await;
        Ok(Json(CancelledTransfers { cancelled }))
    })
    .await
}

impl From<TransferError> for Refusal {
    fn from(error: TransferError) -> Self {
        refusal::of(error)
    }
}

mod refusal;

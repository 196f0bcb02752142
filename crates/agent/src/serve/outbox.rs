//! The doors to what this machine sends of its shares. For the coordinator: a ticket for them is given to nobody else.

use std::convert::Infallible;
use std::io;
use std::ops::Not;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use proto::api::transfers::{Carried, Measure, Measured, Outbound};
use proto::{ApiError, ErrorCode};
use tokio::sync::watch;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::FromShare;
use super::error::Refusal;
use super::said::Said;
use crate::agent::Agent;
use crate::files::FilesError;
use crate::transfer::outbox;

/// The same is told again so often, so that a broken connection is noticed.
const TELL_AGAIN: Duration = Duration::from_secs(30);

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(measure)).routes(routes!(send)).routes(routes!(watch))
}

/// Looks what is to be offered of the ticket's share.
#[utoipa::path(
    post, path = "/agent/v1/outbox/transfers/{transfer}/measure", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer")),
    request_body = Measure,
    responses((status = 200, body = Measured),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn measure(from: FromShare, Said(wanted): Said<Measure>) -> Result<Json<Measured>, Refusal> {
    let measured = tokio::task::spawn_blocking(move || outbox::measure(&from.share, &wanted)).await;
    measured.map_err(|panicked| FilesError::from(io::Error::from(panicked)))?.map(Json).map_err(Refusal)
}

/// Sends this of the ticket's share from now on, as long as the ticket stands.
#[utoipa::path(
    put, path = "/agent/v1/outbox/transfers/{transfer}", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer")),
    request_body = Outbound,
    responses((status = 200, body = Carried),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn send(
    State(agent): State<Arc<Agent>>,
    from: FromShare,
    Said(outbound): Said<Outbound>,
) -> Result<Json<Carried>, Refusal> {
    let FromShare { transfer, share, ticket } = from;
    let rate_limit = agent.config().rate_limit.clone();
    let word = agent.outbox().send(&share, transfer, outbound, rate_limit).map_err(Refusal)?;
    let (place, revoked) = agent.running().enter(Arc::clone(&ticket));
    // It may have ended before it was known to be running.
    if agent.tickets().is_over(&ticket) {
        revoked.cancel();
    }
    let told = agent.outbox().watch(share.id, transfer).ok_or_else(|| Refusal(not_sent()))?;
    let now = told.borrow().clone();
    tokio::spawn(async move {
        tokio::select! {
            () = revoked.cancelled() => agent.outbox().revoke(transfer, &word),
            () = word.cancelled() => {}
        }
        drop(place);
    });
    Ok(Json(now))
}

/// How the sending stands: a line of JSON at once, and another whenever that changes.
#[utoipa::path(
    get, path = "/agent/v1/outbox/transfers/{transfer}/watch", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer")),
    responses((status = 200, body = Carried, content_type = "application/x-ndjson"),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn watch(State(agent): State<Arc<Agent>>, from: FromShare) -> Result<Response, Refusal> {
    let told = agent.outbox().watch(from.share.id, from.transfer).ok_or_else(|| Refusal(not_sent()))?;
    let lines = stream::unfold((told, false), |(mut told, begun)| async move {
        if begun && !is_told_again(&mut told).await {
            return None;
        }
        let line = line(&told.borrow_and_update());
        Some((line, (told, true)))
    });
    let headers = [(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// Waits until there is something to tell; false if there will be no more.
async fn is_told_again(told: &mut watch::Receiver<Carried>) -> bool {
    tokio::time::timeout(TELL_AGAIN, told.changed()).await.is_ok_and(|changed| changed.is_err()).not()
}

fn line(carried: &Carried) -> Result<Bytes, Infallible> {
    // Writing to memory cannot fail.
    let mut line = serde_json::to_vec(carried).unwrap_or_default();
    line.push(b'\n');
    Ok(line.into())
}

fn not_sent() -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        "This machine does not send that transfer.",
        "It may have ended; the coordinator says again what is to be sent.",
    )
}

#[cfg(test)]
mod tests;

//! The doors by which a sender without a stream to this device delivers: chunks of files over HTTP. See `proto::api::delivery`.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::Json;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use proto::api::delivery::{
    CHUNK_LAST, CHUNK_OFFSET, ChunkQuery, ChunkTaken, CommitQuery, FinalizeItem, ItemCommitted,
    ItemFinalized, MAX_DESTINATION,
};
use proto::api::files::moment;
use proto::api::transfers::{ItemState, MAX_CHUNK_BYTES};
use proto::{ApiError, ErrorCode, TransferItemId};
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::Delivers;
use super::error::Refusal;
use super::incoming::{Cut, Poured, Sink, check_plain, pour};
use super::params::{JsonBody, Params};
use crate::agent::Agent;
use crate::files::write::{WriteError, off_thread};
use crate::transfer::incoming::{Chunk, ChunkError, Incoming, Intake};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(chunk)).routes(routes!(commit)).routes(routes!(finalize))
}

impl Sink for Intake {
    fn take(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        Self::take(self, bytes)
    }
}

/// Some more bytes of a file: up to 8 MiB, from where the file ends (409 says where that is). They count as a whole or not
/// at all; a newer chunk of the file takes the place of one on its way. What is said of the item must be what was offered.
#[utoipa::path(
    post, path = "/agent/v1/inbox/transfers/{transfer}/chunk", tag = "transfers",
    params(
        ("transfer" = String, Path, description = "The transfer"), ChunkQuery,
        ("x-chunk-offset" = Option<u64>, Header, description = "where the bytes go: 0 if absent"),
        ("x-chunk-last" = Option<String>, Header, description = "`1`: the file is whole with them"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, body = ChunkTaken),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn chunk(
    State(agent): State<Arc<Agent>>,
    Delivers(on): Delivers,
    Params(query): Params<ChunkQuery>,
    request: Request,
) -> Result<Response, Refusal> {
    check_plain(request.headers())?;
    let (offset, is_last) = (offset(request.headers())?, is_last(request.headers())?);
    let chunk = read(query)?;
    let incoming = super::inbox::find(agent, on).await?;
    match take(incoming, chunk, (offset, is_last), request).await {
        Ok(taken) => Ok(Json(taken).into_response()),
        Err(ChunkError::Refused(error)) => Err(Refusal(error)),
        Err(ChunkError::Offset(expected)) => {
            let mut answer = Refusal(elsewhere(expected)).into_response();
            answer.headers_mut().insert(CHUNK_OFFSET, HeaderValue::from(expected));
            Ok(answer)
        }
    }
}

async fn take(
    incoming: Arc<Incoming>,
    chunk: Chunk,
    (offset, is_last): (u64, bool),
    request: Request,
) -> Result<ChunkTaken, ChunkError> {
    let (body, item_id) = (request.into_body(), chunk.item);
    let length = body.size_hint().exact();
    if length.is_some_and(|length| length > MAX_CHUNK_BYTES) {
        return Err(too_large().into());
    }
    let found = {
        let incoming = Arc::clone(&incoming);
        off_thread(move || Ok(incoming.growing(&chunk))).await.map_err(ApiError::from)??
    };
    let Some(growing) = found else {
        let state = ItemState::Staged;
        return Ok(ChunkTaken { item_id, received_size: 0, expected_size: 0, state, blake3: None });
    };
    let (intake, stop) = growing.take_chunk(incoming, offset, length).await?;
    let intake = pour_in(body, intake, &stop).await?;
    off_thread(move || Ok(intake.finish(item_id, is_last))).await.map_err(ApiError::from)?
}

/// Takes the body as a whole.
async fn pour_in(
    body: axum::body::Body,
    intake: Intake,
    stop: &CancellationToken,
) -> Result<Intake, ApiError> {
    let Poured { sink, taken, sent } =
        pour(body, intake, Some(MAX_CHUNK_BYTES), stop).await.map_err(ApiError::from)?;
    taken.map_err(|error| sink.refuse(error))?;
    match sent {
        Ok(()) => Ok(sink),
        Err(Cut::TooLong) => Err(too_large()),
        Err(cut) => Err(Refusal::from(cut).0),
    }
}

/// Nothing more of an item comes: it is found to be what was offered, by size, SHA-256 where that was said, and BLAKE3,
/// and durable. May be asked again.
#[utoipa::path(
    post, path = "/agent/v1/inbox/transfers/{transfer}/commit", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer"), CommitQuery),
    responses((status = 200, body = ItemCommitted),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn commit(
    State(agent): State<Arc<Agent>>,
    Delivers(on): Delivers,
    Params(query): Params<CommitQuery>,
) -> Result<Json<ItemCommitted>, Refusal> {
    let item = named(query.item_id)?;
    let incoming = super::inbox::find(agent, on).await?;
    Ok(Json(off_thread(move || Ok(incoming.commit(item, query.partial))).await??))
}

/// Puts an item that was committed into its place, under a free name. May be asked again.
#[utoipa::path(
    post, path = "/agent/v1/inbox/transfers/{transfer}/finalize", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer")),
    request_body = FinalizeItem,
    responses((status = 200, body = ItemFinalized),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn finalize(
    State(agent): State<Arc<Agent>>,
    Delivers(on): Delivers,
    JsonBody(wish): JsonBody<FinalizeItem>,
) -> Result<Json<ItemFinalized>, Refusal> {
    if wish.destination_path.len() > MAX_DESTINATION {
        return Err(Refusal::parameter(format!("'destination_path' has at most {MAX_DESTINATION} bytes.")));
    }
    let incoming = super::inbox::find(agent, on).await?;
    Ok(Json(off_thread(move || Ok(incoming.finalize(&wish))).await??))
}

fn read(query: ChunkQuery) -> Result<Chunk, Refusal> {
    let modified = moment("modified", query.modified.as_deref()).map_err(Refusal::parameter)?;
    Ok(Chunk {
        item: named(query.item_id)?,
        filename: query.filename,
        size: query.size,
        sha256: query.sha256,
        path: query.path.unwrap_or_default(),
        is_folder: query.folder,
        modified_ns: modified.and_then(|time| i64::try_from(time.unix_timestamp_nanos()).ok()),
    })
}

fn named(item: Option<TransferItemId>) -> Result<TransferItemId, Refusal> {
    item.ok_or_else(|| Refusal::parameter("'item_id' says which item of the transfer is meant."))
}

fn offset(headers: &HeaderMap) -> Result<u64, Refusal> {
    let Some(offset) = headers.get(CHUNK_OFFSET) else { return Ok(0) };
    let offset = offset.to_str().ok().and_then(|offset| offset.parse().ok());
    offset.ok_or_else(|| bad_header("'x-chunk-offset' is a number of bytes."))
}

fn is_last(headers: &HeaderMap) -> Result<bool, Refusal> {
    match headers.get(CHUNK_LAST).map(HeaderValue::as_bytes) {
        None | Some(b"0") => Ok(false),
        Some(b"1") => Ok(true),
        Some(_) => Err(bad_header("'x-chunk-last' is 1 or absent.")),
    }
}

fn bad_header(why: &str) -> Refusal {
    Refusal(ApiError::new(ErrorCode::BadRequest, why, "See the API's description at /api/openapi.json."))
}

fn too_large() -> ApiError {
    ApiError::new(
        ErrorCode::TooLarge,
        format!("A chunk has at most {MAX_CHUNK_BYTES} bytes."),
        "Send the file in smaller chunks.",
    )
}

fn elsewhere(expected: u64) -> ApiError {
    ApiError::new(
        ErrorCode::OffsetConflict,
        format!("The next chunk of this file begins at {expected}."),
        "Send what comes from there.",
    )
}

//! The door for many files in one request: `POST …/unpack`, whose body is a tar archive.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use proto::api::writing::{UnpackEvent, UnpackQuery};
use proto::{ApiError, RelPath};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::CanWrite;
use super::error::Refusal;
use super::incoming::{Frames, check_plain};
use super::params::Params;
use crate::agent::Agent;
use crate::files::unpack::Unpack;
use crate::files::write::off_thread;

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(unpack))
}

/// Unpacks a tar archive (ustar, pax, GNU) into a folder: many small files in one request. The answer comes when all of it is
/// in its place and durable, a line of JSON for each item that is not where it was meant to be, and one for the end.
/// Links, devices and paths that lead out are such items; rights and owners in the archive are not looked at.
#[utoipa::path(
    post, path = "/agent/v1/shares/{share}/unpack", tag = "writing",
    params(("share" = String, Path, description = "The share"), UnpackQuery),
    request_body(content = Vec<u8>, content_type = "application/x-tar"),
    responses((status = 200, content_type = "application/x-ndjson", body = UnpackEvent),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn unpack(
    CanWrite { share, by }: CanWrite,
    Params(query): Params<UnpackQuery>,
    request: Request,
) -> Result<Response, Refusal> {
    check_plain(request.headers())?;
    let into: RelPath = query.path.parse()?;
    {
        let (share, into) = (Arc::clone(&share), into.clone());
        off_thread(move || Ok(share.root.open_folder(&into).map(drop)?)).await?;
    }
    let archive = Frames::of(request.into_body());
    let events =
        off_thread(move || Unpack { share: &share, into, clash: query.clash, by }.run(archive)).await?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], lines(&events)).into_response())
}

fn lines(events: &[UnpackEvent]) -> Vec<u8> {
    let mut lines = Vec::new();
    for event in events {
        // Writing to memory cannot fail.
        let _ = serde_json::to_writer(&mut lines, event);
        lines.push(b'\n');
    }
    lines
}

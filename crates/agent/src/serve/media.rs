//! The doors to pictures and films: `thumbnail`, `transcode`, `media`. Extract, call the room, respond.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use proto::api::files::{MediaInfo, PathQuery, ThumbnailQuery, TranscodeQuery};
use proto::ticket::VerifiedTicket;
use proto::{ApiError, ErrorCode, RelPath};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::CanRead;
use super::error::Refusal;
use super::params::Params;
use crate::agent::Agent;
use crate::files::thumbnail::{DEFAULT_EDGE, Encoded, Format, Thumbnail};
use crate::files::transcode::TranscodeError;

/// Tells what a thumbnail shows: `picture`, `lines` of a text, or a `tile` that stands for what cannot be pictured.
const SHOWS: HeaderName = HeaderName::from_static("x-lanthorn-thumbnail");
/// Nothing in a picture acts, wherever it is opened.
const INERT: &str = "default-src 'none'; style-src 'unsafe-inline'; sandbox";
/// A tile is asked for again: a tool may be installed, a damaged file repaired.
const ASK_AGAIN: &str = "private, no-cache";
/// What never changes under its address.
const FOR_GOOD: &str = "private, max-age=31536000, immutable";
/// The longest name of a player.
const MAX_VIEWER: usize = 64;
/// The longest film: 1,000 hours.
const MAX_START: f64 = 3_600_000.0;
/// When it is worth trying again after every place was taken.
const RETRY_AFTER: u64 = 5;

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(thumbnail)).routes(routes!(transcode)).routes(routes!(media))
}

/// A small picture of a file: JPEG or PNG; SVG for the first lines of a text, and for the tile that stands for what
/// cannot be pictured. The header `x-lanthorn-thumbnail` tells which: `picture`, `lines` or `tile`.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/thumbnail", tag = "files",
    params(("share" = String, Path, description = "The share"), ThumbnailQuery),
    responses(
        (status = 200, content_type = "image/*"), (status = 304),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError),
    ),
)]
async fn thumbnail(
    CanRead(share): CanRead,
    State(agent): State<Arc<Agent>>,
    headers: HeaderMap,
    Params(query): Params<ThumbnailQuery>,
) -> Result<Response, Refusal> {
    let path: RelPath = query.path.parse()?;
    let edge = query.size.unwrap_or(DEFAULT_EDGE);
    if !(64..=1024).contains(&edge) {
        return Err(Refusal::parameter("The size is 64 to 1,024."));
    }
    let thumbnails = &agent.media().thumbnails;
    let subject = thumbnails.look(share, path, edge).await?;
    let tag = format!("\"{}\"", subject.tag());
    let current = query.v.as_deref().is_some_and(|v| !v.is_empty() && v == subject.version());
    let keep = if current { FOR_GOOD } else { ASK_AGAIN };
    if holds(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag.as_str()), (CACHE_CONTROL, keep)]).into_response());
    }
    Ok(match thumbnails.draw(subject).await {
        Thumbnail::Picture(Encoded { format, bytes }) => {
            picture(media_type(format), "picture", &tag, keep, bytes)
        }
        Thumbnail::Lines(svg) => picture("image/svg+xml", "lines", &tag, keep, svg.into()),
        // Another tag: what stands in for a picture must never be taken for it.
        Thumbnail::Tile(svg) => {
            let tag = format!("\"tile-{}", &tag[1..]);
            if holds(&headers, &tag) {
                let again = [(ETAG, tag.as_str()), (CACHE_CONTROL, ASK_AGAIN)];
                return Ok((StatusCode::NOT_MODIFIED, again).into_response());
            }
            picture("image/svg+xml", "tile", &tag, ASK_AGAIN, svg.into())
        }
    })
}

const fn media_type(format: Format) -> &'static str {
    match format {
        Format::Jpeg => "image/jpeg",
        Format::Png => "image/png",
    }
}

fn picture(
    media_type: &'static str,
    shows: &'static str,
    tag: &str,
    keep: &'static str,
    body: Bytes,
) -> Response {
    let headers = [
        (CONTENT_TYPE, media_type),
        (SHOWS, shows),
        (ETAG, tag),
        (CACHE_CONTROL, keep),
        (CONTENT_SECURITY_POLICY, INERT),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    (headers, body).into_response()
}

/// True if the browser says that it holds the picture of this tag.
fn holds(headers: &HeaderMap, tag: &str) -> bool {
    let held = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    held.flat_map(|value| value.split(',')).any(|held| held.trim().trim_start_matches("W/") == tag)
}

/// What is inside a film or a piece of music.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/media", tag = "files",
    params(("share" = String, Path, description = "The share"), PathQuery),
    responses((status = 200, body = MediaInfo), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn media(
    CanRead(share): CanRead,
    State(agent): State<Arc<Agent>>,
    Params(query): Params<PathQuery>,
) -> Result<Response, Refusal> {
    let path: RelPath = query.path.parse()?;
    let info = agent.media().films.info(share, path).await?;
    Ok(([(CACHE_CONTROL, ASK_AGAIN)], Json(info)).into_response())
}

/// A film, converted while it is watched: fragmented MP4 from `start` on, without byte ranges. To seek, ask again with
/// another `start` and the same `viewer`.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/transcode", tag = "files",
    params(("share" = String, Path, description = "The share"), TranscodeQuery),
    responses(
        (status = 200, content_type = "video/mp4"),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError),
    ),
)]
async fn transcode(
    CanRead(share): CanRead,
    State(agent): State<Arc<Agent>>,
    Extension(ticket): Extension<Arc<VerifiedTicket>>,
    Params(query): Params<TranscodeQuery>,
) -> Result<Response, Refusal> {
    let path: RelPath = query.path.parse()?;
    if !(0.0..=MAX_START).contains(&query.start) {
        return Err(Refusal::parameter("The start is a number of seconds, not below 0."));
    }
    if query.viewer.len() > MAX_VIEWER {
        return Err(Refusal::parameter("The viewer's name is too long."));
    }
    let media = agent.media();
    let (file, film) = media.films.open(share, path).await?;
    // Of this session: nobody can end what another watches.
    let viewer = (ticket.claims().cli.clone(), query.viewer);
    let converted = media.transcodes.start(viewer, file, &film, query.start).await?;
    let headers = [
        (CONTENT_TYPE, "video/mp4"),
        (CACHE_CONTROL, "no-store"),
        (axum::http::header::ACCEPT_RANGES, "none"),
        (CONTENT_SECURITY_POLICY, INERT),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, Body::from_stream(converted)).into_response())
}

impl From<TranscodeError> for Refusal {
    fn from(error: TranscodeError) -> Self {
        let (code, message, hint) = match error {
            TranscodeError::ToolMissing => (
                ErrorCode::ToolMissing,
                "Films can be converted only where ffmpeg is installed.",
                "Install ffmpeg on that machine, or download the film.",
            ),
            TranscodeError::NotFilm => (
                ErrorCode::Unsupported,
                "This is not a film that can be converted.",
                "Download it and open it with a player.",
            ),
            TranscodeError::Busy => (
                ErrorCode::Busy,
                "That machine is converting as many films as it can.",
                "Close one of them, or try again in a moment.",
            ),
            TranscodeError::Run(cause) => {
                tracing::warn!(error = %cause, "ffmpeg could not be started");
                (ErrorCode::Internal, "ffmpeg could not be started.", "See the log on that machine.")
            }
        };
        let error = ApiError::new(code, message, hint);
        Self(if code == ErrorCode::Busy { error.retry_after(RETRY_AFTER) } else { error })
    }
}

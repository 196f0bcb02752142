//! The doors to uploads that survive: tus 1.0.0 (<https://tus.io/protocols/resumable-upload>) with creation,
//! creation-with-upload, creation-defer-length, checksum, termination, expiration and concatenation.
//!
//! [`words`] reads and writes the protocol's headers, [`metadata`] what is said of the file, [`carry`] brings the bytes in.

mod carry;
mod metadata;
#[cfg(test)]
mod tests;
mod words;

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::map_response;
use axum::response::{IntoResponse, Response};
use proto::api::writing::Uploads;
use proto::{ApiError, UploadId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use self::carry::Coming;
use super::access::CanWrite;
use super::error::Refusal;
use crate::agent::Agent;
use crate::files::upload::info::{End, Info, Purpose};
use crate::files::upload::join::Join;
use crate::files::upload::{Stage, Upload, UploadError, off_thread};
use crate::files::write::WriteError;

/// The upload that an address names. By its name alone: behind the coordinator's gateway the address has more names.
#[derive(serde::Deserialize)]
struct Named {
    upload: String,
}

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(create, list, options))
        .routes(routes!(stand, append, give_up))
        .layer(map_response(words::sign))
}

/// What of tus is spoken here.
#[utoipa::path(
    options, path = "/agent/v1/shares/{share}/uploads", tag = "writing",
    params(("share" = String, Path, description = "The share")),
    responses((status = 204), (status = "4XX", body = ApiError)),
)]
async fn options(_: CanWrite) -> Response {
    words::abilities()
}

/// The caller's own unfinished uploads, oldest first.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/uploads", tag = "writing",
    params(("share" = String, Path, description = "The share")),
    responses((status = 200, body = Uploads), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn list(CanWrite { share, by }: CanWrite) -> Result<Json<Uploads>, Refusal> {
    let uploads = off_thread(move || share.uploads.list(&share, by)).await?;
    Ok(Json(Uploads { uploads }))
}

/// Begins an upload (tus 1.0.0). `Location` says where it goes on, relative to this address. `Upload-Metadata`: `path` (text
/// form, from the share's root) or `folder` and `filename` or `relativePath`; `modified` (RFC 3339, or milliseconds
/// since 1970); `clash` (ask, rename, replace, skip); `if_match` (a version, or `sha256:…`); `sha256`, `blake3` (of the whole,
/// hexadecimal). Folders on the way are made. When the last byte is here, the file is put into its place; that answer
/// has `Lanthorn-Path` (percent-encoded), `Lanthorn-Outcome`, `Lanthorn-Version` and `Lanthorn-Undo`.
#[utoipa::path(
    post, path = "/agent/v1/shares/{share}/uploads", tag = "writing",
    params(
        ("share" = String, Path, description = "The share"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Length" = Option<u64>, Header, description = "the bytes of the whole"),
        ("Upload-Defer-Length" = Option<u8>, Header, description = "`1`: the length is told later"),
        ("Upload-Metadata" = Option<String>, Header, description = "keys with values in base64"),
        ("Upload-Concat" = Option<String>, Header, description = "`partial`, or `final;` and the uploads to put together"),
        ("Upload-Checksum" = Option<String>, Header, description = "of the body: sha1, sha256 or blake3, and base64"),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses((status = 201), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn create(CanWrite { share, by }: CanWrite, request: Request) -> Result<Response, Refusal> {
    let headers = request.headers();
    words::check_protocol(headers)?;
    let coming = match words::has_bytes(&request) {
        true => Some(Coming::first(headers)?),
        false => None,
    };
    let metadata = words::text(headers, "upload-metadata")?.unwrap_or_default().to_owned();
    let target = || metadata::target(&metadata);
    let purpose = match words::text(headers, "upload-concat")? {
        None => Purpose::File(target()?),
        Some("partial") => Purpose::Piece,
        Some(concat) => {
            let join = Join { by, target: target()?, pieces: words::pieces(concat)?, metadata };
            let upload = {
                let share = Arc::clone(&share);
                off_thread(move || join.run(&share)).await?
            };
            let ended = carry::finish(&share, &upload).await;
            return Ok(answer_created(ended, &upload));
        }
    };
    let length = words::length(headers)?;
    let info = Info::new(by, length, purpose, metadata);
    let upload = {
        let share = Arc::clone(&share);
        off_thread(move || share.uploads.begin(&share, info)).await?
    };
    let ended = match coming {
        Some(coming) => carry::carry(&share, &upload, coming, request.into_body()).await,
        None => carry::finish(&share, &upload).await,
    };
    // What nobody was told of, and cannot go on as it was meant.
    if matches!(ended, Err(ref error) if !carry::can_go_on(error)) {
        let (share, upload) = (Arc::clone(&share), Arc::clone(&upload));
        off_thread(move || share.uploads.give_up(&share, &upload)).await?;
        return ended.map(IntoResponse::into_response);
    }
    Ok(answer_created(ended, &upload))
}

fn answer_created(ended: Result<(), Refusal>, upload: &Upload) -> Response {
    let mut answer = answer(ended, StatusCode::CREATED, upload);
    if let Ok(location) = HeaderValue::from_str(&format!("uploads/{}", upload.id)) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    answer
}

/// Where an upload stands. A request that still sends bytes to it is ended; what it brought counts.
#[utoipa::path(
    head, path = "/agent/v1/shares/{share}/uploads/{upload}", tag = "writing",
    params(("share" = String, Path, description = "The share"), ("upload" = String, Path, description = "The upload"),
        ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses((status = 200), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn stand(
    can: CanWrite,
    Path(Named { upload: id }): Path<Named>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    words::check_protocol(&headers)?;
    let share = Arc::clone(&can.share);
    let upload = find(can, id).await?;
    let ended = carry::finish(&share, &upload).await;
    let known = upload.known();
    if known.stage == Stage::Ended(End::Failed) {
        return Err(WriteError::Gone.into());
    }
    let mut answer = answer(Ok(()), StatusCode::OK, &upload);
    if let Err(Refusal(why)) = ended {
        words::waits(answer.headers_mut(), why.code);
    }
    words::describe(answer.headers_mut(), &known.info);
    Ok(answer)
}

/// Adds bytes to an upload at `Upload-Offset`, which is where it stands. With `Upload-Checksum` all of them are kept or nothing.
/// A whole upload whose place was taken waits: no bytes, with `Lanthorn-Clash` (rename, replace, skip) or `If-Match`, put
/// it into its place.
#[utoipa::path(
    patch, path = "/agent/v1/shares/{share}/uploads/{upload}", tag = "writing",
    params(("share" = String, Path, description = "The share"), ("upload" = String, Path, description = "The upload"),
        ("Tus-Resumable" = String, Header, description = "1.0.0"),
        ("Upload-Offset" = u64, Header, description = "where the bytes go"),
        ("Upload-Length" = Option<u64>, Header, description = "the bytes of the whole, if that was left open"),
        ("Upload-Checksum" = Option<String>, Header, description = "of the body: sha1, sha256 or blake3, and base64"),
        ("Lanthorn-Clash" = Option<String>, Header, description = "what is done when the name is taken"),
        ("If-Match" = Option<String>, Header, description = "the version to replace"),
    ),
    request_body(content = Vec<u8>, content_type = "application/offset+octet-stream"),
    responses((status = 204), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn append(
    can: CanWrite,
    Path(Named { upload: id }): Path<Named>,
    request: Request,
) -> Result<Response, Refusal> {
    words::check_protocol(request.headers())?;
    words::check_type(request.headers())?;
    let coming = Coming::next(request.headers())?;
    let share = Arc::clone(&can.share);
    let upload = find(can, id).await?;
    let ended = carry::carry(&share, &upload, coming, request.into_body()).await;
    Ok(answer(ended, StatusCode::NO_CONTENT, &upload))
}

/// Gives an upload up.
#[utoipa::path(
    delete, path = "/agent/v1/shares/{share}/uploads/{upload}", tag = "writing",
    params(("share" = String, Path, description = "The share"), ("upload" = String, Path, description = "The upload"),
        ("Tus-Resumable" = String, Header, description = "1.0.0")),
    responses((status = 204), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn give_up(
    can: CanWrite,
    Path(Named { upload: id }): Path<Named>,
    headers: HeaderMap,
) -> Result<StatusCode, Refusal> {
    words::check_protocol(&headers)?;
    let share = Arc::clone(&can.share);
    let turn = find(can, id).await?.take_over().await;
    off_thread(move || share.uploads.give_up(&share, &turn.upload)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The caller's own upload of this id. Of others' it is not even told that they exist.
async fn find(CanWrite { share, by }: CanWrite, id: String) -> Result<Arc<Upload>, Refusal> {
    let id: UploadId = id.parse().map_err(|_| UploadError::Unknown)?;
    Ok(off_thread(move || share.uploads.find(&share, id, by)).await?)
}

/// An answer about an upload: where it stands, whether or not what was asked succeeded.
fn answer(ended: Result<(), Refusal>, status: StatusCode, upload: &Upload) -> Response {
    let mut answer = ended.map_or_else(IntoResponse::into_response, |()| status.into_response());
    words::tell(answer.headers_mut(), &upload.known());
    answer
}

//! The doors to former contents: `versions`, `versions/content`, `versions/restore`. They are for who may write: what
//! somebody took out of a file is not shown to everybody who may read it.

use std::sync::Arc;

use axum::Json;
use axum::extract::Request;
use axum::response::Response;
use proto::api::files::PathQuery;
use proto::api::writing::{RestoreVersion, VersionQuery, Versions, Written};
use proto::{ApiError, RelPath, VersionId};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::CanWrite;
use super::content::{self, Purpose};
use super::error::Refusal;
use super::params::{JsonBody, Params};
use crate::agent::Agent;
use crate::files::write::off_thread;
use crate::files::{FilesError, entry, undo, versions};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(read)).routes(routes!(restore))
}

/// The contents that a file had before, newest first.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/versions", tag = "writing",
    params(("share" = String, Path, description = "The share"), PathQuery),
    responses((status = 200, body = Versions), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn list(
    CanWrite { share, .. }: CanWrite,
    Params(query): Params<PathQuery>,
) -> Result<Json<Versions>, Refusal> {
    let path: RelPath = query.path.parse()?;
    let found = off_thread(move || {
        let versions = versions::list(&share, &path)?;
        // What a file had that is deleted is asked for by its path alone; what never had anything must be there.
        if versions.is_empty() {
            share.root.check_file(&path)?;
        }
        Ok(Versions { path, versions })
    });
    Ok(Json(found.await?))
}

/// A former content, as `stream` gives the present one.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/versions/content", tag = "writing",
    params(("share" = String, Path, description = "The share"), VersionQuery),
    responses((status = 200, body = Vec<u8>, content_type = "*/*"), (status = "4XX", body = ApiError)),
)]
async fn read(
    CanWrite { share, .. }: CanWrite,
    Params(query): Params<VersionQuery>,
    request: Request,
) -> Result<Response, Refusal> {
    let path: RelPath = query.path.parse()?;
    let id: VersionId = query.id.parse().map_err(|_| FilesError::NotFound)?;
    let named = path.clone();
    let open = off_thread(move || versions::open(&share, &named, id)).await?;
    content::answer_open(&path, open, Purpose::Show, &request.into_parts().0).await
}

/// Makes a former content the present one. The present one becomes a version.
#[utoipa::path(
    post, path = "/agent/v1/shares/{share}/versions/restore", tag = "writing",
    params(("share" = String, Path, description = "The share")),
    request_body = RestoreVersion,
    responses((status = 200, body = Written), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn restore(
    CanWrite { share, by }: CanWrite,
    JsonBody(wish): JsonBody<RestoreVersion>,
) -> Result<Json<Written>, Refusal> {
    let path: RelPath = wish.path.parse()?;
    let written = off_thread(move || {
        let published = versions::restore(&share, &path, wish.id, by)?;
        let undo = undo::of_written(&share, &published, by);
        let entry = entry::of(published.path, &published.stat, false);
        Ok(Written { entry, outcome: published.outcome, sha256: None, undo })
    });
    Ok(Json(written.await?))
}

//! The doors for what is done to files and folders that are there: `mkdir`, `move`, `copy`, `rename`, `delete`,
//! `restore`, `undo`, and the trash. All need the right to write.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use proto::api::writing::{
    Acted, Delete, MAX_ITEMS, MakeFolder, Relocate, Rename, Restore, Trash, TrashQuery, Undo,
};
use proto::{ApiError, ErrorCode, RelPath};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::CanWrite;
use super::error::Refusal;
use super::params::{JsonBody, Params};
use crate::agent::{Agent, Share};
use crate::files::acts::{self, Step, trash};
use crate::files::write::{WriteError, off_thread};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(mkdir))
        .routes(routes!(relocate))
        .routes(routes!(copy))
        .routes(routes!(rename))
        .routes(routes!(delete))
        .routes(routes!(restore))
        .routes(routes!(undo))
        .routes(routes!(list_trash, empty_trash))
}

/// Makes a folder; with `parents` those that it is in too.
#[utoipa::path(
    post, path = "/agent/v1/shares/{share}/mkdir", tag = "writing",
    params(("share" = String, Path, description = "The share")), request_body = MakeFolder,
    responses((status = 200, body = Acted), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn mkdir(
    CanWrite { share, by }: CanWrite,
    JsonBody(wish): JsonBody<MakeFolder>,
) -> Result<Json<Acted>, Refusal> {
    let path = wish.path.parse()?;
    act(share, move |share| acts::make_folder(share, path, wish.parents, by)).await
}

/// Moves files and folders within the share. What fails for one does not stop the others: each says what became of it.
#[utoipa::path(
    post, path = "/agent/v1/shares/{share}/move", tag = "writing",
    params(("share" = String, Path, description = "The share")), request_body = Relocate,
    responses((status = 200, body = Acted), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn relocate(
    CanWrite { share, by }: CanWrite,
    JsonBody(wish): JsonBody<Relocate>,
) -> Result<Json<Acted>, Refusal> {
    let (steps, clash) = (steps(&wish)?, wish.clash);
    act(share, move |share| acts::relocate(share, steps, clash, by)).await
}

/// Copies files and folders within the share. A copy is never half there.
#[utoipa::path(
    post, path = "/agent/v1/shares/{share}/copy", tag = "writing",
    params(("share" = String, Path, description = "The share")), request_body = Relocate,
    responses((status = 200, body = Acted), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn copy(
    CanWrite { share, by }: CanWrite,
    JsonBody(wish): JsonBody<Relocate>,
) -> Result<Json<Acted>, Refusal> {
    let (steps, clash) = (steps(&wish)?, wish.clash);
    act(share, move |share| acts::copy(share, steps, clash, by)).await
}

/// Changes many names by one rule; with `preview` only says which they would be, and which of them are taken.
#[utoipa::path(
    post, path = "/agent/v1/shares/{share}/rename", tag = "writing",
    params(("share" = String, Path, description = "The share")), request_body = Rename,
    responses((status = 200, body = Acted), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn rename(
    CanWrite { share, by }: CanWrite,
    JsonBody(wish): JsonBody<Rename>,
) -> Result<Json<Acted>, Refusal> {
    let paths = paths(&wish.paths)?;
    act(share, move |share| acts::rename(share, paths, &wish.rule, wish.preview, by)).await
}

/// Deletes files and folders: they go to the share's trash, with the versions they have.
#[utoipa::path(
    post, path = "/agent/v1/shares/{share}/delete", tag = "writing",
    params(("share" = String, Path, description = "The share")), request_body = Delete,
    responses((status = 200, body = Acted), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn delete(
    CanWrite { share, by }: CanWrite,
    JsonBody(wish): JsonBody<Delete>,
) -> Result<Json<Acted>, Refusal> {
    let paths = paths(&wish.paths)?;
    act(share, move |share| trash::delete(share, paths, by)).await
}

/// Brings things back out of the trash, each to the place it had.
#[utoipa::path(
    post, path = "/agent/v1/shares/{share}/restore", tag = "writing",
    params(("share" = String, Path, description = "The share")), request_body = Restore,
    responses((status = 200, body = Acted), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn restore(
    CanWrite { share, by }: CanWrite,
    JsonBody(wish): JsonBody<Restore>,
) -> Result<Json<Acted>, Refusal> {
    check_number(wish.ids.len())?;
    act(share, move |share| trash::restore(share, &wish.ids, wish.clash, by)).await
}

/// Undoes an act, for who did it, within seven days. What was changed since is left alone, and said. The answer's own
/// token undoes the undoing.
#[utoipa::path(
    post, path = "/agent/v1/shares/{share}/undo", tag = "writing",
    params(("share" = String, Path, description = "The share")), request_body = Undo,
    responses((status = 200, body = Acted), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn undo(
    CanWrite { share, by }: CanWrite,
    JsonBody(wish): JsonBody<Undo>,
) -> Result<Json<Acted>, Refusal> {
    act(share, move |share| acts::undo(share, wish.token, by)).await
}

/// What is in the share's trash, newest first.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/trash", tag = "writing",
    params(("share" = String, Path, description = "The share")),
    responses((status = 200, body = Trash), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn list_trash(CanWrite { share, .. }: CanWrite) -> Result<Json<Trash>, Refusal> {
    Ok(Json(off_thread(move || trash::list(&share)).await?))
}

/// Empties the trash, or removes one thing from it: for good.
#[utoipa::path(
    delete, path = "/agent/v1/shares/{share}/trash", tag = "writing",
    params(("share" = String, Path, description = "The share"), TrashQuery),
    responses((status = 204), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn empty_trash(
    CanWrite { share, .. }: CanWrite,
    Params(query): Params<TrashQuery>,
) -> Result<StatusCode, Refusal> {
    let only = match &*query.id {
        "" => None,
        id => Some(id.parse().map_err(|_| WriteError::Gone)?),
    };
    off_thread(move || trash::empty(&share, only)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Runs an act to its end, also when nobody waits for it any more.
async fn act<W>(share: Arc<Share>, work: W) -> Result<Json<Acted>, Refusal>
where
    W: FnOnce(&Share) -> Result<Acted, WriteError> + Send + 'static,
{
    Ok(Json(off_thread(move || work(&share)).await?))
}

fn steps(wish: &Relocate) -> Result<Vec<Step>, Refusal> {
    check_number(wish.items.len())?;
    let step = |item: &proto::api::writing::Step| {
        let to = item.to.parse::<RelPath>().map_err(|error| Refusal::from(error).0);
        Ok(Step { from: item.from.parse()?, to })
    };
    wish.items.iter().map(step).collect()
}

fn paths(texts: &[String]) -> Result<Vec<RelPath>, Refusal> {
    check_number(texts.len())?;
    texts.iter().map(|text| Ok(text.parse()?)).collect()
}

fn check_number(items: usize) -> Result<(), Refusal> {
    if items <= MAX_ITEMS {
        return Ok(());
    }
    let message = format!("One act takes up to {MAX_ITEMS} things, and these are {items}.");
    Err(Refusal(ApiError::new(ErrorCode::TooLarge, message, "Do it in several parts.")))
}

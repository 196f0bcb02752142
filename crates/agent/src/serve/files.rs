//! The doors to folders and files: `list`, `stat`, `stream`, `download`. Extract, call the room, respond.

use std::sync::Arc;

use axum::Json;
use proto::ApiError;
use proto::RelPath;
use proto::api::files::{Entry, PathQuery};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::CanRead;
use super::error::Refusal;
use super::params::Params;
use crate::agent::Agent;
use crate::files::{entry, off_thread};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(stat))
}

/// What is at a place.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/stat", tag = "files",
    params(("share" = String, Path, description = "The share"), PathQuery),
    responses((status = 200, body = Entry), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn stat(CanRead(share): CanRead, Params(query): Params<PathQuery>) -> Result<Json<Entry>, Refusal> {
    let path: RelPath = query.path.parse()?;
    Ok(Json(off_thread(move || entry::look(&share.root, path)).await?))
}

#[cfg(test)]
mod tests {
    use proto::ErrorCode;
    use proto::api::files::{Entry, EntryType, Kind};

    use crate::testing::World;

    #[tokio::test]
    async fn stat_tells_what_is_there() {
        let world = World::new();
        world.write("films/a b.mp4", b"12345");
        let entry: Entry = world.get("stat?path=films/a%20b.mp4").await.json();
        assert_eq!((entry.name.as_str(), entry.size), ("a b.mp4", 5));
        assert_eq!((entry.entry_type, entry.kind, entry.link), (EntryType::File, Kind::Video, false));
        let root: Entry = world.get("stat").await.json();
        assert_eq!((root.name.as_str(), root.entry_type), ("", EntryType::Folder));
        assert_eq!(world.get("stat?path=nothing").await.code(), ErrorCode::NotFound);
        assert_eq!(world.get("stat?path=../x").await.code(), ErrorCode::BadPath);
        assert_eq!(world.get("stat?path=%ff").await.code(), ErrorCode::BadPath);
        assert_eq!(world.get("stat?path=a&path=b").await.code(), ErrorCode::BadParameter);
    }
}

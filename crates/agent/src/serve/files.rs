//! The doors to folders and files: `list`, `stat`, `stream`, `download`. Extract, call the room, respond.

use std::sync::Arc;

use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use proto::api::files::{DEFAULT_PAGE, Entry, ListQuery, Listing, MAX_PAGE, PathQuery};
use proto::{ApiError, RelPath};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{CanDownload, CanRead};
use super::content::{self, Purpose};
use super::error::Refusal;
use super::params::Params;
use crate::agent::Agent;
use crate::files::list::{Folder, Wish};
use crate::files::{entry, off_thread};

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(stat))
        .routes(routes!(stream))
        .routes(routes!(download))
}

/// A folder: a page of its entries, or all of them as one streamed document.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/list", tag = "files",
    params(("share" = String, Path, description = "The share"), ListQuery),
    responses((status = 200, body = Listing), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn list(
    CanRead(share): CanRead,
    State(agent): State<Arc<Agent>>,
    Params(query): Params<ListQuery>,
) -> Result<Response, Refusal> {
    let path: RelPath = query.path.parse()?;
    let (limit, offset) = (limit(&query.limit)?, query.offset);
    let folder = move || Folder::open(share, path);
    let wish = wish(query);
    let body = match limit {
        Some(limit) => {
            Body::from(off_thread(move || folder()?.page(agent.names(), &wish, offset, limit)).await?)
        }
        None => Body::from_stream(off_thread(folder).await?.stream(Arc::clone(agent.names()), wish)),
    };
    Ok(([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "private, no-cache")], body).into_response())
}

fn wish(query: ListQuery) -> Wish {
    let ListQuery { sort, order, filter, kind, hide_dotfiles, .. } = query;
    Wish { sort, order, filter, kind, hide_dotfiles }
}

/// How many entries a page may have; `None` for the whole folder.
fn limit(text: &str) -> Result<Option<u32>, Refusal> {
    match text {
        "" => Ok(Some(DEFAULT_PAGE)),
        "all" => Ok(None),
        number => match number.parse::<u32>() {
            Ok(number) => Ok(Some(number.min(MAX_PAGE))),
            Err(_) => Err(Refusal::parameter("The limit is a number or 'all'.")),
        },
    }
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

/// A file's content, to be shown in place. Byte ranges, conditions and `HEAD` as in RFC 9110.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/stream", tag = "files",
    params(("share" = String, Path, description = "The share"), PathQuery),
    responses(
        (status = 200, body = Vec<u8>, content_type = "*/*"),
        (status = 206, body = Vec<u8>, content_type = "*/*"),
        (status = 304, description = "The version the caller has"),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError),
    ),
)]
async fn stream(
    CanRead(share): CanRead,
    Params(query): Params<PathQuery>,
    request: Request,
) -> Result<Response, Refusal> {
    content::answer(share, query.path.parse()?, Purpose::Show, &request.into_parts().0).await
}

/// A file's content, to be saved. Byte ranges, conditions and `HEAD` as in RFC 9110.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/download", tag = "files",
    params(("share" = String, Path, description = "The share"), PathQuery),
    responses(
        (status = 200, body = Vec<u8>, content_type = "*/*"),
        (status = 206, body = Vec<u8>, content_type = "*/*"),
        (status = 304, description = "The version the caller has"),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError),
    ),
)]
async fn download(
    CanDownload(share): CanDownload,
    Params(query): Params<PathQuery>,
    request: Request,
) -> Result<Response, Refusal> {
    content::answer(share, query.path.parse()?, Purpose::Save, &request.into_parts().0).await
}

#[cfg(test)]
mod tests {
    use proto::ErrorCode;
    use proto::api::files::{Entry, EntryType, Kind, Listing};

    use crate::testing::World;

    async fn names(world: &World, tail: &str) -> Vec<String> {
        let page: Listing = world.get(tail).await.json();
        page.entries.into_iter().map(|entry| entry.name).collect()
    }

    fn mixed() -> World {
        let world = World::new();
        for (name, size) in [("b10.txt", 1), ("B2.txt", 3), ("a.jpg", 2), (".dot", 0), ("d/x", 1), ("C/y", 1)]
        {
            world.write(name, &vec![b'x'; size]);
        }
        world.write(".lanthorn-part", b"");
        world
    }

    #[tokio::test]
    async fn folders_come_first_in_every_order() {
        let world = mixed();
        for (query, expected) in [
            ("", "C d .dot a.jpg B2.txt b10.txt"),
            ("order=desc", "d C b10.txt B2.txt a.jpg .dot"),
            ("sort=size", "C d .dot b10.txt a.jpg B2.txt"),
            ("sort=size&order=desc", "d C B2.txt a.jpg b10.txt .dot"),
            ("sort=kind", "C d a.jpg B2.txt b10.txt .dot"),
            ("filter=B", "B2.txt b10.txt"),
            ("filter=zzz", ""),
            ("kind=image", "C d a.jpg"),
            ("hide_dotfiles=true", "C d a.jpg B2.txt b10.txt"),
            ("offset=1&limit=2", "d .dot"),
            ("offset=99", ""),
            ("limit=0", ""),
            ("limit=all", "C d .dot a.jpg B2.txt b10.txt"),
        ] {
            assert_eq!(names(&world, &format!("list?{query}")).await.join(" "), expected, "{query}");
        }
        assert_eq!(world.get("list?limit=many").await.code(), ErrorCode::BadParameter);
        assert_eq!(world.get("list?path=a.jpg").await.code(), ErrorCode::NotFolder);
    }

    #[tokio::test]
    async fn time_orders_by_the_last_change() {
        let world = mixed();
        let day = |n: u64| std::time::UNIX_EPOCH + std::time::Duration::from_secs(n * 86_400);
        for (name, n) in [("b10.txt", 3), ("B2.txt", 1), ("a.jpg", 2), (".dot", 4)] {
            std::fs::File::options()
                .write(true)
                .open(world.path(name))
                .unwrap()
                .set_modified(day(n))
                .unwrap();
        }
        let listed = names(&world, "list?sort=modified").await;
        assert_eq!(listed[2..].join(" "), "B2.txt a.jpg b10.txt .dot");
    }

    #[tokio::test]
    async fn a_page_agrees_with_stat_and_follows_every_change() {
        let world = mixed();
        for round in 0..20 {
            let page: Listing = world.get("list").await.json();
            assert_eq!(page.total, 6 + round, "a remembered list was not refreshed");
            for entry in page.entries {
                let tail = format!("stat?path={}", entry.path);
                assert_eq!(world.get(&tail).await.json::<Entry>(), entry);
            }
            world.write(&format!("new{round}"), b"");
        }
    }

    #[tokio::test]
    async fn links_and_special_files_are_shown_for_what_they_are() {
        use std::os::unix::fs::symlink;
        let world = World::new();
        world.write("d/file.txt", b"1234");
        std::fs::write(world.outside().join("secret"), b"secret").unwrap();
        for (target, name) in [
            ("d", "in-d"),
            ("d/file.txt", "in-f"),
            ("../secret", "out"),
            ("/etc/passwd", "out2"),
            ("loop", "loop"),
            ("gone", "gone"),
        ] {
            symlink(target, world.path(name)).unwrap();
        }
        let listener = std::os::unix::net::UnixListener::bind(world.path("socket")).unwrap();
        let page: Listing = world.get("list").await.json();
        let shown: Vec<_> =
            page.entries.iter().map(|e| (e.name.as_str(), e.entry_type, e.link, e.size)).collect();
        assert_eq!(
            shown,
            [
                ("d", EntryType::Folder, false, 0),
                ("in-d", EntryType::Folder, true, 0),
                ("gone", EntryType::LinkOut, true, 0),
                ("in-f", EntryType::File, true, 4),
                ("loop", EntryType::LinkOut, true, 0),
                ("out", EntryType::LinkOut, true, 0),
                ("out2", EntryType::LinkOut, true, 0),
                ("socket", EntryType::Special, false, 0),
            ]
        );
        drop(listener);
    }

    #[tokio::test]
    async fn a_large_folder_streams_whole_and_pages_fit_together() {
        let world = World::new();
        std::fs::create_dir(world.path("many")).unwrap();
        for n in 0..3000 {
            std::fs::File::create(world.path(&format!("many/file {n}.bin"))).unwrap();
        }
        let whole: Listing = world.get("list?path=many&limit=all").await.json();
        let expected: Vec<_> = (0..3000).map(|n| format!("file {n}.bin")).collect();
        assert_eq!(
            whole.entries.iter().map(|e| &e.name).collect::<Vec<_>>(),
            expected.iter().collect::<Vec<_>>()
        );
        assert_eq!((whole.total, whole.parent.map(|p| p.to_string())), (3000, Some(String::new())));
        let page: Listing = world.get("list?path=many&offset=2990").await.json();
        assert_eq!((page.version, page.entries), (whole.version, whole.entries[2990..].to_vec()));
    }

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

//! The door to what changes: `watch`, a line of JSON for each change of one place.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use proto::api::writing::{Seen, WatchQuery};
use proto::{ApiError, RelPath};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::CanRead;
use super::error::Refusal;
use super::params::Params;
use crate::agent::Agent;
use crate::files::FilesError;
use crate::files::watch::Watcher;

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(watch))
}

/// What is at a place: a line at once, and another whenever that changes (content, name, or how many others have it
/// open). The same is told again every 30 seconds.
#[utoipa::path(
    get, path = "/agent/v1/shares/{share}/watch", tag = "writing",
    params(("share" = String, Path, description = "The share"), WatchQuery),
    responses((status = 200, body = Seen, content_type = "application/x-ndjson"),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn watch(CanRead(share): CanRead, Params(query): Params<WatchQuery>) -> Result<Response, Refusal> {
    let path: RelPath = query.path.parse()?;
    let watcher = Watcher::begin(share, path, query.editing).await?;
    let lines = stream::unfold(Some(watcher), |watcher| async {
        let mut watcher = watcher?;
        match line(&mut watcher).await {
            Ok(line) => Some((Ok(line), Some(watcher))),
            Err(error) => Some((Err(error), None)),
        }
    });
    let most = if query.once { 1 } else { usize::MAX };
    let headers = [(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(lines.take(most))).into_response())
}

async fn line(watcher: &mut Watcher) -> Result<Bytes, FilesError> {
    let mut line = serde_json::to_vec(&watcher.next().await?).map_err(std::io::Error::from)?;
    line.push(b'\n');
    Ok(line.into())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::Method;
    use http_body_util::BodyExt;
    use proto::ErrorCode;
    use proto::api::writing::Seen;
    use tower::ServiceExt;

    use crate::testing::World;

    /// What one watcher is told.
    struct Told(Body);

    impl Told {
        async fn begin(world: &World, query: &str) -> Self {
            let request = world.request(Method::GET, &format!("watch?{query}")).body(Body::empty()).unwrap();
            Self(world.router().oneshot(request).await.unwrap().into_body())
        }

        async fn next(&mut self) -> Seen {
            let line = self.0.frame().await.unwrap().unwrap().into_data().unwrap();
            serde_json::from_slice(&line).unwrap()
        }

        /// The next line of which this is true.
        async fn until(&mut self, fits: impl Fn(&Seen) -> bool) -> Seen {
            loop {
                let seen = self.next().await;
                if fits(&seen) {
                    return seen;
                }
            }
        }
    }

    #[tokio::test]
    async fn changes_by_whomever_are_told() {
        let world = World::new();
        world.write("a.txt", b"one");
        let mut told = Told::begin(&world, "path=a.txt").await;
        let first = told.next().await;
        assert_eq!((first.entry.unwrap().size, first.others), (3, 0));
        let put =
            world.request(Method::PUT, "content?path=a.txt&clash=replace").body("seven".into()).unwrap();
        let writer = world.last();
        assert!(world.send(put).await.status.is_success());
        let second = told.next().await;
        assert_eq!((second.entry.unwrap().size, second.changed_by), (5, Some(writer)));
        world.write("a.txt", b"by another program");
        let third = told.until(|seen| seen.entry.as_ref().is_some_and(|entry| entry.size == 18)).await;
        assert_eq!(third.changed_by, None);
        std::fs::remove_file(world.path("a.txt")).unwrap();
        assert_eq!(told.until(|seen| seen.entry.is_none()).await.others, 0);
        world.write("a.txt", b"again");
        told.until(|seen| seen.entry.is_some()).await;
    }

    #[tokio::test]
    async fn who_else_has_it_open_is_counted() {
        let world = World::new();
        world.write("a.txt", b"one");
        let mut mine = Told::begin(&world, "path=a.txt&editing=true").await;
        assert_eq!(mine.next().await.others, 0);
        let mut theirs = Told::begin(&world, "path=a.txt&editing=true").await;
        assert_eq!((theirs.next().await.others, mine.next().await.others), (1, 1));
        let mut looks = Told::begin(&world, "path=a.txt").await;
        assert_eq!(looks.next().await.others, 2, "who only looks does not count, and sees both");
        drop(theirs);
        assert_eq!((mine.next().await.others, looks.next().await.others), (0, 1));
    }

    #[tokio::test]
    async fn folders_are_watched_too_and_nothing_else() {
        let world = World::new();
        world.write("d/a", b"");
        let mut told = Told::begin(&world, "path=d").await;
        told.next().await;
        let put = world.request(Method::PUT, "content?path=d/b").body("b".into()).unwrap();
        assert!(world.send(put).await.status.is_success());
        told.next().await;
        assert_eq!(world.get("watch?path=gone").await.code(), ErrorCode::NotFound);
        std::os::unix::fs::symlink("..", world.path("out")).unwrap();
        assert_eq!(world.get("watch?path=out").await.code(), ErrorCode::OutsideShare);
        assert!(!world.path(".lanthorn-store").join("versions/d").exists(), "looking makes nothing");
    }
}

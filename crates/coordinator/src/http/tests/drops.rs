//! Links that any browser opens: what whoever has one may see and take, for how long, and in whose name.

use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use parking_lot::Mutex;

use super::*;

/// What a device was asked: the word and its query.
type Asked = Arc<Mutex<Vec<(String, String)>>>;

/// A device that has one file and one folder, and takes note of what it is asked.
fn device(asked: &Asked) -> RouterLink {
    let asked = Arc::clone(asked);
    RouterLink::new(Router::new().fallback(move |uri: Uri, headers: axum::http::HeaderMap| {
        let asked = Arc::clone(&asked);
        async move { answer(&asked, &uri, &headers) }
    }))
}

fn answer(asked: &Asked, uri: &Uri, headers: &axum::http::HeaderMap) -> Response {
    let word = uri.path().rsplit('/').next().unwrap().to_owned();
    let query = uri.query().unwrap_or_default().to_owned();
    asked.lock().push((word.clone(), query.clone()));
    assert!(!headers.contains_key("cookie"));
    match word.as_str() {
        "stat" if query.ends_with("/none") => {
            let error = proto::ApiError::new(proto::ErrorCode::NotFound, "It is not there.", "Look.");
            (StatusCode::NOT_FOUND, axum::Json(error)).into_response()
        }
        "stat" => {
            let name = query.rsplit('/').next().unwrap();
            let kind = if name == "album" { "folder" } else { "file" };
            axum::Json(json!({"name": name, "path": format!("d/{name}"), "type": kind, "kind": "other",
                "size": 7, "modified": null, "version": "1"}))
            .into_response()
        }
        "download" => match headers.get("range") {
            Some(_) => (StatusCode::PARTIAL_CONTENT, "ent").into_response(),
            None => "content".into_response(),
        },
        "archive" => "zipped".into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

struct Play {
    world: World,
    owner: Browser,
    asked: Asked,
    secret: String,
    id: Value,
}

impl Play {
    async fn new(more: Value) -> Self {
        let (world, mut owner) = World::set_up().await;
        let asked = Asked::default();
        world.coordinator.set_local_agent(device(&asked));
        let made = make(&world, &mut owner, &["d/note.txt", "d/album"], more).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        let secret = made.body["secret"].as_str().unwrap().to_owned();
        assert!(made.body["link"].as_str().unwrap().ends_with(&format!("/d/{secret}")));
        asked.lock().clear();
        Self { world, owner, asked, secret, id: made.body["drop"]["id"].clone() }
    }

    async fn visit(&self, tail: &str) -> Answer {
        private(9).get(&self.world, &format!("/api/v1/drops/{}{tail}", self.secret)).await
    }

    async fn bytes(&self, tail: &str, range: Option<&str>) -> (u16, String) {
        let mut browser = private(9);
        browser.headers.extend(range.map(|range| ("range", range.to_owned())));
        let path = format!("/api/v1/drops/{}{tail}", self.secret);
        let answer = browser.begin(&self.world, Method::GET, &path, None).await;
        let status = answer.status().as_u16();
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&bytes).into_owned())
    }

    async fn take(&self) -> Answer {
        let path = format!("/api/v1/drops/{}/take", self.secret);
        private(9).post(&self.world, &path, json!({})).await
    }
}

async fn make(world: &World, by: &mut Browser, paths: &[&str], more: Value) -> Answer {
    let share = world.coordinator.rooms().shares.borrow()[0].id;
    let mut asked = json!({"share_id": share, "paths": paths, "lifetime_seconds": 3600});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    by.post(world, "/api/v1/drops", asked).await
}

#[tokio::test]
async fn whoever_has_the_link_sees_names_and_takes_bytes_and_nothing_else() {
    let play = Play::new(json!({"message": "for you"})).await;
    let seen = play.visit("").await;
    assert_eq!((seen.status, &seen.body["message"]), (StatusCode::OK, &json!("for you")), "{}", seen.body);
    let items =
        json!([{"name": "note.txt", "is_folder": false, "size": 7}, {"name": "album", "is_folder": true}]);
    assert_eq!(seen.body["items"], items);
    assert_eq!(play.bytes("/files/0", None).await, (200, "content".into()));
    assert_eq!(play.bytes("/files/0", Some("bytes=4-6")).await, (206, "ent".into()));
    assert_eq!(play.bytes("/files/1", None).await, (200, "zipped".into()));
    assert_eq!(play.bytes("/archive", None).await, (200, "zipped".into()));
    for tail in ["/files/2", "/files/x", "/files/-1"] {
        assert_eq!(play.bytes(tail, None).await.0, 404, "{tail}");
    }
    let asked = play.asked.lock();
    let words: Vec<&(String, String)> = asked.iter().filter(|(word, _)| word != "stat").collect();
    let query = |at: usize| words[at].1.as_str();
    assert_eq!((query(0), query(2)), ("path=d/note.txt", "path=d&names=album"));
    assert_eq!(query(3), "path=d&names=note.txt/album");
}

#[tokio::test]
async fn a_download_that_was_taken_goes_on_and_no_more_are_than_were_said() {
    let play = Play::new(json!({"downloads": 2})).await;
    let taken = play.take().await;
    assert_eq!(taken.body["downloads_left"], 1, "{}", taken.body);
    let mark = taken.body["take"].as_str().unwrap().to_owned();
    for _ in 0..3 {
        assert_eq!(play.bytes(&format!("/files/0?take={mark}"), None).await.0, 200);
    }
    assert_eq!(play.visit("").await.body["downloads_left"], 1, "looking is no download");
    assert_eq!(play.bytes("/archive", None).await.0, 200, "one without a mark is one more");
    assert_eq!(play.bytes("/archive", None).await.0, 410);
    assert_eq!(play.take().await.status, StatusCode::GONE);
    assert_eq!(play.bytes(&format!("/archive?take={mark}"), Some("bytes=1-")).await.0, 200, "goes on");
    for forged in ["1.", "2", "x", &mark.replace("1.", "3.")] {
        assert_eq!(play.bytes(&format!("/archive?take={forged}"), None).await.0, 410, "{forged}");
    }
}

#[tokio::test]
async fn a_link_ends_by_its_time_by_its_maker_and_with_their_right() {
    let mut play = Play::new(json!({})).await;
    let listed = play.owner.get(&play.world, "/api/v1/drops").await;
    assert_eq!(listed.body["drops"][0]["title"], "note.txt +1", "{}", listed.body);
    assert!(!listed.body.to_string().contains(&play.secret));
    let (mut guest, _) = joining::guest(&play.world, &mut play.owner).await;
    let path = format!("/api/v1/drops/{}", play.id.as_str().unwrap());
    let theirs = guest.send(&play.world, Method::DELETE, &path, None).await;
    assert_eq!(theirs.status, StatusCode::NOT_FOUND, "another's");
    assert_eq!(play.visit("").await.status, StatusCode::OK);
    let ended = play.owner.send(&play.world, Method::DELETE, &path, None).await;
    assert_eq!(ended.status, StatusCode::NO_CONTENT);
    assert_eq!(play.visit("").await.status, StatusCode::NOT_FOUND);
    let play = Play::new(json!({})).await;
    play.world.clock.pass(3601);
    assert_eq!(play.visit("").await.status, StatusCode::NOT_FOUND);
    assert_eq!(play.bytes("/archive", None).await.0, 404);
}

#[tokio::test]
async fn only_what_its_maker_may_download_is_given_away() {
    let mut play = Play::new(json!({})).await;
    let (mut guest, _) = joining::guest(&play.world, &mut play.owner).await;
    assert_eq!(make(&play.world, &mut guest, &["d/note.txt"], json!({})).await.status.as_u16(), 404);
    for (paths, more, code) in [
        (&["d/none"][..], json!({}), 404),
        (&[], json!({}), 400),
        (&[""], json!({}), 400),
        (&["../x"], json!({}), 400),
        (&["d/a", "e/b"], json!({}), 400),
        (&["d/a"], json!({"downloads": 0}), 400),
        (&["d/a"], json!({"lifetime_seconds": 59}), 400),
        (&["d/a"], json!({"message": "x".repeat(501)}), 400),
    ] {
        let made = make(&play.world, &mut play.owner, paths, more.clone()).await;
        assert_eq!(made.status.as_u16(), code, "{paths:?} {more}: {}", made.body);
    }
}

#[tokio::test]
async fn links_outlive_the_process() {
    let play = Play::new(json!({"downloads": 3})).await;
    play.take().await;
    let rooms = play.world.coordinator.rooms();
    let kept = rooms.store.drops().await.unwrap();
    assert_eq!((kept.len(), kept[0].taken, kept[0].downloads), (1, 1, Some(3)));
    assert_eq!(kept, rooms.drops.of(kept[0].maker));
}

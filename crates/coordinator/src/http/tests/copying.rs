//! From share to share, at the door: who is asked what, what has to be allowed, and when nothing is deleted.

use axum::body::Bytes;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use parking_lot::Mutex;
use proto::{ApiError, ErrorCode, PrincipalId};
use tokio::sync::Notify;

use super::*;

/// What a device was asked: the word, its query, its body.
type Asked = Arc<Mutex<Vec<(String, String, Bytes)>>>;

/// How a device behaves.
#[derive(Clone, Default)]
struct Device {
    asked: Asked,
    /// What `unpack` answers before its end.
    items: String,
    /// True if what it packs breaks off.
    breaks: bool,
    /// Set if what it packs has no end; told when nobody takes it any more.
    endless: Option<Arc<Notify>>,
    /// Told when unpacking begins.
    begun: Arc<Notify>,
}

/// Tells when it is dropped.
struct Gone(Arc<Notify>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

impl Device {
    fn link(&self) -> RouterLink {
        let device = self.clone();
        RouterLink::new(Router::new().fallback(move |uri: Uri, body: Body| {
            let device = device.clone();
            async move { device.answer(&uri, body).await }
        }))
    }

    async fn answer(&self, uri: &Uri, body: Body) -> Response {
        let word = uri.path().rsplit('/').next().unwrap().to_owned();
        let query = uri.query().unwrap_or_default().to_owned();
        if word == "unpack" {
            self.begun.notify_one();
        }
        let body = body.collect().await.map(http_body_util::Collected::to_bytes);
        let whole = body.is_ok();
        self.asked.lock().push((word.clone(), query, body.unwrap_or_default()));
        match &*word {
            "archive" => self.packed(),
            "unpack" if whole => {
                let end = json!({"event": "done", "files": 2, "folders": 1, "bytes": 7, "undo": PrincipalId::generate()});
                format!("{}{end}\n", self.items).into_response()
            }
            "unpack" => {
                let error = ApiError::new(ErrorCode::BadRequest, "It broke off.", "Again.");
                format!("{}\n", json!({"event": "broken", "error": error})).into_response()
            }
            "delete" => axum::Json(json!({"items": [], "undo": PrincipalId::generate()})).into_response(),
            _ => StatusCode::NOT_FOUND.into_response(),
        }
    }

    fn packed(&self) -> Response {
        if let Some(told) = &self.endless {
            let gone = Gone(Arc::clone(told));
            let pieces = futures_util::stream::once(async { Ok::<_, std::convert::Infallible>("piece") })
                .chain(futures_util::stream::pending())
                .inspect(move |_| {
                    let _ = &gone;
                });
            return Body::from_stream(pieces).into_response();
        }
        let mut pieces = vec![Ok("one "), Ok("two")];
        if self.breaks {
            pieces.push(Err(std::io::Error::other("it changed")));
        }
        Body::from_stream(futures_util::stream::iter(pieces)).into_response()
    }

    fn words(&self) -> Vec<String> {
        self.asked.lock().iter().map(|(word, ..)| word.clone()).collect()
    }
}

fn wish(world: &World, paths: &[&str], into: &str, moves: bool) -> Value {
    let rooms = world.coordinator.rooms();
    let (device, share) = (rooms.device, rooms.shares.borrow()[0].id);
    json!({
        "from": {"device": device, "share": share, "paths": paths},
        "to": {"device": device, "share": share, "path": into}, "move": moves, "clash": "rename",
    })
}

async fn copied(world: &World, by: &mut Browser, wish: Value) -> Vec<Value> {
    let answer = by.begin(world, Method::POST, "/api/v1/files/copy", Some(wish)).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "application/x-ndjson");
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    text.split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

#[tokio::test]
async fn what_one_packs_the_other_unpacks() {
    let (world, mut owner) = World::set_up().await;
    let item = json!({"event": "item", "from": "b", "to": "b (1)", "outcome": "renamed"});
    for (moves, words) in [(false, &["archive", "unpack"][..]), (true, &["archive", "unpack", "delete"])] {
        let device = Device { items: format!("{item}\n"), ..Device::default() };
        world.coordinator.set_local_agent(device.link());
        let events = copied(&world, &mut owner, wish(&world, &["d/a b", "d/b"], "e/f", moves)).await;
        assert_eq!(events[0], item);
        assert_eq!((&events[1]["event"], &events[1]["moved"]), (&json!("done"), &json!(moves)));
        assert_eq!((&events[1]["files"], events[1]["undo_source"].is_string()), (&json!(2), moves));
        assert_eq!(device.words(), words);
        let asked = device.asked.lock();
        let wished: Value = serde_json::from_slice(&asked[0].2).unwrap();
        let expected = json!({"path": "d", "names": "a b/b", "format": "tar", "whole": moves, "exact": true});
        assert_eq!(wished, expected);
        assert_eq!((&*asked[1].1, &asked[1].2[..]), ("path=e/f&clash=rename", &b"one two"[..]));
        if moves {
            let deleted: Value = serde_json::from_slice(&asked[2].2).unwrap();
            assert_eq!(deleted, json!({"paths": ["d/a b", "d/b"]}));
        }
    }
}

#[tokio::test]
async fn nothing_is_deleted_unless_everything_has_come() {
    let (world, mut owner) = World::set_up().await;
    let failed = json!({"event": "item", "from": "b", "outcome": "failed",
        "error": ApiError::new(ErrorCode::NoSpace, "Full.", "Clean up.")});
    let left = json!({"event": "item", "from": "b", "outcome": "skipped"});
    for (device, last) in [
        (Device { items: format!("{failed}\n"), ..Device::default() }, "done"),
        (Device { items: format!("{left}\n"), ..Device::default() }, "done"),
        (Device { breaks: true, ..Device::default() }, "broken"),
    ] {
        world.coordinator.set_local_agent(device.link());
        let events = copied(&world, &mut owner, wish(&world, &["a"], "", true)).await;
        let end = events.last().unwrap();
        assert_eq!((&end["event"], end["moved"] == json!(true)), (&json!(last), false), "{events:?}");
        assert_eq!(device.words(), ["archive", "unpack"]);
    }
}

#[tokio::test]
async fn what_may_not_be_done_is_not_begun() {
    let (world, mut owner) = World::set_up().await;
    let device = Device::default();
    world.coordinator.set_local_agent(device.link());
    for (paths, into, code) in [
        (&["a", "d/b"][..], "", "BAD_PARAMETER"),
        (&[], "", "BAD_PARAMETER"),
        (&[""], "", "BAD_PARAMETER"),
        (&["../a"], "", "BAD_PATH"),
        (&["a"], "/etc", "BAD_PATH"),
        (&["d"], "d/e", "BAD_PATH"),
        (&["d"], "d", "BAD_PATH"),
    ] {
        let answer = owner.post(&world, "/api/v1/files/copy", wish(&world, paths, into, false)).await;
        assert_eq!(answer.code(), code, "{paths:?} {into}");
    }
    // Over a connection that others can read nothing is written.
    let mut open = open(9).signed_in(&world).await;
    let answer = open.post(&world, "/api/v1/files/copy", wish(&world, &["a"], "e", false)).await;
    assert!(answer.status.is_client_error(), "{}", answer.body);
    let strange = json!({"device": DeviceId::from_public_key([9; 32]), "share": proto::ShareId::generate(), "path": ""});
    let mut elsewhere = wish(&world, &["a"], "", false);
    elsewhere["to"] = strange;
    assert_eq!(owner.post(&world, "/api/v1/files/copy", elsewhere).await.status, StatusCode::NOT_FOUND);
    assert_eq!(device.words(), Vec::<String>::new());
}

#[tokio::test]
async fn who_closes_the_answer_stops_both() {
    let (world, mut owner) = World::set_up().await;
    let told = Arc::new(Notify::new());
    let device = Device { endless: Some(Arc::clone(&told)), ..Device::default() };
    world.coordinator.set_local_agent(device.link());
    let body = Some(wish(&world, &["a"], "e", false));
    let answer = owner.begin(&world, Method::POST, "/api/v1/files/copy", body).await;
    assert_eq!(answer.status(), StatusCode::OK);
    device.begun.notified().await;
    drop(answer);
    told.notified().await;
}

//! The doors tried from outside: real database, real hashes, a clock that goes when told, no sockets.

mod across;
mod copying;
mod direct;
mod drops;
mod ears;
mod ending;
mod inbox;
mod joining;
mod keys;
mod links;
mod machines;
mod moved;
mod rights;
mod transfers;
mod uploads;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::header::{COOKIE, HOST, ORIGIN, SET_COOKIE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt;
use http_body_util::BodyExt;
use parking_lot::Mutex;
use peer::DeviceKey;
use peer::connection::Connection;
use proto::DeviceId;
use proto::api::settings::{Settings, SettingsChange};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::clock::test::ManualClock;
use crate::{Config, Coordinator, RouterLink, SaveError, SettingsStore};

const PIN: &str = "482915";
const WRONG: &str = "111111";
const TICKET_KEY_LIFETIME: std::time::Duration = std::time::Duration::from_secs(90 * 86_400);

/// The key of the machine that the coordinator runs on.
fn device_key() -> DeviceKey {
    DeviceKey::from_seed([1; 32]).unwrap()
}

/// Settings in no file.
struct Unkept(Mutex<Settings>);

impl SettingsStore for Unkept {
    fn save(&self, change: &SettingsChange) -> Result<Settings, SaveError> {
        let mut settings = self.0.lock();
        *settings = change.over(settings.clone());
        Ok(settings.clone())
    }
}

/// A machine with its state folder.
struct World {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    coordinator: Coordinator,
    app: Router,
}

/// A browser: where it sits, and its cookies.
#[derive(Clone)]
struct Browser {
    connection: Connection,
    host: &'static str,
    cookies: BTreeMap<String, String>,
    headers: Vec<(&'static str, String)>,
}

struct Answer {
    status: StatusCode,
    headers: axum::http::HeaderMap,
    body: Value,
}

impl Answer {
    fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

fn at(remote: [u8; 4], local: [u8; 4], encrypted: bool, host: &'static str) -> Browser {
    let (remote, local): (SocketAddr, SocketAddr) = ((remote, 50000).into(), (local, 7000).into());
    Browser {
        connection: Connection { remote, local, encrypted },
        host,
        cookies: BTreeMap::new(),
        headers: Vec::new(),
    }
}

fn on_machine() -> Browser {
    at([127, 0, 0, 1], [127, 0, 0, 1], false, "localhost:7000")
}

fn private(last: u8) -> Browser {
    at([192, 168, 1, last], [192, 168, 1, 7], true, "192.168.1.7:7000")
}

fn open(last: u8) -> Browser {
    Browser { connection: Connection { encrypted: false, ..private(last).connection }, ..private(last) }
}

async fn start(dir: &tempfile::TempDir, clock: &Arc<ManualClock>) -> (Coordinator, Router) {
    let settings = Settings {
        device_name: "Attic".into(),
        session_idle_seconds: 1800,
        allow_open: true,
        open_browser: false,
    };
    let store = Arc::new(Unkept(Mutex::new(settings.clone())));
    let config = Config {
        state_dir: dir.path().join("state"),
        device: device_key().id(),
        host_name: "attic".into(),
        names: Vec::new(),
        settings,
        default_folder: dir.path().to_owned(),
        inbox_dir: dir.path().join("state/inbox"),
        open_rendezvous: false,
        own_certificate: None,
        ticket_key_lifetime: Some(TICKET_KEY_LIFETIME),
        clock: Arc::<ManualClock>::clone(clock),
    };
    let coordinator = Coordinator::open(config, store).await.unwrap();
    let echo = |request: Request| async move {
        let bearer = request.headers().get("authorization").map(|v| v.to_str().unwrap().to_owned());
        let cookie = request.headers().contains_key("cookie");
        let here = request.extensions().get::<Connection>().is_some();
        if request.uri().query() == Some("path=endless") {
            let pieces = std::iter::repeat(Ok::<_, std::convert::Infallible>("piece"));
            return Body::from_stream(futures_util::stream::iter(pieces)).into_response();
        }
        if request.uri().path().ends_with("/watch") {
            let others = u8::from(request.uri().query().unwrap_or_default().contains("editing=true"));
            let line = json!({"entry": null, "others": others}).to_string() + "\n";
            let told = futures_util::stream::iter([Ok::<_, std::convert::Infallible>(line)]);
            return Body::from_stream(told.chain(futures_util::stream::pending())).into_response();
        }
        if request.method() == Method::POST && request.uri().path().ends_with("/uploads") {
            let place = format!("uploads/{}", proto::UploadId::generate());
            return (StatusCode::CREATED, [("location", place)]).into_response();
        }
        axum::Json(
            json!({"uri": request.uri().to_string(), "bearer": bearer, "cookie": cookie, "connection": here}),
        )
        .into_response()
    };
    coordinator.set_local_agent(RouterLink::new(Router::new().fallback(echo)));
    let router = Router::from(coordinator.router()).route("/panic", axum::routing::get(panics));
    let app = coordinator.guard(router.fallback(|| async { "page" }));
    (coordinator, app)
}

async fn panics() -> StatusCode {
    panic!("on purpose")
}

impl World {
    async fn new() -> Self {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(ManualClock::new()));
        let (coordinator, app) = start(&dir, &clock).await;
        Self { dir, clock, coordinator, app }
    }

    /// A machine that is set up, with the browser that did it.
    async fn set_up() -> (Self, Browser) {
        let world = Self::new().await;
        let mut owner = on_machine();
        let answer = owner.post(&world, "/api/v1/setup", world.setup(None)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        (world, owner)
    }

    fn setup(&self, code: Option<&str>) -> Value {
        json!({"code": code, "folder": self.dir.path(), "device_name": "Attic", "pin": PIN})
    }

    async fn restart(self) -> Self {
        self.restart_after_a_step(0).await
    }

    /// Stops, sets the clock on or back by so many seconds, and starts.
    async fn restart_after_a_step(mut self, seconds: i64) -> Self {
        self.coordinator.close().await;
        self.clock.restart();
        self.clock.step_wall(seconds);
        (self.coordinator, self.app) = start(&self.dir, &self.clock).await;
        self
    }
}

impl Browser {
    /// Sends a request; its answer is not read yet.
    async fn begin(&mut self, world: &World, method: Method, path: &str, body: Option<Value>) -> Response {
        let scheme = if self.connection.encrypted { "https" } else { "http" };
        let mut request = Request::builder().method(&method).uri(path).header(HOST, self.host);
        let named = |name: &str| self.headers.iter().any(|(n, _)| *n == name);
        if !method.is_safe() && !named("origin") {
            request = request.header(ORIGIN, format!("{scheme}://{}", self.host)).header("x-lanthorn", "1");
        }
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        if !cookies.is_empty() {
            request = request.header(COOKIE, cookies.join("; "));
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let mut request = request.header("content-type", "application/json").body(body).unwrap();
        request.extensions_mut().insert(self.connection);
        world.app.clone().oneshot(request).await.unwrap()
    }

    async fn send(&mut self, world: &World, method: Method, path: &str, body: Option<Value>) -> Answer {
        let response = self.begin(world, method, path, body).await;
        let (parts, body) = response.into_parts();
        for cookie in parts.headers.get_all(SET_COOKIE) {
            let (pair, rest) = cookie.to_str().unwrap().split_once(';').unwrap();
            assert!(rest.contains("HttpOnly") && rest.contains("SameSite=Strict") && rest.contains("Path=/"));
            let (name, value) = pair.split_once('=').unwrap();
            assert_eq!(name.starts_with("__Host-"), self.connection.encrypted);
            assert_eq!(rest.contains("Secure"), self.connection.encrypted);
            self.cookies.insert(name.to_owned(), value.to_owned());
            if value.is_empty() {
                self.cookies.remove(name);
            }
        }
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, body }
    }

    async fn get(&mut self, world: &World, path: &str) -> Answer {
        self.send(world, Method::GET, path, None).await
    }

    async fn post(&mut self, world: &World, path: &str, body: Value) -> Answer {
        self.send(world, Method::POST, path, Some(body)).await
    }

    async fn login(&mut self, world: &World, pin: &str) -> Answer {
        self.post(world, "/api/v1/auth/login", json!({"pin": pin})).await
    }

    async fn signed_in(mut self, world: &World) -> Self {
        let answer = self.login(world, PIN).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        self
    }
}

#[tokio::test]
async fn a_stranger_cannot_set_up_without_the_code() {
    let world = World::new().await;
    let mut stranger = private(9);
    stranger.headers =
        vec![("x-forwarded-for", "127.0.0.1".into()), ("forwarded", "for=127.0.0.1;host=localhost".into())];
    let answer = stranger.post(&world, "/api/v1/setup", world.setup(None)).await;
    assert_eq!((answer.status, answer.code()), (StatusCode::UNAUTHORIZED, "WRONG_SETUP_CODE"));
    let state = stranger.get(&world, "/api/v1/setup").await;
    assert_eq!(state.body["code_needed"], true);
    assert_eq!(state.body["folder"], "");
    assert_eq!(stranger.get(&world, "/api/v1/folders").await.code(), "WRONG_SETUP_CODE");
    // From this machine, but by a name that is not loopback's: a proxy or a rebound name.
    let mut proxied = Browser { host: "attic:7000", ..on_machine() };
    assert_eq!(proxied.post(&world, "/api/v1/setup", world.setup(None)).await.code(), "WRONG_SETUP_CODE");
    let code = world.coordinator.setup_code().unwrap();
    let answer = stranger.post(&world, "/api/v1/setup", world.setup(Some(&code))).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(world.coordinator.setup_code(), None);
    assert_eq!(
        on_machine().post(&world, "/api/v1/setup", world.setup(None)).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(stranger.get(&world, "/api/v1/auth/me").await.status, StatusCode::OK);
    assert_eq!(world.coordinator.shares().borrow().len(), 2, "the folder and the inbox");
}

#[tokio::test]
async fn of_two_setups_one_wins() {
    let world = World::new().await;
    let (mut one, mut two) = (on_machine(), on_machine());
    let (a, b) = tokio::join!(
        one.post(&world, "/api/v1/setup", world.setup(None)),
        two.post(&world, "/api/v1/setup", world.setup(None))
    );
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    assert_eq!(world.coordinator.shares().borrow().len(), 2, "the folder and the inbox");
}

#[tokio::test]
async fn wrong_pins_at_once_are_counted_before_they_are_looked_at() {
    let (world, _) = World::set_up().await;
    let tries = (0..100u8).map(|i| {
        let world = &world;
        async move {
            let mut browser = private(i);
            browser.headers = vec![("x-forwarded-for", format!("10.0.0.{i}"))];
            browser.login(world, WRONG).await.code().to_owned()
        }
    });
    let codes = futures_util::future::join_all(tries).await;
    let verified = codes.iter().filter(|code| *code == "WRONG_PIN").count();
    assert_eq!(verified, 3, "the rest waits: {codes:?}");
    assert!(codes.iter().all(|code| ["WRONG_PIN", "LOCKED", "BUSY"].contains(&code.as_str())));
}

#[tokio::test]
async fn ten_wrong_pins_lock_strangers_out_for_a_day_whatever_happens() {
    let (world, _) = World::set_up().await;
    let mut known = private(20).signed_in(&world).await;
    for _ in 0..10 {
        world.clock.pass(900);
        assert_eq!(private(9).login(&world, WRONG).await.code(), "WRONG_PIN");
    }
    world.clock.pass(3600);
    let locked = private(9).login(&world, PIN).await;
    assert_eq!((locked.status, locked.code()), (StatusCode::TOO_MANY_REQUESTS, "LOCKED"));
    assert!(locked.body["retry_after"].as_u64().unwrap() > 70_000, "{}", locked.body);
    assert_eq!(locked.headers["retry-after"].to_str().unwrap(), locked.body["retry_after"].to_string());
    let mut spoofed = private(9);
    spoofed.headers = vec![("x-forwarded-for", "127.0.0.1".into()), ("x-real-ip", "127.0.0.1".into())];
    assert_eq!(spoofed.login(&world, PIN).await.code(), "LOCKED");
    let mut world = world.restart().await;
    assert_eq!(private(9).login(&world, PIN).await.code(), "LOCKED", "after a restart");
    world.clock.step_wall(10 * 365 * 24 * 3600);
    assert_eq!(private(9).login(&world, PIN).await.code(), "LOCKED", "after a step of the clock");
    for years in [10, -20, 1] {
        world = world.restart_after_a_step(years * 365 * 24 * 3600).await;
        assert_eq!(private(9).login(&world, PIN).await.code(), "LOCKED", "stopped for {years} years");
    }
    assert_eq!(known.login(&world, PIN).await.status, StatusCode::OK, "a known browser");
    assert_eq!(on_machine().login(&world, PIN).await.status, StatusCode::OK, "the machine itself");
    assert_eq!(private(9).login(&world, PIN).await.code(), "LOCKED", "their success is not the stranger's");
    world.clock.pass(24 * 3600);
    assert_eq!(private(9).login(&world, PIN).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_known_browser_is_known_only_on_its_kind_of_connection() {
    let (world, _) = World::set_up().await;
    let overheard = open(5).signed_in(&world).await;
    let token = overheard.cookies["lanthorn-browser"].clone();
    for _ in 0..10 {
        world.clock.pass(900);
        assert_eq!(private(9).login(&world, WRONG).await.code(), "WRONG_PIN");
    }
    let mut thief = private(9);
    thief.cookies.insert("__Host-lanthorn-browser".into(), token);
    assert_eq!(thief.login(&world, PIN).await.code(), "LOCKED");
}

#[tokio::test]
async fn a_cookie_works_only_on_the_kind_of_connection_it_was_given_on() {
    let (world, owner) = World::set_up().await;
    let (overheard, safe) = (open(5).signed_in(&world).await, private(6).signed_in(&world).await);
    let tokens = [
        owner.cookies["lanthorn"].clone(),
        overheard.cookies["lanthorn"].clone(),
        safe.cookies["__Host-lanthorn"].clone(),
    ];
    for (i, token) in tokens.iter().enumerate() {
        for (j, mut browser) in [on_machine(), open(5), private(6)].into_iter().enumerate() {
            let name = if browser.connection.encrypted { "__Host-lanthorn" } else { "lanthorn" };
            browser.cookies.insert(name.into(), token.clone());
            let status = browser.get(&world, "/api/v1/auth/me").await.status;
            assert_eq!(status == StatusCode::OK, i == j, "token {i} on connection {j}");
        }
    }
}

#[tokio::test]
async fn an_open_session_looks_and_copies_and_can_be_forbidden() {
    let (world, mut owner) = World::set_up().await;
    let mut guest = open(5).signed_in(&world).await;
    assert_eq!(guest.get(&world, "/api/v1/auth/me").await.body["read_only"], true);
    let shares = guest.get(&world, "/api/v1/catalog/shares").await.body;
    assert_eq!(shares["shares"][0]["permissions"], json!(["read", "download"]));
    assert_eq!(shares["shares"][0]["folder"], Value::Null);
    let change = json!({"allow_open": false});
    let patched = guest.send(&world, Method::PATCH, "/api/v1/settings", Some(change.clone())).await;
    assert_eq!(patched.code(), "NOT_PRIVATE");
    let patched = owner.send(&world, Method::PATCH, "/api/v1/settings", Some(change)).await;
    assert_eq!(patched.body["allow_open"], false);
    assert_eq!(guest.get(&world, "/api/v1/catalog/shares").await.code(), "NOT_PRIVATE");
    assert_eq!(open(6).login(&world, PIN).await.code(), "NOT_PRIVATE");
    assert_eq!(open(6).get(&world, "/api/v1/status").await.body["private_url"], "https://192.168.1.7:7000/");
}

#[tokio::test]
async fn sessions_end_when_idle_when_revoked_and_when_the_pin_changes() {
    let (world, mut owner) = World::set_up().await;
    let mut other = private(6).signed_in(&world).await;
    world.clock.pass(1700);
    assert_eq!(other.get(&world, "/api/v1/auth/me").await.status, StatusCode::OK);
    world.clock.pass(1700);
    assert_eq!(other.get(&world, "/api/v1/auth/me").await.status, StatusCode::OK, "each use counts");
    assert_eq!(owner.get(&world, "/api/v1/auth/me").await.code(), "NOT_SIGNED_IN", "idle for too long");
    world.clock.pass(1700);
    assert!(other.get(&world, "/api/v1/status").await.body["me"].is_object(), "still signed in");
    world.clock.pass(200);
    assert!(other.get(&world, "/api/v1/status").await.body["me"].is_null(), "asking the status is no use");
    other = other.signed_in(&world).await;
    owner = owner.signed_in(&world).await;
    let mut third = private(7).signed_in(&world).await;
    let list = owner.get(&world, "/api/v1/sessions").await.body;
    assert_eq!(list["sessions"].as_array().unwrap().len(), 3);
    let id = third.get(&world, "/api/v1/auth/me").await.body["session"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/sessions/{id}");
    assert_eq!(owner.send(&world, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(owner.send(&world, Method::DELETE, &path, None).await.status, StatusCode::NOT_FOUND);
    assert_eq!(third.get(&world, "/api/v1/auth/me").await.code(), "NOT_SIGNED_IN");
    let wrong = json!({"current_pin": WRONG, "new_pin": "9999"});
    assert_eq!(owner.post(&world, "/api/v1/auth/pin", wrong).await.code(), "WRONG_PIN");
    let right = json!({"current_pin": PIN, "new_pin": "973164"});
    assert_eq!(owner.post(&world, "/api/v1/auth/pin", right).await.status, StatusCode::NO_CONTENT);
    assert_eq!(other.get(&world, "/api/v1/auth/me").await.code(), "NOT_SIGNED_IN");
    assert_eq!(owner.get(&world, "/api/v1/auth/me").await.status, StatusCode::OK);
    let world = world.restart().await;
    assert_eq!(owner.get(&world, "/api/v1/auth/me").await.status, StatusCode::OK, "a restart ends nothing");
    assert_eq!(private(8).login(&world, PIN).await.code(), "WRONG_PIN");
    assert_eq!(private(8).login(&world, "973164").await.status, StatusCode::OK);
    let before = owner.clone();
    assert_eq!(owner.post(&world, "/api/v1/auth/logout", json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!({ before }.get(&world, "/api/v1/auth/me").await.code(), "NOT_SIGNED_IN");
}

#[tokio::test]
async fn a_flood_of_sign_ins_is_turned_away() {
    let (world, _) = World::set_up().await;
    let tries = (0..1000u16).map(|i| {
        let world = &world;
        async move { private((i % 250) as u8).login(world, PIN).await.status.as_u16() }
    });
    let statuses = futures_util::future::join_all(tries).await;
    let count = |wanted: u16| statuses.iter().filter(|status| **status == wanted).count();
    assert_eq!(count(200) + count(429) + count(503), 1000);
    assert!(count(503) > 900, "34 places at most are taken at once: {} busy", count(503));
}

#[tokio::test]
async fn other_names_and_other_sites_are_refused() {
    let (world, owner) = World::set_up().await;
    for host in ["evil.example", "localhost.evil.com", "192.168.1.99:7000", "attic.local."] {
        for path in ["/", "/api/v1/status", "/trust/authority.crt"] {
            let answer = Browser { host, ..owner.clone() }.get(&world, path).await;
            assert_eq!(answer.status, StatusCode::MISDIRECTED_REQUEST, "{host} {path}");
        }
    }
    for headers in [
        vec![("origin", "http://evil.example".to_owned()), ("x-lanthorn", "1".into())],
        vec![("origin", "null".to_owned()), ("x-lanthorn", "1".into())],
        vec![("origin", "http://localhost:7000".to_owned())],
        vec![("sec-fetch-site", "cross-site".to_owned())],
    ] {
        let answer =
            Browser { headers, ..owner.clone() }.post(&world, "/api/v1/auth/logout", json!({})).await;
        assert_eq!((answer.status, answer.code()), (StatusCode::FORBIDDEN, "CROSS_SITE"));
    }
    assert_eq!(
        { owner }.get(&world, "/api/v1/auth/me").await.status,
        StatusCode::OK,
        "nobody was signed out"
    );
}

#[tokio::test]
async fn errors_are_json_with_the_request_s_id() {
    let (world, mut owner) = World::set_up().await;
    for (method, path, body, status) in [
        (Method::GET, "/api/v1/nothing", None, 404),
        (Method::GET, "/api", None, 404),
        (Method::DELETE, "/api/v1/settings", None, 405),
        (Method::PATCH, "/api/v1/settings", Some(json!({"unknown": 1})), 400),
        (Method::PATCH, "/api/v1/settings", Some(json!("x".repeat(70_000))), 413),
        (Method::GET, "/panic", None, 500),
    ] {
        let answer = owner.send(&world, method, path, body).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        let id = answer.body["request_id"].as_str().unwrap();
        assert!(!id.is_empty() && answer.headers["x-request-id"] == id);
        assert!(!answer.body["hint"].as_str().unwrap().is_empty());
    }
    let status = owner.get(&world, "/api/v1/status").await;
    assert_eq!(status.headers["cache-control"], "no-store");
    assert_eq!(status.headers["x-content-type-options"], "nosniff");
}

#[tokio::test]
async fn the_gateway_brings_a_ticket_and_nothing_of_the_browser_s() {
    let (world, mut owner) = World::set_up().await;
    let shares = owner.get(&world, "/api/v1/catalog/shares").await.body;
    let (share, device) = (&shares["shares"][0]["id"], shares["shares"][0]["device_id"].as_str().unwrap());
    let share = share.as_str().unwrap();
    let base = format!("/api/v1/devices/{device}");
    let answer = owner.get(&world, &format!("{base}/shares/{share}/list?path=a%2Fb&x=1")).await;
    assert_eq!(answer.body["uri"], format!("/agent/v1/shares/{share}/list?path=a%2Fb&x=1"));
    assert!(answer.body["bearer"].as_str().unwrap().starts_with("Bearer v4.public."));
    assert_eq!((&answer.body["cookie"], &answer.body["connection"]), (&json!(false), &json!(true)));
    assert_eq!(owner.get(&world, &format!("{base}/info")).await.body["bearer"], Value::Null);
    let other = proto::ShareId::generate();
    for path in [
        format!("{base}/shares/{other}/list"),
        format!("{base}/inbox/x"),
        format!("{base}/shares/{share}/../../info"),
        format!("/api/v1/devices/{}/info", DeviceId::from_public_key([2; 32])),
        "/api/v1/devices/x/info".to_owned(),
    ] {
        assert_eq!(owner.get(&world, &path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    let path = format!("/api/v1/catalog/shares/{share}");
    assert_eq!(owner.send(&world, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(owner.get(&world, &format!("{base}/shares/{share}/list")).await.status, StatusCode::NOT_FOUND);
    assert!(world.coordinator.shares().borrow().iter().all(|share| share.inbox));
}

/// Who may: for each route the status for nobody, for a guest's browser and machine, and for the owner on an open and
/// on a private connection. The one place to look, and a route without a row fails.
const ACCESS: &[(&str, &str, [u16; 5])] = &[
    ("GET", "/health", [200, 200, 200, 200, 200]),
    ("GET", "/api/v1/status", [200, 200, 200, 200, 200]),
    ("GET", "/api/v1/setup", [200, 200, 200, 200, 200]),
    ("POST", "/api/v1/setup", [400, 400, 400, 400, 400]),
    ("GET", "/api/v1/folders", [401, 403, 403, 403, 200]),
    ("POST", "/api/v1/auth/login", [400, 400, 400, 400, 400]),
    ("GET", "/api/v1/auth/me", [401, 200, 200, 200, 200]),
    ("POST", "/api/v1/auth/pin", [401, 403, 403, 403, 400]),
    ("GET", "/api/v1/sessions", [401, 200, 200, 403, 200]),
    ("PATCH", "/api/v1/sessions/{id}", [401, 400, 400, 403, 400]),
    ("DELETE", "/api/v1/sessions/{id}", [401, 404, 404, 403, 404]),
    ("GET", "/api/v1/auth/nonce", [200, 200, 200, 200, 200]),
    ("POST", "/api/v1/auth/token", [400, 400, 400, 400, 400]),
    ("POST", "/api/v1/pairing/start", [400, 400, 400, 400, 400]),
    ("POST", "/api/v1/pairing/look", [401, 403, 403, 403, 400]),
    ("POST", "/api/v1/pairing/confirm", [401, 403, 403, 403, 400]),
    ("POST", "/api/v1/pairing/claim", [400, 400, 400, 400, 400]),
    ("GET", "/api/v1/pairing/waiting", [401, 403, 403, 403, 200]),
    ("DELETE", "/api/v1/pairing/waiting/{id}", [401, 403, 403, 403, 404]),
    ("POST", "/api/v1/invites", [401, 403, 403, 403, 400]),
    ("GET", "/api/v1/invites", [401, 403, 403, 403, 200]),
    ("POST", "/api/v1/invites/use", [400, 400, 400, 400, 400]),
    ("DELETE", "/api/v1/invites/{id}", [401, 403, 403, 403, 404]),
    ("GET", "/api/v1/people", [401, 200, 200, 200, 200]),
    ("PATCH", "/api/v1/people/{id}", [401, 400, 400, 403, 400]),
    ("DELETE", "/api/v1/people/{id}", [401, 403, 403, 403, 404]),
    ("GET", "/api/v1/devices", [401, 200, 200, 200, 200]),
    ("PATCH", "/api/v1/devices/{device}", [401, 400, 400, 403, 400]),
    ("DELETE", "/api/v1/devices/{device}", [401, 404, 404, 403, 400]),
    ("GET", "/api/v1/devices/{device}/path", [401, 404, 404, 200, 200]),
    ("POST", "/api/v1/devices/{device}/ticket", [401, 403, 400, 403, 403]),
    ("GET", "/api/v1/files/list", [401, 400, 400, 400, 400]),
    ("GET", "/api/v1/files/search", [401, 400, 400, 400, 400]),
    ("POST", "/api/v1/files/copy", [401, 400, 400, 400, 400]),
    ("POST", "/api/v1/drops", [401, 400, 400, 403, 400]),
    ("GET", "/api/v1/drops", [401, 200, 200, 403, 200]),
    ("DELETE", "/api/v1/drops/{drop}", [401, 404, 404, 403, 404]),
    // A link that opens nothing; one that opens something asks nobody who they are.
    ("GET", "/api/v1/drops/{drop}", [404, 404, 404, 404, 404]),
    ("POST", "/api/v1/drops/{drop}/take", [404, 404, 404, 404, 404]),
    ("GET", "/api/v1/drops/{drop}/files/{n}", [404, 404, 404, 404, 404]),
    ("GET", "/api/v1/drops/{drop}/archive", [404, 404, 404, 404, 404]),
    ("POST", "/api/v1/transfers", [401, 400, 400, 403, 400]),
    ("GET", "/api/v1/transfers", [401, 200, 200, 403, 200]),
    ("GET", "/api/v1/transfers/{id}", [401, 404, 404, 403, 404]),
    ("POST", "/api/v1/transfers/{id}/approve", [401, 404, 404, 403, 404]),
    ("POST", "/api/v1/transfers/{id}/reject", [401, 404, 404, 403, 404]),
    ("POST", "/api/v1/transfers/{id}/passcode/open", [401, 404, 404, 403, 404]),
    ("POST", "/api/v1/transfers/{id}/cancel", [401, 404, 404, 403, 404]),
    ("POST", "/api/v1/transfers/{id}/pause", [401, 404, 404, 403, 404]),
    ("POST", "/api/v1/transfers/{id}/resume", [401, 404, 404, 403, 404]),
    ("PUT", "/api/v1/transfers/{id}/label", [401, 404, 404, 403, 404]),
    ("POST", "/api/v1/transfers/history/clear", [401, 200, 200, 403, 200]),
    ("POST", "/api/v1/transfers/pending/cancel", [401, 200, 200, 403, 200]),
    ("GET", "/api/v1/transfers/trusted", [401, 200, 200, 403, 200]),
    ("PUT", "/api/v1/transfers/trusted/{device}/{person}", [401, 404, 404, 403, 404]),
    ("DELETE", "/api/v1/transfers/trusted/{device}/{person}", [401, 404, 404, 403, 404]),
    ("GET", "/api/v1/settings", [401, 403, 403, 403, 200]),
    ("PATCH", "/api/v1/settings", [401, 403, 403, 403, 200]),
    ("GET", "/api/v1/grants", [401, 200, 200, 403, 200]),
    ("PUT", "/api/v1/grants", [401, 400, 400, 403, 400]),
    ("GET", "/api/v1/grants/{id}", [401, 404, 404, 403, 404]),
    ("DELETE", "/api/v1/grants/{id}", [401, 404, 404, 403, 404]),
    ("POST", "/api/v1/grants/dry-run", [401, 400, 400, 403, 400]),
    ("GET", "/api/v1/shares/{id}/access", [401, 404, 404, 403, 404]),
    ("GET", "/api/v1/rooms", [401, 200, 200, 403, 200]),
    ("POST", "/api/v1/rooms", [401, 403, 403, 403, 400]),
    ("PATCH", "/api/v1/rooms/{id}", [401, 403, 403, 403, 400]),
    ("DELETE", "/api/v1/rooms/{id}", [401, 403, 403, 403, 404]),
    ("PUT", "/api/v1/rooms/{id}/members/{person}", [401, 403, 403, 403, 404]),
    ("DELETE", "/api/v1/rooms/{id}/members/{person}", [401, 403, 403, 403, 404]),
    ("GET", "/api/v1/keys", [401, 403, 403, 403, 200]),
    ("POST", "/api/v1/keys/rotate", [401, 403, 403, 403, 200]),
    ("GET", "/api/v1/audit", [401, 200, 200, 403, 200]),
    ("GET", "/api/v1/audit/export", [401, 200, 200, 403, 200]),
    ("GET", "/api/v1/audit/verify", [401, 403, 403, 403, 200]),
    ("GET", "/api/v1/events/token", [401, 200, 200, 200, 200]),
    ("GET", "/api/v1/events/ws", [400, 400, 400, 400, 400]),
    ("POST", "/api/v1/catalog/devices/{device}/visibility", [401, 400, 400, 403, 400]),
    ("GET", "/api/v1/catalog/devices", [401, 200, 200, 200, 200]),
    ("GET", "/api/v1/catalog/shares", [401, 200, 200, 200, 200]),
    ("POST", "/api/v1/catalog/shares", [401, 403, 403, 403, 400]),
    ("PATCH", "/api/v1/catalog/shares/{id}", [401, 400, 400, 403, 400]),
    ("DELETE", "/api/v1/catalog/shares/{id}", [401, 404, 404, 403, 404]),
    ("GET", "/api/v1/trust", [200, 200, 200, 200, 200]),
    ("GET", "/trust/authority.crt", [200, 200, 200, 200, 200]),
    ("GET", "/trust/authority.pem", [200, 200, 200, 200, 200]),
    ("GET", "/trust/lanthorn.mobileconfig", [200, 200, 200, 200, 200]),
    ("GET", "/api/v1/devices/{device}/info", [401, 404, 404, 200, 200]),
    ("POST", "/api/v1/auth/logout", [204, 204, 204, 204, 204]),
];

#[tokio::test]
async fn every_route_admits_whom_the_table_says() {
    let (world, mut owner) = World::set_up().await;
    let (guest, machine) = joining::guest(&world, &mut owner).await;
    let mut browsers =
        [private(4), guest, machine, open(5).signed_in(&world).await, private(6).signed_in(&world).await];
    for (method, path, expected) in ACCESS {
        let filled = path
            .replace("{id}", "0190a5e4-0000-7000-8000-000000000000")
            .replace("{person}", "0190a5e4-0000-7000-8000-000000000000")
            .replace("{device}", &device_key().id().to_string());
        for (browser, expected) in browsers.iter_mut().zip(expected) {
            let body = (*method != "GET").then(|| json!({}));
            let answer = browser.send(&world, method.parse().unwrap(), &filled, body).await;
            assert_eq!(answer.status.as_u16(), *expected, "{method} {path}: {}", answer.body);
        }
    }
    let api = serde_json::to_value(crate::openapi()).unwrap();
    for (path, methods) in api["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let listed = ACCESS.iter().any(|(m, p, _)| *m == method && p == path);
            assert!(listed, "{method} {path} is in no row of the table");
        }
    }
}

#[tokio::test]
async fn a_lost_key_stops_the_start() {
    let (world, _) = World::set_up().await;
    world.coordinator.close().await;
    std::fs::remove_file(world.dir.path().join("state/server.key")).unwrap();
    let config = Config {
        state_dir: world.dir.path().join("state"),
        device: device_key().id(),
        host_name: "attic".into(),
        names: Vec::new(),
        settings: world.coordinator.settings(),
        default_folder: "/".into(),
        inbox_dir: world.dir.path().join("state/inbox"),
        open_rendezvous: false,
        own_certificate: None,
        ticket_key_lifetime: Some(TICKET_KEY_LIFETIME),
        clock: Arc::<ManualClock>::clone(&world.clock),
    };
    let store = Arc::new(Unkept(Mutex::new(config.settings.clone())));
    let error = Coordinator::open(config, store).await.err().unwrap().to_string();
    assert!(error.contains("server.key is missing"), "{error}");
}

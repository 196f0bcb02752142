//! A small world for tests of the device API: a real folder, a real agent, real signed tickets, no socket.
//!
//! `World::new()`, write files, `world.get("stat?path=a").await`, look at the [`Answer`].

// Not every part is used by the tests of every moment.
#![allow(dead_code)]

use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::Router;
use axum::body::Body;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::BodyExt;
use proto::ticket::{Claims, Issuer, KeyRing, READ_LIFETIME, Resource, SigningKey, Ticket};
use proto::{ApiError, DeviceId, ErrorCode, Permission, Permissions, PrincipalId, ShareId};
use serde::de::DeserializeOwned;
use time::OffsetDateTime;
use tower::ServiceExt;

use crate::agent::{Agent, Config, Share};
use crate::files::media::MediaConfig;
use crate::serve::router;

/// A folder on a disk without delays, where there is one.
pub(crate) fn quick_home() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// The device of most tests.
const SOME_DEVICE: DeviceId = DeviceId::from_public_key([7; 32]);

/// One device with one share, and the coordinator's key that signs for it.
pub(crate) struct World {
    /// The device under test.
    pub(crate) agent: Arc<Agent>,
    /// Its one share.
    pub(crate) share: ShareId,
    key: SigningKey,
    home: tempfile::TempDir,
    /// Whom tickets were written for, in order.
    people: parking_lot::Mutex<Vec<PrincipalId>>,
}

impl World {
    /// A device that shares an empty folder.
    pub(crate) fn new() -> Self {
        Self::with(|config| config)
    }

    /// The same, started with other settings.
    pub(crate) fn with(change: impl FnOnce(Config) -> Config) -> Self {
        Self::build(tempfile::tempdir().unwrap(), SOME_DEVICE, change, |_| ())
    }

    /// A device that shares a folder which was prepared: something may be mounted on it.
    pub(crate) fn on(prepare: impl FnOnce(&Path)) -> Self {
        Self::build(tempfile::tempdir().unwrap(), SOME_DEVICE, |config| config, prepare)
    }

    /// A device whose disk does not let anybody wait, where there is one.
    pub(crate) fn quick() -> Self {
        Self::build(quick_home(), SOME_DEVICE, |config| config, |_| ())
    }

    /// This device, with such a disk.
    pub(crate) fn of(device: DeviceId) -> Self {
        Self::build(quick_home(), device, |config| config, |_| ())
    }

    /// This device, sharing a folder which was prepared.
    pub(crate) fn on_of(device: DeviceId, prepare: impl FnOnce(&Path)) -> Self {
        Self::build(tempfile::tempdir().unwrap(), device, |config| config, prepare)
    }

    fn build(
        home: tempfile::TempDir,
        device: DeviceId,
        change: impl FnOnce(Config) -> Config,
        prepare: impl FnOnce(&Path),
    ) -> Self {
        let key = SigningKey::generate().unwrap();
        let coordinator = Some(key.public().id());
        let issuer = Issuer { coordinator, keys: vec![key.public()], ..Issuer::default() };
        let keys = KeyRing::new(device, [issuer]);
        let cache_dir = home.path().join("cache");
        let media = MediaConfig::default();
        let agent = Agent::new(change(Config { device, keys, cache_dir, media, rate_limit: None }));
        std::fs::create_dir(home.path().join("share")).unwrap();
        prepare(&home.path().join("share"));
        let share = ShareId::generate();
        agent.add_share(share, &home.path().join("share")).unwrap();
        Self { agent, share, key, home, people: parking_lot::Mutex::default() }
    }

    /// The folder above the share: what is put here is outside.
    pub(crate) fn outside(&self) -> &Path {
        self.home.path()
    }

    /// A place in the shared folder, on disk.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join("share").join(name)
    }

    /// Puts a file into the share, with the folders it is in.
    pub(crate) fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// The share as the rooms get it.
    pub(crate) fn shared(&self) -> Arc<Share> {
        self.agent.share(self.share).unwrap()
    }

    /// Forgets what was only in memory, as a new process has.
    pub(crate) fn restart(&self) {
        self.agent.add_share(self.share, &self.home.path().join("share")).unwrap();
    }

    /// What a ticket says that allows everything on the share for two minutes. Change it and [`Self::sign`] it.
    pub(crate) fn claims(&self) -> Claims {
        let now = OffsetDateTime::now_utc();
        let sub = PrincipalId::generate();
        self.people.lock().push(sub);
        Claims {
            sub,
            cli: "a browser".into(),
            pky: None,
            aud: self.agent.config().device,
            res: Resource::Share(self.share),
            perm: Permissions::all(),
            iat: now,
            exp: now + READ_LIFETIME,
            jti: "1".into(),
        }
    }

    /// The person whom the last ticket was written for.
    pub(crate) fn last(&self) -> PrincipalId {
        *self.people.lock().last().unwrap()
    }

    /// The person whom the ticket before the last was written for.
    pub(crate) fn last_but_one(&self) -> PrincipalId {
        *self.people.lock().iter().rev().nth(1).unwrap()
    }

    /// The coordinator that signs.
    pub(crate) fn coordinator(&self) -> String {
        self.key.public().id()
    }

    /// A ticket of these claims, signed by the coordinator's key.
    pub(crate) fn sign(&self, claims: &Claims) -> Ticket {
        self.key.sign(claims).unwrap()
    }

    /// A ticket that allows only this.
    pub(crate) fn ticket_for(&self, permission: Permission) -> Ticket {
        self.sign(&Claims { perm: [permission].into_iter().collect(), ..self.claims() })
    }

    /// The router of the device.
    pub(crate) fn router(&self) -> Router {
        router(Arc::clone(&self.agent)).into()
    }

    /// A request with a ticket for everything. `tail` comes after `/agent/v1/shares/{share}/`.
    pub(crate) fn request(&self, method: Method, tail: &str) -> http::request::Builder {
        let ticket = self.sign(&self.claims());
        Request::builder()
            .method(method)
            .uri(format!("/agent/v1/shares/{}/{tail}", self.share))
            .header(AUTHORIZATION, format!("Bearer {}", ticket.as_str()))
    }

    /// GETs something of the share with a ticket for everything.
    pub(crate) async fn get(&self, tail: &str) -> Answer {
        self.send(self.request(Method::GET, tail).body(Body::empty()).unwrap()).await
    }

    /// GETs something of the share with further headers.
    pub(crate) async fn get_with(&self, tail: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = self.request(Method::GET, tail);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// PUTs content with a ticket for everything and further headers.
    pub(crate) async fn put(&self, query: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Answer {
        let request = self.request(Method::PUT, &format!("content?{query}"));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        self.send(request.body(body.into()).unwrap()).await
    }

    /// Sends a request through the router, and reads the answer to its end.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.router().oneshot(request).await.unwrap().into_parts();
        let (body, failed) = match body.collect().await {
            Ok(body) => (body.to_bytes(), false),
            Err(_) => (Bytes::new(), true),
        };
        // An answer to HEAD has no body; what it would say goes along beside it.
        let said = parts.extensions.get::<ApiError>().filter(|_| body.is_empty());
        let body = said.map_or(body, |error| serde_json::to_vec(error).unwrap().into());
        Answer { status: parts.status, headers: parts.headers, body, failed }
    }
}

/// Somebody who comes again: every request has the same ticket, and speaks tus.
pub(crate) struct Person<'a> {
    pub(crate) world: &'a World,
    pub(crate) ticket: Ticket,
}

impl<'a> Person<'a> {
    /// Somebody who may do everything.
    pub(crate) fn new(world: &'a World) -> Self {
        Self { world, ticket: world.sign(&world.claims()) }
    }

    /// A request for something of the share.
    pub(crate) fn request(
        &self,
        method: Method,
        tail: &str,
        headers: &[(&str, &str)],
        body: Body,
    ) -> Request<Body> {
        let request = Request::builder()
            .method(method)
            .uri(format!("/agent/v1/shares/{}/{tail}", self.world.share))
            .header(AUTHORIZATION, format!("Bearer {}", self.ticket.as_str()))
            .header("tus-resumable", "1.0.0");
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        request.body(body).unwrap()
    }

    /// The answer to it.
    pub(crate) async fn ask(
        &self,
        method: Method,
        tail: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let answer = self.world.send(self.request(method, tail, headers, body.into())).await;
        assert!(!tail.starts_with("uploads") || answer.header("tus-resumable") == "1.0.0");
        answer
    }

    /// GETs something.
    pub(crate) async fn get(&self, tail: &str) -> Answer {
        self.ask(Method::GET, tail, &[], "").await
    }

    /// PUTs content.
    pub(crate) async fn put(&self, query: &str, body: impl Into<Body>) -> Answer {
        self.ask(Method::PUT, &format!("content?{query}"), &[], body).await
    }

    /// POSTs a wish in JSON.
    pub(crate) async fn post(&self, tail: &str, wish: serde_json::Value) -> Answer {
        self.ask(Method::POST, tail, &[], wish.to_string()).await
    }
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// True if the body ended as broken.
    pub(crate) failed: bool,
}

impl Answer {
    /// The body of a success, read as JSON.
    #[track_caller]
    pub(crate) fn json<T: DeserializeOwned>(&self) -> T {
        assert!(self.status.is_success(), "{} {:?}", self.status, self.body);
        assert!(!self.failed, "the body broke off");
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The code of a refusal, found to agree with its status.
    #[track_caller]
    pub(crate) fn code(&self) -> ErrorCode {
        assert!(!self.status.is_success(), "{} {:?}", self.status, self.body);
        let error: ApiError = serde_json::from_slice(&self.body).unwrap();
        assert_eq!(error.code.status(), self.status);
        error.code
    }

    /// A header as text; empty if absent.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A body that says how long it is, whatever it is.
pub(crate) struct Announced {
    pub(crate) body: Body,
    pub(crate) length: u64,
}

impl http_body::Body for Announced {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length)
    }
}

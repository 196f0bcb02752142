//! The page's process in front of the coordinator's: who is really asking, said so that only they two can say it.
//!
//! `X-Forwarded-For` and its like can be written by anybody and are ignored everywhere. The two processes of one
//! machine share a key in the state folder instead, and this header counts only with that key and from this machine.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use coordinator::keyfile;
use http::header::UPGRADE;
use http::{HeaderValue, StatusCode};
use http_body_util::BodyExt;
use hyper::upgrade::OnUpgrade;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use peer::connection::Connection;
use proto::{ApiError, ErrorCode};
use tokio::io::AsyncWriteExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Carries the key, the caller's address, ours, and whether the way is encrypted.
const HEADER: &str = "x-lanthorn-forwarded";
/// WebSockets that are passed on at once. The coordinator bounds those of each caller; who reads nothing is not noticed by it.
const MAX_SOCKETS: usize = 1024;

/// What the two processes share: made by whichever starts first, kept in the state folder.
#[derive(Clone)]
pub struct ForwardKey(String);

impl ForwardKey {
    /// Reads the key, or makes it.
    pub fn load(state: &Path) -> Result<Self> {
        keyfile::prepare_folder(state)?;
        let key = keyfile::read_or_generate(&state.join("forward.key"))?;
        Ok(Self(key.iter().map(|byte| format!("{byte:02x}")).collect()))
    }

    fn say(&self, connection: &Connection) -> Option<HeaderValue> {
        let Connection { remote, local, encrypted } = connection;
        HeaderValue::from_str(&format!("{} {remote} {local} {encrypted}", self.0)).ok()
    }

    fn hear(&self, header: &HeaderValue) -> Option<Connection> {
        let mut words = header.to_str().ok()?.split(' ');
        // Compared by hash, so that the time it takes tells nothing about the key.
        let same = blake_eq(words.next()?, &self.0);
        let remote: SocketAddr = words.next()?.parse().ok()?;
        let local: SocketAddr = words.next()?.parse().ok()?;
        let encrypted = words.next()?.parse().ok()?;
        same.then_some(Connection { remote, local, encrypted })
    }
}

fn blake_eq(left: &str, right: &str) -> bool {
    // `blake3::Hash` compares in constant time.
    blake3::hash(left.as_bytes()) == blake3::hash(right.as_bytes())
}

/// At the coordinator: puts the real caller in place of the page's process.
pub async fn unwrap_caller(key: ForwardKey, mut request: Request, next: Next) -> Response {
    let said = request.headers_mut().remove(HEADER);
    let from_here = request.extensions().get::<Connection>().is_some_and(Connection::is_local);
    if let Some(connection) = said.filter(|_| from_here).and_then(|header| key.hear(&header)) {
        request.extensions_mut().insert(connection);
    }
    next.run(request).await
}

/// At the page: passes requests on to the coordinator.
#[derive(Clone)]
pub struct Forwarder {
    key: ForwardKey,
    base: String,
    client: Client<HttpConnector, Body>,
    sockets: Arc<Semaphore>,
}

impl Forwarder {
    /// Passes on to the coordinator at `base`, an `http://host:port`.
    pub fn new(key: ForwardKey, base: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        let sockets = Arc::new(Semaphore::new(MAX_SOCKETS));
        Self { key, base: base.trim_end_matches('/').to_owned(), client, sockets }
    }

    /// Passes one request on; both bodies stream.
    pub async fn pass_on(self, mut request: Request) -> Result<Response, Infallible> {
        let header = request.extensions().get::<Connection>().and_then(|connection| self.key.say(connection));
        let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let (Some(header), Ok(uri)) = (header, format!("{}{target}", self.base).parse()) else {
            return Ok(refusal());
        };
        *request.uri_mut() = uri;
        *request.version_mut() = http::Version::HTTP_11;
        request.headers_mut().insert(HEADER, header);
        let place = match request.headers().contains_key(UPGRADE) {
            true => match Arc::clone(&self.sockets).try_acquire_owned() {
                Ok(place) => Some(place),
                Err(_) => return Ok(full()),
            },
            false => None,
        };
        let caller = hyper::upgrade::on(&mut request);
        Ok(match self.client.request(request).await {
            Ok(mut answer) => {
                if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
                    tokio::spawn(join(caller, hyper::upgrade::on(&mut answer), place));
                }
                answer.map(|body| Body::new(body.map_err(std::io::Error::other)))
            }
            Err(error) => {
                tracing::warn!(%error, coordinator = self.base, "the coordinator does not answer");
                refusal()
            }
        })
    }
}

/// Passes on what both ends of a WebSocket say, until one of them ends.
async fn join(caller: OnUpgrade, coordinator: OnUpgrade, _place: Option<OwnedSemaphorePermit>) {
    let Ok((caller, coordinator)) = tokio::try_join!(caller, coordinator) else { return };
    let (mut from_caller, mut to_caller) = tokio::io::split(TokioIo::new(caller));
    let (mut from_coordinator, mut to_coordinator) = tokio::io::split(TokioIo::new(coordinator));
    // Either may break off: the other end is hung up on as well.
    tokio::select! {
        _ = tokio::io::copy(&mut from_caller, &mut to_coordinator) => {}
        _ = tokio::io::copy(&mut from_coordinator, &mut to_caller) => {}
    }
    let _ = tokio::join!(to_caller.shutdown(), to_coordinator.shutdown());
}

fn full() -> Response {
    let error = ApiError::new(
        ErrorCode::Busy,
        "Too many connections are open that stay.",
        "Close a page that is not needed, and try again.",
    );
    axum::response::IntoResponse::into_response((error.code.status(), axum::Json(error)))
}

fn refusal() -> Response {
    let error = ApiError::new(
        ErrorCode::DeviceOffline,
        "The coordinator does not answer.",
        "Start it with `lanthorn coordinator`, or say where it is with --coordinator-url.",
    );
    axum::response::IntoResponse::into_response((error.code.status(), axum::Json(error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_key_makes_a_caller_believed() {
        let home = tempfile::tempdir().unwrap();
        let key = ForwardKey::load(home.path()).unwrap();
        assert_eq!(ForwardKey::load(home.path()).unwrap().0, key.0);
        let connection = Connection {
            remote: "192.0.2.1:9".parse().unwrap(),
            local: "[::1]:5000".parse().unwrap(),
            encrypted: true,
        };
        let heard = key.hear(&key.say(&connection).unwrap()).unwrap();
        assert_eq!((heard.remote, heard.encrypted), (connection.remote, true));
        let forged = ForwardKey("0".repeat(64)).say(&connection).unwrap();
        assert!(key.hear(&forged).is_none());
    }
}

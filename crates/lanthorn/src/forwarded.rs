//! The page's process in front of the coordinator's: who is really asking, said so that only they two can say it.
//!
//! `X-Forwarded-For` and its like can be written by anybody and are ignored everywhere. The two processes of one
//! machine share a key in the state folder instead, and this header counts only with that key and from this machine.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Result;
use axum::body::Body;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::Response;
use coordinator::keyfile;
use http::HeaderValue;
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use peer::connection::Connection;
use proto::{ApiError, ErrorCode};

/// Carries the key, the caller's address, ours, and whether the way is encrypted.
const HEADER: &str = "x-lanthorn-forwarded";

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
}

impl Forwarder {
    /// Passes on to the coordinator at `base`, an `http://host:port`.
    pub fn new(key: ForwardKey, base: &str) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Self { key, base: base.trim_end_matches('/').to_owned(), client }
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
        Ok(match self.client.request(request).await {
            Ok(answer) => answer.map(|body| Body::new(body.map_err(std::io::Error::other))),
            Err(error) => {
                tracing::warn!(%error, coordinator = self.base, "the coordinator does not answer");
                refusal()
            }
        })
    }
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

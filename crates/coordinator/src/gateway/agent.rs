//! A link over HTTP to a device's agent at an address, for one that runs as a process of its own.

use std::time::Duration;

use axum::body::Body;
use futures_util::future::BoxFuture;
use http::header::HOST;
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{Extensions, Request, Response, Uri, Version};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::link::{Link, LinkError, patience};

/// How long to wait for the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// The way to an agent at an address.
pub struct HttpLink {
    client: Client<HttpConnector, Body>,
    authority: Authority,
}

impl HttpLink {
    /// A link to the agent at `authority` (`127.0.0.1:7001`).
    #[must_use]
    pub fn new(authority: Authority) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(connector);
        Self { client, authority }
    }

    /// The same request, addressed to the agent. What this process knows of the caller's connection stays here.
    fn readdress(&self, mut request: Request<Body>) -> Result<Request<Body>, LinkError> {
        let mut parts = std::mem::take(request.uri_mut()).into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query.get_or_insert(PathAndQuery::from_static("/"));
        *request.uri_mut() = Uri::from_parts(parts).map_err(|e| LinkError::Failed(Box::new(e)))?;
        *request.version_mut() = Version::HTTP_11;
        *request.extensions_mut() = Extensions::new();
        request.headers_mut().remove(HOST);
        Ok(request)
    }
}

impl Link for HttpLink {
    fn send(&self, request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, LinkError>> {
        let patience = patience(request.method());
        let request = self.readdress(request);
        let client = self.client.clone();
        Box::pin(async move {
            let answer = tokio::time::timeout(patience, client.request(request?)).await;
            match answer.map_err(|_| LinkError::TimedOut)? {
                Ok(response) => Ok(response.map(Body::new)),
                Err(e) if e.is_connect() => Err(LinkError::Offline),
                Err(e) => Err(LinkError::Failed(Box::new(e))),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use http_body_util::BodyExt;

    fn request() -> Request<Body> {
        Request::builder()
            .method("POST")
            .uri("/agent/v1/info?x=1")
            .header(HOST, "attic:7000")
            .header("range", "bytes=0-1")
            .body(Body::from("body"))
            .unwrap()
    }

    #[tokio::test]
    async fn requests_and_answers_pass_over_a_socket_as_they_are() {
        let echo = |request: axum::extract::Request| async move {
            let text = format!("{:?} {} ", request.headers()["range"], request.uri());
            let body = request.into_body().collect().await.unwrap().to_bytes();
            (http::StatusCode::PARTIAL_CONTENT, text + std::str::from_utf8(&body).unwrap())
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let serving = tokio::spawn(axum::serve(listener, Router::new().fallback(echo)).into_future());
        let link = HttpLink::new(address.parse().unwrap());
        let answer = link.send(request()).await.unwrap();
        assert_eq!(answer.status(), http::StatusCode::PARTIAL_CONTENT);
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, "\"bytes=0-1\" /agent/v1/info?x=1 body");
        serving.abort();
    }

    #[tokio::test]
    async fn a_device_that_does_not_listen_is_offline() {
        let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = closed.local_addr().unwrap().to_string();
        drop(closed);
        let answer = HttpLink::new(address.parse().unwrap()).send(request()).await;
        assert!(matches!(answer, Err(LinkError::Offline)));
    }
}

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

use super::link::{Link, LinkError};

/// How long to wait for the connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait for the head of the answer; the body may take as long as it likes.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
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
        let request = self.readdress(request);
        let client = self.client.clone();
        Box::pin(async move {
            let answer = tokio::time::timeout(ANSWER_TIMEOUT, client.request(request?)).await;
            match answer.map_err(|_| LinkError::TimedOut)? {
                Ok(response) => Ok(response.map(Body::new)),
                Err(e) if e.is_connect() => Err(LinkError::Offline),
                Err(e) => Err(LinkError::Failed(Box::new(e))),
            }
        })
    }
}

//! A link carries one request to a device and its answer back. In this process it is a function call.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use futures_util::future::BoxFuture;
use http::{Method, Request, Response};
use tower::ServiceExt;

/// How long to wait for the head of an answer; the body may take as long as it likes. What is sent to a device may be
/// large, and what it does may take long: then only a connection that breaks, or who asked giving up, ends the wait.
pub(super) fn patience(method: &Method) -> Duration {
    if method.is_safe() { Duration::from_secs(60) } else { Duration::from_secs(24 * 3600) }
}

/// Why a device did not answer.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// There is no way to the device now.
    #[error("the device is not connected")]
    Offline,
    /// The device says that it is there, and no way leads to it: why, for people.
    #[error("there is no way to the device: {0}")]
    Unreachable(String),
    /// The device began to answer and failed.
    #[error("the device did not answer properly")]
    Failed(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The device did not begin to answer in time.
    #[error("the device took too long to answer")]
    TimedOut,
}

/// A way to a device.
pub trait Link: Send + Sync + 'static {
    /// Sends a request to the device's API (`/agent/v1/…`). Bodies stream both ways; dropping the future or the
    /// answer's body cancels the work at the other end.
    fn send(&self, request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, LinkError>>;
}

/// The way to a device in this process. Request extensions go along, and so does whatever the body is made of.
pub struct RouterLink(Router);

impl RouterLink {
    /// A link to this router.
    #[must_use]
    pub const fn new(router: Router) -> Self {
        Self(router)
    }
}

impl Link for RouterLink {
    fn send(&self, request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, LinkError>> {
        let answer = self.0.clone().oneshot(request);
        Box::pin(async move { answer.await.map_err(|never| match never {}) })
    }
}

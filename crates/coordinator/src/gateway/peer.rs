//! A link to another machine over the lanes between devices: whichever way there is, its key is proved.

use axum::body::Body;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use peer::{Endpoint, OpenError};
use proto::DeviceId;

use super::link::{Link, LinkError, patience};

/// The way to one other machine.
pub(super) struct PeerLink {
    pub(super) endpoint: Endpoint,
    pub(super) device: DeviceId,
}

impl Link for PeerLink {
    fn send(&self, request: Request<Body>) -> BoxFuture<'static, Result<Response<Body>, LinkError>> {
        let (endpoint, device, patience) = (self.endpoint.clone(), self.device, patience(request.method()));
        Box::pin(async move {
            let answer = tokio::time::timeout(patience, endpoint.request(device, request)).await;
            match answer.map_err(|_| LinkError::TimedOut)? {
                Ok(response) => Ok(response.map(Body::new)),
                Err(error @ OpenError::Broken(_)) => Err(LinkError::Failed(Box::new(error))),
                Err(OpenError::Revoked) => Err(LinkError::Offline),
                Err(error) => Err(LinkError::Unreachable(error.to_string())),
            }
        })
    }
}

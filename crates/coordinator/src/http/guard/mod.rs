//! What every request passes before any handler, and every answer after it: the same for API, device API and page.
//!
//! From the outside in: the request gets its id and its log span, a panic ends as an answer, the `Host` must be one of
//! this machine's names, a changing request must come from this machine's own page, and answers get their headers.

pub(crate) mod headers;
pub(crate) mod host;
mod origin;
mod outermost;

use axum::Router;
use axum::middleware::from_fn_with_state;

use crate::coordinator::Coordinator;

impl Coordinator {
    /// Puts the checks that all requests pass around a router: page, API and device API alike.
    pub fn guard(&self, router: Router) -> Router {
        // One layer for all: each costs every request an allocation or four.
        router.layer(from_fn_with_state(self.clone(), outermost::wrap))
    }
}

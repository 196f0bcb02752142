//! The doors of the data plane: HTTP in, rooms called, HTTP out. One router, whatever carries it; beside it, what other
//! devices send over streams of their own.

use std::sync::Arc;

use axum::Router;
use peer::{Endpoint, Protocol};

use crate::agent::Agent;

pub mod access;
pub mod acts;
pub mod archive;
pub mod content;
pub mod delivery;
#[cfg(test)]
mod disks;
pub mod disposition;
pub mod ended;
pub mod error;
pub mod etag;
pub mod files;
pub mod inbox;
pub mod incoming;
#[cfg(test)]
mod matrix;
pub mod media;
pub mod outbox;
pub mod params;
pub mod put;
pub mod router;
pub mod running;
pub mod said;
pub mod search;
pub mod ticket_check;
pub mod transfers;
pub mod unpack;
pub mod uploads;
pub mod versions;
pub mod watch;

pub use router::{openapi, router};

/// Answers other devices at this endpoint: requests with `router`, the transfers they send with the agent. What the agent
/// sends goes out there, too.
pub fn answer_peers(agent: &Arc<Agent>, endpoint: &Endpoint, router: Router) {
    endpoint.serve(router);
    agent.outbox().set_endpoint(endpoint.clone());
    let agent = Arc::clone(agent);
    endpoint.serve_streams(Protocol::TRANSFER, move |caller| transfers::answer(Arc::clone(&agent), caller));
}

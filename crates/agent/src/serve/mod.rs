//! The doors of the data plane: HTTP in, rooms called, HTTP out. One router, whatever carries it.

pub mod access;
pub mod acts;
pub mod archive;
pub mod content;
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
pub mod params;
pub mod put;
pub mod router;
pub mod running;
pub mod search;
pub mod ticket_check;
pub mod transfers;
pub mod unpack;
pub mod uploads;
pub mod versions;
pub mod watch;

pub use router::{openapi, router};

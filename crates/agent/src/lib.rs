//! DATA PLANE: all that touches this machine. Knows nothing of the coordinator.
//!
//! A request enters by a door ([`serve`]), which checks its ticket and parses its path; a room ([`files`]) does
//! the work on what the one gate to the disk ([`share`]) opens for it. [`agent`] holds what lives as long as the
//! process.

pub mod agent;
pub mod alone;
pub mod control;
mod crash;
pub mod files;
pub mod serve;
pub mod share;
pub mod transfer;

pub use agent::{Agent, Config, Share};
pub use files::media::MediaConfig;

#[cfg(test)]
mod mounts;
#[cfg(test)]
mod testing;

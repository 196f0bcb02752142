//! WIRE: how a stream reaches another device, and what runs over it. Knows neither coordinator nor agent.
//!
//! A byte comes in through [`edge`] (one port, HTTP and HTTPS, limits), which hands each request to a router
//! together with what is known of its connection ([`connection::Connection`]). File content goes out through
//! [`sendfile`], where the connection allows it, without passing through this process's memory.
//!
//! Between devices the [`endpoint`] opens and answers streams: [`key`] says who is who, `peers` who is where and who
//! may enter, `lane` how the bytes get there, and `http` asks and answers on them.

pub mod connection;
pub mod edge;
pub mod endpoint;
mod error;
mod http;
pub mod key;
mod lane;
#[cfg(target_os = "linux")]
mod lane_io;
mod peers;
mod protocol;
pub mod sendfile;

pub use endpoint::{Config, Endpoint};
pub use error::OpenError;
pub use key::{DeviceKey, PeerId};
pub use lane::{Duplex, LaneKind, PathState, Stream};
pub use protocol::Protocol;

pub use crate::http::answer::Answer;

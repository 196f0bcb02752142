//! WIRE: how a stream reaches another device, and what runs over it. Knows neither coordinator nor agent.
//!
//! A byte comes in through [`edge`] (one port, HTTP and HTTPS, limits), which hands each request to a router
//! together with what is known of its connection ([`connection::Connection`]). File content goes out through
//! [`sendfile`], where the connection allows it, without passing through this process's memory.
//!
//! Between devices the [`endpoint`] opens and answers streams: [`key`] says who is who, `addresses` where this one is,
//! `peers` who may enter, `peer`
//! what is known of one, `way` which lane is taken, `relays` where it waits to be found, `lane` how the bytes get there, `ask` asks on them and `accept`
//! answers, in the words of `http` or of a protocol of [`frame`]s. A [`relay`] helps two that have no direct path, and [`discovery`] finds coordinators on
//! the local network. Two that were never paired meet by a [`code`].

mod accept;
mod addresses;
mod arriving;
mod ask;
pub mod code;
pub mod connection;
pub mod discovery;
pub mod edge;
pub mod endpoint;
mod error;
pub mod frame;
mod http;
pub mod key;
mod lane;
#[cfg(target_os = "linux")]
mod lane_io;
mod peer;
mod peers;
mod protocol;
pub mod relay;
mod relays;
pub mod sendfile;
mod way;

pub use accept::Caller;
pub use arriving::Arriving;
pub use endpoint::{Config, Endpoint};
pub use error::OpenError;
pub use key::{DeviceKey, PeerId};
pub use lane::{Carrier, Duplex, LaneKind, PathState, Stream};
pub use protocol::Protocol;
pub use relays::Meeting;

pub use crate::http::answer::Answer;
/// The certificate of an authority, which a relay has to show that it belongs to.
pub use rustls::pki_types::CertificateDer;

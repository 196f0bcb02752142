//! Lanes: the ways on which a stream reaches another device. Whichever it is, the stream is private, both ends have
//! proved their keys, and what runs over it cannot tell.

mod credit;
mod inbox;
pub(crate) mod lan;
pub(crate) mod pin;
pub(crate) mod quic;
pub(crate) mod trust;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};

/// A stream of bytes to and from a peer.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// An open stream, whichever lane it is on.
pub type Stream = Box<dyn Duplex>;

/// Which way a stream goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LaneKind {
    /// TLS over TCP, on a network both are on.
    Lan,
    /// QUIC, from one to the other.
    Direct,
    /// QUIC, through the coordinator's relay.
    Relayed,
}

/// What carries a stream. Which way that goes may change while the stream is open.
#[derive(Clone)]
pub struct Carrier(pub(crate) Carries);

#[derive(Clone)]
pub(crate) enum Carries {
    Lan,
    Quic(quic::Link),
}

impl Carrier {
    /// Which way it goes now; `None` once it is over.
    #[must_use]
    pub fn lane(&self) -> Option<LaneKind> {
        match &self.0 {
            Carries::Lan => Some(LaneKind::Lan),
            Carries::Quic(link) => link.path()?.lane,
        }
    }
}

/// How a peer is reached now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PathState {
    /// The lane in use; `None` while there is no connection.
    pub lane: Option<LaneKind>,
    /// How long a question and its answer take on it.
    pub round_trip: Option<Duration>,
    /// Why this lane and no better one, for people.
    pub why: String,
}

//! Ways to other machines for commands. A command that runs beside the machine's own process has the same key: a relay
//! would keep only one of the two, and an address would stand for both. So the command goes on the local network by
//! itself, and borrows what QUIC reaches from the process, over a socket in the state folder that this user alone can open.
//!
//! ```text
//! dial  a command's side: its own lane, or a borrowed one
//! lend  the running process's side
//! ```
//!
//! On the socket the command says, in a frame of JSON, whom it wants ([`Wanted`]); the process answers with a frame
//! ([`Lent`]), and from then on carries bytes both ways.

mod dial;
mod lend;

use std::path::{Path, PathBuf};

use peer::LaneKind;
use proto::DeviceId;
use proto::api::transfers::Way;
use proto::wire::link::Addresses;
use serde::{Deserialize, Serialize};

pub use dial::Dialler;
pub use lend::lend;

/// Where the socket is.
fn socket(state: &Path) -> PathBuf {
    state.join("lanes.sock")
}

/// Which way a lane goes.
const fn way(lane: LaneKind) -> Way {
    match lane {
        LaneKind::Lan => Way::Lan,
        LaneKind::Direct => Way::Direct,
        LaneKind::Relayed => Way::Relayed,
    }
}

/// Who is wanted, and for what.
#[derive(Debug, Serialize, Deserialize)]
struct Wanted {
    peer: DeviceId,
    /// The protocol's name.
    protocol: String,
    /// Where the peer is, as the coordinator said.
    addresses: Addresses,
}

/// What came of it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Lent {
    /// The stream is open; the bytes that follow are its own.
    Open(Option<Way>),
    /// There is no way, and why.
    NoWay(String),
}

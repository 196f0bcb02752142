//! Verified bulk transfer between two devices: `lanthorn/transfer/1`.
//!
//! Participants: the sender, who dials, and the receiver, who has been told by their coordinator what to expect
//! ([`Expected`](crate::api::transfers::Expected)). A transfer runs over one control stream and some piece streams, each
//! a stream of a lane of its own. The first frame on every stream is [`Hello`]; the receiver answers with
//! [`Welcomed`]. Frames are a length (four bytes, big endian, at most [`MAX_FRAME`](super::MAX_FRAME)) and a message in postcard.
//!
//! On the control stream the sender tells the entries of every item while it still walks the tree
//! ([`FromSender::Entries`]). The receiver answers each batch with what it has already ([`FromReceiver::Have`]): a sender
//! that resumes waits for it, one that begins does not. A file is cut into pieces of [`PIECE`] bytes, so that each is a
//! whole subtree of BLAKE3. On a piece stream each piece is a [`PieceHead`], [`PieceHead::BYTES`] long, and its bytes,
//! raw; pieces come in any order on any stream, small files one behind the other. The receiver hashes a piece as it
//! comes: only one that has the chaining value that was said counts, any other is asked for again. The hash of the file
//! is made of the chaining values, so nothing is read twice, and it is the file's ordinary BLAKE3.
//!
//! What counts is kept across restarts of either side. When everything of an item is there, the receiver makes it
//! durable, puts it into its place, and says so; [`FromReceiver::Finished`] ends the transfer. A stream that
//! breaks ends the run with all its streams: the sender begins anew, and hears what is here. It costs what was under way.
//!
//! Not here: who may send what (the ticket, and what the coordinator told the receiver), and the same content kept twice.

use serde::{Deserialize, Serialize};

use crate::api::transfers::Limit;
use crate::{ErrorCode, TransferId};

/// The version of this protocol.
pub const VERSION: u32 = 1;
/// The bytes of a piece: a power of two of BLAKE3's chunks.
pub const PIECE: u32 = 4 << 20;
/// The most entries of one transfer.
pub const MAX_ENTRIES: u32 = 5_000_000;
/// The most piece streams at once.
pub const MAX_STREAMS: u8 = 8;
/// The longest path of an entry in its item.
pub const MAX_PATH: usize = 4096;

/// How many pieces a file of this size has. The last one may be shorter.
#[must_use]
pub const fn pieces(size: u64) -> u64 {
    size.div_ceil(PIECE as u64)
}

/// The first frame on a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`VERSION`].
    pub version: u32,
    /// Opens the transfer.
    pub ticket: String,
    /// Which one.
    pub transfer: TransferId,
    /// What the stream is for.
    pub stream: StreamKind,
}

/// What a stream is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum StreamKind {
    /// What is said. A newer one ends the one before.
    Control,
    /// Pieces of the control stream that was welcomed with this number.
    Pieces {
        /// [`Welcomed::Control::run`].
        run: u64,
    },
}

/// The receiver's first frame on a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Welcomed {
    /// A control stream.
    Control {
        /// Names this run to the piece streams.
        run: u64,
        /// How many piece streams may be opened.
        streams: u8,
        /// True if nothing of the transfer is here: the sender need not wait to hear what is.
        fresh: bool,
    },
    /// A piece stream.
    Pieces,
    /// No.
    Refused(Problem),
}

/// What went wrong, as [`ApiError`](crate::ApiError) says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct Problem {
    /// For programs.
    pub code: ErrorCode,
    /// In one sentence.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// What is sent, one after the other. Its number is its place in the order in which entries are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The item it belongs to: its place in the list of what was approved.
    pub item: u16,
    /// Where it is in the item, names with `/` between them; empty for the item itself. Folders come before what is in
    /// them.
    pub path: Vec<u8>,
    /// What it is.
    pub what: What,
    /// A file that changed while it was sent comes again as another entry: what came of this one before is void.
    pub replaces: Option<u32>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum What {
    /// A file.
    File(FileFacts),
    /// A folder.
    Folder {
        /// When its content last changed: nanoseconds since 1970.
        modified_ns: i64,
    },
    /// A symbolic link to something in the same item.
    Link {
        /// Where it points, as it stands in it.
        target: Vec<u8>,
    },
}

/// What is known of a file before it is sent. A file with other facts is another file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileFacts {
    /// Its bytes.
    pub size: u64,
    /// When its content last changed: nanoseconds since 1970.
    pub modified_ns: i64,
    /// True if it can be run.
    pub executable: bool,
}

/// What the sender says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromSender {
    /// Some more entries.
    Entries(Vec<Entry>),
    /// These were all.
    AllEntries,
    /// An entry cannot be sent.
    Lost {
        /// The entry.
        entry: u32,
        /// Why.
        why: Problem,
    },
    /// Still there.
    Pulse,
    /// What keeps the sender from sending faster, when that is another than before.
    Pace(Limit),
    /// An item cannot be sent, or no more of it than was told of.
    LostItem {
        /// Its place in the list of what was approved.
        item: u16,
        /// Why.
        why: Problem,
    },
}

/// What of an entry the receiver has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Have {
    /// Nothing, or it is no file.
    Nothing,
    /// All of it.
    All,
    /// Some pieces: a bit for each, the lowest bit of the first byte for the first.
    Some(Vec<u8>),
    /// It is not taken.
    Refused(Problem),
}

/// What the receiver says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FromReceiver {
    /// What is here of each entry of the next batch.
    Have(Vec<Have>),
    /// So many bytes are here and verified, all in all.
    Got {
        /// The bytes.
        bytes: u64,
    },
    /// A piece did not have its chaining value.
    Again {
        /// The entry.
        entry: u32,
        /// The piece.
        piece: u32,
    },
    /// An entry cannot be taken.
    Failed {
        /// The entry.
        entry: u32,
        /// Why.
        why: Problem,
    },
    /// Send nothing until [`Self::GoOn`].
    Hold {
        /// Why, in one sentence.
        why: String,
    },
    /// Go on.
    GoOn,
    /// Everything is in its place and durable, but for what failed.
    Finished,
    /// The transfer ends here.
    Ended(Problem),
}

/// What stands before a piece's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PieceHead {
    /// The entry.
    pub entry: u32,
    /// Which piece of it.
    pub piece: u32,
    /// Its bytes.
    pub len: u32,
    /// Its chaining value; of a file that is one piece, the file's hash.
    pub chaining: [u8; 32],
}

impl PieceHead {
    /// How long it is on the wire.
    pub const BYTES: usize = 44;

    /// As it stands on the wire: three numbers, big endian, and the chaining value.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        for (place, number) in bytes.chunks_exact_mut(4).zip([self.entry, self.piece, self.len]) {
            place.copy_from_slice(&number.to_be_bytes());
        }
        bytes[12..].copy_from_slice(&self.chaining);
        bytes
    }

    /// Reads it back.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let mut chaining = [0; 32];
        chaining.copy_from_slice(&bytes[12..]);
        Self { entry: number(0), piece: number(4), len: number(8), chaining }
    }
}

//! What this machine sends. [`walk`] finds what there is, [`queue`] holds the pieces that are wanted, [`read`] reads and
//! hashes them, and [`run`] tells the receiver of it all on one control stream.

mod queue;
mod rate_limit;
mod read;
mod run;
mod walk;

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use peer::OpenError;
use proto::wire::transfer::{FileFacts, Problem};
use proto::{ErrorCode, RelPath};

use crate::files::ignoring::Excludes;
use crate::share::ShareRoot;

pub use rate_limit::RateLimit;
pub use run::{Heard, Opener, Sending, send};
pub use walk::{Size, measure, measure_until};

/// A file or folder that is sent: one item of a transfer.
#[derive(Clone)]
pub struct Source {
    /// The folder beneath which it is: a share, or where the item lies.
    pub root: Arc<ShareRoot>,
    /// Where it is in it.
    pub path: RelPath,
    /// What is left out of a folder, besides what its `.meshignore` files say.
    pub excludes: Arc<Excludes>,
}

impl Source {
    /// All of a file or folder, but for what its `.meshignore` files say.
    #[must_use]
    pub fn new(root: Arc<ShareRoot>, path: RelPath) -> Self {
        Self { root, path, excludes: Arc::default() }
    }
}

/// Why a run ended before everything was in its place.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// There is no way to the receiver.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A stream broke. Begun anew, it goes on where it stopped.
    #[error("the connection to the receiver broke")]
    Broken(#[from] std::io::Error),
    /// The receiver says no.
    #[error(transparent)]
    Refused(Problem),
}

impl SendError {
    /// True for what a new ticket, or a little patience, may change.
    #[must_use]
    pub const fn may_pass(&self) -> bool {
        use ErrorCode::{Conflict, NoSpace, NotFound, TicketExpired};
        match self {
            Self::Open(_) | Self::Broken(_) => true,
            Self::Refused(why) => matches!(why.code, TicketExpired | NotFound | Conflict | NoSpace),
        }
    }
}

/// A file as it was when it was told of.
struct Outgoing {
    source: Source,
    /// Where it is in the item.
    inner: Vec<u8>,
    item: u16,
    /// From the source's root.
    path: RelPath,
    facts: FileFacts,
    /// Nothing more of it is sent: it changed, or cannot be read.
    void: AtomicBool,
    /// Open while its pieces are read.
    open: parking_lot::Mutex<Option<Arc<std::fs::File>>>,
}

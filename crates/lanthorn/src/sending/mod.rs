//! Files on their way into a share: many small ones packed together, large ones in pieces that are gone on with where they
//! stopped. A few at once; what fails does not stop the others.
//!
//! ```text
//! tree        what is to be sent, as it lies on this machine
//! single      one small file
//! packed      small files and folders, many in one request
//! packing     their tar, made while it is sent
//! pieces      one large file, each piece with its checksum
//! read_ahead  the next piece, read while one is sent
//! ```

mod packed;
mod packing;
mod pieces;
mod read_ahead;
mod single;
mod tree;

use std::path::PathBuf;

use anyhow::Result;
use futures_util::StreamExt;
use proto::RelPath;
use proto::api::writing::{ActItem, Clash, Outcome};
use serde::Serialize;

pub use tree::{Local, walk};

use crate::fetch::Progress;
use crate::places::Place;
use crate::signed_in::SignedIn;

/// How many requests are under way at once.
const AT_ONCE: usize = 4;
/// Files up to this size are packed together.
const SMALL: u64 = 1 << 20;

/// How files are sent.
pub struct Sending<'a> {
    /// Through whom.
    pub at: &'a SignedIn,
    /// The folder that names are taken from.
    pub base: &'a Place,
    /// What is done when a name is taken.
    pub clash: Clash,
    /// Where unfinished uploads are noted.
    pub notes: PathBuf,
    /// How far it is.
    pub progress: &'a Progress,
}

/// What became of it.
#[derive(Debug, Default, Serialize)]
pub struct Sent {
    /// Files that are in their places.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, bytes that were there from before.
    pub resumed_bytes: u64,
    /// What has another name, was left, or could not be sent.
    pub items: Vec<ActItem>,
    /// With these it can be undone.
    pub undo: Vec<proto::UndoToken>,
}

/// One request, or the uploading of one file.
enum Job {
    Single(Local),
    Packed(Vec<Local>),
    Pieces(Local),
}

impl Sending<'_> {
    /// What is done when a name is taken, as it stands in a query.
    fn clash_word(&self) -> &'static str {
        match self.clash {
            Clash::Ask => "ask",
            Clash::Rename => "rename",
            Clash::Replace => "replace",
            Clash::Skip => "skip",
        }
    }

    /// Sends everything.
    pub async fn run(&self, all: Vec<Local>) -> Result<Sent> {
        self.progress.expect(all.iter().map(|one| one.size).sum());
        let (small, large): (Vec<_>, Vec<_>) = all.into_iter().partition(|one| one.size <= SMALL);
        let mut sent = Sent::default();
        let small = match <[Local; 1]>::try_from(small) {
            Ok([one]) if !one.is_folder => vec![Job::Single(one)],
            Ok([folder]) => vec![Job::Packed(vec![folder])],
            Err(small) => packed::batches(small).into_iter().map(Job::Packed).collect(),
        };
        let jobs = small.into_iter().chain(large.into_iter().map(Job::Pieces));
        let mut under_way =
            futures_util::stream::iter(jobs.map(|job| self.one(job))).buffer_unordered(AT_ONCE);
        while let Some(done) = under_way.next().await {
            sent.add(done?);
        }
        Ok(sent)
    }

    async fn one(&self, job: Job) -> Result<Sent> {
        match job {
            Job::Single(file) => single::send(self, file).await,
            Job::Packed(files) => packed::send(self, files).await,
            Job::Pieces(file) => pieces::send(self, file).await,
        }
    }
}

impl Sent {
    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.bytes += other.bytes;
        self.resumed_bytes += other.resumed_bytes;
        self.items.extend(other.items);
        self.undo.extend(other.undo);
    }

    /// One file that did not come to its place.
    fn failed(path: RelPath, error: proto::ApiError) -> Self {
        let item = ActItem { from: path, to: None, outcome: Outcome::Failed, error: Some(error) };
        Self { items: vec![item], ..Self::default() }
    }
}

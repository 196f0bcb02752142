//! The index of names of a share: built in the background, kept fresh, saved, and there to be searched.
//!
//! [`scan`] reads folders into the [`tree`], whose entries lie in one run of [`names`], with [`signs`] of what is where
//! in it; [`watch`] tells what changed;
//! [`save`] makes a restart warm. One thread per share ([`Keeper`]) does all of it and ends with the [`Index`].
//! Not known here: queries and transports.

pub(crate) mod names;
mod save;
pub(crate) mod scan;
pub(crate) mod signs;
pub(crate) mod tree;
mod watch;

#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{RwLock, RwLockReadGuard};
use proto::ShareId;
use tokio::sync::watch as signal;

use self::scan::Scan;
use self::tree::{FolderId, Tree};
use self::watch::{Bell, News, Watch};
use crate::share::ShareRoot;

/// After a change, further ones are waited for this long …
const QUIET: Duration = Duration::from_millis(20);
/// … but in all no longer than this, so that a change is found within 200 ms also while others go on.
const LONGEST_WAIT: Duration = Duration::from_millis(100);
/// Where some folders cannot be watched, this much of the time may go into comparing: one part in this many.
const COMPARE_SHARE: u32 = 50;

/// How far an index has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// The share is read for the first time: the index lacks what was not read yet.
    Reading,
    /// A saved index answers while it is compared with the disk.
    Checking,
    /// It agrees with the disk, up to changes of the last moment.
    Current,
}

/// The state of an index, as it is told to those who wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// How far it has come.
    pub phase: Phase,
    /// Grows with every time that changes were taken in.
    pub generation: u64,
}

/// How an index is kept.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Whether the kernel is asked to tell of changes.
    pub watch: bool,
    /// How often all folders are compared with the disk, and a changed index is saved.
    pub compare: Duration,
    /// How often they are compared where some cannot be watched.
    pub compare_unwatched: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { watch: true, compare: Duration::from_secs(600), compare_unwatched: Duration::from_secs(30) }
    }
}

/// The index of one share. Dropping it ends its thread, which saves what changed.
pub struct Index {
    shared: Arc<Shared>,
    keeper: Option<JoinHandle<()>>,
}

struct Shared {
    tree: RwLock<Tree>,
    progress: signal::Sender<Progress>,
    stop: AtomicBool,
    full: AtomicBool,
    bell: Option<Bell>,
}

impl Shared {
    fn new(bell: Option<Bell>) -> Self {
        Self {
            tree: RwLock::new(Tree::new()),
            progress: signal::Sender::new(Progress { phase: Phase::Reading, generation: 0 }),
            stop: AtomicBool::new(false),
            full: AtomicBool::new(false),
            bell,
        }
    }
}

/// The thread that keeps one index.
struct Keeper {
    shared: Arc<Shared>,
    gate: Arc<ShareRoot>,
    watch: Watch,
    share: ShareId,
    place: PathBuf,
    pace: Pace,
    /// The edits that are on disk.
    saved: u64,
    /// True once it was said that not all folders are watched.
    partly_watched: bool,
}

impl Index {
    /// Begins to index what the gate opens. The index is kept in `cache_dir` between runs.
    #[must_use]
    pub fn start(gate: Arc<ShareRoot>, share: ShareId, cache_dir: &std::path::Path, pace: Pace) -> Self {
        let shared = Arc::new(Shared::new(Bell::new().ok()));
        let place = save::place(cache_dir, share);
        let own = Arc::clone(&shared);
        let keeper = std::thread::Builder::new().name("index".into()).spawn(move || {
            let watch = Watch::new(pace.watch);
            let mut keeper =
                Keeper { shared: own, gate, watch, share, place, pace, saved: 0, partly_watched: false };
            keeper.run();
        });
        if let Err(error) = &keeper {
            tracing::warn!(%error, "no thread for the index: searches walk the share");
        }
        Self { shared, keeper: keeper.ok() }
    }

    /// An index that is never read: searches walk the share.
    #[must_use]
    pub fn none() -> Self {
        Self { shared: Arc::new(Shared::new(None)), keeper: None }
    }

    /// How far the index has come.
    #[must_use]
    pub fn progress(&self) -> Progress {
        *self.shared.progress.borrow()
    }

    /// Tells of every change of [`Self::progress`].
    #[must_use]
    pub fn follow(&self) -> signal::Receiver<Progress> {
        self.shared.progress.subscribe()
    }

    /// True if the share has more names than an index holds.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.shared.full.load(Ordering::Relaxed)
    }

    /// How many files and folders are known.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.shared.tree.read().len()
    }

    /// True if nothing is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The names. Changes wait while this is held: not for long, and never across a wait.
    pub(crate) fn tree(&self) -> RwLockReadGuard<'_, Tree> {
        self.shared.tree.read()
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(bell) = &self.shared.bell {
            bell.ring();
        }
        if let Some(keeper) = self.keeper.take()
            && keeper.join().is_err()
        {
            tracing::error!("the thread of an index panicked");
        }
    }
}

impl Keeper {
    fn run(&mut self) {
        let mut news = News { missed: self.open(), ..News::default() };
        let mut compared = Instant::now();
        let mut took = Duration::ZERO;
        while let Some(bell) = &self.shared.bell
            && !self.is_stopped()
        {
            let due = self.compare_interval(took).saturating_sub(compared.elapsed());
            self.watch.wait(bell, due);
            if self.watch.read(&mut news) {
                self.gather(bell, &mut news);
            }
            let now = std::mem::take(&mut news);
            if now.lost {
                tracing::info!("changes came faster than they could be followed: comparing the whole share");
            }
            if now.lost || compared.elapsed() >= self.compare_interval(took) {
                let begun = Instant::now();
                news.missed = self.compare();
                (compared, took) = (Instant::now(), begun.elapsed());
                self.save();
            } else if now.is_empty() {
                news.missed = now.missed;
            } else {
                news.missed = self.scan().follow(now);
                self.settled();
            }
        }
        self.save();
    }

    fn is_stopped(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    /// Loads what was saved, and reads what is new since; or reads everything. Gives what [`Self::compare`] does.
    fn open(&mut self) -> Vec<FolderId> {
        let begun = Instant::now();
        if let Some(tree) = save::read(self.share, &self.place) {
            self.saved = tree.edits;
            *self.shared.tree.write() = tree;
            self.shared.progress.send_modify(|progress| progress.phase = Phase::Checking);
        }
        let missed = self.compare();
        self.shared.tree.write().shrink();
        if self.is_stopped() {
            return missed;
        }
        let names = self.shared.tree.read().len();
        let took_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        tracing::debug!(share = %self.share, names, took_ms, "index is current");
        self.save();
        missed
    }

    /// Brings the whole index into agreement with the disk.
    /// Gives the folders that are not where they are thought to be.
    fn compare(&mut self) -> Vec<FolderId> {
        let folders = self.shared.tree.read().in_order();
        let missed = self.scan().run(folders, readers());
        if !self.is_stopped() {
            self.settled();
        }
        missed
    }

    fn scan(&self) -> Scan<'_> {
        Scan {
            gate: &self.gate,
            tree: &self.shared.tree,
            watch: &self.watch,
            stop: &self.shared.stop,
            full: &self.shared.full,
        }
    }

    /// Waits for the end of a burst of changes. Not woken by each of them: ten thousand files can come in a moment, and who
    /// writes them wants the processor.
    fn gather(&self, bell: &Bell, news: &mut News) {
        let begun = Instant::now();
        while begun.elapsed() < LONGEST_WAIT && !self.is_stopped() {
            bell.wait(QUIET);
            if !self.watch.read(news) {
                return;
            }
        }
    }

    /// Says that changes are in, and copies the tree together if it has become wasteful.
    fn settled(&mut self) {
        if self.shared.tree.read().is_wasteful() {
            self.compact();
        }
        self.shared.tree.write().sign();
        if let Some(errno) = self.watch.take_refusal()
            && !self.partly_watched
        {
            self.partly_watched = true;
            tracing::warn!(
                share = %self.share, error = %errno,
                "not every folder can be watched: changes there are found by comparing, every so often \
                 (raising fs.inotify.max_user_watches helps)"
            );
        }
        self.shared.progress.send_modify(|progress| {
            progress.phase = Phase::Current;
            progress.generation += 1;
        });
    }

    /// Only this thread changes the tree, so it can be copied while searches go on.
    fn compact(&self) {
        let compacted = self.shared.tree.read().compacted();
        *self.shared.tree.write() = compacted;
    }

    fn compare_interval(&self, took: Duration) -> Duration {
        if self.partly_watched || !self.pace.watch {
            self.pace.compare_unwatched.max(took * COMPARE_SHARE).min(self.pace.compare)
        } else {
            self.pace.compare
        }
    }

    /// Saves the index, if it changed since the last time.
    fn save(&mut self) {
        let edits = self.shared.tree.read().edits;
        if edits == self.saved || self.shared.progress.borrow().phase != Phase::Current {
            return;
        }
        // What is saved has its folders in order.
        self.compact();
        match save::write(&self.shared.tree.read(), self.share, &self.place) {
            Ok(()) => self.saved = edits,
            Err(error) => {
                tracing::warn!(%error, "the index could not be saved; the next start will read the share anew")
            }
        }
    }
}

/// How many threads read a share.
fn readers() -> usize {
    std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4))
}

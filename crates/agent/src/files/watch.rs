//! What is at a place, told whenever it changes: for open editors and open folders.
//!
//! Changes made here wake the watchers of the share at once. Changes by other programs are found by a look twice a
//! second: a look costs microseconds, and the kernel's own watches (of the index) tell of names, not of content.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proto::RelPath;
use proto::api::files::EntryType;
use proto::api::writing::Seen;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{FilesError, entry, off_thread, versions};
use crate::agent::Share;
use crate::share::Stat;

/// How often it is looked for what other programs did.
const LOOK: Duration = Duration::from_millis(500);
/// After this the same is told again, so that a watcher that is gone is noticed.
const REPEAT: Duration = Duration::from_secs(30);
/// The most watchers of one share.
const MOST: usize = 1_024;

/// Who watches a share, and when they are woken.
pub struct Watched {
    changes: watch::Sender<()>,
    editing: Mutex<HashMap<RelPath, u32>>,
}

impl Default for Watched {
    fn default() -> Self {
        Self { changes: watch::Sender::new(()), editing: Mutex::default() }
    }
}

impl Watched {
    /// Something was changed here: everybody who watches this share looks.
    pub fn touch(&self) {
        self.changes.send_replace(());
    }

    fn count(&self, path: &RelPath, by: i32) {
        let mut editing = self.editing.lock();
        let count = editing.entry(path.clone()).or_default();
        *count = count.saturating_add_signed(by);
        if *count == 0 {
            editing.remove(path);
        }
        drop(editing);
        self.touch();
    }

    fn editors(&self, path: &RelPath) -> u32 {
        self.editing.lock().get(path).copied().unwrap_or(0)
    }
}

/// Somebody who watches a place.
pub struct Watcher {
    share: Arc<Share>,
    path: RelPath,
    editing: bool,
    changes: watch::Receiver<()>,
    told: Option<(Told, Instant)>,
}

/// What was told last.
#[derive(Clone, PartialEq, Eq)]
struct Told {
    stat: Option<Stat>,
    others: u32,
}

impl Watcher {
    /// Begins to watch. With `editing` the watcher counts among those who have the place open.
    ///
    /// # Errors
    /// [`FilesError`]: nothing there, it leads out, or too many watch already.
    pub async fn begin(share: Arc<Share>, path: RelPath, editing: bool) -> Result<Self, FilesError> {
        let looked = (Arc::clone(&share), path.clone());
        off_thread(move || looked.0.root.stat(&looked.1).and_then(|stat| entry::openable(stat.node))).await?;
        if share.watched.changes.receiver_count() >= MOST {
            return Err(FilesError::Busy);
        }
        let changes = share.watched.changes.subscribe();
        if editing {
            share.watched.count(&path, 1);
        }
        Ok(Self { share, path, editing, changes, told: None })
    }

    /// What is at the place: at once the first time, then whenever it is something else.
    ///
    /// # Errors
    /// The way to the place leads out now, or the disk's.
    pub async fn next(&mut self) -> Result<Seen, FilesError> {
        loop {
            self.changes.mark_unchanged();
            let (share, path) = (Arc::clone(&self.share), self.path.clone());
            let stat = off_thread(move || match share.root.stat(&path) {
                Ok(stat) => Ok(Some(stat)),
                Err(FilesError::NotFound | FilesError::NotFolder) => Ok(None),
                Err(error) => Err(error),
            });
            let others = self.share.watched.editors(&self.path).saturating_sub(u32::from(self.editing));
            let now = Told { stat: stat.await?, others };
            let known = self.told.as_ref().is_some_and(|(told, at)| *told == now && at.elapsed() < REPEAT);
            if !known {
                self.told = Some((now.clone(), Instant::now()));
                return self.seen(now).await;
            }
            // The sender lives as long as the share, and this holds the share.
            let _ = tokio::time::timeout(LOOK, self.changes.changed()).await;
        }
    }

    async fn seen(&self, Told { stat, others }: Told) -> Result<Seen, FilesError> {
        let (share, path) = (Arc::clone(&self.share), self.path.clone());
        off_thread(move || {
            let entry = stat.map(|stat| entry::of(path.clone(), &stat, false));
            let file = entry.as_ref().filter(|entry| entry.entry_type == EntryType::File);
            let changed_by = file.and_then(|entry| versions::writer_of(&share, &path, &entry.version));
            Ok(Seen { entry, changed_by, others })
        })
        .await
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        if self.editing {
            self.share.watched.count(&self.path, -1);
        }
    }
}

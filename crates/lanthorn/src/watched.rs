//! A small file that another process writes, followed: looked at often, read when it changed.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::Result;
use tokio::sync::watch;

/// How often it is looked whether the file has changed.
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// What the file says, now and whenever it changes. A file with a mistake in it changes nothing.
pub fn follow<T: PartialEq + Send + Sync + 'static>(
    path: &Path,
    now: T,
    read: impl Fn() -> Result<T> + Send + 'static,
) -> Result<watch::Receiver<T>> {
    let (sender, receiver) = watch::channel(now);
    tokio::spawn(look(path.to_owned(), sender, read));
    Ok(receiver)
}

async fn look<T: PartialEq>(path: PathBuf, sender: watch::Sender<T>, read: impl Fn() -> Result<T>) {
    let mut seen = None;
    let mut clock = tokio::time::interval(LOOK_EVERY);
    while !sender.is_closed() {
        clock.tick().await;
        let now = changed_at(&path);
        if now == seen {
            continue;
        }
        seen = now;
        match read() {
            Ok(found) => drop(sender.send_if_modified(|known| {
                let changed = *known != found;
                *known = found;
                changed
            })),
            Err(error) => {
                tracing::warn!(path = %path.display(), error = format!("{error:#}"), "cannot be read")
            }
        }
    }
}

fn changed_at(path: &Path) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|found| found.modified()).ok()
}

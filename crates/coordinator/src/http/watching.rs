//! What a page watches by its event socket: each place is followed at its device for as long as it is on the page's
//! list, with the page's own rights, and what the device says is passed on.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use proto::ErrorCode;
use proto::api::writing::{FileChanged, MAX_WATCHES, Seen, Watch, WatchList};
use tokio::sync::mpsc;
use tokio_util::task::AbortOnDropHandle;

use super::devices;
use super::trail::Trail;
use crate::access::Caller;
use crate::coordinator::Coordinator;
use crate::files::{Lines, in_query, read_error};

/// Changes that wait for a socket that is slow. Beyond that their devices wait.
const WAITING: usize = 64;
/// How long it takes until a place is asked for again whose device is away.
const AGAIN: Duration = Duration::from_secs(3);

/// The places that one socket watches.
pub(super) struct Watching {
    coordinator: Coordinator,
    caller: Caller,
    trail: Trail,
    followed: HashMap<Watch, AbortOnDropHandle<()>>,
    tell: mpsc::Sender<FileChanged>,
    told: mpsc::Receiver<FileChanged>,
}

impl Watching {
    pub(super) fn new(coordinator: Coordinator, caller: Caller, trail: Trail) -> Self {
        let (tell, told) = mpsc::channel(WAITING);
        Self { coordinator, caller, trail, followed: HashMap::new(), tell, told }
    }

    /// Watches these places, and no others any more. False if the list is none, or too long.
    pub(super) fn set(&mut self, list: &str) -> bool {
        let Ok(list) = serde_json::from_str::<WatchList>(list) else { return false };
        if list.watch.len() > MAX_WATCHES {
            return false;
        }
        self.followed.retain(|watch, _| list.watch.contains(watch));
        for watch in list.watch {
            let follow = Follow {
                coordinator: self.coordinator.clone(),
                caller: self.caller,
                trail: self.trail.clone(),
                watch: watch.clone(),
                tell: self.tell.clone(),
            };
            self.followed.entry(watch).or_insert_with(|| AbortOnDropHandle::new(tokio::spawn(follow.run())));
        }
        true
    }

    /// The next change of a place that is watched. Waits for ever where none is.
    pub(super) async fn next(&mut self) -> FileChanged {
        loop {
            match self.told.recv().await {
                // What was on its way when the list changed is not told any more.
                Some(change) if self.is_watched(&change) => return change,
                Some(_) => {}
                None => std::future::pending().await,
            }
        }
    }

    fn is_watched(&self, change: &FileChanged) -> bool {
        let fits = |watch: &Watch| {
            (watch.device, watch.share, &watch.path) == (change.device, change.share, &change.path)
        };
        self.followed.keys().any(fits)
    }
}

/// One place that is followed.
struct Follow {
    coordinator: Coordinator,
    caller: Caller,
    trail: Trail,
    watch: Watch,
    tell: mpsc::Sender<FileChanged>,
}

impl Follow {
    /// Follows until told to stop: again and again, for devices come and go.
    async fn run(self) {
        loop {
            match self.follow().await {
                // Nothing of that name yet, or any more.
                Err(ErrorCode::NotFound) => {
                    self.tell(Seen { entry: None, changed_by: None, others: 0 }).await
                }
                Err(ErrorCode::Forbidden | ErrorCode::OutsideShare) => return,
                _ => {}
            }
            tokio::time::sleep(AGAIN).await;
        }
    }

    async fn follow(&self) -> Result<(), ErrorCode> {
        let Watch { device, share, path, editing } = &self.watch;
        let path = in_query(&path.to_string());
        let tail = format!("/shares/{share}/watch?path={path}&editing={editing}");
        let (rooms, request) = (self.coordinator.rooms(), Request::new(Body::empty()));
        let sent = devices::send(rooms, &self.caller, &self.trail, *device, &tail, request);
        let answer = sent.await.map_err(|refusal| refusal.0.code)?;
        let body = read_error(answer).await.map_err(|error| error.code)?;
        let mut lines = Lines::endless(body);
        while let Ok(Some(some)) = lines.next().await {
            // Only the last of several counts.
            let Some(seen) = some.back().and_then(|line| serde_json::from_slice(line).ok()) else { break };
            self.tell(seen).await;
        }
        Ok(())
    }

    async fn tell(&self, seen: Seen) {
        let Watch { device, share, path, .. } = self.watch.clone();
        // Without a receiver this is about to be stopped.
        let _ = self.tell.send(FileChanged { device, share, path, seen }).await;
    }
}

//! The plain walk: for a share whose index is not complete. It reads folder after folder, in slices, so that no thread
//! waits for a slow client, and it ends when its time is over or nobody listens any more.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::RelPath;

use super::query::{Found, Query, Trail};
use super::sweep::{near_rank, rank};
use super::{Filter, Hit};
use crate::files::index::scan::Desk;
use crate::share::{Node, ShareRoot};

/// How long a walk goes on at one go.
const SLICE: Duration = Duration::from_millis(50);
/// Matches that are handed out at one go.
const HANDFUL: usize = 64;
/// Folders that wait to be read; beyond, the walk is incomplete. Keeps its memory bounded.
const MOST_WAITING: usize = 100_000;

/// A walk that can be gone on with.
pub(crate) struct Walk {
    gate: Arc<ShareRoot>,
    query: Arc<Query>,
    filter: Filter,
    shallow: bool,
    waiting: Vec<Place>,
    desk: Desk,
    deadline: Instant,
    /// False once something was left out.
    pub(crate) complete: bool,
}

/// A folder still to be read.
struct Place {
    path: RelPath,
    found: Found,
    trail: Trail,
}

impl Walk {
    /// A walk below a folder, or through it alone, which ends at the deadline.
    pub(crate) fn new(
        gate: Arc<ShareRoot>,
        query: Arc<Query>,
        filter: Filter,
        (scope, shallow): (RelPath, bool),
        deadline: Instant,
    ) -> Self {
        let waiting = vec![Place { path: scope, found: 0, trail: Trail::default() }];
        Self { gate, query, filter, shallow, waiting, desk: Desk::new(), deadline, complete: true }
    }

    /// Goes on for a while. The matches of that while; `None` at the end.
    pub(crate) fn go_on(&mut self) -> Option<Vec<Hit>> {
        let begun = Instant::now();
        let mut hits = Vec::new();
        while hits.len() < HANDFUL && begun.elapsed() < SLICE {
            if Instant::now() >= self.deadline && !self.waiting.is_empty() {
                self.complete = false;
                self.waiting.clear();
            }
            let Some(place) = self.waiting.pop() else {
                return (!hits.is_empty()).then_some(hits);
            };
            self.read(&place, &mut hits);
        }
        Some(hits)
    }

    fn read(&mut self, place: &Place, hits: &mut Vec<Hit>) {
        let read = self.gate.open_folder(&place.path).and_then(|open| self.desk.read(&open));
        if read.is_err() {
            return;
        }
        let names = &self.desk.reading.names;
        for entry in names.entries(0, names.bytes().len()) {
            let (name, node) = (names.name(entry), names.node(entry).unwrap_or(Node::Special));
            // Too deep to be opened: not to be found either.
            let Ok(path) = place.path.join(&name.original()) else { continue };
            if node == Node::Folder && !self.shallow {
                if self.waiting.len() >= MOST_WAITING {
                    self.complete = false;
                    continue;
                }
                let found = self.query.found_in_folder(place.found, &place.trail, &name);
                let mut trail = place.trail.clone();
                if self.query.needs_trail() {
                    trail.push(&name);
                }
                self.waiting.push(Place { path: path.clone(), found, trail });
            }
            let graded = match self.query.grade(place.found, &place.trail, &name) {
                Some(grade) => Some(rank(grade, name.folded.len())),
                None => near(&self.query, name.folded),
            };
            if let Some(rank) = graded.filter(|_| self.filter.may_pass(node, name.folded)) {
                hits.extend(self.filter.look(&self.gate, Hit { rank, path, entry: None }));
            }
        }
    }
}

fn near(query: &Query, name: &[u8]) -> Option<u32> {
    query.fuzzy()?.distance(name).map(|between| near_rank(between, name.len()))
}

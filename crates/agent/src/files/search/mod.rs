//! Search by name: a [`query`] compared with the names of a share, by a [`sweep`] over its index or, while that is not
//! complete, by a plain [`walk`]; the best are kept by [`rank`]. Not known here: how results are sent.

pub(crate) mod fuzzy;
pub(crate) mod glob;
pub(crate) mod query;
pub(crate) mod rank;
pub(crate) mod sweep;
pub(crate) mod walk;

#[cfg(test)]
mod tests;

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering as Atomic};
use std::time::{Duration, Instant};

use proto::RelPath;
use proto::api::files::{Entry, Kind, MatchType};
use time::OffsetDateTime;

pub use self::query::{InvalidQuery, Query};
use self::rank::Top;
use self::sweep::{Candidate, Sweep};
use self::walk::Walk;
use super::index::names::Offset;
use super::index::tree::Tree;
use super::index::{Index, Phase};
use super::{entry, kind};
use crate::agent::Share;
use crate::share::{Node, ShareRoot};

/// How long a search may take that has to look at the disk.
pub const BUDGET: Duration = Duration::from_secs(6);
/// Places looked up on disk between two looks at the index.
const BATCH: usize = 2048;
/// How often a search begins again because the index was copied together meanwhile.
const NEW_STARTS: usize = 3;

/// What is asked.
#[derive(Clone)]
pub struct Request {
    /// The words.
    pub query: Arc<Query>,
    /// Only below this folder.
    pub scope: RelPath,
    /// Only what is in that folder itself.
    pub shallow: bool,
    /// Only such files.
    pub filter: Filter,
    /// How many results at the most.
    pub limit: usize,
}

/// What a result must be, beside its name.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Its kind.
    pub kind: Option<Kind>,
    /// At least so many bytes.
    pub min_size: Option<u64>,
    /// At most so many bytes.
    pub max_size: Option<u64>,
    /// Changed at or after.
    pub after: Option<OffsetDateTime>,
    /// Changed before.
    pub before: Option<OffsetDateTime>,
}

/// A result.
#[derive(Clone, Debug)]
pub struct Hit {
    rank: u32,
    /// Where it is.
    pub path: RelPath,
    /// What it is, if that was looked up already.
    entry: Option<Entry>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The best, best first.
    pub hits: Vec<Hit>,
    /// How many there are in all.
    pub total: u64,
    /// False if the share is still being read, or time ran out.
    pub complete: bool,
}

impl Hit {
    /// How it matched.
    #[must_use]
    pub const fn match_type(&self) -> MatchType {
        sweep::match_type(self.rank)
    }

    /// What is there now; `None` if it has gone.
    #[must_use]
    pub fn into_entry(self, gate: &ShareRoot) -> Option<Entry> {
        self.entry.or_else(|| entry::look(gate, self.path).ok())
    }

    fn order(&self, other: &Self) -> Ordering {
        self.rank.cmp(&other.rank).then_with(|| self.path.cmp(&other.path))
    }
}

impl Filter {
    /// True if the name alone does not tell.
    fn needs_disk(&self) -> bool {
        self.min_size.is_some() || self.max_size.is_some() || self.after.is_some() || self.before.is_some()
    }

    /// True if everything passes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.kind.is_none() && !self.needs_disk()
    }

    /// What the index can say.
    fn may_pass(&self, node: Node, name: &[u8]) -> bool {
        let only_files = self.min_size.is_some() || self.max_size.is_some();
        match self.kind {
            _ if only_files && node == Node::Folder => false,
            None => true,
            Some(Kind::Folder) => node == Node::Folder,
            Some(kind) => node != Node::Folder && kind::of_name(name) == kind,
        }
    }

    fn passes(&self, entry: &Entry) -> bool {
        let is_file = entry.entry_type == proto::api::files::EntryType::File;
        let sized = |bounds: bool| self.min_size.is_none() && self.max_size.is_none() || is_file && bounds;
        let size = self.min_size.is_none_or(|min| entry.size >= min)
            && self.max_size.is_none_or(|max| entry.size <= max);
        let time = |bound: Option<OffsetDateTime>, fits: fn(&OffsetDateTime, &OffsetDateTime) -> bool| {
            bound.is_none_or(|bound| entry.modified.is_some_and(|modified| fits(&modified, &bound)))
        };
        sized(size) && time(self.after, PartialOrd::ge) && time(self.before, PartialOrd::lt)
    }

    /// The hit, if what is there passes. Looks at the disk only if it must.
    fn look(&self, gate: &ShareRoot, hit: Hit) -> Option<Hit> {
        if !self.needs_disk() {
            return Some(hit);
        }
        let entry = entry::look(gate, hit.path.clone()).ok()?;
        self.passes(&entry).then_some(Hit { entry: Some(entry), ..hit })
    }
}

/// True if the index of a share can answer; else it must be walked.
#[must_use]
pub fn is_indexed(index: &Index) -> bool {
    index.progress().phase >= Phase::Checking && !index.is_full()
}

/// Searches the index. `abandoned` ends it early.
#[must_use]
pub fn in_index(share: &Share, request: &Request, abandoned: &AtomicBool) -> Outcome {
    let complete = share.index.progress().phase == Phase::Current;
    let outcome = if request.filter.needs_disk() {
        with_disk(share, request, abandoned)
    } else {
        from_names(&share.index.tree(), request)
    };
    Outcome { complete: complete && outcome.complete, ..outcome }
}

/// The walk that answers a request where the index cannot.
pub(crate) fn walk(share: &Share, request: &Request) -> Walk {
    Walk::new(
        Arc::clone(&share.root),
        Arc::clone(&request.query),
        request.filter.clone(),
        (request.scope.clone(), request.shallow),
        Instant::now() + BUDGET,
    )
}

/// The best of a walk.
pub(crate) struct Best {
    top: Top<Hit>,
    near: Top<Hit>,
    total: u64,
    near_total: u64,
}

impl Best {
    /// The best so many.
    pub(crate) const fn new(limit: usize) -> Self {
        Self { top: Top::new(limit), near: Top::new(limit), total: 0, near_total: 0 }
    }

    /// Takes a hit in.
    pub(crate) fn offer(&mut self, hit: Hit) {
        if hit.match_type() == MatchType::Fuzzy {
            self.near_total += 1;
            self.near.offer(hit, &mut Hit::order);
        } else {
            self.total += 1;
            self.top.offer(hit, &mut Hit::order);
        }
    }

    /// What comes near counts only where nothing fits.
    pub(crate) fn into_outcome(self, complete: bool) -> Outcome {
        let (top, total) = if self.total > 0 { (self.top, self.total) } else { (self.near, self.near_total) };
        Outcome { hits: top.into_sorted(&mut Hit::order), total, complete }
    }
}

/// A search that names alone answer.
fn from_names(tree: &Tree, request: &Request) -> Outcome {
    let mut outcome = Outcome { complete: true, ..Outcome::default() };
    let Some(sweep) = sweep_of(tree, request) else { return outcome };
    let mut top = Top::new(request.limit);
    let mut order = sweep::order(tree);
    let mut total = 0;
    let mut take = |candidate: Candidate| {
        if may_pass(tree, request, candidate.entry) {
            total += 1;
            top.offer(candidate, &mut order);
        }
        ControlFlow::Continue(())
    };
    sweep.matches(0, &mut take);
    if total == 0 {
        let mut take = |candidate: Candidate| {
            if may_pass(tree, request, candidate.entry) {
                total += 1;
                top.offer(candidate, &mut order);
            }
            ControlFlow::Continue(())
        };
        sweep.near(0, &mut take);
    }
    let best = top.into_sorted(&mut order);
    outcome.hits = best.iter().filter_map(|candidate| locate(tree, candidate)).collect();
    outcome.total = total;
    outcome
}

fn sweep_of<'t>(tree: &'t Tree, request: &'t Request) -> Option<Sweep<'t>> {
    let sweep = Sweep::new(tree, &request.query, &request.scope)?;
    Some(if request.shallow { sweep.no_deeper() } else { sweep })
}

fn may_pass(tree: &Tree, request: &Request, entry: Offset) -> bool {
    let names = tree.names();
    request.filter.kind.is_none() && !request.filter.needs_disk()
        || request.filter.may_pass(names.node(entry).unwrap_or(Node::Special), names.name(entry).folded)
}

fn locate(tree: &Tree, candidate: &Candidate) -> Option<Hit> {
    let path = tree.path(candidate.folder)?.join(&tree.names().name(candidate.entry).original()).ok()?;
    Some(Hit { rank: candidate.rank, path, entry: None })
}

/// A search that has to look at the disk for each match: in batches, between which the index may change.
fn with_disk(share: &Share, request: &Request, abandoned: &AtomicBool) -> Outcome {
    let deadline = Instant::now() + BUDGET;
    let mut outcome = Outcome::default();
    for fuzzy in [false, true] {
        for _ in 0..NEW_STARTS {
            let mut best = Best::new(request.limit);
            let ended = batches(share, request, fuzzy, &mut best, &mut || {
                Instant::now() < deadline && !abandoned.load(Atomic::Relaxed)
            });
            outcome = best.into_outcome(ended == Ended::All);
            if ended != Ended::Stale {
                break;
            }
        }
        if outcome.total > 0 || !outcome.complete {
            break;
        }
    }
    outcome
}

#[derive(PartialEq, Eq)]
enum Ended {
    All,
    OutOfTime,
    /// Offsets of before mean nothing any more.
    Stale,
}

fn batches(
    share: &Share,
    request: &Request,
    fuzzy: bool,
    best: &mut Best,
    go_on: &mut impl FnMut() -> bool,
) -> Ended {
    let epoch = share.index.tree().epoch;
    let mut from = Some(0);
    while let Some(at) = from {
        if !go_on() {
            return Ended::OutOfTime;
        }
        let mut batch = Vec::with_capacity(BATCH);
        {
            let tree = share.index.tree();
            if tree.epoch != epoch {
                return Ended::Stale;
            }
            from = next_batch(&tree, request, fuzzy, at, &mut batch);
        }
        for hit in batch {
            if let Some(hit) = request.filter.look(&share.root, hit) {
                best.offer(hit);
            }
        }
    }
    Ended::All
}

/// Puts the next matches into `batch`; where to go on.
fn next_batch(
    tree: &Tree,
    request: &Request,
    fuzzy: bool,
    from: usize,
    batch: &mut Vec<Hit>,
) -> Option<usize> {
    let sweep = sweep_of(tree, request)?;
    let mut take = |candidate: Candidate| {
        if may_pass(tree, request, candidate.entry) {
            batch.extend(locate(tree, &candidate));
        }
        if batch.len() < BATCH { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    if fuzzy { sweep.near(from, &mut take) } else { sweep.matches(from, &mut take) }
}

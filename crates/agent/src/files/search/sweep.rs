//! A query swept over the index.
//!
//! First the folders: which words does the path of each have? Then the names: where a word is still missing, one
//! sweep for it over the run finds the candidates; only where a folder's path has every word, each name is
//! looked at. Folders that follow one another in the run and miss the same word are swept as one stretch, less the
//! pages of the run whose signs say that the word is not there.

use std::cmp::{Ordering, Reverse};
use std::ops::ControlFlow;

use memchr::memmem::Finder;
use proto::RelPath;
use proto::api::files::MatchType;

use super::query::{Found, Query, Trail, Word};
use crate::files::index::names::{Name, Offset};
use crate::files::index::signs::Pages;
use crate::files::index::tree::{FolderId, ROOT, Tree};

/// The folder is not below the place of the search, or not in the tree at all.
const OUTSIDE: Found = Found::MAX;
/// Not judged yet. Neither can be the words of a real folder: there are 16 at the most.
const UNKNOWN: Found = Found::MAX - 1;

/// A name that answers the query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// How well, and then how short or near: less is better.
    pub(crate) rank: u32,
    /// The folder it is in.
    pub(crate) folder: FolderId,
    /// Its entry there.
    pub(crate) entry: Offset,
}

/// A query, made ready for one state of the tree.
pub(crate) struct Sweep<'t> {
    tree: &'t Tree,
    query: &'t Query,
    /// The texts of the query's words.
    clues: Vec<Option<Clue<'t>>>,
    /// By folder number.
    found: Vec<Found>,
    scope: FolderId,
}

/// A text that is in every name that has a certain word.
struct Clue<'q> {
    finder: &'q Finder<'q>,
    /// Where it may be.
    pages: Pages,
    /// Less is rarer. Of two that may be in as many places, the longer is the quicker to look for.
    commonness: (u32, Reverse<usize>),
}

/// For what is not told apart by pages.
static ANYWHERE: Pages = Pages::anywhere();

/// A part of the run in which the same is looked for.
struct Stretch<'q> {
    from: usize,
    to: usize,
    first_block: usize,
    /// `None` where every name is looked at.
    clue: Option<&'q Clue<'q>>,
}

/// The rank of a match: its type, then a distance.
pub(crate) fn rank(match_type: MatchType, distance: usize) -> u32 {
    (match_type as u32) << 16 | u32::try_from(distance).unwrap_or(0xffff).min(0xffff)
}

/// The rank of a name that comes near: by the letters between, then by its length.
pub(crate) fn near_rank(between: u16, length: usize) -> u32 {
    rank(MatchType::Fuzzy, usize::from(between.min(0xff)) << 8 | length.min(0xff))
}

/// The type of match that a rank begins with.
pub(crate) const fn match_type(rank: u32) -> MatchType {
    match rank >> 16 {
        0 => MatchType::Exact,
        1 => MatchType::Prefix,
        2 => MatchType::Substring,
        3 => MatchType::Wildcard,
        4 => MatchType::Path,
        _ => MatchType::Fuzzy,
    }
}

impl<'t> Sweep<'t> {
    /// Looks at the folders below `scope`. `None` if that is not a folder of the tree.
    pub(crate) fn new(tree: &'t Tree, query: &'t Query, scope: &RelPath) -> Option<Self> {
        let scope = if scope.is_root() { ROOT } else { tree.folder_at(scope)? };
        let clue =
            |word: &'t Word| word.literal().map(|finder| Clue::new(finder, tree.pages(finder.needle())));
        let clues = query.words().iter().map(clue).collect();
        let mut sweep = Self { tree, query, clues, found: vec![UNKNOWN; tree.folder_numbers()], scope };
        sweep.found[scope as usize] = 0;
        let mut line = Vec::new();
        for folder in 0..u32::try_from(tree.folder_numbers()).unwrap_or(0) {
            sweep.judge(folder, &mut line);
        }
        Some(sweep)
    }

    /// The same, which looks at the one folder and not below it.
    pub(crate) fn no_deeper(mut self) -> Self {
        self.found.fill(OUTSIDE);
        self.found[self.scope as usize] = 0;
        self
    }

    /// Judges a folder, and first those above it that were not judged yet.
    fn judge(&mut self, folder: FolderId, line: &mut Vec<FolderId>) {
        line.clear();
        let mut at = folder;
        while self.found[at as usize] == UNKNOWN {
            line.push(at);
            let Some(parent) = self.tree.parent(at) else {
                self.found[at as usize] = OUTSIDE;
                break;
            };
            at = parent;
        }
        let mut above = self.found[at as usize];
        let mut trail = Trail::default();
        while let Some(folder) = line.pop() {
            above = match self.tree.folder_entry(folder).filter(|_| above != OUTSIDE) {
                None => OUTSIDE,
                Some(entry) if !self.may_have_more(above, entry) => above,
                Some(entry) => {
                    self.trail_above(folder, &mut trail);
                    self.query.found_in_folder(above, &trail, &self.tree.names().name(entry))
                }
            };
            self.found[folder as usize] = above;
        }
    }

    /// False if a name surely has none of the words that were not found above it.
    fn may_have_more(&self, above: Found, entry: Offset) -> bool {
        self.clues
            .iter()
            .enumerate()
            .any(|(i, clue)| above >> i & 1 == 0 && clue.as_ref().is_none_or(|clue| clue.pages.has(entry)))
    }

    fn trail_above(&self, folder: FolderId, trail: &mut Trail) {
        if let (true, Some(parent)) = (self.query.needs_trail(), self.tree.parent(folder)) {
            self.trail_of(parent, trail);
        }
    }

    /// The path of a folder from the place of the search on, if the query needs it.
    fn trail_of(&self, folder: FolderId, trail: &mut Trail) {
        if !self.query.needs_trail() {
            return;
        }
        trail.clear();
        let line = self.tree.lineage(folder).unwrap_or_default();
        let below = line.iter().position(|f| *f == self.scope).map_or(0, |at| at + 1);
        line[below..].iter().filter_map(|f| self.tree.folder_name(*f)).for_each(|name| trail.push(&name));
    }

    /// Gives every name that answers, from an offset on. Where `each` breaks off: the offset to go on from.
    pub(crate) fn matches(
        &self,
        from: usize,
        each: &mut impl FnMut(Candidate) -> ControlFlow<()>,
    ) -> Option<usize> {
        let mut trail = (OUTSIDE, Trail::default());
        let stretches = self.stretches(from, |found| self.clue(found));
        self.run(&stretches, &mut |folder, entry, name| {
            if trail.0 != folder {
                trail.0 = folder;
                self.trail_of(folder, &mut trail.1);
            }
            match self.query.grade(self.found[folder as usize], &trail.1, &name) {
                Some(grade) => each(Candidate { rank: rank(grade, name.folded.len()), folder, entry }),
                None => ControlFlow::Continue(()),
            }
        })
    }

    /// Gives every name that comes near. Empty for queries that are not compared so.
    pub(crate) fn near(
        &self,
        from: usize,
        each: &mut impl FnMut(Candidate) -> ControlFlow<()>,
    ) -> Option<usize> {
        let pattern = self.query.fuzzy()?;
        let letters = pattern.rarest_first(self.tree.names().bytes());
        let (rarest, others) = letters.split_at(1);
        let others = &others[..others.len().min(2)];
        let finder = Finder::new(rarest);
        let clue = Clue::new(&finder, Pages::anywhere());
        let stretches = self.stretches(from, |_| Some(&clue));
        self.run(&stretches, &mut |folder, entry, name| {
            // Most names lack one of the next rarest letters too, and this is the quicker look.
            let may_fit = others.iter().all(|letter| memchr::memchr(*letter, name.folded).is_some());
            match may_fit.then(|| pattern.distance(name.folded)).flatten() {
                Some(between) => {
                    each(Candidate { rank: near_rank(between, name.folded.len()), folder, entry })
                }
                None => ControlFlow::Continue(()),
            }
        })
    }

    /// What must be in every name that answers, in a folder whose path has these words: the rarest such text.
    fn clue(&self, found: Found) -> Option<&Clue<'t>> {
        let missing = self.clues.iter().enumerate().filter(|(i, _)| found >> i & 1 == 0);
        missing.filter_map(|(_, clue)| clue.as_ref()).min_by_key(|clue| clue.commonness)
    }

    fn stretches<'q>(
        &self,
        from: usize,
        clue_for: impl Fn(Found) -> Option<&'q Clue<'q>>,
    ) -> Vec<Stretch<'q>> {
        let blocks = self.tree.blocks();
        let first = blocks.partition_point(|block| block.end as usize <= from);
        let mut stretches: Vec<Stretch<'q>> = Vec::new();
        for (i, block) in blocks.iter().enumerate().skip(first) {
            let wiped = Tree::is_wiped(block);
            if wiped || self.found[block.folder as usize] == OUTSIDE {
                continue;
            }
            let clue = clue_for(self.found[block.folder as usize]);
            let end = block.end as usize;
            match stretches.last_mut() {
                // What lies between is empty, wiped or outside; the last is told apart for each candidate.
                Some(last) if same(last.clue, clue) => last.to = end,
                _ => {
                    let from = (block.start as usize).max(from);
                    stretches.push(Stretch { from, to: end, first_block: i, clue });
                }
            }
        }
        stretches
    }

    fn run(
        &self,
        stretches: &[Stretch<'_>],
        each: &mut impl FnMut(FolderId, Offset, Name<'t>) -> ControlFlow<()>,
    ) -> Option<usize> {
        let blocks = self.tree.blocks();
        let mut block = 0;
        for part in stretches.iter().flat_map(|stretch| self.parts(stretch)) {
            let mut at = part.from;
            block = part.first_block.max(block);
            while let Some(entry) = self.next_candidate(&part, at) {
                let name = self.tree.names().name(entry);
                at = entry as usize + name.folded.len() + 2;
                while blocks[block].end <= entry {
                    block += 1;
                }
                let folder = blocks[block].folder;
                if Tree::is_wiped(&blocks[block]) || self.found[folder as usize] == OUTSIDE {
                    continue;
                }
                if each(folder, entry, name).is_break() {
                    return Some(at);
                }
            }
        }
        None
    }

    /// The parts of a stretch that may have what is looked for.
    fn parts<'q>(&self, stretch: &'q Stretch<'q>) -> impl Iterator<Item = Stretch<'q>> {
        let (names, pages) = (self.tree.names(), stretch.clue.map_or(&ANYWHERE, |clue| &clue.pages));
        // An entry is looked at as a whole, in the page that it begins in.
        pages.parts(stretch.from, stretch.to).map(move |part| Stretch {
            from: names.boundary(part.start),
            to: names.boundary(part.end).min(stretch.to),
            ..*stretch
        })
    }

    /// The next entry of a stretch that has what is looked for.
    fn next_candidate(&self, stretch: &Stretch<'_>, from: usize) -> Option<Offset> {
        let names = self.tree.names();
        let Some(clue) = stretch.clue else { return names.next_entry(from, stretch.to) };
        let bytes = names.bytes().get(from..stretch.to)?;
        let hit = clue.finder.find(bytes)?;
        let begin = memchr::memrchr(0, &bytes[..hit]).map_or(0, |nul| nul + 1);
        u32::try_from(from + begin).ok()
    }
}

impl<'q> Clue<'q> {
    fn new(finder: &'q Finder<'q>, pages: Pages) -> Self {
        let commonness = (pages.count(), Reverse(finder.needle().len()));
        Self { finder, pages, commonness }
    }
}

fn same(a: Option<&Clue<'_>>, b: Option<&Clue<'_>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => std::ptr::eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

/// The order of candidates: rank, then path.
pub(crate) fn order<'t>(tree: &'t Tree) -> impl FnMut(&Candidate, &Candidate) -> Ordering + 't {
    let mut lines = (Line::default(), Line::default());
    move |a, b| {
        a.rank.cmp(&b.rank).then_with(|| {
            if a.folder == b.folder {
                return name_order(tree, a, b);
            }
            lines.0.go(tree, a.folder);
            lines.1.go(tree, b.folder);
            place_order(tree, (&lines.0.folders, a), (&lines.1.folders, b))
        })
    }
}

/// The lineage of the folder that was last compared: mostly the next one is the same.
#[derive(Default)]
struct Line {
    of: Option<FolderId>,
    folders: Vec<FolderId>,
}

impl Line {
    fn go(&mut self, tree: &Tree, folder: FolderId) {
        if self.of != Some(folder) {
            self.of = Some(folder);
            self.folders = tree.lineage(folder).unwrap_or_default();
        }
    }
}

fn name_order(tree: &Tree, a: &Candidate, b: &Candidate) -> Ordering {
    let (left, right) = (tree.names().name(a.entry), tree.names().name(b.entry));
    left.folded.cmp(right.folded).then_with(|| left.original().cmp(&right.original()))
}

fn place_order(tree: &Tree, a: (&[FolderId], &Candidate), b: (&[FolderId], &Candidate)) -> Ordering {
    let shared = a.0.iter().zip(b.0).take_while(|(a, b)| a == b).count();
    let step = |(line, candidate): (&[FolderId], &Candidate)| {
        line.get(shared)
            .and_then(|folder| tree.folder_name(*folder))
            .unwrap_or_else(|| tree.names().name(candidate.entry))
    };
    let (left, right) = (step(a), step(b));
    // Names that differ by capitals only are still two names: else the order would run in circles.
    // Of a folder and what is in it, the folder comes first.
    (left.folded.cmp(right.folded))
        .then_with(|| left.original().cmp(&right.original()))
        .then_with(|| a.0.len().cmp(&b.0.len()))
}

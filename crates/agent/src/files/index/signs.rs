//! Which letters stand together where: what lets a sweep for a text pass over nearly all of a run of names.
//!
//! The run is cut into *pages* of so many bytes; an entry belongs to the page that its tag lies in. For each page some
//! bits are kept, one set for every three bytes in a row of its names. A page that lacks a bit of a text has no name
//! with that text. The other way about nothing is certain: two triples may share a bit, and wiped entries leave theirs.
//! What was added since [`Signs::cover`] counts as having everything. Not known here: folders, queries.

use std::ops::Range;

use super::names::Offset;

/// Bytes of names in a page.
const PAGE: usize = 1024;
/// Bits kept for a page: one for each byte of names, so that about a third of them are set.
const MARKS: usize = 1024;
/// Pages whose bits lie together.
const PAGES: usize = u64::BITS as usize;

/// The signs of a run of names.
#[derive(Clone, Default)]
pub(crate) struct Signs {
    groups: Vec<Group>,
    /// All entries before this place are in.
    covered: usize,
}

/// The bits of as many pages as a word has bits: page `p` is bit `p` of each word.
type Group = [u64; MARKS];

/// The pages of a run that may have a text.
pub(crate) struct Pages {
    /// One bit for each page; pages beyond these may have anything.
    fit: Vec<u64>,
}

impl Signs {
    /// Takes in what was added to the run.
    pub(crate) fn cover(&mut self, run: &[u8]) {
        while let Some(len) = run.get(self.covered..).and_then(|rest| memchr::memchr(0, rest)) {
            self.mark(self.covered, &run[self.covered..self.covered + len]);
            self.covered += len + 1;
        }
    }

    fn mark(&mut self, at: usize, entry: &[u8]) {
        let page = at / PAGE;
        if self.groups.len() <= page / PAGES {
            self.groups.resize(page / PAGES + 1, [0; MARKS]);
        }
        let group = &mut self.groups[page / PAGES];
        let name = entry.get(1..).unwrap_or_default();
        marks(name).for_each(|mark| group[mark] |= 1 << (page % PAGES));
    }

    /// The pages that may have a name with this (folded) text in it.
    pub(crate) fn pages(&self, text: &[u8]) -> Pages {
        let marks: Vec<usize> = marks(text).collect();
        let fit_in = |group: &Group| marks.iter().fold(u64::MAX, |fit, mark| fit & group[*mark]);
        let mut fit: Vec<u64> = self.groups.iter().map(fit_in).collect();
        // The page where the next entry will be marked may hold some that are not yet.
        let open = self.covered / PAGE;
        if let Some(last) = fit.get_mut(open / PAGES) {
            *last |= u64::MAX << (open % PAGES);
        }
        Pages { fit }
    }
}

/// The bits of a text: none if it has less than three bytes.
fn marks(text: &[u8]) -> impl Iterator<Item = usize> + '_ {
    text.windows(3).map(|triple| {
        let number = u32::from_le_bytes([triple[0], triple[1], triple[2], 0]);
        // Multiplied by the golden ratio, the highest bits depend on all others.
        number.wrapping_mul(0x9e37_79b1) as usize >> (u32::BITS - MARKS.ilog2())
    })
}

impl Pages {
    /// All pages.
    pub(crate) const fn anywhere() -> Self {
        Self { fit: Vec::new() }
    }

    /// True if the entry at this place may have the text.
    pub(crate) fn has(&self, entry: Offset) -> bool {
        self.may_fit(entry as usize / PAGE)
    }

    fn may_fit(&self, page: usize) -> bool {
        self.fit.get(page / PAGES).is_none_or(|fit| fit >> (page % PAGES) & 1 == 1)
    }

    /// How many of the pages that are told apart.
    pub(crate) fn count(&self) -> u32 {
        self.fit.iter().map(|fit| fit.count_ones()).sum()
    }

    /// The parts of a stretch whose entries may have the text: as long as they can be, ascending.
    pub(crate) fn parts(&self, from: usize, to: usize) -> impl Iterator<Item = Range<usize>> + '_ {
        let (first, end) = (from / PAGE, to.div_ceil(PAGE));
        let mut page = first;
        std::iter::from_fn(move || {
            let begin = (page..end).find(|page| self.may_fit(*page))?;
            page = (begin..end).find(|page| !self.may_fit(*page)).unwrap_or(end);
            Some((begin * PAGE).max(from)..(page * PAGE).min(to))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::index::names::Names;
    use crate::share::Node;
    use proptest::prelude::*;

    /// Names of a few letters, short and long (longer than a page is not possible on most file systems, but here).
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![4 => "[a-c]{1,9}", 1 => "[a-c]{100,250}", 1 => "[x-z]{1000,1100}"]
    }

    proptest! {
        #[test]
        fn no_name_is_passed_over(
            names in prop::collection::vec(name(), 1..200),
            covered_after in 0usize..200,
            text in "[a-cx-z]{0,5}",
        ) {
            let mut run = Names::default();
            let mut signs = Signs::default();
            for (i, name) in names.iter().enumerate() {
                run.push(Node::File, name.as_bytes());
                if i == covered_after {
                    signs.cover(run.bytes());
                }
            }
            let pages = signs.pages(text.as_bytes());
            let parts: Vec<_> = pages.parts(0, run.bytes().len()).collect();
            for (entry, name) in run.entries(0, run.bytes().len()).zip(&names) {
                if name.contains(&text) {
                    prop_assert!(pages.has(entry));
                    prop_assert!(parts.iter().any(|part| part.contains(&(entry as usize))));
                }
            }
        }
    }

    #[test]
    fn pages_without_a_text_are_passed_over() {
        let mut run = Names::default();
        let mut at = Vec::new();
        for i in 0..200 {
            at.push(
                run.push(Node::File, if i == 77 { b"needle" } else { b"a long file of hay, dry and yellow" }),
            );
        }
        run.align();
        let mut signs = Signs::default();
        signs.cover(run.bytes());
        let pages = signs.pages(b"needle");
        let last = run.bytes().len() / PAGE * PAGE;
        let found = at[77] as usize / PAGE * PAGE;
        let parts: Vec<_> = pages.parts(0, run.bytes().len()).collect();
        assert_eq!(parts, [found..found + PAGE, last..run.bytes().len()]);
        assert!(pages.has(at[77]) && !pages.has(at[0]));
        let too_short = signs.pages(b"ne");
        let unsigned = Signs::default().pages(b"needle");
        for pages in [too_short, unsigned, Pages::anywhere()] {
            let parts: Vec<_> = pages.parts(5, 5000).map(|part| (part.start, part.end)).collect();
            assert_eq!(parts, [(5, 5000)]);
        }
    }
}

//! The last rank: names that have the letters of the query in their order, with others between.

use crate::files::index::names::fold;

/// A query with fewer letters would fit nearly everything.
const FEWEST_LETTERS: usize = 3;
/// So many stretches of the names are looked at to learn which letters are rare there …
const SAMPLES: usize = 64;
/// … each of so many bytes.
const SAMPLE: usize = 1024;

/// The letters of a query's words, case-folded.
pub(crate) struct Pattern {
    words: Vec<Vec<u8>>,
}

impl Pattern {
    /// `None` if the query has too few letters.
    pub(crate) fn new(query: &str) -> Option<Self> {
        let words: Vec<Vec<u8>> = query.split_whitespace().map(|word| fold(word.as_bytes())).collect();
        (words.iter().map(Vec::len).sum::<usize>() >= FEWEST_LETTERS).then_some(Self { words })
    }

    /// The different bytes of the query, the rarest in these names first. Every fitting name has them all.
    pub(crate) fn rarest_first(&self, names: &[u8]) -> Vec<u8> {
        let mut seen = [0u32; 256];
        let step = (names.len() / SAMPLES).max(SAMPLE);
        for stretch in names.chunks(step) {
            for byte in &stretch[..stretch.len().min(SAMPLE)] {
                seen[usize::from(*byte)] += 1;
            }
        }
        let mut letters = self.words.concat();
        letters.sort_unstable_by_key(|byte| (seen[usize::from(*byte)], *byte));
        letters.dedup();
        letters
    }

    /// How far a folded name is from the query: the number of letters between. `None` if it does not fit.
    pub(crate) fn distance(&self, name: &[u8]) -> Option<u16> {
        self.words.iter().try_fold(0u16, |sum, word| Some(sum.saturating_add(distance(word, name)?)))
    }
}

fn distance(word: &[u8], name: &[u8]) -> Option<u16> {
    let mut wanted = word.iter();
    let mut next = wanted.next()?;
    let end = name.iter().position(|byte| {
        if byte != next {
            return false;
        }
        match wanted.next() {
            Some(after) => {
                next = after;
                false
            }
            None => true,
        }
    })?;
    // From the end backwards, the letters lie as close as they can for this end.
    let mut start = end + 1;
    for byte in word.iter().rev() {
        start = name[..start].iter().rposition(|b| b == byte)?;
    }
    let between = end + 1 - start - word.len();
    // Letters scattered over the whole name mean nothing.
    let near = between <= 2 * word.len() + 2;
    near.then(|| u16::try_from(between).unwrap_or(u16::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_are_near() {
        for (query, name, wanted) in [
            ("rpt", "report", Some(3)),
            ("rpt", "tpr", None),
            ("rpt", "r---------p--------t", None),
            ("qzebra", "quarterly zebra", Some(9)),
            ("qrtzebra", "quarterly zebra.txt", Some(7)),
            ("RPT fin", "report_f-in", Some(4)),
            ("aab", "aaab", Some(0)),
        ] {
            assert_eq!(Pattern::new(query).unwrap().distance(name.as_bytes()), wanted, "{query} {name}");
        }
        assert!(Pattern::new("ab").is_none());
    }

    #[test]
    fn the_rarest_letter_comes_first() {
        let pattern = Pattern::new("nan zz").unwrap();
        assert_eq!(pattern.rarest_first(b"banana.z"), b"zna");
        assert_eq!(pattern.rarest_first(b"zzzzn"), b"anz");
        assert_eq!(pattern.rarest_first(b""), b"anz");
    }
}

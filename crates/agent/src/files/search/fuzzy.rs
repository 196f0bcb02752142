//! The last rank: names that have the letters of the query in their order, with others between.

/// Letters, from the rarest in names to the most common. What is not here is taken to be rarer still.
const BY_RARITY: &[u8] = b"qzxjkvw7869y5b34fhgupdlcm20sr1-n._otiae";
/// A query with fewer letters would fit nearly everything.
const FEWEST_LETTERS: usize = 3;

/// The letters of a query's words, case-folded.
pub(crate) struct Pattern {
    words: Vec<Vec<u8>>,
    rarest: u8,
}

impl Pattern {
    /// `None` if the query has too few letters.
    pub(crate) fn new(query: &str) -> Option<Self> {
        let words: Vec<Vec<u8>> =
            query.split_whitespace().map(|word| crate::files::index::names::fold(word.as_bytes())).collect();
        let letters = words.iter().flatten().copied();
        if letters.clone().count() < FEWEST_LETTERS {
            return None;
        }
        let rarity = |byte: &u8| BY_RARITY.iter().position(|b| b == byte).map_or(0, |at| at + 1);
        let rarest = letters.min_by_key(rarity)?;
        Some(Self { words, rarest })
    }

    /// A byte that every fitting name has.
    pub(crate) const fn rarest(&self) -> u8 {
        self.rarest
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
    fn the_rarest_letter_is_taken() {
        assert_eq!(Pattern::new("aquae").unwrap().rarest(), b'q');
        assert_eq!(Pattern::new("seité").unwrap().rarest(), 0xc3);
    }
}

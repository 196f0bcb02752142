//! What was asked: words, and how well a name answers them. The one place where a match is defined; the sweep over
//! the index and the plain walk both ask here.
//!
//! Every word must be in the name, or in the name of a folder above it. A word with `/` is looked for in the path; a
//! word with `*` or `?` is a pattern. A word with a capital is taken exactly, any other without regard to case.
//! Accents count: `e` does not find `é`.

use memchr::memmem::Finder;
use proto::api::files::MatchType;

use super::fuzzy;
use super::glob::{Glob, PathGlob, is_glob};
use crate::files::index::names::{Name, capitals, fold};

/// The longest query, in bytes.
pub(crate) const MAX_QUERY_BYTES: usize = 256;
/// The most words.
pub(crate) const MAX_WORDS: usize = 16;

/// Why a text is no query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidQuery {
    /// Over [`MAX_QUERY_BYTES`].
    #[error("the query is longer than 256 bytes")]
    TooLong,
    /// Over [`MAX_WORDS`].
    #[error("the query has more than 16 words")]
    TooManyWords,
    /// No name has such a character.
    #[error("the query has a character that no name has")]
    Control,
}

/// A query, ready to be compared with names.
pub struct Query {
    words: Vec<Word>,
    whole: Text,
    fuzzy: Option<fuzzy::Pattern>,
}

/// One word of it.
pub(crate) enum Word {
    /// Somewhere in a name.
    Name(Box<Text>),
    /// Across names.
    Path(Box<PathText>),
    /// A pattern of the name.
    Glob(Cased<Glob>),
    /// A pattern of the path.
    PathGlob(Cased<PathGlob>),
}

/// A text, looked for in a name.
pub(crate) struct Text {
    folded: Finder<'static>,
    /// For each byte whether it begins a capital, if case counts.
    capitals: Option<Vec<bool>>,
}

/// A text with `/`: the end of the folder's path, then the beginning of the name.
pub(crate) struct PathText {
    above: Vec<u8>,
    begin: Text,
    exact: bool,
}

/// A pattern, and what every fitting name has, folded.
pub(crate) struct Cased<T> {
    glob: T,
    exact: bool,
    literal: Finder<'static>,
}

/// The path of a folder: `/` before each name, nothing for the root of the search.
#[derive(Clone, Default)]
pub(crate) struct Trail {
    folded: Vec<u8>,
    original: Vec<u8>,
}

/// Which words the path of a folder has, one bit each.
pub(crate) type Found = u32;

impl Trail {
    /// The path of a folder in this one.
    pub(crate) fn push(&mut self, name: &Name<'_>) {
        self.folded.push(b'/');
        self.folded.extend_from_slice(name.folded);
        self.original.push(b'/');
        self.original.extend_from_slice(&name.original());
    }

    /// The root again.
    pub(crate) fn clear(&mut self) {
        self.folded.clear();
        self.original.clear();
    }

    fn get(&self, exact: bool) -> &[u8] {
        if exact { &self.original } else { &self.folded }
    }
}

impl Query {
    /// Reads a query.
    ///
    /// # Errors
    /// [`InvalidQuery`]: too long, too many words, or a control character.
    pub fn parse(text: &str) -> Result<Self, InvalidQuery> {
        if text.len() > MAX_QUERY_BYTES {
            return Err(InvalidQuery::TooLong);
        }
        let text = text.trim();
        if text.chars().any(|c| c.is_control() && !c.is_whitespace()) {
            return Err(InvalidQuery::Control);
        }
        let words: Vec<Word> = text.split_whitespace().map(|word| Word::parse(&unescape(word))).collect();
        if words.len() > MAX_WORDS {
            return Err(InvalidQuery::TooManyWords);
        }
        let plain = !words.is_empty() && words.iter().all(|word| matches!(word, Word::Name(_)));
        let fuzzy = if plain { fuzzy::Pattern::new(text) } else { None };
        Ok(Self { words, whole: Text::new(&unescape(text)), fuzzy })
    }

    /// True if nothing was asked: every name fits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// The words.
    pub(crate) fn words(&self) -> &[Word] {
        &self.words
    }

    /// For names that come near, where none fits.
    pub(crate) const fn fuzzy(&self) -> Option<&fuzzy::Pattern> {
        self.fuzzy.as_ref()
    }

    /// True if a [`Trail`] is needed to judge.
    pub(crate) fn needs_trail(&self) -> bool {
        self.words.iter().any(|word| matches!(word, Word::Path(_) | Word::PathGlob(_)))
    }

    /// The words that the path of a folder has, given those that the path of its parent has.
    pub(crate) fn found_in_folder(&self, above: Found, parent: &Trail, name: &Name<'_>) -> Found {
        let mut found = above;
        for (i, word) in self.words.iter().enumerate() {
            let fits = found >> i & 1 == 0
                && match word {
                    Word::Name(text) => text.is_in(name),
                    Word::Path(text) => text.ends_in(parent, name),
                    Word::Glob(_) | Word::PathGlob(_) => false,
                };
            found |= u32::from(fits) << i;
        }
        found
    }

    /// How a name answers. `above`: the words that the path of its folder has; `parent`: that path.
    pub(crate) fn grade(&self, above: Found, parent: &Trail, name: &Name<'_>) -> Option<MatchType> {
        let (mut by_pattern, mut by_path) = (false, false);
        for (i, word) in self.words.iter().enumerate() {
            let in_path = above >> i & 1 == 1;
            match word {
                Word::Name(text) if text.is_in(name) => {}
                Word::Path(text) if in_path || text.ends_in(parent, name) => by_path = true,
                Word::Name(_) if in_path => by_path = true,
                Word::Glob(glob) if glob.fits(name) => by_pattern = true,
                Word::PathGlob(glob) if glob.fits(parent, name) => by_pattern = true,
                _ => return None,
            }
        }
        Some(match (by_path, by_pattern) {
            (true, _) => MatchType::Path,
            (false, true) => MatchType::Wildcard,
            (false, false) => self.whole.grade(name),
        })
    }
}

impl Word {
    fn parse(word: &[u8]) -> Self {
        let exact = fold(word) != word;
        match (word.contains(&b'/'), is_glob(word)) {
            (false, false) => Self::Name(Box::new(Text::new(word))),
            (true, false) => Self::Path(Box::new(PathText::new(word, exact))),
            (false, true) => {
                let glob = Glob::parse(word);
                let literal = Finder::new(&fold(&glob.literal())).into_owned();
                Self::Glob(Cased { glob, exact, literal })
            }
            (true, true) => {
                let glob = PathGlob::parse(word);
                let literal = Finder::new(&fold(&glob.literal())).into_owned();
                Self::PathGlob(Cased { glob, exact, literal })
            }
        }
    }

    /// What every name has that this word is in. Empty where there is no such thing.
    pub(crate) fn literal(&self) -> Option<&Finder<'static>> {
        match self {
            Self::Name(text) => Some(&text.folded),
            Self::Path(text) => Some(&text.begin.folded),
            Self::Glob(Cased { literal, .. }) | Self::PathGlob(Cased { literal, .. }) => Some(literal),
        }
        .filter(|finder| !finder.needle().is_empty())
    }
}

impl Text {
    fn new(text: &[u8]) -> Self {
        Self::of_word(text, fold(text) != text)
    }

    /// A part of a word in which case counts or not.
    fn of_word(text: &[u8], exact: bool) -> Self {
        Self { folded: Finder::new(&fold(text)).into_owned(), capitals: exact.then(|| capitals(text)) }
    }

    fn is_in(&self, name: &Name<'_>) -> bool {
        match &self.capitals {
            None => self.folded.find(name.folded).is_some(),
            // Every place counts, also those that overlap: "aA" is in "aaA".
            Some(capitals) => (0..name.folded.len())
                .scan(0, |from, _| {
                    let at = *from + self.folded.find(name.folded.get(*from..)?)?;
                    *from = at + 1;
                    Some(at)
                })
                .any(|at| name.has_capitals(at, capitals)),
        }
    }

    fn begins(&self, name: &Name<'_>) -> bool {
        name.folded.starts_with(self.folded.needle())
            && self.capitals.as_ref().is_none_or(|capitals| name.has_capitals(0, capitals))
    }

    /// How a name that has every word fits the query as a whole.
    fn grade(&self, name: &Name<'_>) -> MatchType {
        let text = self.folded.needle();
        match !text.is_empty() && self.begins(name) {
            true if name.folded.len() == text.len() => MatchType::Exact,
            true => MatchType::Prefix,
            false => MatchType::Substring,
        }
    }
}

impl PathText {
    fn new(word: &[u8], exact: bool) -> Self {
        let slash = word.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        Self { above: word[..slash].to_vec(), begin: Text::of_word(&word[slash + 1..], exact), exact }
    }

    /// True if the text lies in the path such that it ends within this name.
    fn ends_in(&self, parent: &Trail, name: &Name<'_>) -> bool {
        self.begin.begins(name) && parent.get(self.exact).ends_with(&self.above)
    }
}

impl Cased<Glob> {
    fn fits(&self, name: &Name<'_>) -> bool {
        if self.exact { self.glob.fits(&name.original()) } else { self.glob.fits(name.folded) }
    }
}

impl Cased<PathGlob> {
    fn fits(&self, parent: &Trail, name: &Name<'_>) -> bool {
        let own = if self.exact { name.original() } else { name.folded.to_vec() };
        let mut names: Vec<&[u8]> = parent.get(self.exact).split(|byte| *byte == b'/').skip(1).collect();
        names.push(&own);
        self.glob.fits(&names)
    }
}

/// A listing writes odd bytes of a name as `\xHH`; so may a query.
fn unescape(word: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word;
    while let Some(at) = rest.find("\\x") {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        match rest.get(at + 2..at + 4).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte != 0 && byte != b'/' => {
                bytes.push(byte);
                rest = &rest[at + 4..];
            }
            _ => {
                bytes.extend_from_slice(b"\\x");
                rest = &rest[at + 2..];
            }
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::index::names::Names;
    use crate::share::Node;

    /// The grade of a path, found the plain way.
    fn grade(query: &str, path: &str) -> Option<MatchType> {
        let query = Query::parse(query).unwrap();
        let mut run = Names::default();
        let entries: Vec<_> = path.split('/').map(|name| run.push(Node::File, name.as_bytes())).collect();
        let (mut found, mut trail) = (0, Trail::default());
        let (last, folders) = entries.split_last().unwrap();
        for folder in folders {
            let name = run.name(*folder);
            found = query.found_in_folder(found, &trail, &name);
            trail.push(&name);
        }
        query.grade(found, &trail, &run.name(*last))
    }

    #[test]
    fn names_are_graded() {
        use MatchType::{Exact, Path, Prefix, Substring, Wildcard};
        for (query, path, wanted) in [
            ("report.pdf", "Report.PDF", Some(Exact)),
            ("Report.pdf", "report.pdf", None),
            ("aA", "aaA", Some(Substring)),
            ("aA", "aaa", None),
            ("Aé", "xAéÉ", Some(Substring)),
            ("x/aB", "x/aBc", Some(Path)),
            ("x/aB", "x/abc", None),
            ("X/ab", "X/aBc", None),
            ("Report.pdf", "x/Report.pdf", Some(Exact)),
            ("my file", "My File.txt", Some(Prefix)),
            ("file my", "My File.txt", Some(Substring)),
            ("rep", "report.pdf", Some(Prefix)),
            ("port", "report.pdf", Some(Substring)),
            ("2024 rep", "2024/report.pdf", Some(Path)),
            ("rep 2024", "2024/report.pdf", Some(Path)),
            ("2024", "2024/report.pdf", Some(Path)),
            ("2025", "2024/report.pdf", None),
            ("*.pdf", "Report.PDF", Some(Wildcard)),
            ("*.PDF", "report.pdf", None),
            ("*.pdf 2024", "2024/a.pdf", Some(Path)),
            ("*.pdf rep", "report.pdf", Some(Wildcard)),
            ("a/b", "xa/bc", Some(Path)),
            ("a/b", "xa/bc/d", Some(Path)),
            ("a/b", "a/x/b", None),
            ("A/b", "a/b", None),
            ("/bc", "xa/bc", Some(Path)),
            ("xa/", "xa/bc", Some(Path)),
            ("src/*.rs", "x/src/lib.rs", Some(Wildcard)),
            ("[1]", "track [1].mp3", Some(Substring)),
            ("é", "e", None),
            ("É", "été", None),
            ("été", "ÉTÉ.txt", Some(Prefix)),
            ("a\\x5cb", "a\\b", Some(Exact)),
            ("", "anything", Some(Substring)),
        ] {
            assert_eq!(grade(query, path), wanted, "{query:?} {path:?}");
        }
    }

    #[test]
    fn queries_are_bounded() {
        assert_eq!(Query::parse(&"a".repeat(257)).err(), Some(InvalidQuery::TooLong));
        assert_eq!(Query::parse(&"a ".repeat(17)).err(), Some(InvalidQuery::TooManyWords));
        assert_eq!(Query::parse("a\0b").err(), Some(InvalidQuery::Control));
        assert!(Query::parse(&"a ".repeat(16)).is_ok());
        assert!(Query::parse("  ").unwrap().is_empty());
    }
}

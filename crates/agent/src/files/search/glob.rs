//! Patterns: `*` (any letters), `?` (one letter), `[a-z]` and `[!a-z]` (one of these, or none of these), and between
//! names `/` and `**` (any folders). Time grows with pattern times name, never faster.
//!
//! A pattern fits a whole name. One with `/` fits the end of a path, from the beginning of a name on; one that begins
//! with `/` fits the whole path.

/// A pattern for one name.
#[derive(Debug)]
pub(crate) struct Glob(Vec<Part>);

/// A pattern for a path.
#[derive(Debug)]
pub(crate) struct PathGlob(Vec<Step>);

#[derive(Debug, PartialEq)]
enum Part {
    Letter(char),
    /// A byte that is no part of a letter.
    Byte(u8),
    One,
    Any,
    Class {
        inside: bool,
        ranges: Vec<(char, char)>,
    },
}

#[derive(Debug)]
enum Step {
    Folders,
    Name(Glob),
}

/// A letter of a name, or a byte that is part of none.
#[derive(Clone, Copy)]
enum Letter {
    Char(char),
    Byte(u8),
}

/// True if a word is a pattern. A `[` alone does not make it one: many names have it.
pub(crate) fn is_glob(word: &[u8]) -> bool {
    word.iter().any(|byte| matches!(byte, b'*' | b'?'))
}

impl Glob {
    /// Reads a pattern. What is not well-formed stands for itself.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let letters = letters(text).collect::<Vec<_>>();
        let mut parts = Vec::with_capacity(letters.len());
        let mut rest = &letters[..];
        while let Some((first, after)) = rest.split_first() {
            rest = after;
            match first {
                Letter::Char('*') if parts.last() == Some(&Part::Any) => {}
                Letter::Char('*') => parts.push(Part::Any),
                Letter::Char('?') => parts.push(Part::One),
                Letter::Char('[') => match class(rest) {
                    Some((class, after)) => {
                        parts.push(class);
                        rest = after;
                    }
                    None => parts.push(Part::Letter('[')),
                },
                Letter::Char(c) => parts.push(Part::Letter(*c)),
                Letter::Byte(byte) => parts.push(Part::Byte(*byte)),
            }
        }
        Self(parts)
    }

    /// True if it fits the whole name.
    pub(crate) fn fits(&self, name: &[u8]) -> bool {
        let (mut at, mut part) = (0, 0);
        // Where to go on if this does not fit: the last `*` takes one letter more.
        let mut again: Option<(usize, usize)> = None;
        loop {
            let letter = next_letter(&name[at..]);
            match (self.0.get(part), letter) {
                (None, None) => return true,
                (Some(Part::Any), _) => {
                    again = Some((at, part + 1));
                    part += 1;
                    continue;
                }
                (Some(wanted), Some((letter, len))) if wanted.fits(letter) => {
                    (at, part) = (at + len, part + 1);
                    continue;
                }
                _ => {}
            }
            let Some((from, after)) = again else { return false };
            let Some((_, len)) = next_letter(&name[from..]) else { return false };
            again = Some((from + len, after));
            (at, part) = (from + len, after);
        }
    }

    /// The longest stretch that every fitting name has.
    pub(crate) fn literal(&self) -> Vec<u8> {
        let mut longest = Vec::new();
        let mut current = Vec::new();
        for part in &self.0 {
            match part {
                Part::Letter(c) => current.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                Part::Byte(byte) => current.push(*byte),
                _ => current.clear(),
            }
            if current.len() > longest.len() {
                longest.clone_from(&current);
            }
        }
        longest
    }
}

impl Part {
    fn fits(&self, letter: Letter) -> bool {
        match (self, letter) {
            (Self::One, _) => true,
            (Self::Letter(wanted), Letter::Char(c)) => *wanted == c,
            (Self::Byte(wanted), Letter::Byte(byte)) => *wanted == byte,
            (Self::Class { inside, ranges }, Letter::Char(c)) => {
                ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)) == *inside
            }
            (Self::Class { inside, .. }, Letter::Byte(_)) => !inside,
            _ => false,
        }
    }
}

impl PathGlob {
    /// Reads a pattern that has `/`.
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut steps = Vec::new();
        if text.first() != Some(&b'/') {
            steps.push(Step::Folders);
        }
        for name in text.split(|byte| *byte == b'/').filter(|name| !name.is_empty()) {
            match name {
                b"**" if matches!(steps.last(), Some(Step::Folders)) => {}
                b"**" => steps.push(Step::Folders),
                name => steps.push(Step::Name(Glob::parse(name))),
            }
        }
        Self(steps)
    }

    /// True if it fits a path, given as its names.
    pub(crate) fn fits(&self, names: &[&[u8]]) -> bool {
        let (mut at, mut step) = (0, 0);
        let mut again: Option<(usize, usize)> = None;
        loop {
            match (self.0.get(step), names.get(at)) {
                (None, None) => return true,
                (Some(Step::Folders), _) => {
                    again = Some((at, step + 1));
                    step += 1;
                    continue;
                }
                (Some(Step::Name(glob)), Some(name)) if glob.fits(name) => {
                    (at, step) = (at + 1, step + 1);
                    continue;
                }
                _ => {}
            }
            let Some((from, after)) = again.filter(|(from, _)| *from < names.len()) else { return false };
            again = Some((from + 1, after));
            (at, step) = (from + 1, after);
        }
    }

    /// The longest stretch that every fitting path has in its last name.
    pub(crate) fn literal(&self) -> Vec<u8> {
        match self.0.last() {
            Some(Step::Name(glob)) => glob.literal(),
            _ => Vec::new(),
        }
    }
}

/// The class that begins after a `[`, and what follows it.
fn class(letters: &[Letter]) -> Option<(Part, &[Letter])> {
    let chars = |at: usize| match letters.get(at) {
        Some(Letter::Char(c)) => Some(*c),
        _ => None,
    };
    let inside = !matches!(chars(0)?, '!' | '^');
    let mut at = usize::from(!inside);
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let c = chars(at)?;
        if c == ']' && at > first {
            return Some((Part::Class { inside, ranges }, &letters[at + 1..]));
        }
        match (chars(at + 1), chars(at + 2)) {
            (Some('-'), Some(to)) if to != ']' => {
                ranges.push((c, to));
                at += 3;
            }
            _ => {
                ranges.push((c, c));
                at += 1;
            }
        }
    }
}

fn letters(text: &[u8]) -> impl Iterator<Item = Letter> + '_ {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (letter, len) = next_letter(rest)?;
        rest = &rest[len..];
        Some(letter)
    })
}

/// The first letter, and how many bytes it has.
fn next_letter(bytes: &[u8]) -> Option<(Letter, usize)> {
    let first = *bytes.first()?;
    if first.is_ascii() {
        return Some((Letter::Char(first.into()), 1));
    }
    let longest = &bytes[..bytes.len().min(4)];
    let valid = longest.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next());
    Some(valid.map_or((Letter::Byte(first), 1), |c| (Letter::Char(c), c.len_utf8())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name, fits) in [
            ("*.jpg", "a.jpg", true),
            ("*.jpg", "a.jpg.txt", false),
            ("a*b*c", "a--b--b-c", true),
            ("a*b*c", "a--c--b", false),
            ("?", "é", true),
            ("??", "é", false),
            ("*", "", true),
            ("img_[0-9][0-9].*", "img_07.png", true),
            ("img_[0-9][0-9].*", "img_0x.png", false),
            ("[!a]*", "b", true),
            ("[^a]*", "a", false),
            ("[]]*", "]x", true),
            ("*[", "x[", true),
            ("[a-]?", "-x", true),
            ("**a", "bca", true),
        ] {
            assert_eq!(Glob::parse(pattern.as_bytes()).fits(name.as_bytes()), fits, "{pattern} {name}");
        }
        assert!(Glob::parse(b"a?c").fits(b"a\xffc"));
        assert!(Glob::parse(b"a[!x]c").fits(b"a\xffc"));
    }

    #[test]
    fn patterns_with_folders_fit_paths() {
        for (pattern, path, fits) in [
            ("src/*.rs", "a/src/b.rs", true),
            ("src/*.rs", "src/c/b.rs", false),
            ("/src/*.rs", "a/src/b.rs", false),
            ("/src/*.rs", "src/b.rs", true),
            ("src/**/*.rs", "src/a/b/c.rs", true),
            ("src/**/*.rs", "src/c.rs", true),
            ("*/*/*/*", "a/b/c", false),
        ] {
            let names: Vec<&[u8]> = path.split('/').map(str::as_bytes).collect();
            assert_eq!(PathGlob::parse(pattern.as_bytes()).fits(&names), fits, "{pattern} {path}");
        }
    }

    #[test]
    fn the_longest_literal_is_found() {
        for (pattern, literal) in [("*.tar.?z", ".tar."), ("*", ""), ("ab*c[de]f", "ab")] {
            assert_eq!(Glob::parse(pattern.as_bytes()).literal(), literal.as_bytes());
        }
    }

    #[test]
    fn a_hostile_pattern_takes_no_longer_than_pattern_times_name() {
        // Tried all ways, this would take longer than the universe is old.
        assert!(!Glob::parse("a*".repeat(120).as_bytes()).fits("a".repeat(119).as_bytes()));
    }
}

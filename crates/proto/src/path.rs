//! [`RelPath`]: a place inside a share. The only way in for a path that came from outside.
//!
//! A path is a list of names, each the exact bytes the file system holds. Its text form joins them with `/` and
//! writes every byte that a screen, a log line or another system would misread as `\xHH`:
//! bytes that are not UTF-8, control characters, the backslash itself, and the colon of a leading drive letter
//! (`C:`). Thus every file has exactly one text form, can be shown, and can be asked for by it; and a raw
//! backslash, drive, device path or control character in a request is always a mistake and is refused.
//! Not known here: shares, disks, links. `..` never gets further than this file.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name a file system here takes, in bytes.
pub const MAX_NAME_BYTES: usize = 255;
/// The longest path a kernel takes in one call (`PATH_MAX`), in bytes.
pub const MAX_PATH_BYTES: usize = 4096;
/// The deepest path: far beyond what people make, shallow enough for every walk to be bounded.
pub const MAX_DEPTH: usize = 1024;
/// Names that begin so are Lanthorn's own (partial files, trash, versions); peers can neither see nor name them.
pub const RESERVED_PREFIX: &str = ".lanthorn-";

/// Why a text is not a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPath {
    /// A leading `/`, an empty name (`a//b`) or a trailing one.
    #[error("the path is absolute or has an empty part")]
    EmptyName,
    /// `.` or `..`.
    #[error("the path has a '.' or '..' part")]
    Dots,
    /// A character that must be written as `\xHH`, or a `\x` that is not one.
    #[error("the path has a character that must be escaped")]
    Unescaped,
    /// A name over [`MAX_NAME_BYTES`], a path over [`MAX_PATH_BYTES`] or deeper than [`MAX_DEPTH`].
    #[error("the path is too long")]
    TooLong,
    /// A name in Lanthorn's own namespace, see [`RESERVED_PREFIX`].
    #[error("the path names Lanthorn's own files")]
    Reserved,
}

/// A path relative to a share's root; empty for the root itself.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RelPath {
    /// The names joined with `/`, as the bytes of the file system.
    bytes: Vec<u8>,
}

impl RelPath {
    /// The share's root.
    #[must_use]
    pub const fn root() -> Self {
        Self { bytes: Vec::new() }
    }

    /// True for the share's root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The names, outermost first, as bytes of the file system.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &[u8]> {
        self.bytes.split(|b| *b == b'/').filter(|name| !name.is_empty())
    }

    /// The last name, or `None` for the root.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        self.names().next_back()
    }

    /// The folder this path is in, or `None` for the root.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        let name = self.name()?;
        let keep = self.bytes.len() - name.len();
        Some(Self { bytes: self.bytes[..keep.saturating_sub(1)].to_vec() })
    }

    /// True for what is somewhere inside of this folder, the folder itself not.
    #[must_use]
    pub fn holds(&self, other: &Self) -> bool {
        let rest = other.bytes.strip_prefix(&*self.bytes);
        rest.is_some_and(|rest| if self.is_root() { !rest.is_empty() } else { rest.starts_with(b"/") })
    }

    /// This path with one more name, given as bytes of the file system (what `readdir` returned).
    ///
    /// # Errors
    /// Any [`InvalidPath`] except `Unescaped`: bytes of the file system need no escape.
    pub fn join(&self, name: &[u8]) -> Result<Self, InvalidPath> {
        check_name(name)?;
        let mut bytes = Vec::with_capacity(self.bytes.len() + 1 + name.len());
        bytes.extend_from_slice(&self.bytes);
        if !bytes.is_empty() {
            bytes.push(b'/');
        }
        bytes.extend_from_slice(name);
        Self::check_whole(&bytes)?;
        Ok(Self { bytes })
    }

    /// The names joined with `/`, as bytes of the file system. For the gate that opens files, and for nothing else.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn check_whole(bytes: &[u8]) -> Result<(), InvalidPath> {
        let depth = bytes.iter().filter(|b| **b == b'/').count() + 1;
        if bytes.len() > MAX_PATH_BYTES || depth > MAX_DEPTH { Err(InvalidPath::TooLong) } else { Ok(()) }
    }
}

fn check_name(name: &[u8]) -> Result<(), InvalidPath> {
    match name {
        b"" => Err(InvalidPath::EmptyName),
        b"." | b".." => Err(InvalidPath::Dots),
        _ if name.len() > MAX_NAME_BYTES => Err(InvalidPath::TooLong),
        _ if name.contains(&b'/') || name.contains(&0) => Err(InvalidPath::Unescaped),
        _ if is_reserved(name) => Err(InvalidPath::Reserved),
        _ => Ok(()),
    }
}

/// True for a name of Lanthorn's own files, which no listing shows and no request reaches.
#[must_use]
pub fn is_reserved(name: &[u8]) -> bool {
    // Compared without case, since a case-blind file system would open the same file.
    name.len() >= RESERVED_PREFIX.len()
        && name[..RESERVED_PREFIX.len()].eq_ignore_ascii_case(RESERVED_PREFIX.as_bytes())
}

/// The text form of one name. See the module's page for what is escaped.
#[must_use]
pub fn escape_name(name: &[u8]) -> String {
    let mut text = String::with_capacity(name.len());
    let drive = has_drive_letter(name);
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() || c == '\\' || (drive && c == ':' && text.len() == 1) {
                let mut buffer = [0; 4];
                c.encode_utf8(&mut buffer).bytes().for_each(|b| push_escaped(&mut text, b));
            } else {
                text.push(c);
            }
        }
        chunk.invalid().iter().for_each(|b| push_escaped(&mut text, *b));
    }
    text
}

fn push_escaped(text: &mut String, byte: u8) {
    use fmt::Write;
    // Writing to a String cannot fail.
    let _ = write!(text, "\\x{byte:02x}");
}

fn has_drive_letter(name: &[u8]) -> bool {
    matches!(name, [letter, b':', ..] if letter.is_ascii_alphabetic())
}

fn unescape_name(text: &str) -> Result<Vec<u8>, InvalidPath> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        name.extend_from_slice(&rest.as_bytes()[..at]);
        let digits = rest[at..].strip_prefix("\\x").and_then(|d| d.get(..2)).ok_or(InvalidPath::Unescaped)?;
        name.push(u8::from_str_radix(digits, 16).map_err(|_| InvalidPath::Unescaped)?);
        rest = &rest[at + 4..];
    }
    name.extend_from_slice(rest.as_bytes());
    check_name(&name)?;
    // One file, one text: an escape that was not needed, or a needed one that is missing, is refused.
    if escape_name(&name) == text { Ok(name) } else { Err(InvalidPath::Unescaped) }
}

impl FromStr for RelPath {
    type Err = InvalidPath;

    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        // An escape is four characters for one byte, so a longer text cannot be a path.
        if text.len() > MAX_PATH_BYTES * 4 {
            return Err(InvalidPath::TooLong);
        }
        if text.is_empty() {
            return Ok(Self::root());
        }
        let names = text.split('/').map(unescape_name).collect::<Result<Vec<_>, _>>()?;
        let bytes = names.join(&b'/');
        Self::check_whole(&bytes)?;
        Ok(Self { bytes })
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, name) in self.names().enumerate() {
            if i > 0 {
                f.write_str("/")?;
            }
            f.write_str(&escape_name(name))?;
        }
        Ok(())
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RelPath({self})")
    }
}

impl Serialize for RelPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_texts_are_refused() {
        let long_name = "n".repeat(MAX_NAME_BYTES + 1);
        let deep = vec!["d"; MAX_DEPTH + 1].join("/");
        let long = vec!["n".repeat(200); 21].join("/");
        for text in [
            "..",
            ".",
            "../x",
            "a/../../x",
            "a/./b",
            "/etc/passwd",
            "//etc/passwd",
            "a//b",
            "a/",
            "/",
            "C:\\x",
            "C:x",
            "foo/c:/windows",
            "\\\\server\\share",
            "\\\\?\\C:\\",
            "\\??\\C:\\",
            "a\\..\\..\\b",
            "a\0.txt",
            "a\r\nb",
            "a\x1b[31m",
            "tab\there",
            "\u{85}",
            "\\x2e\\x2e",
            "\\x2e\\x2e/x",
            "\\x41",
            "\\xFF",
            "\\x",
            "\\x4",
            "\\x00",
            "a\\x2fb",
            "\\xc3\\xa9",
            "C\\x3a\\",
            "ab\\x3a",
            ".lanthorn-trash",
            ".LANTHORN-part/x",
            "a/.lanthorn-x",
            &long_name,
            &deep,
            &long,
        ] {
            assert!(text.parse::<RelPath>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn odd_but_honest_names_have_one_text() {
        for (bytes, text) in [
            (&b"caf\xc3\xa9"[..], "café"),
            (b"latin\xe9", "latin\\xe9"),
            (b"back\\slash", "back\\x5cslash"),
            (b"C:notes", "C\\x3anotes"),
            (b"12:30.txt", "12:30.txt"),
            (b"new\nline", "new\\x0aline"),
            (b"c1\xc2\x85", "c1\\xc2\\x85"),
            (b"...", "..."),
            (b" lead", " lead"),
            (b"%2e%2e", "%2e%2e"),
        ] {
            assert_eq!(escape_name(bytes), text);
            assert_eq!(text.parse::<RelPath>().unwrap().as_bytes(), bytes);
        }
    }

    #[test]
    fn parents_end_at_the_root() {
        let path: RelPath = "a/b/c".parse().unwrap();
        assert_eq!(path.name(), Some(&b"c"[..]));
        assert_eq!(path.parent().unwrap().to_string(), "a/b");
        assert_eq!(path.parent().unwrap().parent().unwrap().to_string(), "a");
        assert!(path.parent().unwrap().parent().unwrap().parent().unwrap().is_root());
        assert_eq!(RelPath::root().parent(), None);
    }

    #[test]
    fn a_folder_holds_what_is_inside() {
        let path = |text: &str| text.parse::<RelPath>().unwrap();
        for (folder, inside, holds) in [
            ("a", "a/b", true),
            ("a", "a/b/c", true),
            ("", "a", true),
            ("a", "a", false),
            ("a", "ab", false),
            ("", "", false),
        ] {
            assert_eq!(path(folder).holds(&path(inside)), holds, "{folder} {inside}");
        }
    }

    proptest! {
        #[test]
        fn every_name_on_disk_reads_back(names in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6)) {
            let mut path = RelPath::root();
            for name in &names {
                if let Ok(longer) = path.join(name) {
                    path = longer;
                }
            }
            let text = path.to_string();
            prop_assert!(!text.chars().any(char::is_control));
            prop_assert_eq!(text.parse::<RelPath>().unwrap(), path);
        }

        #[test]
        fn a_text_that_is_taken_is_the_texts_own_form(text in "[a-zA-Z0-9./\\\\x:é\u{0}-\u{1f}]{0,24}") {
            if let Ok(path) = text.parse::<RelPath>() {
                prop_assert_eq!(path.to_string(), text);
                prop_assert!(path.names().all(|n| n != b".." && n != b"." && !n.is_empty()));
            }
        }
    }
}

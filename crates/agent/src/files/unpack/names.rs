//! What an archive calls things, read with no trust in it.

use proto::RelPath;
use proto::path::InvalidPath;

use crate::files::write::{WriteError, names};

/// The path that an archive calls so. `./` before it and `/` behind it are how archives are.
pub(super) fn path(name: &[u8]) -> Result<RelPath, InvalidPath> {
    if name.starts_with(b"/") {
        return Err(InvalidPath::EmptyName);
    }
    let names = name.split(|byte| *byte == b'/').filter(|name| !matches!(*name, b"" | b"."));
    let path = names.into_iter().try_fold(RelPath::root(), |path, name| path.join(name))?;
    if path.is_root() && !matches!(name, b"./" | b".") { Err(InvalidPath::EmptyName) } else { Ok(path) }
}

/// As much of a name as is a path, for telling which item is meant.
pub(super) fn nearest(name: &[u8]) -> RelPath {
    let names = name.split(|byte| *byte == b'/');
    names.fold(RelPath::root(), |path, name| path.join(name).unwrap_or(path))
}

/// Refuses what another system would take for something else.
pub(super) fn check(path: &RelPath) -> Result<(), WriteError> {
    path.names().try_for_each(names::check_portable)
}

/// Seconds with a fraction as nanoseconds.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let (seconds, nanoseconds): (i64, i64) = (seconds.parse().ok()?, digits.parse().ok()?);
    let before = text.starts_with('-');
    seconds.checked_mul(1_000_000_000)?.checked_add(if before { -nanoseconds } else { nanoseconds })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_paths_or_nothing() {
        for (name, expected) in [
            ("a", Some("a")),
            ("./a/b/", Some("a/b")),
            ("a//./b", Some("a/b")),
            ("./", Some("")),
            ("a\\b", Some("a\\x5cb")),
            ("", None),
            ("/", None),
            ("/etc/passwd", None),
            ("..", None),
            ("a/../b", None),
            ("../../x", None),
            (".lanthorn-store/trash", None),
            ("a/.LANTHORN-x", None),
            ("a\0b", None),
        ] {
            let path = path(name.as_bytes()).ok().map(|path| path.to_string());
            assert_eq!(path.as_deref(), expected, "{name:?}");
        }
        assert_eq!(nearest(b"/a/../b").to_string(), "a/b");
    }

    #[test]
    fn times_have_fractions() {
        for (text, expected) in [
            ("1700000000", Some(1_700_000_000_000_000_000)),
            ("1700000000.5", Some(1_700_000_000_500_000_000)),
            ("1700000000.1234567891", Some(1_700_000_000_123_456_789)),
            ("-1.5", Some(-1_500_000_000)),
            ("soon", None),
            ("1e9", None),
            ("99999999999999999999", None),
        ] {
            assert_eq!(nanoseconds(text), expected, "{text}");
        }
    }
}

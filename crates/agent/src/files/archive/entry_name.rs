//! Names as they may stand in an archive: whoever unpacks it, on whatever system, gets a name inside the folder.

/// Which names an archive takes as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Text that means the same everywhere.
    Text,
    /// Also what is no text, as long as it means nothing else.
    Bytes,
    /// All: it is unpacked by Lanthorn.
    Exact,
}

/// True if a name of the file system can stand in an archive as it is.
pub(super) fn is_plain(name: &[u8], names: Names) -> bool {
    if names == Names::Exact {
        return true;
    }
    let drive = matches!(name, [letter, b':', ..] if letter.is_ascii_alphabetic());
    let odd = |c: char| c.is_control() || c == '\\';
    let text = match std::str::from_utf8(name) {
        Ok(text) => !text.contains(odd),
        Err(_) => names == Names::Bytes && !name.iter().any(|b| b.is_ascii_control() || *b == b'\\'),
    };
    text && !drive
}

/// A name to stand for one that is not plain: its harmless characters, and digits that tell it from others like it.
pub(super) fn replacement(name: &[u8], attempt: u32) -> Vec<u8> {
    let text = String::from_utf8_lossy(name);
    let harmless = |c: char| if c.is_control() || matches!(c, '\\' | ':' | '\u{fffd}') { '_' } else { c };
    let digits = blake3::Hasher::new().update(&attempt.to_le_bytes()).update(name).finalize().to_hex();
    let (stem, ending) = text.rsplit_once('.').unwrap_or((&text, ""));
    let stem: String = stem.chars().map(harmless).collect();
    let ending: String = ending.chars().map(harmless).collect();
    let dot = if ending.is_empty() { "" } else { "." };
    format!("{stem}~{}{dot}{ending}", &digits[..8]).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_names_that_mean_something_elsewhere_are_replaced() {
        for (name, zip, tar) in [
            (&b"plain"[..], true, true),
            ("é".as_bytes(), true, true),
            (b"latin\xe9", false, true),
            (b"a\\b", false, false),
            (b"a\nb", false, false),
            (b"C:x", false, false),
            (b"12:30", true, true),
        ] {
            assert_eq!((is_plain(name, Names::Text), is_plain(name, Names::Bytes)), (zip, tar), "{name:?}");
            assert!(is_plain(name, Names::Exact));
        }
    }

    proptest! {
        #[test]
        fn replacements_are_plain_and_apart(a in prop::collection::vec(1u8.., 1..30), b in prop::collection::vec(1u8.., 1..30)) {
            let clean = |name: &[u8]| name.iter().map(|b| if *b == b'/' { b'-' } else { *b }).collect::<Vec<_>>();
            let (a, b) = (clean(&a), clean(&b));
            prop_assert!(is_plain(&replacement(&a, 0), Names::Text));
            prop_assert_eq!(replacement(&a, 0) == replacement(&b, 0), a == b);
            prop_assert_ne!(replacement(&a, 0), replacement(&a, 1));
        }
    }
}

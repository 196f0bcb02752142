//! `Content-Disposition` (RFC 6266): whether to show or save, and under which name. Whatever a file is called, the
//! result is one header of plain ASCII.

use axum::http::HeaderValue;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What RFC 8187 lets stand unescaped.
const ATTR_CHAR: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'!')
    .remove(b'#')
    .remove(b'$')
    .remove(b'&')
    .remove(b'+')
    .remove(b'-')
    .remove(b'.')
    .remove(b'^')
    .remove(b'_')
    .remove(b'`')
    .remove(b'|')
    .remove(b'~');

/// The header for a file of this name (bytes of the file system). `how` is `inline` or `attachment`.
#[must_use]
pub fn header(how: &str, name: &[u8]) -> HeaderValue {
    if let Ok(name) = str::from_utf8(name)
        && name.chars().all(is_plain)
    {
        return value(format!("{how}; filename=\"{name}\""));
    }
    let name: String = String::from_utf8_lossy(name).chars().map(harmless).collect();
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    if plain == name {
        return value(format!("{how}; filename=\"{plain}\""));
    }
    let full = utf8_percent_encode(&name, ATTR_CHAR);
    value(format!("{how}; filename=\"{plain}\"; filename*=UTF-8''{full}"))
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("attachment"))
}

/// Old browsers read these characters alike inside quotes.
const fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || matches!(
            c,
            ' ' | '.' | '-' | '_' | '(' | ')' | '[' | ']' | '+' | ',' | '=' | '@' | '!' | '#' | '&'
        )
}

/// Path separators, control characters, and what turns the direction of writing (`exe.jpg` for `gpj.exe`).
fn harmless(c: char) -> char {
    match c {
        '/'
        | '\\'
        | '\u{202a}'..='\u{202e}'
        | '\u{2066}'..='\u{2069}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{fffd}' => '_',
        c if c.is_control() => '_',
        c => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_told_twice_where_needed() {
        for (name, expected) in [
            (&b"plain name.txt"[..], "attachment; filename=\"plain name.txt\""),
            ("naïve.txt".as_bytes(), "attachment; filename=\"na_ve.txt\"; filename*=UTF-8''na%C3%AFve.txt"),
            (
                b"a\"; filename=evil.exe",
                "attachment; filename=\"a__ filename=evil.exe\"; filename*=UTF-8''a%22%3B%20filename%3Devil.exe",
            ),
            (
                b"x\r\nSet-Cookie: a=b",
                "attachment; filename=\"x__Set-Cookie_ a=b\"; filename*=UTF-8''x__Set-Cookie%3A%20a%3Db",
            ),
            (b"100%.txt", "attachment; filename=\"100_.txt\"; filename*=UTF-8''100%25.txt"),
            (b"..\\..\\x", "attachment; filename=\".._.._x\""),
            (b"latin\xe9", "attachment; filename=\"latin_\""),
        ] {
            assert_eq!(header("attachment", name).to_str().unwrap(), expected);
        }
    }

    proptest! {
        #[test]
        fn every_name_makes_one_quoted_header(name in prop::collection::vec(any::<u8>(), 0..60)) {
            let header = header("inline", &name);
            let text = header.to_str().unwrap();
            prop_assert!(text.bytes().all(|b| (0x20..0x7f).contains(&b)));
            prop_assert!(text.starts_with("inline; filename=\""));
            prop_assert_eq!(text.matches('"').count(), 2);
        }
    }
}

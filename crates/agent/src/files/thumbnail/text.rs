//! The first lines of a text, as a picture. What comes out is an SVG of rectangles and text, whatever went in.

use std::fmt::Write;
use std::io::Read;

use crate::share::OpenFile;

/// How much of the file is looked at.
const LOOKED_AT: u64 = 16 << 10;
const LINES: usize = 9;
const COLUMNS: usize = 34;

/// The picture, or `None` if this is no text.
pub(super) async fn lines(file: OpenFile) -> Option<String> {
    let read = move || {
        let mut bytes = Vec::new();
        file.file.take(LOOKED_AT).read_to_end(&mut bytes).ok()?;
        decode(&bytes).map(|text| draw(&text))
    };
    tokio::task::spawn_blocking(read).await.ok()?
}

/// The bytes as text: UTF-8, UTF-16 with its mark, or else one letter per byte. `None` for what is no text.
fn decode(bytes: &[u8]) -> Option<String> {
    match bytes {
        [] => None,
        [0xff, 0xfe, rest @ ..] => Some(utf16(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Some(utf16(rest, u16::from_be_bytes)),
        [0xef, 0xbb, 0xbf, rest @ ..] => decode(rest),
        _ if bytes.contains(&0) => None,
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => Some(text.to_owned()),
            // Cut in the middle of a letter.
            Err(error) if error.error_len().is_none() => {
                Some(String::from_utf8_lossy(&bytes[..error.valid_up_to()]).into_owned())
            }
            Err(_) => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
        },
    }
}

fn utf16(bytes: &[u8], read: fn([u8; 2]) -> u16) -> String {
    let units = bytes.chunks_exact(2).map(|pair| read([pair[0], pair[1]]));
    char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
}

fn draw(text: &str) -> String {
    let mut svg = String::from(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 240" width="320" height="240"><rect width="320" height="240" fill="#fbfbfc"/><g fill="#3a3f4a" font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace" font-size="14" xml:space="preserve">"##,
    );
    for (number, line) in text.lines().take(LINES).enumerate() {
        let y = 30 + number * 24;
        let _ = write!(svg, r#"<text x="16" y="{y}">"#);
        push_line(&mut svg, line);
        svg.push_str("</text>");
    }
    svg.push_str("</g></svg>");
    svg
}

/// One line, cut to the width, with nothing in it that is not a plain visible letter.
fn push_line(svg: &mut String, line: &str) {
    let spaced = line.chars().flat_map(|c| {
        let (c, times) = if c == '\t' { (' ', 4) } else { (c, 1) };
        std::iter::repeat_n(c, times)
    });
    for c in spaced.filter(|c| !is_invisible(*c)).take(COLUMNS) {
        push_escaped(svg, c);
    }
}

/// Control characters, marks that turn the writing direction, and what XML does not allow.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

/// A letter as it is written in XML.
pub(super) fn push_escaped(svg: &mut String, c: char) {
    match c {
        '&' => svg.push_str("&amp;"),
        '<' => svg.push_str("&lt;"),
        '>' => svg.push_str("&gt;"),
        '"' => svg.push_str("&quot;"),
        '\'' => svg.push_str("&#39;"),
        c => svg.push(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nine_lines_of_thirty_four_letters() {
        let text: String = (0..20).map(|n| format!("{n:02} {}\n", "x".repeat(50))).collect();
        let svg = draw(&text);
        assert_eq!(svg.matches("<text ").count(), 9);
        assert!(svg.contains(&format!(">08 {}</text>", "x".repeat(31))), "{svg}");
    }

    #[test]
    fn nothing_in_a_text_becomes_markup() {
        let svg = draw("</text><script>alert('1')</script>&amp;\n\u{202e}a\u{0}b\tc\u{1b}[0m");
        assert!(
            svg.contains(">&lt;/text&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;</text>"),
            "{svg}"
        );
        assert!(svg.contains(">ab    c[0m</text>"), "{svg}");
        assert_eq!(svg.matches('<').count(), 2 * 2 + 5);
    }

    #[test]
    fn what_is_text() {
        for (bytes, text) in [
            (&b"a\r\nb"[..], Some("a\r\nb")),
            (b"\xff\xfea\0b\0", Some("ab")),
            (b"\xfe\xff\0a", Some("a")),
            (b"\xef\xbb\xbfx", Some("x")),
            (b"caf\xe9 au lait", Some("café au lait")),
            ("aé".as_bytes().split_last().unwrap().1, Some("a")),
            (b"MZ\0\x01", None),
            (b"", None),
        ] {
            assert_eq!(decode(bytes).as_deref(), text, "{bytes:?}");
        }
    }
}

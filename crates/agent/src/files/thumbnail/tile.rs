//! The tile for what cannot be pictured: a sheet with the kind written on it. An SVG without anything active.

use proto::api::files::Kind;

use super::super::kind;
use super::source::ending;
use super::text::push_escaped;

/// The longest ending that is shown as it is.
const SHOWN: usize = 4;

/// The tile for a file of this name, or for a folder.
pub(super) fn draw(name: &[u8], folder: bool) -> String {
    let kind = if folder { Kind::Folder } else { kind::of_name(name) };
    let mut label = String::new();
    self::label(name, kind).chars().for_each(|c| push_escaped(&mut label, c));
    let colour = colour(kind);
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 240" width="320" height="240"><rect width="320" height="240" fill="{colour}" fill-opacity=".14"/><rect x="112" y="48" width="96" height="120" rx="10" fill="{colour}" fill-opacity=".22"/><text x="160" y="120" text-anchor="middle" font-family="system-ui,sans-serif" font-size="30" font-weight="600" fill="{colour}">{label}</text></svg>"##
    )
}

fn label(name: &[u8], kind: Kind) -> String {
    let ending = ending(name);
    let plain =
        !ending.is_empty() && ending.len() <= SHOWN && ending.bytes().all(|b| b.is_ascii_alphanumeric());
    match kind {
        Kind::Folder => "DIR".into(),
        _ if plain => ending.to_ascii_uppercase(),
        Kind::Video => "VID".into(),
        Kind::Image => "IMG".into(),
        Kind::Document => "DOC".into(),
        Kind::Code => "CODE".into(),
        Kind::Text => "TXT".into(),
        _ => "FILE".into(),
    }
}

/// A middle tone that stands out from a light and from a dark page.
const fn colour(kind: Kind) -> &'static str {
    match kind {
        Kind::Folder => "#c98a1b",
        Kind::Image => "#2e9e6b",
        Kind::Video => "#b4539b",
        Kind::Audio => "#8a63d2",
        Kind::Document => "#c9564a",
        Kind::Code => "#3b82c4",
        Kind::Text => "#6b7a90",
        Kind::Archive => "#a07a3c",
        Kind::Other => "#7b8494",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tile_tells_the_kind_and_never_the_name() {
        for (name, label) in [
            ("film.mkv", ">MKV<"),
            ("a.<b>", ">FILE<"),
            ("x.\"><script>", ">FILE<"),
            ("notes.markdown", ">TXT<"),
            ("Makefile", ">FILE<"),
        ] {
            let svg = draw(name.as_bytes(), false);
            assert!(svg.contains(label), "{svg}");
            assert!(!svg.contains("script"));
        }
        assert!(draw(b"photos.jpg", true).contains(">DIR<"));
    }
}

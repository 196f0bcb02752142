//! What a picture of a file is made from, told by the ending of its name. What is really inside shows when it is read.

use proto::api::files::Kind;

use super::super::kind;

/// How many bytes a text may have to be worth drawing; larger ones are logs and dumps, but drawn alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Pixels that are decoded here.
    Image(Image),
    /// A still picture that only ffmpeg decodes.
    Still,
    /// A film.
    Film,
    /// A PDF.
    Page,
    /// Text, code, notes.
    Text,
    /// Nothing: a tile.
    Nothing,
}

/// Who decodes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Image {
    /// The decoder that can leave out the detail.
    Jpeg,
    /// The decoder of this kind.
    Other(image::ImageFormat),
}

impl Source {
    pub(super) fn of_name(name: &[u8]) -> Self {
        use image::ImageFormat;
        let image = |format| Self::Image(Image::Other(format));
        match ending(name).as_str() {
            "jpg" | "jpeg" | "jpe" => Self::Image(Image::Jpeg),
            "png" => image(ImageFormat::Png),
            "gif" => image(ImageFormat::Gif),
            "webp" => image(ImageFormat::WebP),
            "bmp" => image(ImageFormat::Bmp),
            "tif" | "tiff" => image(ImageFormat::Tiff),
            "avif" | "heic" | "heif" => Self::Still,
            "pdf" => Self::Page,
            "csv" | "tsv" => Self::Text,
            _ => match kind::of_name(name) {
                Kind::Video => Self::Film,
                Kind::Text | Kind::Code => Self::Text,
                _ => Self::Nothing,
            },
        }
    }
}

/// The ending of a name in small letters; empty if it has none.
pub(super) fn ending(name: &[u8]) -> String {
    let dot = name.iter().rposition(|b| *b == b'.').filter(|dot| *dot > 0);
    let ending = dot.map_or(&[][..], |dot| &name[dot + 1..]);
    String::from_utf8_lossy(ending).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_tell_the_source() {
        for (name, source) in [
            ("a.JPG", Source::Image(Image::Jpeg)),
            ("a.tiff", Source::Image(Image::Other(image::ImageFormat::Tiff))),
            ("a.heic", Source::Still),
            ("a.mkv", Source::Film),
            ("a.pdf", Source::Page),
            ("a.rs", Source::Text),
            ("a.csv", Source::Text),
            ("a.svg", Source::Nothing),
            ("a.zip", Source::Nothing),
            (".jpg", Source::Nothing),
            ("jpg", Source::Nothing),
        ] {
            assert_eq!(Source::of_name(name.as_bytes()), source, "{name}");
        }
    }
}

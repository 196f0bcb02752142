//! What a file is about, told by the ending of its name. One table, for listings, search filters and tiles.

use proto::api::files::Kind;

/// The kind of a file of this name (text or raw bytes; only the ending counts, without case).
#[must_use]
pub fn of_name(name: &[u8]) -> Kind {
    let Some(dot) = name.iter().rposition(|b| *b == b'.') else { return Kind::Other };
    let ending = &name[dot + 1..];
    let mut lower = [0u8; 8];
    if dot == 0 || ending.is_empty() || ending.len() > lower.len() {
        return Kind::Other;
    }
    let lower = &mut lower[..ending.len()];
    lower.copy_from_slice(ending);
    lower.make_ascii_lowercase();
    of_ending(lower)
}

fn of_ending(ending: &[u8]) -> Kind {
    match ending {
        b"jpg" | b"jpeg" | b"jpe" | b"png" | b"gif" | b"webp" | b"avif" | b"heic" | b"heif" | b"bmp"
        | b"tif" | b"tiff" | b"svg" | b"ico" | b"jxl" | b"raw" | b"raf" | b"cr2" | b"cr3" | b"nef"
        | b"arw" | b"dng" | b"orf" | b"rw2" | b"psd" | b"xcf" => Kind::Image,
        b"mp4" | b"m4v" | b"mov" | b"mkv" | b"webm" | b"avi" | b"flv" | b"wmv" | b"mpg" | b"mpeg"
        | b"m2ts" | b"mts" | b"3gp" | b"ogv" | b"vob" => Kind::Video,
        b"mp3" | b"flac" | b"wav" | b"ogg" | b"oga" | b"opus" | b"m4a" | b"aac" | b"wma" | b"aif"
        | b"aiff" | b"mid" | b"midi" | b"weba" => Kind::Audio,
        b"pdf" | b"doc" | b"docx" | b"docm" | b"odt" | b"rtf" | b"xls" | b"xlsx" | b"xlsm" | b"xlsb"
        | b"ods" | b"csv" | b"tsv" | b"ppt" | b"pptx" | b"odp" | b"epub" | b"mobi" | b"azw3" | b"djvu"
        | b"ps" | b"pages" | b"numbers" | b"key" => Kind::Document,
        b"rs" | b"c" | b"h" | b"cc" | b"cpp" | b"hpp" | b"go" | b"py" | b"js" | b"mjs" | b"cjs" | b"ts"
        | b"tsx" | b"jsx" | b"svelte" | b"vue" | b"html" | b"htm" | b"css" | b"scss" | b"java" | b"kt"
        | b"swift" | b"rb" | b"php" | b"pl" | b"lua" | b"sh" | b"bash" | b"zsh" | b"fish" | b"ps1"
        | b"bat" | b"sql" | b"json" | b"jsonl" | b"json5" | b"toml" | b"yaml" | b"yml" | b"xml" | b"ini"
        | b"conf" | b"cfg" | b"cs" | b"dart" | b"ex" | b"exs" | b"erl" | b"hs" | b"ml" | b"r" | b"jl"
        | b"nim" | b"zig" | b"asm" | b"s" | b"tex" | b"diff" | b"patch" | b"proto" | b"graphql"
        | b"ipynb" | b"gradle" | b"cmake" | b"mk" | b"nix" | b"tf" => Kind::Code,
        b"txt" | b"md" | b"markdown" | b"log" | b"text" | b"rst" | b"adoc" | b"org" | b"srt" | b"vtt"
        | b"nfo" => Kind::Text,
        b"zip" | b"tar" | b"gz" | b"tgz" | b"bz2" | b"tbz" | b"xz" | b"txz" | b"zst" | b"lz4" | b"7z"
        | b"rar" | b"iso" | b"dmg" | b"img" | b"deb" | b"rpm" | b"apk" | b"jar" | b"cab" | b"whl" => {
            Kind::Archive
        }
        _ => Kind::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_tell_the_kind() {
        for (name, kind) in [
            ("a.JPG", Kind::Image),
            ("a.tar.gz", Kind::Archive),
            ("Makefile", Kind::Other),
            (".bashrc", Kind::Other),
            (".sh", Kind::Other),
            ("x.", Kind::Other),
            ("notes.MD", Kind::Text),
            ("a.averylongending", Kind::Other),
        ] {
            assert_eq!(of_name(name.as_bytes()), kind, "{name}");
        }
    }
}

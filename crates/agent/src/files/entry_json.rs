//! Entries as JSON, written straight into a buffer: a folder of 100,000 is answered in the time of its `stat` calls.
//!
//! Says exactly what serde says of [`proto::api::files::Entry`]; a test holds the two together.

use std::io::Write;

use proto::RelPath;
use proto::api::files::Kind;
use proto::path::escape_name;

use super::kind;
use crate::share::{Node, Stat};

/// Writes the entries of one folder.
pub struct EntryWriter {
    /// The folder's path and a slash, as the inside of a JSON text.
    prefix: Vec<u8>,
    name: Vec<u8>,
}

impl EntryWriter {
    /// A writer for what is in `folder`.
    #[must_use]
    pub fn new(folder: &RelPath) -> Self {
        let mut prefix = Vec::new();
        if !folder.is_root() {
            push_text(&mut prefix, &folder.to_string());
            prefix.push(b'/');
        }
        Self { prefix, name: Vec::new() }
    }

    /// Appends one entry. Without `stat` the name is all that is known beside its type.
    pub fn push(&mut self, out: &mut Vec<u8>, name: &[u8], node: Node, stat: Option<&Stat>, link: bool) {
        self.name.clear();
        push_name(&mut self.name, name);
        let kind = if node == Node::Folder { Kind::Folder } else { kind::of_name(name) };
        for part in [
            b"{\"name\":\"".as_slice(),
            &self.name,
            b"\",\"path\":\"",
            &self.prefix,
            &self.name,
            b"\",\"type\":\"",
            type_word(node),
            b"\",\"kind\":\"",
            kind_word(kind),
            b"\",\"size\":",
        ] {
            out.extend_from_slice(part);
        }
        let file = stat.filter(|_| node == Node::File);
        push_number(out, file.map_or(0, |stat| stat.size));
        out.extend_from_slice(b",\"modified\":");
        push_time(out, stat);
        out.extend_from_slice(b",\"version\":\"");
        if let Some(stat) = file {
            push_version(out, stat);
        }
        out.extend_from_slice(if link { b"\",\"link\":true}" } else { b"\"}" });
    }
}

const fn type_word(node: Node) -> &'static [u8] {
    match node {
        Node::Folder => b"folder",
        Node::File => b"file",
        Node::Link => b"link_out",
        Node::Special => b"special",
    }
}

const fn kind_word(kind: Kind) -> &'static [u8] {
    match kind {
        Kind::Folder => b"folder",
        Kind::Image => b"image",
        Kind::Video => b"video",
        Kind::Audio => b"audio",
        Kind::Document => b"document",
        Kind::Code => b"code",
        Kind::Text => b"text",
        Kind::Archive => b"archive",
        Kind::Other => b"other",
    }
}

fn push_name(out: &mut Vec<u8>, name: &[u8]) {
    let plain = |b: &u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
    if name.iter().all(plain) && name.get(1) != Some(&b':') {
        out.extend_from_slice(name);
    } else {
        push_text(out, &escape_name(name));
    }
}

/// Appends the inside of a JSON text.
fn push_text(out: &mut Vec<u8>, text: &str) {
    let begin = out.len();
    // Writing a text to a Vec cannot fail.
    let _ = serde_json::to_writer(&mut *out, text);
    out.remove(begin);
    out.pop();
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    let _ = write!(out, "{number}");
}

/// See [`super::entry::version`].
fn push_version(out: &mut Vec<u8>, stat: &Stat) {
    push_hex(out, stat.ino);
    out.push(b'-');
    push_hex(out, stat.size);
    out.push(b'-');
    push_hex(out, stat.mtime_ns.cast_unsigned());
}

fn push_hex(out: &mut Vec<u8>, number: u64) {
    let digits = (64 - number.leading_zeros()).div_ceil(4).max(1);
    for digit in (0..digits).rev() {
        out.push(b"0123456789abcdef"[(number >> (digit * 4) & 15) as usize]);
    }
}

/// RFC 3339 with milliseconds. The calendar is the well-known one of days since 0000-03-01.
fn push_time(out: &mut Vec<u8>, stat: Option<&Stat>) {
    let Some(stat) = stat else { return out.extend_from_slice(b"null") };
    let milliseconds = stat.mtime_ns.div_euclid(1_000_000);
    let (days, rest) = (milliseconds.div_euclid(86_400_000), milliseconds.rem_euclid(86_400_000));
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let year = year_of_era + era * 400 + i64::from(month >= 10);
    let month = if month < 10 { month + 3 } else { month - 9 };
    out.push(b'"');
    for (number, width, end) in [
        (year, 4, b'-'),
        (month, 2, b'-'),
        (day, 2, b'T'),
        (rest / 3_600_000, 2, b':'),
        (rest / 60_000 % 60, 2, b':'),
        (rest / 1000 % 60, 2, b'.'),
        (rest % 1000, 3, b'Z'),
    ] {
        push_padded(out, number, width);
        out.push(end);
    }
    out.push(b'"');
}

fn push_padded(out: &mut Vec<u8>, number: i64, width: u32) {
    for place in (0..width).rev() {
        out.push(b'0' + u8::try_from(number / 10_i64.pow(place) % 10).unwrap_or(0));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::entry;
    use proptest::prelude::*;
    use proto::api::files::Entry;

    proptest! {
        #[test]
        fn says_what_serde_says(
            name in prop_oneof![prop::collection::vec(1u8.., 1..20), "[a-c:\"\\\\é ]{1,6}".prop_map(String::into_bytes)],
            node in prop_oneof![Just(Node::File), Just(Node::Folder), Just(Node::Link), Just(Node::Special)],
            (ino, size, mtime_ns) in any::<(u64, u64, i64)>(),
            link: bool,
        ) {
            let folder: RelPath = "a \"b\"/c\\x5cd".parse().unwrap();
            let Ok(path) = folder.join(&name) else { return Ok(()) };
            let stat = Stat { node, dev: 1, ino, size, mtime_ns, ctime_ns: 0, executable: false };
            let mut out = Vec::new();
            EntryWriter::new(&folder).push(&mut out, &name, node, Some(&stat), link);
            let read: Entry = serde_json::from_slice(&out).unwrap();
            prop_assert_eq!(read, entry::of(path, &stat, link));
        }
    }
}

//! Names as the index keeps them: one long run of case-folded bytes, and one bit per byte that says "was a capital".
//!
//! An entry is a tag byte (what it is), the folded name, and a NUL. No name holds a NUL and no UTF-8 text holds a
//! tag byte, so one sweep of a query over the whole run can never match across two entries.
//! Folding never changes the number of bytes (a letter whose other case is longer or shorter stays as it is), so a
//! bit at the same place is enough to get the original back. Not known here: folders, paths, disks.

use crate::share::Node;

/// Where an entry stands: the offset of its tag.
pub(crate) type Offset = u32;

/// The most bytes of names one index holds; offsets are 32 bits.
pub(crate) const MAX_BYTES: usize = 2 << 30;

/// A run of entries.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Names {
    bytes: Vec<u8>,
    /// Bit `i` belongs to `bytes[i]`.
    capitals: Vec<u8>,
}

/// One name of a run.
#[derive(Clone, Copy)]
pub(crate) struct Name<'a> {
    /// The folded bytes.
    pub(crate) folded: &'a [u8],
    run: &'a Names,
    at: usize,
}

const fn tag_of(node: Node) -> u8 {
    match node {
        Node::File => 0xf8,
        Node::Folder => 0xf9,
        Node::Link => 0xfa,
        Node::Special => 0xfb,
    }
}

const fn node_of(tag: u8) -> Option<Node> {
    match tag {
        0xf8 => Some(Node::File),
        0xf9 => Some(Node::Folder),
        0xfa => Some(Node::Link),
        0xfb => Some(Node::Special),
        _ => None,
    }
}

/// The small form of a letter, if the capital can be made from it again and both take the same number of bytes.
pub(crate) fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(small), None) if small.len_utf8() == c.len_utf8() && capital_of(small) == c => small,
        _ => c,
    }
}

fn capital_of(c: char) -> char {
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(capital), None) => capital,
        _ => c,
    }
}

/// A text in the form in which names are compared without case.
pub(crate) fn fold(text: &[u8]) -> Vec<u8> {
    let mut run = Names::default();
    run.push_folded(text);
    run.bytes
}

/// For each byte of a text whether [`fold`] makes a capital small there.
pub(crate) fn capitals(text: &[u8]) -> Vec<bool> {
    let mut run = Names::default();
    run.push_folded(text);
    (0..text.len()).map(|at| run.is_capital(at)).collect()
}

impl Names {
    /// The folded bytes, tags and NULs included.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// One bit for each byte of [`Self::bytes`].
    pub(crate) fn capitals(&self) -> &[u8] {
        &self.capitals
    }

    /// A run read back from its two parts. The caller vouches for nothing: every entry is looked at when used.
    pub(crate) fn from_parts(bytes: Vec<u8>, capitals: Vec<u8>) -> Option<Self> {
        (capitals.len() == bytes.len().div_ceil(8)).then_some(Self { bytes, capitals })
    }

    /// Forgets all entries, keeps the room.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.capitals.clear();
    }

    /// Gives back room that is not used.
    pub(crate) fn shrink(&mut self) {
        self.bytes.shrink_to_fit();
        self.capitals.shrink_to_fit();
    }

    /// Appends an entry.
    pub(crate) fn push(&mut self, node: Node, name: &[u8]) -> Offset {
        let at = self.bytes.len();
        self.bytes.push(tag_of(node));
        self.push_folded(name);
        self.bytes.push(0);
        self.capitals.resize(self.bytes.len().div_ceil(8), 0);
        offset(at)
    }

    fn push_folded(&mut self, name: &[u8]) {
        if !name.is_ascii() {
            return self.push_folded_unicode(name);
        }
        let at = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes[at..].make_ascii_lowercase();
        for (i, byte) in name.iter().enumerate() {
            if byte.is_ascii_uppercase() {
                self.mark(at + i);
            }
        }
    }

    fn push_folded_unicode(&mut self, name: &[u8]) {
        for chunk in name.utf8_chunks() {
            for c in chunk.valid().chars() {
                let small = fold_char(c);
                if small != c {
                    self.mark(self.bytes.len());
                }
                self.bytes.extend_from_slice(small.encode_utf8(&mut [0; 4]).as_bytes());
            }
            self.bytes.extend_from_slice(chunk.invalid());
        }
    }

    fn mark(&mut self, at: usize) {
        if self.capitals.len() <= at / 8 {
            self.capitals.resize(at / 8 + 1, 0);
        }
        self.capitals[at / 8] |= 1 << (at % 8);
    }

    fn is_capital(&self, at: usize) -> bool {
        self.capitals.get(at / 8).is_some_and(|byte| byte >> (at % 8) & 1 == 1)
    }

    /// Fills with NULs up to a whole byte of bits, so that what follows can be copied in as it is.
    pub(crate) fn align(&mut self) -> Offset {
        self.bytes.resize(self.bytes.len().next_multiple_of(8), 0);
        self.capitals.resize(self.bytes.len() / 8, 0);
        offset(self.bytes.len())
    }

    /// Appends another run; tells where it begins.
    pub(crate) fn append(&mut self, other: &Self) -> Offset {
        let at = self.align();
        self.bytes.extend_from_slice(&other.bytes);
        self.capitals.extend_from_slice(&other.capitals);
        at
    }

    /// Appends an entry of another run.
    pub(crate) fn copy(&mut self, other: &Self, at: Offset) -> Offset {
        let name = other.name(at);
        let to = self.bytes.len();
        self.bytes.push(other.bytes[at as usize]);
        self.bytes.extend_from_slice(name.folded);
        self.bytes.push(0);
        self.capitals.resize(self.bytes.len().div_ceil(8), 0);
        for i in 0..name.folded.len() {
            if other.is_capital(name.at + i) {
                self.mark(to + 1 + i);
            }
        }
        offset(to)
    }

    /// Wipes an entry or a whole run of them, so that no sweep finds it.
    pub(crate) fn blank(&mut self, from: usize, to: usize) {
        self.bytes[from..to].fill(0);
    }

    /// What an entry is; `None` if none begins here.
    pub(crate) fn node(&self, at: Offset) -> Option<Node> {
        self.bytes.get(at as usize).copied().and_then(node_of)
    }

    /// The name of the entry that begins here.
    pub(crate) fn name(&self, at: Offset) -> Name<'_> {
        let at = (at as usize + 1).min(self.bytes.len());
        let rest = &self.bytes[at..];
        let len = memchr::memchr(0, rest).unwrap_or(rest.len());
        Name { folded: &rest[..len], run: self, at }
    }

    /// The place itself if an entry or a gap begins there; else where the entry that it lies in ends.
    pub(crate) fn boundary(&self, at: usize) -> usize {
        let Some(before) = at.checked_sub(1) else { return at };
        let rest = self.bytes.get(before..).unwrap_or_default();
        memchr::memchr(0, rest).map_or(self.bytes.len(), |nul| before + nul + 1)
    }

    /// The first entry at or after a place, before `to`.
    pub(crate) fn next_entry(&self, from: usize, to: usize) -> Option<Offset> {
        let skipped = self.bytes[from..to].iter().position(|byte| *byte != 0)?;
        Some(offset(from + skipped))
    }

    /// The entries of a stretch that begins at an entry or in a gap.
    pub(crate) fn entries(&self, from: usize, to: usize) -> impl Iterator<Item = Offset> + '_ {
        let mut at = from;
        std::iter::from_fn(move || {
            let found = self.next_entry(at, to)?;
            at = found as usize + 2 + self.name(found).folded.len();
            Some(found)
        })
    }
}

impl Name<'_> {
    /// The bytes as the file system has them.
    pub(crate) fn original(&self) -> Vec<u8> {
        let mut bytes = self.folded.to_vec();
        for i in 0..bytes.len() {
            if self.run.is_capital(self.at + i) {
                restore(&mut bytes[i..]);
            }
        }
        bytes
    }

    /// True if just these of the letters from a place on are capitals.
    pub(crate) fn has_capitals(&self, from: usize, capitals: &[bool]) -> bool {
        capitals.iter().enumerate().all(|(i, capital)| self.run.is_capital(self.at + from + i) == *capital)
    }

    /// True if this is the name, byte for byte.
    pub(crate) fn is(&self, original: &[u8]) -> bool {
        self.folded.len() == original.len() && self.original() == original
    }
}

/// Makes the first letter a capital again.
fn restore(bytes: &mut [u8]) {
    if bytes[0].is_ascii() {
        return bytes[0].make_ascii_uppercase();
    }
    let Some(c) = bytes.utf8_chunks().next().and_then(|chunk| chunk.valid().chars().next()) else { return };
    let capital = capital_of(c);
    if capital.len_utf8() == c.len_utf8() {
        capital.encode_utf8(&mut bytes[..c.len_utf8()]);
    }
}

/// Runs are kept below [`MAX_BYTES`] by those who append to them.
fn offset(at: usize) -> Offset {
    Offset::try_from(at).unwrap_or(Offset::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn folding_keeps_lengths_and_meets_other_capitals() {
        for (name, folded) in [
            ("IMG_1.JPG", "img_1.jpg"),
            ("Été ÀÉÎ", "été àéî"),
            ("ΣΑΣ", "σασ"),
            ("Straße", "straße"),
            // Another length in the other case: left as it is.
            ("İ \u{212a}", "İ \u{212a}"),
            ("ЖУК", "жук"),
        ] {
            assert_eq!(fold(name.as_bytes()), folded.as_bytes(), "{name}");
        }
    }

    #[test]
    fn blanked_entries_are_stepped_over() {
        let mut run = Names::default();
        let a = run.push(Node::File, b"a");
        let b = run.push(Node::Folder, b"B");
        let c = run.push(Node::Link, b"c");
        run.blank(b as usize, b as usize + 3);
        assert_eq!(run.entries(0, run.bytes().len()).collect::<Vec<_>>(), [a, c]);
        assert_eq!(run.node(c), Some(Node::Link));
        assert_eq!(run.node(b), None);
    }

    proptest! {
        #[test]
        fn every_name_comes_back(names in prop::collection::vec(prop_oneof![
            prop::collection::vec(1u8.., 1..20), "\\PC{1,12}".prop_map(String::into_bytes),
        ], 1..8)) {
            let mut run = Names::default();
            let mut copy = Names::default();
            let mut whole = Names::default();
            let at: Vec<_> = names.iter().map(|name| run.push(Node::File, name)).collect();
            whole.push(Node::Folder, b"x");
            let base = whole.append(&run);
            for (at, name) in at.iter().zip(&names) {
                prop_assert_eq!(&run.name(*at).original(), name);
                prop_assert_eq!(run.name(*at).folded, &fold(name)[..]);
                prop_assert_eq!(&whole.name(base + at).original(), name);
                let copied = copy.copy(&run, *at);
                prop_assert_eq!(&copy.name(copied).original(), name);
            }
            prop_assert_eq!(run.entries(0, run.bytes().len()).count(), names.len());
        }
    }
}

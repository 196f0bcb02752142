//! The pieces of a file and their hashes. Each piece is a whole subtree of the file's BLAKE3 tree, so that it can be
//! verified by itself, and the file's hash is made of theirs.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use blake3::Hasher;
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use proto::wire::transfer::{FileFacts, PIECE, pieces};

/// Pieces are read again so many bytes at once.
const READ_AT_ONCE: usize = 256 << 10;

/// What a piece is verified by: its chaining value, or the file's hash where the piece is all of it.
pub type Chaining = [u8; 32];

/// Hashes one piece.
#[derive(Clone)]
pub struct PieceHasher {
    hasher: Hasher,
    is_all: bool,
}

impl PieceHasher {
    /// For this piece of a file of this size.
    #[must_use]
    pub fn new(size: u64, piece: u32) -> Self {
        let mut hasher = Hasher::new();
        hasher.set_input_offset(u64::from(piece) * u64::from(PIECE));
        Self { hasher, is_all: size <= u64::from(PIECE) }
    }

    /// Some more of its bytes: not more in all than a piece has.
    pub fn update(&mut self, bytes: &[u8]) {
        self.hasher.update(bytes);
    }

    /// The value.
    #[must_use]
    pub fn finish(&self) -> Chaining {
        if self.is_all { *self.hasher.finalize().as_bytes() } else { self.hasher.finalize_non_root() }
    }
}

/// Hashes a piece of so many bytes as it is in a file.
///
/// # Errors
/// The disk's, or the file ends before.
pub fn hash_piece(file: &File, size: u64, (piece, len): (u32, u32)) -> io::Result<Chaining> {
    let mut buffer = vec![0; READ_AT_ONCE.min(len as usize)];
    let (mut hasher, mut at) = (PieceHasher::new(size, piece), u64::from(piece) * u64::from(PIECE));
    let mut left = len as usize;
    while left > 0 {
        let some = &mut buffer[..left.min(READ_AT_ONCE)];
        file.read_exact_at(some, at)?;
        hasher.update(some);
        (left, at) = (left - some.len(), at + some.len() as u64);
    }
    Ok(hasher.finish())
}

/// How many bytes a piece has; `None` if the file has no such piece.
#[must_use]
pub fn piece_len(size: u64, piece: u32) -> Option<u32> {
    let left = size.checked_sub(u64::from(piece) * u64::from(PIECE)).filter(|left| *left > 0)?;
    Some(u32::try_from(left).map_or(PIECE, |left| left.min(PIECE)))
}

/// The hash of a file, of its pieces' values in order.
#[must_use]
pub fn root(chaining: &[Chaining]) -> blake3::Hash {
    match chaining {
        [] => blake3::hash(b""),
        [all] => blake3::Hash::from_bytes(*all),
        _ => {
            let (left, right) = chaining.split_at(left_len(chaining.len()));
            merge_subtrees_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

fn subtree(chaining: &[Chaining]) -> Chaining {
    match chaining {
        [one] => *one,
        _ => {
            let (left, right) = chaining.split_at(left_len(chaining.len()));
            merge_subtrees_non_root(&subtree(left), &subtree(right), Mode::Hash)
        }
    }
}

/// BLAKE3 puts the largest power of two that leaves something on the left.
const fn left_len(len: usize) -> usize {
    len.next_power_of_two() / 2
}

/// Which pieces of a file are here and verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    facts: FileFacts,
    chaining: Vec<Option<Chaining>>,
    missing: usize,
}

impl Progress {
    /// Nothing yet. `None` for a file of more pieces than can be counted.
    #[must_use]
    pub fn new(facts: FileFacts) -> Option<Self> {
        let missing = usize::try_from(u32::try_from(pieces(facts.size)).ok()?).ok()?;
        Some(Self { facts, chaining: vec![None; missing], missing })
    }

    /// The file that it is about.
    #[must_use]
    pub const fn facts(&self) -> FileFacts {
        self.facts
    }

    /// A piece came. False if it had been here before, or there is no such piece.
    pub fn mark(&mut self, piece: u32, chaining: Chaining) -> bool {
        let Some(place) = self.chaining.get_mut(piece as usize).filter(|place| place.is_none()) else {
            return false;
        };
        *place = Some(chaining);
        self.missing -= 1;
        true
    }

    /// True if this piece is here.
    #[must_use]
    pub fn has(&self, piece: u32) -> bool {
        self.chaining.get(piece as usize).is_some_and(Option::is_some)
    }

    /// True if nothing is missing.
    #[must_use]
    pub const fn is_whole(&self) -> bool {
        self.missing == 0
    }

    /// How many pieces are here of which none before is missing.
    #[must_use]
    pub fn first(&self) -> u32 {
        let first = self.chaining.iter().take_while(|chaining| chaining.is_some()).count();
        u32::try_from(first).unwrap_or(u32::MAX)
    }

    /// Only so many pieces at the beginning count any more. True if there were others.
    pub fn cut(&mut self, pieces: u32) -> bool {
        let behind = self.chaining.get_mut(pieces as usize..).unwrap_or_default();
        let void = behind.iter_mut().filter_map(Option::take).count();
        self.missing += void;
        void > 0
    }

    /// A piece is not here after all.
    pub fn unmark(&mut self, piece: u32) {
        let place = self.chaining.get_mut(piece as usize);
        self.missing += usize::from(place.and_then(Option::take).is_some());
    }

    /// What a piece was verified by, if it is here.
    #[must_use]
    pub fn chaining(&self, piece: u32) -> Option<Chaining> {
        self.chaining.get(piece as usize).copied().flatten()
    }

    /// How many bytes are here.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let here = self.chaining.iter().zip(0..).filter(|(chaining, _)| chaining.is_some());
        here.filter_map(|(_, piece)| piece_len(self.facts.size, piece)).map(u64::from).sum()
    }

    /// A bit for each piece, the lowest bit of the first byte for the first.
    #[must_use]
    pub fn bits(&self) -> Vec<u8> {
        let byte = |pieces: &[Option<Chaining>]| {
            pieces.iter().rev().fold(0, |bits, piece| bits << 1 | u8::from(piece.is_some()))
        };
        self.chaining.chunks(8).map(byte).collect()
    }

    /// The hash of the file, once it is whole.
    #[must_use]
    pub fn hash(&self) -> Option<blake3::Hash> {
        let all: Option<Vec<Chaining>> = self.chaining.iter().copied().collect();
        all.map(|chaining| root(&chaining))
    }
}

/// True if a piece is among [`Progress::bits`].
#[must_use]
pub fn is_in(bits: &[u8], piece: u32) -> bool {
    bits.get(piece as usize / 8).is_some_and(|byte| byte >> (piece % 8) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: u64 = PIECE as u64;

    fn facts(size: u64) -> FileFacts {
        FileFacts { size, modified_ns: 1, executable: false }
    }

    fn content(size: u64) -> Vec<u8> {
        (0..size).map(|at| (at % 251) as u8).collect()
    }

    fn chaining_of(content: &[u8]) -> Vec<Chaining> {
        let size = content.len() as u64;
        let of = |(piece, bytes): (u32, &[u8])| {
            assert_eq!(piece_len(size, piece), u32::try_from(bytes.len()).ok());
            let mut hasher = PieceHasher::new(size, piece);
            bytes.chunks(100_000).for_each(|some| hasher.update(some));
            hasher.finish()
        };
        (0..).zip(content.chunks(PIECE as usize)).map(of).collect()
    }

    #[test]
    fn the_pieces_make_the_ordinary_hash() {
        for size in
            [0, 1, 1024, 1025, FULL - 1, FULL, FULL + 1, 2 * FULL, 3 * FULL - 1, 5 * FULL + 7, 8 * FULL]
        {
            let content = content(size);
            let chaining = chaining_of(&content);
            assert_eq!(chaining.len() as u64, pieces(size));
            assert_eq!(root(&chaining), blake3::hash(&content), "{size}");
        }
    }

    #[test]
    fn a_file_is_whole_when_each_of_its_pieces_came_once() {
        let size = 9 * FULL + 5;
        let chaining = chaining_of(&content(size));
        let mut progress = Progress::new(facts(size)).unwrap();
        for piece in [9, 0, 8, 3, 1, 2, 4, 5, 6, 7] {
            assert!(!progress.has(piece) && !progress.is_whole() && progress.hash().is_none());
            assert!(progress.mark(piece, chaining[piece as usize]));
            assert!(!progress.mark(piece, [0; 32]), "it is here already");
            let bits = progress.bits();
            assert!((0..12).all(|piece| is_in(&bits, piece) == progress.has(piece)), "{bits:?}");
            if piece == 9 {
                assert_eq!(progress.bytes(), 5);
            }
        }
        assert!(!progress.mark(10, [0; 32]), "there is no such piece");
        let mut cut = progress.clone();
        assert!(cut.cut(4) && !cut.cut(4) && cut.mark(7, chaining[7]));
        assert_eq!((cut.first(), cut.bytes(), progress.first()), (4, 5 * FULL, 10));
        assert!(progress.is_whole());
        assert_eq!((progress.hash(), progress.bytes()), (Some(root(&chaining)), size));
        assert!(Progress::new(facts(0)).unwrap().is_whole());
        assert_eq!(Progress::new(facts(u64::MAX)), None);
        assert_eq!([piece_len(size, 10), piece_len(0, 0), piece_len(FULL, 1)], [None; 3]);
    }
}

//! The pieces of a file and their hashes. Each piece is a whole subtree of the file's BLAKE3 tree, so that it can be
//! verified by itself, and the file's hash is made of theirs.

use blake3::Hasher;
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use proto::wire::transfer::{FileFacts, PIECE, pieces};

/// What a piece is verified by: its chaining value, or the file's hash where the piece is all of it.
pub type Chaining = [u8; 32];

/// Hashes one piece.
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
        assert!(progress.is_whole());
        assert_eq!((progress.hash(), progress.bytes()), (Some(root(&chaining)), size));
        assert!(Progress::new(facts(0)).unwrap().is_whole());
        assert_eq!(Progress::new(facts(u64::MAX)), None);
        assert_eq!([piece_len(size, 10), piece_len(0, 0), piece_len(FULL, 1)], [None; 3]);
    }
}

//! A large file in pieces with their sums: while one is sent, the next is read and its sum computed.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use anyhow::Result;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use tokio::task::JoinHandle;

/// How much goes in one request.
const PIECE: u64 = 16 << 20;

/// Some of a file.
pub struct Piece {
    /// Its bytes.
    pub bytes: Bytes,
    /// Their BLAKE3 sum, in base64.
    pub sum: String,
}

/// A file that is read a piece ahead.
pub struct ReadAhead {
    file: Arc<File>,
    size: u64,
    next: Option<(u64, JoinHandle<Result<Piece>>)>,
    /// Memory of a piece that was sent: new memory would have to be cleared first.
    spare: BytesMut,
}

impl ReadAhead {
    /// A file of this size.
    pub fn of(file: Arc<File>, size: u64) -> Self {
        Self { file, size, next: None, spare: BytesMut::new() }
    }

    /// The piece that begins here. The one behind it is being read from now on.
    pub async fn piece_at(&mut self, offset: u64) -> Result<Piece> {
        let reading = match self.next.take() {
            Some((at, reading)) if at == offset => reading,
            _ => self.begin(offset),
        };
        let piece = reading.await??;
        let behind = offset + piece.bytes.len() as u64;
        if behind < self.size {
            self.next = Some((behind, self.begin(behind)));
        }
        Ok(piece)
    }

    /// Takes back a piece that was sent, for its memory.
    pub fn take_back(&mut self, bytes: Bytes) {
        // Whoever still holds it keeps it.
        self.spare = bytes.try_into_mut().unwrap_or_default();
    }

    fn begin(&mut self, offset: u64) -> JoinHandle<Result<Piece>> {
        let (file, length) = (Arc::clone(&self.file), PIECE.min(self.size - offset));
        let mut bytes = std::mem::take(&mut self.spare);
        tokio::task::spawn_blocking(move || {
            bytes.resize(usize::try_from(length)?, 0);
            file.read_exact_at(&mut bytes, offset)?;
            let sum = STANDARD.encode(blake3::hash(&bytes).as_bytes());
            Ok(Piece { bytes: bytes.freeze(), sum })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_are_those_of_the_file_wherever_it_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        let content: Vec<u8> = (0..2 * PIECE + 5).map(|n| (n % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let mut file = ReadAhead::of(Arc::new(File::open(&path).unwrap()), content.len() as u64);
        // On, back after something was lost, to the end, and once more.
        for (offset, length) in [
            (0, PIECE),
            (PIECE, PIECE),
            (7, PIECE),
            (2 * PIECE, 5),
            (2 * PIECE, 5),
            (content.len() as u64, 0),
        ] {
            let piece = file.piece_at(offset).await.unwrap();
            let at = usize::try_from(offset).unwrap();
            let expected = &content[at..at + usize::try_from(length).unwrap()];
            assert!(piece.bytes == expected, "at {offset}");
            assert_eq!(piece.sum, STANDARD.encode(blake3::hash(expected).as_bytes()));
            file.take_back(piece.bytes);
        }
        std::fs::write(&path, "shorter now").unwrap();
        let gone = file.piece_at(PIECE).await.err().unwrap();
        assert!(gone.is::<std::io::Error>());
    }

    #[tokio::test]
    async fn memory_is_used_again_once_nobody_holds_it() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(5 * PIECE).unwrap();
        let mut file = ReadAhead::of(Arc::new(file), 5 * PIECE);
        let first = file.piece_at(0).await.unwrap().bytes;
        file.take_back(first);
        assert!(file.spare.capacity() as u64 >= PIECE);
        let held = file.piece_at(PIECE).await.unwrap().bytes;
        file.take_back(held.clone());
        assert_eq!(file.spare.capacity(), 0);
    }
}

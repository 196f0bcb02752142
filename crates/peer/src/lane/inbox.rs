//! Bytes that have arrived and that nobody has asked for yet. Knows no stream.

use std::collections::VecDeque;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::ReadBuf;

/// Pieces smaller than this are copied together, lest each keep a packet of its own in memory.
const SMALL: usize = 1024;
/// How much is copied together.
const MIXED: usize = 16 * 1024;

/// A queue of bytes.
#[derive(Default)]
pub(super) struct Inbox {
    pieces: VecDeque<Piece>,
    len: usize,
}

enum Piece {
    Whole(Bytes),
    Mixed(BytesMut),
}

impl Inbox {
    /// How many bytes wait.
    pub(super) const fn len(&self) -> usize {
        self.len
    }

    pub(super) fn push(&mut self, bytes: Bytes) {
        self.len += bytes.len();
        if bytes.len() >= SMALL {
            self.pieces.push_back(Piece::Whole(bytes));
            return;
        }
        match self.pieces.back_mut() {
            Some(Piece::Mixed(mixed)) if mixed.len() < MIXED => mixed.extend_from_slice(&bytes),
            _ => self.pieces.push_back(Piece::Mixed(BytesMut::from(&bytes[..]))),
        }
    }

    /// Moves as much as fits; says how much.
    pub(super) fn read(&mut self, buf: &mut ReadBuf<'_>) -> usize {
        let room = buf.remaining();
        while buf.remaining() > 0
            && let Some(piece) = self.pieces.front_mut()
        {
            let left = match piece {
                Piece::Whole(bytes) => move_some(bytes, buf),
                Piece::Mixed(bytes) => move_some(bytes, buf),
            };
            if left == 0 {
                self.pieces.pop_front();
            }
        }
        let moved = room - buf.remaining();
        self.len -= moved;
        moved
    }
}

/// Moves what fits, and says how much of the piece is left.
fn move_some(bytes: &mut impl Buf, buf: &mut ReadBuf<'_>) -> usize {
    let some = bytes.remaining().min(buf.remaining());
    buf.put_slice(&bytes.chunk()[..some]);
    bytes.advance(some);
    bytes.remaining()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_leave_as_they_came(sizes in prop::collection::vec(0usize..3000, 0..20), step in 1usize..5000) {
            let (mut inbox, mut came, mut left) = (Inbox::default(), Vec::new(), Vec::new());
            for (i, size) in sizes.into_iter().enumerate() {
                let piece = vec![i as u8; size];
                came.extend_from_slice(&piece);
                inbox.push(piece.into());
            }
            prop_assert_eq!(inbox.len(), came.len());
            let mut room = vec![0; step];
            loop {
                let mut buf = ReadBuf::new(&mut room);
                if inbox.read(&mut buf) == 0 {
                    break;
                }
                left.extend_from_slice(buf.filled());
            }
            prop_assert_eq!(left, came);
            prop_assert_eq!(inbox.len(), 0);
        }
    }
}

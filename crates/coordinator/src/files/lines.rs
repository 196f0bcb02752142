//! A body in lines, of which neither one nor all together may be too long.

use std::collections::VecDeque;

use axum::body::{Body, Bytes};
use bytes::BytesMut;
use http_body_util::BodyExt;

/// The longest line: a path of the greatest length, every byte of it escaped, fits many times.
const MAX_LINE: usize = 64 << 10;
/// What a piece of the body counts at least, so that very many small ones come to an end too.
const PIECE_COST: usize = 64;

/// Why there are no more lines.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinesError {
    #[error("a line is too long")]
    LongLine,
    #[error("the answer is too long")]
    TooMuch,
    #[error("the answer broke off")]
    Broken(#[source] axum::Error),
}

/// A body that is read line by line, as fast as the lines are taken.
pub(crate) struct Lines {
    body: Body,
    rest: BytesMut,
    /// How much of `rest` is whole lines.
    whole: usize,
    /// How many bytes may still come.
    left: usize,
    /// The longest line.
    longest: usize,
}

impl Lines {
    pub(crate) fn new(body: Body, most: usize) -> Self {
        Self { body, rest: BytesMut::new(), whole: 0, left: most, longest: MAX_LINE }
    }

    /// A body whose lines are told as things happen: there is no end to them, and none may be long.
    pub(crate) fn endless(body: Body) -> Self {
        Self::new(body, usize::MAX)
    }

    /// The same, with lines that may be longer or have to be shorter than usual.
    pub(crate) fn longest(self, longest: usize) -> Self {
        Self { longest, ..self }
    }

    /// The next whole lines, at least one; `None` at the end. A last line without an end is none. When this is given up
    /// half way, nothing is lost.
    pub(crate) async fn next(&mut self) -> Result<Option<VecDeque<Bytes>>, LinesError> {
        loop {
            if self.whole > 0 {
                return Ok(Some(self.take_lines()));
            }
            if self.rest.len() > self.longest {
                return Err(LinesError::LongLine);
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Ok(data) = frame.map_err(LinesError::Broken)?.into_data() {
                let cost = data.len().max(PIECE_COST);
                self.left = self.left.checked_sub(cost).ok_or(LinesError::TooMuch)?;
                let end = data.iter().rposition(|byte| *byte == b'\n');
                self.whole = end.map_or(0, |end| self.rest.len() + end + 1);
                self.rest.extend_from_slice(&data);
            }
        }
    }

    /// Splits off what is whole.
    fn take_lines(&mut self) -> VecDeque<Bytes> {
        let mut whole = self.rest.split_to(std::mem::take(&mut self.whole)).freeze();
        let mut lines = VecDeque::new();
        while let Some(end) = whole.iter().position(|byte| *byte == b'\n') {
            lines.push_back(whole.split_to(end));
            // The end of the line itself.
            let _ = whole.split_to(1);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body(pieces: Vec<Vec<u8>>) -> Body {
        let pieces = pieces.into_iter().map(|piece| Ok::<_, std::io::Error>(Bytes::from(piece)));
        Body::from_stream(futures_util::stream::iter(pieces))
    }

    async fn all(lines: &mut Lines) -> Result<Vec<Bytes>, LinesError> {
        let mut all = Vec::new();
        while let Some(some) = lines.next().await? {
            assert!(!some.is_empty());
            all.extend(some);
        }
        Ok(all)
    }

    proptest! {
        #[test]
        fn lines_are_the_same_however_they_are_cut(
            text in prop::collection::vec(prop::sample::select(b"ab\n".to_vec()), 0..60),
            cut in 1usize..9,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut lines = Lines::new(body(text.chunks(cut).map(<[u8]>::to_vec).collect()), 100_000);
            let read = runtime.block_on(all(&mut lines)).unwrap();
            let mut wanted: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
            wanted.pop();
            prop_assert_eq!(read, wanted);
        }
    }

    #[tokio::test]
    async fn what_is_too_long_ends() {
        let mut lines = Lines::new(body(vec![vec![b'a'; MAX_LINE]; 2]), 10 * MAX_LINE);
        assert!(matches!(lines.next().await, Err(LinesError::LongLine)));
        let mut lines = Lines::new(body(vec![b"aa\n".to_vec(); 5]), 5 * PIECE_COST - 1);
        assert!(matches!(all(&mut lines).await, Err(LinesError::TooMuch)));
        let mut lines = Lines::new(body(vec![b"aa\n".to_vec(); 5]), 5 * PIECE_COST);
        assert_eq!(all(&mut lines).await.unwrap().len(), 5);
        let mut lines = Lines::new(body(vec![Vec::new(); 100]), 99 * PIECE_COST);
        assert!(matches!(lines.next().await, Err(LinesError::TooMuch)), "empty pieces end as well");
    }
}

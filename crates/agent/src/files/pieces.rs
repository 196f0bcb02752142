//! Long answers made piece by piece on the blocking pool, one piece ahead of the taker. While the taker does not
//! take, nothing runs and no thread is held.

use bytes::Bytes;
use futures_util::{Stream, stream};

use super::{FilesError, off_thread};

/// Something that is written out piece by piece.
pub trait Pieces: Send + Sized + 'static {
    /// The next piece, and the rest if there is more.
    ///
    /// # Errors
    /// The answer then ends as broken.
    fn piece(self) -> Result<(Option<Self>, Vec<u8>), FilesError>;
}

/// All pieces of what `begin` makes. Begins at once.
pub fn stream<P: Pieces>(
    begin: impl FnOnce() -> Result<P, FilesError> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, FilesError>> + Send {
    let first = tokio::spawn(off_thread(move || begin()?.piece()));
    stream::try_unfold(Some(first), |ahead| async move {
        let Some(ahead) = ahead else { return Ok(None) };
        let (rest, piece) = ahead.await.map_err(|error| FilesError::Io(error.into()))??;
        let next = rest.map(|rest| tokio::spawn(off_thread(move || rest.piece())));
        Ok(Some((Bytes::from(piece), next)))
    })
}

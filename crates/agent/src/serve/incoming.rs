//! A request's body on its way to the disk: received here, taken by a [`Sink`] on a thread of its own, with a bound between them.

use std::io::{self, Read};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, header};
use futures_util::StreamExt;
use proto::{ApiError, ErrorCode};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::error::Refusal;
use crate::files::write::part::PartFile;
use crate::files::write::sums::Sums;
use crate::files::write::{WriteError, off_thread};

/// Frames that wait to be written, of some 16 KiB to 512 KiB each.
const WAITING: usize = 16;
/// So long a sender is looked at, not counting the time in which the disk was what it waited for …
const PATIENCE: Duration = Duration::from_secs(60);
/// … and so many bytes must have come of it meanwhile.
const LEAST: u64 = 60 << 10;

/// Where a body goes, some bytes after the other.
pub trait Sink: Send + 'static {
    /// Takes some more bytes. May block.
    ///
    /// # Errors
    /// The disk's: then it is not asked again.
    fn take(&mut self, bytes: &[u8]) -> Result<(), WriteError>;
}

/// A part, and what is computed of what goes into it.
impl Sink for (PartFile, Sums) {
    fn take(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.0.write(bytes)?;
        self.1.add(bytes);
        Ok(())
    }
}

/// How a body ended.
pub struct Poured<S> {
    /// What took it.
    pub sink: S,
    /// Whether all that came was taken.
    pub taken: Result<(), WriteError>,
    /// Whether all came.
    pub sent: Result<(), Cut>,
}

impl<S> Poured<S> {
    /// The sink, if all came and was taken.
    ///
    /// # Errors
    /// The disk's. Else, what was wrong with the body.
    pub fn whole(self) -> Result<S, Refusal> {
        // If the disk failed, that is why nothing more could be passed on.
        self.taken?;
        self.sent?;
        Ok(self.sink)
    }
}

/// Why not all of a body came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cut {
    /// The connection broke off.
    BrokenOff,
    /// Nothing came for a long time, or next to nothing.
    Slow,
    /// There was more than was announced.
    TooLong,
    /// Somebody else goes on with it.
    TakenOver,
}

/// Pours a body into a sink, to its end or until told to stop. No more than `most` bytes are taken.
///
/// # Errors
/// The writing thread panicked. All else is told in [`Poured`].
pub async fn pour<S: Sink>(
    body: Body,
    sink: S,
    most: Option<u64>,
    stop: &CancellationToken,
) -> Result<Poured<S>, WriteError> {
    let (send, receive) = mpsc::channel(WAITING);
    let taking = tokio::spawn(off_thread(move || Ok(take_all(receive, sink))));
    let sent = tokio::select! {
        biased;
        () = stop.cancelled() => Err(Cut::TakenOver),
        sent = pass_on(body, &send, most) => sent,
    };
    drop(send);
    let (sink, taken) = taking.await.map_err(std::io::Error::from)??;
    Ok(Poured { sink, taken, sent })
}

fn take_all<S: Sink>(mut frames: mpsc::Receiver<Bytes>, mut sink: S) -> (S, Result<(), WriteError>) {
    while let Some(bytes) = frames.blocking_recv() {
        if let Err(error) = sink.take(&bytes) {
            return (sink, Err(error));
        }
    }
    (sink, Ok(()))
}

async fn pass_on(body: Body, send: &mpsc::Sender<Bytes>, most: Option<u64>) -> Result<(), Cut> {
    let mut stream = body.into_data_stream();
    let mut left = most.unwrap_or(u64::MAX);
    let mut pace = Pace::default();
    while let Some(bytes) = pace.wait(stream.next()).await? {
        let bytes = bytes.map_err(|_| Cut::BrokenOff)?;
        left = left.checked_sub(bytes.len() as u64).ok_or(Cut::TooLong)?;
        pace.came += bytes.len() as u64;
        if send.send(bytes).await.is_err() {
            // The disk failed, and says so itself.
            return Ok(());
        }
    }
    Ok(())
}

/// A body as something that is read, by a thread that may wait for it.
pub struct Frames {
    frames: mpsc::Receiver<Bytes>,
    present: Bytes,
    end: Option<oneshot::Receiver<Result<(), Cut>>>,
}

impl Frames {
    /// Begins to receive a body.
    #[must_use]
    pub fn of(body: Body) -> Self {
        let (send, frames) = mpsc::channel(WAITING);
        let (tell, end) = oneshot::channel();
        tokio::spawn(async move {
            let sent = pass_on(body, &send, None).await;
            // Nobody asks any more if what was read so far was enough.
            let _ = tell.send(sent);
        });
        Self { frames, present: Bytes::new(), end: Some(end) }
    }

    /// Whether all came, once nothing more comes.
    fn end(&mut self) -> io::Result<usize> {
        match self.end.take().map(oneshot::Receiver::blocking_recv) {
            Some(Ok(Ok(()))) | None => Ok(0),
            Some(Ok(Err(cut))) => Err(io::Error::other(Refusal::from(cut).0.message)),
            Some(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.present.is_empty() {
            match self.frames.blocking_recv() {
                Some(frame) => self.present = frame,
                None => return self.end(),
            }
        }
        let count = buffer.len().min(self.present.len());
        buffer[..count].copy_from_slice(&self.present.split_to(count));
        Ok(count)
    }
}

/// Whether a sender still sends.
#[derive(Default)]
struct Pace {
    waited: Duration,
    came: u64,
}

impl Pace {
    async fn wait<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Cut> {
        let mut next = std::pin::pin!(next);
        loop {
            let since = Instant::now();
            let answer = tokio::time::timeout(PATIENCE - self.waited, &mut next).await;
            self.waited += since.elapsed();
            if self.waited >= PATIENCE {
                if self.came < LEAST {
                    return Err(Cut::Slow);
                }
                *self = Self::default();
            }
            if let Ok(answer) = answer {
                return Ok(answer);
            }
        }
    }
}

/// Refuses bodies that are not the bytes of the file: nothing is unpacked here.
///
/// # Errors
/// The body is encoded.
pub fn check_plain(headers: &HeaderMap) -> Result<(), Refusal> {
    match headers.get(header::CONTENT_ENCODING) {
        Some(encoding) if encoding != "identity" => Err(Refusal(ApiError::new(
            ErrorCode::Unsupported,
            "The body is compressed, and is not unpacked here.",
            "Send it without 'Content-Encoding'.",
        ))),
        _ => Ok(()),
    }
}

impl From<Cut> for Refusal {
    fn from(cut: Cut) -> Self {
        let (code, message, hint) = match cut {
            Cut::TooLong => return WriteError::TooLarge.into(),
            Cut::BrokenOff => (
                ErrorCode::BadRequest,
                "The connection broke off before everything had come.",
                "Send it again; an upload goes on where it stopped.",
            ),
            Cut::Slow => (
                ErrorCode::TimedOut,
                "Next to nothing came for a minute.",
                "Look at the connection and send it again; an upload goes on where it stopped.",
            ),
            Cut::TakenOver => (
                ErrorCode::OffsetConflict,
                "Another request goes on with this upload.",
                "Ask where it stands with HEAD.",
            ),
        };
        Self(ApiError::new(code, message, hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body that sends so many bytes each so many seconds.
    fn trickle(bytes: usize, seconds: u64) -> Body {
        let each = move |()| async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from(vec![7; bytes])), ()))
        };
        Body::from_stream(futures_util::stream::unfold((), each))
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_next_to_nothing_is_cut_off_and_who_is_merely_slow_is_not() {
        for (body, cut) in [
            (trickle(1, 10), Cut::Slow),
            (trickle(1, 3600), Cut::Slow),
            (trickle(20 << 10, 10), Cut::TooLong),
            (trickle(70 << 10, 59), Cut::TooLong),
        ] {
            let (send, mut receive) = mpsc::channel(WAITING);
            let drain = tokio::spawn(async move { while receive.recv().await.is_some() {} });
            assert_eq!(pass_on(body, &send, Some(10 << 20)).await, Err(cut));
            drop(send);
            drain.await.unwrap();
        }
    }
}

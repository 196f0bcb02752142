//! A request's body on its way into a part: received here, written on a thread of its own, with a bound between them.

use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::StreamExt;
use proto::{ApiError, ErrorCode};
use ring::digest::{Context, SHA256};
use tokio::sync::mpsc;

use super::error::Refusal;
use crate::files::write::part::PartFile;
use crate::files::write::{WriteError, off_thread};

/// Frames that wait to be written, of some 16 KiB to 512 KiB each.
const WAITING: usize = 16;
/// A sender that is silent for so long has gone.
const SILENCE: Duration = Duration::from_secs(60);

/// What is computed of the bytes as they pass.
pub struct Sums {
    sha256: Option<Context>,
    blake3: Option<blake3::Hasher>,
}

/// What was computed.
#[derive(Debug, Default)]
pub struct Summed {
    /// SHA-256, if it was wished for.
    pub sha256: Option<Vec<u8>>,
    /// BLAKE3, if it was wished for.
    pub blake3: Option<Vec<u8>>,
}

impl Sums {
    /// Computes these of bytes to come.
    #[must_use]
    pub fn of(sha256: bool, blake3: bool) -> Self {
        Self { sha256: sha256.then(|| Context::new(&SHA256)), blake3: blake3.then(blake3::Hasher::new) }
    }

    fn add(&mut self, bytes: &[u8]) {
        if let Some(sum) = &mut self.sha256 {
            sum.update(bytes);
        }
        if let Some(sum) = &mut self.blake3 {
            sum.update(bytes);
        }
    }

    fn finish(self) -> Summed {
        Summed {
            sha256: self.sha256.map(|sum| sum.finish().as_ref().to_vec()),
            blake3: self.blake3.map(|sum| sum.finalize().as_bytes().to_vec()),
        }
    }
}

/// Writes a body into a part, to its end. No more than `most` bytes are taken.
///
/// # Errors
/// The disk's, a body that broke off or is too long, and a sender that fell silent.
pub async fn receive(
    body: Body,
    part: PartFile,
    sums: Sums,
    most: Option<u64>,
) -> Result<(PartFile, Summed), Refusal> {
    let (send, receive) = mpsc::channel(WAITING);
    let writing = tokio::spawn(off_thread(move || write(receive, part, sums)));
    let sent = pass_on(body, &send, most).await;
    drop(send);
    let written = writing.await.map_err(std::io::Error::from).map_err(WriteError::from)?;
    // If the disk failed, that is why nothing more could be passed on.
    let written = written?;
    sent.map(|()| written)
}

fn write(
    mut frames: mpsc::Receiver<Bytes>,
    mut part: PartFile,
    mut sums: Sums,
) -> Result<(PartFile, Summed), WriteError> {
    while let Some(bytes) = frames.blocking_recv() {
        part.write(&bytes)?;
        sums.add(&bytes);
    }
    Ok((part, sums.finish()))
}

async fn pass_on(body: Body, send: &mpsc::Sender<Bytes>, most: Option<u64>) -> Result<(), Refusal> {
    let mut stream = body.into_data_stream();
    let mut left = most.unwrap_or(u64::MAX);
    loop {
        let next = tokio::time::timeout(SILENCE, stream.next()).await.map_err(|_| silent())?;
        let Some(bytes) = next else { return Ok(()) };
        let bytes = bytes.map_err(|_| broken_off())?;
        left = left.checked_sub(bytes.len() as u64).ok_or(WriteError::TooLarge)?;
        if send.send(bytes).await.is_err() {
            return Err(broken_off());
        }
    }
}

fn silent() -> Refusal {
    let code = ErrorCode::TimedOut;
    Refusal(ApiError::new(code, "Nothing came for a minute.", "Look at the connection and send it again."))
}

fn broken_off() -> Refusal {
    let message = "The connection broke off before everything had come.";
    Refusal(ApiError::new(
        ErrorCode::BadRequest,
        message,
        "Send it again; an upload goes on where it stopped.",
    ))
}

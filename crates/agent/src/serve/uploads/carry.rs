//! Bytes on their way into an upload, and what follows when they were the last.

use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::http::{HeaderMap, header};
use proto::ErrorCode;
use proto::api::writing::Clash;

use super::words;
use crate::agent::Share;
use crate::files::upload::append::{Appending, Came};
use crate::files::upload::info::End;
use crate::files::upload::turn::Turn;
use crate::files::upload::{Upload, UploadError, off_thread};
use crate::files::write::WriteError;
use crate::files::write::publish::Expect;
use crate::files::write::sums::Checksum;
use crate::serve::error::Refusal;
use crate::serve::etag::expectation;
use crate::serve::incoming::{Cut, Poured, Sink, check_plain, pour};

/// What a request says of the bytes it brings.
pub(super) struct Coming {
    /// Where they go.
    pub(super) offset: u64,
    /// The bytes of the whole, if that was left open.
    length: Option<u64>,
    checksum: Option<Checksum>,
    /// What must be at the place, instead of what was said at the beginning.
    otherwise: Option<Expect>,
}

impl Coming {
    /// Of bytes that come with the beginning.
    pub(super) fn first(headers: &HeaderMap) -> Result<Self, Refusal> {
        check_plain(headers)?;
        Ok(Self { offset: 0, length: None, checksum: words::checksum(headers)?, otherwise: None })
    }

    /// Of bytes that come later.
    pub(super) fn next(headers: &HeaderMap) -> Result<Self, Refusal> {
        let missing = || Refusal::parameter("'Upload-Offset' says where the bytes go.");
        Ok(Self {
            offset: words::number(headers, "upload-offset")?.ok_or_else(missing)?,
            length: words::number(headers, "upload-length")?,
            otherwise: otherwise(headers)?,
            ..Self::first(headers)?
        })
    }
}

fn otherwise(headers: &HeaderMap) -> Result<Option<Expect>, Refusal> {
    let clash = words::text(headers, "lanthorn-clash")?;
    if clash.is_none() && !headers.contains_key(header::IF_MATCH) {
        return Ok(None);
    }
    let clash = clash.map_or(Ok(Clash::Ask), words::clash)?;
    expectation(headers, clash).map(Some)
}

impl Sink for Appending {
    fn take(&mut self, bytes: &[u8]) -> Result<(), WriteError> {
        self.write(bytes)
    }
}

/// Brings a body into an upload, and puts that into its place if it is whole then. Goes on to its end also when nobody
/// waits for the answer any more.
pub(super) async fn carry(
    share: &Arc<Share>,
    upload: &Arc<Upload>,
    coming: Coming,
    body: Body,
) -> Result<(), Refusal> {
    let (share, upload) = (Arc::clone(share), Arc::clone(upload));
    let carrying = tokio::spawn(async move {
        let turn = upload.take_over().await;
        bring(share, turn, coming, body).await
    });
    carrying.await.map_err(std::io::Error::from).map_err(WriteError::from)?
}

async fn bring(share: Arc<Share>, mut turn: Turn, coming: Coming, body: Body) -> Result<(), Refusal> {
    let (stop, expected) = (turn.stop.clone(), body.size_hint().exact());
    if let Some(end) = turn.end() {
        return Ok(repeated(&turn, &end, &coming, expected)?);
    }
    let Coming { offset, length, checksum, otherwise } = coming;
    let begun = {
        let share = Arc::clone(&share);
        off_thread(move || {
            if let Some(length) = length {
                turn.upload.tell_length(&share, length)?;
            }
            let appending = turn.append(&share, offset, expected, checksum)?;
            Ok((turn, appending))
        })
    };
    let (mut turn, appending) = begun.await?;
    let most = turn.room();
    let Poured { sink, taken, sent } = pour(body, appending, Some(most), &stop).await?;
    let came = match (&taken, sent) {
        (Ok(()), Ok(())) => Came::Whole,
        (Ok(()), Err(Cut::TooLong)) => Came::TooMany,
        _ => Came::Partly,
    };
    let settled = off_thread(move || {
        turn.settle(sink, came)?;
        if came == Came::Whole { turn.finish(&share, otherwise) } else { Ok(()) }
    });
    let settled = settled.await;
    taken?;
    settled?;
    Ok(sent?)
}

/// The last bytes once more, because the answer to them was lost: they are here.
fn repeated(turn: &Turn, end: &End, coming: &Coming, expected: Option<u64>) -> Result<(), UploadError> {
    let length = turn.upload.known().offset;
    match end {
        End::Failed => Err(WriteError::Gone.into()),
        _ if coming.offset == length
            || expected.and_then(|bytes| coming.offset.checked_add(bytes)) == Some(length) =>
        {
            Ok(())
        }
        _ => Err(UploadError::Offset(length)),
    }
}

/// Puts an upload into its place if it is whole.
pub(super) async fn finish(share: &Arc<Share>, upload: &Arc<Upload>) -> Result<(), Refusal> {
    let mut turn = Arc::clone(upload).take_over().await;
    let share = Arc::clone(share);
    let finished = off_thread(move || {
        turn.finish(&share, None)?;
        if turn.end() == Some(End::Failed) { Err(WriteError::Gone.into()) } else { Ok(()) }
    });
    Ok(finished.await?)
}

/// False if an upload that was just begun is of no use after this: not a byte of it is as it was meant.
pub(super) const fn can_go_on(error: &Refusal) -> bool {
    !matches!(error.0.code, ErrorCode::ChecksumMismatch | ErrorCode::TooLarge)
}

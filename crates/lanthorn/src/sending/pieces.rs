//! One large file by the tus protocol, in pieces each of which is verified. What arrived is noted, so that the same command
//! run again goes on where this one stopped.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Builder;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use proto::api::writing::{ActItem, Clash, Outcome};
use proto::{ApiError, ErrorCode, UndoToken, UploadId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::read_ahead::{Piece, ReadAhead};
use super::{Local, Sending, Sent};
use crate::client::Refused;

/// How many attempts in a row may bring nothing.
const MAX_VAIN: u32 = 6;
/// How long is waited before the second attempt; twice as long before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Of which file an unfinished upload is.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    id: UploadId,
    size: u64,
    mtime_ns: i64,
}

/// A file that is being uploaded.
struct Upload<'a> {
    sending: &'a Sending<'a>,
    local: Local,
    file: ReadAhead,
    note: PathBuf,
    id: UploadId,
    offset: u64,
}

/// Sends a file. That it fails is said of the file.
pub async fn send(sending: &Sending<'_>, local: Local) -> Result<Sent> {
    let (to, size) = (local.to.clone(), local.size);
    match whole(sending, local).await {
        Ok(sent) => Ok(sent),
        Err(error) => match error.downcast::<Refused>() {
            Ok(Refused(error)) => Ok(Sent::failed(to, error)),
            Err(error) if size > 0 && error.is::<std::io::Error>() => {
                let message = format!("It could not be read: {error:#}.");
                Ok(Sent::failed(
                    to,
                    ApiError::new(ErrorCode::ReadFailed, message, "Look at its permissions."),
                ))
            }
            Err(error) => Err(error),
        },
    }
}

async fn whole(sending: &Sending<'_>, local: Local) -> Result<Sent> {
    let mut upload = Upload::open(sending, local).await?;
    let resumed = upload.offset;
    sending.progress.advance(resumed);
    let mut vain = 0;
    let headers = loop {
        let before = upload.offset;
        match upload.next_piece().await {
            Ok(Some(headers)) => break headers,
            Ok(None) => {}
            Err(error) if is_final(&error) => {
                upload.forget_if_over(&error);
                return Err(error);
            }
            Err(error) => {
                vain = if upload.offset > before { 1 } else { vain + 1 };
                if vain > MAX_VAIN {
                    return Err(error);
                }
                sending.progress.remark(&format!("{}: {error:#}; trying again", upload.local.path.display()));
                tokio::time::sleep(FIRST_WAIT * 2_u32.pow(vain - 1)).await;
                upload.ask_offset().await?;
            }
        }
    };
    upload.done(&headers, resumed)
}

impl<'a> Upload<'a> {
    /// Goes on with an upload of this file, or begins one.
    async fn open(sending: &'a Sending<'a>, local: Local) -> Result<Self> {
        let file = Arc::new(File::open(&local.path)?);
        let target = sending.base.at(local.to.clone());
        let name = format!("{}/{}/{}\n{}", target.device, target.share, target.path, local.path.display());
        let note = sending.notes.join(format!("{}.json", blake3::hash(name.as_bytes()).to_hex()));
        let text = std::fs::read(&note).unwrap_or_default();
        let noted = serde_json::from_slice::<Note>(&text).ok();
        if let Some(noted) =
            noted.filter(|noted| (noted.size, noted.mtime_ns) == (local.size, local.mtime_ns))
        {
            let file = ReadAhead::of(Arc::clone(&file), local.size);
            let (local, note) = (local.clone(), note.clone());
            let mut upload = Self { sending, local, file, note, id: noted.id, offset: 0 };
            if upload.ask_offset().await.is_ok() {
                return Ok(upload);
            }
        }
        let id = create(sending, &local).await?;
        crate::paths::make_private(&sending.notes)?;
        let text = serde_json::to_vec(&Note { id, size: local.size, mtime_ns: local.mtime_ns })?;
        std::fs::write(&note, text)?;
        let file = ReadAhead::of(file, local.size);
        Ok(Self { sending, local, file, note, id, offset: 0 })
    }

    /// Sends the next piece. The headers of the last answer, when that was the last one.
    async fn next_piece(&mut self) -> Result<Option<HeaderMap>> {
        let offset = self.offset;
        let Piece { bytes, sum } = self.file.piece_at(offset).await?;
        let request = self
            .request(Method::PATCH)
            .header("upload-offset", offset)
            .header("upload-checksum", format!("blake3 {sum}"))
            .header(CONTENT_TYPE, "application/offset+octet-stream");
        // One that has come whole before waits for this word, if its name was taken then.
        let request = match self.sending.clash {
            Clash::Ask => request,
            _ => request.header("lanthorn-clash", self.sending.clash_word()),
        };
        let request = request.body(Full::new(bytes.clone()))?;
        let answer = self.sending.at.send(request).await?;
        self.file.take_back(bytes);
        self.offset = offset_in(&answer)?;
        self.sending.progress.advance(self.offset - offset);
        Ok((self.offset == self.local.size).then(|| answer.headers().clone()))
    }

    async fn ask_offset(&mut self) -> Result<()> {
        let answer = self.sending.at.send(self.request(Method::HEAD).body(Full::default())?).await?;
        self.offset = offset_in(&answer)?;
        anyhow::ensure!(self.offset <= self.local.size, "the upload is of another file");
        Ok(())
    }

    fn request(&self, method: Method) -> Builder {
        let url = base(self.sending, &format!("uploads/{}", self.id));
        Request::builder().method(method).uri(url).header("tus-resumable", "1.0.0")
    }

    fn done(self, headers: &HeaderMap, resumed_bytes: u64) -> Result<Sent> {
        // It is in its place: that the note stays costs nothing.
        let _ = std::fs::remove_file(&self.note);
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let outcome = text("lanthorn-outcome").unwrap_or("done");
        let outcome: Outcome =
            serde_json::from_value(outcome.into()).context("an outcome that is unknown")?;
        let path = text("lanthorn-path")
            .and_then(|path| percent_encoding::percent_decode_str(path).decode_utf8().ok()?.parse().ok());
        let undo: Option<UndoToken> = text("lanthorn-undo").and_then(|token| token.parse().ok());
        let odd = matches!(outcome, Outcome::Renamed | Outcome::Skipped);
        let items = odd.then(|| ActItem { from: self.local.to.clone(), to: path, outcome, error: None });
        let files = u64::from(outcome != Outcome::Skipped);
        Ok(Sent {
            files,
            bytes: self.local.size * files,
            resumed_bytes,
            items: items.into_iter().collect(),
            undo: undo.into_iter().collect(),
        })
    }

    /// An upload that the machine does not have any more is not asked for again.
    fn forget_if_over(&self, error: &anyhow::Error) {
        let over = [ErrorCode::Gone, ErrorCode::NotFound];
        if error.downcast_ref::<Refused>().is_some_and(|Refused(error)| over.contains(&error.code)) {
            let _ = std::fs::remove_file(&self.note);
        }
    }
}

async fn create(sending: &Sending<'_>, local: &Local) -> Result<UploadId> {
    let modified = OffsetDateTime::from_unix_timestamp_nanos(local.mtime_ns.into())?.format(&Rfc3339)?;
    let told =
        [("path", local.to.to_string()), ("modified", modified), ("clash", sending.clash_word().to_owned())];
    let metadata: Vec<String> =
        told.iter().map(|(name, value)| format!("{name} {}", STANDARD.encode(value))).collect();
    let request = Request::post(base(sending, "uploads"))
        .header("tus-resumable", "1.0.0")
        .header("upload-length", local.size)
        .header("upload-metadata", metadata.join(","))
        .body(Full::default())?;
    let answer = sending.at.send(request).await?;
    let place = answer.headers().get(LOCATION).and_then(|place| place.to_str().ok());
    let id = place.and_then(|place| place.rsplit('/').next()?.parse().ok());
    id.context("what answers is no Lanthorn of this version")
}

fn base(sending: &Sending<'_>, route: &str) -> String {
    format!("/api/v1/devices/{}/shares/{}/{route}", sending.base.device, sending.base.share)
}

fn offset_in(answer: &Response<Incoming>) -> Result<u64> {
    let offset = answer.headers().get("upload-offset").and_then(|offset| offset.to_str().ok()?.parse().ok());
    offset.context("what answers is no Lanthorn of this version")
}

/// True for what trying again will not change.
fn is_final(error: &anyhow::Error) -> bool {
    let again = [ErrorCode::OffsetConflict, ErrorCode::ChecksumMismatch, ErrorCode::DeviceFailed];
    error
        .downcast_ref::<Refused>()
        .is_some_and(|Refused(error)| error.code.exit_code() != 5 && !again.contains(&error.code))
        || error.is::<std::io::Error>()
}

//! Small files and folders, many in one request: a tar that the machine unpacks.

use anyhow::{Context, Result};
use http::Request;
use http_body_util::BodyExt;
use proto::ErrorCode;
use proto::api::writing::UnpackEvent;

use super::packing::Pack;
use super::{Local, Sending, Sent};
use crate::client::Refused;
use crate::report::failure;

/// About so many bytes go in one request …
const BATCH_BYTES: u64 = if cfg!(test) { 8 << 20 } else { 256 << 20 };
/// … and so many files at the most.
const BATCH_FILES: usize = if cfg!(test) { 2_000 } else { 50_000 };

/// Files that go together.
pub fn batches(files: Vec<Local>) -> Vec<Vec<Local>> {
    let (mut batches, mut batch, mut bytes) = (Vec::new(), Vec::new(), 0);
    for file in files {
        if batch.len() >= BATCH_FILES || (bytes + file.size > BATCH_BYTES && !batch.is_empty()) {
            batches.push(std::mem::take(&mut batch));
            bytes = 0;
        }
        bytes += file.size;
        batch.push(file);
    }
    batches.extend((!batch.is_empty()).then_some(batch));
    batches
}

/// Sends some files and folders.
pub async fn send(sending: &Sending<'_>, all: Vec<Local>) -> Result<Sent> {
    let url = sending.base.url("unpack", &[("clash", sending.clash_word())]);
    let pack = Pack::of(all, &sending.base.path, sending.progress.counts());
    let mut packing = None;
    let answer = sending.at.send_made(|| {
        let (begun, body) = pack.begin();
        packing = Some(begun);
        Ok(Request::post(&url).body(body)?)
    });
    let answer = answer.await?;
    let text = answer.into_body().collect().await.context("the answer broke off")?.to_bytes();
    let mut sent = told(&text)?;
    if let Some(packing) = packing {
        sent.items.extend(packing.unread().await?);
    }
    Ok(sent)
}

/// What the machine says of an archive.
fn told(text: &[u8]) -> Result<Sent> {
    let mut sent = Sent::default();
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line).context("what answers is no Lanthorn of this version")? {
            UnpackEvent::Item(item) => sent.items.push(item),
            UnpackEvent::Done { files, bytes, undo, .. } => {
                (sent.files, sent.bytes) = (files, bytes);
                sent.undo.extend(undo);
                return Ok(sent);
            }
            UnpackEvent::Broken { error } => return Err(Refused(error).into()),
        }
    }
    Err(failure(ErrorCode::DeviceFailed, "The answer broke off.", "Send it again with --clash skip."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(size: u64) -> Local {
        let to = "a".parse().unwrap();
        Local { path: "a".into(), to, is_folder: false, size, mtime_ns: 0 }
    }

    #[test]
    fn a_batch_is_neither_too_long_nor_too_many() {
        let lengths = |sizes: &[u64]| {
            batches(sizes.iter().map(|size| local(*size)).collect()).iter().map(Vec::len).collect::<Vec<_>>()
        };
        assert_eq!(lengths(&[]), Vec::<usize>::new());
        assert_eq!(lengths(&[1; BATCH_FILES + 1]), [BATCH_FILES, 1]);
        assert_eq!(lengths(&[BATCH_BYTES / 2, BATCH_BYTES / 2, 1]), [2, 1]);
        assert_eq!(lengths(&[BATCH_BYTES + 1, 1]), [1, 1]);
    }
}

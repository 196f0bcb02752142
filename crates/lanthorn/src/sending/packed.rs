//! Small files and folders, many in one request: a tar that the machine unpacks.

use agent::files::archive::tar;
use anyhow::{Context, Result};
use http::Request;
use http_body_util::{BodyExt, Full};
use proto::api::writing::UnpackEvent;
use proto::{ApiError, ErrorCode};

use super::{Local, Sending, Sent};
use crate::client::Refused;
use crate::report::failure;

/// About so many bytes go in one request …
const BATCH_BYTES: u64 = 8 << 20;
/// … and so many files at the most.
const BATCH_FILES: usize = 2_000;

/// Files that go together.
pub fn batches(files: Vec<Local>) -> Vec<Vec<Local>> {
    let mut batches: Vec<Vec<Local>> = Vec::new();
    let mut bytes = 0;
    for file in files {
        let full =
            batches.last().is_none_or(|batch| batch.len() >= BATCH_FILES || bytes + file.size > BATCH_BYTES);
        if full {
            batches.push(Vec::new());
            bytes = 0;
        }
        bytes += file.size;
        batches.last_mut().into_iter().for_each(|batch| batch.push(file.clone()));
    }
    batches
}

/// Sends some files or folders.
pub async fn send(sending: &Sending<'_>, all: Vec<Local>) -> Result<Sent> {
    let base = sending.base.path.clone();
    let (packed, mut sent) = tokio::task::spawn_blocking(move || pack(&base, &all)).await?;
    let url = sending.base.url("unpack", &[("clash", sending.clash_word())]);
    let bytes = packed.len() as u64;
    let answer = sending.at.send(Request::post(url).body(Full::new(packed.into()))?).await?;
    let text = answer.into_body().collect().await.context("the answer broke off")?.to_bytes();
    sending.progress.advance(sent.bytes.min(bytes));
    sent.files = 0;
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

/// A tar of these. What cannot be read is left out, and said.
fn pack(base: &proto::RelPath, all: &[Local]) -> (Vec<u8>, Sent) {
    let (mut out, mut sent) = (Vec::new(), Sent::default());
    for one in all {
        let skip = if base.is_root() { 0 } else { base.as_bytes().len() + 1 };
        let name = &one.to.as_bytes()[skip..];
        if one.is_folder {
            tar::push_folder(&mut out, name, one.mtime_ns);
            continue;
        }
        match std::fs::read(&one.path) {
            Ok(content) => {
                tar::push_file(&mut out, name, one.mtime_ns, content.len() as u64);
                out.extend_from_slice(&content);
                tar::push_padding(&mut out, content.len() as u64);
                sent.bytes += content.len() as u64;
            }
            Err(error) => {
                let message = format!("{} cannot be read: {error}.", one.path.display());
                let error = ApiError::new(ErrorCode::ReadFailed, message, "Look at its permissions.");
                sent.items.extend(Sent::failed(one.to.clone(), error).items);
            }
        }
    }
    tar::push_end(&mut out);
    (out, sent)
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

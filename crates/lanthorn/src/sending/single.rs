//! One small file in one request, checked by its BLAKE3 sum.

use anyhow::Result;
use http::Request;
use http_body_util::Full;
use proto::api::writing::{ActItem, Outcome, Written};
use proto::{ApiError, ErrorCode};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::{Local, Sending, Sent};
use crate::client::{Refused, json_in};
use crate::content;

/// Sends a file. That it fails is said of the file.
pub async fn send(sending: &Sending<'_>, local: Local) -> Result<Sent> {
    let bytes = match std::fs::read(&local.path) {
        Ok(bytes) => bytes,
        Err(error) => {
            let message = format!("{} cannot be read: {error}.", local.path.display());
            let error = ApiError::new(ErrorCode::ReadFailed, message, "Look at its permissions.");
            return Ok(Sent::failed(local.to, error));
        }
    };
    let modified = OffsetDateTime::from_unix_timestamp_nanos(local.mtime_ns.into())?.format(&Rfc3339)?;
    let place = sending.base.at(local.to.clone());
    let url = place.url("content", &[("clash", sending.clash_word()), ("modified", &modified)]);
    let (name, sum) = content::digest(&bytes)?;
    let length = bytes.len() as u64;
    let request = Request::put(url).header(name, sum).body(Full::new(bytes.into()))?;
    match sending.at.send(request).await {
        Ok(answer) => {
            sending.progress.advance(length);
            Ok(sent(json_in(answer).await?, local))
        }
        Err(error) => match error.downcast::<Refused>() {
            Ok(Refused(error)) => Ok(Sent::failed(local.to, taken(error))),
            Err(error) => Err(error),
        },
    }
}

/// That a version should be named is for programs that replace; who puts a file says what is done with `--clash`.
fn taken(error: ApiError) -> ApiError {
    if error.code != ErrorCode::PreconditionRequired {
        return error;
    }
    let hint = "Say what is done then: --clash rename, replace or skip.";
    ApiError::new(ErrorCode::Exists, "Something of that name is there already.", hint)
}

fn sent(Written { entry, outcome, undo, .. }: Written, local: Local) -> Sent {
    let odd = matches!(outcome, Outcome::Renamed | Outcome::Skipped);
    let items = odd.then_some(ActItem { from: local.to, to: Some(entry.path), outcome, error: None });
    let files = u64::from(outcome != Outcome::Skipped);
    let items = items.into_iter().collect();
    Sent { files, bytes: local.size * files, resumed_bytes: 0, items, undo: undo.into_iter().collect() }
}

//! The words of tus 1.0.0: its headers, read and written.

use std::time::SystemTime;

use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proto::api::writing::{Clash, Outcome};
use proto::{ApiError, ErrorCode, UploadId};
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::{Error, StrDeserializer};

use crate::files::upload::info::{End, Info, Place, Purpose};
use crate::files::upload::{Known, Stage};
use crate::files::write::WriteError;
use crate::files::write::sums::{Algorithm, Checksum};
use crate::serve::error::Refusal;

const VERSION: &str = "1.0.0";
const EXTENSIONS: &str =
    "creation,creation-with-upload,creation-defer-length,checksum,termination,expiration,concatenation";
const ALGORITHMS: [(&str, Algorithm); 3] =
    [("sha1", Algorithm::Sha1), ("sha256", Algorithm::Sha256), ("blake3", Algorithm::Blake3)];
/// What a body of bytes for an upload calls itself.
const BYTES: &str = "application/offset+octet-stream";

/// Every answer says which version of the protocol it speaks, and one that refuses another which it knows.
pub(super) async fn sign(mut answer: Response) -> Response {
    let version = HeaderValue::from_static(VERSION);
    if answer.status() == StatusCode::PRECONDITION_FAILED {
        answer.headers_mut().insert("tus-version", version.clone());
    }
    answer.headers_mut().insert("tus-resumable", version);
    answer
}

/// What of the protocol is spoken here.
pub(super) fn abilities() -> Response {
    let algorithms = ALGORITHMS.map(|(name, _)| name).join(",");
    let headers =
        [("tus-version", VERSION), ("tus-extension", EXTENSIONS), ("tus-checksum-algorithm", &algorithms)];
    (StatusCode::NO_CONTENT, headers).into_response()
}

/// Refuses other versions of the protocol.
pub(super) fn check_protocol(headers: &HeaderMap) -> Result<(), Refusal> {
    if headers.get("tus-resumable").is_some_and(|version| version == VERSION) {
        return Ok(());
    }
    Err(Refusal(ApiError::new(
        ErrorCode::PreconditionFailed,
        "Uploads speak tus 1.0.0 here.",
        "Send 'Tus-Resumable: 1.0.0', or send the file with one PUT to 'content'.",
    )))
}

/// Refuses bodies that do not call themselves bytes of an upload.
pub(super) fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    if is_bytes(headers) {
        return Ok(());
    }
    let hint = format!("Send it with 'Content-Type: {BYTES}'.");
    Err(Refusal(ApiError::new(ErrorCode::Unsupported, "The body is not marked as bytes of an upload.", hint)))
}

fn is_bytes(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind == BYTES)
}

/// True if a request that begins an upload brings bytes at once.
pub(super) fn has_bytes(request: &Request) -> bool {
    is_bytes(request.headers()) && request.body().size_hint().exact() != Some(0)
}

/// A header as text.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Refusal> {
    let read = |value: &'a HeaderValue| {
        value.to_str().map_err(|_| Refusal::parameter(format!("'{name}' is not plain ASCII.")))
    };
    headers.get(name).map(read).transpose()
}

/// A number of bytes: digits, and no more of them than 63 bits hold.
pub(super) fn number(headers: &HeaderMap, name: &str) -> Result<Option<u64>, Refusal> {
    let Some(text) = text(headers, name)? else { return Ok(None) };
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(Refusal::parameter(format!("'{name}' is a number of bytes.")));
    }
    match text.parse::<i64>() {
        Ok(number) => Ok(Some(number.unsigned_abs())),
        Err(_) => Err(WriteError::TooLarge.into()),
    }
}

/// The length that an upload is begun with; `None` if it is told later.
pub(super) fn length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    match (number(headers, "upload-length")?, text(headers, "upload-defer-length")?) {
        (Some(length), None) => Ok(Some(length)),
        (None, Some("1")) => Ok(None),
        _ => Err(Refusal::parameter("Say either 'Upload-Length', or 'Upload-Defer-Length: 1'.")),
    }
}

/// The checksum that was announced of a body.
pub(super) fn checksum(headers: &HeaderMap) -> Result<Option<Checksum>, Refusal> {
    let Some(text) = text(headers, "upload-checksum")? else { return Ok(None) };
    let read = || {
        let (name, digest) = text.split_once(' ')?;
        let (_, algorithm) = ALGORITHMS.iter().find(|(known, _)| *known == name)?;
        Checksum::new(*algorithm, STANDARD.decode(digest).ok()?)
    };
    let wrong = || {
        Refusal::parameter("'Upload-Checksum' is sha1, sha256 or blake3, a space, and the digest in base64.")
    };
    read().map(Some).ok_or_else(wrong)
}

/// The uploads named by `Upload-Concat: final;…`: whatever stands before their ids.
pub(super) fn pieces(concat: &str) -> Result<Vec<UploadId>, Refusal> {
    let wrong =
        || Refusal::parameter("'Upload-Concat' is 'partial', or 'final;' and the addresses of uploads.");
    let addresses = concat.strip_prefix("final;").ok_or_else(wrong)?.split_ascii_whitespace();
    let id = |address: &str| address.rsplit('/').next().and_then(|id| id.parse().ok()).ok_or_else(wrong);
    let pieces: Vec<_> = addresses.map(id).collect::<Result<_, _>>()?;
    if pieces.is_empty() { Err(wrong()) } else { Ok(pieces) }
}

/// What is done when the name is taken.
pub(super) fn clash(text: &str) -> Result<Clash, Refusal> {
    let text: StrDeserializer<'_, Error> = text.into_deserializer();
    Clash::deserialize(text).map_err(|_| Refusal::parameter("'clash' is ask, rename, replace or skip."))
}

/// Where an upload stands, and where the file went.
pub(super) fn tell(headers: &mut HeaderMap, known: &Known) {
    put(headers, "upload-offset", known.offset.to_string());
    match known.info.length {
        Some(length) => put(headers, "upload-length", length.to_string()),
        None => put(headers, "upload-defer-length", "1".into()),
    }
    match &known.stage {
        Stage::Open => {
            put(headers, "upload-expires", httpdate::fmt_http_date(SystemTime::from(known.expires())))
        }
        Stage::Ended(End::Published(place)) => tell_place(headers, place),
        Stage::Ended(_) => {}
    }
}

fn tell_place(headers: &mut HeaderMap, place: &Place) {
    let path = place.path.to_string();
    put(headers, "lanthorn-path", utf8_percent_encode(&path, NON_ALPHANUMERIC).to_string());
    put(headers, "lanthorn-version", place.version.clone());
    put(headers, "lanthorn-outcome", spelled(place.outcome));
    if let Some(undo) = place.undo {
        put(headers, "lanthorn-undo", undo.to_string());
    }
}

fn spelled(outcome: Outcome) -> String {
    serde_json::to_value(outcome).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Why a whole upload is not in its place yet.
pub(super) fn waits(headers: &mut HeaderMap, why: ErrorCode) {
    put(headers, "lanthorn-waiting", why.as_str().into());
}

/// What was said of an upload when it was begun.
pub(super) fn describe(headers: &mut HeaderMap, info: &Info) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if !info.metadata.is_empty() {
        put(headers, "upload-metadata", info.metadata.clone());
    }
    match &info.purpose {
        Purpose::File(_) => {}
        Purpose::Piece => put(headers, "upload-concat", "partial".into()),
        Purpose::Joined(_, pieces) => {
            let pieces: Vec<_> = pieces.iter().map(|id| format!("uploads/{id}")).collect();
            put(headers, "upload-concat", format!("final;{}", pieces.join(" ")));
        }
    }
}

/// All values are ASCII by their making.
fn put(headers: &mut HeaderMap, name: &'static str, value: String) {
    if let Ok(value) = HeaderValue::from_str(&value) {
        headers.insert(HeaderName::from_static(name), value);
    }
}

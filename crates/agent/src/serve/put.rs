//! The door for one file in one request: `PUT …/content`.

use std::sync::Arc;

use axum::Json;
use axum::body::HttpBody;
use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::api::files::moment;
use proto::api::writing::{Clash, MAX_EDIT_BYTES, Outcome, PutQuery, Written};
use proto::{ApiError, PrincipalId, RelPath};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::CanWrite;
use super::error::Refusal;
use super::etag::expectation;
use super::incoming::{Summed, Sums, receive};
use super::params::Params;
use crate::agent::{Agent, Share};
use crate::files::write::{WriteError, off_thread};
use crate::files::write::part::{PartFile, Sealed};
use crate::files::write::publish::{self, Expect, Published, hex};
use crate::files::{FilesError, entry, undo};
use crate::share::Node;

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new().routes(routes!(put))
}

/// A file's content: the whole of it, in one request. It is in its place when the answer comes, and durable.
/// `Repr-Digest` (RFC 9530; `sha-256` or `blake3`) is checked before.
#[utoipa::path(
    put, path = "/agent/v1/shares/{share}/content", tag = "writing",
    params(
        ("share" = String, Path, description = "The share"), PutQuery,
        ("If-Match" = Option<String>, Header, description = "the version to replace, or \"sha256:…\" of its content"),
        ("If-None-Match" = Option<String>, Header, description = "`*`: only where nothing is"),
        ("Repr-Digest" = Option<String>, Header, description = "what the content must hash to"),
    ),
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 201, body = Written), (status = 200, body = Written),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn put(
    CanWrite { share, by }: CanWrite,
    Params(query): Params<PutQuery>,
    request: Request,
) -> Result<Response, Refusal> {
    let path: RelPath = query.path.parse()?;
    let modified = moment("modified", query.modified.as_deref()).map_err(Refusal::parameter)?;
    let expect = expectation(request.headers(), query.clash)?;
    let wanted = Digests::wanted(request.headers())?;
    let body = request.into_body();
    let length = body.size_hint().exact();
    let part = {
        let (share, path, expect, parents) = (Arc::clone(&share), path.clone(), expect.clone(), query.parents);
        off_thread(move || begin(&share, &path, &expect, parents, length)).await?
    };
    let (part, sums) = receive(body, part, wanted.sums(length), length).await?;
    wanted.check(&sums)?;
    let modified = modified.and_then(|time| i64::try_from(time.unix_timestamp_nanos()).ok());
    let written = off_thread(move || {
        let sealed = part.seal(modified)?;
        finish(&share, &sealed, &path, &expect, by, sums)
    });
    let written = written.await?;
    let status = if written.outcome == Outcome::Replaced { StatusCode::OK } else { StatusCode::CREATED };
    let etag = format!("\"{}\"", written.entry.version);
    Ok((status, [(header::ETAG, etag)], Json(written)).into_response())
}

/// Refuses at once what could only fail when everything has come.
fn begin(
    share: &Share,
    path: &RelPath,
    expect: &Expect,
    parents: bool,
    length: Option<u64>,
) -> Result<PartFile, WriteError> {
    let parent = path.parent().ok_or(FilesError::IsFolder)?;
    if parents {
        share.root.make_folders(&parent)?;
    }
    match share.root.spot(path)?.stat() {
        Ok(there) if there.node == Node::Folder => return Err(FilesError::IsFolder.into()),
        Ok(_) if *expect == Expect::Clash(Clash::Ask) => return Err(WriteError::Unconditional),
        Ok(_) if *expect == Expect::Absent => return Err(WriteError::Exists),
        Ok(_) | Err(FilesError::NotFound) => {}
        Err(error) => return Err(error.into()),
    }
    PartFile::create(&share.store, length)
}

fn finish(
    share: &Arc<Share>,
    sealed: &Sealed,
    path: &RelPath,
    expect: &Expect,
    by: PrincipalId,
    sums: Summed,
) -> Result<Written, WriteError> {
    let published = publish::publish(share, sealed.content(), path, expect, by);
    let published = match published {
        // Something came while this was on its way.
        Err(WriteError::Exists) if *expect == Expect::Clash(Clash::Ask) => Err(WriteError::Unconditional),
        published => published,
    }?;
    let undo = undo::of_written(share, &published, by)?;
    let Published { path, stat, outcome, .. } = published;
    let sha256 = sums.sha256.map(|sum| hex(&sum));
    Ok(Written { entry: entry::of(path, &stat, false), outcome, sha256, undo })
}

/// What the content must hash to.
#[derive(Default)]
struct Digests {
    sha256: Option<Vec<u8>>,
    blake3: Option<Vec<u8>>,
}

impl Digests {
    /// Reads `Repr-Digest: sha-256=:base64:, blake3=:base64:`. Algorithms that are not known say nothing.
    fn wanted(headers: &HeaderMap) -> Result<Self, Refusal> {
        let mut wanted = Self::default();
        for value in headers.get_all("repr-digest") {
            for item in value.to_str().unwrap_or_default().split(',') {
                let Some((name, sum)) = item.trim().split_once('=') else { return Err(bad_digest()) };
                let sum = sum.strip_prefix(':').and_then(|sum| sum.strip_suffix(':')).ok_or_else(bad_digest)?;
                let sum = STANDARD.decode(sum).map_err(|_| bad_digest())?;
                match name {
                    "sha-256" => wanted.sha256 = Some(sum),
                    "blake3" => wanted.blake3 = Some(sum),
                    _ => {}
                }
            }
        }
        Ok(wanted)
    }

    /// What is to be computed: what is to be compared, and of what can be edited its SHA-256 for the next `If-Match`.
    fn sums(&self, length: Option<u64>) -> Sums {
        let editable = length.is_some_and(|length| length <= MAX_EDIT_BYTES);
        Sums::of(editable || self.sha256.is_some(), self.blake3.is_some())
    }

    fn check(&self, sums: &Summed) -> Result<(), WriteError> {
        let fits = |wanted: &Option<Vec<u8>>, found: &Option<Vec<u8>>| wanted.is_none() || wanted == found;
        let same = fits(&self.sha256, &sums.sha256) && fits(&self.blake3, &sums.blake3);
        if same { Ok(()) } else { Err(WriteError::Checksum) }
    }
}

fn bad_digest() -> Refusal {
    Refusal::parameter("'Repr-Digest' is written as sha-256=:base64: (RFC 9530).")
}

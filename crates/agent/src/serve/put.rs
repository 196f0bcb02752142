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
use tokio_util::sync::CancellationToken;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::CanWrite;
use super::error::Refusal;
use super::etag::expectation;
use super::incoming::{check_plain, pour};
use super::params::Params;
use crate::agent::{Agent, Share};
use crate::files::write::part::{PartFile, Sealed};
use crate::files::write::publish::{self, Expect, Published, hex};
use crate::files::write::sums::{Algorithm, Checksum, Summed, Sums};
use crate::files::write::{WriteError, off_thread};
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
    check_plain(request.headers())?;
    let wanted = digests(request.headers())?;
    let body = request.into_body();
    let length = body.size_hint().exact();
    let part = {
        let (share, path, expect, parents) =
            (Arc::clone(&share), path.clone(), expect.clone(), query.parents);
        off_thread(move || begin(&share, &path, &expect, parents, length)).await?
    };
    let sink = (part, sums(&wanted, length));
    let (part, sums) = pour(body, sink, length, &CancellationToken::new()).await?.whole()?;
    let sums = sums.finish();
    sums.check(&wanted)?;
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
        Ok(there) => publish::check(share, path, expect, &there)?,
        Err(FilesError::NotFound) => publish::check_gone(path, expect)?,
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
    let undo = undo::of_written(share, &published, by);
    let Published { path, stat, outcome, .. } = published;
    let sha256 = sums.get(Algorithm::Sha256).map(hex);
    Ok(Written { entry: entry::of(path, &stat, false), outcome, sha256, undo })
}

/// What the content must hash to: `Repr-Digest: sha-256=:base64:, blake3=:base64:`. Algorithms that are not known say nothing.
fn digests(headers: &HeaderMap) -> Result<Vec<Checksum>, Refusal> {
    let mut wanted = Vec::new();
    for value in headers.get_all("repr-digest") {
        for item in value.to_str().unwrap_or_default().split(',') {
            wanted.extend(digest(item.trim())?);
        }
    }
    Ok(wanted)
}

fn digest(item: &str) -> Result<Option<Checksum>, Refusal> {
    let (name, sum) = item.split_once('=').ok_or_else(bad_digest)?;
    let sum = sum.strip_prefix(':').and_then(|sum| sum.strip_suffix(':')).ok_or_else(bad_digest)?;
    let sum = STANDARD.decode(sum).map_err(|_| bad_digest())?;
    let algorithm = match name {
        "sha-256" => Algorithm::Sha256,
        "blake3" => Algorithm::Blake3,
        _ => return Ok(None),
    };
    Checksum::new(algorithm, sum).map(Some).ok_or_else(bad_digest)
}

/// What is to be computed: what is to be compared, and of what can be edited its SHA-256 for the next `If-Match`.
fn sums(wanted: &[Checksum], length: Option<u64>) -> Sums {
    let editable = length.is_some_and(|length| length <= MAX_EDIT_BYTES).then_some(Algorithm::Sha256);
    Sums::of(wanted.iter().map(|checksum| checksum.algorithm).chain(editable))
}

fn bad_digest() -> Refusal {
    Refusal::parameter("'Repr-Digest' is written as sha-256=:base64: (RFC 9530).")
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::{Method, StatusCode};
    use bytes::Bytes;
    use proto::ErrorCode;
    use proto::api::files::Listing;
    use proto::api::writing::{Outcome, Versions, Written};

    use crate::testing::{Announced, World};

    #[tokio::test]
    async fn a_file_is_put_looked_at_changed_and_brought_back() {
        let world = World::new();
        let made = world.put("path=d/a.txt", &[], "one").await;
        assert_eq!(made.code(), ErrorCode::NotFound, "no folder is made unasked");
        let made = world.put("path=d/a.txt&parents=true&modified=2001-02-03T04:05:06Z", &[], "one").await;
        assert_eq!(made.status, StatusCode::CREATED);
        let etag = made.header("etag").to_owned();
        let made: Written = made.json();
        assert_eq!((made.outcome, made.entry.size), (Outcome::Done, 3));
        // echo -n one | sha256sum
        let hash = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed";
        assert_eq!(made.sha256.as_deref(), Some(hash));
        assert_eq!(made.entry.modified.unwrap().year(), 2001);
        let seen = world.get("stream?path=d/a.txt").await;
        assert_eq!((seen.header("etag"), &seen.body[..]), (&*etag, &b"one"[..]));
        assert_eq!(world.put("path=d/a.txt", &[], "x").await.code(), ErrorCode::PreconditionRequired);
        let none = [("if-none-match", "*")];
        assert_eq!(world.put("path=d/a.txt", &none, "x").await.code(), ErrorCode::Exists);
        let changed = world.put("path=d/a.txt", &[("if-match", &etag)], "two").await;
        assert_eq!(changed.status, StatusCode::OK);
        assert!(changed.json::<Written>().undo.is_some());
        let late = world.put("path=d/a.txt", &[("if-match", &etag)], "three").await;
        assert_eq!((late.status, late.code()), (StatusCode::CONFLICT, ErrorCode::Conflict));
        let told = serde_json::from_slice::<proto::ApiError>(&late.body).unwrap().conflict.unwrap();
        assert_eq!(told.changed_by, Some(world.last_but_one()));
        assert_eq!(world.get(&told.content).await.body, "two");
        let versions: Versions = world.get("versions?path=d/a.txt").await.json();
        let id = versions.versions[0].id;
        assert_eq!(world.get(&format!("versions/content?path=d/a.txt&id={id}")).await.body, "one");
        let wish = format!(r#"{{"path":"d/a.txt","id":"{id}"}}"#);
        let back = world.request(Method::POST, "versions/restore").body(Body::from(wish)).unwrap();
        assert_eq!(world.send(back).await.json::<Written>().outcome, Outcome::Replaced);
        assert_eq!(world.get("stream?path=d/a.txt").await.body, "one");
        let versions: Versions = world.get("versions?path=d/a.txt").await.json();
        assert_eq!(versions.versions.len(), 2);
    }

    #[tokio::test]
    async fn what_does_not_come_whole_changes_nothing() {
        let world = World::new();
        world.write("a", b"old");
        let broken = || {
            let frames = [Ok(Bytes::from_static(b"new")), Err(std::io::Error::other("gone"))];
            Body::from_stream(futures_util::stream::iter(frames))
        };
        let replace = "path=a&clash=replace";
        assert_eq!(world.put(replace, &[], broken()).await.code(), ErrorCode::BadRequest);
        assert_eq!(world.put("path=new", &[], broken()).await.code(), ErrorCode::BadRequest);
        let wrong = [("repr-digest", "sha-256=:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=:")];
        assert_eq!(world.put(replace, &wrong, "new").await.code(), ErrorCode::ChecksumMismatch);
        for digest in ["sha-256=AAAA", "nonsense", "sha-256=:*:", "sha-256=:AAAA:"] {
            let refused = world.put(replace, &[("repr-digest", digest)], "new").await;
            assert_eq!(refused.code(), ErrorCode::BadParameter, "{digest}");
        }
        // echo -n new | openssl dgst -sha256 -binary | base64
        let right = [("repr-digest", "sha-256=:EVB6Di9eadXfpApiob17buV+a82FxnybhDGzb/8hxDc=:, other=:AA==:")];
        assert_eq!(world.get("stream?path=a").await.body, "old");
        let listing: Listing = world.get("list").await.json();
        assert_eq!(listing.total, 1, "nothing that is on its way is seen");
        assert_eq!(std::fs::read_dir(world.path(".lanthorn-store/parts")).unwrap().count(), 0);
        assert_eq!(world.put(replace, &right, "new").await.status, StatusCode::OK);
        assert_eq!(world.get("stream?path=a").await.body, "new");
    }

    #[tokio::test]
    async fn what_can_only_fail_is_refused_before_it_comes() {
        let world = World::new();
        world.write("there", b"there");
        let endless = |length| {
            let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
            Body::new(Announced { body, length })
        };
        assert_eq!(world.put("path=a", &[], endless(1 << 60)).await.code(), ErrorCode::NoSpace);
        let seen = [("if-match", "\"of-another-time\"")];
        for path in ["there", "gone"] {
            let late = world.put(&format!("path={path}"), &seen, endless(1)).await;
            assert_eq!(late.code(), ErrorCode::Conflict, "{path}");
        }
    }
}

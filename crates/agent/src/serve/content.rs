//! Content of one file as an HTTP answer: conditions, ranges, headers. The bytes themselves are the room's.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use httpdate::HttpDate;
use peer::sendfile::Lane;
use proto::{ApiError, ErrorCode, RelPath};

use super::disposition;
use super::error::Refusal;
use crate::agent::Share;
use crate::files::range::{self, Wanted};
use crate::files::read::{self, FileBody, Part};
use crate::files::{FilesError, entry, kind, off_thread};
use crate::share::{OpenFile, Stat};

/// How often a small file that changes while it is read is read again.
const REREADS: usize = 3;
/// A time of change this fresh may still be shared by two versions: it is no proof of sameness.
const FRESH: Duration = Duration::from_secs(2);
/// What content may do if it is opened as a page: show itself, and nothing else. It has no origin and no scripts.
const SANDBOX: &str = "sandbox; default-src 'none'; img-src 'self' data:; media-src 'self' data:; \
    style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'";
/// Browsers show no PDF in a sandbox. Their viewers run no script with the page's rights.
const PDF_POLICY: &str = "default-src 'none'; object-src 'self'; style-src 'unsafe-inline'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'self'";

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
/// Room for the headers of an answer, those of the layers around included: a table that grows is built anew.
const HEADERS: usize = 20;
/// Room for an entity tag.
const ETAG_BYTES: usize = 56;

/// What the caller wants a file for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// To show it in place.
    Show,
    /// To save a copy.
    Save,
}

/// The answer to a request for a file.
///
/// # Errors
/// What the gate says, and conditions and ranges that do not hold.
pub async fn answer(
    share: Arc<Share>,
    path: RelPath,
    purpose: Purpose,
    request: &Parts,
) -> Result<Response, Refusal> {
    for _ in 0..REREADS {
        let open = open(&share, &path).await?;
        let about = About::new(&path, &open, purpose);
        match about.answer(open, request).await {
            Err(FilesError::Changed) => {}
            Err(error) => return Err(error.into()),
            Ok(answer) => return answer,
        }
    }
    Err(FilesError::Changed.into())
}

/// The answer to a request for a file that is open already and that nobody changes.
///
/// # Errors
/// Conditions and ranges that do not hold, and the disk's.
pub async fn answer_open(
    path: &RelPath,
    open: OpenFile,
    purpose: Purpose,
    request: &Parts,
) -> Result<Response, Refusal> {
    About::new(path, &open, purpose).answer(open, request).await?
}

/// Opens at once what the kernel has at hand, and on the blocking pool what it must look up on disk.
async fn open(share: &Arc<Share>, path: &RelPath) -> Result<OpenFile, FilesError> {
    if let Some(open) = share.root.open_file_cached(path)? {
        return Ok(open);
    }
    let (share, path) = (Arc::clone(share), path.clone());
    off_thread(move || share.root.open_file(&path)).await
}

/// What is known of a file before a byte is read.
struct About {
    size: u64,
    etag: String,
    modified: Option<SystemTime>,
    media_type: Cow<'static, str>,
    disposition: HeaderValue,
}

impl About {
    fn new(path: &RelPath, open: &OpenFile, purpose: Purpose) -> Self {
        let name = path.name().unwrap_or_default();
        let how = if purpose == Purpose::Save { "attachment" } else { "inline" };
        let modified = u64::try_from(open.stat.mtime_ns / 1_000_000_000).ok();
        Self {
            size: open.stat.size,
            etag: etag(&open.stat),
            modified: modified.map(|seconds| UNIX_EPOCH + Duration::from_secs(seconds)),
            media_type: media_type(name),
            disposition: disposition::header(how, name),
        }
    }

    async fn answer(&self, open: OpenFile, request: &Parts) -> Result<Result<Response, Refusal>, FilesError> {
        match self.condition(&request.headers) {
            Some(StatusCode::NOT_MODIFIED) => {
                return Ok(Ok(self.head(StatusCode::NOT_MODIFIED, None, Body::empty())));
            }
            Some(_) => return Ok(Err(Refusal(changed_since()))),
            None => {}
        }
        let wanted = match request.headers.get(header::RANGE).and_then(|value| value.to_str().ok()) {
            Some(ranges) if request.method == Method::GET && self.is_range_for_this(&request.headers) => {
                range::parse(ranges, self.size)
            }
            _ => Wanted::Whole,
        };
        let lane = request.extensions.get::<Lane>().cloned();
        Ok(Ok(match wanted {
            Wanted::Nothing => self.nothing(),
            Wanted::Whole if request.method == Method::HEAD => {
                self.head(StatusCode::OK, Some(self.size), Body::empty())
            }
            Wanted::Whole => {
                let body = content(open, 0..self.size, lane).await?;
                self.head(StatusCode::OK, Some(self.size), body)
            }
            Wanted::Spans(spans) => match <[Range<u64>; 1]>::try_from(spans) {
                Ok([span]) => self.single(open, span, lane).await?,
                Err(spans) => self.multipart(open, &spans, lane),
            },
        }))
    }

    async fn single(
        &self,
        open: OpenFile,
        span: Range<u64>,
        lane: Option<Lane>,
    ) -> Result<Response, FilesError> {
        let (len, content_range) = (span.end - span.start, content_range(&span, self.size));
        let mut answer = self.head(StatusCode::PARTIAL_CONTENT, Some(len), content(open, span, lane).await?);
        insert(&mut answer, header::CONTENT_RANGE, content_range);
        Ok(answer)
    }

    fn multipart(&self, open: OpenFile, spans: &[Range<u64>], lane: Option<Lane>) -> Response {
        let boundary = uuid::Uuid::now_v7().simple().to_string();
        let mut parts = Vec::with_capacity(spans.len() * 2 + 1);
        for span in spans {
            let (media_type, range) = (&self.media_type, content_range(span, self.size));
            parts.push(Part::Text(Bytes::from(format!(
                "\r\n--{boundary}\r\nContent-Type: {media_type}\r\nContent-Range: {range}\r\n\r\n"
            ))));
            parts.push(Part::Span(span.clone()));
        }
        parts.push(Part::Text(Bytes::from(format!("\r\n--{boundary}--\r\n"))));
        let body = FileBody::new(open, parts, lane);
        let len = http_body::Body::size_hint(&body).exact();
        let mut answer = self.head(StatusCode::PARTIAL_CONTENT, len, Body::new(body));
        insert(&mut answer, header::CONTENT_TYPE, format!("multipart/byteranges; boundary={boundary}"));
        answer
    }

    fn nothing(&self) -> Response {
        let refusal = Refusal(ApiError::new(
            ErrorCode::RangeNotSatisfiable,
            "The file ends before the range that was asked for.",
            "Ask for the file's size first.",
        ));
        let mut answer = refusal.into_response();
        insert(&mut answer, header::CONTENT_RANGE, format!("bytes */{}", self.size));
        insert(&mut answer, header::ACCEPT_RANGES, "bytes");
        answer
    }

    /// An answer with all that is said of a file whatever part of it is sent.
    fn head(&self, status: StatusCode, len: Option<u64>, body: Body) -> Response {
        let mut answer = Response::new(body);
        *answer.status_mut() = status;
        answer.headers_mut().reserve(HEADERS);
        insert(&mut answer, header::ETAG, &*self.etag);
        if let Some(modified) = self.modified {
            insert(&mut answer, header::LAST_MODIFIED, HttpDate::from(modified).to_string());
        }
        let headers = answer.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if let Some(len) = len {
            headers.insert(header::CONTENT_LENGTH, len.into());
            headers.insert(header::CONTENT_DISPOSITION, self.disposition.clone());
            for (name, value) in guards(&self.media_type) {
                headers.insert(name, value);
            }
            match &self.media_type {
                Cow::Borrowed(text) => {
                    drop(headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(text)))
                }
                Cow::Owned(text) => insert(&mut answer, header::CONTENT_TYPE, text.as_str()),
            }
        }
        answer
    }

    /// What the conditions of a request come to (RFC 9110, section 13.2.2): `None` to go on.
    fn condition(&self, headers: &HeaderMap) -> Option<StatusCode> {
        let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let date = |name| text(name).and_then(|text| httpdate::parse_http_date(text).ok()).zip(self.modified);
        let failed = match text(header::IF_MATCH) {
            Some(list) => !names(list, &self.etag, false),
            None => date(header::IF_UNMODIFIED_SINCE).is_some_and(|(then, modified)| modified > then),
        };
        if failed {
            return Some(StatusCode::PRECONDITION_FAILED);
        }
        let known = match text(header::IF_NONE_MATCH) {
            Some(list) => names(list, &self.etag, true),
            None => date(header::IF_MODIFIED_SINCE).is_some_and(|(then, modified)| modified <= then),
        };
        known.then_some(StatusCode::NOT_MODIFIED)
    }

    /// False if `If-Range` names another version: then the whole file is sent.
    fn is_range_for_this(&self, headers: &HeaderMap) -> bool {
        let Some(condition) = headers.get(header::IF_RANGE) else { return true };
        let Ok(text) = condition.to_str() else { return false };
        if text.contains('"') {
            return text.trim() == self.etag;
        }
        let settled = |modified: &SystemTime| modified.elapsed().is_ok_and(|age| age > FRESH);
        httpdate::parse_http_date(text).is_ok_and(|date| self.modified.filter(settled) == Some(date))
    }
}

async fn content(open: OpenFile, span: Range<u64>, lane: Option<Lane>) -> Result<Body, FilesError> {
    if span.end - span.start <= read::SMALL {
        return Ok(Body::from(read::small(open, span).await?));
    }
    Ok(Body::new(FileBody::new(open, vec![Part::Span(span)], lane)))
}

/// The version of a file as an entity tag.
fn etag(stat: &Stat) -> String {
    use std::fmt::Write;
    let mut text = String::with_capacity(ETAG_BYTES);
    // Writing to a String cannot fail.
    let _ = write!(text, "\"{}\"", entry::Version(stat));
    text
}

/// True if a list of entity tags names this one. A weak tag counts only where `weak` comparison is meant.
fn names(list: &str, etag: &str, weak: bool) -> bool {
    list.split(',').map(str::trim).any(|tag| {
        let tag = if weak { tag.strip_prefix("W/").unwrap_or(tag) } else { tag };
        tag == "*" || tag == etag
    })
}

fn changed_since() -> ApiError {
    ApiError::new(
        ErrorCode::PreconditionFailed,
        "The file is not the version that was asked for.",
        "Look at the file again and ask for the version it has now.",
    )
}

fn content_range(span: &Range<u64>, size: u64) -> String {
    format!("bytes {}-{}/{size}", span.start, span.end - 1)
}

/// What keeps a file's content from acting with the rights of the page it is shown by.
pub fn guards(media_type: &str) -> [(HeaderName, HeaderValue); 3] {
    let policy = if media_type == "application/pdf" { PDF_POLICY } else { SANDBOX };
    [
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (RESOURCE_POLICY, HeaderValue::from_static("same-origin")),
    ]
}

fn insert(answer: &mut Response, name: HeaderName, value: impl TryInto<HeaderValue>) {
    if let Ok(value) = value.try_into() {
        answer.headers_mut().insert(name, value);
    }
}

/// What a file's content is, by the ending of its name.
fn media_type(name: &[u8]) -> Cow<'static, str> {
    use proto::api::files::Kind;
    let ending = name.rsplit(|b| *b == b'.').next().and_then(|ending| std::str::from_utf8(ending).ok());
    let guess = mime_guess::from_ext(ending.filter(|e| e.len() < name.len()).unwrap_or_default()).first_raw();
    match (guess, kind::of_name(name)) {
        (Some(text), _) if text.starts_with("text/") => format!("{text}; charset=utf-8").into(),
        // What the table takes for films (`.ts`) or for nothing is source code to us.
        (Some("video/vnd.dlna.mpeg-tts") | None, Kind::Code | Kind::Text) => {
            "text/plain; charset=utf-8".into()
        }
        (Some(other), _) => other.into(),
        (None, _) => "application/octet-stream".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Answer, World};
    use axum::http::Request;
    use http_body_util::BodyExt;
    use proptest::prelude::*;
    use tower::ServiceExt;

    fn pattern(len: usize) -> Vec<u8> {
        (0..len).map(|i| u8::try_from(i * 7 % 251).unwrap()).collect()
    }

    fn world_with(name: &str, content: &[u8]) -> World {
        let world = World::new();
        world.write(name, content);
        world
    }

    async fn head(world: &World, tail: &str) -> Answer {
        world.send(world.request(Method::HEAD, tail).body(Body::empty()).unwrap()).await
    }

    #[tokio::test]
    async fn a_file_comes_whole_with_all_that_is_said_of_it() {
        for len in [0, 1, 10_000, 65_536, 65_537, 300_000, 3 << 20, 40_000, 5] {
            let content = pattern(len);
            let world = world_with("d/a.txt", &content);
            let answer = world.get("stream?path=d/a.txt").await;
            assert_eq!((answer.status, answer.failed), (StatusCode::OK, false));
            assert!(answer.body == content, "{len}");
            let entry: proto::api::files::Entry = world.get("stat?path=d/a.txt").await.json();
            for (name, value) in [
                ("etag", format!("\"{}\"", entry.version).as_str()),
                ("content-length", &len.to_string()),
                ("content-type", "text/plain; charset=utf-8"),
                ("content-disposition", "inline; filename=\"a.txt\""),
                ("accept-ranges", "bytes"),
                ("cache-control", "private, no-cache"),
                ("x-content-type-options", "nosniff"),
                ("cross-origin-resource-policy", "same-origin"),
                ("content-security-policy", SANDBOX),
            ] {
                assert_eq!(answer.header(name), value, "{name}");
            }
            let head = head(&world, "stream?path=d/a.txt").await;
            assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
            for name in ["etag", "content-length", "content-type", "last-modified", "accept-ranges"] {
                assert_eq!(head.header(name), answer.header(name), "{name}");
            }
        }
    }

    #[tokio::test]
    async fn ranges_are_cut_exactly() {
        let content = pattern(300_000);
        let world = world_with("f.bin", &content);
        for (range, expected) in [
            ("bytes=0-0", 0..1),
            ("bytes=-10", 299_990..300_000),
            ("bytes=299999-", 299_999..300_000),
            ("bytes=100-250000", 100..250_001),
            ("bytes=5-10,8-20", 5..21),
        ] {
            let answer = world.get_with("stream?path=f.bin", &[("range", range)]).await;
            assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT, "{range}");
            let said = format!("bytes {}-{}/300000", expected.start, expected.end - 1);
            assert_eq!(answer.header("content-range"), said);
            assert!(answer.body == content[expected], "{range}");
        }
        let none = world.get_with("stream?path=f.bin", &[("range", "bytes=300000-")]).await;
        assert_eq!(none.code(), ErrorCode::RangeNotSatisfiable);
        assert_eq!(none.header("content-range"), "bytes */300000");
        let many = format!("bytes={}", (0..10_000).map(|n| format!("{n}-{n}")).collect::<Vec<_>>().join(","));
        let whole = world.get_with("stream?path=f.bin", &[("range", &many)]).await;
        assert_eq!((whole.status, whole.body.len()), (StatusCode::OK, 300_000));
    }

    /// Reads `multipart/byteranges` as a stranger would.
    fn parts_of(answer: &Answer) -> Vec<(String, Vec<u8>)> {
        let (_, boundary) = answer.header("content-type").split_once("boundary=").unwrap();
        let text: String = answer.body.iter().map(|b| char::from(*b)).collect();
        let mut parts: Vec<_> = text.split(&format!("\r\n--{boundary}")).skip(1).collect();
        assert_eq!(parts.pop(), Some("--\r\n"));
        let part = |part: &str| {
            let (head, body) = part.split_once("\r\n\r\n").unwrap();
            let (_, range) = head.split_once("Content-Range: ").unwrap();
            (range.to_owned(), body.chars().map(|c| u8::try_from(c).unwrap()).collect())
        };
        parts.into_iter().map(part).collect()
    }

    #[tokio::test]
    async fn several_ranges_come_as_parts() {
        let content = pattern(300_000);
        let world = world_with("f.bin", &content);
        let answer = world.get_with("stream?path=f.bin", &[("range", "bytes=-5,0-9,100000-250000")]).await;
        assert_eq!(answer.status, StatusCode::PARTIAL_CONTENT);
        assert_eq!(answer.header("content-length"), answer.body.len().to_string());
        let expected = [299_995..300_000, 0..10, 100_000..250_001].map(|span: Range<usize>| {
            (format!("bytes {}-{}/300000", span.start, span.end - 1), content[span].to_vec())
        });
        assert!(parts_of(&answer) == expected);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_ranges_are_what_the_parser_says(size in 1usize..80_000, raw in prop::collection::vec((0u64..90_000, 0u64..50_000), 1..5)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let content = pattern(size);
            let world = world_with("f", &content);
            let list: Vec<_> = raw.iter().map(|(first, more)| format!("{first}-{}", first + more)).collect();
            let ranges = format!("bytes={}", list.join(","));
            let answer = runtime.block_on(world.get_with("stream?path=f", &[("range", &ranges)]));
            let cut = |span: &Range<u64>| &content[usize::try_from(span.start).unwrap()..usize::try_from(span.end).unwrap()];
            match range::parse(&ranges, size as u64) {
                Wanted::Nothing => prop_assert_eq!(answer.code(), ErrorCode::RangeNotSatisfiable),
                Wanted::Whole => prop_assert!(answer.body == content),
                Wanted::Spans(spans) if spans.len() == 1 => prop_assert!(answer.body == cut(&spans[0])),
                Wanted::Spans(spans) => {
                    for ((said, body), span) in parts_of(&answer).iter().zip(&spans) {
                        prop_assert_eq!(said, &content_range(span, size as u64));
                        prop_assert!(body == cut(span));
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn conditions_decide_as_the_standard_says() {
        let world = world_with("f.bin", &pattern(100));
        let long_ago = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        std::fs::File::options()
            .write(true)
            .open(world.path("f.bin"))
            .unwrap()
            .set_modified(long_ago)
            .unwrap();
        let plain = world.get("stream?path=f.bin").await;
        let (etag, date) = (plain.header("etag").to_owned(), plain.header("last-modified").to_owned());
        assert_eq!(date, "Tue, 14 Nov 2023 22:13:20 GMT");
        let (weak, list) = (format!("W/{etag}"), format!("\"x\", {etag}"));
        let (before, after) = ("Mon, 13 Nov 2023 00:00:00 GMT", "Wed, 15 Nov 2023 00:00:00 GMT");
        for (headers, status) in [
            (vec![("if-none-match", etag.as_str())], 304),
            (vec![("if-none-match", &weak)], 304),
            (vec![("if-none-match", &list)], 304),
            (vec![("if-none-match", "*")], 304),
            (vec![("if-none-match", "\"x\"")], 200),
            (vec![("if-none-match", "\"x\""), ("if-modified-since", after)], 200),
            (vec![("if-modified-since", &date)], 304),
            (vec![("if-modified-since", before)], 200),
            (vec![("if-modified-since", "nonsense")], 200),
            (vec![("if-match", &etag)], 200),
            (vec![("if-match", "*")], 200),
            (vec![("if-match", &weak)], 412),
            (vec![("if-match", "\"x\"")], 412),
            (vec![("if-unmodified-since", before)], 412),
            (vec![("if-unmodified-since", &date)], 200),
            (vec![("range", "bytes=0-1"), ("if-range", &etag)], 206),
            (vec![("range", "bytes=0-1"), ("if-range", &weak)], 200),
            (vec![("range", "bytes=0-1"), ("if-range", "\"x\"")], 200),
            (vec![("range", "bytes=0-1"), ("if-range", &date)], 206),
            (vec![("range", "bytes=0-1"), ("if-range", before)], 200),
            (vec![("range", "bytes=0-1"), ("if-none-match", &etag)], 304),
        ] {
            let answer = world.get_with("stream?path=f.bin", &headers).await;
            assert_eq!(answer.status.as_u16(), status, "{headers:?}");
            if status == 304 {
                assert_eq!((answer.header("etag"), answer.body.len()), (etag.as_str(), 0));
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_changes_midway_breaks_the_answer() {
        type Change = fn(&std::path::Path);
        let changes: [(&str, Change); 3] = [
            ("cut", |path| {
                std::fs::File::options().write(true).open(path).unwrap().set_len(200_000).unwrap()
            }),
            ("grown", |path| {
                std::fs::File::options().append(true).open(path).unwrap().set_len(9 << 20).unwrap()
            }),
            ("rewritten", |path| {
                let file = std::fs::File::options().write(true).open(path).unwrap();
                std::os::unix::fs::FileExt::write_at(&file, b"other", 4 << 20).unwrap();
                file.set_modified(UNIX_EPOCH).unwrap();
            }),
        ];
        for lane in [None, Some(Lane::default())] {
            for (what, change) in changes {
                let world = world_with("f.bin", &pattern(8 << 20));
                let mut request: Request<Body> =
                    world.request(Method::GET, "stream?path=f.bin").body(Body::empty()).unwrap();
                if let Some(lane) = &lane {
                    request.extensions_mut().insert(lane.clone());
                }
                let mut body = world.router().oneshot(request).await.unwrap().into_body();
                body.frame().await.unwrap().unwrap();
                change(&world.path("f.bin"));
                assert!(body.collect().await.is_err(), "{what}");
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_is_replaced_midway_is_sent_as_it_was() {
        let content = pattern(4 << 20);
        let world = world_with("f.bin", &content);
        let request = world.request(Method::GET, "stream?path=f.bin").body(Body::empty()).unwrap();
        let mut body = world.router().oneshot(request).await.unwrap().into_body();
        let mut got = body.frame().await.unwrap().unwrap().into_data().unwrap().to_vec();
        world.write("new.bin", b"another file");
        std::fs::rename(world.path("new.bin"), world.path("f.bin")).unwrap();
        got.extend_from_slice(&body.collect().await.unwrap().to_bytes());
        assert!(got == content);
    }

    #[tokio::test]
    async fn windows_of_a_lane_stand_for_every_byte() {
        let world = world_with("f.bin", &pattern(5 << 20));
        let mut request: Request<Body> =
            world.request(Method::GET, "stream?path=f.bin").body(Body::empty()).unwrap();
        request.extensions_mut().insert(Lane::default());
        let answer = world.send(request).await;
        assert_eq!((answer.body.len(), answer.failed), (5 << 20, false));
    }

    #[tokio::test]
    async fn types_and_names_are_told_safely() {
        let world = World::new();
        for (name, media_type) in [
            ("page.html", "text/html; charset=utf-8"),
            ("drawing.svg", "image/svg+xml"),
            ("book.pdf", "application/pdf"),
            ("code.ts", "text/plain; charset=utf-8"),
            ("film.mp4", "video/mp4"),
            ("html", "application/octet-stream"),
            ("no.known-ending", "application/octet-stream"),
        ] {
            world.write(name, b"x");
            let answer = world.get(&format!("download?path={name}")).await;
            assert_eq!(answer.header("content-type"), media_type);
            assert_eq!(answer.header("content-disposition"), format!("attachment; filename=\"{name}\""));
            let policy = answer.header("content-security-policy");
            assert!(policy.contains("default-src 'none'") && !policy.contains("script"), "{policy}");
            assert_eq!(policy.starts_with("sandbox;"), media_type != "application/pdf");
        }
    }

    #[tokio::test]
    async fn a_name_that_is_not_utf8_is_reached_by_its_escaped_text() {
        use std::os::unix::ffi::OsStrExt;
        let world = World::new();
        std::fs::write(world.path("").join(std::ffi::OsStr::from_bytes(b"latin\xe9.txt")), b"odd").unwrap();
        let page: proto::api::files::Listing = world.get("list").await.json();
        assert_eq!(page.entries[0].name, "latin\\xe9.txt");
        let answer = world.get("stream?path=latin%5Cxe9.txt").await;
        assert_eq!((answer.status, &answer.body[..]), (StatusCode::OK, &b"odd"[..]));
    }
}

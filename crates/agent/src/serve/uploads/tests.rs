//! Uploads as other programs see them: over the router, with the protocol's own headers.

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt;
use proto::ErrorCode;
use proto::api::writing::Uploads;
use ring::digest;
use tokio::sync::mpsc;

use crate::testing::{Answer, Person, World};

const BYTES: (&str, &str) = ("content-type", "application/offset+octet-stream");

impl Person<'_> {
    async fn create(&self, headers: &[(&str, &str)]) -> Answer {
        self.ask(Method::POST, "uploads", headers, "").await
    }

    /// Begins an upload of so many bytes; where it goes on.
    async fn begin(&self, length: usize, said: &[(&str, &str)]) -> String {
        let answer = self
            .create(&[("upload-length", &length.to_string()), ("upload-metadata", &metadata(said))])
            .await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.body);
        answer.header("location").to_owned()
    }

    async fn patch(
        &self,
        at: &str,
        offset: usize,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let offset = offset.to_string();
        let headers = [headers, &[BYTES, ("upload-offset", &offset)]].concat();
        self.ask(Method::PATCH, at, &headers, body).await
    }

    async fn offset(&self, at: &str) -> String {
        let answer = self.ask(Method::HEAD, at, &[], "").await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(answer.header("cache-control"), "no-store");
        answer.header("upload-offset").to_owned()
    }

    async fn list(&self) -> Uploads {
        self.ask(Method::GET, "uploads", &[], "").await.json()
    }
}

fn metadata(said: &[(&str, &str)]) -> String {
    let pairs: Vec<_> = said.iter().map(|(key, value)| format!("{key} {}", STANDARD.encode(value))).collect();
    pairs.join(",")
}

/// A body that comes as it is sent, and whose length nobody is told.
fn body_of(frames: Vec<&'static str>) -> Body {
    Body::from_stream(futures_util::stream::iter(frames).map(Ok::<_, std::io::Error>))
}

/// A body that hangs after these bytes for as long as the sender is kept.
fn hanging(first: &'static str) -> (mpsc::Sender<&'static str>, Body) {
    let (send, receive) = mpsc::channel(4);
    send.try_send(first).unwrap();
    let stream = futures_util::stream::unfold(receive, |mut receive| async {
        receive.recv().await.map(|frame| (Ok::<_, std::io::Error>(Bytes::from(frame)), receive))
    });
    (send, Body::from_stream(stream))
}

fn sum(name: &str, bytes: &[u8]) -> String {
    let digest = match name {
        "sha1" => digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref().to_vec(),
        "sha256" => digest::digest(&digest::SHA256, bytes).as_ref().to_vec(),
        _ => blake3::hash(bytes).as_bytes().to_vec(),
    };
    format!("{name} {}", STANDARD.encode(digest))
}

#[tokio::test]
async fn a_version_that_is_not_there_any_more_is_told_at_the_beginning() {
    let world = World::new();
    world.write("there", b"old");
    let me = Person::new(&world);
    for path in ["there", "gone"] {
        let said = metadata(&[("path", path), ("if_match", "of-another-time")]);
        let refused = me.create(&[("upload-length", "3"), ("upload-metadata", &said)]).await;
        assert_eq!(refused.code(), ErrorCode::Conflict, "{path}");
    }
    assert!(me.list().await.uploads.is_empty());
    let version = me.get("stat?path=there").await.json::<proto::api::files::Entry>().version;
    me.begin(3, &[("path", "there"), ("if_match", &version)]).await;
}

#[tokio::test]
async fn a_file_comes_in_pieces_and_is_told_of_again() {
    let world = World::new();
    let ann = Person::new(&world);
    let said = [("path", "new/folder/a.txt"), ("modified", "1700000000123")];
    let at = ann.begin(6, &said).await;
    let answer = ann.patch(&at, 0, &[], "abc").await;
    assert_eq!((answer.status, answer.header("upload-offset")), (StatusCode::NO_CONTENT, "3"));
    assert_ne!(answer.header("upload-expires"), "");
    assert!(!world.path("new").exists(), "not even its folder is seen before");
    let answer = ann.ask(Method::HEAD, &at, &[], "").await;
    assert_eq!((answer.header("upload-length"), answer.header("upload-metadata")), ("6", &*metadata(&said)));
    let listed = ann.list().await.uploads;
    assert_eq!((listed.len(), listed[0].offset, listed[0].path.to_string()), (1, 3, said[0].1.into()));

    let last = ann.patch(&at, 3, &[], "def").await;
    assert_eq!((last.status, last.header("upload-offset")), (StatusCode::NO_CONTENT, "6"));
    assert_eq!(
        (last.header("lanthorn-path"), last.header("lanthorn-outcome")),
        ("new%2Ffolder%2Fa%2Etxt", "done")
    );
    assert_eq!(std::fs::read(world.path("new/folder/a.txt")).unwrap(), b"abcdef");
    let modified = world.path("new/folder/a.txt").metadata().unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_millis(), 1_700_000_000_123);
    assert!(ann.list().await.uploads.is_empty());
    // The answers may have been lost.
    for _ in 0..2 {
        assert_eq!(ann.offset(&at).await, "6");
        let again = ann.patch(&at, 3, &[], "def").await;
        assert_eq!(
            (again.status, again.header("lanthorn-version")),
            (last.status, last.header("lanthorn-version"))
        );
        assert_eq!(ann.patch(&at, 2, &[], "xx").await.code(), ErrorCode::OffsetConflict);
        world.restart();
    }
    let left = std::fs::read_dir(world.path(".lanthorn-store/parts")).unwrap().count();
    assert_eq!(left, 0, "no part is left");
}

#[tokio::test]
async fn lengths_and_offsets_that_are_none_are_refused() {
    let world = World::new();
    let ann = Person::new(&world);
    let said = metadata(&[("path", "a")]);
    for (length, code) in [
        ("-1", ErrorCode::BadParameter),
        ("1e3", ErrorCode::BadParameter),
        ("", ErrorCode::BadParameter),
        ("0x10", ErrorCode::BadParameter),
        ("1.0", ErrorCode::BadParameter),
        (" 1 2", ErrorCode::BadParameter),
        ("9223372036854775808", ErrorCode::TooLarge),
        ("18446744073709551616", ErrorCode::TooLarge),
        ("9223372036854775807", ErrorCode::NoSpace),
        ("1000000000000000", ErrorCode::NoSpace),
    ] {
        let answer = ann.create(&[("upload-length", length), ("upload-metadata", &said)]).await;
        assert_eq!(answer.code(), code, "{length:?}");
    }
    assert_eq!(ann.create(&[("upload-metadata", &said)]).await.code(), ErrorCode::BadParameter);
    let both = [("upload-length", "1"), ("upload-defer-length", "1"), ("upload-metadata", &said)];
    assert_eq!(ann.create(&both).await.code(), ErrorCode::BadParameter);
    assert!(ann.list().await.uploads.is_empty());

    let at = ann.begin(6, &[("path", "a")]).await;
    ann.patch(&at, 0, &[], "ab").await;
    for (offset, code) in [
        ("0", ErrorCode::OffsetConflict),
        ("1", ErrorCode::OffsetConflict),
        ("3", ErrorCode::OffsetConflict),
        ("6", ErrorCode::OffsetConflict),
        ("9223372036854775807", ErrorCode::OffsetConflict),
        ("18446744073709551616", ErrorCode::TooLarge),
        ("-1", ErrorCode::BadParameter),
        ("0x2", ErrorCode::BadParameter),
        ("", ErrorCode::BadParameter),
    ] {
        let answer = ann.ask(Method::PATCH, &at, &[BYTES, ("upload-offset", offset)], "xx").await;
        assert_eq!(
            (answer.code(), answer.header("upload-offset")),
            (code, if code == ErrorCode::OffsetConflict { "2" } else { answer.header("upload-offset") }),
            "{offset}"
        );
    }
    ann.patch(&at, 2, &[], "cdef").await;
    assert_eq!(std::fs::read(world.path("a")).unwrap(), b"abcdef");
}

#[tokio::test]
async fn no_byte_goes_beyond_the_length() {
    let world = World::new();
    let ann = Person::new(&world);
    let at = ann.begin(4, &[("path", "a")]).await;
    ann.patch(&at, 0, &[], "a").await;
    for body in [Body::from("bcdX"), body_of(vec!["bc", "dX"]), body_of(vec!["bcd", "X", "Y"])] {
        assert_eq!(ann.patch(&at, 1, &[], body).await.code(), ErrorCode::TooLarge);
        assert_eq!(ann.offset(&at).await, "1");
    }
    let body = body_of(vec!["b", "cd"]);
    assert_eq!(ann.patch(&at, 1, &[], body).await.status, StatusCode::NO_CONTENT);
    assert_eq!(std::fs::read(world.path("a")).unwrap(), b"abcd");
}

#[tokio::test]
async fn checksums_decide_whether_bytes_are_kept() {
    let world = World::new();
    let ann = Person::new(&world);
    let at = ann.begin(9, &[("path", "a")]).await;
    for (n, name) in ["sha1", "sha256", "blake3"].into_iter().enumerate() {
        let (offset, wrong, right) = (n * 3, sum(name, b"abd"), sum(name, b"abc"));
        let cut = [&right[..right.len() - 4], "md5 AAAA", "sha256", "sha256 !", "", &right.replace(' ', "")];
        for bad in cut {
            let answer = ann.patch(&at, offset, &[("upload-checksum", bad)], "abc").await;
            assert_eq!(answer.code(), ErrorCode::BadParameter, "{bad}");
        }
        let answer = ann.patch(&at, offset, &[("upload-checksum", &wrong)], "abc").await;
        assert_eq!((answer.code(), answer.status.as_u16()), (ErrorCode::ChecksumMismatch, 460));
        assert_eq!(ann.offset(&at).await, offset.to_string());
        // Half of what was announced is nothing.
        let answer = ann.patch(&at, offset, &[("upload-checksum", &right)], "ab").await;
        assert_eq!(answer.code(), ErrorCode::ChecksumMismatch);
        world.restart();
        let answer = ann.patch(&at, offset, &[("upload-checksum", &right)], "abc").await;
        assert_eq!(answer.status, StatusCode::NO_CONTENT, "{:?}", answer.body);
    }
    assert_eq!(std::fs::read(world.path("a")).unwrap(), b"abcabcabc");
}

#[tokio::test]
async fn the_whole_is_what_was_announced_or_nothing() {
    let world = World::new();
    let ann = Person::new(&world);
    world.write("a", b"before");
    let hex =
        |bytes: &[u8]| crate::files::write::publish::hex(digest::digest(&digest::SHA256, bytes).as_ref());
    for (wanted, restart) in [("abcdef", false), ("abcdef", true), ("abcdeX", false), ("abcdeX", true)] {
        let at =
            ann.begin(6, &[("path", "a"), ("clash", "replace"), ("sha256", &hex(wanted.as_bytes()))]).await;
        ann.patch(&at, 0, &[], "abc").await;
        if restart {
            world.restart();
        }
        let before = std::fs::read(world.path("a")).unwrap();
        let answer = ann.patch(&at, 3, &[], "def").await;
        if wanted == "abcdef" {
            assert_eq!(
                (answer.status, answer.header("lanthorn-outcome")),
                (StatusCode::NO_CONTENT, "replaced")
            );
            assert_eq!(std::fs::read(world.path("a")).unwrap(), b"abcdef");
            continue;
        }
        assert_eq!(answer.code(), ErrorCode::ChecksumMismatch);
        assert_eq!(std::fs::read(world.path("a")).unwrap(), before);
        for _ in 0..2 {
            let head = ann.ask(Method::HEAD, &at, &[], "").await;
            assert_eq!((head.status, head.header("upload-offset")), (StatusCode::GONE, ""));
            assert_eq!(ann.patch(&at, 6, &[], "").await.code(), ErrorCode::Gone);
            world.restart();
        }
    }
}

#[tokio::test]
async fn others_know_nothing_of_an_upload() {
    let world = World::new();
    let (ann, bob) = (Person::new(&world), Person::new(&world));
    let at = ann.begin(3, &[("path", "a")]).await;
    for at in [at.as_str(), "uploads/x", "uploads/00000000-0000-7000-8000-000000000000"] {
        assert_eq!(bob.ask(Method::HEAD, at, &[], "").await.status, StatusCode::NOT_FOUND);
        assert_eq!(bob.patch(at, 0, &[], "xyz").await.code(), ErrorCode::NotFound);
        assert_eq!(bob.ask(Method::DELETE, at, &[], "").await.code(), ErrorCode::NotFound);
    }
    let join = format!("final;{at}");
    let answer =
        bob.create(&[("upload-concat", &join), ("upload-metadata", &metadata(&[("path", "b")]))]).await;
    assert_eq!(answer.code(), ErrorCode::NotFound);
    assert!(bob.list().await.uploads.is_empty());
    assert_eq!(ann.patch(&at, 0, &[], "abc").await.status, StatusCode::NO_CONTENT);
}

#[tokio::test]
async fn a_name_that_is_taken_waits_for_a_word() {
    let world = World::new();
    let ann = Person::new(&world);
    for (n, (clash, outcome, name, content)) in [
        ("rename", "renamed", "a0 (1)", "new"),
        ("replace", "replaced", "a1", "new"),
        ("skip", "skipped", "a2", "old"),
    ]
    .into_iter()
    .enumerate()
    {
        let path = format!("a{n}");
        world.write(&path, b"old");
        let at = ann.begin(3, &[("path", &path)]).await;
        let answer = ann.patch(&at, 0, &[], "new").await;
        assert_eq!((answer.code(), answer.header("upload-offset")), (ErrorCode::Exists, "3"));
        let head = ann.ask(Method::HEAD, &at, &[], "").await;
        assert_eq!((head.header("upload-offset"), head.header("lanthorn-waiting")), ("3", "EXISTS"));
        assert_eq!(ann.list().await.uploads[0].offset, 3);
        world.restart();
        assert_eq!(
            ann.patch(&at, 3, &[("lanthorn-clash", "perhaps")], "").await.code(),
            ErrorCode::BadParameter
        );
        assert_eq!(ann.patch(&at, 3, &[("if-match", "\"other\"")], "").await.code(), ErrorCode::Conflict);
        assert_eq!(std::fs::read(world.path(&path)).unwrap(), b"old");
        let answer = ann.patch(&at, 3, &[("lanthorn-clash", clash)], "").await;
        assert_eq!((answer.status, answer.header("lanthorn-outcome")), (StatusCode::NO_CONTENT, outcome));
        assert_eq!(std::fs::read(world.path(name)).unwrap(), content.as_bytes());
        assert!(ann.list().await.uploads.is_empty());
    }
}

#[tokio::test]
async fn nobody_waits_for_a_connection_that_hangs() {
    let world = World::new();
    let ann = Person::new(&world);
    for (checksum, kept) in [(None, "3"), (Some(sum("sha256", b"abcdef")), "0")] {
        let at = ann.begin(6, &[("path", kept)]).await;
        let (keep, body) = hanging("abc");
        let headers: Vec<_> = checksum.iter().map(|sum| ("upload-checksum", sum.as_str())).collect();
        let patch = ann.patch(&at, 0, &headers, body);
        let head = async {
            // The hanging request has taken its turn when it has taken its bytes.
            while keep.capacity() < keep.max_capacity() {
                tokio::task::yield_now().await;
            }
            ann.offset(&at).await
        };
        let (patched, offset) = tokio::join!(patch, head);
        assert_eq!((patched.code(), &*offset), (ErrorCode::OffsetConflict, kept));
        let rest = if kept == "0" { "abcdef" } else { "def" };
        let offset = offset.parse().unwrap();
        assert_eq!(ann.patch(&at, offset, &headers[..0], rest).await.status, StatusCode::NO_CONTENT);
        assert_eq!(std::fs::read(world.path(kept)).unwrap(), b"abcdef");
    }
}

#[tokio::test]
async fn a_connection_that_breaks_off_loses_only_what_was_announced_with_a_checksum() {
    let world = World::new();
    let ann = Person::new(&world);
    for (checksum, kept) in [(None, "3"), (Some(sum("sha256", b"abcdef")), "0")] {
        let at = ann.begin(6, &[("path", "a")]).await;
        let frames = vec![Ok("abc"), Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))];
        let headers: Vec<_> = checksum.iter().map(|sum| ("upload-checksum", sum.as_str())).collect();
        let body = Body::from_stream(futures_util::stream::iter(frames));
        assert_eq!(ann.patch(&at, 0, &headers, body).await.code(), ErrorCode::BadRequest);
        assert_eq!(ann.offset(&at).await, kept);
        world.restart();
        assert_eq!(ann.offset(&at).await, kept);
    }
}

#[tokio::test]
async fn pieces_that_came_beside_each_other_become_one_file() {
    let world = World::new();
    let ann = Person::new(&world);
    let mut pieces = Vec::new();
    for content in ["abc", "def", ""] {
        let length = content.len().to_string();
        let answer = ann.create(&[("upload-concat", "partial"), ("upload-length", &length)]).await;
        pieces.push(answer.header("location").to_owned());
    }
    let said = metadata(&[("path", "joined")]);
    let address = |at: &String| format!("https://attic/api/v1/devices/x/shares/y/{at}");
    let join = format!("final;{}", pieces.iter().map(address).collect::<Vec<_>>().join(" "));
    let headers = [("upload-concat", join.as_str()), ("upload-metadata", &said)];
    assert_eq!(ann.create(&headers).await.code(), ErrorCode::Conflict, "they are not whole");
    for (at, content) in pieces.iter().zip(["abc", "def"]) {
        ann.patch(at, 0, &[], content).await;
    }
    assert_eq!(ann.ask(Method::HEAD, &pieces[0], &[], "").await.header("upload-concat"), "partial");
    let answer = ann.create(&headers).await;
    assert_eq!(
        (answer.status, answer.header("upload-offset")),
        (StatusCode::CREATED, "6"),
        "{:?}",
        answer.body
    );
    assert_eq!(std::fs::read(world.path("joined")).unwrap(), b"abcdef");
    let at = answer.header("location");
    assert!(ann.ask(Method::HEAD, at, &[], "").await.header("upload-concat").starts_with("final;uploads/"));
    let again = ann.create(&headers).await;
    assert_eq!(
        (again.status, again.header("location")),
        (StatusCode::CREATED, at),
        "the answer may have been lost"
    );
    for wrong in ["final", "final;", "final;x", "half"] {
        let answer = ann.create(&[("upload-concat", wrong), ("upload-metadata", &said)]).await;
        assert_eq!(answer.code(), ErrorCode::BadParameter, "{wrong}");
    }
}

#[tokio::test]
async fn the_length_can_be_told_later_and_only_once() {
    let world = World::new();
    let ann = Person::new(&world);
    let said = metadata(&[("path", "a")]);
    let answer = ann.create(&[("upload-defer-length", "1"), ("upload-metadata", &said)]).await;
    let at = answer.header("location").to_owned();
    ann.patch(&at, 0, &[], "abc").await;
    assert_eq!(ann.ask(Method::HEAD, &at, &[], "").await.header("upload-defer-length"), "1");
    assert_eq!(ann.patch(&at, 3, &[("upload-length", "2")], "").await.code(), ErrorCode::BadParameter);
    ann.patch(&at, 3, &[("upload-length", "6")], "d").await;
    world.restart();
    assert_eq!(ann.patch(&at, 4, &[("upload-length", "7")], "ef").await.code(), ErrorCode::BadParameter);
    assert_eq!(ann.patch(&at, 4, &[], "ef").await.header("lanthorn-outcome"), "done");
    assert_eq!(std::fs::read(world.path("a")).unwrap(), b"abcdef");
}

#[tokio::test]
async fn bytes_can_come_with_the_beginning_and_there_can_be_none() {
    let world = World::new();
    let ann = Person::new(&world);
    let create = async |path: &str, headers: &[(&str, &str)], body: &'static str| {
        let said = metadata(&[("path", path)]);
        let headers = [headers, &[("upload-metadata", said.as_str())]].concat();
        ann.ask(Method::POST, "uploads", &headers, body).await
    };
    let answer = create("whole", &[BYTES, ("upload-length", "3")], "abc").await;
    assert_eq!((answer.status, answer.header("lanthorn-outcome")), (StatusCode::CREATED, "done"));
    let answer = create("empty", &[("upload-length", "0")], "").await;
    assert_eq!((answer.status, answer.header("lanthorn-outcome")), (StatusCode::CREATED, "done"));
    assert_eq!(std::fs::read(world.path("empty")).unwrap(), b"");
    let part = create("half", &[BYTES, ("upload-length", "6")], "abc").await;
    assert_eq!((part.status, part.header("upload-offset")), (StatusCode::CREATED, "3"));
    ann.patch(part.header("location"), 3, &[], "def").await;
    assert_eq!(std::fs::read(world.path("half")).unwrap(), b"abcdef");
    // Nothing is left of what could not be as it was meant.
    assert_eq!(create("x", &[BYTES, ("upload-length", "2")], "abc").await.code(), ErrorCode::TooLarge);
    let sum = sum("sha1", b"abd");
    let answer = create("x", &[BYTES, ("upload-length", "3"), ("upload-checksum", &sum)], "abc").await;
    assert_eq!((answer.code(), answer.header("location")), (ErrorCode::ChecksumMismatch, ""));
    assert!(ann.list().await.uploads.is_empty());
    let answer = create("whole", &[BYTES, ("upload-length", "3")], "new").await;
    assert_eq!((answer.code(), answer.header("upload-offset")), (ErrorCode::Exists, "3"));
    assert_eq!(ann.offset(answer.header("location")).await, "3");
}

#[tokio::test]
async fn what_is_given_up_is_gone_and_frees_its_place_among_the_many() {
    let world = World::new();
    let (ann, bob) = (Person::new(&world), Person::new(&world));
    let mut begun = Vec::new();
    for n in 0..20 {
        begun.push(ann.begin(1, &[("path", &n.to_string())]).await);
    }
    let headers = [("upload-length", "1"), ("upload-metadata", &*metadata(&[("path", "x")]))];
    assert_eq!(ann.create(&headers).await.code(), ErrorCode::TooMany);
    assert_eq!(bob.create(&headers).await.status, StatusCode::CREATED, "each has their own");
    let answer = ann.ask(Method::DELETE, &begun[0], &[], "").await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT);
    assert_eq!(ann.patch(&begun[0], 0, &[], "a").await.code(), ErrorCode::NotFound);
    assert_eq!(ann.create(&headers).await.status, StatusCode::CREATED);
    world.restart();
    assert_eq!(ann.create(&headers).await.code(), ErrorCode::TooMany);
}

#[tokio::test]
async fn names_are_taken_from_whatever_uploaders_call_them() {
    let world = World::new();
    let ann = Person::new(&world);
    world.write("folder/there", b"");
    world.write("file", b"");
    for (said, path) in [
        (&[("path", "a/b.txt")][..], "a/b.txt"),
        (&[("filename", "b.txt"), ("filetype", "text/plain")], "b.txt"),
        (&[("filename", "b"), ("folder", "c/d")], "c/d/b"),
        (&[("name", "n"), ("relativePath", "null"), ("type", "")], "n"),
        (&[("filename", "n"), ("relativePath", "top/inner/n"), ("folder", "f")], "f/top/inner/n"),
        (&[("filename", "a\\b")], "a\\x5cb"),
    ] {
        ann.begin(1, said).await;
        assert_eq!(ann.list().await.uploads.last().unwrap().path.to_string(), path);
    }
    for (said, code) in [
        (&[][..], ErrorCode::BadParameter),
        (&[("folder", "x")], ErrorCode::BadParameter),
        (&[("path", "../x")], ErrorCode::BadPath),
        (&[("path", "/x")], ErrorCode::BadPath),
        (&[("path", "a\\b")], ErrorCode::BadPath),
        (&[("path", ".lanthorn-store/x")], ErrorCode::BadPath),
        (&[("filename", "../x")], ErrorCode::BadPath),
        (&[("filename", "..")], ErrorCode::BadPath),
        (&[("filename", "a\0b")], ErrorCode::BadPath),
        (&[("relativePath", "a/../b")], ErrorCode::BadPath),
        (&[("relativePath", "/etc/passwd")], ErrorCode::BadPath),
        (&[("relativePath", ".LANTHORN-store/trash/x")], ErrorCode::BadPath),
        (&[("path", "con.txt")], ErrorCode::BadName),
        (&[("path", "file/x")], ErrorCode::NotFolder),
        (&[("path", "folder"), ("clash", "replace")], ErrorCode::IsFolder),
        (&[("path", "a"), ("clash", "perhaps")], ErrorCode::BadParameter),
        (&[("path", "a"), ("sha256", "abc")], ErrorCode::BadParameter),
        (&[("path", "a"), ("modified", "yesterday")], ErrorCode::BadParameter),
    ] {
        let answer = ann.create(&[("upload-length", "1"), ("upload-metadata", &metadata(said))]).await;
        assert_eq!(answer.code(), code, "{said:?}");
    }
    for broken in ["path", "path !", "path YQ==,path Yg=="] {
        let answer = ann.create(&[("upload-length", "1"), ("upload-metadata", broken)]).await;
        assert_eq!(answer.code(), ErrorCode::BadParameter, "{broken}");
    }
    let long = "n".repeat(256);
    let answer =
        ann.create(&[("upload-length", "1"), ("upload-metadata", &metadata(&[("filename", &long)]))]).await;
    assert_eq!(answer.code(), ErrorCode::BadPath);
}

#[tokio::test]
async fn the_protocol_is_said_and_kept_to() {
    let world = World::new();
    let ann = Person::new(&world);
    let answer = ann.ask(Method::OPTIONS, "uploads", &[], "").await;
    assert_eq!((answer.status, answer.header("tus-version")), (StatusCode::NO_CONTENT, "1.0.0"));
    for word in [
        "creation-with-upload",
        "creation-defer-length",
        "checksum",
        "termination",
        "expiration",
        "concatenation",
    ] {
        assert!(answer.header("tus-extension").split(',').any(|extension| extension == word), "{word}");
    }
    assert_eq!(answer.header("tus-checksum-algorithm"), "sha1,sha256,blake3");
    let at = ann.begin(3, &[("path", "a")]).await;
    for (method, tail) in
        [(Method::POST, "uploads"), (Method::HEAD, &*at), (Method::PATCH, &at), (Method::DELETE, &at)]
    {
        let mut request = ann.request(method, tail, &[], Body::empty());
        request.headers_mut().insert("tus-resumable", "0.2.2".parse().unwrap());
        let answer = world.send(request).await;
        assert_eq!((answer.status, answer.header("tus-version")), (StatusCode::PRECONDITION_FAILED, "1.0.0"));
    }
    let answer = ann.ask(Method::PATCH, &at, &[("upload-offset", "0")], "abc").await;
    assert_eq!(answer.code(), ErrorCode::Unsupported);
    assert_eq!(
        ann.patch(&at, 0, &[("content-encoding", "gzip")], "abc").await.code(),
        ErrorCode::Unsupported
    );
    assert_eq!(ann.offset(&at).await, "0");
}

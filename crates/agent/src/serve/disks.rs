//! The doors on disks that are full, read-only, or unlike others; and what is too long, too many or elsewhere reserved.

use std::path::{Path, PathBuf};

use axum::body::{Body, Bytes};
use axum::http::{Method, StatusCode};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::ErrorCode;
use proto::api::files::Listing;
use proto::api::writing::{ActItem, Acted, Outcome, Trash, UnpackEvent, Uploads, Versions, Written};
use serde_json::json;

use crate::mounts::Mounts;
use crate::testing::{Announced, Answer, Person, World};

const MIB: usize = 1 << 20;

/// So many bytes, without a word of how many.
fn endless(mebibytes: usize) -> Body {
    let piece = Bytes::from(vec![7_u8; MIB]);
    let pieces = std::iter::repeat_n(piece, mebibytes).map(Ok::<_, std::io::Error>);
    Body::from_stream(futures_util::stream::iter(pieces))
}

/// A body that says it had so many bytes, and never sends one.
fn announced(length: u64) -> Body {
    let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
    Body::new(Announced { body, length })
}

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &content[..]).unwrap();
    }
    archive.into_inner().unwrap()
}

/// What became of an archive: what was told of single items, and of the whole.
fn unpacked(answer: &Answer) -> (Vec<ActItem>, UnpackEvent) {
    assert_eq!(answer.status, StatusCode::OK, "{:?}", answer.body);
    let lines = answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let mut events: Vec<UnpackEvent> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
    let end = events.pop().unwrap();
    let items = events.into_iter().map(|event| match event {
        UnpackEvent::Item(item) => item,
        other => panic!("{other:?}"),
    });
    (items.collect(), end)
}

fn codes(acted: &Acted) -> Vec<Option<ErrorCode>> {
    acted.items.iter().map(|item| item.error.as_ref().map(|error| error.code)).collect()
}

fn parts(world: &World) -> Vec<PathBuf> {
    let parts = std::fs::read_dir(world.path(".lanthorn-store/parts"));
    parts.map(|all| all.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

fn free(folder: &Path) -> u64 {
    let disk = rustix::fs::statvfs(folder).unwrap();
    disk.f_bavail * disk.f_frsize
}

impl Person<'_> {
    async fn create_at(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        let metadata = format!("path {},clash {}", STANDARD.encode(path), STANDARD.encode("replace"));
        let headers = [headers, &[("upload-metadata", &metadata)]].concat();
        self.ask(Method::POST, "uploads", &headers, "").await
    }

    async fn send_on(&self, at: &str, offset: &str, body: impl Into<Body>) -> Answer {
        let headers = [("content-type", "application/offset+octet-stream"), ("upload-offset", offset)];
        self.ask(Method::PATCH, at, &headers, body).await
    }

    async fn reads(&self, path: &str, content: &str) {
        assert_eq!(self.get(&format!("stream?path={path}")).await.body, content, "{path}");
    }
}

#[tokio::test]
async fn a_disk_that_fills_up() {
    let Some(mounts) = Mounts::own("serve::disks::a_disk_that_fills_up") else { return };
    let world = World::on(|folder| mounts.memory(folder, "size=40m"));
    let me = Person::new(&world);
    me.put("path=a", "old").await.json::<Written>();
    let empty = free(&world.path(""));

    // In one request: before the first byte where the size is known, else in the middle.
    assert_eq!(me.put("path=a&clash=replace", announced(100 << 20)).await.code(), ErrorCode::NoSpace);
    for query in ["path=a&clash=replace", "path=new"] {
        assert_eq!(me.put(query, endless(64)).await.code(), ErrorCode::NoSpace, "{query}");
    }
    assert_eq!(parts(&world), Vec::<PathBuf>::new());
    assert_eq!(free(&world.path("")), empty);

    // An upload keeps what came, and goes on or is given up.
    assert_eq!(me.create_at("a", &[("upload-length", "100000000")]).await.code(), ErrorCode::NoSpace);
    let begun = me.create_at("a", &[("upload-defer-length", "1")]).await;
    let at = begun.header("location");
    let full = me.send_on(at, "0", endless(64)).await;
    assert_eq!(full.code(), ErrorCode::NoSpace);
    let stands = me.ask(Method::HEAD, at, &[], "").await;
    assert_eq!(stands.header("upload-offset"), full.header("upload-offset"));
    assert!(stands.header("upload-offset").parse::<u64>().unwrap() > 8 << 20);
    assert_eq!(me.ask(Method::DELETE, at, &[], "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(free(&world.path("")), empty);
    me.reads("a", "old").await;
    assert!(me.get("versions?path=a").await.json::<Versions>().versions.is_empty());
}

#[tokio::test]
async fn what_finds_room_comes_and_the_rest_is_told() {
    let Some(mounts) = Mounts::own("serve::disks::what_finds_room_comes_and_the_rest_is_told") else {
        return;
    };
    let world = World::on(|folder| mounts.memory(folder, "size=41100k"));
    let me = Person::new(&world);
    let mut files: Vec<_> = (0..160).map(|n| (format!("many/{n}"), vec![n as u8; MIB / 2])).collect();
    files.push(("last".into(), b"last".to_vec()));
    let answer = me.ask(Method::POST, "unpack?path=", &[], archive(&files)).await;
    let (failed, end) = unpacked(&answer);
    let UnpackEvent::Done { files: came, .. } = end else { panic!("{end:?}") };
    assert!(failed.iter().all(|item| item.error.as_ref().unwrap().code == ErrorCode::NoSpace));
    assert_eq!((came + failed.len() as u64, failed.len() > 50), (161, true), "{came}");
    let told = |name: &str| failed.iter().any(|item| item.from.to_string() == name);
    for (name, content) in &files {
        let there = std::fs::read(world.path(name)).ok();
        assert_eq!(there.as_ref(), Some(content).filter(|_| !told(name)), "{name}");
    }
    assert_eq!(parts(&world), Vec::<PathBuf>::new());
    me.reads("last", "last").await;

    // On the full disk: what needs room is refused, what needs none is done, and emptying the trash makes room.
    std::fs::write(world.path("ballast"), vec![0; 64 * MIB]).unwrap_err();
    let wish = |pairs: &[(&str, &str)]| {
        let items: Vec<_> = pairs.iter().map(|(from, to)| json!({"from": from, "to": to})).collect();
        json!({"items": items})
    };
    let moved: Acted = me.post("move", wish(&[("last", "moved"), ("gone", "x")])).await.json();
    assert_eq!(codes(&moved), [None, Some(ErrorCode::NotFound)]);
    assert_eq!(moved.undo, None, "there was no room for the note");
    let copied: Acted = me.post("copy", wish(&[("moved", "copy"), ("many", "copies")])).await.json();
    assert_eq!(codes(&copied), [Some(ErrorCode::NoSpace); 2]);
    let deleted: Acted = me.post("delete", json!({"paths": ["moved"]})).await.json();
    assert_eq!(codes(&deleted), [Some(ErrorCode::NoSpace)]);
    me.reads("moved", "last").await;
    std::fs::remove_file(world.path("ballast")).unwrap();
    me.post("delete", json!({"paths": ["many"]})).await.json::<Acted>();
    let full = free(&world.path(""));
    assert_eq!(me.ask(Method::DELETE, "trash", &[], "").await.status, StatusCode::NO_CONTENT);
    assert!(free(&world.path("")) > full + 8 * MIB as u64);
    let copied: Acted = me.post("copy", wish(&[("moved", "copy")])).await.json();
    assert_eq!(codes(&copied), [None]);
}

#[tokio::test]
async fn a_disk_without_room_for_names() {
    let Some(mounts) = Mounts::own("serve::disks::a_disk_without_room_for_names") else { return };
    let (mut refused, mut done) = (0, 0);
    for names in 8..28 {
        let world = World::on(|folder| {
            mounts.memory(folder, &format!("size=40m,nr_inodes={names}"));
            std::fs::write(folder.join("a"), "old").unwrap();
            std::fs::write(folder.join("b"), "B").unwrap();
        });
        let me = Person::new(&world);
        let put = me.put("path=a&clash=replace", "new").await;
        let now = std::fs::read_to_string(world.path("a")).unwrap();
        if put.status.is_success() {
            done += 1;
            assert_eq!(now, "new");
            assert_eq!(me.get("versions?path=a").await.json::<Versions>().versions.len(), 1);
        } else {
            refused += 1;
            assert_eq!((put.code(), &*now), (ErrorCode::NoSpace, "old"), "{names}");
        }
        assert_eq!(parts(&world), Vec::<PathBuf>::new(), "{names}");
        let deleted = me.post("delete", json!({"paths": ["b"]})).await;
        let deleted =
            if deleted.status.is_success() { codes(&deleted.json()) } else { vec![Some(deleted.code())] };
        assert_eq!(world.path("b").exists(), deleted == [Some(ErrorCode::NoSpace)], "{names} {deleted:?}");
    }
    assert!(refused > 3 && done > 3, "{refused} refused, {done} done");
}

/// Asks every door that changes something to change something.
async fn ask_all(me: &Person<'_>, version: &str) -> Vec<(&'static str, ErrorCode)> {
    let first = |answer: Answer| match answer.status {
        StatusCode::OK => codes(&answer.json())[0].expect("it was done"),
        _ => answer.code(),
    };
    let step = json!({"items": [{"from": "a", "to": "z"}]});
    let rule = json!({"paths": ["a"], "rule": {"kind": "replace", "find": "a", "with": "z"}});
    let archive = archive(&[("new".into(), b"x".to_vec())]);
    let unpacked = me.ask(Method::POST, "unpack?path=", &[], archive).await;
    vec![
        ("put", me.put("path=new", "x").await.code()),
        ("put over", me.put("path=a&clash=replace", "x").await.code()),
        ("upload", me.create_at("new", &[("upload-length", "1")]).await.code()),
        ("unpack", unpacked.code()),
        ("mkdir", first(me.post("mkdir", json!({"path": "new"})).await)),
        ("move", first(me.post("move", step.clone()).await)),
        ("copy", first(me.post("copy", step).await)),
        ("rename", first(me.post("rename", rule).await)),
        ("delete", first(me.post("delete", json!({"paths": ["a"]})).await)),
        ("restore a version", me.post("versions/restore", json!({"path": "a", "id": version})).await.code()),
    ]
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_to() {
    let Some(mounts) = Mounts::own("serve::disks::a_disk_that_cannot_be_written_to") else { return };
    for written_before in [false, true] {
        let world = World::on(|folder| {
            mounts.memory(folder, "size=40m");
            std::fs::write(folder.join("a"), "old").unwrap();
        });
        let me = Person::new(&world);
        let (mut version, mut token) = (proto::VersionId::generate().to_string(), None);
        if written_before {
            token = me.put("path=a&clash=replace", "new").await.json::<Written>().undo;
            let versions: Versions = me.get("versions?path=a").await.json();
            version = versions.versions[0].id.to_string();
            me.post("delete", json!({"paths": ["a"]})).await.json::<Acted>();
            std::fs::write(world.path("a"), "newer").unwrap();
        }
        mounts.make_read_only(&world.path(""));
        for (door, code) in ask_all(&me, &version).await {
            let unknown = door == "restore a version" && (!written_before || code == ErrorCode::NotFound);
            assert!(code == ErrorCode::ReadOnly || unknown, "{door}: {code:?}");
        }
        if let Some(token) = token {
            assert_eq!(me.post("undo", json!({"token": token})).await.code(), ErrorCode::ReadOnly);
            let trash: Trash = me.get("trash").await.json();
            let restored: Acted =
                me.post("restore", json!({"ids": [trash.items[0].id], "clash": "replace"})).await.json();
            assert_eq!(codes(&restored), [Some(ErrorCode::ReadOnly)]);
            assert_eq!(me.ask(Method::DELETE, "trash", &[], "").await.code(), ErrorCode::ReadOnly);
        }
        // Reading goes on, what is kept included.
        me.reads("a", if written_before { "newer" } else { "old" }).await;
        assert_eq!(me.get("list").await.json::<Listing>().total, 1);
        assert_eq!(me.get("trash").await.json::<Trash>().items.len(), usize::from(written_before));
        assert!(me.get("uploads").await.json::<Uploads>().uploads.is_empty());
        me.get("versions?path=a").await.json::<Versions>();
    }
}

#[tokio::test]
async fn a_disk_with_the_names_of_windows() {
    let Some(mounts) = Mounts::own("serve::disks::a_disk_with_the_names_of_windows") else { return };
    let mut mounted = false;
    let world = World::on(|folder| mounted = mounts.like_windows(folder));
    if !mounted {
        return;
    }
    let me = Person::new(&world);
    me.put("path=Note.txt", "one").await.json::<Written>();

    // Another spelling is the same file: it is not replaced unasked, and keeps what it was if it is.
    assert_eq!(me.put("path=note.TXT", "x").await.code(), ErrorCode::PreconditionRequired);
    let replaced: Written = me.put("path=note.TXT&clash=replace", "two").await.json();
    assert_eq!(replaced.outcome, Outcome::Replaced);
    assert_eq!(me.get("list").await.json::<Listing>().total, 1);
    me.reads("NOTE.txt", "two").await;
    let archive =
        archive(&[("Same".into(), b"1".to_vec()), ("sAME".into(), b"2".to_vec()), ("last".into(), vec![])]);
    let (failed, end) = unpacked(&me.ask(Method::POST, "unpack?path=", &[], archive).await);
    assert_eq!(
        failed.iter().map(|item| item.error.as_ref().unwrap().code).collect::<Vec<_>>(),
        [ErrorCode::Exists]
    );
    assert!(matches!(end, UnpackEvent::Done { files: 2, .. }), "{end:?}");
    me.reads("same", "1").await;
    let wish = |from: &str, to: &str| json!({"items": [{"from": from, "to": to}]});
    // This driver shows all names in small letters: that the new spelling stays cannot be seen here.
    let spelled: Acted = me.post("move", wish("Same", "SAME")).await.json();
    assert_eq!(codes(&spelled), [None]);
    me.reads("same", "1").await;

    // What the disk does not take is said of the name.
    for name in ["12:30", "what?", "a<b", "a\"b", "AUX", "nul.txt", "dot."] {
        let text = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        assert_eq!(me.put(&format!("path={text}"), "x").await.code(), ErrorCode::BadName, "{name}");
        assert_eq!(
            codes(&me.post("move", wish("last", name)).await.json()),
            [Some(ErrorCode::BadName)],
            "{name}"
        );
    }

    // All doors work without an exchange of names.
    let undo: Acted = me.post("undo", json!({"token": replaced.undo})).await.json();
    assert_eq!(codes(&undo), [None]);
    me.reads("Note.txt", "one").await;
    let begun = me.create_at("up", &[("upload-length", "2")]).await;
    assert_eq!(me.send_on(begun.header("location"), "0", "up").await.status, StatusCode::NO_CONTENT);
    me.reads("up", "up").await;
    let copied: Acted = me.post("copy", wish("up", "copy")).await.json();
    let deleted: Acted = me.post("delete", json!({"paths": ["copy"]})).await.json();
    assert_eq!((codes(&copied), codes(&deleted)), (vec![None], vec![None]));
    assert_eq!(codes(&me.post("undo", json!({"token": deleted.undo})).await.json()), [None]);
    me.reads("copy", "up").await;
    assert_eq!(parts(&world), Vec::<PathBuf>::new());
}

#[tokio::test]
async fn names_that_are_too_long_or_reserved() {
    let world = World::new();
    let me = Person::new(&world);
    world.write("a", b"a");
    let (fits, too_long) = ("n".repeat(255), "n".repeat(256));
    let deep = vec!["d".repeat(255); 16].join("/");
    for (name, expected) in [
        (&*fits, None),
        (&*too_long, Some(ErrorCode::BadPath)),
        (&*deep, Some(ErrorCode::NotFound)),
        (&*format!("{deep}/x"), Some(ErrorCode::BadPath)),
        ("CON", Some(ErrorCode::BadName)),
        ("com1.tar.gz", Some(ErrorCode::BadName)),
        ("dot.", Some(ErrorCode::BadName)),
        ("space ", Some(ErrorCode::BadName)),
        (".lanthorn-x", Some(ErrorCode::BadPath)),
        ("com10", None),
    ] {
        let code = |answer: Answer| (!answer.status.is_success()).then(|| answer.code());
        let text = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let about = &name[..name.len().min(20)];
        assert_eq!(code(me.put(&format!("path={text}&clash=replace"), "x").await), expected, "put {about}");
        let copied = me.post("copy", json!({"items": [{"from": "a", "to": name}], "clash": "replace"})).await;
        assert_eq!(codes(&copied.json()), [expected], "copy {about}");
        let begun = code(me.create_at(name, &[("upload-length", "1")]).await);
        // Its folders are made when it is in.
        assert_eq!(begun, expected.filter(|code| *code != ErrorCode::NotFound), "upload {about}");
    }
}

#[tokio::test]
async fn ten_thousand_files_and_a_few_that_cannot_be() {
    let world = World::quick();
    let me = Person::new(&world);
    let bad = |n: usize| match n {
        17 => Some(("aux", ErrorCode::BadName)),
        5_000 => Some(("../out", ErrorCode::BadPath)),
        5_001 => Some(("0/0/inside", ErrorCode::NotFolder)),
        9_999 => Some(("dot.", ErrorCode::BadName)),
        _ => None,
    };
    // `..` is not written by the archive's own maker.
    let mut archive = tar::Builder::new(Vec::new());
    for n in 0..10_000 {
        let name = bad(n).map_or_else(|| format!("{}/{n}", n / 100), |(name, _)| name.to_owned());
        let content = n.to_string();
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_cksum();
        archive.append(&header, content.as_bytes()).unwrap();
    }
    let answer = me.ask(Method::POST, "unpack?path=", &[], archive.into_inner().unwrap()).await;
    let (failed, end) = unpacked(&answer);
    let told: Vec<_> = failed.iter().map(|item| item.error.as_ref().unwrap().code).collect();
    assert_eq!(told, (0..10_000).filter_map(bad).map(|(_, code)| code).collect::<Vec<_>>());
    assert!(matches!(end, UnpackEvent::Done { files: 9_996, folders: 100, .. }), "{end:?}");
    for n in (0..10_000).filter(|n| bad(*n).is_none()) {
        assert_eq!(std::fs::read_to_string(world.path(&format!("{}/{n}", n / 100))).unwrap(), n.to_string());
    }

    // The same for what is moved: each says what became of it.
    let items: Vec<_> = (0..10_000)
        .map(|n| match bad(n) {
            None => json!({"from": format!("{}/{n}", n / 100), "to": format!("m{n}")}),
            Some((name, _)) => json!({"from": format!("{}/{}", n / 100, n - 1), "to": name}),
        })
        .collect();
    let moved: Acted = me.post("move", json!({"items": items})).await.json();
    let failed: Vec<usize> =
        moved.items.iter().enumerate().filter(|(_, item)| item.error.is_some()).map(|(n, _)| n).collect();
    assert_eq!(failed, [17, 5_000, 5_001, 9_999]);
    let undone: Acted = me.post("undo", json!({"token": moved.undo})).await.json();
    assert_eq!((undone.items.len(), codes(&undone).iter().flatten().count()), (9_996, 0));
    assert_eq!(std::fs::read_to_string(world.path("99/9998")).unwrap(), "9998");
}

/// Quotas need a disk that has them; what the system says then is told as a full disk.
#[test]
fn a_quota_is_told_as_a_full_disk() {
    use crate::files::write::WriteError;
    use rustix::io::Errno;
    for errno in [Errno::DQUOT, Errno::NOSPC] {
        assert_eq!(proto::ApiError::from(WriteError::from(errno)).code, ErrorCode::NoSpace);
    }
}

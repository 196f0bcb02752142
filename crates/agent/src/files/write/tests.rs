//! Publishing tried: by hands in turn, by many at once, by another program in between, and cut off before every step.

use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::api::writing::{Clash, Outcome};
use proto::{PrincipalId, RelPath, ShareId};

use super::WriteError;
use super::part::PartFile;
use super::publish::{self, Expect, Published, Tag};
use crate::agent::Share;
use crate::crash;
use crate::files::index::{Index, Pace};
use crate::files::{entry, versions};
use crate::share::ShareRoot;

/// A share of this folder, whose index nobody waits for.
pub(crate) fn share(folder: &Path) -> Share {
    let id = ShareId::generate();
    let root = Arc::new(ShareRoot::open(folder).unwrap());
    let pace = Pace { watch: false, ..Pace::default() };
    let index = Index::start(Arc::clone(&root), id, &folder.join(".lanthorn-index"), pace);
    Share::new(id, root, index)
}

pub(super) fn path(text: &str) -> RelPath {
    text.parse().unwrap()
}

pub(super) fn put(
    share: &Share,
    place: &str,
    content: &[u8],
    expect: &Expect,
) -> Result<Published, WriteError> {
    put_by(share, place, content, expect, PrincipalId::generate())
}

fn put_by(
    share: &Share,
    place: &str,
    content: &[u8],
    expect: &Expect,
    by: PrincipalId,
) -> Result<Published, WriteError> {
    let mut part = PartFile::create(&share.store, Some(content.len() as u64))?;
    part.write(content)?;
    publish::publish(share, part.seal(None)?.content(), &path(place), expect, by)
}

/// Everything that a file was before, oldest first.
pub(super) fn former(share: &Share, place: &str) -> Vec<String> {
    let versions = versions::list(share, &path(place)).unwrap();
    let read = |id| std::io::read_to_string(versions::open(share, &path(place), id).unwrap().file).unwrap();
    versions.iter().rev().map(|version| read(version.id)).collect()
}

pub(super) fn parts(folder: &Path) -> Vec<PathBuf> {
    let parts = folder.join(".lanthorn-store/parts");
    std::fs::read_dir(parts).map(|all| all.map(|entry| entry.unwrap().path()).collect()).unwrap_or_default()
}

pub(super) fn version_of(share: &Share, place: &str) -> String {
    entry::version(&share.root.stat(&path(place)).unwrap())
}

#[test]
fn what_is_done_when_the_name_is_taken() {
    let home = tempfile::tempdir().unwrap();
    let share = share(home.path());
    let clash = |clash| Expect::Clash(clash);
    put(&share, "a.txt", b"1", &clash(Clash::Ask)).unwrap();
    assert!(matches!(put(&share, "a.txt", b"x", &clash(Clash::Ask)), Err(WriteError::Exists)));
    assert!(matches!(put(&share, "a.txt", b"x", &Expect::Absent), Err(WriteError::Exists)));
    let skipped = put(&share, "a.txt", b"x", &clash(Clash::Skip)).unwrap();
    assert_eq!((skipped.outcome, former(&share, "a.txt").len()), (Outcome::Skipped, 0));
    for name in ["a (1).txt", "a (2).txt"] {
        let renamed = put(&share, "a.txt", b"other", &clash(Clash::Rename)).unwrap();
        assert_eq!((renamed.outcome, renamed.path), (Outcome::Renamed, path(name)));
    }
    let replaced = put(&share, "a.txt", b"2", &clash(Clash::Replace)).unwrap();
    assert_eq!(replaced.outcome, Outcome::Replaced);
    assert_eq!(std::fs::read(home.path().join("a.txt")).unwrap(), b"2");
    assert_eq!(former(&share, "a.txt"), ["1"]);
    assert_eq!(parts(home.path()), Vec::<PathBuf>::new(), "nothing is left over");
}

#[test]
fn only_the_version_that_was_meant_is_replaced() {
    let home = tempfile::tempdir().unwrap();
    let share = share(home.path());
    let writer = PrincipalId::generate();
    put(&share, "a", b"one", &Expect::Absent).unwrap();
    let first = version_of(&share, "a");
    let by_version = |version: &str| Expect::Match(vec![Tag::Version(version.into())]);
    put_by(&share, "a", b"two", &by_version(&first), writer).unwrap();
    let Err(WriteError::Conflict(conflict)) = put(&share, "a", b"three", &by_version(&first)) else {
        panic!("an old version was taken for the present one")
    };
    assert_eq!(conflict.version, version_of(&share, "a"));
    assert_eq!((conflict.size, conflict.changed_by), (3, Some(writer)));
    // echo -n two | sha256sum
    let hash = "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3";
    assert_eq!(conflict.sha256.as_deref(), Some(hash));
    let by_hash = Expect::Match(vec![Tag::Sha256(hash.into())]);
    put(&share, "a", b"three", &by_hash).unwrap();
    assert!(matches!(put(&share, "a", b"four", &by_hash), Err(WriteError::Conflict(_))));
    assert!(matches!(put(&share, "gone", b"x", &by_version(&first)), Err(WriteError::Conflict(_))));
    put(&share, "a", b"four", &Expect::Match(vec![Tag::Any])).unwrap();
    assert_eq!(former(&share, "a"), ["one", "two", "three"]);
}

#[test]
fn what_is_no_file_is_not_replaced() {
    let home = tempfile::tempdir().unwrap();
    let share = share(home.path());
    std::fs::create_dir(home.path().join("folder")).unwrap();
    std::fs::write(home.path().join("file"), "content").unwrap();
    symlink("file", home.path().join("link")).unwrap();
    symlink("..", home.path().join("out")).unwrap();
    let replace = Expect::Clash(Clash::Replace);
    let code = |place: &str| {
        let error: proto::ApiError = put(&share, place, b"x", &replace).unwrap_err().into();
        error.code.as_str()
    };
    assert_eq!(code("folder"), "IS_FOLDER");
    assert_eq!(code("link"), "IS_LINK");
    assert_eq!(code("out/x"), "OUTSIDE_SHARE");
    assert_eq!(code("file/x"), "NOT_FOLDER");
    assert_eq!(code("missing/x"), "NOT_FOUND");
    assert_eq!(code("Nul.txt"), "BAD_NAME");
    assert_eq!(std::fs::read(home.path().join("file")).unwrap(), b"content");
    assert_eq!(parts(home.path()).len(), 0);
}

#[test]
fn a_file_that_takes_anothers_place_has_its_rights() {
    let home = tempfile::tempdir().unwrap();
    let share = share(home.path());
    let place = home.path().join("run.sh");
    std::fs::write(&place, "old").unwrap();
    std::fs::set_permissions(&place, std::fs::Permissions::from_mode(0o4750)).unwrap();
    put(&share, "run.sh", b"new", &Expect::Clash(Clash::Replace)).unwrap();
    assert_eq!(
        std::fs::metadata(&place).unwrap().mode() & 0o7777,
        0o750,
        "but none that are more than its own"
    );
}

#[test]
fn what_another_program_wrote_in_between_is_not_replaced_unseen() {
    let home = tempfile::tempdir().unwrap();
    let share = share(home.path());
    put(&share, "a", b"one", &Expect::Absent).unwrap();
    let expect = Expect::Match(vec![Tag::Version(version_of(&share, "a"))]);
    let (place, beside) = (home.path().join("a"), home.path().join("b"));
    let mut answer = None;
    let mut part = PartFile::create(&share.store, None).unwrap();
    part.write(b"mine").unwrap();
    let sealed = part.seal(None).unwrap();
    crash::steps_of(
        || {
            answer =
                Some(publish::publish(&share, sealed.content(), &path("a"), &expect, PrincipalId::generate()))
        },
        move |step| {
            // Another editor saves, once, after the version was looked at.
            if step == "exchange" && !beside.exists() && std::fs::read(&place).unwrap() == b"one" {
                std::fs::write(&beside, "theirs").unwrap();
                std::fs::rename(&beside, &place).unwrap();
            }
        },
    );
    assert!(matches!(answer, Some(Err(WriteError::Conflict(_)))), "{answer:?}");
    assert_eq!(std::fs::read(home.path().join("a")).unwrap(), b"theirs");
    assert_eq!(former(&share, "a").len(), 0, "what was undone leaves nothing behind");
    drop(sealed);
    assert_eq!(parts(home.path()).len(), 0);
}

#[test]
fn bytes_are_durable_before_they_are_seen_and_names_before_it_is_answered() {
    let home = tempfile::tempdir().unwrap();
    let share = share(home.path());
    share.store.rooms().unwrap();
    let new = crash::steps_of(|| drop(put(&share, "a", b"1", &Expect::Absent).unwrap()), |_| {});
    assert_eq!(new, ["create", "reserve", "write", "sync file", "move", "sync folder", "unlink"]);
    let again =
        crash::steps_of(|| drop(put(&share, "a", b"2", &Expect::Clash(Clash::Replace)).unwrap()), |_| {});
    let tail = ["create", "write", "sync file", "move", "exchange", "sync folder", "sync folder", "unlink"];
    assert_eq!(again, [&["create", "reserve", "write", "sync file", "mkdir"][..], &tail].concat());
}

#[test]
fn a_process_that_dies_leaves_the_old_or_the_new() {
    let replace = Expect::Clash(Clash::Replace);
    crash::everywhere(
        "files::write::tests::a_process_that_dies_leaves_the_old_or_the_new",
        || {
            let home = tempfile::tempdir().unwrap();
            std::fs::write(home.path().join("a"), "old").unwrap();
            home
        },
        |folder| {
            let share = share(folder);
            put(&share, "a", b"new", &replace).unwrap();
            put(&share, "b", b"first", &Expect::Absent).unwrap();
        },
        |folder, finished| {
            let share = share(folder);
            let (a, b) = (std::fs::read(folder.join("a")).unwrap(), std::fs::read(folder.join("b")));
            let kept = former(&share, "a");
            match &a[..] {
                b"old" => assert_eq!(kept.len(), 0, "a version of what is still there: {kept:?}"),
                b"new" => assert_eq!(kept, ["old"]),
                other => panic!("half written: {other:?}"),
            }
            assert!(b.as_deref().map_or(true, |b| b == b"first"));
            assert!(!finished || (a == b"new" && b.is_ok() && parts(folder).is_empty()));
            let seen: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name()).collect();
            let visible = seen.iter().filter(|name| !name.to_str().unwrap().starts_with(".lanthorn-"));
            assert!(visible.clone().all(|name| name == "a" || name == "b"), "{seen:?}");
            // And it goes on from there.
            put(&share, "a", b"newer", &replace).unwrap();
            assert_eq!(former(&share, "a").last().unwrap().as_bytes(), a);
        },
    );
}

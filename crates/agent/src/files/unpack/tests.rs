//! Archives as people and strangers send them.

use std::io::Cursor;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime};

use proto::api::writing::{ActItem, Clash, Outcome, UnpackEvent};
use proto::{ErrorCode, PrincipalId};
use tar::{Builder, EntryType, Header};

use super::Unpack;
use crate::agent::Share;
use crate::crash;
use crate::files::versions;
use crate::files::write::tests::share;

const TIME: u64 = 1_700_000_000;

/// An item under exactly this name, as no honest program writes it.
fn item(archive: &mut Builder<Vec<u8>>, kind: EntryType, name: &str, content: &str) {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(content.len() as u64);
    header.set_mtime(TIME);
    header.set_mode(0o4777);
    if matches!(kind, EntryType::Symlink | EntryType::Link) {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_cksum();
    archive.append(&header, content.as_bytes()).unwrap();
}

/// A file of any name, however long.
fn file(archive: &mut Builder<Vec<u8>>, name: &str, content: &str, mode: u32) {
    let mut header = Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mtime(TIME);
    header.set_mode(mode);
    archive.append_data(&mut header, name, content.as_bytes()).unwrap();
}

fn unpack(share: &Share, clash: Clash, archive: &[u8]) -> (Vec<ActItem>, UnpackEvent) {
    let unpack = Unpack { share, into: "into".parse().unwrap(), clash, by: PrincipalId::generate() };
    let mut events = unpack.run(Cursor::new(archive)).unwrap();
    let end = events.pop().unwrap();
    let item = |event| match event {
        UnpackEvent::Item(item) => item,
        other => panic!("{other:?}"),
    };
    (events.into_iter().map(item).collect(), end)
}

fn world() -> (tempfile::TempDir, Share) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("into")).unwrap();
    let share = share(folder.path());
    (folder, share)
}

fn read(folder: &Path, name: &str) -> String {
    std::fs::read_to_string(folder.join("into").join(name)).unwrap()
}

#[track_caller]
fn assert_nothing_is_left(folder: &Path) {
    let parts = std::fs::read_dir(folder.join(".lanthorn-store/parts")).unwrap().count();
    assert_eq!(parts, 0);
}

#[test]
fn a_tree_comes_as_it_was() {
    let (folder, share) = world();
    let mut archive = Builder::new(Vec::new());
    let long = format!("deep/{}/{}", "d".repeat(200), "n".repeat(150));
    file(&mut archive, "deep/plain.txt", "plain", 0o644);
    file(&mut archive, "deep/run.sh", "run", 0o755);
    file(&mut archive, &long, "long", 0o600);
    file(&mut archive, "empty file", "", 0o644);
    item(&mut archive, EntryType::Directory, "./empty/", "");
    let pax = [("mtime", b"1700000000.123456789".as_slice())];
    archive.append_pax_extensions(pax).unwrap();
    file(&mut archive, "fine", "fine", 0o644);
    for n in 0..300 {
        file(&mut archive, &format!("many/{n}/f"), &n.to_string(), 0o644);
    }
    let (exceptions, end) = unpack(&share, Clash::Ask, &archive.into_inner().unwrap());
    assert_eq!(exceptions, []);
    let UnpackEvent::Done { files, folders, bytes, undo } = end else { panic!("{end:?}") };
    let digits: usize = (0..300).map(|n: i32| n.to_string().len()).sum();
    assert_eq!((files, folders, bytes), (305, 2 + 1 + 301, 5 + 3 + 4 + 4 + digits as u64));
    assert!(undo.is_some());
    assert_eq!(
        (read(folder.path(), "deep/plain.txt"), read(folder.path(), &long)),
        ("plain".into(), "long".into())
    );
    assert_eq!(read(folder.path(), "many/299/f"), "299");
    assert!(folder.path().join("into/empty").is_dir());
    let about = |name: &str| folder.path().join("into").join(name).metadata().unwrap();
    let since = |name: &str| about(name).modified().unwrap().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(since("deep/plain.txt"), Duration::from_secs(TIME));
    assert_eq!(since("fine"), Duration::new(TIME, 123_456_789));
    let mode = |name: &str| about(name).permissions().mode() & 0o7111;
    assert_eq!((mode("deep/plain.txt"), mode("deep/run.sh") & 0o100), (0, 0o100));
    assert_nothing_is_left(folder.path());
}

#[test]
fn what_is_wrong_with_one_item_is_told_and_the_rest_comes() {
    let (folder, share) = world();
    let hostile = [
        (EntryType::Regular, "../out", ErrorCode::BadPath),
        (EntryType::Regular, "a/../../out", ErrorCode::BadPath),
        (EntryType::Regular, "/etc/out", ErrorCode::BadPath),
        (EntryType::Regular, "", ErrorCode::BadPath),
        (EntryType::Regular, ".lanthorn-store/trash/x", ErrorCode::BadPath),
        (EntryType::Directory, ".Lanthorn-x/", ErrorCode::BadPath),
        (EntryType::Regular, "aux.txt", ErrorCode::BadName),
        (EntryType::Directory, "con/", ErrorCode::BadName),
        (EntryType::Regular, "con/inside", ErrorCode::BadName),
        (EntryType::Regular, "dot.", ErrorCode::BadName),
        (EntryType::Symlink, "link", ErrorCode::IsLink),
        (EntryType::Link, "hard", ErrorCode::IsLink),
        (EntryType::Char, "null", ErrorCode::OutsideShare),
        (EntryType::Block, "disk", ErrorCode::OutsideShare),
        (EntryType::Fifo, "pipe", ErrorCode::OutsideShare),
        (EntryType::Regular, "good", ErrorCode::Exists),
        (EntryType::Regular, "good/inside", ErrorCode::NotFolder),
    ];
    let mut archive = Builder::new(Vec::new());
    item(&mut archive, EntryType::Regular, "good", "good");
    for (kind, name, _) in hostile {
        item(&mut archive, kind, name, if kind == EntryType::Regular { "bad" } else { "" });
    }
    item(&mut archive, EntryType::Regular, "last", "last");
    let (exceptions, end) = unpack(&share, Clash::Ask, &archive.into_inner().unwrap());
    let codes: Vec<_> =
        exceptions.iter().map(|item| (item.outcome, item.error.as_ref().unwrap().code)).collect();
    let expected: Vec<_> = hostile.iter().map(|(_, _, code)| (Outcome::Failed, *code)).collect();
    assert_eq!(codes, expected);
    assert!(matches!(end, UnpackEvent::Done { files: 2, folders: 0, bytes: 8, .. }), "{end:?}");
    assert_eq!((read(folder.path(), "good"), read(folder.path(), "last")), ("good".into(), "last".into()));
    let mode = folder.path().join("into/good").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7000, 0, "nothing runs as somebody else");
    let mut names: Vec<_> =
        std::fs::read_dir(folder.path().join("into")).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["good", "last"]);
    assert_nothing_is_left(folder.path());
}

#[test]
fn folders_are_gone_into_and_clashes_settled() {
    for (clash, outcome, now) in [
        (Clash::Ask, Outcome::Failed, "old"),
        (Clash::Rename, Outcome::Renamed, "old"),
        (Clash::Replace, Outcome::Replaced, "new"),
        (Clash::Skip, Outcome::Skipped, "old"),
    ] {
        let (folder, share) = world();
        let place = |name: &str| folder.path().join("into").join(name);
        std::fs::create_dir_all(place("there/inner")).unwrap();
        std::fs::write(place("there/inner/taken"), "old").unwrap();
        std::fs::write(place("wall"), "a file").unwrap();
        std::fs::create_dir(folder.path().join("elsewhere")).unwrap();
        symlink("../elsewhere", place("link")).unwrap();
        let mut archive = Builder::new(Vec::new());
        file(&mut archive, "there/inner/taken", "new", 0o644);
        file(&mut archive, "there/inner/free", "new", 0o644);
        file(&mut archive, "wall/inside", "no", 0o644);
        file(&mut archive, "link/inside", "no", 0o644);
        let (mut exceptions, end) = unpack(&share, clash, &archive.into_inner().unwrap());
        exceptions.sort_by(|one, other| one.from.cmp(&other.from));
        let told: Vec<_> = exceptions
            .iter()
            .map(|item| (item.from.to_string(), item.outcome, item.error.as_ref().map(|error| error.code)))
            .collect();
        let failed = |from: &str, code| (from.to_owned(), Outcome::Failed, Some(code));
        let mut expected = vec![
            failed("link", ErrorCode::IsLink),
            failed("link/inside", ErrorCode::IsLink),
            failed("wall", ErrorCode::NotFolder),
            failed("wall/inside", ErrorCode::NotFolder),
        ];
        if outcome != Outcome::Replaced {
            let code = (outcome == Outcome::Failed).then_some(ErrorCode::Exists);
            expected.insert(2, ("there/inner/taken".into(), outcome, code));
        }
        assert_eq!(told, expected);
        let came = if matches!(clash, Clash::Ask | Clash::Skip) { 1 } else { 2 };
        let UnpackEvent::Done { files, folders, bytes, .. } = end else { panic!("{end:?}") };
        assert_eq!((files, folders, bytes), (came, 0, came * 3), "{clash:?}");
        assert_eq!(
            (read(folder.path(), "there/inner/taken"), read(folder.path(), "there/inner/free")),
            (now.into(), "new".into())
        );
        assert_eq!(place("there/inner/taken (1)").exists(), clash == Clash::Rename);
        let kept = versions::list(&share, &"into/there/inner/taken".parse().unwrap()).unwrap();
        assert_eq!(kept.len(), usize::from(clash == Clash::Replace));
        assert_eq!(std::fs::read_dir(folder.path().join("elsewhere")).unwrap().count(), 0);
        assert_nothing_is_left(folder.path());
    }
}

#[test]
fn an_archive_that_breaks_off_leaves_what_came_whole() {
    let (folder, share) = world();
    let mut archive = Builder::new(Vec::new());
    file(&mut archive, "whole", "whole", 0o644);
    file(&mut archive, "half", &"half".repeat(1000), 0o644);
    let archive = archive.into_inner().unwrap();
    let (exceptions, end) = unpack(&share, Clash::Ask, &archive[..3 * 512 + 700]);
    assert!(exceptions.is_empty() && matches!(end, UnpackEvent::Broken { .. }), "{end:?}");
    assert_eq!(read(folder.path(), "whole"), "whole");
    assert!(!folder.path().join("into/half").exists());
    let (_, end) = unpack(&share, Clash::Ask, &[b'x'; 2000]);
    assert!(matches!(end, UnpackEvent::Broken { .. }));
    let (_, end) = unpack(&share, Clash::Ask, &[]);
    assert!(matches!(end, UnpackEvent::Done { files: 0, undo: None, .. }));
    assert_nothing_is_left(folder.path());
}

#[test]
fn wherever_the_process_ends_there_are_whole_files_or_none() {
    crash::everywhere(
        "files::unpack::tests::wherever_the_process_ends_there_are_whole_files_or_none",
        || {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir_all(folder.path().join("into/there")).unwrap();
            std::fs::write(folder.path().join("into/there/taken"), "old").unwrap();
            folder
        },
        |folder| {
            let mut archive = Builder::new(Vec::new());
            for name in ["new/a", "new/b", "there/free", "there/taken"] {
                file(&mut archive, name, "new", 0o644);
            }
            unpack(&share(folder), Clash::Replace, &archive.into_inner().unwrap());
        },
        |folder, done| {
            for name in ["new/a", "new/b", "there/free"] {
                let content = std::fs::read_to_string(folder.join("into").join(name)).ok();
                assert!(content.as_deref().map_or(!done, |content| content == "new"), "{name}");
            }
            let present = folder.join("into/new").exists();
            assert_eq!(folder.join("into/new/a").exists() && folder.join("into/new/b").exists(), present);
            let taken = read(folder, "there/taken");
            assert!(taken == "new" || (taken == "old" && !done));
        },
    );
}

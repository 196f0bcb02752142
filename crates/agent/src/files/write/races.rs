//! Many at one place at the same moment: our own writers among themselves, and another program that swaps what is there.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};

use proto::PrincipalId;
use proto::api::writing::{Clash, Outcome};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::WriteError;
use super::publish::{Expect, Published, Tag};
use super::tests::{former, parts, path, put, share, version_of};
use crate::agent::Share;
use crate::files::unpack::Unpack;
use crate::files::upload::UploadError;
use crate::files::upload::append::Came;
use crate::files::upload::info::{Info, Purpose, Target};
use crate::testing::quick_home;

const WRITERS: usize = 8;
const ROUNDS: usize = 40;

/// Has all writers write to `a` at the same moment. What became of each.
fn all_at_once(share: &Share, expect: &Expect) -> Vec<Result<Published, WriteError>> {
    let begin = Barrier::new(WRITERS);
    std::thread::scope(|threads| {
        let one = |writer: usize| {
            begin.wait();
            put(share, "a", format!("writer {writer}").as_bytes(), expect)
        };
        let all: Vec<_> = (0..WRITERS).map(|writer| threads.spawn(move || one(writer))).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn present(home: &Path) -> String {
    std::fs::read_to_string(home.join("a")).unwrap()
}

#[test]
fn of_many_who_changed_the_same_version_one_wins_and_the_others_are_told() {
    let home = quick_home();
    let share = share(home.path());
    put(&share, "a", b"start", &Expect::Absent).unwrap();
    for _ in 0..ROUNDS {
        let (before, kept) = (present(home.path()), former(&share, "a").len());
        let seen = Expect::Match(vec![Tag::Version(version_of(&share, "a"))]);
        let became = all_at_once(&share, &seen);
        let won: Vec<_> = (0..WRITERS).filter(|writer| became[*writer].is_ok()).collect();
        assert_eq!(won.len(), 1, "{became:?}");
        assert_eq!(present(home.path()), format!("writer {}", won[0]));
        for told in became.iter().filter_map(|one| one.as_ref().err()) {
            assert!(matches!(told, WriteError::Conflict(now) if now.version == version_of(&share, "a")));
        }
        let former = former(&share, "a");
        assert_eq!((former.len(), former.last()), ((kept + 1).min(100), Some(&before)));
    }
    assert_eq!(parts(home.path()).len(), 0);
}

#[test]
fn of_many_who_replace_whatever_is_there_none_is_lost() {
    for _ in 0..ROUNDS {
        let home = quick_home();
        let share = share(home.path());
        assert!(all_at_once(&share, &Expect::Clash(Clash::Replace)).iter().all(Result::is_ok));
        let mut all = former(&share, "a");
        all.push(present(home.path()));
        all.sort();
        assert_eq!(all, (0..WRITERS).map(|writer| format!("writer {writer}")).collect::<Vec<_>>());
        assert_eq!(parts(home.path()).len(), 0);
    }
}

#[test]
fn of_many_who_make_the_same_name_each_gets_what_was_wished() {
    for _ in 0..ROUNDS {
        let home = quick_home();
        let share = share(home.path());
        let became = all_at_once(&share, &Expect::Absent);
        assert_eq!(became.iter().filter(|one| one.is_ok()).count(), 1);
        assert!(
            became.iter().flat_map(|one| one.as_ref().err()).all(|told| matches!(told, WriteError::Exists))
        );
        let became = all_at_once(&share, &Expect::Clash(Clash::Rename));
        let mut names: Vec<_> = became.iter().map(|one| one.as_ref().unwrap().path.to_string()).collect();
        for (writer, name) in names.iter().enumerate() {
            let content = std::fs::read_to_string(home.path().join(name)).unwrap();
            assert_eq!(content, format!("writer {writer}"), "{name}");
        }
        names.sort();
        assert_eq!(names, (1..=WRITERS).map(|number| format!("a ({number})")).collect::<Vec<_>>());
        let skipped = all_at_once(&share, &Expect::Clash(Clash::Skip));
        assert!(skipped.iter().all(|one| one.as_ref().unwrap().outcome == Outcome::Skipped));
    }
}

fn upload(share: &Share, place: &str) -> Result<(), UploadError> {
    let target = Target {
        path: path(place),
        expect: Expect::Clash(Clash::Replace),
        modified: None,
        checksums: Vec::new(),
    };
    let info = Info::new(PrincipalId::generate(), Some(4), Purpose::File(target), String::new());
    let mut turn = share.uploads.begin(share, info)?.take_over_blocking();
    let mut appending = turn.append(share, 0, Some(4), None)?;
    appending.write(b"mine")?;
    turn.settle(appending, Came::Whole)?;
    turn.finish(share, None)
}

fn unpack(share: &Share, into: &str) -> bool {
    let mut archive = tar::Builder::new(Vec::new());
    for name in ["f", "s/new", "s/f"] {
        let mut header = tar::Header::new_gnu();
        header.set_size(4);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, &b"mine"[..]).unwrap();
    }
    let unpack = Unpack { share, into: path(into), clash: Clash::Replace, by: PrincipalId::generate() };
    unpack.run(std::io::Cursor::new(archive.into_inner().unwrap())).is_ok()
}

#[test]
fn nothing_outside_is_written_while_folders_become_links_and_files_become_folders() {
    let home = quick_home();
    let (outside, folder) = (home.path().join("private"), home.path().join("share"));
    for made in [outside.join("s"), folder.join("d/s"), folder.join("other")] {
        std::fs::create_dir_all(made).unwrap();
    }
    for secret in ["f", "s/f"] {
        std::fs::write(outside.join(secret), "secret").unwrap();
    }
    std::fs::write(folder.join("d/f"), "inside").unwrap();
    symlink("../private", folder.join("link")).unwrap();
    let (share, over) = (share(&folder), AtomicBool::new(false));
    let (mut done, mut refused) = (0, 0);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            let swap = |one: &str, other: &str| {
                // What is put there meanwhile moves along, or is not there for a moment.
                let _ = renameat_with(CWD, folder.join(one), CWD, folder.join(other), RenameFlags::EXCHANGE);
            };
            while !over.load(Ordering::Relaxed) {
                swap("d", "link");
                swap("d", "link");
                swap("d/f", "other");
                swap("d/f", "other");
            }
        });
        for round in 0..100_000 {
            let tried = [
                put(&share, "d/f", b"mine", &Expect::Clash(Clash::Replace)).is_ok(),
                put(&share, &format!("d/new{}", round % 8), b"mine", &Expect::Clash(Clash::Replace)).is_ok(),
                upload(&share, "d/s/up").is_ok(),
                unpack(&share, "d"),
            ];
            done += tried.iter().filter(|done| **done).count();
            refused += tried.iter().filter(|done| !**done).count();
            if round >= 100 && done > 50 && refused > 50 {
                break;
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(done > 50 && refused > 50, "{done} {refused}: nothing was raced");
    let mut found: Vec<_> = walk(&outside);
    found.sort();
    assert_eq!(found, ["f=secret", "s/f=secret"]);
}

fn walk(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(walk(&entry.path()).into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            found.push(format!("{name}={}", std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
    found
}

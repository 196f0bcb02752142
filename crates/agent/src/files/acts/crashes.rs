//! Acts cut off before every step: afterwards the old or the new is there, whole, and nothing is lost.

use std::collections::BTreeSet;
use std::path::Path;

use proto::PrincipalId;
use proto::api::writing::{Clash, NameRule};

use super::tests::{list, path, steps};
use super::{copy, make_folder, relocate, rename, trash, undo};
use crate::agent::Share;
use crate::crash;
use crate::files::sweep::sweep;
use crate::files::undo::now_ms;
use crate::files::write::tests::share;

/// What is there at first.
const BEFORE: &[&str] = &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X"];

fn world() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("d/s")).unwrap();
    for (name, content) in [("a", "A"), ("b", "B"), ("d/x", "X"), ("d/s/y", "Y")] {
        std::fs::write(home.path().join(name), content).unwrap();
    }
    home
}

/// Whose acts they are, in every process.
fn me() -> PrincipalId {
    "01900000-0000-7000-8000-000000000001".parse().unwrap()
}

fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    list(folder, "", &mut found);
    found.retain(|name| !name.starts_with(".lanthorn-"));
    found.sort();
    found
}

/// The contents that are anywhere: in their places, in the trash, among the versions.
fn contents(folder: &Path) -> BTreeSet<String> {
    let mut found = Vec::new();
    for room in ["", ".lanthorn-store/trash", ".lanthorn-store/versions"] {
        let room = folder.join(room);
        if room.is_dir() {
            list(&room, "", &mut found);
        }
    }
    found.iter().filter_map(|one| Some(one.split_once('=')?.1.to_owned())).collect()
}

/// Cuts an act off before every step. Afterwards the tree is one of `allowed`; at the end it is the last of them.
fn cut_off(test: &str, act: fn(&Share), allowed: &[&[&str]]) {
    crash::everywhere(
        &format!("files::acts::crashes::{test}"),
        world,
        |folder| act(&share(folder)),
        |folder, finished| {
            let found = tree(folder);
            let fits = |allowed: &&[&str]| {
                let mut allowed = allowed.to_vec();
                allowed.sort_unstable();
                found == allowed
            };
            assert!(allowed.iter().any(&fits), "{found:?}");
            assert!(!finished || allowed.last().is_some_and(fits), "{found:?}");
            // What was left behind goes some day, and nothing else.
            let again = share(folder);
            sweep(&again, now_ms() + 3_600_000);
            assert_eq!(tree(folder), found);
            let all = contents(folder);
            assert!(["A", "B", "X", "Y"].iter().all(|one| all.contains(*one)), "{found:?} {all:?}");
            let versions = folder.join(".lanthorn-store/versions");
            if fits(&BEFORE) && versions.is_dir() {
                let mut kept = Vec::new();
                list(&versions, "", &mut kept);
                assert!(kept.iter().all(|one| !one.contains('=')), "nothing was replaced: {kept:?}");
            }
            let parts = std::fs::read_dir(folder.join(".lanthorn-store/parts"));
            assert_eq!(parts.map_or(0, Iterator::count), 0, "parts are left");
            trash::list(&again).unwrap();
        },
    );
}

#[test]
fn a_move() {
    cut_off(
        "a_move",
        |share| drop(relocate(share, steps(&[("a", "d/a")]), Clash::Ask, me()).unwrap()),
        &[BEFORE, &["b=B", "d/", "d/a=A", "d/s/", "d/s/y=Y", "d/x=X"]],
    );
}

#[test]
fn a_move_over_a_file() {
    // Before the name is taken away that is not wished any more, both are there.
    cut_off(
        "a_move_over_a_file",
        |share| drop(relocate(share, steps(&[("a", "b")]), Clash::Replace, me()).unwrap()),
        &[
            BEFORE,
            &["a=A", "b=A", "d/", "d/s/", "d/s/y=Y", "d/x=X"],
            &["b=A", "d/", "d/s/", "d/s/y=Y", "d/x=X"],
        ],
    );
}

#[test]
fn a_copy_of_a_folder() {
    cut_off(
        "a_copy_of_a_folder",
        |share| drop(copy(share, steps(&[("d", "e")]), Clash::Ask, me()).unwrap()),
        &[BEFORE, &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X", "e/", "e/s/", "e/s/y=Y", "e/x=X"]],
    );
}

#[test]
fn a_copy_over_a_file() {
    cut_off(
        "a_copy_over_a_file",
        |share| drop(copy(share, steps(&[("a", "b")]), Clash::Replace, me()).unwrap()),
        &[BEFORE, &["a=A", "b=A", "d/", "d/s/", "d/s/y=Y", "d/x=X"]],
    );
}

#[test]
fn a_deletion_and_its_undo() {
    cut_off(
        "a_deletion_and_its_undo",
        |share| {
            let deleted = trash::delete(share, vec![path("d")], me()).unwrap();
            undo(share, deleted.undo.unwrap(), me()).unwrap();
        },
        &[&["a=A", "b=B"], BEFORE],
    );
}

#[test]
fn names_that_are_exchanged() {
    cut_off(
        "names_that_are_exchanged",
        |share| {
            std::fs::rename(share_path(share, "a"), share_path(share, "1")).unwrap();
            std::fs::rename(share_path(share, "b"), share_path(share, "2")).unwrap();
            let rule = NameRule::Number { text: "{n}".into(), start: 1 };
            rename(share, vec![path("2"), path("1")], &rule, false, me()).unwrap();
        },
        &[
            BEFORE,
            &["1=A", "2=B", "d/", "d/s/", "d/s/y=Y", "d/x=X"],
            &["1=B", "2=A", "d/", "d/s/", "d/s/y=Y", "d/x=X"],
        ],
    );
}

/// A path on this machine: through the handle by which the share is held.
fn share_path(share: &Share, name: &str) -> std::path::PathBuf {
    use std::os::fd::AsRawFd;
    let root = share.root.open_folder(&proto::RelPath::root()).unwrap().into_folder();
    let folder = std::fs::read_link(format!("/proc/self/fd/{}", root.as_raw_fd())).unwrap();
    folder.join(name)
}

#[test]
fn folders_that_are_made() {
    cut_off(
        "folders_that_are_made",
        |share| drop(make_folder(share, path("n/m"), true, me()).unwrap()),
        &[
            BEFORE,
            &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X", "n/"],
            &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X", "n/", "n/m/"],
        ],
    );
}

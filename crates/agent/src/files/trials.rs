//! Every door by which something is changed, cut off before every step, and on a disk that fails at every step:
//! afterwards the old or the new is there, whole, nothing is lost, and whoever asked was told.

use std::collections::BTreeSet;
use std::path::Path;

use proto::api::writing::{ActItem, Acted, Clash, NameRule, UnpackEvent};
use proto::{ApiError, ErrorCode, PrincipalId, RelPath};

use super::acts::tests::{list, path, steps};
use super::acts::{copy, make_folder, relocate, rename, trash, undo};
use super::sweep::sweep;
use super::undo::{now_ms, of_written};
use super::unpack::Unpack;
use super::upload::UploadError;
use super::upload::append::Came;
use super::upload::info::{Info, Purpose, Target};
use super::versions;
use super::write::WriteError;
use super::write::part::PartFile;
use super::write::publish::{self, Expect, Published};
use super::write::tests::share;
use crate::agent::Share;
use crate::crash::{self, Fault};

/// What is there at first. `a` has a version, `was A`.
const BEFORE: &[&str] = &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X"];
/// Contents that nothing may lose.
const CONTENTS: [&str; 5] = ["A", "B", "X", "Y", "was A"];

/// The codes of what was told, of each thing that failed.
type Told = Vec<ErrorCode>;

fn world() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(home.path().join("d/s")).unwrap();
    for (name, content) in [("a", "was A"), ("b", "B"), ("d/x", "X"), ("d/s/y", "Y")] {
        std::fs::write(home.path().join(name), content).unwrap();
    }
    put(&share(home.path()), "a", "A").unwrap();
    home
}

/// Whose acts they are, in every process.
fn me() -> PrincipalId {
    "01900000-0000-7000-8000-000000000001".parse().unwrap()
}

fn put(share: &Share, place: &str, content: &str) -> Result<Published, WriteError> {
    let mut part = PartFile::create(&share.store, Some(content.len() as u64))?;
    part.write(content.as_bytes())?;
    let sealed = part.seal(None)?;
    publish::publish(share, sealed.content(), &path(place), &Expect::Clash(Clash::Replace), me())
}

/// Puts a file that comes in two pieces.
fn upload(share: &Share, place: &str, content: &str) -> Result<(), UploadError> {
    let expect = Expect::Clash(Clash::Replace);
    let target = Target { path: path(place), expect, modified: Some(0), checksums: Vec::new() };
    let info = Info::new(me(), Some(content.len() as u64), Purpose::File(target), String::new());
    let upload = share.uploads.begin(share, info)?;
    let mut turn = upload.take_over_blocking();
    for (at, byte) in content.bytes().enumerate() {
        let mut appending = turn.append(share, at as u64, Some(1), None)?;
        // As the door does: what could not be taken ends the request, and what was taken is settled.
        let taken = appending.write(&[byte]);
        turn.settle(appending, if taken.is_ok() { Came::Whole } else { Came::Partly })?;
        taken?;
    }
    turn.finish(share, None)
}

fn unpack(share: &Share, files: &[(&str, &str)]) -> Result<Vec<UnpackEvent>, WriteError> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, content.as_bytes()).unwrap();
    }
    let unpack = Unpack { share, into: RelPath::root(), clash: Clash::Replace, by: me() };
    unpack.run(std::io::Cursor::new(archive.into_inner().unwrap()))
}

fn code(error: impl Into<ApiError>) -> Told {
    vec![error.into().code]
}

fn of_items(items: impl IntoIterator<Item = ActItem>) -> Told {
    items.into_iter().filter_map(|item| Some(item.error?.code)).collect()
}

fn of_act(acted: Result<Acted, WriteError>) -> Told {
    acted.map_or_else(code, |acted| of_items(acted.items))
}

fn of_unpacked(events: Result<Vec<UnpackEvent>, WriteError>) -> Told {
    let told = |event| match event {
        UnpackEvent::Item(item) => of_items([item]),
        UnpackEvent::Broken { error } => vec![error.code],
        UnpackEvent::Done { .. } => Vec::new(),
    };
    events.map_or_else(code, |events| events.into_iter().flat_map(told).collect())
}

/// Does something and undoes it, unless there is no token: then it stays done.
fn and_undo(share: &Share, acted: Result<Acted, WriteError>) -> Told {
    match acted {
        Ok(Acted { items, undo: Some(token) }) => {
            [of_items(items), of_act(undo(share, token, me()))].concat()
        }
        Ok(Acted { items, undo: None }) => [of_items(items), vec![ErrorCode::NotUndoable]].concat(),
        Err(error) => code(error),
    }
}

fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    list(folder, "", &mut found);
    found.retain(|name| !name.starts_with(".lanthorn-"));
    found.sort();
    found
}

fn of_room(folder: &Path, room: &str) -> Vec<String> {
    let (room, mut found) = (folder.join(".lanthorn-store").join(room), Vec::new());
    if room.is_dir() {
        list(&room, "", &mut found);
    }
    found
}

/// The contents that are anywhere: in their places, in the trash, among the versions.
fn contents(folder: &Path) -> BTreeSet<String> {
    let all = [tree(folder), of_room(folder, "trash"), of_room(folder, "versions")].concat();
    all.iter().filter_map(|one| Some(one.split_once('=')?.1.to_owned())).collect()
}

/// The files that have versions, as the store has them.
fn with_versions(folder: &Path) -> BTreeSet<String> {
    let versions = of_room(folder, "versions");
    let kept =
        versions.iter().filter_map(|one| one.split_once('=')).filter(|(name, _)| !name.ends_with(".json"));
    kept.filter_map(|(name, _)| Some(name.rsplit_once('/')?.0.to_owned())).collect()
}

fn is(found: &[String], allowed: &[&str]) -> bool {
    let mut allowed = allowed.to_vec();
    allowed.sort_unstable();
    found == allowed
}

/// What must hold whatever happened, now and when what was left behind is swept.
fn nothing_is_lost(folder: &Path, allowed: &[&[&str]], about: &str) -> Vec<String> {
    let found = tree(folder);
    assert!(allowed.iter().any(|allowed| is(&found, allowed)), "{found:?} {about}");
    let again = share(folder);
    sweep(&again, now_ms() + 3_600_000);
    assert_eq!(tree(folder), found, "{about}");
    let all = contents(folder);
    assert!(CONTENTS.iter().all(|one| all.contains(*one)), "{found:?} {all:?} {about}");
    for file in with_versions(folder) {
        let there = found.iter().any(|one| one.starts_with(&format!("{file}=")));
        assert!(there, "versions of '{file}', which is not there: {found:?} {about}");
    }
    if is(&found, BEFORE) && allowed.last() != Some(&BEFORE) {
        assert_eq!(with_versions(folder), ["a".to_owned()].into(), "nothing was replaced: {about}");
    }
    for room in ["parts", "moves"] {
        assert_eq!(of_room(folder, room), Vec::<String>::new(), "{room} are left: {about}");
    }
    trash::list(&again).unwrap();
    found
}

/// Cuts an act off before every step, and has the disk fail at every step. Afterwards the tree is one of `allowed`; where
/// the act came through, it is the last of them.
fn try_everywhere(test: &str, act: fn(&Share) -> Told, allowed: &[&[&str]]) {
    let last = *allowed.last().unwrap();
    crash::everywhere(
        &format!("files::trials::{test}"),
        world,
        |folder| assert_eq!(act(&share(folder)), []),
        |folder, finished| {
            let found = nothing_is_lost(folder, allowed, "cut off");
            assert!(!finished || is(&found, last), "{found:?}");
        },
    );
    if crash::is_cut_off() {
        return;
    }
    for (fault, code) in [(Fault::Once, ErrorCode::WriteFailed), (Fault::Full, ErrorCode::NoSpace)] {
        crash::failing(
            fault,
            world,
            |folder| act(&share(folder)),
            |folder, about, told| {
                let about = &format!("{about}; told {told:?}");
                let parts = of_room(folder, "parts");
                assert!(fault == Fault::Once || parts.is_empty(), "{parts:?} {about}");
                let found = nothing_is_lost(folder, allowed, about);
                // What hangs together with a thing that failed could not be done either.
                let others = [ErrorCode::NotUndoable, ErrorCode::Conflict];
                assert!(
                    told.is_empty() || told.contains(&code) || told == [ErrorCode::NotUndoable],
                    "{about}"
                );
                assert!(told.iter().all(|told| *told == code || others.contains(told)), "{about}");
                assert!(!told.is_empty() || is(&found, last), "{found:?}, and nobody was told: {about}");
                if is(&found, BEFORE) && !told.is_empty() {
                    // Once the disk works, it can be done.
                    assert_eq!(act(&share(folder)), [], "{about}");
                    assert!(is(&tree(folder), last), "{about}");
                }
            },
        );
    }
}

#[test]
fn a_file_that_is_put() {
    try_everywhere(
        "a_file_that_is_put",
        |share| match put(share, "n", "N") {
            Ok(published) => drop_token(share, &published),
            Err(error) => code(error),
        },
        &[BEFORE, &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X", "n=N"]],
    );
}

#[test]
fn a_file_that_is_put_over_another() {
    try_everywhere(
        "a_file_that_is_put_over_another",
        |share| match put(share, "b", "N") {
            Ok(published) => drop_token(share, &published),
            Err(error) => code(error),
        },
        &[BEFORE, &["a=A", "b=N", "d/", "d/s/", "d/s/y=Y", "d/x=X"]],
    );
}

/// Writes down how a file that was put is undone, which may fail and changes nothing.
fn drop_token(share: &Share, published: &Published) -> Told {
    let _ = of_written(share, published, me());
    Vec::new()
}

#[test]
fn an_upload() {
    // The folder on the way is made when the last byte is there.
    try_everywhere(
        "an_upload",
        |share| upload(share, "u/n", "NN").map_or_else(code, |()| Vec::new()),
        &[
            BEFORE,
            &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X", "u/"],
            &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X", "u/", "u/n=NN"],
        ],
    );
}

#[test]
fn an_upload_over_a_file() {
    try_everywhere(
        "an_upload_over_a_file",
        |share| upload(share, "b", "NN").map_or_else(code, |()| Vec::new()),
        &[BEFORE, &["a=A", "b=NN", "d/", "d/s/", "d/s/y=Y", "d/x=X"]],
    );
}

#[test]
fn an_archive() {
    const NEW: [&str; 2] = ["n/", "n/f=F"];
    let with = |more: &[&'static str], x| [&["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", x][..], more].concat();
    // Each thing comes whole or not at all.
    let allowed = [
        with(&[], "d/x=N"),
        with(&NEW, "d/x=X"),
        with(&["n/"], "d/x=X"),
        with(&["n/"], "d/x=N"),
        with(&NEW, "d/x=N"),
    ];
    let allowed: Vec<&[&str]> = [BEFORE].into_iter().chain(allowed.iter().map(|one| &one[..])).collect();
    try_everywhere("an_archive", |share| of_unpacked(unpack(share, &[("n/f", "F"), ("d/x", "N")])), &allowed);
}

#[test]
fn a_move() {
    try_everywhere(
        "a_move",
        |share| of_act(relocate(share, steps(&[("a", "d/a")]), Clash::Ask, me())),
        &[BEFORE, &["b=B", "d/", "d/a=A", "d/s/", "d/s/y=Y", "d/x=X"]],
    );
}

#[test]
fn a_move_to_another_name() {
    try_everywhere(
        "a_move_to_another_name",
        |share| of_act(relocate(share, steps(&[("a", "b")]), Clash::Rename, me())),
        &[BEFORE, &["b (1)=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X"]],
    );
}

#[test]
fn a_move_over_a_file() {
    // Before the name is taken away that is not wished any more, both are there.
    try_everywhere(
        "a_move_over_a_file",
        |share| of_act(relocate(share, steps(&[("a", "b")]), Clash::Replace, me())),
        &[
            BEFORE,
            &["a=A", "b=A", "d/", "d/s/", "d/s/y=Y", "d/x=X"],
            &["b=A", "d/", "d/s/", "d/s/y=Y", "d/x=X"],
        ],
    );
}

#[test]
fn a_move_over_a_file_and_its_undo() {
    try_everywhere(
        "a_move_over_a_file_and_its_undo",
        |share| and_undo(share, relocate(share, steps(&[("a", "b")]), Clash::Replace, me())),
        &[
            &["a=A", "b=A", "d/", "d/s/", "d/s/y=Y", "d/x=X"],
            &["b=A", "d/", "d/s/", "d/s/y=Y", "d/x=X"],
            BEFORE,
        ],
    );
}

#[test]
fn a_copy_of_a_folder() {
    try_everywhere(
        "a_copy_of_a_folder",
        |share| of_act(copy(share, steps(&[("d", "e")]), Clash::Ask, me())),
        &[BEFORE, &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X", "e/", "e/s/", "e/s/y=Y", "e/x=X"]],
    );
}

#[test]
fn a_copy_over_a_file() {
    try_everywhere(
        "a_copy_over_a_file",
        |share| of_act(copy(share, steps(&[("a", "b")]), Clash::Replace, me())),
        &[BEFORE, &["a=A", "b=A", "d/", "d/s/", "d/s/y=Y", "d/x=X"]],
    );
}

#[test]
fn a_deletion() {
    try_everywhere(
        "a_deletion",
        |share| of_act(trash::delete(share, vec![path("a")], me())),
        &[BEFORE, &["b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X"]],
    );
}

#[test]
fn a_deletion_and_its_undo() {
    try_everywhere(
        "a_deletion_and_its_undo",
        |share| and_undo(share, trash::delete(share, vec![path("d")], me())),
        &[&["a=A", "b=B"], BEFORE],
    );
}

#[test]
fn a_file_that_is_brought_back_over_another() {
    try_everywhere(
        "a_file_that_is_brought_back_over_another",
        |share| {
            let deleted = of_act(trash::delete(share, vec![path("b")], me()));
            if !deleted.is_empty() {
                return deleted;
            }
            let moved = of_act(relocate(share, steps(&[("d/x", "b")]), Clash::Ask, me()));
            if !moved.is_empty() {
                return moved;
            }
            let found: Vec<_> = trash::list(share).unwrap().items.iter().map(|item| item.id).collect();
            of_act(trash::restore(share, &found, Clash::Replace, me()))
        },
        &[
            BEFORE,
            &["a=A", "d/", "d/s/", "d/s/y=Y", "d/x=X"],
            &["a=A", "b=X", "d/", "d/s/", "d/s/y=Y"],
            &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y"],
        ],
    );
}

#[test]
fn names_that_are_exchanged() {
    try_everywhere(
        "names_that_are_exchanged",
        |share| {
            // Beforehand, and by no step of ours.
            for (from, to) in
                [("a", "1"), ("b", "2"), (".lanthorn-store/versions/a", ".lanthorn-store/versions/1")]
            {
                let _ = std::fs::rename(share_path(share, from), share_path(share, to));
            }
            let rule = NameRule::Number { text: "{n}".into(), start: 1 };
            of_act(rename(share, vec![path("2"), path("1")], &rule, false, me()))
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
    let root = share.root.open_folder(&RelPath::root()).unwrap().into_folder();
    let folder = std::fs::read_link(format!("/proc/self/fd/{}", root.as_raw_fd())).unwrap();
    folder.join(name)
}

#[test]
fn folders_that_are_made() {
    try_everywhere(
        "folders_that_are_made",
        |share| of_act(make_folder(share, path("n/m"), true, me())),
        &[
            BEFORE,
            &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X", "n/"],
            &["a=A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X", "n/", "n/m/"],
        ],
    );
}

#[test]
fn a_version_that_comes_back() {
    try_everywhere(
        "a_version_that_comes_back",
        |share| {
            let id = versions::list(share, &path("a")).unwrap()[0].id;
            versions::restore(share, &path("a"), id, me()).map_or_else(code, |_| Vec::new())
        },
        &[BEFORE, &["a=was A", "b=B", "d/", "d/s/", "d/s/y=Y", "d/x=X"]],
    );
}

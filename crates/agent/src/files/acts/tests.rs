//! What acts do, each on its own: on a real folder, seen from outside.

use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use proto::api::writing::{Acted, Clash, NameRule, Outcome};
use proto::{ErrorCode, PrincipalId, RelPath, UndoToken};

use super::{Step, copy, make_folder, relocate, rename, trash, undo};
use crate::agent::Share;
use crate::files::versions;
use crate::files::write::WriteError;
use crate::testing::World;

pub(in crate::files) fn path(text: &str) -> RelPath {
    text.parse().unwrap()
}

pub(in crate::files) fn steps(pairs: &[(&str, &str)]) -> Vec<Step> {
    pairs.iter().map(|(from, to)| Step { from: path(from), to: Ok(path(to)) }).collect()
}

/// A world, and somebody who acts in it.
struct Desk {
    world: World,
    share: std::sync::Arc<Share>,
    me: PrincipalId,
}

impl Desk {
    fn new(files: &[(&str, &str)]) -> Self {
        let world = World::new();
        for (name, content) in files {
            world.write(name, content.as_bytes());
        }
        let share = world.shared();
        Self { world, share, me: PrincipalId::generate() }
    }

    fn relocate(&self, pairs: &[(&str, &str)], clash: Clash) -> Acted {
        relocate(&self.share, steps(pairs), clash, self.me).unwrap()
    }

    fn copy(&self, pairs: &[(&str, &str)], clash: Clash) -> Acted {
        copy(&self.share, steps(pairs), clash, self.me).unwrap()
    }

    fn delete(&self, paths: &[&str]) -> Acted {
        trash::delete(&self.share, paths.iter().map(|text| path(text)).collect(), self.me).unwrap()
    }

    fn rename(&self, paths: &[&str], rule: &NameRule, preview: bool) -> Acted {
        let paths = paths.iter().map(|text| path(text)).collect();
        rename(&self.share, paths, rule, preview, self.me).unwrap()
    }

    fn undo(&self, acted: &Acted) -> Acted {
        undo(&self.share, acted.undo.expect("nothing was done"), self.me).unwrap()
    }

    /// Everything in the share: paths, and what files hold, folders end with `/`, links show where they point.
    fn tree(&self) -> Vec<String> {
        let mut found = Vec::new();
        list(&self.world.path(""), "", &mut found);
        found.sort();
        found
    }

    #[track_caller]
    fn holds(&self, expected: &[&str]) {
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(self.tree(), expected);
    }
}

pub(in crate::files) fn list(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let kind = entry.file_type().unwrap();
        if name == ".lanthorn-store" || name == ".lanthorn-index" {
            continue;
        }
        if kind.is_symlink() {
            found.push(format!("{name}->{}", std::fs::read_link(entry.path()).unwrap().display()));
        } else if kind.is_dir() {
            found.push(format!("{name}/"));
            list(&entry.path(), &format!("{name}/"), found);
        } else {
            found.push(format!("{name}={}", std::fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

fn outcomes(acted: &Acted) -> Vec<Outcome> {
    acted.items.iter().map(|item| item.outcome).collect()
}

#[track_caller]
fn code(acted: &Acted, item: usize) -> ErrorCode {
    acted.items[item].error.as_ref().expect("it did not fail").code
}

use Outcome::{Done, Failed, Renamed, Replaced, Skipped};

#[test]
fn a_move_and_its_undo_and_the_undo_of_that() {
    let desk = Desk::new(&[("a", "A"), ("d/x", "X")]);
    let moved = desk.relocate(&[("a", "d/b"), ("d", "e")], Clash::Ask);
    assert_eq!(outcomes(&moved), [Done, Done]);
    desk.holds(&["e/", "e/b=A", "e/x=X"]);
    let undone = desk.undo(&moved);
    assert_eq!(outcomes(&undone), [Done, Done]);
    desk.holds(&["a=A", "d/", "d/x=X"]);
    let again = desk.undo(&undone);
    desk.holds(&["e/", "e/b=A", "e/x=X"]);
    desk.undo(&again);
    desk.holds(&["a=A", "d/", "d/x=X"]);
}

#[test]
fn a_token_is_for_who_acted_and_is_used_once() {
    let desk = Desk::new(&[("a", "A")]);
    let token = desk.relocate(&[("a", "b")], Clash::Ask).undo.unwrap();
    let try_it = |token, by| undo(&desk.share, token, by);
    assert!(matches!(try_it(token, PrincipalId::generate()), Err(WriteError::NotYours)));
    assert!(matches!(try_it(UndoToken::generate(), desk.me), Err(WriteError::Gone)));
    try_it(token, desk.me).unwrap();
    assert!(matches!(try_it(token, desk.me), Err(WriteError::Gone)));
    desk.holds(&["a=A"]);
}

#[test]
fn what_changed_since_is_left_alone_and_the_rest_is_undone() {
    let desk = Desk::new(&[("a", "A"), ("b", "B"), ("c", "C")]);
    let moved = desk.relocate(&[("a", "a2"), ("b", "b2"), ("c", "c2")], Clash::Ask);
    std::fs::rename(desk.world.path("a2"), desk.world.path("elsewhere")).unwrap();
    desk.world.write("a2", b"other");
    desk.world.write("b", b"new b");
    let undone = desk.undo(&moved);
    assert_eq!(outcomes(&undone), [Done, Failed, Failed]);
    assert_eq!([code(&undone, 1), code(&undone, 2)], [ErrorCode::NotUndoable; 2]);
    desk.holds(&["a2=other", "b=new b", "b2=B", "c=C", "elsewhere=A"]);
}

#[test]
fn an_undo_that_could_do_nothing_can_be_tried_again() {
    let desk = Desk::new(&[("a", "A")]);
    let moved = desk.relocate(&[("a", "b")], Clash::Ask);
    desk.world.write("a", b"in the way");
    assert_eq!(outcomes(&desk.undo(&moved)), [Failed]);
    std::fs::remove_file(desk.world.path("a")).unwrap();
    assert_eq!(outcomes(&desk.undo(&moved)), [Done]);
    desk.holds(&["a=A"]);
}

#[test]
fn what_a_move_meets_is_dealt_with_as_wished() {
    for (clash, outcome, expected) in [
        (Clash::Ask, Failed, ["a=A", "b.txt=B"].as_slice()),
        (Clash::Skip, Skipped, &["a=A", "b.txt=B"]),
        (Clash::Rename, Renamed, &["b (1).txt=A", "b.txt=B"]),
        (Clash::Replace, Replaced, &["b.txt=A"]),
    ] {
        let desk = Desk::new(&[("a", "A"), ("b.txt", "B")]);
        let moved = desk.relocate(&[("a", "b.txt")], clash);
        assert_eq!(outcomes(&moved), [outcome], "{clash:?}");
        desk.holds(expected);
        if moved.undo.is_some() {
            let undone = desk.undo(&moved);
            desk.holds(&["a=A", "b.txt=B"]);
            desk.undo(&undone);
            assert!(!desk.tree().contains(&"a=A".to_owned()), "{clash:?}: the undo was undone");
        }
    }
}

#[test]
fn a_copy_meets_things_likewise() {
    for (clash, outcome, expected) in [
        (Clash::Ask, Failed, ["a=A", "b.txt=B"].as_slice()),
        (Clash::Skip, Skipped, &["a=A", "b.txt=B"]),
        (Clash::Rename, Renamed, &["a=A", "b (1).txt=A", "b.txt=B"]),
        (Clash::Replace, Replaced, &["a=A", "b.txt=A"]),
    ] {
        let desk = Desk::new(&[("a", "A"), ("b.txt", "B")]);
        let copied = desk.copy(&[("a", "b.txt")], clash);
        assert_eq!(outcomes(&copied), [outcome], "{clash:?}");
        desk.holds(expected);
        if copied.undo.is_some() {
            desk.undo(&copied);
            desk.holds(&["a=A", "b.txt=B"]);
        }
    }
}

#[test]
fn a_folder_is_never_replaced() {
    for clash in [Clash::Ask, Clash::Replace] {
        let desk = Desk::new(&[("d/x", "X"), ("e/y", "Y"), ("f", "F")]);
        let pairs = [("d", "e"), ("f", "e"), ("d", "f")];
        for acted in [desk.relocate(&pairs, clash), desk.copy(&pairs, clash)] {
            assert_eq!(outcomes(&acted), [Failed; 3]);
            assert!((0..3).all(|item| code(&acted, item) == ErrorCode::Exists), "{acted:?}");
            assert_eq!(acted.undo, None);
        }
        desk.holds(&["d/", "d/x=X", "e/", "e/y=Y", "f=F"]);
    }
    let desk = Desk::new(&[("d/x", "X"), ("e/y", "Y")]);
    desk.copy(&[("d", "e")], Clash::Rename);
    desk.holds(&["d/", "d/x=X", "e (1)/", "e (1)/x=X", "e/", "e/y=Y"]);
}

#[test]
fn odd_ways_are_refused_and_the_rest_goes_on() {
    let desk = Desk::new(&[("d/x", "X"), ("f", "F")]);
    for (from, to, expected) in [
        ("d", "d/inside", ErrorCode::BadPath),
        ("d", "d/x/y", ErrorCode::BadPath),
        ("gone", "g", ErrorCode::NotFound),
        ("f", "gone/g", ErrorCode::NotFound),
        ("f", "d/x/y", ErrorCode::NotFolder),
        ("f", "CON", ErrorCode::BadName),
        ("f", "dot.", ErrorCode::BadName),
        ("", "g", ErrorCode::IsFolder),
        ("f", "", ErrorCode::Exists),
    ] {
        for acted in [desk.relocate(&[(from, to)], Clash::Ask), desk.copy(&[(from, to)], Clash::Ask)] {
            assert_eq!(code(&acted, 0), expected, "{from} -> {to}");
        }
    }
    let no_path = Step { from: path("f"), to: Err(proto::ApiError::new(ErrorCode::BadPath, "no", "path")) };
    let mut mixed = steps(&[("gone", "g")]);
    mixed.push(no_path);
    mixed.extend(steps(&[("f", "g")]));
    let moved = relocate(&desk.share, mixed, Clash::Ask, desk.me).unwrap();
    assert_eq!(outcomes(&moved), [Failed, Failed, Done]);
    desk.holds(&["d/", "d/x=X", "g=F"]);
}

#[test]
fn links_are_moved_copied_and_deleted_as_links() {
    let desk = Desk::new(&[("d/f", "inside")]);
    std::fs::write(desk.world.outside().join("secret"), "secret").unwrap();
    symlink("../secret", desk.world.path("out")).unwrap();
    symlink("d", desk.world.path("in")).unwrap();
    symlink("../../secret", desk.world.path("d/out")).unwrap();
    desk.copy(&[("out", "out2"), ("in", "in2"), ("d", "e")], Clash::Ask);
    desk.relocate(&[("out", "out3")], Clash::Ask);
    let deleted = desk.delete(&["in"]);
    desk.holds(&[
        "d/",
        "d/f=inside",
        "d/out->../../secret",
        "e/",
        "e/f=inside",
        "e/out->../../secret",
        "in2->d",
        "out2->../secret",
        "out3->../secret",
    ]);
    desk.undo(&deleted);
    assert!(desk.tree().contains(&"in->d".to_owned()));
    assert_eq!(code(&desk.delete(&["out2/x"]), 0), ErrorCode::OutsideShare);
    assert_eq!(code(&desk.relocate(&[("d/f", "out2")], Clash::Replace), 0), ErrorCode::Exists);
    assert_eq!(std::fs::read_to_string(desk.world.outside().join("secret")).unwrap(), "secret");
}

#[test]
fn a_copy_has_the_times_and_rights_and_none_of_our_own_files() {
    use std::os::unix::fs::PermissionsExt;
    let desk = Desk::new(&[("d/x", "X"), ("d/.lanthorn-store/old", "ours")]);
    std::fs::set_permissions(desk.world.path("d/x"), std::fs::Permissions::from_mode(0o741)).unwrap();
    let past = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    std::fs::File::open(desk.world.path("d/x")).unwrap().set_modified(past).unwrap();
    std::fs::File::open(desk.world.path("d")).unwrap().set_modified(past).unwrap();
    desk.copy(&[("d", "e"), ("d/x", "y")], Clash::Ask);
    for name in ["e", "e/x", "y"] {
        let is = std::fs::metadata(desk.world.path(name)).unwrap();
        let was = std::fs::metadata(desk.world.path(if name == "e" { "d" } else { "d/x" })).unwrap();
        assert_eq!((is.modified().unwrap(), is.mode()), (past, was.mode()), "{name}");
        assert_ne!(is.ino(), was.ino());
    }
    assert!(!desk.world.path("e/.lanthorn-store").exists());
}

#[test]
fn folders_are_made_and_unmade() {
    let desk = Desk::new(&[("f", "F")]);
    let make = |text: &str, parents| make_folder(&desk.share, path(text), parents, desk.me).unwrap();
    let made = make("a/b/c", true);
    assert_eq!(outcomes(&made), [Done]);
    assert_eq!(outcomes(&make("a/b", true)), [Skipped]);
    assert_eq!(code(&make("a/b", false), 0), ErrorCode::Exists);
    assert_eq!(code(&make("x/y", false), 0), ErrorCode::NotFound);
    assert_eq!(code(&make("f/y", true), 0), ErrorCode::NotFolder);
    assert_eq!(code(&make("nul/y", true), 0), ErrorCode::BadName);
    assert_eq!(code(&make("", false), 0), ErrorCode::Exists);
    desk.world.write("a/new", b"new");
    let undone = desk.undo(&made);
    assert_eq!(outcomes(&undone), [Done, Done, Failed], "the folder that holds something stays");
    desk.holds(&["a/", "a/new=new", "f=F"]);
    desk.undo(&undone);
    desk.holds(&["a/", "a/b/", "a/b/c/", "a/new=new", "f=F"]);
}

#[test]
fn the_trash_gives_back_what_it_got() {
    let desk = Desk::new(&[("d/x", "X"), ("d/y", "Y"), ("f", "F")]);
    let deleted = desk.delete(&["f", "gone", "d"]);
    assert_eq!(outcomes(&deleted), [Done, Failed, Done]);
    desk.holds(&[]);
    let listed = trash::list(&desk.share).unwrap();
    assert_eq!(listed.items.iter().map(|item| item.path.to_string()).collect::<Vec<_>>(), ["d", "f"]);
    assert!(listed.items.iter().all(|item| item.deleted_by == desk.me));
    desk.world.write("f", b"new f");
    let ids: Vec<_> = listed.items.iter().map(|item| item.id).collect();
    let restored = trash::restore(&desk.share, &ids, Clash::Ask, desk.me).unwrap();
    assert_eq!(outcomes(&restored), [Done, Failed]);
    desk.holds(&["d/", "d/x=X", "d/y=Y", "f=new f"]);
    let over = trash::restore(&desk.share, &ids, Clash::Replace, desk.me).unwrap();
    assert_eq!((code(&over, 0), outcomes(&over)[1]), (ErrorCode::Gone, Replaced));
    desk.holds(&["d/", "d/x=X", "d/y=Y", "f=F"]);
    desk.undo(&over);
    desk.holds(&["d/", "d/x=X", "d/y=Y", "f=new f"]);
    assert!(trash::list(&desk.share).unwrap().items.is_empty());
}

#[test]
fn what_is_restored_gets_back_the_folders_it_was_in() {
    let desk = Desk::new(&[("a/b/f", "F")]);
    let deleted = desk.delete(&["a/b/f"]);
    std::fs::remove_dir_all(desk.world.path("a")).unwrap();
    let undone = desk.undo(&deleted);
    desk.holds(&["a/", "a/b/", "a/b/f=F"]);
    desk.undo(&undone);
    desk.holds(&[]);
    trash::empty(&desk.share, None).unwrap();
    assert!(trash::list(&desk.share).unwrap().items.is_empty());
    assert!(matches!(trash::empty(&desk.share, Some(proto::TrashId::generate())), Err(WriteError::Gone)));
}

/// Makes `name` a file with one version, `old`.
fn with_version(desk: &Desk, name: &str, old: &str, new: &str) {
    desk.world.write(name, old.as_bytes());
    desk.world.write("incoming", new.as_bytes());
    desk.relocate(&[("incoming", name)], Clash::Replace);
    assert_eq!(contents(desk, name), [old]);
}

fn contents(desk: &Desk, name: &str) -> Vec<String> {
    let versions = versions::list(&desk.share, &path(name)).unwrap();
    let read = |id| versions::open(&desk.share, &path(name), id).unwrap().file;
    versions.iter().map(|version| std::io::read_to_string(read(version.id)).unwrap()).collect()
}

#[test]
fn versions_go_where_their_files_go() {
    let desk = Desk::new(&[]);
    with_version(&desk, "d/f", "old", "new");
    desk.relocate(&[("d", "e")], Clash::Ask);
    assert_eq!((contents(&desk, "e/f"), contents(&desk, "d/f")), (vec!["old".into()], vec![]));
    let deleted = desk.delete(&["e/f"]);
    assert!(contents(&desk, "e/f").is_empty());
    // A new file of that name has versions of its own.
    with_version(&desk, "e/f", "second", "third");
    desk.relocate(&[("e/f", "g")], Clash::Ask);
    desk.undo(&deleted);
    assert_eq!((contents(&desk, "e/f"), contents(&desk, "g")), (vec!["old".into()], vec!["second".into()]));
    let number = NameRule::Number { text: "g{n}".into(), start: 1 };
    desk.rename(&["g"], &number, false);
    assert_eq!(contents(&desk, "g1"), ["second"]);
    // Where there are versions already, both stay.
    std::fs::remove_file(desk.world.path("e/f")).unwrap();
    desk.relocate(&[("g1", "e/f")], Clash::Ask);
    let mut both = contents(&desk, "e/f");
    both.sort();
    assert_eq!(both, ["old", "second"]);
}

#[test]
fn names_change_together() {
    let desk = Desk::new(&[("IMG 1.jpg", "1"), ("IMG 2.jpg", "2"), ("d.x/f", "F"), ("3.jpg", "3")]);
    let rule = NameRule::Replace { find: "img ".into(), with: "".into(), match_case: false };
    let all = ["IMG 1.jpg", "IMG 2.jpg", "d.x", "3.jpg"];
    let preview = desk.rename(&all, &rule, true);
    assert_eq!(outcomes(&preview), [Done, Done, Skipped, Skipped]);
    assert_eq!(preview.items[0].to.as_ref().unwrap().to_string(), "1.jpg");
    assert_eq!((preview.undo, desk.tree().len()), (None, 5));
    let renamed = desk.rename(&all, &rule, false);
    desk.holds(&["1.jpg=1", "2.jpg=2", "3.jpg=3", "d.x/", "d.x/f=F"]);
    // Everything moves up by one: each to the name that another has now, the last one to a free one.
    let up = NameRule::Number { text: "{n}".into(), start: 2 };
    let up = desk.rename(&["1.jpg", "2.jpg", "3.jpg"], &up, false);
    assert_eq!(outcomes(&up), [Done; 3]);
    desk.holds(&["2.jpg=1", "3.jpg=2", "4.jpg=3", "d.x/", "d.x/f=F"]);
    desk.undo(&up);
    desk.undo(&renamed);
    desk.holds(&["3.jpg=3", "IMG 1.jpg=1", "IMG 2.jpg=2", "d.x/", "d.x/f=F"]);
}

#[test]
fn names_are_handed_around() {
    let desk = Desk::new(&[("1", "a"), ("2", "b"), ("3", "c"), ("4", "d")]);
    with_version(&desk, "2", "old b", "b");
    let from_one = NameRule::Number { text: "{n}".into(), start: 1 };
    // In this order: 2 becomes 1, 3 becomes 2, 1 becomes 3.
    let turned = desk.rename(&["2", "3", "1"], &from_one, false);
    assert_eq!(outcomes(&turned), [Done; 3]);
    desk.holds(&["1=b", "2=c", "3=a", "4=d"]);
    assert_eq!(contents(&desk, "1"), ["old b"]);
    let back = desk.undo(&turned);
    desk.holds(&["1=a", "2=b", "3=c", "4=d"]);
    assert_eq!(contents(&desk, "2"), ["old b"]);
    desk.undo(&back);
    desk.holds(&["1=b", "2=c", "3=a", "4=d"]);
    let swapped = desk.rename(&["2", "1"], &from_one, false);
    assert_eq!(outcomes(&swapped), [Done; 2]);
    desk.holds(&["1=c", "2=b", "3=a", "4=d"]);
}

#[test]
fn new_names_that_are_taken_are_shown_and_not_used() {
    let desk = Desk::new(&[("a1.txt", "1"), ("a2.txt", "2"), ("b1.txt", "taken"), ("x", "X"), ("y", "Y")]);
    let to_b = NameRule::Replace { find: "a".into(), with: "b".into(), match_case: true };
    for preview in [true, false] {
        let acted = desk.rename(&["a1.txt", "a2.txt", "gone"], &to_b, preview);
        assert_eq!(outcomes(&acted), [Failed, Done, Failed], "{preview}");
        assert_eq!((code(&acted, 0), code(&acted, 2)), (ErrorCode::Exists, ErrorCode::NotFound));
    }
    let same = NameRule::Number { text: "same".into(), start: 1 };
    let preview = desk.rename(&["x", "y"], &same, true);
    assert_eq!(outcomes(&preview), [Done, Failed]);
    assert_eq!(preview.items[1].to, Some(path("same")), "the name is shown all the same");
    for text in ["a/b", "..", "", ".lanthorn-x", "CON", "a\nb", "end."] {
        let rule = NameRule::Number { text: text.into(), start: 1 };
        assert_eq!(code(&desk.rename(&["x"], &rule, false), 0), ErrorCode::BadName, "{text:?}");
    }
    desk.holds(&["a1.txt=1", "b1.txt=taken", "b2.txt=2", "x=X", "y=Y"]);
}

#[test]
fn texts_are_found_as_wished() {
    let desk = Desk::new(&[]);
    for (name, find, with, match_case, expected) in [
        ("ÄPFEL äpfel.txt", "äpfel", "x", false, "x x.txt"),
        ("ÄPFEL äpfel.txt", "äpfel", "x", true, "ÄPFEL x.txt"),
        ("aaa", "aa", "b", true, "ba"),
        ("a.b.c", ".b", "", true, "a.c"),
        ("txt.txt", "txt", "a", true, "a.txt"),
        ("keep", "", "x", true, "keep"),
        ("straße", "SS", "x", false, "straße"),
    ] {
        desk.world.write(name, b"");
        let rule = NameRule::Replace { find: find.into(), with: with.into(), match_case };
        let acted = desk.rename(&[name], &rule, true);
        let to = acted.items[0].to.as_ref().map_or(name.to_owned(), ToString::to_string);
        assert_eq!(to, expected, "{name} {find}");
    }
}

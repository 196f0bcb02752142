//! Folders put into shares, and files taken from share to share: what arrives, what is told, and that the rest goes on.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::rig::World;
use crate::rig::commands::{failed, run, said};

/// Every file and folder below a folder, folders with a slash, but for Lanthorn's own.
fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    walk(folder, "", &mut found);
    found.sort();
    found
}

fn walk(folder: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if name.starts_with(".lanthorn-") {
            continue;
        }
        if entry.file_type().unwrap().is_dir() {
            walk(&entry.path(), &format!("{name}/"), found);
            found.push(format!("{name}/"));
        } else {
            found.push(name);
        }
    }
}

/// A folder with names that some programs stumble over.
fn odd(home: &Path) {
    let odd = home.join("odd");
    for folder in ["empty folder", "sub/deep"] {
        std::fs::create_dir_all(odd.join(folder)).unwrap();
    }
    for name in ["a b", "-dash", "new\nline", "back\\slash", "what?*", "12:30", "sub/deep/x", "no bytes"] {
        std::fs::write(odd.join(name), if name == "no bytes" { "" } else { name }).unwrap();
    }
    std::fs::write(odd.join(std::ffi::OsStr::from_bytes(b"\xff\xfe")), "no text").unwrap();
}

#[test]
fn a_folder_arrives_with_all_its_odd_names() {
    let (world, _server, _owner) = World::set_up();
    odd(world.home.path());
    said(&world, &["put", "odd", "shared"]);
    assert_eq!(tree(&world.shared().join("odd")), tree(&world.home.path().join("odd")));
    assert_eq!(std::fs::read(world.shared().join("odd/new\nline")).unwrap(), b"new\nline");

    // Once more: nothing is replaced unasked, and with `skip` nothing is wrong.
    let (code, why) = failed(&world, &["put", "odd", "shared"]);
    assert!(code == 1 && why.contains("12:30: Something of that name is here already."), "{code} {why}");
    said(&world, &["put", "odd", "--clash", "skip", "shared"]);
    assert_eq!(tree(&world.shared()).len(), tree(&world.home.path().join("odd")).len() + 1);
}

#[test]
fn what_cannot_arrive_is_named_and_the_rest_comes() {
    let (world, _server, _owner) = World::set_up();
    let many = world.home.path().join("many");
    for n in 0..1_000 {
        let folder = many.join((n / 100).to_string());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(n.to_string()), n.to_string()).unwrap();
    }
    for bad in ["3/aux.txt", "5/dot."] {
        std::fs::write(many.join(bad), "bad").unwrap();
    }
    symlink("/etc/passwd", many.join("7/link")).unwrap();
    let (code, why) = failed(&world, &["put", "many", "shared"]);
    assert_eq!(code, 2, "{why}");
    for told in ["many/3/aux.txt: This is not a name", "many/5/dot.: This is not a name", "7/link: left out"]
    {
        assert!(why.contains(told), "{told}: {why}");
    }
    assert!(why.contains("hint: "), "{why}");
    assert_eq!(tree(&world.shared()).len(), 1_000 + 10 + 1);
    assert_eq!(std::fs::read_to_string(world.shared().join("many/9/999")).unwrap(), "999");
}

#[test]
fn what_is_in_the_way_stays_as_it_is() {
    let (world, _server, _owner) = World::set_up();
    odd(world.home.path());
    world.put("file", "a file");
    std::fs::create_dir(world.home.path().join("outside")).unwrap();
    symlink(world.home.path().join("outside"), world.shared().join("link")).unwrap();
    symlink("file", world.shared().join("link to file")).unwrap();
    for (args, expected) in [
        (&["put", "odd", "shared/file"][..], "not a folder"),
        (&["put", "odd", "shared/link"], "hint: "),
        (&["put", "odd/a b", "shared/link/"], "hint: "),
        (&["put", "odd/a b", "shared/link to file", "--clash", "replace"], "link"),
        (&["put", "odd/a b", "shared/gone/x"], "hint: "),
        (&["put", "nothing", "shared"], "hint: "),
        (&["put", "-", "shared"], "--as NAME"),
        (&["put", "odd"], "where to"),
        (&["put", "odd/a b", "shared/CON"], "Windows"),
        (&["mkdir", "shared/file/x"], "hint: "),
        (&["mkdir", "shared/file"], "hint: "),
        (&["mv", "shared/file", "shared/gone/x"], "lanthorn ls"),
        (&["rm", "shared"], "hint: "),
        (&["restore", "shared/never"], "hint: "),
        (&["versions", "shared/never"], "hint: "),
        (&["undo", "nonsense"], "undo token"),
    ] {
        let (code, why) = failed(&world, args);
        assert!((1..=5).contains(&code) && why.contains(expected), "{args:?}: {code} {why}");
        assert!(why.contains("error: "), "{args:?}: {why}");
    }
    assert_eq!(std::fs::read_dir(world.home.path().join("outside")).unwrap().count(), 0);
    assert_eq!(std::fs::read_to_string(world.shared().join("file")).unwrap(), "a file");
}

#[test]
fn folders_go_from_share_to_share_and_a_move_leaves_nothing() {
    let (world, _server, _owner) = World::set_up();
    odd(world.home.path());
    std::fs::create_dir(world.home.path().join("second")).unwrap();
    said(&world, &["shares", "add", "second"]);
    said(&world, &["put", "odd", "shared"]);
    said(&world, &["cp", "shared/odd", "second"]);
    let (here, there) = (world.shared().join("odd"), world.home.path().join("second/odd"));
    assert_eq!(tree(&there), tree(&here));
    let again = run(&world, &["cp", "shared/odd", "second"]);
    assert_eq!(again.status.code(), Some(1), "nothing is replaced unasked");
    std::fs::remove_dir_all(&there).unwrap();
    said(&world, &["mv", "shared/odd", "--clash", "rename", "second"]);
    assert_eq!(tree(&there), tree(&world.home.path().join("odd")));
    assert!(!here.exists());
    assert!(said(&world, &["restore", "shared"]).contains("odd"), "what was moved away is in the trash");
}

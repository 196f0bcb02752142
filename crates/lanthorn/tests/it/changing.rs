//! Changing files from the command line: what is where afterwards, what is said, and that nothing is lost.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};

use serde_json::Value;

use crate::rig::World;
use crate::rig::commands::{failed, said};

fn read(world: &World, name: &str) -> String {
    std::fs::read_to_string(world.shared().join(name)).unwrap()
}

/// The token in what a command said.
fn token(said: &str) -> &str {
    said.split_whitespace().last().unwrap()
}

#[test]
fn files_are_moved_copied_deleted_and_brought_back() {
    let (world, _server, _owner) = World::set_up();
    world.put("a.txt", "a");
    said(&world, &["mkdir", "--parents", "shared/d/e"]);
    let moved = said(&world, &["mv", "shared/a.txt", "shared/d"]);
    assert_eq!(read(&world, "d/a.txt"), "a");
    said(&world, &["cp", "shared/d/a.txt", "shared/b.txt"]);
    assert_eq!(read(&world, "b.txt"), "a");
    let (code, why) = failed(&world, &["cp", "shared/d/a.txt", "shared/b.txt"]);
    assert!(code == 1 && why.contains("hint: "), "{code} {why}");
    said(&world, &["cp", "shared/d/a.txt", "shared/b.txt", "--clash", "rename"]);
    assert_eq!(read(&world, "b (1).txt"), "a");
    said(&world, &["undo", token(&moved)]);
    assert_eq!(read(&world, "a.txt"), "a");
    assert_eq!(failed(&world, &["undo", token(&moved)]).0, 3, "a token is good once");
    let deleted = said(&world, &["rm", "shared/a.txt", "shared/d"]);
    assert!(!world.shared().join("d").exists());
    assert!(said(&world, &["restore", "shared"]).contains("a.txt"));
    said(&world, &["restore", "shared/a.txt"]);
    assert_eq!(read(&world, "a.txt"), "a");
    let (code, why) = failed(&world, &["undo", token(&deleted)]);
    assert!(code == 1 && why.contains("1 of 2"), "what was brought back already is said: {code} {why}");
    assert!(world.shared().join("d/e").is_dir());
    assert_eq!(failed(&world, &["rm", "shared/none"]).0, 3);
    let json: Value = serde_json::from_str(&said(&world, &["rm", "shared/b.txt", "--json"])).unwrap();
    assert_eq!(json["items"][0]["outcome"], "done");
}

#[test]
fn one_file_is_put_from_a_file_or_from_standard_input() {
    let (world, _server, _owner) = World::set_up();
    std::fs::write(world.home.path().join("note.txt"), "from a file").unwrap();
    said(&world, &["put", "note.txt", "shared"]);
    assert_eq!(read(&world, "note.txt"), "from a file");
    assert_eq!(failed(&world, &["put", "note.txt", "shared"]).0, 1);
    std::fs::write(world.home.path().join("note.txt"), "changed").unwrap();
    said(&world, &["put", "note.txt", "shared", "--clash", "replace"]);
    assert_eq!(read(&world, "note.txt"), "changed");
    let versions = said(&world, &["versions", "shared/note.txt"]);
    assert_eq!(versions.lines().count(), 2, "{versions}");
    assert_eq!(said(&world, &["versions", "shared/note.txt", "--show", "1"]), "from a file");
    let diff = said(&world, &["versions", "shared/note.txt", "--diff", "1"]);
    assert!(diff.contains("-from a file") && diff.contains("+changed"), "{diff}");
    said(&world, &["versions", "shared/note.txt", "--restore", "1"]);
    assert_eq!(read(&world, "note.txt"), "from a file");
    let mut put = world.lanthorn(["put", "-", "shared/input.txt"]);
    let mut put = put.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    put.stdin.take().unwrap().write_all(b"typed").unwrap();
    assert!(put.wait().unwrap().success());
    assert_eq!(read(&world, "input.txt"), "typed");
}

#[test]
fn a_folder_is_put_with_what_is_empty_and_what_is_large_in_it() {
    let (world, _server, _owner) = World::set_up();
    let place = |name: &str| world.home.path().join("trip").join(name);
    for folder in ["days/one", "days/two", "empty"] {
        std::fs::create_dir_all(place(folder)).unwrap();
    }
    let large = "large ".repeat(400_000);
    for (name, content) in [("days/one/a", "a"), ("days/two/b", "b"), ("days/film", &large), ("nothing", "")]
    {
        std::fs::write(place(name), content).unwrap();
    }
    let put: Value = serde_json::from_str(&said(&world, &["put", "trip", "shared", "--json"])).unwrap();
    assert_eq!((&put["files"], &put["bytes"]), (&4.into(), &(large.len() + 2).into()), "{put}");
    let shared = |name: &str| format!("trip/{name}");
    for name in ["days/one/a", "days/two/b", "days/film", "nothing"] {
        assert!(read(&world, &shared(name)) == std::fs::read_to_string(place(name)).unwrap(), "{name}");
    }
    assert!(world.shared().join("trip/empty").is_dir());
    // Once more, into folders that are there.
    std::fs::write(place("days/two/new"), "new").unwrap();
    std::fs::write(place("days/one/a"), "changed").unwrap();
    let put: Value =
        serde_json::from_str(&said(&world, &["put", "trip", "shared", "--clash", "skip", "--json"])).unwrap();
    assert_eq!(put["files"], 1, "{put}");
    assert_eq!(
        (read(&world, &shared("days/two/new")), read(&world, &shared("days/one/a"))),
        ("new".into(), "a".into())
    );
}

/// Runs `edit` with an editor that does this to the file in `$1`; `$SHARED` is the shared folder.
fn edit(world: &World, address: &str, script: &str) -> Output {
    let editor = world.home.path().join("editor.sh");
    std::fs::write(&editor, format!("#!/bin/sh\nset -e\n{script}\n")).unwrap();
    std::fs::set_permissions(&editor, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut command = world.lanthorn(["edit", address]);
    command.env("EDITOR", &editor).env("SHARED", world.shared()).output().unwrap()
}

const TEXT: &str = "one\ntwo\nthree\nfour\nfive\nsix\n";

#[test]
fn an_edit_is_saved_and_what_others_changed_meanwhile_is_merged() {
    let (world, _server, _owner) = World::set_up();
    world.put("a.txt", TEXT);
    let saved = edit(&world, "shared/a.txt", "sed -i s/one/ONE/ \"$1\"");
    assert!(saved.status.success(), "{saved:?}");
    assert_eq!(read(&world, "a.txt"), TEXT.replace("one", "ONE"));
    let merged =
        edit(&world, "shared/a.txt", "sed -i s/two/TWO/ \"$1\"; sed -i s/six/SIX/ \"$SHARED/a.txt\"");
    assert!(merged.status.success(), "{merged:?}");
    assert_eq!(read(&world, "a.txt"), "ONE\nTWO\nthree\nfour\nfive\nSIX\n");
    let none = edit(&world, "shared/a.txt", "true");
    assert!(none.status.success() && String::from_utf8_lossy(&none.stderr).contains("Nothing was changed"));
    let new = edit(&world, "shared/new.txt", "echo new > \"$1\"");
    assert!(new.status.success(), "{new:?}");
    assert_eq!(read(&world, "new.txt"), "new\n");
}

#[test]
fn an_edit_that_meets_another_is_shown_with_marks_and_never_lost() {
    let (world, _server, _owner) = World::set_up();
    world.put("a.txt", TEXT);
    // The first time both change the same line; the second time one of the two is chosen.
    let script = "if grep -q '^<<<<<<<' \"$1\"; then grep -q theirs \"$1\"; printf 'chosen\\n' > \"$1\"; \
                  else sed -i s/two/mine/ \"$1\"; sed -i s/two/theirs/ \"$SHARED/a.txt\"; fi";
    let saved = edit(&world, "shared/a.txt", script);
    assert!(saved.status.success(), "{saved:?}");
    assert_eq!(read(&world, "a.txt"), "chosen\n");
    // Who leaves the marks has saved nothing and lost nothing.
    world.put("a.txt", TEXT);
    let script = "if ! grep -q '^<<<<<<<' \"$1\"; then sed -i s/two/mine/ \"$1\"; \
                  sed -i s/two/theirs/ \"$SHARED/a.txt\"; fi";
    let left = edit(&world, "shared/a.txt", script);
    assert_eq!(left.status.code(), Some(1), "{left:?}");
    assert_eq!(read(&world, "a.txt"), TEXT.replace("two", "theirs"));
    let said = String::from_utf8(left.stderr).unwrap();
    let kept = said.lines().find_map(|line| line.strip_prefix("What you wrote is kept in ")).unwrap();
    assert!(std::fs::read_to_string(kept).unwrap().contains("mine"));
}

#[test]
fn a_large_file_goes_in_pieces_and_on_where_it_stopped() {
    let (world, _server, mut owner) = World::set_up();
    let content: Vec<u8> = (0..24_u32 << 20 | 5).flat_map(u32::to_be_bytes).collect();
    std::fs::write(world.home.path().join("large.bin"), &content).unwrap();
    let uploads = format!("{}/uploads", owner.share());
    // Stopped after a piece has arrived; a machine that is done before it is stopped begins again.
    let stopped = (0..10).any(|_| {
        let mut put = world.lanthorn(["put", "large.bin", "shared", "--clash", "replace"]);
        let mut put = put.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        loop {
            let listed = owner.get(&uploads).expect_status(200).json();
            let arrived = listed["uploads"][0]["offset"].as_u64().unwrap_or(0);
            if arrived > 0 && arrived < content.len() as u64 {
                put.kill().unwrap();
                put.wait().unwrap();
                return true;
            }
            if let Some(ended) = put.try_wait().unwrap() {
                assert!(ended.success());
                return false;
            }
        }
    });
    assert!(stopped, "it was never found under way");
    let put = said(&world, &["put", "large.bin", "shared", "--clash", "replace", "--json"]);
    let sent: Value = serde_json::from_str(&put).unwrap();
    assert!(sent["resumed_bytes"].as_u64().unwrap() >= 16 << 20, "{sent}");
    assert_eq!((&sent["files"], &sent["bytes"]), (&1.into(), &content.len().into()));
    assert!(std::fs::read(world.shared().join("large.bin")).unwrap() == content, "the content differs");
    assert_eq!(owner.get(&uploads).json()["uploads"], serde_json::json!([]));
    let (code, why) = failed(&world, &["put", "large.bin", "shared"]);
    assert!(code == 1 && why.contains("hint: "), "{code} {why}");
}

//! The command line as people and programs use it: what it says, how it ends, and what becomes of broken copies.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Value, json};

use crate::rig::commands::{failed, run, said, said_json};
use crate::rig::{Server, World};

/// More than all buffers on the way together hold.
const LARGE: usize = 24 << 20;

fn numbered(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4 + 1).flat_map(u32::to_be_bytes).take(bytes).collect()
}

/// Asks again and again until there is an answer; gives up long after there should have been one.
#[track_caller]
fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let asked = Instant::now();
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(asked.elapsed().as_secs() < 20, "not in 20 seconds: {what}");
        std::thread::yield_now();
    }
}

#[test]
fn what_there_is_is_said_to_people_and_to_programs() {
    let (world, server, _owner) = World::set_up();
    world.put("Bilder/été 1.jpg", "a picture");
    world.put("Bilder/b.txt", "text");
    assert!(
        said(&world, &["status"]).contains(&format!("Attic answers at https://127.0.0.1:{}", server.port))
    );
    assert_eq!(said_json(&world, &["status"])["me"]["owner"], true);
    assert!(said(&world, &["devices"]).contains("Attic (this machine)"));
    assert_eq!(said_json(&world, &["devices"])["devices"][0]["name"], "Attic");
    assert_eq!(said(&world, &["ls"]), "Attic:shared\n");
    assert_eq!(said(&world, &["ls", "attic:"]), "Attic:shared\n");
    assert_eq!(said_json(&world, &["ls"])["shares"][0]["name"], "shared");
    assert_eq!(said(&world, &["ls", "shared"]), "Bilder/\n");
    assert_eq!(said(&world, &["ls", "Attic:shared/Bilder/"]), "b.txt\nété 1.jpg\n");
    assert_eq!(said(&world, &["ls", "shared/Bilder/b.txt"]), "b.txt\n");
    let long = said(&world, &["ls", "-l", "shared/Bilder"]);
    assert!(
        long.starts_with("SIZE  CHANGED (UTC)") && long.contains("9 B") && !long.contains('\x1b'),
        "{long}"
    );
    let listed = said_json(&world, &["ls", ":shared/Bilder"]);
    assert_eq!(listed["entries"][1]["path"], "Bilder/été 1.jpg");
    assert_eq!(said(&world, &["cat", "shared/Bilder/b.txt", "shared/Bilder/b.txt"]), "texttext");
}

#[test]
fn a_search_says_where_things_are() {
    let (world, _server, _owner) = World::set_up();
    world.put("deep/er/needle.txt", "x");
    let found = until("it is found", || {
        let found = said(&world, &["find", "needle"]);
        (!found.is_empty()).then_some(found)
    });
    assert_eq!(found, "Attic:shared/deep/er/needle.txt\n");
    let found = said_json(&world, &["find", "needle", "--within", "Attic:shared/deep"]);
    assert_eq!(found["results"][0]["address"], "Attic:shared/deep/er/needle.txt");
    assert_eq!((&found["problems"], &found["offline"]), (&json!([]), &json!([])));
    assert_eq!(said(&world, &["find", "needle", "--kind", "image"]), "");
    assert_eq!(said(&world, &["find", "needle", "--kind", "text", "--within", "Attic:"]).lines().count(), 1);
    world.put("needle 2", "x");
    until("both are found", || (said(&world, &["find", "needle"]).lines().count() == 2).then_some(()));
    let few = run(&world, &["find", "needle", "--limit", "1"]);
    let (out, remarks) = (String::from_utf8(few.stdout).unwrap(), String::from_utf8(few.stderr).unwrap());
    assert!(
        few.status.success() && out.lines().count() == 1 && remarks.contains("--limit"),
        "{out}{remarks}"
    );
    let none = run(&world, &["find", "haystack"]);
    assert!(none.status.success() && none.stdout.is_empty());
    assert_eq!(String::from_utf8(none.stderr).unwrap(), "Nothing was found.\n");
    assert_eq!(said(&world, &["cat", "Attic:shared/deep/er/needle.txt"]), "x");
}

#[test]
fn how_a_command_ends_is_told_by_its_exit_code_and_one_sentence() {
    let (world, _server, _owner) = World::set_up();
    world.put("a.txt", "a");
    for (args, code, named) in [
        (&["ls", "Cellar:shared"][..], 3, "no device \"Cellar\""),
        (&["ls", "Cellar:shared"], 3, "There is: Attic."),
        (&["ls", "Attic:films"], 3, "There is: shared."),
        (&["cat", "shared/none.txt"], 3, "hint: "),
        (&["get", "shared/none.txt"], 3, "no \"Attic:shared/none.txt\""),
        (&["ls", "shared/none/none"], 3, "no \"Attic:shared/none/none\""),
        (&["get", "shared/a.txt", "nowhere/a.txt"], 3, "no such folder"),
        (&["get", "shared/a.txt", "/proc/a.txt"], 3, "hint: "),
        (&["pair", "127.0.0.1:1"], 5, "hint: See that Lanthorn runs there"),
        (&["cat", "shared"], 2, "a folder"),
        (&["cat", "shared/../x"], 2, "no address"),
        (&["ls", "/etc"], 2, "names no share"),
        (&["find"], 2, "WORDS"),
        (&["ls", "--nonsense"], 2, "--nonsense"),
        (&["ls", "--on", "nowhere"], 3, "nowhere"),
        (&["get", "shared/a.txt", "nowhere/"], 3, "no folder"),
    ] {
        let (found, said) = failed(&world, args);
        assert!(found == code && said.contains(named), "{args:?}: {found}, {said}");
    }
}

#[test]
fn without_a_running_lanthorn_commands_say_so() {
    let (world, server, _owner) = World::set_up();
    let (left, _) = running(&world);
    assert!(server.end().success());
    assert!(!left.exists(), "the file goes with the process");
    let (code, said) = failed(&world, &["ls"]);
    assert!(code == 5 && said.contains("does not run"), "{code}, {said}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    point_at(&world, nobody);
    let (code, said) = failed(&world, &["ls"]);
    assert!(code == 5 && said.contains("does not answer"), "a file left over: {code}, {said}");
}

#[test]
fn nobody_else_is_told_anything_at_the_port() {
    let (world, _server, _owner) = World::set_up();
    let (other, other_server, _) = World::set_up();
    drop(other);
    point_at(&world, SocketAddr::from(([127, 0, 0, 1], other_server.port)));
    let (code, said) = failed(&world, &["ls"]);
    assert!(code == 4 && said.contains("another certificate"), "{code}, {said}");
}

#[test]
fn shares_come_and_go() {
    let (world, _server, _owner) = World::set_up();
    let more = world.home.path().join("more");
    std::fs::create_dir(&more).unwrap();
    assert!(said(&world, &["shares", "add", "more", "--as", "More: films"]).contains("More: films"));
    assert_eq!(said(&world, &["ls"]), "Attic:More: films\nAttic:shared\n");
    let table = said(&world, &["shares"]);
    assert!(table.starts_with("SHARE") && table.contains(more.to_str().unwrap()), "{table}");
    assert_eq!(said_json(&world, &["shares"])["shares"].as_array().unwrap().len(), 2);
    said(&world, &["shares", "rm", ":More: films"]);
    assert_eq!(said(&world, &["ls"]), "Attic:shared\n");
    assert_eq!(failed(&world, &["shares", "add", "nowhere"]).0, 3);
    assert_eq!(failed(&world, &["shares", "rm", "shared/deep"]).0, 2);
}

#[test]
fn an_invitation_is_made_and_taken_back() {
    let (world, _server, _owner) = World::set_up();
    let made = said_json(&world, &["invite", "Grace", "--share", "shared", "--for", "2h"]);
    assert_eq!(made["invite"]["grants"][0]["permissions"], json!(["read", "download"]));
    assert!(made["url"].as_str().unwrap().contains("/invite#"), "{made}");
    assert!(said(&world, &["invite", "Ada"]).contains("/invite#"));
    assert!(said(&world, &["revoke", "--invite", "Grace"]).contains("Grace"));
    assert_eq!(failed(&world, &["revoke", "--invite", "Linus"]).0, 3);
    assert_eq!(failed(&world, &["revoke"]).0, 2);
    assert_eq!(failed(&world, &["invite", "Ada", "--for", "soon"]).0, 2);
}

#[test]
fn a_copy_has_the_content_and_the_time_of_the_original() {
    let (world, _server, _owner) = World::set_up();
    let content = numbered(3 << 20 | 77);
    world.put("film.bin", &content);
    world.put("empty", "");
    let changed = SystemTime::UNIX_EPOCH + Duration::from_millis(1_500_000_000_123);
    let original = std::fs::File::options().write(true).open(world.shared().join("film.bin")).unwrap();
    original.set_modified(changed).unwrap();
    let home = world.home.path();
    let told = said_json(&world, &["get", "Attic:shared/film.bin"]);
    assert_eq!(
        (&told["files"], &told["bytes"], &told["target"]),
        (&json!(1), &json!(content.len()), &json!("film.bin"))
    );
    assert!(std::fs::read(home.join("film.bin")).unwrap() == content, "the content differs");
    assert_eq!(home.join("film.bin").metadata().unwrap().modified().unwrap(), changed);
    assert!(hidden(home).is_empty(), "{:?}", hidden(home));
    std::fs::create_dir(home.join("in")).unwrap();
    said(&world, &["get", "shared/empty", "in"]);
    assert_eq!(std::fs::read(home.join("in/empty")).unwrap(), b"");
    let output = run(&world, &["get", "shared/film.bin", "-"]);
    assert!(output.status.success() && output.stdout == content, "to standard output");
}

#[test]
fn a_disk_that_takes_no_more_is_named_and_what_is_there_is_gone_on_with() {
    let (world, _server, _owner) = World::set_up();
    let content = numbered(LARGE);
    world.put("film.bin", &content);
    // A limit on the length of files stands in for a full disk: 8 MiB, in blocks of 512 bytes.
    let binary = env!("CARGO_BIN_EXE_lanthorn");
    let script = format!("trap '' XFSZ; ulimit -f 16384; exec '{binary}' get shared/film.bin");
    let limited = world.program("sh", ["-c", &script]).output().unwrap();
    let said_why = String::from_utf8(limited.stderr).unwrap();
    assert_eq!(limited.status.code(), Some(1), "{said_why}");
    assert!(said_why.contains("too large for this disk") && said_why.contains("hint: "), "{said_why}");
    assert!(!world.home.path().join("film.bin").exists());
    said(&world, &["get", "shared/film.bin"]);
    assert!(std::fs::read(world.home.path().join("film.bin")).unwrap() == content, "the content differs");
}

#[test]
fn many_commands_at_once_wait_their_turn() {
    let (world, _server, _owner) = World::set_up();
    let all: Vec<_> = (0..24)
        .map(|_| world.lanthorn(["ls"]).stdout(std::process::Stdio::piped()).spawn().unwrap())
        .collect();
    for child in all {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success() && ended.stdout == b"Attic:shared\n", "{ended:?}");
    }
}

#[test]
fn nothing_is_written_over_without_force() {
    let (world, _server, _owner) = World::set_up();
    world.put("a.txt", "new");
    let target = world.home.path().join("a.txt");
    std::fs::write(&target, "old").unwrap();
    let (code, said_why) = failed(&world, &["get", "shared/a.txt"]);
    assert!(code == 1 && said_why.contains("--force"), "{code}, {said_why}");
    assert_eq!(std::fs::read(&target).unwrap(), b"old");
    said(&world, &["get", "--force", "shared/a.txt"]);
    assert_eq!(std::fs::read(&target).unwrap(), b"new");
}

#[test]
fn a_folder_is_copied_with_all_that_is_in_it() {
    use std::os::unix::ffi::OsStrExt;
    let (world, _server, _owner) = World::set_up();
    let latin = PathBuf::from(std::ffi::OsStr::from_bytes(b"latin\xe9"));
    let odd = [Path::new("12:30.txt"), Path::new("back\\slash"), Path::new("a/deep/er/x"), &latin];
    for path in odd {
        let path = world.shared().join("Things").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, path.as_os_str().as_bytes()).unwrap();
    }
    std::fs::create_dir(world.shared().join("Things/empty")).unwrap();
    let changed = SystemTime::UNIX_EPOCH + Duration::from_millis(1_400_000_000_250);
    for folder in ["Things/a/deep", "Things/a", "Things/empty", "Things"] {
        std::fs::File::open(world.shared().join(folder)).unwrap().set_modified(changed).unwrap();
    }
    std::os::unix::fs::symlink(".", world.shared().join("Things/round")).unwrap();
    let told = said_json(&world, &["get", "shared/Things", "copy"]);
    assert_eq!((&told["files"], &told["unchanged"], &told["failed"]), (&json!(4), &json!(0), &json!([])));
    assert_eq!(told["left_out"], json!(["Attic:shared/Things/round"]));
    let copy = world.home.path().join("copy");
    for path in odd {
        let original = world.shared().join("Things").join(path);
        assert_eq!(std::fs::read(copy.join(path)).unwrap(), original.as_os_str().as_bytes());
    }
    assert!(copy.join("empty").is_dir() && !copy.join("round").exists());
    for folder in [".", "a", "a/deep", "empty"] {
        let modified = copy.join(folder).metadata().unwrap().modified().unwrap();
        // The link was put into the folder itself after its time was set.
        assert!(folder == "." || modified == changed, "{folder}: {modified:?}");
    }
    std::fs::remove_file(copy.join("12:30.txt")).unwrap();
    let again = said_json(&world, &["get", "shared/Things", "copy"]);
    assert_eq!(
        (&again["files"], &again["unchanged"]),
        (&json!(1), &json!(3)),
        "what is there is not copied anew"
    );
    std::fs::write(copy.join("12:30.txt"), "mine").unwrap();
    let (code, said_why) = failed(&world, &["get", "shared/Things", "copy"]);
    assert!(code == 1 && said_why.contains("12:30.txt"), "{code}, {said_why}");
    assert_eq!(std::fs::read(copy.join("12:30.txt")).unwrap(), b"mine");
}

#[test]
fn a_name_that_is_none_here_is_refused_and_the_rest_is_copied() {
    let (world, _server, _owner) = World::set_up();
    world.put("Things/new\nline", "x");
    world.put("Things/fine", "y");
    let (code, said_why) = failed(&world, &["get", "shared/Things"]);
    assert!(code == 1 && said_why.contains("control characters"), "{code}, {said_why}");
    assert_eq!(std::fs::read(world.home.path().join("Things/fine")).unwrap(), b"y");
}

#[test]
fn a_broken_connection_is_gone_on_with_where_it_broke() {
    let (world, server, _owner) = World::set_up();
    let content = numbered(LARGE);
    world.put("film.bin", &content);
    let proxy = Proxy::before(&world, &server, Fault::Cut);
    let output = run(&world, &["get", "shared/film.bin"]);
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && said.contains("trying again"), "{said}");
    assert!(std::fs::read(world.home.path().join("film.bin")).unwrap() == content, "the content differs");
    let passed = proxy.passed.load(Ordering::SeqCst) as usize;
    assert!(passed < LARGE + LARGE / 3, "{passed} bytes came");
}

#[test]
fn what_ctrl_c_broke_off_is_gone_on_with() {
    let (world, _server, content) = broken_off();
    let told = said_json(&world, &["get", "shared/film.bin"]);
    let resumed = told["resumed_bytes"].as_u64().unwrap();
    assert!(resumed > 0 && resumed < LARGE as u64, "{told}");
    assert!(std::fs::read(world.home.path().join("film.bin")).unwrap() == content, "the content differs");
    assert!(hidden(world.home.path()).is_empty());
}

#[test]
fn what_changed_in_between_is_copied_anew() {
    let (world, _server, content) = broken_off();
    let changed: Vec<u8> = content.iter().map(|byte| !byte).collect();
    world.put("film.bin", &changed);
    let told = said_json(&world, &["get", "shared/film.bin"]);
    assert_eq!(told["resumed_bytes"], 0);
    assert!(std::fs::read(world.home.path().join("film.bin")).unwrap() == changed, "two versions were mixed");
}

#[test]
fn what_changes_on_the_way_is_copied_anew() {
    let (world, server, _owner) = World::set_up();
    world.put("film.bin", numbered(LARGE));
    let proxy = Proxy::before(&world, &server, Fault::Stall);
    let child = world.lanthorn(["get", "shared/film.bin"]).spawn().unwrap();
    until("some of it is there", || partial(world.home.path()));
    let changed: Vec<u8> = numbered(LARGE / 2).iter().map(|byte| !byte).collect();
    world.put("film.bin", &changed);
    proxy.cut();
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(std::fs::read(world.home.path().join("film.bin")).unwrap() == changed, "two versions were mixed");
}

#[test]
fn shells_learn_the_commands() {
    let world = World::new();
    for shell in ["bash", "zsh", "fish"] {
        let script = said(&world, &["completion", shell]);
        assert!(["devices", "find", "get"].iter().all(|word| script.contains(word)), "{shell}");
    }
}

#[test]
fn a_reader_that_has_had_enough_is_no_error() {
    let (world, _server, _owner) = World::set_up();
    world.put("film.bin", numbered(LARGE));
    let mut child = world
        .lanthorn(["cat", "shared/film.bin"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.take().unwrap().read_exact(&mut [0; 10]).unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!((ended.status.code(), String::from_utf8(ended.stderr).unwrap()), (Some(0), String::new()));
}

/// A large file of which a part was copied when somebody pressed Ctrl-C.
fn broken_off() -> (World, Server, Vec<u8>) {
    let (world, server, _owner) = World::set_up();
    let content = numbered(LARGE);
    world.put("film.bin", &content);
    let proxy = Proxy::before(&world, &server, Fault::Stall);
    let mut child = world.lanthorn(["get", "shared/film.bin"]).spawn().unwrap();
    until("some of it is there", || partial(world.home.path()));
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    drop(proxy);
    point_at(&world, SocketAddr::from(([127, 0, 0, 1], server.port)));
    assert!(!world.home.path().join("film.bin").exists(), "a part got the name of the whole");
    (world, server, content)
}

fn hidden(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with(".lanthorn-")).collect()
}

/// Something, once a partial file has some content.
fn partial(folder: &Path) -> Option<()> {
    let part =
        hidden(folder).into_iter().find(|path| path.extension().is_some_and(|ending| ending == "part"))?;
    (part.metadata().ok()?.len() > 0).then_some(())
}

fn running(world: &World) -> (PathBuf, Value) {
    let path = world.home.path().join(".local/state/lanthorn/running.json");
    let found = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    (path, found)
}

/// Has commands believe that Lanthorn answers at another address.
fn point_at(world: &World, address: SocketAddr) {
    use std::os::unix::fs::OpenOptionsExt;
    let path = world.home.path().join(".local/state/lanthorn/running.json");
    let text = json!({ "address": address, "pid": 1 }).to_string();
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

/// What happens to the first connection after a third of the large file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    Cut,
    /// Nothing comes any more, until it is cut.
    Stall,
}

/// Stands between commands and the coordinator, and is at fault once.
struct Proxy {
    passed: Arc<AtomicU64>,
    gate: Arc<(Mutex<bool>, Condvar)>,
}

impl Proxy {
    fn before(world: &World, server: &Server, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        point_at(world, listener.local_addr().unwrap());
        let proxy = Self { passed: Arc::default(), gate: Arc::default() };
        let (passed, gate, port) = (Arc::clone(&proxy.passed), Arc::clone(&proxy.gate), server.port);
        if fault == Fault::Cut {
            proxy.cut();
        }
        std::thread::spawn(move || {
            let fault_left = Arc::new(AtomicU64::new(1));
            for near in listener.incoming().flatten() {
                let far = TcpStream::connect(("127.0.0.1", port)).unwrap();
                let (mut up_from, mut up_to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                std::thread::spawn(move || std::io::copy(&mut up_from, &mut up_to));
                let (passed, gate, fault_left) =
                    (Arc::clone(&passed), Arc::clone(&gate), Arc::clone(&fault_left));
                std::thread::spawn(move || pass(far, near, &passed, &gate, &fault_left));
            }
        });
        proxy
    }

    /// Cuts what is stalled, and what will be.
    fn cut(&self) {
        *self.gate.0.lock().unwrap() = true;
        self.gate.1.notify_all();
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut();
    }
}

fn pass(
    mut far: TcpStream,
    mut near: TcpStream,
    passed: &AtomicU64,
    gate: &(Mutex<bool>, Condvar),
    fault_left: &AtomicU64,
) {
    let (mut buffer, mut here) = (vec![0; 64 << 10], 0);
    while let Ok(read @ 1..) = far.read(&mut buffer) {
        if near.write_all(&buffer[..read]).is_err() {
            break;
        }
        passed.fetch_add(read as u64, Ordering::SeqCst);
        here += read;
        if here > LARGE / 3 && fault_left.swap(0, Ordering::SeqCst) == 1 {
            let mut open = gate.0.lock().unwrap();
            while !*open {
                open = gate.1.wait(open).unwrap();
            }
            break;
        }
    }
    let _ = (near.shutdown(Shutdown::Both), far.shutdown(Shutdown::Both));
}

#[test]
fn a_forgotten_pin_is_replaced_on_the_machine_itself() {
    let (world, _server, mut owner) = World::set_up();
    let replace = |pin: &str| {
        let mut command = world.lanthorn(["pin"]);
        let piped = command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
        let mut child = piped.stderr(std::process::Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{pin}\n").as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    };
    let refused = replace("12");
    assert_eq!(refused.status.code(), Some(2), "{}", String::from_utf8_lossy(&refused.stderr));
    owner.get("/api/v1/auth/me").expect_status(200);
    assert!(replace("918273").status.success());
    owner.get("/api/v1/auth/me").expect_status(401);
    owner.sign_in("918273").expect_status(200);
}

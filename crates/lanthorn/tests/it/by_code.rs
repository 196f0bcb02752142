//! Codes without pairing: two programs that were never introduced, a coordinator or none between them.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use peer::code::{Code, Mailbox, Met, Waiting};
use serde_json::Value;
use tokio::net::TcpStream;

use crate::rig::commands::failed;
use crate::rig::hosts::Network;
use crate::rig::{World, until};

/// A program that gives, and what it says.
struct Giver {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Giver {
    fn start(world: &World, args: &[&str]) -> Self {
        Self::begin(world.lanthorn([&["send", "--json"], args].concat()))
    }

    fn begin(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// The next thing that happens of this name.
    fn event(&mut self, name: &str) -> Value {
        for line in self.lines.by_ref() {
            let event: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if event["event"] == name {
                return event;
            }
        }
        panic!("it ended without {name}");
    }

    /// The code, and where it is exchanged.
    fn code(&mut self) -> (String, String) {
        let event = self.event("code");
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&event["code"]), text(&event["rendezvous"]["address"]))
    }

    #[track_caller]
    fn ends_well(mut self) {
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Giver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn receiving(world: &World, code: &str, at: &str, more: &[&str]) -> Command {
    world.lanthorn([&["receive", code, "--yes", "--rendezvous", at], more].concat())
}

#[track_caller]
fn received(world: &World, code: &str, at: &str, more: &[&str]) -> Vec<u8> {
    let output = receiving(world, code, at, more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4).flat_map(u32::to_be_bytes).collect()
}

fn text_of(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// What is in a folder, with hidden things.
fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn into(world: &World) -> PathBuf {
    world.home.path().join("into")
}

#[test]
fn two_strangers_meet_at_a_coordinator_and_nothing_else_stays() {
    let (attic, _server, _) = World::set_up();
    let stranger = World::new();
    let large = content(9 << 20);
    attic.put("album/film.bin", &large);
    attic.put("album/deep/empty", "");
    attic.put("note.txt", "hello");
    let (album, note) = (attic.shared().join("album"), attic.shared().join("note.txt"));
    let mut giver = Giver::start(&attic, &[text_of(&album), text_of(&note)]);
    let (code, at) = giver.code();
    received(&stranger, &code, &at, &["--into", "into"]);
    assert_eq!(giver.event("begun")["way"], "lan");
    assert_eq!(giver.event("done")["bytes"], large.len() as u64 + 5);
    giver.ends_well();
    let into = into(&stranger);
    assert_eq!(std::fs::read(into.join("album/film.bin")).unwrap(), large);
    assert_eq!(std::fs::read(into.join("album/deep/empty")).unwrap(), b"");
    assert_eq!(std::fs::read(into.join("note.txt")).unwrap(), b"hello");
    assert_eq!(names_in(&into), ["album", "note.txt"]);
    assert!(!stranger.state().exists(), "a stranger leaves no key anywhere");
}

#[test]
fn without_a_coordinator_the_giver_hosts_the_rendezvous() {
    let (one, other) = (World::new(), World::new());
    one.put("note.txt", "hello");
    let note = one.shared().join("note.txt");
    let mut giver = Giver::start(&one, &[text_of(&note), "--downloads", "2"]);
    let (code, at) = giver.code();
    assert_eq!(code.split('-').next().unwrap().len(), 3, "so that two of them are seldom the same");
    for _ in 0..2 {
        received(&other, &code, &at, &["--into", "into"]);
    }
    giver.ends_well();
    assert_eq!(names_in(&into(&other)), ["note (1).txt", "note.txt"], "nothing is replaced");
}

#[test]
fn a_wrong_guess_burns_the_code_and_both_are_told() {
    let (one, other) = (World::new(), World::new());
    one.put("note.txt", "hello");
    let note = one.shared().join("note.txt");
    let mut giver = Giver::start(&one, &[text_of(&note)]);
    let (code, at) = giver.code();
    let nameplate = code.split('-').next().unwrap();
    let receive = |code: &str| failed(&other, &["receive", code, "--yes", "--rendezvous", &at]);
    let (exit, said) = receive(&format!("{nameplate}-hamburgers-endorse"));
    assert_eq!(exit, 4);
    assert!(said.contains("Did you mean hamburger?") && said.contains("still good"), "{said}");
    let guess = if code.ends_with("-aardvark") { "adroitness-absurd" } else { "adroitness-aardvark" };
    let (exit, said) = receive(&format!("{nameplate}-{guess}"));
    assert_eq!(exit, 4, "{said}");
    assert!(said.contains("wrong, and burnt"), "{said}");
    assert_eq!(giver.event("burnt")["guesses"], 1);
    let (another, _) = giver.code();
    assert_ne!(another, code);
    let (exit, said) = receive(&code);
    assert!(exit != 0 && !said.is_empty(), "the right one is good no more");
    let another = if said.contains("burnt") { giver.code().0 } else { another };
    received(&other, &another, &at, &["--into", "into"]);
    giver.ends_well();
    let (exit, said) = receive("5");
    assert_eq!(exit, 2, "{said}");
}

#[test]
fn a_text_and_standard_input_go_to_standard_output() {
    let (one, other) = (World::new(), World::new());
    let mut giver = Giver::start(&one, &["--text", "two\nlines"]);
    let (code, at) = giver.code();
    assert_eq!(received(&other, &code, &at, &[]), b"two\nlines\n");
    giver.ends_well();
    let large = content(5 << 20);
    let mut command = one.lanthorn(["send", "--json", "-"]);
    command.stdin(Stdio::piped());
    let mut giver = Giver::begin(command);
    giver.child.stdin.take().unwrap().write_all(&large).unwrap();
    let (code, at) = giver.code();
    assert!(received(&other, &code, &at, &["--output", "-"]) == large);
    giver.ends_well();
    assert_eq!(names_in(other.home.path()), ["shared"]);
}

#[test]
fn who_is_interrupted_takes_the_same_code_again_and_goes_on() {
    let (one, other) = (World::new(), World::new());
    let large = content(48 << 20);
    one.put("large.bin", &large);
    let file = one.shared().join("large.bin");
    let mut giver = Giver::start(&one, &[text_of(&file), "--limit-rate", "16MiB"]);
    let (code, at) = giver.code();
    let mut first = receiving(&other, &code, &at, &["--into", "into"]).stderr(Stdio::null()).spawn().unwrap();
    let incoming = into(&other).join(".lanthorn-store/incoming");
    until("some of it is verified and written down", || {
        let transfer = std::fs::read_dir(&incoming).ok()?.next()?.ok()?;
        let journal = std::fs::metadata(transfer.path().join("journal")).ok()?;
        (journal.len() > 0).then_some(())
    });
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(giver.event("begun")["resumed"], false);
    assert!(!into(&other).join("large.bin").exists(), "what is not whole is not there");
    // The giver may not have noticed yet that nobody is there any more.
    until("it is taken again", || {
        let again = receiving(&other, &code, &at, &["--into", "into"]).output().unwrap();
        again.status.success().then_some(())
    });
    assert_eq!(giver.event("begun")["resumed"], true);
    giver.event("done");
    giver.ends_well();
    assert!(std::fs::read(into(&other).join("large.bin")).unwrap() == large);
    assert_eq!(names_in(&into(&other)), ["large.bin"]);
}

#[test]
fn two_bare_machines_on_a_network_find_each_other() {
    // The router and the one host are on one wire.
    let Some(network) = Network::new(1) else { return };
    let (one, other) = (World::on(&network.router), World::on(&network.hosts[0]));
    one.put("note.txt", "hello");
    let note = one.shared().join("note.txt");
    let mut giver = Giver::start(&one, &[text_of(&note)]);
    let (code, _) = giver.code();
    let output = other.lanthorn(["receive", &code, "--yes", "--into", "into"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    giver.ends_well();
    assert_eq!(std::fs::read(into(&other).join("note.txt")).unwrap(), b"hello");
    let (exit, said) = failed(&other, &["receive", &code, "--yes"]);
    assert_eq!(exit, 3, "{said}");
    assert!(said.contains("Nobody waits"), "{said}");
}

#[test]
fn without_a_direct_way_it_goes_through_the_relay_where_they_met() {
    let Some(network) = Network::new(3) else { return };
    let [coordinator, a, b] = &network.hosts[..] else { unreachable!() };
    let (_attic, _server, _) = World::on(coordinator).started(["--port", "7000", "--no-browser"]);
    let (one, other) = (World::on(a), World::on(b));
    let _cut = network.cut(&[(1, 2, ""), (2, 1, "")]);
    let large = content(3 << 20);
    one.put("large.bin", &large);
    let (file, at) = (one.shared().join("large.bin"), format!("http://{}:7000", coordinator.address));
    let mut giver = Giver::start(&one, &[text_of(&file), "--rendezvous", &at]);
    let (code, _) = giver.code();
    received(&other, &code, &at, &["--into", "into"]);
    assert_eq!(giver.event("begun")["way"], "relayed");
    giver.ends_well();
    assert!(std::fs::read(into(&other).join("large.bin")).unwrap() == large);
}

/// Says a word and hears one, with the code that it is given or makes.
const PYTHON: &str = r#"
import sys
from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import react
import wormhole

@inlineCallbacks
def go(reactor, url, code):
    w = wormhole.create("lanthorn/test", url, reactor)
    if code == "-":
        w.allocate_code(2)
    else:
        w.set_code(code)
    code = yield w.get_code()
    print(code, flush=True)
    w.send_message(b"from python")
    got = yield w.get_message()
    print(got.decode(), flush=True)
    yield w.close()

react(go, sys.argv[1:])
"#;

/// The Python client, where it is installed (`pip install magic-wormhole`; LANTHORN_TEST_PYTHON names another Python).
fn python() -> Option<PathBuf> {
    let python = std::env::var_os("LANTHORN_TEST_PYTHON").map_or_else(|| "python3".into(), PathBuf::from);
    let has_it = Command::new(&python).args(["-c", "import wormhole"]).stderr(Stdio::null()).status();
    if has_it.is_ok_and(|status| status.success()) {
        return Some(python);
    }
    eprintln!("skipped: the Python package magic-wormhole is not installed");
    None
}

async fn mailbox(port: u16) -> Mailbox {
    let at = format!("127.0.0.1:{port}");
    let stream = TcpStream::connect(&at).await.unwrap();
    Mailbox::enter(Box::new(stream), &at, "/v1", "lanthorn/test").await.unwrap()
}

async fn exchange(mut met: Met) {
    met.say(b"from lanthorn").await.unwrap();
    assert_eq!(met.hear().await.unwrap(), b"from python");
    met.close().await;
}

#[test]
fn the_python_client_and_ours_understand_each_other_here() {
    let Some(python) = python() else { return };
    let (_attic, server, _) = World::set_up();
    let url = format!("ws://127.0.0.1:{}/v1", server.port);
    let start = |code: &str| {
        let mut command = Command::new(&python);
        command.args(["-c", PYTHON, &url, code]).stdout(Stdio::piped()).spawn().unwrap()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let finish = |mut child: Child, mut out: BufReader<ChildStdout>| {
        let mut said = String::new();
        out.read_to_string(&mut said).unwrap();
        assert_eq!(said.trim(), "from lanthorn");
        assert!(child.wait().unwrap().success());
    };
    // Theirs is the code.
    let mut child = start("-");
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut code = String::new();
    out.read_line(&mut code).unwrap();
    let code: Code = code.parse().unwrap();
    runtime.block_on(async {
        let waiting = Waiting::join(mailbox(server.port).await, code).await.unwrap();
        exchange(waiting.meet_soon().await.unwrap()).await;
    });
    finish(child, out);
    // Ours is the code.
    let waiting = runtime.block_on(async { Waiting::offer(mailbox(server.port).await, None).await.unwrap() });
    let mut child = start(&waiting.code().to_string());
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut String::new()).unwrap();
    runtime.block_on(async { exchange(waiting.meet().await.unwrap()).await });
    finish(child, out);
}

#[test]
fn a_link_stands_beside_the_code_where_a_browser_could_open_it() {
    let (attic, server, _) = World::set_up();
    attic.put("notes/one.txt", "hello");
    let file = attic.shared().join("notes/one.txt");
    let mut giver = Giver::start(&attic, &[text_of(&file)]);
    let event = giver.event("code");
    let link = event["link"].as_str().unwrap();
    let (_, secret) = link.rsplit_once("/d/").unwrap();
    let mut visitor = crate::rig::Browser::at(format!("127.0.0.1:{}", server.port).parse().unwrap());
    let seen = visitor.get(&format!("/api/v1/drops/{secret}")).expect_status(200).json();
    assert_eq!(
        (&seen["items"][0]["name"], &seen["downloads_left"]),
        (&Value::from("one.txt"), &Value::from(1))
    );
    let taken = visitor.get(&format!("/api/v1/drops/{secret}/files/0")).expect_status(200);
    assert_eq!(taken.body, b"hello");
    visitor.get(&format!("/api/v1/drops/{secret}/files/0")).expect_status(410);
    let pid = rustix::process::Pid::from_child(&giver.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(giver.child.wait().unwrap().code(), Some(130));
    visitor.get(&format!("/api/v1/drops/{secret}")).expect_status(404);
    attic.put("folder/x", "");
    let mut giver = Giver::start(&attic, &[text_of(&attic.shared().join("folder"))]);
    assert!(giver.event("code")["link"].is_null(), "what is left out of a folder is in no archive");
}

#[test]
fn what_is_taken_back_ends_for_who_is_taking_it() {
    let (one, other) = (World::new(), World::new());
    one.put("large.bin", content(48 << 20));
    let file = one.shared().join("large.bin");
    let mut giver = Giver::start(&one, &[text_of(&file), "--limit-rate", "8MiB"]);
    let (code, at) = giver.code();
    let mut command = receiving(&other, &code, &at, &["--into", "into"]);
    let taker = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    giver.event("begun");
    let pid = rustix::process::Pid::from_child(&giver.child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).unwrap();
    assert_eq!(giver.child.wait().unwrap().code(), Some(130));
    let output = taker.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("taken it back"), "{said}");
    assert!(!into(&other).join("large.bin").exists());
}

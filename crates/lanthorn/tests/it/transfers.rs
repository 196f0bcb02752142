//! Sending from machine to machine: to one's own without a question, to others' with their consent.

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::rig::commands::{failed, said, said_json};
use crate::rig::{Browser, Joining, Server, World, until};

/// The coordinator's machine, whose owner has the cellar too; and the laptop of a guest.
struct Stage {
    attic: World,
    attic_server: Server,
    owner: Browser,
    cellar: World,
    _cellar_server: Server,
    laptop: World,
    _laptop_server: Server,
    cellar_id: String,
}

impl Stage {
    fn set() -> Self {
        Self::set_with(&[], &["--no-shares"])
    }

    /// With the coordinator's machine started so, and the laptop paired so.
    fn set_with(args: &[&str], words: &[&str]) -> Self {
        let (attic, attic_server, mut owner) = World::new().started(args);
        let (cellar, _cellar_server, _) = World::set_up();
        let (laptop, _laptop_server, _) = World::set_up();
        Joining::begin(&cellar, &attic_server).confirm(&mut owner);
        let share = until("the cellar's share is seen", || owner.shares_elsewhere().pop());
        let part = |at: usize| share.split('/').nth(at).unwrap().to_owned();
        let (cellar_id, share) = (part(4), part(6));
        let rights = json!({ "share": share, "permissions": ["read", "request_send"] });
        let made = json!({ "name": "Grace", "lifetime_seconds": 600, "grants": [rights] });
        let made = owner.post("/api/v1/invites", made).expect_status(201).json();
        let secret = made["text"].as_str().unwrap().rsplit('#').next().unwrap();
        let invitation = format!("https://127.0.0.1:{}/invite#{secret}", attic_server.port);
        let joined = laptop.lanthorn([&["pair", &*invitation], words].concat()).output().unwrap();
        assert!(joined.status.success(), "{joined:?}");
        Self { attic, attic_server, owner, cellar, _cellar_server, laptop, _laptop_server, cellar_id }
    }

    fn attic_id(&self) -> String {
        let all = said_json(&self.attic, &["devices"]);
        let own = all["devices"].as_array().unwrap().iter().find(|device| device["local"] == true).cloned();
        own.unwrap()["id"].as_str().unwrap().to_owned()
    }

    fn inbox(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.cellar.state().join("inbox").join(name)).ok()
    }
}

/// Sends, and says what happened: an event a line. The last one has the transfer.
fn sent(from: &World, args: &[&str]) -> Vec<Value> {
    let said = said(from, &[&["send", "--json"], args].concat());
    said.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The transfer as it ended.
fn ended(events: &[Value]) -> &Value {
    let last = events.last().unwrap();
    assert_eq!(last["event"], "ended", "{events:?}");
    &last["transfer"]
}

/// What waits for the owner's answer.
fn waiting(owner: &mut Browser) -> Value {
    until("the offer is there", || {
        let all = owner.get("/api/v1/transfers?role=incoming").expect_status(200).json();
        let waiting = |transfer: &&Value| transfer["state"] == "pending_receiver_approval";
        all["transfers"].as_array().unwrap().iter().find(waiting).cloned()
    })
}

fn content(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4).flat_map(u32::to_be_bytes).collect()
}

#[test]
fn to_ones_own_machine_it_goes_without_a_question() {
    let stage = Stage::set();
    let large = content(9 << 20);
    stage.attic.put("album/film.bin", &large);
    stage.attic.put("album/empty", "");
    stage.attic.put("note.txt", "hello");
    let sent_all = |more: &[&str]| {
        let album = stage.attic.shared().join("album");
        let note = stage.attic.shared().join("note.txt");
        let paths = [album.to_str().unwrap(), note.to_str().unwrap()];
        ended(&sent(&stage.attic, &[&paths[..], more].concat())).clone()
    };
    let transfer = until("the cellar lets the attic in", || {
        let transfer = sent_all(&["--to", &stage.cellar_id]);
        (transfer["state"] == "completed").then_some(transfer)
    });
    assert_eq!(transfer["items"][1]["final_path"], "note.txt");
    assert!(stage.inbox("album/film.bin").unwrap() == large);
    assert_eq!(stage.inbox("album/empty").unwrap(), b"");
    assert_eq!(stage.inbox("note.txt").unwrap(), b"hello");
    let again = sent_all(&["--to", &stage.cellar_id]);
    assert_eq!(again["items"][1]["final_path"], "note (1).txt");
}

#[test]
fn to_others_it_goes_with_their_consent_and_the_passcode_they_told() {
    let mut stage = Stage::set();
    stage.laptop.put("letter.txt", "dear Ada");
    let letter = stage.laptop.shared().join("letter.txt");
    let on = format!("127.0.0.1:{}", stage.attic_server.port);
    let (laptop, cellar) = (&stage.laptop, stage.cellar_id.clone());
    let send = |more: &[&str]| {
        let words = ["send", letter.to_str().unwrap(), "--on", &on, "--to", &cellar];
        let mut command = laptop.lanthorn([&words, more].concat());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let sending = send(&["--passcode", "4711"]);
    let offer = waiting(&mut stage.owner);
    assert_eq!(
        (&offer["sender_name"], &offer["items"][0]["filename"]),
        (&json!("Grace"), &json!("letter.txt"))
    );
    let id = offer["id"].as_str().unwrap();
    let taken = said_json(&stage.attic, &["inbox", "accept", id, "--passcode", "4711"]);
    assert_eq!(taken["state"], "approved_pending_sender_passcode");
    let sent = sending.wait_with_output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    assert_eq!(stage.inbox("letter.txt").unwrap(), b"dear Ada");

    let sending = send(&["--passcode", "0000"]);
    let id = waiting(&mut stage.owner)["id"].as_str().unwrap().to_owned();
    said_json(&stage.attic, &["inbox", "accept", &id, "--passcode", "4711"]);
    let sent = sending.wait_with_output().unwrap();
    assert_eq!(sent.status.code(), Some(4), "a wrong passcode: {sent:?}");
    assert!(stage.inbox("letter (1).txt").is_none());
    // Nobody has to be asked again to try another.
    let sent = send(&["--passcode", "4711"]).wait_with_output().unwrap();
    assert!(sent.status.success(), "{sent:?}");
    assert_eq!(stage.inbox("letter (1).txt").unwrap(), b"dear Ada");

    // To the person, who has a machine for it.
    let by_name = ["send", letter.to_str().unwrap(), "--on", &on, "--to", "Owner", "--passcode", "4711"];
    let sending = laptop.lanthorn(by_name).stderr(Stdio::piped()).spawn().unwrap();
    let offered = waiting(&mut stage.owner);
    said_json(&stage.attic, &["inbox", "accept", offered["id"].as_str().unwrap(), "--passcode", "4711"]);
    assert!(sending.wait_with_output().unwrap().status.success());

    let sending = send(&[]);
    let id = waiting(&mut stage.owner)["id"].as_str().unwrap().to_owned();
    said_json(&stage.attic, &["inbox", "reject", &id, "--reason", "not now"]);
    let sent = sending.wait_with_output().unwrap();
    let why = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert!(!sent.status.success() && why.contains("not now"), "{sent:?}");
}

#[test]
fn a_share_of_one_machine_is_sent_to_a_person_by_who_may_read_there() {
    let mut stage = Stage::set_with(&[], &[]);
    let large = content(9 << 20);
    stage.cellar.put("album/film.bin", &large);
    stage.cellar.put("album/in/note.txt", "hello");
    stage.cellar.put("album/skip.tmp", "not this");
    stage.cellar.put("album/.meshignore", "*.tmp");
    let shares = stage.owner.get("/api/v1/catalog/shares").expect_status(200).json();
    let on_cellar = |share: &&Value| share["device_id"] == json!(stage.cellar_id) && share["inbox"] != true;
    let source = shares["shares"].as_array().unwrap().iter().find(on_cellar).unwrap()["id"].clone();
    let people = stage.owner.get("/api/v1/people").expect_status(200).json();
    let is_grace = |person: &&Value| person["display_name"] == "Grace";
    let grace = people["people"].as_array().unwrap().iter().find(is_grace).unwrap()["id"].clone();
    let made = until("the laptop is there to receive", || {
        let source = json!({"share_id": source, "paths": ["album"]});
        let offer = json!({"receiver_principal_id": grace, "source": source});
        let made = stage.owner.post("/api/v1/transfers", offer);
        (made.status == 201).then(|| made.json())
    });
    assert_eq!(made["state"], "pending_receiver_approval");
    let id = made["id"].as_str().unwrap();
    let on = format!("127.0.0.1:{}", stage.attic_server.port);
    said_json(&stage.laptop, &["inbox", "accept", id, "--passcode", "4711", "--on", &on]);
    let open = format!("/api/v1/transfers/{id}/passcode/open");
    stage.owner.post(&open, json!({"passcode": "4711"})).expect_status(200);
    let over = until("it came to its end", || {
        let transfer = stage.owner.get(&format!("/api/v1/transfers/{id}")).expect_status(200).json();
        ["completed", "failed"].contains(&transfer["state"].as_str().unwrap()).then_some(transfer)
    });
    assert_eq!((&over["state"], &over["items"][0]["files"]), (&json!("completed"), &json!(3)), "{over}");
    let inbox = stage.laptop.state().join("inbox/album");
    assert!(std::fs::read(inbox.join("film.bin")).unwrap() == large);
    assert_eq!(std::fs::read(inbox.join("in/note.txt")).unwrap(), b"hello");
    assert!(!inbox.join("skip.tmp").exists());
}

#[test]
fn what_cannot_be_sent_is_said_before_anybody_is_asked() {
    let stage = Stage::set();
    let (code, why) = failed(&stage.attic, &["send", "/nowhere/at/all", "--to", &stage.cellar_id]);
    assert!(code == 3 && why.contains("/nowhere/at/all"), "{code} {why}");
    stage.attic.put("a", "a");
    let path = stage.attic.shared().join("a");
    let (code, why) = failed(&stage.attic, &["send", path.to_str().unwrap(), "--to", "nobody"]);
    assert!(code == 3 && why.contains("nobody"), "{code} {why}");
}

#[test]
fn a_command_that_was_killed_goes_on_when_it_is_typed_again() {
    let mut stage = Stage::set();
    // More pieces than there are streams, so that some are there before others.
    let large = content(32 << 20);
    stage.attic.put("film.bin", &large);
    let film = stage.attic.shared().join("film.bin");
    let words = [film.to_str().unwrap(), "--to", &stage.cellar_id];
    let slow = [&["send", "--json", "--limit-rate", "12M"], &words[..]].concat();
    let mut slow = stage.attic.lanthorn(slow).stdout(Stdio::null()).spawn().unwrap();
    let owner = &mut stage.owner;
    let mut only = || {
        let all = owner.get("/api/v1/transfers").expect_status(200).json();
        let all = all["transfers"].as_array().unwrap().clone();
        assert!(all.len() <= 1, "{all:?}");
        all.into_iter().next()
    };
    let begun = until("a piece has come", || only().filter(|it| it["items"][0]["received_size"] != 0));
    slow.kill().unwrap();
    slow.wait().unwrap();
    let events = sent(&stage.attic, &words);
    assert!(events.iter().any(|event| event["event"] == "begun" && event["resumed"] == true), "{events:?}");
    assert_eq!((&ended(&events)["id"], &ended(&events)["state"]), (&begun["id"], &json!("completed")));
    assert_eq!(only().unwrap()["id"], begun["id"]);
    assert!(stage.inbox("film.bin").unwrap() == large);
    // What is over is not gone on with.
    let again = sent(&stage.attic, &words);
    assert_ne!(ended(&again)["id"], begun["id"]);
}

#[test]
fn where_only_quic_leads_the_command_borrows_it_from_the_running_process() {
    let stage = Stage::set_with(&["--lanes", "quic"], &["--no-shares"]);
    stage.attic.put("note.txt", "hello");
    let note = stage.attic.shared().join("note.txt");
    let words = [note.to_str().unwrap(), "--to", &stage.cellar_id, "--lanes", "quic"];
    let events = sent(&stage.attic, &words);
    let begun = events.iter().find(|event| event["event"] == "begun").unwrap();
    assert_eq!(begun["way"], "direct", "{events:?}");
    assert_eq!(stage.inbox("note.txt").unwrap(), b"hello");
}

#[test]
fn text_and_what_comes_on_standard_input_are_sent_too() {
    let stage = Stage::set();
    let mut piped = stage.attic.lanthorn([
        "send",
        "-",
        "--stdin-name",
        "dump.sql",
        "--text",
        "hi",
        "--to",
        &stage.cellar_id,
    ]);
    let mut piped = piped.stdin(Stdio::piped()).spawn().unwrap();
    piped.stdin.take().unwrap().write_all(b"insert").unwrap();
    assert!(piped.wait().unwrap().success());
    assert_eq!(stage.inbox("dump.sql").unwrap(), b"insert");
    assert_eq!(stage.inbox("text.txt").unwrap(), b"hi");
}

#[test]
fn what_is_excluded_stays_and_what_makes_no_sense_is_said() {
    let stage = Stage::set();
    stage.attic.put("tree/keep", "1");
    stage.attic.put("tree/drop.tmp", "2");
    stage.attic.put("tree/.meshignore", "cache/\n");
    stage.attic.put("tree/cache/big", "3");
    let tree = stage.attic.shared().join("tree");
    let tree = tree.to_str().unwrap();
    let events = sent(&stage.attic, &[tree, "--exclude", "*.tmp", "--to", &stage.cellar_id]);
    assert_eq!(ended(&events)["items"][0]["files"], 2);
    assert_eq!(stage.inbox("tree/keep").unwrap(), b"1");
    assert!(stage.inbox("tree/drop.tmp").is_none() && stage.inbox("tree/cache/big").is_none());
    for (flag, wrong) in [("--exclude", "[z-a]"), ("--limit-rate", "fast")] {
        let (code, why) = failed(&stage.attic, &["send", tree, flag, wrong, "--to", &stage.cellar_id]);
        assert!(code == 2 && why.contains(wrong), "{code} {why}");
    }
}

#[test]
fn a_machine_takes_things_unattended_from_whom_its_owner_trusts() {
    let stage = Stage::set();
    let on = format!("127.0.0.1:{}", stage.attic_server.port);
    // Trust is the word of a machine for itself: here the coordinator's own.
    let attic = stage.attic_id();
    // Shares stand in the order of their machines' keys, which is another each time.
    let shares = said_json(&stage.attic, &["ls"])["shares"].clone();
    let own = shares.as_array().unwrap().iter().find(|share| share["device_id"] == attic.as_str());
    let share = own.unwrap()["id"].as_str().unwrap().to_owned();
    said(
        &stage.attic,
        &["shares", "grant", &format!("{attic}:{share}"), "Grace", "--may", "read,request_send"],
    );
    said(&stage.attic, &["inbox", "trust", "Grace", "--max", "1k"]);
    assert!(said(&stage.attic, &["inbox", "trusted"]).contains("Grace"));
    stage.laptop.put("small", "dear Ada");
    stage.laptop.put("large", content(2000));
    let send = |name: &str| {
        let path = stage.laptop.shared().join(name);
        sent(&stage.laptop, &[path.to_str().unwrap(), "--on", &on, "--to", &attic])
    };
    assert_eq!(ended(&send("small"))["state"], "completed");
    let all = said_json(&stage.attic, &["inbox"]);
    let id = all["transfers"][0]["id"].as_str().unwrap().to_owned();
    said(&stage.attic, &["transfers", "label", &id, "first letter"]);
    assert_eq!(said_json(&stage.attic, &["inbox"])["transfers"][0]["label"], "first letter");

    let large = stage.laptop.shared().join("large");
    let words = ["send", large.to_str().unwrap(), "--on", &on, "--to", &attic];
    let asking = stage.laptop.lanthorn(words).stderr(Stdio::piped()).spawn().unwrap();
    let waiting = until("the large one is offered", || {
        let all = said_json(&stage.laptop, &["transfers", "--on", &on]);
        let all = all["transfers"].as_array().unwrap().clone();
        all.into_iter().find(|it| it["state"] == "pending_receiver_approval")
    });
    said(&stage.laptop, &["transfers", "cancel", waiting["id"].as_str().unwrap(), "--on", &on]);
    let asked = asking.wait_with_output().unwrap();
    let why = String::from_utf8_lossy(&asked.stderr).into_owned();
    assert!(!asked.status.success() && why.contains("given up"), "{why}");
    said(&stage.attic, &["inbox", "distrust", "Grace"]);
    assert!(!said(&stage.attic, &["inbox", "trusted"]).contains("Grace"));
}

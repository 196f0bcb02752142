//! Sending from machine to machine: to one's own without a question, to others' with their consent.

use std::process::Stdio;

use serde_json::{Value, json};

use crate::rig::commands::{failed, said_json};
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
        let (attic, attic_server, mut owner) = World::set_up();
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
        let joined = laptop.lanthorn(["pair", &invitation, "--no-shares"]).output().unwrap();
        assert!(joined.status.success(), "{joined:?}");
        Self { attic, attic_server, owner, cellar, _cellar_server, laptop, _laptop_server, cellar_id }
    }

    fn inbox(&self, name: &str) -> Option<Vec<u8>> {
        std::fs::read(self.cellar.state().join("inbox").join(name)).ok()
    }
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
    let sent = |more: &[&str]| {
        let album = stage.attic.shared().join("album");
        let note = stage.attic.shared().join("note.txt");
        let paths = [album.to_str().unwrap(), note.to_str().unwrap()];
        said_json(&stage.attic, &[&["send"], &paths[..], more].concat())
    };
    let transfer = until("the cellar lets the attic in", || {
        let transfer = sent(&["--to", &stage.cellar_id]);
        (transfer["state"] == "completed").then_some(transfer)
    });
    assert_eq!(transfer["items"][1]["final_path"], "note.txt");
    assert!(stage.inbox("album/film.bin").unwrap() == large);
    assert_eq!(stage.inbox("album/empty").unwrap(), b"");
    assert_eq!(stage.inbox("note.txt").unwrap(), b"hello");
    let again = sent(&["--to", &stage.cellar_id]);
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

    let sending = send(&[]);
    let id = waiting(&mut stage.owner)["id"].as_str().unwrap().to_owned();
    said_json(&stage.attic, &["inbox", "reject", &id, "--reason", "not now"]);
    let sent = sending.wait_with_output().unwrap();
    let why = String::from_utf8_lossy(&sent.stderr).into_owned();
    assert!(!sent.status.success() && why.contains("not now"), "{sent:?}");
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

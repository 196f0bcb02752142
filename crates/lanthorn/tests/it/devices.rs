//! Several machines: one joins another by a code, and its files are seen through the other's page.

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::rig::{Browser, Joining, Server, World, until};

/// Two machines with owners of their own; the second has joined the first.
struct Pair {
    attic: World,
    attic_server: Server,
    owner: Browser,
    cellar: World,
    cellar_server: Server,
}

impl Pair {
    fn joined() -> Self {
        let (attic, attic_server, mut owner) = World::set_up();
        let (cellar, cellar_server, _) = World::set_up();
        Joining::begin(&cellar, &attic_server).confirm(&mut owner);
        let mut pair = Self { attic, attic_server, owner, cellar, cellar_server };
        pair.share();
        pair
    }

    /// The second machine's share, as the first one's page addresses it, once it is there.
    fn share(&mut self) -> String {
        let owner = &mut self.owner;
        until("the cellar's share is seen and answers", || {
            let share = owner.shares_elsewhere().pop()?;
            (owner.get(&format!("{share}/list?path=")).status == 200).then_some(share)
        })
    }

    fn is_online(&mut self) -> bool {
        let devices = self.owner.get("/api/v1/catalog/devices").expect_status(200).json();
        let devices = devices["devices"].as_array().unwrap();
        devices.iter().find(|device| device["local"] == false).unwrap()["online"] == true
    }
}

fn numbered(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4 + 1).flat_map(u32::to_be_bytes).take(bytes).collect()
}

#[test]
fn a_second_machine_joins_by_a_code_and_its_files_are_read_through_the_first() {
    let began = Instant::now();
    let mut pair = Pair::joined();
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    let content = numbered(9 << 20 | 12_345);
    pair.cellar.put("Bilder/été.bin", &content);
    let share = pair.share();
    let listing = pair.owner.get(&format!("{share}/list?path=Bilder")).expect_status(200).json();
    assert_eq!(listing["entries"][0]["name"], "été.bin");
    let url = format!("{share}/download?path=Bilder/%C3%A9t%C3%A9.bin");
    let whole = pair.owner.get(&url).expect_status(200);
    assert!(whole.whole && whole.body == content, "the content differs");
    let part = pair.owner.get_with(&url, &[("Range", "bytes=5-9")]).expect_status(206);
    assert_eq!(part.body, content[5..10]);
    let device = share.split('/').nth(4).unwrap();
    let path = pair.owner.get(&format!("/api/v1/devices/{device}/path")).expect_status(200).json();
    assert_eq!(path["lane"], "lan", "{path}");
}

#[test]
fn a_wrong_code_joins_nothing_and_a_cancelled_one_neither() {
    let (_attic, attic_server, mut owner) = World::set_up();
    let cellar = World::new();
    let joining = Joining::begin(&cellar, &attic_server);
    owner.post("/api/v1/pairing/look", json!({ "pairing_code": "000000" })).expect_status(401);
    joining.cancel();
    let output = cellar.lanthorn(["pair"]).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("joined none"));
    assert_eq!(output.status.code(), Some(3));
    assert!(owner.shares_elsewhere().is_empty());
}

#[test]
fn who_answers_no_pairing_is_named() {
    let cellar = World::new();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = cellar.lanthorn(["pair", &free.to_string()]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(&free.to_string()), "{said}");
}

#[test]
fn a_machine_is_offline_when_it_ends_and_back_when_it_starts() {
    let mut pair = Pair::joined();
    let share = pair.share();
    let port = pair.cellar_server.port.to_string();
    assert!(pair.cellar_server.end().success());
    pair.cellar_server = {
        let gone = pair.owner.get(&format!("{share}/list?path=")).expect_status(503);
        assert_eq!(gone.code(), "DEVICE_OFFLINE");
        pair.cellar.start_with(["--port", &port, "--no-browser"])
    };
    assert_eq!(pair.share(), share, "the same ids as before");
}

#[test]
fn after_the_coordinator_was_killed_machines_are_back_within_five_seconds() {
    let mut pair = Pair::joined();
    let share = pair.share();
    let port = pair.attic_server.port.to_string();
    drop(pair.attic_server);
    pair.attic_server = pair.attic.start_with(["--port", &port, "--no-browser"]);
    let back = Instant::now();
    assert_eq!(pair.share(), share);
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
}

#[test]
fn a_machine_that_is_shown_out_takes_its_streams_along() {
    let mut pair = Pair::joined();
    pair.cellar.put("large.bin", vec![7u8; 256 << 20]);
    let share = pair.share();
    let mut stream = pair.owner.begin(&format!("{share}/stream?path=large.bin"));
    let device = share.split('/').nth(4).unwrap();
    pair.owner.send("DELETE", &format!("/api/v1/devices/{device}"), &[], None).expect_status(204);
    let told = Instant::now();
    let mut read = Vec::new();
    // A broken connection or an early end: never the whole file.
    let _ = stream.read_to_end(&mut read);
    assert!(read.len() < 200 << 20, "{} bytes came", read.len());
    assert!(told.elapsed() < Duration::from_secs(2), "{:?}", told.elapsed());
    assert!(pair.owner.shares_elsewhere().is_empty());
    pair.owner.get(&format!("{share}/list?path=")).expect_status(404);
}

#[test]
fn a_new_share_and_a_new_name_are_seen_at_once() {
    let mut pair = Pair::joined();
    let mut cellar_owner = pair.cellar_server.local();
    cellar_owner.sign_in(crate::rig::PIN).expect_status(200);
    let more = pair.cellar.home.path().join("more");
    std::fs::create_dir(&more).unwrap();
    let add = json!({ "folder": more, "name": "More" });
    let added = cellar_owner.post("/api/v1/catalog/shares", add).expect_status(201).json();
    let id = added["id"].as_str().unwrap();
    let owner = &mut pair.owner;
    let name_of = |owner: &mut Browser| {
        let shares = owner.get("/api/v1/catalog/shares").expect_status(200).json();
        let found = shares["shares"].as_array().unwrap().iter().find(|share| share["id"] == id).cloned();
        found.map(|share| share["name"].as_str().unwrap().to_owned())
    };
    until("the new share is seen", || name_of(owner).filter(|name| name == "More"));
    let path = format!("/api/v1/catalog/shares/{id}");
    cellar_owner.send("PATCH", &path, &[], Some(&json!({ "name": "Less" }))).expect_status(200);
    until("the new name is seen", || name_of(owner).filter(|name| name == "Less"));
    cellar_owner.send("DELETE", &path, &[], None).expect_status(204);
    until("it is gone", || name_of(owner).is_none().then_some(()));
    assert!(pair.is_online());
}

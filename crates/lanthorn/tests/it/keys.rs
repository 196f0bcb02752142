//! Another ticket key takes the present one's place while machines are in use.

use std::io::Read;

use serde_json::{Value, json};

use crate::rig::{Joining, World, until, until_within};
use crate::streams::{LARGE, rest_of};

/// What a command printed that ended well, as JSON.
#[track_caller]
fn said(world: &World, args: &[&str]) -> Value {
    let output = world.lanthorn([args, &["--json"]].concat()).output().unwrap();
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// How many keys the machine has pinned of the coordinator that it joined.
fn pinned(machine: &World) -> Vec<String> {
    let file = std::fs::read(machine.state().join("memberships.json")).unwrap();
    let all: Value = serde_json::from_slice(&file).unwrap();
    serde_json::from_value(all["memberships"][0]["coordinator"]["ticket_keys"].clone()).unwrap()
}

#[test]
fn nothing_under_way_is_touched_and_a_stolen_key_s_is() {
    let (attic, attic_server, mut owner) = World::set_up();
    let (cellar, cellar_server, _) = World::set_up();
    Joining::begin(&cellar, &attic_server).confirm(&mut owner);
    std::fs::File::create(cellar.shared().join("film.bin")).unwrap().set_len(LARGE).unwrap();
    let share = until("the cellar's share is seen and answers", || {
        let share = owner.shares_elsewhere().pop()?;
        (owner.get(&format!("{share}/list?path=")).status == 200).then_some(share)
    });
    let film = format!("{share}/stream?path=film.bin");
    let before = said(&attic, &["keys"]);
    let mut watched = owner.begin(&film);
    let first = pinned(&cellar);
    let announced = said(&attic, &["keys", "rotate"]);
    assert_eq!(announced["present"]["id"], before["present"]["id"], "it does not sign yet");
    until("the next key is pinned", || (pinned(&cellar).len() == 2).then_some(()));
    // Who does not read for so long is no reader any more: some of the film at each look.
    let mut seen = vec![0; 64 << 10];
    let changed = until_within("the next key signs", 90, || {
        watched.read_exact(&mut seen).unwrap();
        let keys = said(&attic, &["keys"]);
        keys["previous"].is_object().then_some(keys)
    });
    assert_eq!(changed["present"]["id"], announced["next"]);
    assert_eq!(changed["coordinator"], before["coordinator"]);
    let keys = until("the order is pinned", || Some(pinned(&cellar)).filter(|keys| keys[1] == first[0]));
    owner.get(&format!("{share}/list?path=")).expect_status(200);
    let me = said(&cellar, &["status", "--on", &format!("127.0.0.1:{}", attic_server.port)]);
    assert_eq!(me["running"], json!(true));
    assert!(rest_of(watched) > LARGE / 2, "what the old key opened broke off");

    // A machine that was away learns what happened meanwhile, and goes on with what it has kept.
    let port = cellar_server.port.to_string();
    assert!(cellar_server.end().success());
    said(&attic, &["keys", "rotate", "--at-once"]);
    assert_eq!(pinned(&cellar), keys);
    let _cellar_server = cellar.start_with(["--port", &port, "--no-browser"]);
    until("the cellar answers", || (owner.get(&format!("{share}/list?path=")).status == 200).then_some(()));
    let watched = owner.begin(&film);
    let now = until("only the new key is pinned", || Some(pinned(&cellar)).filter(|keys| keys.len() == 1));
    assert!(!keys.contains(&now[0]));
    said(&attic, &["keys", "rotate", "--at-once"]);
    assert!(rest_of(watched) < LARGE - 100_000, "what a stolen key opened went on");
    until("requests work again", || (owner.get(&format!("{share}/list?path=")).status == 200).then_some(()));
}

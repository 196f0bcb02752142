//! Each role in a process of its own, on one machine with one home.

use std::io::Read;

use serde_json::json;

use crate::rig::{Browser, World, http, until};

#[test]
fn three_processes_do_what_one_does() {
    let world = World::new();
    world.put("hello.txt", "through three processes");
    let agent = world.start_with(["agent", "--port", "0"]);
    let agent_url = format!("http://127.0.0.1:{}", agent.port);
    let coordinator = world.start_with(["coordinator", "--port", "0", "--agent-url", &agent_url]);
    let coordinator_url = format!("http://127.0.0.1:{}", coordinator.port);
    let web = world.start_with(["web", "--port", "0", "--no-browser", "--coordinator-url", &coordinator_url]);
    let mut owner = web.local();
    owner.set_up(&world.shared()).expect_status(200);
    let url = format!("{}/stream?path=hello.txt", owner.share());
    // The agent learns of the new share from the coordinator's file; ask until it has.
    let asked = std::time::Instant::now();
    let answer = loop {
        let answer = owner.get(&url);
        if answer.status == 200 {
            break answer;
        }
        assert!(asked.elapsed().as_secs() < 20, "{}", String::from_utf8_lossy(&answer.body));
        std::thread::yield_now();
    };
    assert_eq!(answer.body, b"through three processes");
    let kept = || std::fs::read_to_string(world.state().join("offer.json")).unwrap();
    let before = kept();
    assert!(world.lanthorn(["keys", "rotate", "--at-once"]).output().unwrap().status.success());
    until("the agent honours the other key", || (owner.get(&url).status == 200).then_some(()));
    assert_ne!(kept(), before);
    for (from, path) in [(&web, "/"), (&web, "/api/v1/status"), (&coordinator, "/api/v1/status")] {
        let answer = from.local().get(path);
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
            ("cross-origin-opener-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
    }
    hears_what_happens(&mut owner);
}

/// A page's WebSocket passes through the page's process to the coordinator.
fn hears_what_happens(owner: &mut Browser) {
    let token = owner.get("/api/v1/events/token").expect_status(200).json();
    let (host, token) = (owner.target.address, token["ws_token"].as_str().unwrap());
    let head = format!(
        "GET /api/v1/events/ws HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
         Sec-WebSocket-Protocol: stream-v1, auth.{token}"
    );
    let mut socket = http::begin(&owner.target, &head, 100);
    let heard = std::thread::spawn(move || {
        let (mut heard, mut piece) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&heard).contains("catalog_changed") {
            let read = socket.read(&mut piece).unwrap();
            assert!(read > 0, "it was closed: {}", String::from_utf8_lossy(&heard));
            heard.extend(&piece[..read]);
        }
    });
    let device = owner.share().split('/').nth(4).unwrap().to_owned();
    let mut visible = true;
    until("the page hears of it", || {
        visible = !visible;
        let path = format!("/api/v1/catalog/devices/{device}/visibility");
        owner.post(&path, json!({ "visible": visible })).expect_status(200);
        heard.is_finished().then_some(())
    });
    heard.join().unwrap();
}

#[test]
fn nobody_becomes_local_through_the_page() {
    let world = World::new();
    let coordinator = world.start_with(["coordinator", "--port", "0"]);
    let coordinator_url = format!("http://127.0.0.1:{}", coordinator.port);
    let web = world.start_with(["web", "--port", "0", "--no-browser", "--coordinator-url", &coordinator_url]);
    let Some(mut stranger) = web.over_network() else { return };
    let status = stranger.get("/api/v1/status").expect_status(200).json();
    assert_eq!(status["privacy"], "open");
    stranger.set_up(&world.shared()).expect_status(401);
    let private = format!("https://{}/", stranger.target.address);
    assert_eq!(
        status["private_url"].as_str(),
        Some(private.as_str()),
        "the page's own port answers privately"
    );
}

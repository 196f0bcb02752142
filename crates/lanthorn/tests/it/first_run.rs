//! From an empty machine to the first picture, and who may take that way.

use serde_json::json;

use crate::rig::{PIN, World, in_query};

#[test]
fn first_run_to_first_byte() {
    let world = World::new();
    world.put("Bilder/été 1.jpg", b"not really a picture");
    let server = world.start();
    let mut owner = server.local();
    let status = owner.get("/api/v1/status").expect_status(200).json();
    assert_eq!((status["set_up"].as_bool(), status["privacy"].as_str()), (Some(false), Some("local")));
    assert_eq!(owner.get("/api/v1/catalog/shares").expect_status(503).code(), "NOT_SET_UP");
    owner.set_up(&world.shared()).expect_status(200);
    let share = owner.share();
    let listing = owner.get(&format!("{share}/list?path=Bilder")).expect_status(200).json();
    assert_eq!(listing["entries"][0]["name"], "été 1.jpg");
    let path = in_query("Bilder/été 1.jpg");
    let picture = owner.get(&format!("{share}/stream?path={path}")).expect_status(200);
    assert_eq!(picture.body, b"not really a picture");
}

#[test]
fn a_stranger_on_the_network_needs_the_code_from_the_terminal() {
    let world = World::new();
    let server = world.start();
    let Some(mut stranger) = server.over_network() else { return no_network() };
    stranger.set_up(&world.shared()).expect_status(401);
    let body =
        |code: &str| json!({ "code": code, "folder": world.shared(), "device_name": "Attic", "pin": PIN });
    let refused = stranger.post("/api/v1/setup", body("not-the-code-at-all")).expect_status(401);
    assert_eq!(refused.code(), "WRONG_SETUP_CODE");
    stranger.get("/api/v1/folders").expect_status(401);
    stranger.post("/api/v1/setup", body(&server.setup_code())).expect_status(200);
    let late = server.local().set_up(&world.shared()).expect_status(409);
    assert_eq!(late.code(), "ALREADY_SET_UP");
}

#[test]
fn forwarding_headers_make_nobody_local() {
    let world = World::new();
    let server = world.start();
    let Some(mut stranger) = server.over_network() else { return no_network() };
    for header in ["X-Forwarded-For", "X-Real-IP", "Forwarded", "X-Lanthorn-Forwarded"] {
        let status = stranger.get_with("/api/v1/status", &[(header, "127.0.0.1")]).expect_status(200).json();
        assert_eq!(status["privacy"], "open", "{header}");
    }
}

#[test]
fn a_restart_keeps_the_session_and_the_lockout() {
    let (world, server, mut owner) = World::set_up();
    let mut guesser = server.over_network().unwrap_or_else(|| server.local());
    guesser.sign_in("000000").expect_status(401);
    let port = server.port.to_string();
    assert!(server.end().success());
    let server = world.start_with(["--port", &port, "--no-browser"]);
    owner.get("/api/v1/auth/me").expect_status(200);
    assert!(!server.printed.contains("Setup code"), "setup is over: {}", server.printed);
}

#[test]
fn an_open_connection_can_look_and_download_only() {
    let (world, server, _owner) = World::set_up();
    world.put("a.txt", "a");
    let Some(mut guest) = server.over_network() else { return no_network() };
    let me = guest.sign_in(PIN).expect_status(200).json();
    assert_eq!(me["read_only"], true);
    let share = guest.share();
    assert_eq!(guest.get(&format!("{share}/download?path=a.txt")).expect_status(200).body, b"a");
    guest.send("PATCH", "/api/v1/settings", &[], Some(&json!({ "device_name": "Mine" }))).expect_status(403);
    guest.post("/api/v1/catalog/shares", json!({ "folder": "/" })).expect_status(403);
}

fn no_network() {
    eprintln!("skipped: this machine has no address but loopback");
}

//! Ports that are free, taken, or asked for; and ending.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use crate::rig::World;

#[test]
fn a_port_that_was_asked_for_and_is_taken_is_an_error_with_a_name() {
    let world = World::new();
    let holder = TcpListener::bind("[::]:0").unwrap();
    let port = holder.local_addr().unwrap().port().to_string();
    let output = world.lanthorn(["--port", &port, "--no-browser"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(said.contains(&format!("Port {port} is taken by")), "{said}");
    assert!(said.contains(&std::process::id().to_string()), "{said}");
}

#[test]
fn it_runs_once_in_a_state_folder_and_says_where() {
    let world = World::new();
    let server = world.start();
    let again = world.lanthorn(["--port", "0", "--no-browser"]).output().unwrap();
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success());
    assert!(said.contains(&format!("already runs at http://127.0.0.1:{}", server.port)), "{said}");
    assert!(said.contains("hint: ") && said.contains("--state-dir"), "{said}");
    assert!(server.end().success());
    world.start();
}

#[test]
fn ctrl_c_ends_within_five_seconds_with_a_stalled_download() {
    use std::io::{Read, Write};
    let (world, server, mut owner) = World::set_up();
    world.put("large.bin", vec![7u8; 64 << 20]);
    let share = owner.share();
    let mut stalled = std::net::TcpStream::connect(owner.target.address).unwrap();
    let cookie = format!("{}={}", owner.cookies[0].0, owner.cookies[0].1);
    let cookie = owner.cookies.iter().fold(cookie, |all, (name, value)| format!("{all}; {name}={value}"));
    let host = owner.target.address;
    write!(stalled, "GET {share}/stream?path=large.bin HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n")
        .unwrap();
    stalled.read_exact(&mut [0u8; 1024]).unwrap();
    let told = Instant::now();
    assert!(server.end().success());
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
}

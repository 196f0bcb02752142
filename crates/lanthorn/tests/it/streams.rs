//! What becomes of a download on its way: when the file changes under it, and when the right to it ends.

use std::io::Read;

use serde_json::json;

use crate::rig::{PIN, World};

/// More than all buffers on the way together hold.
pub const LARGE: u64 = 256 << 20;

/// How much still comes; an error on the way is an end too.
pub fn rest_of(mut download: impl Read) -> u64 {
    let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
    while let Ok(read @ 1..) = download.read(&mut buffer) {
        total += read as u64;
    }
    total
}

fn with_large_file() -> (World, crate::rig::Server, crate::rig::Browser, String) {
    let (world, server, mut owner) = World::set_up();
    std::fs::File::create(world.shared().join("film.bin")).unwrap().set_len(LARGE).unwrap();
    let film = format!("{}/stream?path=film.bin", owner.share());
    (world, server, owner, film)
}

#[test]
fn a_download_ends_with_its_session() {
    let (_world, server, mut owner, film) = with_large_file();
    let mut guest = server.local();
    guest.sign_in(PIN).expect_status(200);
    let (guests, owners) = (guest.begin(&film), owner.begin(&film));
    owner.post("/api/v1/auth/pin", json!({ "current_pin": PIN, "new_pin": "918273" })).expect_status(204);
    assert!(rest_of(guests) < LARGE - 100_000, "a download outlived its session");
    assert!(rest_of(owners) >= LARGE - 100_000, "another session's download broke off");
}

#[test]
fn a_file_that_is_cut_short_midway_breaks_the_answer() {
    let (world, _server, owner, film) = with_large_file();
    let download = owner.begin(&film);
    std::fs::File::create(world.shared().join("film.bin")).unwrap().set_len(LARGE).unwrap();
    assert!(rest_of(download) < LARGE - 100_000, "two versions were sent as one");
}

//! What rights promise while bytes flow and processes end: what was given ends in time, what is hidden stays hidden,
//! and what a machine is and offers outlives it.

use std::io::Read;
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::rig::{Browser, Joining, PIN, Server, World, until};

/// More than all buffers on the way together hold.
const LARGE: u64 = 256 << 20;
/// Within this time what has ended is over everywhere.
const AT_ONCE: Duration = Duration::from_secs(2);

/// An owner's machine, another one of theirs that has joined it, and a guest without any right.
struct Stage {
    attic: World,
    attic_server: Server,
    owner: Browser,
    cellar: World,
    cellar_server: Server,
    guest: Browser,
    guest_id: Value,
}

impl Stage {
    fn set() -> Self {
        let (attic, attic_server, mut owner) = World::set_up();
        let (cellar, cellar_server, _) = World::set_up();
        Joining::begin(&cellar, &attic_server).confirm(&mut owner);
        std::fs::File::create(cellar.shared().join("needle.bin")).unwrap().set_len(LARGE).unwrap();
        let made = json!({ "name": "Grace", "lifetime_seconds": 600 });
        let made = owner.post("/api/v1/invites", made).expect_status(201).json();
        let mut guest = attic_server.local();
        let me =
            guest.post("/api/v1/invites/use", json!({ "invite": made["url"] })).expect_status(200).json();
        let guest_id = me["principal"].clone();
        let mut stage = Self { attic, attic_server, owner, cellar, cellar_server, guest, guest_id };
        stage.share();
        stage
    }

    /// The other machine's share as pages address it, once it answers.
    fn share(&mut self) -> String {
        let owner = &mut self.owner;
        until("the cellar's share answers", || {
            let share = owner.shares_elsewhere().pop()?;
            (owner.get(&format!("{share}/list?path=")).status == 200).then_some(share)
        })
    }

    fn give_the_guest(&mut self, expires_at: Option<OffsetDateTime>) -> Value {
        let share = self.share();
        let wish = json!({
            "share": id_in(&share, 6),
            "subject": { "kind": "principal", "id": self.guest_id },
            "permissions": ["read", "download"],
            "expires_at": expires_at.map(|at| at.format(&Rfc3339).unwrap()),
        });
        self.owner.send("PUT", "/api/v1/grants", &[], Some(&wish)).expect_status(200).json()
    }

    fn begin(&mut self, who: fn(&mut Self) -> &mut Browser) -> impl Read + use<> {
        let film = format!("{}/stream?path=needle.bin", self.share());
        who(self).begin(&film)
    }

    fn restart_attic(self) -> Self {
        let port = self.attic_server.port.to_string();
        drop(self.attic_server);
        let attic_server = self.attic.start_with(["--port", &port, "--no-browser"]);
        Self { attic_server, ..self }
    }

    fn restart_cellar(self) -> Self {
        let port = self.cellar_server.port.to_string();
        drop(self.cellar_server);
        let cellar_server = self.cellar.start_with(["--port", &port, "--no-browser"]);
        Self { cellar_server, ..self }
    }
}

/// A part of a device API's address.
fn id_in(address: &str, part: usize) -> String {
    address.split('/').nth(part).unwrap().to_owned()
}

/// Reads on, never faster than a film plays, so that what is broken off has not all come before; an error on the way is
/// an end too. How much came, and when it ended.
fn read_on(mut download: impl Read) -> (u64, Instant) {
    let (mut buffer, mut total) = (vec![0; 1 << 20], 0);
    until("it ends", || match download.read(&mut buffer) {
        Ok(read @ 1..) => {
            total += read as u64;
            None
        }
        _ => Some(()),
    });
    (total, Instant::now())
}

#[track_caller]
fn assert_broken_off(download: impl Read, told: Instant) {
    let (came, ended) = read_on(download);
    assert!(came < LARGE - 200_000, "it outlived what allowed it");
    assert!(ended - told < AT_ONCE, "after {:?}", ended - told);
}

#[test]
fn a_right_that_expires_ends_a_download_on_its_way() {
    let mut stage = Stage::set();
    let expires = OffsetDateTime::now_utc() + Duration::from_secs(2);
    // Times are kept to the millisecond: the right ends at the beginning of this one.
    let expires = expires.replace_millisecond(expires.millisecond()).unwrap();
    stage.give_the_guest(Some(expires));
    let download = stage.begin(|stage| &mut stage.guest);
    let list = format!("{}/list?path=", stage.share());
    let guest = &mut stage.guest;
    until("the right is over", || (guest.get(&list).status == 404).then_some(()));
    assert!(OffsetDateTime::now_utc() >= expires, "not before its time");
    assert_broken_off(download, Instant::now());
}

#[test]
fn what_is_revoked_ends_a_download_through_the_gateway_within_two_seconds() {
    let mut stage = Stage::set();
    let mut other = stage.attic_server.local();
    other.sign_in(PIN).expect_status(200);
    let sessions = other.get("/api/v1/sessions").expect_status(200).json();
    let sessions = sessions["sessions"].as_array().unwrap();
    let session = sessions.iter().find(|session| session["current"] == true).unwrap()["id"].clone();
    let grant = stage.give_the_guest(None);
    let film = format!("{}/stream?path=needle.bin", stage.share());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    for (browser, what) in [
        (&other, format!("/api/v1/sessions/{}", text(&session))),
        (&stage.guest, format!("/api/v1/grants/{}", text(&grant["id"]))),
    ] {
        let download = browser.begin(&film);
        let told = Instant::now();
        stage.owner.send("DELETE", &what, &[], None).expect_status(204);
        assert_broken_off(download, told);
    }
}

#[test]
fn a_machine_that_is_revoked_reads_no_further() {
    let mut stage = Stage::set();
    std::fs::File::create(stage.attic.shared().join("film.bin")).unwrap().set_len(LARGE).unwrap();
    let devices = stage.owner.get("/api/v1/catalog/devices").expect_status(200).json();
    let id_of = |local: bool| {
        let mut devices = devices["devices"].as_array().unwrap().iter();
        devices.find(|device| device["local"] == local).unwrap()["id"].as_str().unwrap().to_owned()
    };
    let on = format!("127.0.0.1:{}", stage.attic_server.port);
    let film = format!("{}:shared/film.bin", id_of(true));
    let mut cat = stage.cellar.lanthorn(["cat", "--on", &on, &film]);
    let mut cat = cat.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut download = cat.stdout.take().unwrap();
    download.read_exact(&mut vec![0; 100_000]).unwrap();
    let told = Instant::now();
    stage.owner.send("DELETE", &format!("/api/v1/devices/{}", id_of(false)), &[], None).expect_status(204);
    assert_broken_off(download, told);
    assert!(!cat.wait().unwrap().success());
}

/// What the guest sees of the other machine: in both catalogs, in the search, by its id and by its share's.
fn seen_by_the_guest(stage: &mut Stage, share: &str) -> [bool; 5] {
    let device = id_in(share, 4);
    let guest = &mut stage.guest;
    let mut told = |path: &str| {
        let answer = guest.get(path).expect_status(200);
        String::from_utf8(answer.body).unwrap().contains(&device)
    };
    let listed = ["/api/v1/catalog/devices", "/api/v1/catalog/shares", "/api/v1/files/search?q=needle"];
    let [devices, shares, found] = listed.map(&mut told);
    let mut known = |path: String| {
        let answer = guest.get(&path);
        assert!([200, 404].contains(&answer.status), "{path}: {}", answer.status);
        answer.status == 200
    };
    let by_id = [known(format!("/api/v1/devices/{device}/info")), known(format!("{share}/list?path="))];
    [devices, shares, found, by_id[0], by_id[1]]
}

#[test]
fn a_hidden_machine_stays_hidden_and_what_was_given_stays_given() {
    let mut stage = Stage::set();
    stage.give_the_guest(None);
    let share = stage.share();
    until("the guest finds it everywhere", || {
        (seen_by_the_guest(&mut stage, &share) == [true; 5]).then_some(())
    });
    let path = format!("/api/v1/catalog/devices/{}/visibility", id_in(&share, 4));
    stage.owner.post(&path, json!({ "visible": false })).expect_status(200);
    assert_eq!(seen_by_the_guest(&mut stage, &share), [false; 5]);
    stage = stage.restart_attic();
    assert_eq!(seen_by_the_guest(&mut stage, &share), [false; 5], "the coordinator started again");
    stage = stage.restart_cellar();
    assert_eq!(stage.share(), share, "the same ids as before");
    assert_eq!(seen_by_the_guest(&mut stage, &share), [false; 5], "the machine started again");
    stage.owner.post(&path, json!({ "visible": true })).expect_status(200);
    until("the guest finds it again", || (seen_by_the_guest(&mut stage, &share) == [true; 5]).then_some(()));
}

#[test]
fn a_share_answers_from_the_first_moment() {
    let (world, server, mut owner) = World::set_up();
    let list = format!("{}/list?path=", owner.share());
    owner.get(&list).expect_status(200);
    let more = world.home.path().join("more");
    std::fs::create_dir(&more).unwrap();
    let added = owner.post("/api/v1/catalog/shares", json!({ "folder": more })).expect_status(201).json();
    let id = added["id"].as_str().unwrap();
    owner.get(&list.replace(&id_in(&list, 6), id)).expect_status(200);
    let port = server.port.to_string();
    drop(server);
    let _server = world.start_with(["--port", &port, "--no-browser"]);
    owner.get(&list).expect_status(200);
}

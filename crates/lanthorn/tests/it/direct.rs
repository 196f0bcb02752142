//! Reading straight from another machine: with a ticket of the coordinator, without its hands.

use std::io::Read;
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use peer::{DeviceKey, Endpoint};
use proto::api::pairing::token_text;
use proto::ticket::{Claims, SigningKey, Ticket};
use proto::wire::link::Addresses;
use proto::{Permissions, PrincipalId, base64url};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::rig::{Browser, Joining, Server, World, until};

/// More than all buffers on the way together hold.
const LARGE: usize = 96 << 20;

/// The coordinator's machine; one with files; and one that reads them, of a guest who may.
struct Stage {
    attic: World,
    attic_server: Server,
    owner: Browser,
    cellar: World,
    cellar_server: Server,
    laptop: World,
    _laptop_server: Server,
    /// The cellar's share at the coordinator.
    share: String,
    /// What was given to the guest.
    grant: String,
}

fn id_in(address: &str, part: usize) -> String {
    address.split('/').nth(part).unwrap().to_owned()
}

fn key_of(world: &World) -> DeviceKey {
    DeviceKey::from_bytes(&std::fs::read(world.state().join("device.key")).unwrap()).unwrap()
}

impl Stage {
    fn set() -> Self {
        let (attic, attic_server, mut owner) = World::set_up();
        let (cellar, cellar_server, _) = World::set_up();
        let (laptop, laptop_server, _) = World::set_up();
        Joining::begin(&cellar, &attic_server).confirm(&mut owner);
        let share = until("the cellar's share is seen", || owner.shares_elsewhere().pop());
        let rights = json!({ "share": id_in(&share, 6), "permissions": ["read", "download"] });
        let made = json!({ "name": "Grace", "lifetime_seconds": 600, "grants": [rights] });
        let made = owner.post("/api/v1/invites", made).expect_status(201).json();
        let secret = made["text"].as_str().unwrap().rsplit('#').next().unwrap();
        let invitation = format!("https://127.0.0.1:{}/invite#{secret}", attic_server.port);
        let joined = laptop.lanthorn(["pair", &invitation, "--no-shares"]).output().unwrap();
        assert!(joined.status.success(), "{joined:?}");
        let grants = owner.get("/api/v1/grants").expect_status(200).json();
        let grant = grants["grants"][0]["id"].as_str().unwrap().to_owned();
        let _laptop_server = laptop_server;
        Self { attic, attic_server, owner, cellar, cellar_server, laptop, _laptop_server, share, grant }
    }

    /// `lanthorn -v …` on the laptop, about a file of the cellar's.
    fn reading(&self, command: &str, file: &str, more: &[&str]) -> std::process::Command {
        let on = format!("127.0.0.1:{}", self.attic_server.port);
        let file = format!("{}:{}/{file}", id_in(&self.share, 4), id_in(&self.share, 6));
        self.laptop.lanthorn([&["-v", command, "--on", &on, &file], more].concat())
    }

    /// The same, once the cellar has been told that the laptop may come.
    fn read_straight(&self, file: &str) -> Output {
        until("the cellar lets the laptop in", || {
            let read = self.reading("cat", file, &[]).output().unwrap();
            assert!(read.status.success(), "{read:?}");
            said(&read).contains("asked straight").then_some(read)
        })
    }

    fn begin(&self, file: &str) -> (Child, impl Read + use<>) {
        let mut cat = self.reading("cat", file, &[]);
        let mut cat = cat.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let download = cat.stdout.take().unwrap();
        (cat, download)
    }
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn numbered(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4).flat_map(u32::to_be_bytes).collect()
}

#[test]
fn a_copy_comes_straight_until_the_right_ends() {
    let mut stage = Stage::set();
    let content = numbered(9 << 20);
    stage.cellar.put("deep/été.bin", &content);
    let read = stage.read_straight("deep/été.bin");
    assert!(read.stdout == content, "the content differs");
    let got = stage.reading("get", "deep", &["copy"]).output().unwrap();
    assert!(got.status.success() && said(&got).contains("asked straight"), "{got:?}");
    assert!(std::fs::read(stage.laptop.home.path().join("copy/été.bin")).unwrap() == content);
    let missing = stage.reading("cat", "none.txt", &[]).output().unwrap();
    assert_eq!(missing.status.code(), Some(3), "{missing:?}");

    std::fs::File::create(stage.cellar.shared().join("film.bin")).unwrap().set_len(LARGE as u64).unwrap();
    let (mut cat, mut download) = stage.begin("film.bin");
    download.read_exact(&mut vec![0; 100_000]).unwrap();
    let ended = Instant::now();
    let grant = format!("/api/v1/grants/{}", stage.grant);
    stage.owner.send("DELETE", &grant, &[], None).expect_status(204);
    let mut rest = Vec::new();
    download.read_to_end(&mut rest).unwrap();
    assert!(rest.len() < LARGE - 200_000, "it outlived the right");
    assert!(ended.elapsed() < Duration::from_secs(2), "{:?}", ended.elapsed());
    let status = cat.wait().unwrap();
    assert_eq!(status.code(), Some(3), "what is not theirs is not there");
    let later = stage.reading("cat", "film.bin", &[]).output().unwrap();
    assert_eq!(later.status.code(), Some(3), "{later:?}");
}

#[test]
fn where_no_straight_way_leads_a_copy_comes_through_the_coordinator_and_why_is_said() {
    let stage = Stage::set();
    stage.cellar.put("a.txt", "text");
    stage.read_straight("a.txt");
    let without = stage.reading("cat", "a.txt", &[]).env("LANTHORN_LANES", "quic").output().unwrap();
    let why = said(&without);
    assert!(without.stdout == b"text" && without.status.success(), "{without:?}");
    assert!(why.contains("asked through the coordinator") && why.contains("why="), "{why}");
    let on = format!("127.0.0.1:{}", stage.attic_server.port);
    let quiet = stage.laptop.lanthorn(["ls", "--on", &on]).output().unwrap();
    assert!(quiet.stderr.is_empty(), "unasked it says nothing: {quiet:?}");
}

#[test]
fn a_direct_stream_outlives_the_coordinator_and_machines_are_back_with_it() {
    let mut stage = Stage::set();
    let content = numbered(LARGE);
    stage.cellar.put("film.bin", &content);
    stage.cellar.put("a.txt", "text");
    stage.read_straight("a.txt");
    let (cat, mut download) = stage.begin("film.bin");
    let mut read = vec![0; 1 << 20];
    download.read_exact(&mut read).unwrap();
    let port = stage.attic_server.port.to_string();
    drop(stage.attic_server);
    let mut alone = vec![0; LARGE / 2];
    download.read_exact(&mut alone).unwrap();
    stage.attic_server = stage.attic.start_with(["--port", &port, "--no-browser"]);
    let back = Instant::now();
    let owner = &mut stage.owner;
    until("both machines are there again", || {
        let devices = owner.get("/api/v1/catalog/devices").expect_status(200).json();
        let devices = devices["devices"].as_array().unwrap();
        (devices.len() == 3 && devices.iter().all(|device| device["online"] == true)).then_some(())
    });
    assert!(back.elapsed() < Duration::from_secs(5), "{:?}", back.elapsed());
    read.extend(alone);
    download.read_to_end(&mut read).unwrap();
    assert!(read == content, "{} bytes", read.len());
    let ended = cat.wait_with_output().unwrap();
    let told = said(&ended);
    assert!(ended.status.success() && told.contains("asked straight"), "{told}");
    assert!(!told.contains("trying again") && !told.contains("through the coordinator"), "{told}");
}

/// Signs in at the coordinator as that machine.
fn token(at: &mut Browser, key: &DeviceKey) -> String {
    let nonce = at.get("/api/v1/auth/nonce").expect_status(200).json();
    let text = token_text(nonce["coordinator"].as_str().unwrap(), nonce["nonce"].as_str().unwrap());
    let signature = base64url::encode(&key.sign(&text));
    let asked = json!({ "client_device_id": key.id(), "nonce": nonce["nonce"], "signature": signature });
    let given = at.post("/api/v1/auth/token", asked).expect_status(200).json();
    format!("Bearer {}", given["access_token"].as_str().unwrap())
}

/// What a device answers on the LAN lane to whom that key is and who brings that ticket.
fn knock(key: &DeviceKey, way: &Value, ticket: &str, path: &str) -> (u16, String) {
    let lan = peer::Config { quic: false, ..peer::Config::new(key.clone()) };
    let addresses: Addresses = serde_json::from_value(json!({ "direct": way["addresses"] })).unwrap();
    let device = way["device"].as_str().unwrap().parse().unwrap();
    let request = http::Request::get(path).header("authorization", format!("Bearer {ticket}"));
    let request = request.body(Empty::<hyper::body::Bytes>::new()).unwrap();
    tokio::runtime::Runtime::new().unwrap().block_on(async move {
        let endpoint = Endpoint::bind(lan).await.unwrap();
        endpoint.learn(device, addresses);
        let answer = match endpoint.request(device, request).await {
            Ok(answer) => answer,
            Err(error) => return (0, error.to_string()),
        };
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap();
        (status, body["code"].as_str().unwrap_or_default().to_owned())
    })
}

#[test]
fn a_ticket_is_good_for_its_machine_and_its_time() {
    let stage = Stage::set();
    stage.cellar.put("a.txt", "text");
    stage.read_straight("a.txt");
    let (laptop, attic) = (key_of(&stage.laptop), key_of(&stage.attic));
    let mut browser = stage.attic_server.local();
    let token = token(&mut browser, &laptop);
    let path = format!("/api/v1/devices/{}/ticket", id_in(&stage.share, 4));
    let wanted = json!({ "share": id_in(&stage.share, 6), "permission": "download" });
    let way = browser.send("POST", &path, &[("Authorization", &token)], Some(&wanted));
    let way = way.expect_status(200).json();
    let ticket = way["ticket"].as_str().unwrap();
    let stat = format!("/agent/v1/shares/{}/stat?path=a.txt", id_in(&stage.share, 6));
    assert_eq!(knock(&laptop, &way, ticket, &stat), (200, String::new()));
    assert_eq!(knock(&attic, &way, ticket, &stat), (403, "TICKET_PRESENTER".into()));
    let (status, why) = knock(&DeviceKey::from_seed([9; 32]).unwrap(), &way, ticket, &stat);
    assert!(status == 0 && why.contains("not paired"), "{why}");

    let keys = std::fs::read(stage.attic.state().join("ticket-keys.json")).unwrap();
    let keys: Value = serde_json::from_slice(&keys).unwrap();
    let signing = base64url::decode(keys["present"]["key"].as_str().unwrap()).unwrap();
    let past = OffsetDateTime::now_utc() - Duration::from_secs(181);
    let late = Claims {
        sub: PrincipalId::generate(),
        cli: laptop.id().to_string(),
        pky: Some(laptop.id()),
        aud: key_of(&stage.cellar).id(),
        res: proto::ticket::Resource::Share(id_in(&stage.share, 6).parse().unwrap()),
        perm: Permissions::all(),
        iat: past - Duration::from_secs(120),
        exp: past,
        jti: "late".into(),
    };
    let late: Ticket = SigningKey::from_bytes(&signing).unwrap().sign(&late).unwrap();
    assert_eq!(knock(&laptop, &way, late.as_str(), &stat), (401, "TICKET_EXPIRED".into()));
    drop(stage.cellar_server);
}

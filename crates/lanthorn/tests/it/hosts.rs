//! Whole processes on hosts of their own: directly, through the coordinator's relay while there is no direct way, and
//! back. Skipped with a message where no hosts can be made.

use std::io::Read;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::rig::hosts::{Host, Network};
use crate::rig::{Browser, Joining, PIN, Server, World, until};

/// The coordinator's port, the one thing that every machine can always reach.
const PORT: &str = "7000";
/// Where the other machines listen.
const PORT_OF_OTHERS: &str = "7010";
/// A change of way costs five seconds, and nobody waits longer than ten to hear that there is none. Twice the former,
/// on a machine that is busy with other tests; the figures are printed.
const LIMIT: Duration = Duration::from_secs(10);
/// So much of it is still on its way when the way changes.
const LARGE: usize = 96 << 20;

/// A machine of another owner that has joined the coordinator.
struct Machine {
    _world: World,
    server: Server,
    device: String,
}

impl Machine {
    fn join(host: &Host, coordinator: &Host, owner: &mut Browser) -> Self {
        let (world, server, mut own) = World::on(host).started(["--port", PORT_OF_OTHERS, "--no-browser"]);
        world.put("small.txt", "small");
        world.put("large.bin", numbered(LARGE));
        let devices = own.get("/api/v1/catalog/devices").expect_status(200).json();
        let device = devices["devices"][0]["id"].as_str().unwrap().to_owned();
        Joining::begin_at(&world, &format!("{}:{PORT}", coordinator.address)).confirm(owner);
        Self { _world: world, server, device }
    }

    /// The address of a file of its share, at the coordinator.
    fn file(&self, owner: &mut Browser, name: &str) -> String {
        let share = until("the machine's share is seen", || {
            owner.shares_elsewhere().into_iter().find(|share| share.contains(&self.device))
        });
        format!("{share}/stream?path={name}")
    }

    /// How the coordinator reaches it.
    fn path(&self, owner: &mut Browser) -> Value {
        owner.get(&format!("/api/v1/devices/{}/path", self.device)).expect_status(200).json()
    }
}

fn numbered(bytes: usize) -> Vec<u8> {
    (0..bytes as u32 / 4).flat_map(u32::to_be_bytes).collect()
}

/// How long it takes until a file is read, on that lane.
fn until_read(what: &str, owner: &mut Browser, machine: &Machine, lane: &str) -> Duration {
    let begun = Instant::now();
    let file = machine.file(owner, "small.txt");
    let path = until(what, || {
        let answer = owner.get(&file);
        let path = machine.path(owner);
        (answer.status == 200 && answer.body == b"small" && path["lane"] == lane).then_some(path)
    });
    eprintln!("{what}: {:?}: {}", begun.elapsed(), path["why"]);
    begun.elapsed()
}

#[test]
fn machines_without_a_direct_way_meet_at_the_relay_and_leave_it_when_there_is_one() {
    let Some(network) = Network::new(3) else { return };
    let [coordinator, a, b] = &network.hosts[..] else { unreachable!() };
    let (_attic, attic_server, mut owner) = World::on(coordinator).started(["--port", PORT, "--no-browser"]);
    let [cellar, barn] = [a, b].map(|host| Machine::join(host, coordinator, &mut owner));
    for machine in [&cellar, &barn] {
        until_read("directly", &mut owner, machine, "lan");
    }

    // Between the coordinator and one machine only what the machine itself asks of the coordinator's port passes.
    let dport = format!("ipproto tcp dport {PORT_OF_OTHERS}");
    let sport = format!("ipproto tcp sport {PORT_OF_OTHERS}");
    let cut = network.cut(&[(0, 2, &dport), (2, 0, &sport), (0, 2, "ipproto udp"), (2, 0, "ipproto udp")]);
    let to_relay = until_read("through the relay", &mut owner, &barn, "relayed");
    assert!(to_relay < LIMIT, "{to_relay:?}");
    let why = barn.path(&mut owner)["why"].to_string();
    assert!(why.contains("no direct path") && why.contains("local network"), "{why}");
    assert_eq!(cellar.path(&mut owner)["lane"], "lan", "the others are as they were");

    let large = barn.file(&mut owner, "large.bin");
    let mut download = owner.begin(&large);
    cut.mend();
    let back = until_read("directly again", &mut owner, &barn, "lan");
    assert!(back < LIMIT, "{back:?}");
    let mut rest = Vec::new();
    download.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > LARGE - 200_000 && numbered(LARGE).ends_with(&rest), "{} bytes", rest.len());

    // It dies without a word: for a while it counts as there.
    let file = barn.file(&mut owner, "small.txt");
    drop(barn.server);
    let asked = Instant::now();
    let answer = owner.get(&file).expect_status(502);
    eprintln!("nobody there: {:?}: {}", asked.elapsed(), answer.json()["message"]);
    assert!(asked.elapsed() < LIMIT, "{:?}", asked.elapsed());
    drop((cellar.server, attic_server));
}

/// What `lanthorn pair --json` finds from there.
fn around(world: &World) -> Value {
    let output = world.lanthorn(["pair", "--json"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice::<Value>(&output.stdout).unwrap()["coordinators"].clone()
}

#[test]
fn a_coordinator_is_found_on_the_network_and_found_again_where_it_has_moved() {
    // The router and the one host are on one wire.
    let Some(network) = Network::new(1) else { return };
    let (attic, attic_server, mut owner) =
        World::on(&network.router).started(["--port", PORT, "--no-browser"]);
    let cellar = World::on(&network.hosts[0]);
    let found = around(&cellar);
    assert_eq!(found[0]["name"], "Attic");
    assert_eq!((&found[0]["url"], found[1].is_null()), (&json!("https://10.92.1.1:7000"), true), "{found}");

    let (cellar, _cellar_server, _) = cellar.started(["--port", PORT_OF_OTHERS, "--no-browser"]);
    Joining::begin_at(&cellar, &format!("10.92.1.1:{PORT}")).confirm(&mut owner);
    let share = until("the cellar's share is seen", || owner.shares_elsewhere().pop());
    let listing = format!("{share}/list?path=");
    assert!(attic_server.end().success());
    let begun = Instant::now();
    let attic_server = attic.start_with(["--port", "7005", "--no-browser"]);
    let mut owner = attic_server.local();
    owner.sign_in(PIN).expect_status(200);
    until("the cellar is there again", || (owner.get(&listing).status == 200).then_some(()));
    eprintln!("found again: {:?}", begun.elapsed());
    let state = cellar.home.path().join(".local/state/lanthorn/memberships.json");
    let remembered = std::fs::read_to_string(state).unwrap();
    assert!(remembered.contains("https://10.92.1.1:7005"), "{remembered}");
    let found = around(&cellar);
    assert_eq!((&found[0]["found"], &found[0]["joined_as"].is_string()), (&json!(true), &true), "{found}");
}

#[test]
fn without_a_network_nobody_is_found_and_that_is_said() {
    let Some(network) = Network::new(0) else { return };
    let output = World::on(&network.router).lanthorn(["pair"]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("on no network") && said.contains("lanthorn pair ADDRESS"), "{said}");
}

//! Three hosts on this one: two devices, each behind its own wire to a router, and the router with the relay on it.
//! Needs to be root and to have `ip`; says so and passes otherwise.
//!
//! Each host is this test program once more, inside a network namespace and told its part by a variable.

use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use http_body_util::Full;
use iroh_relay::server::{RelayConfig, Server, ServerConfig};
use tokio::net::TcpListener;

use super::*;
use crate::edge;
use crate::lane::LaneKind;

/// Names the part that a child plays.
const PART: &str = "LANTHORN_TEST_PART";
const ANSWERING: &str = "10.91.1.2";
const ASKING: &str = "10.91.2.2";
const PORT: u16 = 7000;
/// The router, as both devices reach it.
const RELAY: &str = "10.91.9.1:7100";
/// No change of way may take longer. Generous: the figures that count are in the benchmark's notes.
const PATIENCE: Duration = Duration::from_secs(90);

/// A network namespace, gone with its value.
struct Host(String);

impl Host {
    fn new(name: &str) -> Self {
        let host = Self(format!("lt{}-{name}", std::process::id()));
        ip(&format!("netns add {}", host.0));
        host.ip("link set lo up");
        host
    }

    fn ip(&self, words: &str) {
        ip(&format!("-n {} {words}", self.0));
    }

    /// A wire to `other`; the two ends' addresses.
    fn wire(&self, other: &Self, device: &str, here: &str, there: &str) {
        ip(&format!("link add {device} netns {} type veth peer name home netns {}", self.0, other.0));
        self.ip(&format!("addr add {here}/24 dev {device}"));
        self.ip(&format!("link set {device} up"));
        other.ip(&format!("addr add {there}/24 dev home"));
        other.ip("link set home up");
        other.ip(&format!("route add default via {here}"));
    }

    /// This test program inside the namespace.
    fn play(&self, part: &str) -> Player {
        let mut child = Command::new("ip")
            .args(["netns", "exec", &self.0])
            .arg(std::env::current_exe().unwrap())
            .args(["--exact", "endpoint::netns::a_part", "--nocapture"])
            .env(PART, part)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, said) = std::sync::mpsc::channel();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Player { _stdin: child.stdin.take(), child, said }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "del", &self.0]).status();
    }
}

struct Player {
    /// The child ends when it closes.
    _stdin: Option<ChildStdin>,
    child: Child,
    said: std::sync::mpsc::Receiver<String>,
}

impl Player {
    /// Waits for a word; says how long that took.
    fn await_word(&self, word: &str) -> Duration {
        let begun = Instant::now();
        loop {
            let left = PATIENCE.saturating_sub(begun.elapsed());
            let line = self.said.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("{word:?} was not said within {PATIENCE:?}"));
            eprintln!("{:>6} ms: {line}", begun.elapsed().as_millis());
            if line.contains(word) {
                return begun.elapsed();
            }
        }
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn ip(words: &str) {
    let done = Command::new("ip").args(words.split(' ')).status().unwrap();
    assert!(done.success(), "ip {words}");
}

fn can_make_hosts() -> bool {
    rustix::process::geteuid().is_root()
        && Command::new("ip").arg("-V").stdout(Stdio::null()).status().is_ok_and(|status| status.success())
}

#[test]
fn a_way_that_is_cut_gives_way_to_the_next_and_is_taken_again() {
    if !can_make_hosts() {
        let _ = writeln!(std::io::stderr(), "skipped: needs root, and the program ip");
        return;
    }
    let (router, answering, asking) = (Host::new("router"), Host::new("answering"), Host::new("asking"));
    router.wire(&answering, "one", "10.91.1.1", ANSWERING);
    router.wire(&asking, "two", "10.91.2.1", ASKING);
    router.ip("addr add 10.91.9.1/32 dev lo");
    let forward = ["netns", "exec", &router.0, "sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"];
    assert!(Command::new("ip").args(forward).status().unwrap().success());

    let relay = router.play("relay");
    relay.await_word("ready");
    let device = answering.play("answer");
    device.await_word("ready");
    let friend = asking.play("ask");
    friend.await_word("Lan");
    let cut = |kind: &str| {
        for (from, to) in [(ANSWERING, ASKING), (ASKING, ANSWERING)] {
            router.ip(&format!("rule add from {from} to {to}{kind} blackhole"));
        }
    };
    let mend = |kind: &str| {
        for (from, to) in [(ANSWERING, ASKING), (ASKING, ANSWERING)] {
            router.ip(&format!("rule del from {from} to {to}{kind} blackhole"));
        }
    };
    cut(" ipproto tcp");
    let to_quic = friend.await_word("Direct");
    cut(" ipproto udp");
    let to_relay = friend.await_word("Relayed");
    mend(" ipproto tcp");
    let to_lan = friend.await_word("Lan");
    eprintln!("to QUIC {to_quic:?}, to the relay {to_relay:?}, back to the LAN lane {to_lan:?}");
    // A dead lane costs at most five seconds; the test's own steps take some of a busy machine's time as well.
    let limit = Duration::from_secs(10);
    assert!(to_quic < limit && to_relay < limit, "{to_quic:?} {to_relay:?}");
}

/// Not a test of its own: the program inside a namespace.
#[test]
fn a_part() {
    let Ok(part) = std::env::var(PART) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let playing = async {
            match part.as_str() {
                "relay" => relay().await,
                "answer" => answer().await,
                _ => ask().await,
            }
        };
        let parent_left = tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new()));
        tokio::select! {
            () = playing => {}
            _ = parent_left => {}
        }
        std::process::exit(0);
    });
}

fn say(word: &str) {
    let _ = writeln!(std::io::stdout(), "{word}");
}

async fn device(seed: u8) -> Endpoint {
    let endpoint = Endpoint::bind(Config::new(DeviceKey::from_seed([seed; 32]).unwrap())).await.unwrap();
    let meeting = Meeting { relay: format!("http://{RELAY}"), with: endpoint.id() };
    endpoint.use_relays(&[meeting], Vec::new());
    endpoint
}

async fn relay() {
    let mut config = ServerConfig::default();
    config.relay = Some(RelayConfig::new(RELAY.parse::<SocketAddr>().unwrap()));
    let _server = Server::spawn(config).await.unwrap();
    say("ready");
    std::future::pending::<()>().await;
}

async fn answer() {
    let endpoint = device(2).await;
    let listener = TcpListener::bind((ANSWERING, PORT)).await.unwrap();
    endpoint.listens_at(listener.local_addr().unwrap());
    endpoint.serve(tower::service_fn(|_| async { Ok(Response::new(Full::new(Bytes::from("yes")))) }));
    endpoint.allow(HashSet::from([DeviceKey::from_seed([1; 32]).unwrap().id()]));
    endpoint.addresses().wait_for(|told| told.relay.is_some()).await.unwrap();
    say("ready");
    let page = tower::service_fn(|_| async { Ok(Response::new(Full::new(Bytes::from("page")))) });
    edge::serve(listener, page, None, Some(endpoint), CancellationToken::new()).await;
}

/// Asks again and again, and says on which lane whenever that changes.
async fn ask() {
    let endpoint = device(1).await;
    let peer = DeviceKey::from_seed([2; 32]).unwrap().id();
    let address = SocketAddr::new(ANSWERING.parse().unwrap(), PORT);
    let relay = Some(format!("http://{RELAY}"));
    endpoint.learn(peer, Addresses { direct: vec![address], relay, ..Addresses::default() });
    let mut last = None::<LaneKind>;
    let mut every = tokio::time::interval(Duration::from_millis(100));
    loop {
        every.tick().await;
        let request = Request::get("/").body(Full::new(Bytes::new())).unwrap();
        let answered = match endpoint.request(peer, request).await {
            Ok(answer) => answer.into_body().collect().await.is_ok(),
            Err(error) => {
                say(&error.to_string());
                false
            }
        };
        let path = endpoint.path(peer);
        if answered && path.lane != last {
            say(&format!("{:?}: {}", path.lane, path.why));
            last = path.lane;
        }
    }
}

//! Thousands of machines for one coordinator, in one process: each keeps the control link that a real one keeps, over
//! TLS from an address of its own, offers one to three shares, and comes back when the link breaks.
//!
//! `devices seed STATE COUNT` lets them in, in the database of a coordinator that does not run.
//! `devices run ADDRESS COUNT AUTHORITY.pem` is them: it prints how many are registered whenever all are, or not all
//! any more, and ends with its standard input. `bench/run devices` makes tables of it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program that only measures"
)]

use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use peer::DeviceKey;
use proto::wire::link::{
    Addresses, FromAgent, FromCoordinator, HEARTBEAT, OfferedShare, Registration, VERSION, hello_text,
};
use proto::{PrincipalId, ShareId, base64url};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use time::OffsetDateTime;
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Message};

/// Machines of one person.
const MACHINES_EACH: usize = 10;
/// How long a machine waits before it comes back, at first and at most: as the agent does.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(4);
/// Read at once.
const READ_BUFFER: usize = 4096;

type Socket = WebSocketStream<TlsStream<TcpStream>>;

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["seed", state, count] => seed(Path::new(state), count.parse().expect("a number")).await,
        ["run", address, count, authority] => {
            let address = address.parse().expect("an address");
            run(address, count.parse().expect("a number"), Path::new(authority)).await;
        }
        _ => panic!("devices seed STATE COUNT | devices run ADDRESS COUNT AUTHORITY.pem"),
    }
}

async fn seed(state: &Path, count: usize) {
    let people: Vec<_> =
        (0..count.div_ceil(MACHINES_EACH)).map(|n| (person(n), format!("Person {n}"))).collect();
    let machines = (0..count).map(|n| (key(n).id(), person(n / MACHINES_EACH), format!("Machine {n}")));
    let machines: Vec<_> = machines.collect();
    lanthorn_coordinator::rehearsal::let_in(state, &people, &machines).await.unwrap();
}

/// The same bytes for the same thing, each time.
fn bytes(kind: &str, n: usize) -> [u8; 32] {
    *blake3::hash(format!("{kind} {n}").as_bytes()).as_bytes()
}

fn uuid(kind: &str, n: usize) -> String {
    let hex = blake3::Hash::from_bytes(bytes(kind, n)).to_hex();
    format!("{}-{}-7{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

fn key(n: usize) -> DeviceKey {
    DeviceKey::from_seed(bytes("machine", n)).unwrap()
}

fn person(n: usize) -> PrincipalId {
    uuid("person", n).parse().unwrap()
}

fn shares(n: usize) -> Vec<OfferedShare> {
    let share = |i: usize| OfferedShare {
        id: uuid("share", 3 * n + i).parse::<ShareId>().unwrap(),
        name: format!("Share {i} of machine {n}"),
        read_only: false,
        inbox: false,
    };
    (0..=n % 3).map(share).collect()
}

/// What all machines have in common.
struct World {
    coordinator: SocketAddr,
    tls: TlsConnector,
    count: usize,
    registered: AtomicUsize,
}

async fn run(coordinator: SocketAddr, count: usize, authority: &Path) {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(authority).unwrap() {
        roots.add(certificate.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let mut tls = builder.with_root_certificates(roots).with_no_client_auth();
    tls.alpn_protocols = vec![b"http/1.1".to_vec()];
    let tls = TlsConnector::from(Arc::new(tls));
    let world = Arc::new(World { coordinator, tls, count, registered: AtomicUsize::new(0) });
    for n in 0..count {
        tokio::spawn(keep(Arc::clone(&world), n));
    }
    // Whoever started this ends it by closing its input.
    let told_to_end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
    told_to_end.await.unwrap().unwrap();
    std::process::exit(0);
}

/// Keeps one machine's link.
async fn keep(world: Arc<World>, n: usize) {
    let mut wait = FIRST_WAIT;
    loop {
        if let Ok(socket) = greet(&world, n).await {
            wait = FIRST_WAIT;
            world.came();
            // However it ended, the machine comes back.
            let _ = converse(socket).await;
            world.went();
        }
        let chance = f64::from(getrandom::u32().unwrap()) / f64::from(u32::MAX);
        tokio::time::sleep(wait.mul_f64(0.5 + 0.5 * chance)).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

impl World {
    fn came(&self) {
        if self.registered.fetch_add(1, Ordering::Relaxed) + 1 == self.count {
            println!("all");
        }
    }

    fn went(&self) {
        if self.registered.fetch_sub(1, Ordering::Relaxed) == self.count {
            println!("not all");
        }
    }
}

type Failed = Box<dyn std::error::Error + Send + Sync>;

async fn greet(world: &World, n: usize) -> Result<Socket, Failed> {
    let from = TcpSocket::new_v4()?;
    let [.., high, low] = u32::try_from(n + 256)?.to_be_bytes();
    from.bind((Ipv4Addr::new(127, 1, high, low), 0).into())?;
    let stream = from.connect(world.coordinator).await?;
    stream.set_nodelay(true)?;
    let name = ServerName::from(world.coordinator.ip());
    let stream = world.tls.connect(name, stream).await?;
    let limits = WebSocketConfig::default().read_buffer_size(READ_BUFFER).write_buffer_size(0);
    let url = format!("ws://{}/api/v1/agents/link", world.coordinator);
    let (mut socket, _) = tokio_tungstenite::client_async_with_config(url, stream, Some(limits)).await?;
    let FromCoordinator::Challenge { nonce, coordinator, .. } = receive(&mut socket).await? else {
        return Err("no challenge".into());
    };
    let key = key(n);
    let addresses =
        Addresses { direct: vec![([10, 1, (n >> 8) as u8, n as u8], 7000).into()], ..Default::default() };
    let hello = FromAgent::Hello {
        protocol: VERSION,
        device: key.id(),
        signature: base64url::encode(&key.sign(&hello_text(&coordinator, &nonce))),
        time: OffsetDateTime::now_utc(),
        registration: Box::new(Registration {
            name: format!("Machine {n}"),
            platform: "linux".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            addresses,
            shares: shares(n),
        }),
    };
    send(&mut socket, &hello).await?;
    match receive(&mut socket).await? {
        FromCoordinator::Welcome { .. } => Ok(socket),
        other => Err(format!("{other:?}").into()),
    }
}

/// Beats until the link breaks.
async fn converse(mut socket: Socket) -> Result<(), Failed> {
    let mut heartbeat = tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT);
    loop {
        tokio::select! {
            _ = heartbeat.tick() => {
                send(&mut socket, &FromAgent::Heartbeat { time: OffsetDateTime::now_utc() }).await?;
                socket.send(Message::Ping(Bytes::new())).await?;
            }
            message = socket.next() => match message {
                Some(Ok(Message::Close(_))) | None => return Ok(()),
                Some(message) => drop(message?),
            },
        }
    }
}

async fn send(socket: &mut Socket, message: &FromAgent) -> Result<(), Failed> {
    Ok(socket.send(Message::text(serde_json::to_string(message)?)).await?)
}

async fn receive(socket: &mut Socket) -> Result<FromCoordinator, Failed> {
    loop {
        match socket.next().await.ok_or("hung up")?? {
            Message::Text(text) => return Ok(serde_json::from_str(&text)?),
            Message::Close(_) => return Err("hung up".into()),
            _ => {}
        }
    }
}

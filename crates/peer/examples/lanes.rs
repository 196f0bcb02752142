//! Measures the lanes between two processes on this machine, beside the bare transports that they are made of.
//! `lanes` alone measures and prints one line of JSON for each figure; `bench/run lanes` makes a table of them.
//!
//! `lanes answer KIND` is the other process: it prints where it listens, answers, and ends with its standard input.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a program that only measures"
)]

use std::convert::Infallible;
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Empty};

use lanthorn_peer::{Arriving, Config, DeviceKey, Endpoint, edge};
use proto::wire::link::Addresses;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

/// What is copied, and in what pieces it is handed over.
const SIZE: usize = 1 << 30;
const PIECE: usize = 64 * 1024;
/// The seeds of the two keys.
const ANSWERING: u8 = 2;
const ASKING: u8 = 1;
/// Requests of which the median counts.
const REQUESTS: usize = 2000;
/// The protocol's name on the bare QUIC connection.
const BARE: &[u8] = b"bare";

#[tokio::main]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["answer", kind] => answer(kind).await,
        [] => measure(5).await,
        [rounds] => measure(rounds.parse().expect("a number of rounds")).await,
        _ => panic!("lanes [ROUNDS] | lanes answer KIND"),
    }
}

/// One figure.
fn say(what: &str, name: &str, value: f64) {
    println!("{{\"what\": \"{what}\", \"name\": \"{name}\", \"value\": {value:.4}}}");
}

/// Interleaved, so that what else the machine does disturbs all alike.
async fn measure(rounds: usize) {
    for _ in 0..rounds {
        for kind in ["tls", "lan", "iroh", "quic"] {
            let other = Other::start(kind);
            let begun = Instant::now();
            let cpu = other.cpu() + own_cpu();
            let copied = match kind {
                "tls" => copy_tls(other.address).await,
                "iroh" => copy_iroh(other.address).await,
                _ => copy_lane(other.address, kind).await,
            };
            assert_eq!(copied, SIZE);
            say("MiB/s", kind, SIZE as f64 / (1 << 20) as f64 / begun.elapsed().as_secs_f64());
            say("CPU s/GiB", kind, other.cpu() + own_cpu() - cpu);
        }
        for kind in ["lan", "quic"] {
            small(kind).await;
        }
    }
}

/// First connection, first byte after that, and the median of small requests.
async fn small(kind: &str) {
    let other = Other::start(kind);
    let endpoint = endpoint(ASKING, kind).await;
    let peer = key(ANSWERING).id();
    endpoint.learn(peer, Addresses { direct: vec![other.address], ..Addresses::default() });
    let mut times = Vec::new();
    for _ in 0..REQUESTS {
        let begun = Instant::now();
        let answer = endpoint.request(peer, get("/small")).await.unwrap();
        answer.into_body().collect().await.unwrap();
        times.push(begun.elapsed().as_secs_f64() * 1000.0);
    }
    say("connect ms", kind, times[0]);
    times.sort_by(f64::total_cmp);
    say("request ms", kind, times[REQUESTS / 2]);
    endpoint.close().await;
}

/// The other process.
struct Other {
    child: Child,
    address: SocketAddr,
}

impl Other {
    fn start(kind: &str) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["answer", kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    fn cpu(&self) -> f64 {
        cpu_of(&self.child.id().to_string())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn own_cpu() -> f64 {
    cpu_of("self")
}

/// Seconds of processor time, of the whole process.
fn cpu_of(process: &str) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap().split_whitespace().collect();
    let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
    ticks / 100.0
}

fn key(seed: u8) -> DeviceKey {
    DeviceKey::from_seed([seed; 32]).unwrap()
}

async fn endpoint(seed: u8, kind: &str) -> Endpoint {
    Endpoint::bind(Config { key: key(seed), lan: kind == "lan", quic: kind == "quic" }).await.unwrap()
}

fn get(path: &str) -> Request<Empty<Bytes>> {
    Request::get(path).body(Empty::new()).unwrap()
}

async fn copy_lane(address: SocketAddr, kind: &str) -> usize {
    let endpoint = endpoint(ASKING, kind).await;
    let peer = key(ANSWERING).id();
    endpoint.learn(peer, Addresses { direct: vec![address], ..Addresses::default() });
    let mut body = endpoint.request(peer, get("/big")).await.unwrap().into_body();
    let mut copied = 0;
    while let Some(frame) = body.frame().await {
        copied += frame.unwrap().into_data().unwrap().len();
    }
    endpoint.close().await;
    copied
}

async fn copy_tls(address: SocketAddr) -> usize {
    let config =
        rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates({
                let mut roots = rustls::RootCertStore::empty();
                roots.add(bare_certificate().0).unwrap();
                roots
            })
            .with_no_client_auth();
    let tcp = TcpStream::connect(address).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
    let mut buffer = vec![0; PIECE];
    let mut copied = 0;
    while copied < SIZE {
        copied += stream.read(&mut buffer).await.unwrap();
    }
    copied
}

async fn copy_iroh(address: SocketAddr) -> usize {
    let endpoint = bare_iroh(ASKING).await;
    let id = iroh::SecretKey::from_bytes(&[ANSWERING; 32]).public();
    let connection = endpoint.connect(iroh::EndpointAddr::new(id).with_ip_addr(address), BARE).await.unwrap();
    let (mut send, mut receive) = connection.open_bi().await.unwrap();
    send.write_all(b"!").await.unwrap();
    let mut copied = 0;
    while let Some(piece) = receive.read_chunk(PIECE).await.unwrap() {
        copied += piece.len();
    }
    endpoint.close().await;
    copied
}

async fn bare_iroh(seed: u8) -> iroh::Endpoint {
    iroh::Endpoint::builder(iroh::endpoint::presets::Minimal)
        .secret_key(iroh::SecretKey::from_bytes(&[seed; 32]))
        .alpns(vec![BARE.to_vec()])
        .portmapper_config(iroh::endpoint::PortmapperConfig::Disabled)
        .bind()
        .await
        .unwrap()
}

/// A certificate that both processes make alike.
fn bare_certificate()
-> (rustls::pki_types::CertificateDer<'static>, rustls::pki_types::PrivateKeyDer<'static>) {
    let pkcs8 =
        [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &[5; 32]].concat();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(pkcs8.into());
    let pair = rcgen::KeyPair::from_der_and_sign_algo(&key, &rcgen::PKCS_ED25519).unwrap();
    let made =
        rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap().self_signed(&pair).unwrap();
    (made.der().clone(), key)
}

async fn answer(kind: &str) {
    match kind {
        "tls" => answer_tls().await,
        "iroh" => answer_iroh().await,
        _ => answer_lane(kind).await,
    }
    // Until the asking process lets go.
    tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await.unwrap().unwrap();
    std::process::exit(0);
}

async fn answer_tls() {
    let (certificate, key) = bare_certificate();
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        let mut stream = acceptor.accept(tcp).await.unwrap();
        for _ in 0..SIZE / PIECE {
            stream.write_all(&[7; PIECE]).await.unwrap();
        }
        stream.shutdown().await.unwrap();
    });
}

async fn answer_iroh() {
    let endpoint = bare_iroh(ANSWERING).await;
    let port = endpoint.bound_sockets().iter().find(|socket| socket.is_ipv4()).unwrap().port();
    println!("{}", SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    tokio::spawn(async move {
        let connection = endpoint.accept().await.unwrap().await.unwrap();
        let (mut send, mut receive) = connection.accept_bi().await.unwrap();
        receive.read_chunk(1).await.unwrap();
        for _ in 0..SIZE / PIECE {
            send.write_chunk(Bytes::from_static(&[7; PIECE])).await.unwrap();
        }
        send.finish().unwrap();
        connection.closed().await;
    });
}

async fn answer_lane(kind: &str) {
    let endpoint = endpoint(ANSWERING, kind).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    endpoint.listens_at(address);
    endpoint.admit(key(ASKING).id());
    endpoint.serve(tower::service_fn(|request: Request<Arriving>| async move {
        let left = if request.uri().path() == "/big" { SIZE / PIECE } else { 1 };
        Ok::<_, Infallible>(Response::new(Sevens { left }))
    }));
    if kind == "quic" {
        let mut told = endpoint.addresses();
        tokio::time::timeout(Duration::from_secs(10), told.wait_for(|told| !told.udp.is_empty())).await.ok();
    }
    let page = tower::service_fn(|_| async { Ok(Response::new(Empty::<Bytes>::new())) });
    tokio::spawn(edge::serve(listener, page, None, Some(endpoint), CancellationToken::new()));
    println!("{address}");
}

/// A body of that many pieces.
struct Sevens {
    left: usize,
}

impl Body for Sevens {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[7; PIECE])))))
    }
}

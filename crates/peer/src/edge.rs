//! The edge: one TCP port that answers HTTP and HTTPS, HTTP/1.1 and HTTP/2, and protects what is behind it.
//!
//! The first byte tells TLS from plain text. Connections are capped in all and per address, headers and handshakes
//! have a deadline, and small answers leave at once (`TCP_NODELAY`). Each request is handed to the service with
//! two extensions: [`Connection`], and on plain HTTP/1.x the connection's [`Lane`]. Knows no route and no right.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use parking_lot::Mutex;
use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::LazyConfigAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};
use tracing::Instrument;

use crate::arriving::Arriving;
use crate::connection::{Connection, canonical};
use crate::endpoint::Endpoint;
use crate::lane::lan;
#[cfg(target_os = "linux")]
use crate::lane_io::LaneIo;
use crate::sendfile::Lane;

/// Connections served at once; a browser opens six.
const MAX_CONNECTIONS: usize = 2048;
/// Of these, how many may come from one address, so that one host cannot take them all.
const MAX_PER_ADDRESS: usize = 1024;
/// A caller who has not sent a request's headers, or finished a handshake, by then is not a browser.
const HEADER_DEADLINE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 10 });
/// Requests under way at once on one HTTP/2 connection.
const MAX_STREAMS: u32 = 128;
/// The longest head of a request.
const MAX_HEADER_BYTES: u32 = 32 * 1024;
/// How much of an answer hyper may hold for a slow reader.
const WRITE_BUFFER: usize = 256 * 1024;
/// How long requests under way have to finish once the program is told to end.
const DRAIN_DEADLINE: Duration = Duration::from_secs(4);
/// Rest after the system refused a new connection for want of descriptors or memory.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// The first byte of a TLS handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// What the edge hands requests to.
pub trait Handler<B>:
    Service<Request<Arriving>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<B, S> Handler<B> for S where
    S: Service<Request<Arriving>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + 'static
{
}

/// Serves a bound listener until `shutdown`, then lets requests under way finish for four seconds.
///
/// With `lanes`, a peer that asks for a lane (by ALPN, in its first message) is handed to the endpoint; every other
/// caller that speaks TLS gets the page's, `tls`, and is hung up on if there is none.
pub async fn serve<S, B>(
    listener: TcpListener,
    handler: S,
    tls: Option<Arc<ServerConfig>>,
    lanes: Option<Endpoint>,
    shutdown: CancellationToken,
) where
    S: Handler<B>,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let doors = Doors { tls, lanes, shutdown: shutdown.clone(), http: http_builder() };
    let (places, callers) = (Arc::new(Semaphore::new(MAX_CONNECTIONS)), Callers::default());
    let tasks = TaskTracker::new();
    while let Some((stream, remote, place)) = next_caller(&listener, &places, &shutdown).await {
        let Some(caller) = callers.admit(canonical(remote.ip())) else {
            tracing::debug!(%remote, "too many connections from one address");
            continue;
        };
        let (doors, handler) = (doors.clone(), handler.clone());
        let span = tracing::debug_span!("connection", %remote);
        tasks.spawn(
            async move {
                let _held = (place, caller);
                if let Err(error) = doors.open(stream, remote, handler).await {
                    tracing::debug!(%error, "connection ended");
                }
            }
            .instrument(span),
        );
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(DRAIN_DEADLINE, tasks.wait()).await.is_err() {
        tracing::info!(open = tasks.len(), "ending connections that did not finish in time");
    }
}

/// The next connection with a place for it, or `None` at shutdown.
async fn next_caller(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
    shutdown: &CancellationToken,
) -> Option<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let next = async {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => return Some((stream, remote, place)),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        () = shutdown.cancelled() => None,
        caller = next => caller,
    }
}

fn http_builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_DEADLINE)
        .max_buf_size(WRITE_BUFFER)
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADER_BYTES)
        .adaptive_window(true)
        .keep_alive_interval(Some(Duration::from_secs(20)))
        .max_send_buf_size(WRITE_BUFFER);
    builder
}

/// What every connection needs: the ways in, and the word to end.
#[derive(Clone)]
struct Doors {
    tls: Option<Arc<ServerConfig>>,
    lanes: Option<Endpoint>,
    shutdown: CancellationToken,
    http: auto::Builder<TokioExecutor>,
}

impl Doors {
    async fn open<S, B>(&self, stream: TcpStream, remote: SocketAddr, handler: S) -> io::Result<()>
    where
        S: Handler<B>,
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        stream.set_nodelay(true)?;
        let local = stream.local_addr()?;
        let mut first = [0u8; 1];
        if within_deadline(stream.peek(&mut first)).await? == 0 {
            return Ok(());
        }
        let connection = |encrypted| Connection { remote, local, encrypted };
        if first[0] != TLS_HANDSHAKE {
            let lane = Lane::default();
            #[cfg(target_os = "linux")]
            let stream = LaneIo::new(stream, lane.clone());
            #[cfg(not(target_os = "linux"))]
            let (stream, lane) = (stream, {
                drop(lane);
                None
            });
            #[cfg(target_os = "linux")]
            let lane = Some(lane);
            return self.converse(stream, connection(false), lane, handler).await;
        }
        let began = within_deadline(LazyConfigAcceptor::new(Acceptor::default(), stream)).await?;
        if let Some(lanes) = self.lanes.as_ref().filter(|_| lan::is_asked_for(&began.client_hello())) {
            return lanes.accept(began, connection(true), HEADER_DEADLINE, self.shutdown.clone()).await;
        }
        let Some(tls) = &self.tls else { return Err(io::Error::other("TLS is not offered on this port")) };
        let stream = within_deadline(began.into_stream(Arc::clone(tls))).await?;
        self.converse(stream, connection(true), None, handler).await
    }

    async fn converse<I, S, B>(
        &self,
        io: I,
        connection: Connection,
        lane: Option<Lane>,
        handler: S,
    ) -> io::Result<()>
    where
        I: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        S: Handler<B>,
        B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
    {
        let asked = CancellationToken::new();
        let asks = asked.clone();
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            asks.cancel();
            request.extensions_mut().insert(connection);
            if let (Some(lane), true) = (&lane, request.version() <= Version::HTTP_11) {
                request.extensions_mut().insert(lane.clone());
            }
            handler.clone().oneshot(Arriving::of(request))
        });
        let conversation = self.http.serve_connection_with_upgrades(TokioIo::new(io), service);
        let mut conversation = std::pin::pin!(conversation);
        // A token of its own: looking at one that all share is a lock that all wait for.
        let ending = self.shutdown.child_token();
        // hyper's own deadline begins only once it knows the version, and HTTP/2 has none.
        let silent = async {
            if tokio::time::timeout(HEADER_DEADLINE, asked.cancelled()).await.is_ok() {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = conversation.as_mut() => return ended.map_err(io::Error::other),
            () = silent => return Err(io::ErrorKind::TimedOut.into()),
            () = ending.cancelled() => conversation.as_mut().graceful_shutdown(),
        }
        tokio::time::timeout(DRAIN_DEADLINE, conversation)
            .await
            .map_err(io::Error::other)?
            .map_err(io::Error::other)
    }
}

async fn within_deadline<T>(step: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    tokio::time::timeout(HEADER_DEADLINE, step).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
}

/// How many connections each address has.
#[derive(Clone, Default)]
struct Callers {
    counts: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// One connection's place among its address's; given back on drop.
struct Admitted {
    callers: Callers,
    address: IpAddr,
}

impl Callers {
    fn admit(&self, address: IpAddr) -> Option<Admitted> {
        let mut counts = self.counts.lock();
        let count = counts.entry(address).or_default();
        if *count >= MAX_PER_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Admitted { callers: self.clone(), address })
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut counts = self.callers.counts.lock();
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sendfile::Version as FileVersion;
    use bytes::Bytes;
    use http_body_util::Full;
    use http_body_util::channel::Channel;
    use std::io::Write;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    /// An edge on a free port, ended when dropped.
    struct Running {
        address: SocketAddr,
        shutdown: CancellationToken,
        served: tokio::task::JoinHandle<()>,
    }

    impl Running {
        async fn with<S, B>(handler: S, tls: Option<Arc<ServerConfig>>) -> Self
        where
            S: Handler<B> + Sync,
            B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
        {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let shutdown = CancellationToken::new();
            let served = tokio::spawn(serve(listener, handler, tls, None, shutdown.clone()));
            Self { address, shutdown, served }
        }

        /// Sends `request` on a connection of its own and reads until the other end hangs up.
        async fn ask(&self, request: &str) -> (Vec<u8>, io::Result<usize>) {
            let mut stream = TcpStream::connect(self.address).await.unwrap();
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            let ended = stream.read_to_end(&mut answer).await;
            (answer, ended)
        }
    }

    /// A file whose every 4-byte word is its own index, so that any shifted or foreign byte shows.
    fn numbered_file(words: u32) -> Arc<std::fs::File> {
        let mut file = tempfile::tempfile().unwrap();
        let content: Vec<u8> = (0..words).flat_map(u32::to_be_bytes).collect();
        file.write_all(&content).unwrap();
        Arc::new(file)
    }

    /// Answers with `claimed` bytes of the file, all through the lane.
    fn lane_handler(file: Arc<std::fs::File>, claimed: u64) -> impl Handler<Channel<Bytes>> + Sync {
        tower::service_fn(move |request: Request<Arriving>| {
            let file = Arc::clone(&file);
            async move {
                let lane = request.extensions().get::<Lane>().expect("plain HTTP/1.1 has a lane").clone();
                let (mut sender, body) = Channel::new(1);
                tokio::spawn(async move {
                    let mut offset = 0;
                    while offset < claimed {
                        let len = (claimed - offset).min(crate::sendfile::WINDOW as u64);
                        let Some(window) =
                            lane.window(&file, FileVersion::of(&file).unwrap(), offset, len as usize)
                        else {
                            tokio::task::yield_now().await;
                            continue;
                        };
                        if sender.send_data(window).await.is_err() {
                            return;
                        }
                        offset += len;
                    }
                });
                Ok(Response::builder().header("content-length", claimed).body(body).unwrap())
            }
        })
    }

    const GET: &str = "GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_arrives_as_it_is() {
        let words = 1_000_003;
        let running = Running::with(lane_handler(numbered_file(words), u64::from(words) * 4), None).await;
        let (answer, ended) = running.ask(GET).await;
        ended.unwrap();
        let head = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let expected: Vec<u8> = (0..words).flat_map(u32::to_be_bytes).collect();
        assert!(answer[head..] == expected[..], "the content differs");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_that_ends_early_breaks_the_answer() {
        let running = Running::with(lane_handler(numbered_file(1000), 5000), None).await;
        let (answer, _) = running.ask(GET).await;
        let head = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        assert_eq!(answer.len() - head, 4000, "no byte was made up for the missing ones");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_file_that_changes_behind_a_window_breaks_the_answer() {
        let file = numbered_file(1000);
        let handler = tower::service_fn(move |request: Request<Arriving>| {
            let file = Arc::clone(&file);
            async move {
                let lane = request.extensions().get::<Lane>().expect("plain HTTP/1.1 has a lane").clone();
                let version = FileVersion::of(&file).unwrap();
                let window = lane.window(&file, version, 0, 4000).expect("a free slot");
                file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
                Ok(Response::new(Full::new(window)))
            }
        });
        let (answer, _) = Running::with(handler, None).await.ask(GET).await;
        assert!(answer.len() < 4000, "another version of the file was sent");
    }

    #[tokio::test]
    async fn who_opens_a_connection_and_asks_nothing_is_hung_up_on() {
        let running = Running::with(hello(), None).await;
        let http2 = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        let openings = ["", "P", "PRI * HTTP/2.0\r\n", http2, "GET / HTTP/1.1\r\nhost:", "\x16\x03\x01"];
        let asked = futures_util::future::join_all(openings.map(|opening| running.ask(opening))).await;
        assert!(asked.iter().all(|(answer, _)| !answer.starts_with(b"HTTP/1.1 200")));
    }

    /// Refuses everything unread.
    fn refusing() -> impl Handler<Full<Bytes>> + Sync {
        tower::service_fn(|_: Request<Arriving>| async {
            Ok(Response::builder().status(409).body(Full::new(Bytes::from_static(b"{}"))).unwrap())
        })
    }

    async fn answer(stream: &mut TcpStream) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n{}") {
            assert_ne!(stream.read_buf(&mut answer).await.unwrap(), 0, "hung up: {answer:?}");
        }
        String::from_utf8(answer).unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_sends_all_before_looking_up_hears_why_it_was_refused() {
        let running = Running::with(refusing(), None).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        // More than the system holds for either side. Twice: the connection is as good as before.
        let body = vec![7; 24 << 20];
        for _ in 0..2 {
            let head = format!("PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(&body).await.unwrap();
            assert!(answer(&mut stream).await.starts_with("HTTP/1.1 409"));
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn who_sends_without_end_is_hung_up_on() {
        let running = Running::with(refusing(), None).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"PUT / HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999\r\n\r\n").await.unwrap();
        let piece = vec![7; 1 << 20];
        let mut pieces = 0;
        while stream.write_all(&piece).await.is_ok() {
            pieces += 1;
            assert!(pieces < 256);
        }
        assert!(pieces >= 32, "{pieces}");
    }

    #[tokio::test]
    async fn who_waits_to_be_told_to_send_is_told_not_to() {
        let running = Running::with(refusing(), None).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        let head = "PUT / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 5\r\n\r\n";
        stream.write_all(head.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.starts_with("HTTP/1.1 409"));
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
        assert_eq!(rest, b"", "nothing comes after the answer");
    }

    #[tokio::test]
    async fn a_window_whose_slot_is_gone_is_an_error() {
        let (lane, other) = (Lane::default(), Lane::default());
        let file = numbered_file(4);
        let window = lane.window(&file, FileVersion::of(&file).unwrap(), 0, 16).unwrap();
        assert!(lane.source_of(&window).unwrap().is_some());
        assert!(other.source_of(&window).is_err(), "another connection's window");
        assert!(lane.source_of(b"ordinary").unwrap().is_none());
        assert_eq!(lane.source_of(&window[8..]).unwrap().unwrap().offset, 8);
    }

    #[tokio::test]
    async fn slots_are_given_back() {
        let (lane, file) = (Lane::default(), numbered_file(4));
        let version = FileVersion::of(&file).unwrap();
        let mut held = Vec::new();
        while let Some(window) = lane.window(&file, version, 0, 4) {
            held.push(window);
        }
        assert!(!held.is_empty());
        held.pop();
        assert!(lane.window(&file, version, 0, 4).is_some());
    }

    fn hello() -> impl Handler<Full<Bytes>> + Sync {
        tower::service_fn(|request: Request<Arriving>| async move {
            let connection =
                request.extensions().get::<Connection>().copied().expect("every request has one");
            let lane = request.extensions().get::<Lane>().is_some();
            let text = format!("encrypted={} lane={lane}", connection.encrypted);
            Ok(Response::new(Full::new(Bytes::from(text))))
        })
    }

    fn tls_pair() -> (Arc<ServerConfig>, tokio_rustls::TlsConnector) {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let client =
            rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_root_certificates(roots)
                .with_no_client_auth();
        (Arc::new(server), tokio_rustls::TlsConnector::from(Arc::new(client)))
    }

    #[tokio::test]
    async fn one_port_answers_plain_and_encrypted() {
        let (server, client) = tls_pair();
        let running = Running::with(hello(), Some(server)).await;
        let (plain, _) = running.ask(GET).await;
        assert!(plain.ends_with(b"encrypted=false lane=true"), "{}", String::from_utf8_lossy(&plain));
        let tcp = TcpStream::connect(running.address).await.unwrap();
        let mut tls = client.connect("localhost".try_into().unwrap(), tcp).await.unwrap();
        tls.write_all(GET.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        tls.read_to_end(&mut answer).await.unwrap();
        assert!(answer.ends_with(b"encrypted=true lane=false"), "{}", String::from_utf8_lossy(&answer));
    }

    #[tokio::test]
    async fn shutdown_ends_an_idle_connection_and_the_edge() {
        let running = Running::with(hello(), None).await;
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut first = [0u8; 1];
        stream.read_exact(&mut first).await.unwrap();
        running.shutdown.cancel();
        running.served.await.unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await.unwrap();
    }
}

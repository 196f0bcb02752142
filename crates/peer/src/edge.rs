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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::{Service, ServiceExt};
use tracing::Instrument;

use crate::connection::{Connection, canonical};
#[cfg(target_os = "linux")]
use crate::lane_io::LaneIo;
use crate::sendfile::Lane;

/// Connections served at once; a browser opens six.
const MAX_CONNECTIONS: usize = 2048;
/// Of these, how many may come from one address, so that one host cannot take them all.
const MAX_PER_ADDRESS: usize = 1024;
/// A caller who has not sent a request's headers, or finished a handshake, by then is not a browser.
const HEADER_DEADLINE: Duration = Duration::from_secs(10);
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
    Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

impl<B, S> Handler<B> for S where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Clone + Send + 'static
{
}

/// Serves a bound listener until `shutdown`, then lets requests under way finish for four seconds.
///
/// Without `tls`, a caller that speaks TLS is hung up on.
pub async fn serve<S, B>(
    listener: TcpListener,
    handler: S,
    tls: Option<Arc<ServerConfig>>,
    shutdown: CancellationToken,
) where
    S: Handler<B>,
    B: Body<Data: Send, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    let doors = Doors { tls: tls.map(TlsAcceptor::from), shutdown: shutdown.clone(), http: http_builder() };
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
    tls: Option<TlsAcceptor>,
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
            let (stream, lane) = (stream, { drop(lane); None });
            #[cfg(target_os = "linux")]
            let lane = Some(lane);
            return self.converse(stream, connection(false), lane, handler).await;
        }
        let Some(tls) = &self.tls else { return Err(io::Error::other("TLS is not offered on this port")) };
        let stream = within_deadline(tls.accept(stream)).await?;
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
        let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(connection);
            if let (Some(lane), true) = (&lane, request.version() <= Version::HTTP_11) {
                request.extensions_mut().insert(lane.clone());
            }
            handler.clone().oneshot(request)
        });
        let conversation = self.http.serve_connection_with_upgrades(TokioIo::new(io), service);
        let mut conversation = std::pin::pin!(conversation);
        tokio::select! {
            ended = conversation.as_mut() => return ended.map_err(io::Error::other),
            () = self.shutdown.cancelled() => conversation.as_mut().graceful_shutdown(),
        }
        tokio::time::timeout(DRAIN_DEADLINE, conversation).await.map_err(io::Error::other)?.map_err(io::Error::other)
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

//! A coordinator as programs ask it: JSON over HTTPS, its authority pinned. Knows addresses and TLS, no command.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use http::header::{CONTENT_TYPE, HOST, ORIGIN};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Bytes, Incoming};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::client::legacy::{self, Client as Pool};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use proto::{ApiError, ErrorCode};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::config::Role;
use crate::trusted::{Trusted, wrong_certificate};

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// What a request carries: bytes at once, or some after the other.
pub type Outgoing = UnsyncBoxBody<Bytes, io::Error>;

/// How long the connection and its handshake may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may take that is read whole.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// The longest answer that is read whole.
const MAX_ANSWER_BYTES: usize = 32 << 20;
/// How long an unused connection is kept.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// Where a coordinator is: host and port, as they stand in an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
}

impl Address {
    /// Reads what somebody typed: `attic`, `192.168.1.7:7000`, `http://attic:7000/anything`. The way is encrypted
    /// whatever stands in front: one port answers both.
    pub fn parse(typed: &str) -> Result<Self> {
        let (rest, default_port) = match typed.split_once("://") {
            Some(("https", rest)) => (rest, 443),
            Some(("http", rest)) => (rest, 80),
            Some((scheme, _)) => bail!("{scheme}:// is no address of a coordinator"),
            None => (typed, Role::Coordinator.default_port()),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let authority: http::uri::Authority =
            authority.parse().with_context(|| format!("{typed:?} is no address"))?;
        ensure!(!authority.as_str().contains('@'), "an address of a coordinator names nobody");
        let host = authority.host().to_owned();
        ensure!(!host.is_empty(), "{typed:?} names no machine");
        let port = match authority.port_u16() {
            None if authority.as_str().len() > host.len() => bail!("{typed:?} names no port that there is"),
            port => port.unwrap_or(default_port),
        };
        Ok(Self { host, port })
    }

    /// As it stands in a `Host` header.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// As an address to open.
    pub fn url(&self) -> String {
        format!("https://{}", self.authority())
    }

    fn name(&self) -> io::Result<ServerName<'static>> {
        let bare = self.host.trim_start_matches('[').trim_end_matches(']').to_owned();
        ServerName::try_from(bare).map_err(io::Error::other)
    }

    fn bare_host(&self) -> &str {
        self.host.trim_start_matches('[').trim_end_matches(']')
    }
}

/// Connects to one coordinator.
#[derive(Clone)]
pub struct Connector {
    address: Address,
    tls: TlsConnector,
}

impl Connector {
    /// Connections to this address, which has to prove itself so.
    pub fn new(address: Address, trusted: Trusted<'_>) -> Result<Self> {
        Ok(Self::with(address, Arc::new(trusted.config()?)))
    }

    /// The same with TLS that was made before.
    pub fn with(address: Address, tls: Arc<ClientConfig>) -> Self {
        Self { address, tls: TlsConnector::from(tls) }
    }

    /// Where it connects to.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// A connection on which the coordinator has proved itself.
    pub async fn connect(&self) -> io::Result<TlsStream<TcpStream>> {
        let opened = tokio::time::timeout(CONNECT_TIMEOUT, async {
            let stream = TcpStream::connect((self.address.bare_host(), self.address.port)).await?;
            stream.set_nodelay(true)?;
            self.tls.connect(self.address.name()?, stream).await
        });
        opened.await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }
}

/// A coordinator's answer that is a refusal. The exit code is that of its code.
#[derive(Debug)]
pub struct Refused(pub ApiError);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.0.message, self.0.hint)
    }
}

impl std::error::Error for Refused {}

/// Nobody answers there, or nobody who can prove to be the one that was meant.
#[derive(Debug)]
pub struct Unreachable {
    authority: String,
    why: String,
    /// Somebody else answers. They were told nothing.
    pub another: bool,
}

impl Unreachable {
    /// The next step.
    pub fn hint(&self) -> &'static str {
        if self.another {
            "Nothing was told to who answers there. Ask at that machine itself for its address or a new invitation."
        } else {
            "See that Lanthorn runs there and that this machine is on its network."
        }
    }

    /// The code whose exit code a command ends with.
    pub fn code(&self) -> ErrorCode {
        if self.another { ErrorCode::WrongSignature } else { ErrorCode::DeviceUnreachable }
    }
}

impl std::fmt::Display for Unreachable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.another { "is not the one that was meant" } else { "cannot be reached" };
        write!(f, "{} {what}: {}", self.authority, self.why)
    }
}

impl std::error::Error for Unreachable {}

/// A coordinator.
#[derive(Clone)]
pub struct Client {
    address: Address,
    token: Option<HeaderValue>,
    pool: Pool<tower::util::BoxCloneSyncService<http::Uri, TokioIo<Secured>, io::Error>, Outgoing>,
}

impl Client {
    /// Asks through these connections.
    pub fn new(connector: &Connector) -> Self {
        let connect = connector.clone();
        let service = tower::service_fn(move |_: http::Uri| {
            let connect = connect.clone();
            async move { connect.connect().await.map(|stream| TokioIo::new(Secured(stream))) }
        });
        let pool = Pool::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .build(tower::util::BoxCloneSyncService::new(service));
        Self { address: connector.address.clone(), token: None, pool }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.address.url()
    }

    /// The same coordinator, asked with an access token.
    pub fn with_token(mut self, token: &str) -> Result<Self> {
        let mut value = HeaderValue::try_from(format!("Bearer {token}"))?;
        value.set_sensitive(true);
        self.token = Some(value);
        Ok(self)
    }

    /// `GET`s JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.exchange(Method::GET, path, Bytes::new()).await
    }

    /// `POST`s JSON and reads JSON.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T> {
        self.exchange(Method::POST, path, serde_json::to_vec(body)?.into()).await
    }

    async fn exchange<T: DeserializeOwned>(&self, method: Method, path: &str, body: Bytes) -> Result<T> {
        let request = Request::builder().method(method).uri(path).body(outgoing(Full::new(body)))?;
        let whole = async {
            let answer = self.send(request).await?;
            json_in(answer).await
        };
        let answered = tokio::time::timeout(ANSWER_TIMEOUT, whole).await;
        answered.map_err(|_| self.unreachable("it does not answer".into(), false))?
    }

    /// Sends a request; its address is a path. An answer that is a refusal is an error ([`Refused`]).
    pub async fn send(&self, mut request: Request<Outgoing>) -> Result<Response<Incoming>> {
        let path = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let url = format!("http://{}{path}", self.address.authority());
        *request.uri_mut() = url.parse()?;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::try_from(self.address.authority())?);
        headers.insert(ORIGIN, HeaderValue::try_from(self.address.url())?);
        headers.insert("x-lanthorn", HeaderValue::from_static("1"));
        headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        if let Some(token) = &self.token {
            headers.insert(http::header::AUTHORIZATION, token.clone());
        }
        let answer = self.pool.request(request).await.map_err(|error| self.failed(&error))?;
        if answer.status().is_success() { Ok(answer) } else { Err(refusal(answer).await) }
    }

    fn unreachable(&self, why: String, another: bool) -> anyhow::Error {
        Unreachable { authority: self.address.authority(), why, another }.into()
    }

    fn failed(&self, error: &legacy::Error) -> anyhow::Error {
        let mut root: &dyn std::error::Error = error;
        while let Some(cause) = root.source() {
            root = cause;
        }
        match root.downcast_ref::<io::Error>().and_then(wrong_certificate) {
            Some(wrong) => self.unreachable(wrong.into(), true),
            None => self.unreachable(root.to_string(), false),
        }
    }
}

/// Bytes at once, as a request carries them.
pub fn outgoing(bytes: Full<Bytes>) -> Outgoing {
    bytes.map_err(|never| match never {}).boxed_unsync()
}

/// Reads an answer whole.
pub async fn json_in<T, B>(answer: Response<B>) -> Result<T>
where
    T: DeserializeOwned,
    B: Body<Error: Into<BoxError>>,
{
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
    let body = body.map_err(|error| anyhow::anyhow!(error)).context("the answer broke off")?;
    serde_json::from_slice(&body.to_bytes()).context("what answers is no Lanthorn of this version")
}

/// What an answer that is a refusal says.
pub async fn refusal<B: Body>(answer: Response<B>) -> anyhow::Error
where
    B::Error: Into<BoxError>,
{
    let status = answer.status();
    let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
    let error = body.ok().and_then(|body| serde_json::from_slice(&body.to_bytes()).ok());
    let error = error.unwrap_or_else(|| {
        let message = format!("What answers is no Lanthorn of this version ({status}).");
        ApiError::new(ErrorCode::BadRequest, message, "Look at the address.")
    });
    Refused(error).into()
}

/// An encrypted connection, as hyper's pool takes it.
pub struct Secured(TlsStream<TcpStream>);

impl Connection for Secured {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Secured {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Secured {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    // Else hyper copies everything together before it writes.
    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_people_write_it() {
        for (typed, authority) in [
            ("attic", "attic:7000"),
            ("attic:7010", "attic:7010"),
            ("192.168.1.7", "192.168.1.7:7000"),
            ("[fe80::1]:7001", "[fe80::1]:7001"),
            ("http://attic:7000", "attic:7000"),
            ("http://attic:7000/setup?x#y", "attic:7000"),
            ("https://files.example.org", "files.example.org:443"),
            ("https://attic:7000/invite#SECRET", "attic:7000"),
        ] {
            assert_eq!(Address::parse(typed).unwrap().authority(), authority, "{typed}");
        }
        for typed in ["", "ftp://attic", "https://", "user@attic", "at tic", "attic:70000"] {
            assert!(Address::parse(typed).is_err(), "{typed}");
        }
        assert_eq!(Address::parse("[::1]:1").unwrap().name().unwrap(), ServerName::try_from("::1").unwrap());
    }
}

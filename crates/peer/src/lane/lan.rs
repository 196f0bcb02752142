//! The LAN lane: TLS 1.3 over TCP, straight to an address of the peer's. One connection is one stream.
//!
//! In TLS 1.3 the dialler is done before the acceptor has looked at its key. So the acceptor says one byte first,
//! once it has: who reads it knows that it is welcome, and how long a round trip takes.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use proto::DeviceId;
use rustls::server::ClientHello;
use rustls::{AlertDescription, CertificateError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::{StartHandshake, TlsConnector, TlsStream};

use super::pin::{self, MayEnter};
use crate::error::{OpenError, io_error, is_dead_network};
use crate::key::DeviceKey;
use crate::protocol::Protocol;

/// What an acceptor says first.
const WELCOME: u8 = 1;
/// An address on the same network that has not answered by then does not.
const DIAL_DEADLINE: Duration = Duration::from_secs(3);
/// How long the first address has before the next is tried as well.
const HEAD_START: Duration = Duration::from_millis(50);
/// Addresses tried at most; a peer with more has virtual networks.
const MAX_ADDRESSES: usize = 16;
/// A silent connection is asked whether it still lives after this long …
const PULSE_AFTER: Duration = Duration::from_secs(2);
/// … again at this distance …
const PULSE_EVERY: Duration = Duration::from_secs(1);
/// … and is given up after so many questions without an answer.
const PULSES: u32 = 2;

/// How this device dials and answers on the LAN lane.
pub(crate) struct Lan {
    diallers: Vec<(Protocol, TlsConnector)>,
    acceptor: Arc<rustls::ServerConfig>,
}

/// A stream that was dialled.
pub(crate) struct Dialled {
    pub(crate) stream: TlsStream<TcpStream>,
    pub(crate) address: SocketAddr,
    pub(crate) round_trip: Duration,
}

/// A stream that a peer dialled.
pub(crate) struct Accepted {
    pub(crate) peer: DeviceId,
    pub(crate) protocol: Protocol,
    pub(crate) stream: TlsStream<TcpStream>,
}

/// True if a caller asks for a lane and not for the page.
pub(crate) fn is_asked_for(hello: &ClientHello<'_>) -> bool {
    hello.alpn().is_some_and(|mut names| names.any(|name| Protocol::named(name).is_some()))
}

impl Lan {
    pub(crate) fn new(key: &DeviceKey, door: Arc<dyn MayEnter>) -> Result<Self, rustls::Error> {
        let dialler = |protocol| {
            let config = pin::dialler(key, protocol)?;
            Ok((protocol, TlsConnector::from(Arc::new(config))))
        };
        Ok(Self {
            diallers: Protocol::ALL.into_iter().map(dialler).collect::<Result<_, rustls::Error>>()?,
            acceptor: Arc::new(pin::acceptor(key, door)?),
        })
    }

    /// Opens a stream at the first of these addresses where the peer answers.
    pub(crate) async fn dial(
        &self,
        peer: DeviceId,
        addresses: &[SocketAddr],
        protocol: Protocol,
    ) -> Result<Dialled, OpenError> {
        let mut attempts: FuturesUnordered<_> = addresses
            .iter()
            .take(MAX_ADDRESSES)
            .zip(0..)
            .map(|(address, place)| async move {
                tokio::time::sleep(HEAD_START * place).await;
                self.dial_one(peer, *address, protocol).await
            })
            .collect();
        let mut failed = OpenError::NoAddress;
        while let Some(ended) = attempts.next().await {
            match (ended, &failed) {
                (Ok(dialled), _) => return Ok(dialled),
                // The peer itself has spoken.
                (Err(OpenError::Refused), _) => return Err(OpenError::Refused),
                // It counts only if all say so.
                (Err(OpenError::Closed(address)), OpenError::NoAddress) => {
                    failed = OpenError::Closed(address)
                }
                (Err(OpenError::Closed(_)), _) => {}
                // Somebody is there, at one address at least.
                (Err(OpenError::Silent(_)), OpenError::Unreachable(_) | OpenError::WrongKey) => {}
                (Err(error), _) => failed = error,
            }
        }
        Err(failed)
    }

    async fn dial_one(
        &self,
        peer: DeviceId,
        address: SocketAddr,
        protocol: Protocol,
    ) -> Result<Dialled, OpenError> {
        let deadline = tokio::time::Instant::now() + DIAL_DEADLINE;
        let tcp = match tokio::time::timeout_at(deadline, TcpStream::connect(address)).await {
            Ok(connected) => connected.map_err(|error| explain(address, &error))?,
            Err(_) => return Err(OpenError::Silent(format!("{address} is silent"))),
        };
        match tokio::time::timeout_at(deadline, self.shake_hands(peer, tcp, protocol)).await {
            Ok(Ok((stream, round_trip))) => Ok(Dialled { stream, address, round_trip }),
            Ok(Err(error)) => Err(explain(address, &error)),
            Err(_) => Err(OpenError::Unreachable(format!("{address} is busy"))),
        }
    }

    /// The stream, and how long a round trip takes.
    async fn shake_hands(
        &self,
        peer: DeviceId,
        tcp: TcpStream,
        protocol: Protocol,
    ) -> io::Result<(TlsStream<TcpStream>, Duration)> {
        let dialler = self.diallers.iter().find(|(name, _)| *name == protocol).map(|(_, dialler)| dialler);
        let (Some(dialler), Some(name)) = (dialler, pin::name_of(peer)) else {
            return Err(io::ErrorKind::Unsupported.into());
        };
        keep_alive(&tcp)?;
        let mut stream = dialler.connect(name, tcp).await?;
        if stream.get_ref().1.alpn_protocol() != Some(protocol.name().as_bytes()) {
            return Err(io::Error::other("it does not speak our protocol"));
        }
        let asked = Instant::now();
        if stream.read_u8().await? != WELCOME {
            return Err(io::Error::other("it does not speak our protocol"));
        }
        Ok((stream.into(), asked.elapsed()))
    }

    /// Completes the handshake that a peer began. Fails for whoever is not allowed.
    pub(crate) async fn accept(&self, began: StartHandshake<TcpStream>) -> io::Result<Accepted> {
        let mut stream = began.into_stream(Arc::clone(&self.acceptor)).await?;
        let session = stream.get_ref().1;
        let certificate = session.peer_certificates().and_then(<[_]>::first);
        let peer = certificate.and_then(pin::device_of).ok_or(io::ErrorKind::PermissionDenied)?;
        let protocol = session.alpn_protocol().and_then(Protocol::named).ok_or(io::ErrorKind::Unsupported)?;
        keep_alive(stream.get_ref().0)?;
        stream.write_u8(WELCOME).await?;
        stream.flush().await?;
        Ok(Accepted { peer, protocol, stream: stream.into() })
    }
}

/// Small answers leave at once, and the system notices when the other end is gone without a word.
fn keep_alive(tcp: &TcpStream) -> io::Result<()> {
    use rustix::net::sockopt;
    tcp.set_nodelay(true)?;
    sockopt::set_socket_keepalive(tcp, true)?;
    sockopt::set_tcp_keepidle(tcp, PULSE_AFTER)?;
    sockopt::set_tcp_keepintvl(tcp, PULSE_EVERY)?;
    sockopt::set_tcp_keepcnt(tcp, PULSES)?;
    Ok(())
}

/// Why a handshake failed, in terms of who answered.
fn explain(address: SocketAddr, error: &io::Error) -> OpenError {
    match io_error(error).and_then(io::Error::get_ref).and_then(|cause| cause.downcast_ref()) {
        Some(rustls::Error::AlertReceived(AlertDescription::AccessDenied)) => OpenError::Refused,
        Some(rustls::Error::InvalidCertificate(CertificateError::NotValidForName)) => OpenError::WrongKey,
        Some(tls) => OpenError::Unreachable(format!("{address}: {tls}")),
        None if error.kind() == io::ErrorKind::ConnectionRefused => OpenError::Closed(address.to_string()),
        None if is_dead_network(error) => OpenError::Silent(format!("{address}: {error}")),
        None => OpenError::Unreachable(format!("{address}: {error}")),
    }
}

//! The QUIC lane: iroh, through NATs and, where nothing else works, through the coordinator's relay. One connection
//! for each protocol, shared by its streams.
//!
//! As on the LAN lane the acceptor speaks first: one byte on a stream of its own tells that the dialler is welcome.
//! No third party is asked for anything: no public relay, no public look-up, no port mapping.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use iroh::endpoint::{
    ApplicationClose, BindOpts, Connection, ConnectionError, NetReportConfig, PortmapperConfig,
    QuicTransportConfig, VarInt, presets,
};
use iroh::tls::CaTlsConfig;
use iroh::{
    EndpointAddr, EndpointId, RelayConfig, RelayMap, RelayMode, RelayUrl, SecretKey, TransportAddr, Watcher,
};
use proto::DeviceId;
use proto::wire::link::Addresses;

use super::credit::Credited;
use super::trust::Trust;
use super::{LaneKind, PathState, Stream};
use crate::error::OpenError;
use crate::key::DeviceKey;
use crate::protocol::Protocol;

/// What an acceptor says first.
const WELCOME: u8 = 1;
/// Closes a connection whose dialler may not enter, or not any more.
const REFUSED: VarInt = VarInt::from_u32(0x10);
/// Ours: the library itself would go on for longer, and says nothing.
const DIAL_DEADLINE: Duration = Duration::from_secs(8);
/// A path without a word for so long is dead …
const PATH_IDLE: Duration = Duration::from_secs(4);
/// … and this often there is a word.
const PATH_PULSE: Duration = Duration::from_secs(1);
/// The last path is never given up; without a word on any for so long, in milliseconds, the connection is.
const LINK_IDLE_MS: u32 = 5_000;
/// How long somebody who may not be there is spoken to.
const SHOW_UP: Duration = Duration::from_secs(2);
/// Streams at once on one connection.
const MAX_STREAMS: u32 = 1024;

/// This device's QUIC endpoint.
pub(crate) struct Quic {
    endpoint: iroh::Endpoint,
}

/// A shared connection to or from a peer.
#[derive(Clone)]
pub(crate) struct Link {
    connection: Connection,
    /// Held by everybody who has the link, and by its streams.
    users: Arc<()>,
}

/// No UDP socket could be bound.
pub(crate) type Unbound = Box<dyn std::error::Error + Send + Sync>;

impl Quic {
    /// Binds UDP sockets: at `port` if it is free, else anywhere.
    pub(crate) async fn bind(key: &DeviceKey, port: u16, trust: &Arc<Trust>) -> Result<Self, Unbound> {
        match Self::bind_at(key, port, trust).await {
            Err(error) if port != 0 => {
                tracing::debug!(%error, port, "the UDP port is taken; any other will do");
                Self::bind_at(key, 0, trust).await
            }
            bound => bound,
        }
    }

    async fn bind_at(key: &DeviceKey, port: u16, trust: &Arc<Trust>) -> Result<Self, Unbound> {
        let transport = QuicTransportConfig::builder()
            .default_path_max_idle_timeout(PATH_IDLE)
            .default_path_keep_alive_interval(PATH_PULSE)
            .max_idle_timeout(Some(VarInt::from_u32(LINK_IDLE_MS).into()))
            .max_concurrent_bidi_streams(VarInt::from_u32(MAX_STREAMS))
            .build();
        let mut probes = NetReportConfig::default();
        probes.captive_portal_check = false;
        let trust = Arc::clone(trust);
        let trusted =
            CaTlsConfig::custom_server_cert_verifier(Arc::new(move |_| Ok(Arc::clone(&trust) as _)));
        let endpoint = iroh::Endpoint::builder(presets::Minimal)
            .secret_key(SecretKey::from_bytes(key.seed()))
            .alpns(Protocol::ALL.iter().map(|protocol| protocol.name().into()).collect())
            .portmapper_config(PortmapperConfig::Disabled)
            .net_report_config(probes)
            .ca_tls_config(trusted)
            .relay_mode(RelayMode::Custom(RelayMap::empty()))
            .transport_config(transport)
            .bind_addr((Ipv4Addr::UNSPECIFIED, port))?
            .bind_addr_with_opts((Ipv6Addr::UNSPECIFIED, port), BindOpts::default().set_is_required(false))?
            .bind()
            .await?;
        Ok(Self { endpoint })
    }

    /// Waits at these relays and at no others.
    pub(crate) async fn set_relays(&self, before: &[RelayUrl], now: &[RelayUrl]) {
        for gone in before.iter().filter(|url| !now.contains(url)) {
            self.endpoint.remove_relay(gone).await;
        }
        for url in now.iter().filter(|url| !before.contains(url)) {
            let relay = RelayConfig::new(url.clone(), None);
            self.endpoint.insert_relay(url.clone(), Arc::new(relay)).await;
        }
    }

    /// The relay at which the library waits.
    pub(crate) fn nearest_relay(&self) -> Option<RelayUrl> {
        self.endpoint.home_relay_status().get().first().map(|relay| relay.url().clone())
    }

    /// Says something at a relay, so that this device is there. What is answered is of no interest.
    pub(crate) async fn show_up(&self, relay: &RelayUrl, with: DeviceId) {
        let Ok(id) = EndpointId::from_bytes(with.public_key()) else { return };
        let address = EndpointAddr::new(id).with_relay_url(relay.clone());
        let said = self.endpoint.connect(address, Protocol::HTTP.name().as_bytes());
        let _ = tokio::time::timeout(SHOW_UP, said).await;
    }

    /// Opens a connection for one protocol.
    pub(crate) async fn dial(
        &self,
        peer: DeviceId,
        addresses: &Addresses,
        protocol: Protocol,
    ) -> Result<Link, OpenError> {
        let id = EndpointId::from_bytes(peer.public_key()).map_err(|_| OpenError::WrongKey)?;
        let address = EndpointAddr::new(id).with_addrs(transport_addresses(addresses));
        if address.is_empty() {
            return Err(OpenError::NoAddress);
        }
        let dial = async {
            let connection = self.endpoint.connect(address, protocol.name().as_bytes()).await;
            let connection = connection.map_err(|error| OpenError::Unreachable(error.to_string()))?;
            wait_for_welcome(&connection).await?;
            Ok(Link::new(connection))
        };
        let only_relayed = addresses.direct.is_empty() && addresses.udp.is_empty();
        tokio::select! {
            dialled = dial => dialled,
            () = self.relay_refusal(), if only_relayed => Err(OpenError::Unreachable(self.relay_trouble())),
            () = tokio::time::sleep(DIAL_DEADLINE) => Err(OpenError::TimedOut(self.relay_trouble())),
        }
    }

    /// Ends once the relay has refused this device.
    async fn relay_refusal(&self) {
        let mut status = self.endpoint.home_relay_status().stream();
        while let Some(relays) = status.next().await {
            if relays.iter().any(|relay| relay.auth_denied_reason().is_some()) {
                return;
            }
        }
        std::future::pending().await
    }

    /// What is wrong with the relay, in words.
    fn relay_trouble(&self) -> String {
        let status = self.endpoint.home_relay_status().get();
        let Some(relay) = status.first() else { return "no direct path, and no relay is set".into() };
        if let Some(reason) = relay.auth_denied_reason() {
            return format!("the relay refuses this device: {reason}");
        }
        match relay.last_error() {
            Some(error) if !relay.is_connected() => format!("the relay cannot be reached: {error}"),
            _ => "neither directly nor through the relay".into(),
        }
    }

    /// The next connection that somebody dialled; `None` once the endpoint is closed.
    pub(crate) async fn accept(&self) -> Option<iroh::endpoint::Incoming> {
        self.endpoint.accept().await
    }

    /// Ends everything, in good order.
    pub(crate) async fn close(&self) {
        self.endpoint.close().await;
    }

    /// Where this device is on UDP, and at which relay: now, and whenever that changes.
    pub(crate) fn addresses(
        &self,
    ) -> impl futures_util::Stream<Item = (Vec<SocketAddr>, Option<String>)> + Unpin + use<> {
        let seen = self.endpoint.watch_addr().stream();
        Box::pin(seen.map(|address| {
            let relay = address.relay_urls().next().map(ToString::to_string);
            (address.ip_addrs().copied().collect(), relay)
        }))
    }
}

fn transport_addresses(addresses: &Addresses) -> impl Iterator<Item = TransportAddr> {
    let ip = addresses.direct.iter().chain(&addresses.udp).copied().map(TransportAddr::Ip);
    let relay = addresses.relay.as_ref().and_then(|url| url.parse::<RelayUrl>().ok());
    ip.chain(relay.map(TransportAddr::Relay))
}

async fn wait_for_welcome(connection: &Connection) -> Result<(), OpenError> {
    let first = async {
        let mut stream = connection.accept_uni().await?;
        let mut word = [0];
        Ok(stream.read_exact(&mut word).await.is_ok() && word == [WELCOME])
    };
    match first.await {
        Ok(true) => Ok(()),
        // The stream broke because the connection did.
        Ok(false) => Err(connection.close_reason().as_ref().map_or(unknown_tongue(), explain)),
        Err(error) => Err(explain(&error)),
    }
}

fn unknown_tongue() -> OpenError {
    OpenError::Unreachable("it does not speak our protocol".into())
}

fn explain(error: &ConnectionError) -> OpenError {
    match error {
        ConnectionError::ApplicationClosed(ApplicationClose { error_code, .. }) if *error_code == REFUSED => {
            OpenError::Refused
        }
        error => OpenError::Unreachable(error.to_string()),
    }
}

impl Link {
    fn new(connection: Connection) -> Self {
        Self { connection, users: Arc::default() }
    }

    /// Completes a handshake that a peer began.
    pub(crate) async fn accept(incoming: iroh::endpoint::Incoming) -> Option<(Self, DeviceId, Protocol)> {
        let connection = incoming.await.ok()?;
        let peer = DeviceId::from_public_key(*connection.remote_id().as_bytes());
        let protocol = Protocol::named(connection.alpn())?;
        Some((Self::new(connection), peer, protocol))
    }

    /// Tells a dialler that it is welcome.
    pub(crate) async fn welcome(&self) -> bool {
        let Ok(mut stream) = self.connection.open_uni().await else { return false };
        stream.write_all(&[WELCOME]).await.is_ok() && stream.finish().is_ok()
    }

    /// Shows the peer out.
    pub(crate) fn refuse(&self) {
        self.connection.close(REFUSED, b"not paired");
    }

    /// Ends the connection: it is not needed now.
    pub(crate) fn hang_up(&self) {
        self.connection.close(VarInt::from_u32(0), b"idle");
    }

    /// True if it has no stream, and nobody has it but the book of links and its keeper.
    pub(crate) fn is_idle(&self) -> bool {
        Arc::strong_count(&self.users) <= 2
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.connection.close_reason().is_some()
    }

    pub(crate) async fn closed(&self) {
        self.connection.closed().await;
    }

    /// Opens a stream.
    pub(crate) async fn open(&self) -> Result<Stream, OpenError> {
        let (send, receive) = self.connection.open_bi().await.map_err(|error| explain(&error))?;
        Ok(Box::new(Credited::new(send, receive, Arc::clone(&self.users))))
    }

    /// The next stream that the peer opened; `None` once the connection has ended.
    pub(crate) async fn accept_stream(&self) -> Option<Stream> {
        let (send, receive) = self.connection.accept_bi().await.ok()?;
        Some(Box::new(Credited::new(send, receive, Arc::clone(&self.users))))
    }

    /// How the connection goes now.
    pub(crate) fn path(&self) -> Option<PathState> {
        if self.is_closed() {
            return None;
        }
        let paths = self.connection.paths();
        let path = paths.iter().find(iroh::endpoint::Path::is_selected)?;
        let (lane, why) = if path.is_relay() {
            (LaneKind::Relayed, "no direct path was found yet".to_owned())
        } else {
            (LaneKind::Direct, format!("a direct path to {}", self.remote()))
        };
        Some(PathState { lane: Some(lane), round_trip: Some(path.rtt()), why })
    }

    /// The peer's address on the path in use; unspecified on a relay.
    pub(crate) fn remote(&self) -> SocketAddr {
        let paths = self.connection.paths();
        let selected = paths.iter().find(iroh::endpoint::Path::is_selected);
        match selected.as_ref().map(iroh::endpoint::Path::remote_addr) {
            Some(TransportAddr::Ip(address)) => *address,
            _ => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn bind(key: &DeviceKey) -> Quic {
        Quic::bind(key, 0, &Arc::default()).await.unwrap()
    }

    /// Both ends of a link on this machine. The endpoints have to be kept.
    async fn link() -> (Link, Link, [Quic; 2]) {
        let keys = [1, 2].map(|seed| DeviceKey::from_seed([seed; 32]).unwrap());
        let [dialler, acceptor] = [bind(&keys[0]).await, bind(&keys[1]).await];
        let port = acceptor.endpoint.bound_sockets().iter().find(|socket| socket.is_ipv4()).unwrap().port();
        let direct = vec![SocketAddr::from((Ipv4Addr::LOCALHOST, port))];
        let addresses = Addresses { direct, ..Addresses::default() };
        let accepted = async {
            let (link, ..) = Link::accept(acceptor.accept().await.unwrap()).await.unwrap();
            assert!(link.welcome().await);
            link
        };
        let dialled = dialler.dial(keys[1].id(), &addresses, Protocol::HTTP);
        let (dialled, accepted) = tokio::join!(dialled, accepted);
        (dialled.unwrap(), accepted, [dialler, acceptor])
    }

    /// An open stream and its other end: QUIC speaks of a stream only once something is written on it.
    async fn stream(from: &Link, to: &Link) -> (Stream, Stream) {
        let mut here = from.open().await.unwrap();
        here.write_all(b"!").await.unwrap();
        let mut there = to.accept_stream().await.unwrap();
        assert_eq!(there.read_u8().await.unwrap(), b'!');
        (here, there)
    }

    #[tokio::test]
    async fn a_half_that_ended_does_not_end_the_other() {
        let (a, b, _endpoints) = link().await;
        let (mut here, mut there) = stream(&a, &b).await;
        here.shutdown().await.unwrap();
        assert_eq!(there.read(&mut [0]).await.unwrap(), 0, "the end is seen");
        // More than the credit: the half that has ended still has to grant.
        let content: Vec<u8> = (0..1_000_003_u32).flat_map(u32::to_be_bytes).collect();
        let expected = content.clone();
        let writing = tokio::spawn(async move {
            there.write_all(&content).await.unwrap();
            there.shutdown().await.unwrap();
        });
        let mut received = Vec::new();
        here.read_to_end(&mut received).await.unwrap();
        assert!(received == expected, "the content differs");
        writing.await.unwrap();
    }

    #[tokio::test]
    async fn a_stream_that_is_let_go_is_cut_off_and_not_ended() {
        let (a, b, _endpoints) = link().await;
        let (mut here, there) = stream(&a, &b).await;
        drop(there);
        assert!(here.read(&mut [0]).await.is_err(), "a cut must not look like an end");
        let (here, mut there) = stream(&a, &b).await;
        drop(here);
        assert!(there.read_to_end(&mut Vec::new()).await.is_err());
    }

    /// As a terminal that is paused: words that leave one by one, and nobody reads.
    #[tokio::test]
    async fn small_words_that_nobody_reads_do_not_end_the_link() {
        let (a, b, _endpoints) = link().await;
        let (mut unread, mut stalled) = stream(&a, &b).await;
        let (mut healthy, mut answering) = stream(&a, &b).await;
        let mut words = 0_usize;
        for _ in 0..6000 {
            unread.write_all(&[7; 60]).await.unwrap();
            words += 1;
            // The other stream's round trip lets the word leave before the next is written.
            healthy.write_u8(1).await.unwrap();
            assert_eq!(answering.read_u8().await.unwrap(), 1);
        }
        let mut read = vec![0; words * 60];
        stalled.read_exact(&mut read).await.unwrap();
        assert!(read.iter().all(|byte| *byte == 7));
    }
}

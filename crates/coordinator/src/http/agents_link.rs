//! `WS /api/v1/agents/link`: the control link of a paired machine (`proto::wire::link`). The machine proves its key,
//! then either side speaks when it has something to say. One task per link; nothing of it waits for another.

use std::net::IpAddr;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::extract::{FromRequestParts, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;
use axum::response::Response;
use peer::connection::{Connection, canonical};
use proto::api::auth::Privacy;
use proto::clock::skew_notice;
use proto::wire::link::{
    Addresses, FromAgent, FromCoordinator, GREETING, MAX_MESSAGE_BYTES, Registration, VERSION, hello_text,
};
use proto::{DeviceId, ErrorCode, base64url};

use super::caller::connection;
use super::error::Refusal;
use crate::coordinator::{Coordinator, Rooms};
use crate::registry::{Link, RegisterError};

/// What may wait to be written to a machine that does not read.
const MAX_WRITE_BUFFER: usize = 4 << 20;
/// Read at once: heartbeats are short, and this is memory that every link keeps.
const READ_BUFFER: usize = 4096;
/// How long one message may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// Random bytes in a challenge.
const NONCE_BYTES: usize = 32;
/// Addresses of one machine, at most.
const MAX_ADDRESSES: usize = 32;

/// Why a link ends.
enum End {
    /// The machine is not let in, or not any longer.
    Refused(Box<Refusal>),
    /// The machine said goodbye.
    Goodbye,
    /// The machine or the network hung up, or the machine speaks another language.
    Gone(&'static str),
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

/// A machine at the other end, as far as the request tells: no page, and nobody who can read along.
pub(crate) struct ByMachine(Connection);

impl FromRequestParts<Coordinator> for ByMachine {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Coordinator) -> Result<Self, Refusal> {
        let connection = connection(parts)?;
        // Only browsers say where they come from, and no page keeps a machine's link.
        if parts.headers.contains_key(ORIGIN) {
            let message = "This is for machines, not for pages.";
            return Err(Refusal::new(
                ErrorCode::CrossSite,
                message,
                "Pair the machine with `lanthorn pair`.",
            ));
        }
        if connection.privacy() == Privacy::Open { Err(Refusal::not_private()) } else { Ok(Self(connection)) }
    }
}

/// The address at which the caller asks for this coordinator; through a proxy, that of the proxy.
pub(crate) struct AskedAs(Option<String>);

impl FromRequestParts<Coordinator> for AskedAs {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Coordinator) -> Result<Self, Refusal> {
        let scheme = if connection(parts)?.encrypted { "https" } else { "http" };
        let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
        Ok(Self(host.map(|host| format!("{scheme}://{host}/"))))
    }
}

/// Opens the control link of a machine.
pub(crate) async fn open(
    State(coordinator): State<Coordinator>,
    ByMachine(connection): ByMachine,
    AskedAs(asked_as): AskedAs,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let place = coordinator.rooms().greetings.enter(canonical(connection.remote.ip())).await?;
    let upgrade = upgrade
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER);
    Ok(upgrade.on_upgrade(move |mut socket| async move {
        let rooms = coordinator.rooms();
        let greeting = greet(rooms, &connection, asked_as, &mut socket);
        let greeted = tokio::time::timeout(GREETING, greeting).await;
        drop(place);
        let end = match greeted {
            Ok(Ok(link)) => converse(rooms, &connection, &mut socket, link).await,
            Ok(Err(end)) => end,
            Err(_) => End::Gone("it did not greet in time"),
        };
        take_leave(socket, end).await;
    }))
}

/// Challenge, hello, welcome.
async fn greet(
    rooms: &Rooms,
    connection: &Connection,
    asked_as: Option<String>,
    socket: &mut WebSocket,
) -> Result<Link, End> {
    let nonce = fresh_nonce()?;
    let coordinator = rooms.tickets.coordinator().to_owned();
    let time = rooms.clock.wall();
    let challenge =
        FromCoordinator::Challenge { nonce: nonce.clone(), coordinator: coordinator.clone(), time };
    send(socket, &challenge).await?;
    let FromAgent::Hello { protocol, device, signature, time, registration } = receive(socket).await? else {
        return Err(End::Gone("it did not say hello"));
    };
    if protocol != VERSION {
        return Err(other_version(protocol).into());
    }
    let signature = base64url::decode_exactly::<64>(&signature).unwrap_or([0; 64]);
    peer::key::verify(device, &hello_text(&coordinator, &nonce), &signature)
        .map_err(|_| wrong_signature())?;
    let Registration { addresses, shares, name, version, .. } = *registration;
    rooms.may_link(device).map_err(|()| not_paired())?;
    let addresses = seen_from_here(addresses, connection.remote.ip());
    let skew = time - rooms.clock.wall();
    let mut link = rooms.registry.register(device, addresses.clone(), shares, skew).await?;
    // Asked again: it may have been revoked while it was written down.
    rooms.may_link(device).map_err(|()| not_paired())?;
    rooms.gateway.learn(device, addresses);
    tracing::info!(device = %device.short(), name, version, "a device has come");
    let welcome = FromCoordinator::Welcome {
        // Looked at only now that the link is in the book: whatever changes from here on is pushed.
        keys: rooms.tickets.keys().announcement(),
        gateways: rooms.gateway.id().into_iter().collect(),
        // The relay is at the address that this machine has just used: no other is known to lead here from there.
        relays: asked_as.filter(|_| rooms.authority.certificate().is_some()).into_iter().collect(),
        notice: skew_notice(skew, "this machine"),
    };
    send(socket, &welcome).await?;
    for missed in std::mem::take(&mut link.missed) {
        send(socket, &missed).await?;
    }
    Ok(link)
}

/// Either side speaks until one of them ends.
async fn converse(rooms: &Rooms, connection: &Connection, socket: &mut WebSocket, mut link: Link) -> End {
    let end = loop {
        let step = tokio::select! {
            () = link.ended.cancelled() => break ended(rooms, link.device),
            message = link.messages.recv() => match message {
                Some(message) => send(socket, &message).await,
                None => break ended(rooms, link.device),
            },
            said = receive(socket) => match said {
                Ok(said) => hear(rooms, connection, &link, said).await,
                Err(end) => Err(end),
            },
        };
        if let Err(end) = step {
            break end;
        }
    };
    rooms.registry.left(&link, matches!(end, End::Goodbye)).await;
    end
}

async fn hear(rooms: &Rooms, connection: &Connection, link: &Link, said: FromAgent) -> Result<(), End> {
    let registry = &rooms.registry;
    match said {
        FromAgent::Heartbeat { time } => registry.heard(link, Some(time - rooms.clock.wall())),
        FromAgent::Shares { shares } => {
            registry.heard(link, None);
            registry.offered(link, shares).await?;
        }
        FromAgent::Addresses { addresses } => {
            registry.heard(link, None);
            let addresses = seen_from_here(addresses, connection.remote.ip());
            registry.moved(link, addresses.clone());
            rooms.gateway.learn(link.device, addresses);
        }
        FromAgent::Goodbye => return Err(End::Goodbye),
        FromAgent::Hello { .. } => return Err(End::Gone("it said hello twice")),
    }
    Ok(())
}

/// The link was ended from this side: because a newer one came, or because the machine may not come any more.
fn ended(rooms: &Rooms, device: DeviceId) -> End {
    match rooms.may_link(device) {
        Ok(()) => End::Gone("it was too slow, or has another link"),
        Err(()) => not_paired().into(),
    }
}

/// Says why, if there is something to say, and closes.
async fn take_leave(mut socket: WebSocket, end: End) {
    let (code, reason) = match end {
        End::Goodbye => (close_code::NORMAL, "goodbye"),
        End::Gone(reason) => (close_code::POLICY, reason),
        End::Refused(refusal) => {
            let error = refusal.0;
            tracing::info!(code = error.code.as_str(), error.message, "a device is not let in");
            // It may be gone already.
            let _ = send(&mut socket, &FromCoordinator::Refused { error }).await;
            (close_code::POLICY, "refused")
        }
    };
    tracing::debug!(reason, "a device's link ended");
    let close = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    let _ = tokio::time::timeout(WRITE_TIMEOUT, socket.send(close)).await;
}

async fn send(socket: &mut WebSocket, message: &FromCoordinator) -> Result<(), End> {
    let text = serde_json::to_string(message).map_err(|_| End::Gone("a message could not be written"))?;
    match tokio::time::timeout(WRITE_TIMEOUT, socket.send(Message::text(text))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(End::Gone("it hung up")),
        Err(_) => Err(End::Gone("it does not read")),
    }
}

/// The next message. Cancel safe: nothing is lost if something else happens first.
async fn receive(socket: &mut WebSocket) -> Result<FromAgent, End> {
    loop {
        match socket.recv().await {
            Some(Ok(Message::Text(text))) => {
                return serde_json::from_str(&text).map_err(|_| End::Gone("it says what is not understood"));
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Binary(_))) => return Err(End::Gone("it says what is not understood")),
            Some(Ok(Message::Close(_)) | Err(_)) | None => return Err(End::Gone("it hung up")),
        }
    }
}

/// Its addresses, with the one that it is seen from first: that one is certainly a way to it from here.
fn seen_from_here(addresses: Addresses, seen: IpAddr) -> Addresses {
    let seen = addresses.direct.first().map(|first| (canonical(seen), first.port()).into());
    let mut direct: Vec<std::net::SocketAddr> = seen.into_iter().collect();
    direct.extend(addresses.direct.into_iter().filter(|address| Some(*address) != seen).take(MAX_ADDRESSES));
    Addresses { direct, ..addresses }
}

fn fresh_nonce() -> Result<String, Refusal> {
    let mut bytes = [0; NONCE_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "no random numbers");
        Refusal::internal()
    })?;
    Ok(base64url::encode(&bytes))
}

fn not_paired() -> Refusal {
    Refusal::new(
        ErrorCode::Forbidden,
        "This machine is not paired here, or not any more.",
        "Pair it again with `lanthorn pair`.",
    )
}

fn wrong_signature() -> Refusal {
    Refusal::new(
        ErrorCode::WrongSignature,
        "The signature does not prove the device's key.",
        "Pair the machine again with `lanthorn pair`.",
    )
}

fn other_version(theirs: u32) -> Refusal {
    Refusal::new(
        ErrorCode::Unsupported,
        format!("This coordinator speaks version {VERSION} of the control link, not {theirs}."),
        "Run the same version of Lanthorn on both machines.",
    )
}

impl From<RegisterError> for Refusal {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::Offer(error) => Self::parameter(format!("The offer is not taken: {error}.")),
            RegisterError::Store(error) => error.into(),
        }
    }
}

impl From<RegisterError> for End {
    fn from(error: RegisterError) -> Self {
        Refusal::from(error).into()
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn the_address_a_machine_is_seen_from_comes_first_and_once() {
        let addresses = |direct: &[&str]| Addresses {
            direct: direct.iter().map(|text| text.parse().unwrap()).collect(),
            ..Default::default()
        };
        let seen =
            |direct: &[&str], from: &str| seen_from_here(addresses(direct), from.parse().unwrap()).direct;
        assert_eq!(
            seen(&["10.0.0.2:7000", "192.168.1.2:7000"], "::ffff:192.168.1.2"),
            addresses(&["192.168.1.2:7000", "10.0.0.2:7000"]).direct
        );
        assert_eq!(
            seen(&["10.0.0.2:7000"], "127.0.0.1"),
            addresses(&["127.0.0.1:7000", "10.0.0.2:7000"]).direct
        );
        assert!(seen(&[], "127.0.0.1").is_empty(), "it listens nowhere");
    }
}

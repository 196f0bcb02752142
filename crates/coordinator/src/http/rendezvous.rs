//! `WS /v1`: the rendezvous for those who know the same code ([`crate::rendezvous`]). Nobody signs in: whoever is on a
//! private network may come, and anybody where the owner has said so.

use std::net::IpAddr;
use std::time::Duration;

use axum::Extension;
use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::response::Response;
use axum::routing::get;
use peer::connection::{Connection, canonical};
use proto::ErrorCode;

use super::caller::Anybody;
use super::error::Refusal;
use crate::coordinator::Coordinator;
use crate::rendezvous::conversation::Conversation;
use crate::rendezvous::words::Said;
use crate::rendezvous::{MAX_MESSAGE_BYTES, Rendezvous};

/// Where it is, as others of its kind have it.
pub const PATH: &str = "/v1";
/// Whoever says nothing for so long is gone.
const SILENCE: Duration = Duration::from_secs(120);
/// How often a connection is asked whether it is still there.
const ASK_EVERY: Duration = Duration::from_secs(45);

/// The door of a coordinator's rendezvous.
pub(crate) async fn open(
    State(coordinator): State<Coordinator>,
    Anybody(connection): Anybody,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let rooms = coordinator.rooms();
    let address = canonical(connection.remote.ip());
    if !rooms.open_rendezvous && !is_near(address) {
        return Err(not_near());
    }
    enter(&rooms.rendezvous, address, upgrade)
}

/// The same for a program that hosts a rendezvous of its own: everybody who reaches it may come.
pub fn router(rendezvous: Rendezvous) -> Router {
    let open = |Extension(connection): Extension<Connection>, upgrade: WebSocketUpgrade| async move {
        enter(&rendezvous, canonical(connection.remote.ip()), upgrade)
    };
    Router::new().route(PATH, get(open))
}

fn enter(rendezvous: &Rendezvous, address: IpAddr, upgrade: WebSocketUpgrade) -> Result<Response, Refusal> {
    let conversation = rendezvous.enter(address).ok_or_else(too_many)?;
    let upgrade = upgrade.max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(|socket| converse(socket, conversation)))
}

/// Carries words between a socket and its conversation, until one side ends.
async fn converse(mut socket: WebSocket, mut conversation: Conversation) {
    if say(&mut socket, &conversation.welcome()).await.is_err() {
        return;
    }
    let mut heard = tokio::time::Instant::now();
    let mut ask = tokio::time::interval(ASK_EVERY);
    loop {
        let answers = tokio::select! {
            word = socket.recv() => {
                heard = tokio::time::Instant::now();
                match word {
                    Some(Ok(Message::Text(text))) => conversation.hear(text.as_str()),
                    Some(Ok(Message::Binary(bytes))) => match std::str::from_utf8(&bytes) {
                        Ok(text) => conversation.hear(text),
                        Err(_) => return,
                    },
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                    Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                }
            }
            message = conversation.next() => match message {
                Some(message) => vec![message],
                None => return,
            },
            _ = ask.tick() => {
                if heard.elapsed() > SILENCE || socket.send(Message::Ping(Vec::new().into())).await.is_err() {
                    return;
                }
                continue;
            }
        };
        for answer in answers {
            if say(&mut socket, &answer).await.is_err() {
                return;
            }
        }
    }
}

async fn say(socket: &mut WebSocket, said: &Said) -> Result<(), axum::Error> {
    let text = serde_json::to_string(said).map_err(axum::Error::new)?;
    socket.send(Message::Text(text.into())).await
}

/// True for addresses that no packet from the Internet has.
pub(crate) fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(ip) => ip.is_loopback() || ip.is_private() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

fn not_near() -> Refusal {
    Refusal::new(
        ErrorCode::Forbidden,
        "Codes are exchanged here by machines on the same network only.",
        "Ask its owner to open the rendezvous to others: lanthorn config set open_rendezvous true",
    )
}

fn too_many() -> Refusal {
    Refusal::new(ErrorCode::TooMany, "Too many are at this rendezvous already.", "Try again in a minute.")
}

#[cfg(test)]
mod tests {
    use super::is_near;

    #[test]
    fn near_is_what_the_internet_cannot_be() {
        for (address, near) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("192.168.1.7", true),
            ("172.16.0.1", true),
            ("169.254.3.4", true),
            ("fd00::1", true),
            ("fe80::1", true),
            ("::1", true),
            ("203.0.113.9", false),
            ("172.32.0.1", false),
            ("2001:db8::1", false),
        ] {
            assert_eq!(is_near(address.parse().unwrap()), near, "{address}");
        }
    }
}

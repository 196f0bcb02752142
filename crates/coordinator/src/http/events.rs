//! `/api/v1/events/…`: a token, and the socket that it opens. The socket says what happened to whom it concerns.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::http::HeaderMap;
use axum::http::header::SEC_WEBSOCKET_PROTOCOL;
use axum::response::Response;
use proto::api::events::{Event, EventsQuery, EventsToken, PROTOCOL};
use proto::{ApiError, ErrorCode};

use super::caller::Anybody;
use super::error::Refusal;
use super::json::QueryOf;
use super::trail::Trail;
use super::watching::Watching;
use crate::access::Caller;
use crate::coordinator::Coordinator;
use crate::events::{EventsError, Listener, TOKEN_SECONDS};

/// The longest message taken: a list of places to watch, with the longest paths in their ordinary form.
const MAX_MESSAGE_BYTES: usize = 160 << 10;
/// How long a socket may take to take a message.
const SEND_WITHIN: Duration = Duration::from_secs(5);
/// How long a socket may take to take the last word.
const CLOSE_WITHIN: Duration = Duration::from_millis(300);
/// How often a silent listener is asked whether it is there; one that did not answer the time before is gone.
const PING_PERIOD: Duration = Duration::from_secs(30);

impl From<EventsError> for Refusal {
    fn from(error: EventsError) -> Self {
        match error {
            EventsError::TooMany => Self(
                ApiError::new(
                    ErrorCode::TooMany,
                    "There are too many listeners.",
                    "Close another page and try again.",
                )
                .retry_after(TOKEN_SECONDS),
            ),
            EventsError::Random(error) => {
                tracing::error!(%error, "no random numbers");
                Self::internal()
            }
        }
    }
}

/// A token for the event socket: good once, for 90 seconds, for this client.
#[utoipa::path(get, path = "/api/v1/events/token", tag = "events",
    responses((status = 200, body = EventsToken), (status = 401, body = ApiError), (status = 429, body = ApiError)))]
pub(crate) async fn token(
    State(coordinator): State<Coordinator>,
    caller: Caller,
) -> Result<Json<EventsToken>, Refusal> {
    let token = coordinator.rooms().events.token(&caller)?;
    Ok(Json(EventsToken { ws_token: token.expose().clone(), expires_in: TOKEN_SECONDS }))
}

/// The event socket: offer the subprotocols `stream-v1` and `auth.<token>`. A text message on it is a `WatchList`: from
/// then on what is at those places is told as `FileChanged`, beside the numbered events. Closed with 1008 for a wrong token or when
/// the session ends, 1013 when the listener is too slow, 1001 when the machine stops.
#[utoipa::path(get, path = "/api/v1/events/ws", tag = "events", params(EventsQuery),
    responses((status = 101, description = "The socket; each message on it is an `Event` or a `FileChanged`", body = Event), (status = 400, body = ApiError),
        (status = 403, body = ApiError)))]
pub(crate) async fn socket(
    State(coordinator): State<Coordinator>,
    Anybody(connection): Anybody,
    QueryOf(query): QueryOf<EventsQuery>,
    trail: Trail,
    headers: HeaderMap,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Result<Response, Refusal> {
    let upgrade = upgrade.map_err(|_| Refusal::parameter("This address is a WebSocket."))?;
    let offered = Offered::read(&headers);
    if !offered.protocol {
        return Err(Refusal::parameter("Offer the subprotocol stream-v1."));
    }
    let upgrade =
        upgrade.protocols([PROTOCOL]).max_message_size(MAX_MESSAGE_BYTES).max_frame_size(MAX_MESSAGE_BYTES);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let caller = offered.token.and_then(|token| coordinator.rooms().events.redeem(&token));
        // A token is worth nothing on a connection of another kind than the one it was given on.
        match caller.filter(|caller| caller.privacy == connection.privacy()) {
            Some(caller) => serve(&coordinator, &caller, trail, query.after, socket).await,
            None => close(socket, close_code::POLICY, "the token is wrong, used or too old").await,
        }
    }))
}

/// What a listener offers as subprotocols.
struct Offered {
    protocol: bool,
    token: Option<String>,
}

impl Offered {
    fn read(headers: &HeaderMap) -> Self {
        let values = headers.get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
        let words: Vec<_> = values.flat_map(|value| value.split(',')).map(str::trim).collect();
        let token = words.iter().find_map(|word| word.strip_prefix("auth."));
        Self { protocol: words.contains(&PROTOCOL), token: token.map(str::to_owned) }
    }
}

/// The last word.
async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    // Who does not take it is gone or stuck.
    let _ = tokio::time::timeout(CLOSE_WITHIN, socket.send(Message::Close(Some(frame)))).await;
}

/// Why a socket ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Gone,
    Over,
    Slow,
    Nonsense,
}

async fn serve(
    coordinator: &Coordinator,
    caller: &Caller,
    trail: Trail,
    after: Option<u64>,
    mut socket: WebSocket,
) {
    let rooms = coordinator.rooms();
    rooms.begin_view(caller.principal);
    let mut listener = match rooms.events.listen(caller, after) {
        Ok(listener) => listener,
        Err(_) => return close(socket, close_code::AGAIN, "there are too many listeners").await,
    };
    // What ended while the socket opened is found ended here.
    if !rooms.still_lives(caller) {
        return close(socket, close_code::POLICY, "the session has ended").await;
    }
    let ended = listener.ended();
    let end = tokio::select! {
        () = ended.cancelled() => End::Over,
        end = converse(coordinator, caller, trail, &mut listener, &mut socket) => end,
    };
    match end {
        End::Gone => {}
        End::Over if rooms.events.is_closing() => close(socket, close_code::AWAY, "the machine stops").await,
        End::Over => close(socket, close_code::POLICY, "the session has ended").await,
        End::Slow => close(socket, close_code::AGAIN, "the listener is too slow").await,
        End::Nonsense => {
            close(socket, close_code::UNSUPPORTED, "a message is a list of at most 32 places to watch").await;
        }
    }
}

/// Tells what happens until the listener is gone, too slow, or says what makes no sense.
async fn converse(
    coordinator: &Coordinator,
    caller: &Caller,
    trail: Trail,
    listener: &mut Listener,
    socket: &mut WebSocket,
) -> End {
    let rooms = coordinator.rooms();
    let mut pings = tokio::time::interval(PING_PERIOD);
    pings.reset();
    let mut answered = true;
    let mut watching = Watching::new(coordinator.clone(), *caller, trail);
    loop {
        tokio::select! {
            events = listener.hear(|what| rooms.may_hear(caller.principal, what)) => {
                let Some(events) = events else { return End::Over };
                for event in events {
                    let Ok(text) = serde_json::to_string(&event) else { continue };
                    if let Some(end) = send(socket, Message::Text(text.into())).await {
                        return end;
                    }
                }
            }
            message = socket.recv() => match message {
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => answered = true,
                Some(Ok(Message::Text(list))) if watching.set(&list) => answered = true,
                Some(Ok(Message::Text(_) | Message::Binary(_))) => return End::Nonsense,
                Some(Ok(Message::Close(_)) | Err(_)) | None => return End::Gone,
            },
            change = watching.next() => {
                let Ok(text) = serde_json::to_string(&change) else { continue };
                if let Some(end) = send(socket, Message::Text(text.into())).await {
                    return end;
                }
            }
            _ = pings.tick() => {
                if !std::mem::take(&mut answered) {
                    return End::Gone;
                }
                if let Some(end) = send(socket, Message::Ping(Default::default())).await {
                    return end;
                }
            }
        }
    }
}

async fn send(socket: &mut WebSocket, message: Message) -> Option<End> {
    match tokio::time::timeout(SEND_WITHIN, socket.send(message)).await {
        Ok(Ok(())) => None,
        Ok(Err(_)) => Some(End::Gone),
        Err(_) => Some(End::Slow),
    }
}

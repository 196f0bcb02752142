//! One link (`proto::wire::link`), from the device's side: dials, proves the key, registers, says what changes, and does
//! what it is told. Broken, it comes back; refused, it asks again now and then.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use peer::{DeviceKey, Stream};
use proto::api::devices::LinkStanding;
use proto::clock::skew_notice;
use proto::wire::link::{
    FromAgent, FromCoordinator, GREETING, HEARTBEAT, MAX_MESSAGE_BYTES, Registration, TicketKeys, VERSION,
    hello_text,
};
use proto::{ApiError, ErrorCode, Offered, base64url};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Bytes, Error as WsError, Message};
use tokio_util::sync::CancellationToken;

use super::Dial;
use super::backoff::Backoff;
use super::state::StateOf;
use super::trust::{Trust, Unproven};

/// Where the link is opened.
const PATH: &str = "/api/v1/agents/link";
/// How long a dial may take.
const DIAL_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one message may take to be written.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long the coordinator has to answer a ping; then the way to it counts as dead.
const PONG_TIMEOUT: Duration = Duration::from_secs(8);
/// A heartbeat that is so late by the clock on the wall comes from a machine that slept: its connections are gone.
const SLEPT: time::Duration = time::Duration::seconds(60);
/// How long a device that is refused waits before it asks again: somebody may have paired it anew.
const REFUSED_WAIT: Duration = Duration::from_secs(60);
/// Read at once: what is said is mostly short.
const READ_BUFFER: usize = 4096;
/// What may wait to be written.
const MAX_WRITE_BUFFER: usize = 4 << 20;

type Socket = WebSocketStream<Stream>;

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
enum End {
    /// The device ends, or leaves this coordinator.
    #[error("told to end")]
    Told,
    /// The coordinator does not let the device in.
    #[error("{}", .0.message)]
    Refused(ApiError),
    /// Nobody answers.
    #[error("cannot be reached")]
    Dial(#[source] std::io::Error),
    /// The socket broke.
    #[error("the link broke")]
    Socket(#[source] Box<WsError>),
    /// The coordinator says what it should not.
    #[error("{0}")]
    Protocol(&'static str),
}

impl From<WsError> for End {
    fn from(error: WsError) -> Self {
        Self::Socket(Box::new(error))
    }
}

pub(super) struct Link {
    pub(super) key: DeviceKey,
    /// The coordinator's id, and what its machine is called.
    pub(super) coordinator: String,
    pub(super) name: String,
    pub(super) registration: watch::Receiver<Registration>,
    pub(super) offered: watch::Receiver<Offered>,
    pub(super) way: watch::Receiver<Arc<dyn Dial>>,
    /// What the coordinator was told last.
    pub(super) said: Option<Registration>,
    pub(super) trust: Arc<Trust>,
    pub(super) state: StateOf,
}

impl Link {
    /// Keeps the link until `end`.
    pub(super) async fn keep(mut self, end: CancellationToken) {
        let mut backoff = Backoff::default();
        loop {
            let ended = self.once(&end).await;
            if self.state.is_connected() {
                backoff.reset();
            }
            let wait = match ended {
                End::Told => return,
                End::Refused(error) => self.refused(error),
                broken => self.broken(&broken, &mut backoff),
            };
            tokio::select! {
                () = end.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    fn refused(&self, error: ApiError) -> Duration {
        tracing::warn!(coordinator = self.name, error.message, error.hint, "not let in");
        let wait = error.retry_after.map_or(REFUSED_WAIT, Duration::from_secs);
        self.state.set(LinkStanding::Refused, Some(error));
        wait
    }

    fn broken(&self, why: &End, backoff: &mut Backoff) -> Duration {
        let wait = backoff.wait();
        let was = self.state.is_connected();
        let error = why as &dyn std::error::Error;
        if was {
            tracing::info!(coordinator = self.name, error, "the link is gone; coming back");
        } else {
            tracing::debug!(coordinator = self.name, error, ?wait, "no link yet");
        }
        let trouble = ApiError::new(
            ErrorCode::DeviceUnreachable,
            format!("The coordinator {} cannot be reached: {}.", self.name, in_words(why)),
            "Start Lanthorn there; this machine comes back by itself.",
        );
        self.state.set(LinkStanding::Waiting, Some(trouble));
        wait
    }

    /// One link, from the dial to its end.
    async fn once(&mut self, end: &CancellationToken) -> End {
        let mut socket = tokio::select! {
            () = end.cancelled() => return End::Told,
            greeted = self.greet() => match greeted {
                Ok(socket) => socket,
                Err(ended) => return ended,
            },
        };
        let ended = self.converse(&mut socket, end).await;
        if matches!(ended, End::Told) {
            // The coordinator may be gone itself.
            let _ = send(&mut socket, &FromAgent::Goodbye).await;
            let _ = timeout(WRITE_TIMEOUT, socket.close(None)).await;
        }
        ended
    }

    /// Dials, proves the key, registers.
    async fn greet(&mut self) -> Result<Socket, End> {
        let late = |_| std::io::Error::from(std::io::ErrorKind::TimedOut);
        let way = Arc::clone(&self.way.borrow_and_update());
        let dialled = timeout(DIAL_TIMEOUT, way.dial()).await.map_err(late);
        let dialled = dialled.and_then(|dialled| dialled).map_err(End::Dial)?;
        let greeting = timeout(GREETING, async {
            let mut socket = upgrade(dialled.stream, &dialled.host).await?;
            self.hello(&mut socket).await?;
            Ok(socket)
        });
        greeting.await.unwrap_or(Err(End::Protocol("the coordinator does not greet in time")))
    }

    async fn hello(&mut self, socket: &mut Socket) -> Result<(), End> {
        let FromCoordinator::Challenge { nonce, coordinator, time } = receive(socket).await? else {
            return Err(End::Protocol("the coordinator does not begin with a challenge"));
        };
        if self.coordinator != coordinator {
            return Err(End::Protocol("another coordinator answers at this address"));
        }
        let own_clock = OffsetDateTime::now_utc();
        let signature = self.key.sign(&hello_text(&coordinator, &nonce));
        let registration = Box::new(self.now());
        self.said = Some((*registration).clone());
        let hello = FromAgent::Hello {
            protocol: VERSION,
            device: self.key.id(),
            signature: base64url::encode(&signature),
            time: own_clock,
            registration,
        };
        send(socket, &hello).await?;
        match receive(socket).await? {
            FromCoordinator::Welcome { keys, gateways, relays, notice } => {
                let id = &self.coordinator;
                self.take_keys(keys)?;
                self.trust.set_gateways(id, gateways);
                self.trust.set_relays(id, relays);
                self.welcomed(notice.or_else(|| skew_notice(own_clock - time, "this machine")));
                Ok(())
            }
            FromCoordinator::Refused { error } => Err(End::Refused(error)),
            _ => Err(End::Protocol("the coordinator does not answer the hello")),
        }
    }

    fn welcomed(&self, trouble: Option<ApiError>) {
        tracing::info!(coordinator = self.name, "registered");
        if let Some(trouble) = &trouble {
            tracing::warn!(coordinator = self.name, trouble.message, trouble.hint, "not all is well");
        }
        self.state.set(LinkStanding::Connected, trouble);
    }

    /// What there is to say to this coordinator.
    fn now(&mut self) -> Registration {
        let mut now = self.registration.borrow_and_update().clone();
        let offered = self.offered.borrow_and_update();
        now.shares.retain(|share| offered.includes(share.id));
        now
    }

    /// Says what changes and does what it is told, until one side ends.
    async fn converse(&mut self, socket: &mut Socket, end: &CancellationToken) -> End {
        let (mut pulse, mut answer_due) = (OffsetDateTime::now_utc(), None);
        let mut heartbeat = tokio::time::interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let step = tokio::select! {
                () = end.cancelled() => return End::Told,
                () = passed(answer_due) => Err(End::Protocol("the coordinator has fallen silent")),
                _ = heartbeat.tick() => beat(socket, &mut pulse).await.map(|()| expect(&mut answer_due)),
                changed = changed(&mut self.registration, &mut self.offered) => match changed {
                    Ok(()) => self.say_changes(socket).await.map(|()| expect(&mut answer_due)),
                    Err(_) => return End::Told,
                },
                message = socket.next() => {
                    answer_due = None;
                    self.hear(message)
                }
            };
            if let Err(ended) = step {
                return ended;
            }
        }
    }

    async fn say_changes(&mut self, socket: &mut Socket) -> Result<(), End> {
        let now = self.now();
        let said = self.said.replace(now.clone());
        if said.as_ref().is_none_or(|said| said.shares != now.shares) {
            send(socket, &FromAgent::Shares { shares: now.shares }).await?;
        }
        if said.is_none_or(|said| said.addresses != now.addresses) {
            send(socket, &FromAgent::Addresses { addresses: now.addresses }).await?;
        }
        // Where this machine is may have changed because its network did: then the link is dead, and this tells.
        write(socket, Message::Ping(Bytes::new())).await
    }

    fn take_keys(&self, keys: TicketKeys) -> Result<(), End> {
        self.trust.set_keys(&self.coordinator, keys).map_err(|Unproven| {
            End::Refused(ApiError::new(
                ErrorCode::WrongSignature,
                format!(
                    "Whoever answers for {} names ticket keys that no key known here vouches for.",
                    self.name
                ),
                "If it was set up anew, or put back from a backup, pair this machine again with `lanthorn pair`; else \
                 somebody else answers there.",
            ))
        })
    }

    fn hear(&self, message: Option<Result<Message, WsError>>) -> Result<(), End> {
        let Some(message) = parse(message)? else { return Ok(()) };
        let id = &self.coordinator;
        match message {
            FromCoordinator::Keys { keys } => self.take_keys(keys)?,
            FromCoordinator::Peers { peers } => self.trust.set_peers(id, peers),
            FromCoordinator::Revoked { what, at } => self.trust.end(id, what, at),
            FromCoordinator::Refused { error } => return Err(End::Refused(error)),
            FromCoordinator::Challenge { .. } | FromCoordinator::Welcome { .. } => {
                return Err(End::Protocol("the coordinator greets twice"));
            }
        }
        Ok(())
    }
}

/// Either has changed.
async fn changed(
    registration: &mut watch::Receiver<Registration>,
    offered: &mut watch::Receiver<Offered>,
) -> Result<(), watch::error::RecvError> {
    tokio::select! {
        changed = registration.changed() => changed,
        changed = offered.changed() => changed,
    }
}

/// Why a link ended, for people: of a dial down to the bottom of it, of a socket only that it broke.
fn in_words(end: &End) -> String {
    let mut cause: &dyn std::error::Error = end;
    while let (End::Dial(_), Some(below)) = (end, cause.source()) {
        cause = below;
    }
    cause.to_string()
}

/// Says that the device is there, and asks for a sign of the coordinator.
async fn beat(socket: &mut Socket, last: &mut OffsetDateTime) -> Result<(), End> {
    let time = OffsetDateTime::now_utc();
    if time - std::mem::replace(last, time) > SLEPT {
        return Err(End::Protocol("this machine slept"));
    }
    send(socket, &FromAgent::Heartbeat { time }).await?;
    write(socket, Message::Ping(Bytes::new())).await
}

/// From now on an answer is due. An earlier question counts first.
fn expect(answer_due: &mut Option<Instant>) {
    answer_due.get_or_insert_with(|| Instant::now() + PONG_TIMEOUT);
}

/// Waits until a moment has passed; for ever if there is none.
async fn passed(moment: Option<Instant>) {
    match moment {
        Some(moment) => tokio::time::sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

async fn upgrade(stream: Stream, host: &str) -> Result<Socket, End> {
    let request = format!("ws://{host}{PATH}").into_client_request()?;
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES))
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER);
    let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(limits)).await;
    match opened {
        Ok((socket, _)) => Ok(socket),
        Err(WsError::Http(answer)) => Err(refusal_in(answer.body().as_deref().unwrap_or_default())),
        Err(error) => Err(error.into()),
    }
}

/// A refusal before the socket opened: in the words of the coordinator, if it had any.
fn refusal_in(body: &[u8]) -> End {
    match serde_json::from_slice(body) {
        Ok(error) => End::Refused(error),
        Err(_) => End::Protocol("what answers at this address is no coordinator"),
    }
}

async fn send(socket: &mut Socket, message: &FromAgent) -> Result<(), End> {
    let text = serde_json::to_string(message).map_err(|_| End::Protocol("a message cannot be written"))?;
    write(socket, Message::text(text)).await
}

async fn write(socket: &mut Socket, message: Message) -> Result<(), End> {
    match timeout(WRITE_TIMEOUT, socket.send(message)).await {
        Ok(written) => Ok(written?),
        Err(_) => Err(End::Protocol("the coordinator does not read")),
    }
}

/// The next message with words.
async fn receive(socket: &mut Socket) -> Result<FromCoordinator, End> {
    loop {
        if let Some(message) = parse(socket.next().await)? {
            return Ok(message);
        }
    }
}

/// A message's words, if it has any.
fn parse(message: Option<Result<Message, WsError>>) -> Result<Option<FromCoordinator>, End> {
    match message {
        Some(Ok(Message::Text(text))) => serde_json::from_str(&text)
            .map(Some)
            .map_err(|_| End::Protocol("the coordinator says what is not understood here")),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(None),
        Some(Ok(Message::Binary(_))) => {
            Err(End::Protocol("the coordinator says what is not understood here"))
        }
        Some(Ok(Message::Close(_))) | None => Err(End::Socket(Box::new(WsError::ConnectionClosed))),
        Some(Err(error)) => Err(error.into()),
    }
}

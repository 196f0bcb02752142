//! `WS /relay`: where paired machines wait for each other while they have no direct way. Machines prove their keys on
//! it, and what passes is sealed between them; so it may be asked for in the open too.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::HeaderMap;
use axum::response::Response;
use bytes::Bytes;
use futures_util::{Sink, SinkExt, Stream, StreamExt};
use peer::connection::canonical;
use peer::relay::SUBPROTOCOL;
use proto::wire::link::GREETING;

use super::caller::Anybody;
use super::error::Refusal;
use crate::coordinator::Coordinator;

/// The longest message: some dozens of packets.
const MAX_MESSAGE_BYTES: usize = 64 * 1024;
/// What may wait to be written to a machine that does not read.
const MAX_WRITE_BUFFER: usize = 1 << 20;

/// Opens a machine's connection to the relay.
pub(crate) async fn open(
    State(coordinator): State<Coordinator>,
    Anybody(connection): Anybody,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Refusal> {
    let place = coordinator.rooms().greetings.enter(canonical(connection.remote.ip())).await?;
    let upgrade = upgrade
        .protocols([SUBPROTOCOL])
        .max_message_size(MAX_MESSAGE_BYTES)
        .max_frame_size(MAX_MESSAGE_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(MAX_WRITE_BUFFER);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let asked = coordinator.clone();
        let may_use = Arc::new(move |device| asked.rooms().may_relay(device));
        let serving = coordinator.rooms().relay.serve(Words(socket), headers, may_use);
        let served = tokio::time::timeout(GREETING, serving).await;
        drop(place);
        if let Ok(Err(why)) = served {
            tracing::debug!(%why, "not let in at the relay");
        }
    }))
}

/// Answers how far away the relay is.
pub(crate) async fn probe() {}

/// A WebSocket whose messages are bytes.
struct Words(WebSocket);

impl Stream for Words {
    type Item = Result<Bytes, axum::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            return match std::task::ready!(self.0.poll_next_unpin(cx)) {
                Some(Ok(Message::Binary(word))) => Poll::Ready(Some(Ok(word))),
                Some(Ok(Message::Close(_))) | None => Poll::Ready(None),
                Some(Ok(_)) => continue,
                Some(Err(error)) => Poll::Ready(Some(Err(error))),
            };
        }
    }
}

impl Sink<Bytes> for Words {
    type Error = axum::Error;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        self.0.poll_ready_unpin(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, word: Bytes) -> Result<(), axum::Error> {
        self.0.start_send_unpin(Message::Binary(word))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        self.0.poll_flush_unpin(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), axum::Error>> {
        self.0.poll_close_unpin(cx)
    }
}

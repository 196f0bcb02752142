//! The body of a peer's answer. It holds its connection: read to the end it gives it back, dropped it breaks it off.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use super::connection::Connection;
use super::pool::Pool;

/// A body that streams from a peer.
pub struct Answer {
    body: Incoming,
    lease: Option<Lease>,
}

/// A connection, and where it goes when it is free again.
pub(crate) struct Lease {
    pub(crate) connection: Connection,
    /// `None` for a stream that is not worth keeping.
    pub(crate) pool: Option<Arc<Pool>>,
}

impl Answer {
    pub(crate) fn new(body: Incoming, lease: Lease) -> Self {
        let mut answer = Self { body, lease: Some(lease) };
        answer.give_back_at_end();
        answer
    }

    fn give_back_at_end(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }

    fn give_back(&mut self) {
        match self.lease.take() {
            Some(Lease { connection, pool: Some(pool) }) => pool.put(connection),
            Some(Lease { connection, pool: None }) => connection.release(),
            None => {}
        }
    }
}

impl Body for Answer {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            None => self.give_back(),
            Some(Ok(_)) => self.give_back_at_end(),
            Some(Err(_)) => self.lease = None,
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

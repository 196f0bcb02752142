//! What is being served and taken, by the ticket that allowed it: broken off when that ends before its time. The bytes pass
//! untouched, so that the kernel can still send files by itself.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::{Request, State};
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use proto::ticket::VerifiedTicket;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::access::{PeerId, ticket_in};
use super::error::Refusal;
use crate::agent::Agent;

/// Bodies up to this length are not worth ending.
const SHORT: u64 = 1 << 20;

/// Long bodies under way, coming and going.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    serial: u64,
    bodies: HashMap<u64, (Arc<VerifiedTicket>, CancellationToken)>,
}

impl Running {
    /// Breaks off what was allowed by tickets of which this is true.
    pub(crate) fn end(&self, is_over: impl Fn(&VerifiedTicket) -> bool) {
        for (ticket, end) in self.0.lock().bodies.values() {
            if is_over(ticket) {
                end.cancel();
            }
        }
    }

    /// Takes note of something that a ticket allows and that goes on for long. The token is cancelled when it must end.
    pub(super) fn enter(&self, ticket: Arc<VerifiedTicket>) -> (Place, CancellationToken) {
        let end = CancellationToken::new();
        let mut book = self.0.lock();
        book.serial += 1;
        let serial = book.serial;
        book.bodies.insert(serial, (ticket, end.clone()));
        drop(book);
        (Place { running: self.clone(), serial }, end)
    }

    fn hold(&self, ticket: Arc<VerifiedTicket>, body: Body) -> (Body, CancellationToken) {
        let (place, end) = self.enter(ticket);
        let ended = Box::pin(end.clone().cancelled_owned());
        (Body::new(Endable { body, ended, _place: place }), end)
    }
}

/// A place in the book, given back when it is over.
pub(super) struct Place {
    running: Running,
    serial: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.0.lock().bodies.remove(&self.serial);
    }
}

/// The layer around the device API: holds every long body, coming or going, by its ticket.
pub(super) async fn hold_bodies(State(agent): State<Arc<Agent>>, request: Request, next: Next) -> Response {
    let authorization = request.headers().get(AUTHORIZATION).cloned();
    let presenter = request.extensions().get::<PeerId>().map(|peer| peer.0);
    let verify = || {
        let ticket = authorization.as_ref().and_then(ticket_in)?;
        Some(agent.tickets().verify(&ticket, presenter))
    };
    let request = match is_short(request.body()) {
        true => request,
        // A ticket that is not right is refused by the door.
        false => match verify() {
            Some(Ok(ticket)) => request.map(|body| held(&agent, ticket, body)),
            _ => request,
        },
    };
    let answer = next.run(request).await;
    if is_short(answer.body()) {
        return answer;
    }
    // It was found right a moment ago, so it is remembered; if it has ended since, so does the answer.
    match verify() {
        None => answer,
        Some(Ok(ticket)) => answer.map(|body| held(&agent, ticket, body)),
        Some(Err(error)) => Refusal::from(error).into_response(),
    }
}

fn is_short(body: &Body) -> bool {
    body.size_hint().exact().is_some_and(|length| length <= SHORT)
}

fn held(agent: &Agent, ticket: Arc<VerifiedTicket>, body: Body) -> Body {
    let (body, end) = agent.running().hold(Arc::clone(&ticket), body);
    if agent.tickets().is_over(&ticket) {
        end.cancel();
    }
    body
}

/// A body that can be ended from outside.
struct Endable {
    body: Body,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
    _place: Place,
}

/// What allowed an answer has ended.
#[derive(Debug, thiserror::Error)]
#[error("what allowed the answer has ended")]
struct Over;

impl HttpBody for Endable {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(axum::Error::new(Over))));
        }
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::serve::ended::Ended;
    use crate::testing::World;
    use axum::http::{Method, StatusCode};
    use http_body_util::BodyExt;
    use proto::ErrorCode;
    use proto::wire::link::Revoked;
    use time::OffsetDateTime;
    use tower::ServiceExt;

    fn end_of(world: &World, what: Revoked) -> Ended {
        Ended { coordinator: Some(world.coordinator()), what, at: OffsetDateTime::now_utc() }
    }

    #[tokio::test]
    async fn an_answer_breaks_off_when_its_ticket_ends_and_the_ticket_is_of_no_more_use() {
        let world = World::new();
        world.write("large.bin", &vec![7; 8 << 20]);
        let request = || world.request(Method::GET, "stream?path=large.bin").body(Body::empty()).unwrap();
        let mine = request();
        let again = {
            let mut again = Request::new(Body::empty());
            (*again.uri_mut(), *again.headers_mut()) = (mine.uri().clone(), mine.headers().clone());
            again
        };
        let mut ends = world.router().oneshot(mine).await.unwrap().into_body();
        let mut goes_on = world.router().oneshot(request()).await.unwrap().into_body();
        ends.frame().await.unwrap().unwrap();
        let sub = world.last_but_one();
        world.agent.end(&end_of(&world, Revoked::Principal { id: sub }));
        let broken = ends.collect().await;
        assert!(broken.is_err());
        while let Some(frame) = goes_on.frame().await {
            frame.unwrap();
        }
        drop(goes_on);
        let refused = world.send(again).await;
        assert_eq!((refused.status, refused.code()), (StatusCode::UNAUTHORIZED, ErrorCode::TicketRevoked));
        assert!(world.agent.running().0.lock().bodies.is_empty(), "what is over is let go");
    }

    #[tokio::test]
    async fn an_end_that_was_told_first_holds_for_tickets_seen_later() {
        let world = World::new();
        world.write("a.txt", b"a");
        let request = world.request(Method::GET, "stat?path=a.txt").body(Body::empty()).unwrap();
        world.agent.end(&end_of(&world, Revoked::Principal { id: world.last() }));
        assert_eq!(world.send(request).await.code(), ErrorCode::TicketRevoked);
        assert_eq!(world.get("stat?path=a.txt").await.status, StatusCode::OK, "another person's");
    }
}

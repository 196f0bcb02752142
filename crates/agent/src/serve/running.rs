//! What is being served, by the ticket that allowed it: broken off when that ends before its time. The bytes pass
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

/// Answers up to this length are not worth ending.
const SHORT: u64 = 1 << 20;

/// Long answers under way.
#[derive(Clone, Default)]
pub struct Running(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    serial: u64,
    answers: HashMap<u64, (Arc<VerifiedTicket>, CancellationToken)>,
}

impl Running {
    /// Breaks off what was allowed by tickets of which this is true.
    pub(crate) fn end(&self, is_over: impl Fn(&VerifiedTicket) -> bool) {
        for (ticket, end) in self.0.lock().answers.values() {
            if is_over(ticket) {
                end.cancel();
            }
        }
    }

    fn hold(&self, ticket: Arc<VerifiedTicket>, answer: Response) -> (Response, CancellationToken) {
        let end = CancellationToken::new();
        let mut book = self.0.lock();
        book.serial += 1;
        let serial = book.serial;
        book.answers.insert(serial, (ticket, end.clone()));
        drop(book);
        let place = Place { running: self.clone(), serial };
        let ended = Box::pin(end.clone().cancelled_owned());
        (answer.map(|body| Body::new(Endable { body, ended, _place: place })), end)
    }
}

/// An answer's place in the book, given back when the answer is over.
struct Place {
    running: Running,
    serial: u64,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.running.0.lock().answers.remove(&self.serial);
    }
}

/// The layer around the device API: holds every long answer by its ticket.
pub(super) async fn hold_answers(State(agent): State<Arc<Agent>>, request: Request, next: Next) -> Response {
    let authorization = request.headers().get(AUTHORIZATION).cloned();
    let presenter = request.extensions().get::<PeerId>().map(|peer| peer.0);
    let answer = next.run(request).await;
    if answer.body().size_hint().exact().is_some_and(|length| length <= SHORT) {
        return answer;
    }
    let Some(ticket) = authorization.as_ref().and_then(ticket_in) else { return answer };
    // It was found right a moment ago, so it is remembered; if it has ended since, so does the answer.
    match agent.tickets().verify(&ticket, presenter) {
        Ok(ticket) => {
            let (answer, end) = agent.running().hold(Arc::clone(&ticket), answer);
            if agent.tickets().is_over(&ticket) {
                end.cancel();
            }
            answer
        }
        Err(error) => Refusal::from(error).into_response(),
    }
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
        Ended { coordinator: world.coordinator(), what, at: OffsetDateTime::now_utc() }
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
        assert!(world.agent.running().0.lock().answers.is_empty(), "what is over is let go");
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

//! Long answers under way, by who asked and share: ended when what allowed them ends, and proof that somebody is there.
//! Their bytes pass untouched, so that the kernel can still send files by itself.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use http::Response;
use http_body::{Frame, SizeHint};
use parking_lot::Mutex;
use proto::{PrincipalId, SessionId, ShareId};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::{Client, Grant};

/// Answers up to this length are not worth ending.
const SHORT: u64 = 1 << 20;

/// Whose answers they are, with what they ask, and from which share.
type Key = (PrincipalId, Client, Option<ShareId>);

/// What the answers of one client from one share have in common. Lives as long as they do.
struct Work {
    ended: CancellationToken,
    /// True if any of them moved since the last look.
    moved: AtomicBool,
}

/// The long answers under way.
#[derive(Default)]
pub(crate) struct Running {
    work: Mutex<HashMap<Key, Weak<Work>>>,
}

impl Running {
    /// The same answer, which breaks off when its client, right or share ends. `still` is asked once it is known here:
    /// what ended just before is found ended.
    pub(crate) fn hold(
        &self,
        grant: &Grant,
        answer: Response<Body>,
        still: impl FnOnce() -> bool,
    ) -> Response<Body> {
        if answer.size_hint().exact().is_some_and(|length| length <= SHORT) {
            return answer;
        }
        let work = self.work_of((grant.principal, grant.client, grant.share()));
        if !still() {
            work.ended.cancel();
        }
        answer.map(|body| {
            let ended = Box::pin(work.ended.clone().cancelled_owned());
            Body::new(Endable { body, work, ended })
        })
    }

    fn work_of(&self, key: Key) -> Arc<Work> {
        let mut all = self.work.lock();
        if let Some(work) = all.get(&key).and_then(Weak::upgrade) {
            return work;
        }
        let work = Arc::new(Work { ended: CancellationToken::new(), moved: AtomicBool::new(true) });
        all.insert(key, Arc::downgrade(&work));
        work
    }

    /// Breaks off what this client has under way.
    pub(crate) fn end_client(&self, ended: Client) {
        self.end(|(_, client, _)| *client == ended);
    }

    /// Breaks off what a person has under way, with whatever they ask.
    pub(crate) fn end_principal(&self, ended: PrincipalId) {
        self.end(|(principal, ..)| *principal == ended);
    }

    /// Breaks off what a person has under way from one share.
    pub(crate) fn end_right(&self, person: PrincipalId, on: ShareId) {
        self.end(|(principal, _, share)| *principal == person && *share == Some(on));
    }

    /// Breaks off what is under way from a share.
    pub(crate) fn end_share(&self, ended: ShareId) {
        self.end(|(.., share)| *share == Some(ended));
    }

    fn end(&self, which: impl Fn(&Key) -> bool) {
        self.work.lock().retain(|key, work| {
            let ends = which(key);
            if let Some(work) = work.upgrade().filter(|_| ends) {
                work.ended.cancel();
            }
            !ends
        });
    }

    /// The sessions of which an answer moved since the last call.
    pub(crate) fn in_use(&self) -> Vec<SessionId> {
        let mut all = self.work.lock();
        all.retain(|_, work| work.strong_count() > 0);
        let moved =
            |work: &Weak<Work>| work.upgrade().is_some_and(|work| work.moved.swap(false, Ordering::Relaxed));
        all.iter()
            .filter(|(_, work)| moved(work))
            .filter_map(|((_, client, _), _)| match client {
                Client::Session(id) => Some(*id),
                Client::Device(_) | Client::Upload(_) | Client::Drop(_) => None,
            })
            .collect()
    }
}

/// A body that can be ended from outside.
struct Endable {
    body: Body,
    work: Arc<Work>,
    ended: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// What allowed an answer has ended.
#[derive(Debug, thiserror::Error)]
#[error("what allowed the answer has ended")]
struct Ended;

impl HttpBody for Endable {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        if self.ended.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err(axum::Error::new(Ended))));
        }
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        if frame.is_ready() {
            self.work.moved.store(true, Ordering::Relaxed);
        }
        frame
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
    use http_body_util::BodyExt;
    use proto::ticket::Resource;
    use proto::{DeviceId, Permissions};

    fn grant() -> Grant {
        Grant {
            device: DeviceId::from_public_key([1; 32]),
            principal: PrincipalId::generate(),
            client: Client::Session(SessionId::generate()),
            resource: Some((Resource::Share(ShareId::generate()), Permissions::all())),
            until_ms: None,
        }
    }

    /// An answer that never ends by itself.
    fn endless() -> Response<Body> {
        let pieces =
            futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(b"piece")));
        Response::new(Body::from_stream(pieces))
    }

    #[tokio::test]
    async fn an_answer_ends_with_what_allowed_it_and_with_nothing_else() {
        let (running, mine) = (Running::default(), grant());
        let share = mine.share().unwrap();
        let other =
            Grant { resource: Some((Resource::Share(ShareId::generate()), Permissions::all())), ..grant() };
        for end in 0..4 {
            let mut ends = running.hold(&mine, endless(), || true).into_body();
            let mut goes_on = running.hold(&other, endless(), || true).into_body();
            assert!(ends.frame().await.unwrap().is_ok());
            running.end_right(mine.principal, ShareId::generate());
            running.end_right(PrincipalId::generate(), share);
            match end {
                0 => running.end_client(mine.client),
                1 => running.end_share(share),
                2 => running.end_principal(mine.principal),
                _ => running.end_right(mine.principal, share),
            }
            assert!(ends.frame().await.unwrap().is_err());
            assert!(goes_on.frame().await.unwrap().is_ok());
        }
        let mut late = running.hold(&mine, endless(), || false).into_body();
        assert!(late.frame().await.unwrap().is_err(), "the session ended while the answer began");
    }

    #[tokio::test]
    async fn an_answer_that_moves_is_use_and_one_that_stands_still_is_not() {
        let (running, session) = (Running::default(), SessionId::generate());
        let grant = Grant { client: Client::Session(session), ..grant() };
        let mut body = running.hold(&grant, endless(), || true).into_body();
        assert_eq!(running.in_use(), [session]);
        assert!(running.in_use().is_empty());
        body.frame().await.unwrap().unwrap();
        assert_eq!(running.in_use(), [session]);
        drop(body);
        assert!(running.in_use().is_empty());
    }

    #[test]
    fn short_answers_stay_as_they_are() {
        let running = Running::default();
        running.hold(&grant(), Response::new(Body::from("short")), || false);
        assert!(running.work.lock().is_empty());
    }
}

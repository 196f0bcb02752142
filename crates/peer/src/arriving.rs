//! The body of a request. What the handler leaves of it is read on and thrown away, for a while: a connection that is closed on
//! bytes nobody read is reset, and who is still sending would see that instead of the answer.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// So much is thrown away for one request: more than a program sends before it looks up, less than harms.
const MOST: u64 = 32 << 20;
/// For so long, …
const LONGEST: Duration = Duration::from_secs(30);
/// … and as long as something comes.
const SILENCE: Duration = Duration::from_secs(5);

/// The body of a request that is arriving.
pub struct Arriving {
    /// None once it has ended.
    body: Option<Incoming>,
    /// Whoever asked sends nothing before it is told to go on, which reading tells.
    waits: bool,
}

impl Arriving {
    /// The request, with such a body.
    pub(crate) fn of(request: Request<Incoming>) -> Request<Self> {
        let waits = request.headers().contains_key(header::EXPECT);
        request.map(|body| Self { body: Some(body).filter(|body| !body.is_end_stream()), waits })
    }
}

impl Body for Arriving {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        self.waits = false;
        let Some(body) = &mut self.body else { return Poll::Ready(None) };
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            self.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        let left = self.body.take().filter(|body| !body.is_end_stream() && !self.waits);
        if let (Some(body), Ok(runtime)) = (left, tokio::runtime::Handle::try_current()) {
            runtime.spawn(tokio::time::timeout(LONGEST, throw_away(body)));
        }
    }
}

async fn throw_away(mut body: Incoming) {
    let mut left = MOST;
    while let Ok(Some(Ok(frame))) = tokio::time::timeout(SILENCE, body.frame()).await {
        let came = frame.data_ref().map_or(0, |bytes| bytes.len() as u64);
        match left.checked_sub(came) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

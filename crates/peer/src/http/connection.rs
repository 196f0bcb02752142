//! Asks on one stream: one request at a time, and the stream ends with whoever holds it.

use http::header::{HOST, HeaderValue};
use http::uri::PathAndQuery;
use http::{Extensions, Request, Response, StatusCode, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;

use super::BoxBody;
use crate::lane::Stream;

/// How many bytes of an answer are held between the stream and its reader.
const READ_BUFFER: usize = 256 * 1024;

/// A stream to a peer that can carry a request. Dropping it breaks off whatever it carries.
pub(crate) struct Connection {
    sender: SendRequest<BoxBody>,
    task: Task,
}

/// Ends the stream's task when dropped, and with it the stream.
struct Task(Option<AbortHandle>);

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = self.0.take() {
            task.abort();
        }
    }
}

/// A request that got no answer.
pub(crate) struct Unanswered {
    pub(crate) error: hyper::Error,
    /// The request itself, if not a byte of it was sent.
    pub(crate) unsent: Option<Request<BoxBody>>,
}

impl Connection {
    /// Takes the stream over. It ends with `ended`; `farewell` is told how.
    pub(crate) async fn begin(
        stream: Stream,
        ended: CancellationToken,
        farewell: impl FnOnce(hyper::Result<()>) + Send + 'static,
    ) -> hyper::Result<Self> {
        let (sender, connection) =
            http1::Builder::new().max_buf_size(READ_BUFFER).handshake(TokioIo::new(stream)).await?;
        let task = tokio::spawn(async move {
            tokio::select! {
                end = connection.with_upgrades() => farewell(end),
                () = ended.cancelled() => {}
            }
        });
        Ok(Self { sender, task: Task(Some(task.abort_handle())) })
    }

    /// Lets the stream end in good order, once what it carries has been carried.
    pub(crate) fn release(mut self) {
        self.task.0 = None;
    }

    /// True if the other end has hung up.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }

    /// Asks. The connection is free again once the answer has been read to its end.
    pub(crate) async fn ask(&mut self, request: Request<BoxBody>) -> Result<Response<Incoming>, Unanswered> {
        if let Err(error) = self.sender.ready().await {
            return Err(Unanswered { error, unsent: Some(request) });
        }
        match self.sender.try_send_request(request).await {
            Ok(response) => {
                if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                    // From here on the stream belongs to whoever asked for the switch.
                    self.task.0 = None;
                }
                Ok(response)
            }
            Err(mut failed) => {
                let unsent = failed.take_message();
                Err(Unanswered { error: failed.into_error(), unsent })
            }
        }
    }
}

/// Makes a request one for a peer: an address without a host, HTTP/1.1, nothing of this process's own.
pub(crate) fn readdress<B>(request: &mut Request<B>, host: &str) {
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")));
    *request.version_mut() = Version::HTTP_11;
    *request.extensions_mut() = Extensions::new();
    if let Ok(host) = HeaderValue::try_from(host) {
        request.headers_mut().insert(HOST, host);
    }
}

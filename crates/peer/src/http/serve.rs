//! Answers a peer's requests on one stream, one after another.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use proto::DeviceId;
use tokio_util::sync::CancellationToken;
use tower::util::BoxCloneSyncService;
use tower::{Service, ServiceExt};

use super::{BoxBody, BoxError};
use crate::arriving::Arriving;
use crate::connection::Connection;
use crate::key::PeerId;
use crate::lane::Stream;

/// How much of an answer hyper may hold for a slow reader.
const WRITE_BUFFER: usize = 256 * 1024;
/// A stream on which nothing is asked for so long is ended. Longer than a dialler keeps one ([`super::pool`]).
const IDLE_DEADLINE: Duration = Duration::from_secs(90);
/// How long the answer under way has to finish once the program is told to end.
const DRAIN_DEADLINE: Duration = Duration::from_secs(4);

/// Whatever answers peers, with its type forgotten.
pub(crate) type PeerService = BoxCloneSyncService<Request<Arriving>, Response<BoxBody>, Infallible>;

/// Forgets the type of a service.
pub(crate) fn boxed<S, B>(service: S) -> PeerService
where
    S: Service<Request<Arriving>, Response = Response<B>, Error = Infallible, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static,
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let boxed = service
        .map_response(|response: Response<B>| response.map(|body| BoxBody::new(body.map_err(Into::into))));
    BoxCloneSyncService::new(boxed)
}

/// What ends a conversation before its peer does.
pub(crate) struct Ends {
    /// At once: the peer is no longer welcome.
    pub(crate) revoked: CancellationToken,
    /// After the answer under way: the program ends.
    pub(crate) shutdown: CancellationToken,
}

/// Answers until either side ends it.
pub(crate) async fn converse(
    stream: Stream,
    peer: DeviceId,
    connection: Connection,
    service: PeerService,
    ends: Ends,
) -> io::Result<()> {
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(PeerId(peer));
        request.extensions_mut().insert(connection);
        service.clone().oneshot(Arriving::of(request))
    });
    let conversation = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(IDLE_DEADLINE)
        .max_buf_size(WRITE_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut conversation = std::pin::pin!(conversation);
    tokio::select! {
        ended = conversation.as_mut() => return ended.map_err(io::Error::other),
        () = ends.revoked.cancelled() => return Err(io::ErrorKind::PermissionDenied.into()),
        () = ends.shutdown.cancelled() => conversation.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        ended = tokio::time::timeout(DRAIN_DEADLINE, conversation) => ended?.map_err(io::Error::other),
        () = ends.revoked.cancelled() => Err(io::ErrorKind::PermissionDenied.into()),
    }
}

//! One request to a peer and its answer: on a connection that is free, or a new one; again on another where nothing
//! was lost by the first.

use std::convert::Infallible;
use std::sync::Arc;

use http::{HeaderMap, Method, Request, Response, Uri};
use http_body::Body;
use http_body_util::{BodyExt, Empty};

use crate::error::{OpenError, io_error, is_dead_network};
use crate::http::BoxBody;
use crate::http::answer::{Answer, Lease};
use crate::http::connection::{Connection, Unanswered, readdress};
use crate::lane::Stream;
use crate::peer::{LOOK_EVERY, Peer};
use crate::protocol::Protocol;
use crate::way::{Opened, Ways};

/// How often a request is begun at most. The last connection is certainly a new one.
const MAX_ATTEMPTS: usize = 4;

/// A request that may be asked twice: it changes nothing and has no body.
struct Again {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
}

impl Again {
    fn of(request: &Request<BoxBody>) -> Option<Self> {
        let harmless = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        (harmless && request.body().is_end_stream()).then(|| Self {
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: request.headers().clone(),
        })
    }

    fn request(&self) -> Request<BoxBody> {
        let empty = BoxBody::new(Empty::new().map_err(|never| match never {}));
        let mut request = Request::new(empty);
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

/// Asks a peer.
pub(crate) async fn ask(
    ways: &Arc<Ways>,
    peer: &Arc<Peer>,
    mut request: Request<BoxBody>,
) -> Result<Response<Answer>, OpenError> {
    readdress(&mut request, &peer.host);
    let again = Again::of(&request);
    let ended = peer.ended();
    for attempt in 1.. {
        let free = if attempt < MAX_ATTEMPTS { peer.pool.take() } else { None };
        let mut lease = match free {
            Some(connection) => Lease { connection, pool: Some(Arc::clone(&peer.pool)) },
            None => connect(ways, peer).await?,
        };
        let on_lan = lease.pool.is_some();
        let answered = tokio::select! {
            answered = lease.connection.ask(request) => answered,
            never = keep_spare(ways, peer), if on_lan => match never {},
        };
        let Unanswered { error, unsent } = match answered {
            Ok(response) => return Ok(response.map(|body| Answer::new(body, lease))),
            Err(unanswered) => unanswered,
        };
        if ended.is_cancelled() {
            return Err(OpenError::Revoked);
        }
        request = match unsent.or_else(|| again.as_ref().map(Again::request)) {
            Some(request) if attempt < MAX_ATTEMPTS => request,
            _ => return Err(OpenError::Broken(Box::new(error))),
        };
    }
    Err(OpenError::Revoked)
}

/// A new connection, on whichever lane.
async fn connect(ways: &Arc<Ways>, peer: &Arc<Peer>) -> Result<Lease, OpenError> {
    match ways.open(peer, Protocol::HTTP).await? {
        Opened::Lan(stream) => {
            let connection = begin_on_lan(peer, stream).await?;
            Ok(Lease { connection, pool: Some(Arc::clone(&peer.pool)) })
        }
        Opened::Quic(stream) => {
            look_at_lan(ways, peer);
            let begun = Connection::begin(stream, peer.ended(), |_| ()).await;
            let connection = begun.map_err(|error| OpenError::Broken(Box::new(error)))?;
            Ok(Lease { connection, pool: None })
        }
    }
}

async fn begin_on_lan(peer: &Arc<Peer>, stream: Stream) -> Result<Connection, OpenError> {
    let known = Arc::downgrade(peer);
    let farewell = move |end: hyper::Result<()>| {
        let dead =
            end.as_ref().err().and_then(|error| io_error(error)).filter(|error| is_dead_network(error));
        if let (Some(error), Some(peer)) = (dead, known.upgrade()) {
            peer.lan_died(error.to_string());
        }
    };
    let begun = Connection::begin(stream, peer.lan_ended(), farewell).await;
    begun.map_err(|error| OpenError::Broken(Box::new(error)))
}

/// Has a free connection ready while others are busy. It takes the next request at once; and, being silent, it is
/// the one on which the system notices when the network is gone: on a busy one it repeats what was not acknowledged,
/// for a quarter of an hour. Where none can be had because no packet comes back, that tells it as well.
async fn keep_spare(ways: &Arc<Ways>, peer: &Arc<Peer>) -> Infallible {
    loop {
        if peer.pool.is_empty() {
            look_at_lan(ways, peer);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Looks in the background whether the LAN lane works; if so, the next request finds a connection there.
fn look_at_lan(ways: &Arc<Ways>, peer: &Arc<Peer>) {
    if !peer.should_look() {
        return;
    }
    let (ways, peer) = (Arc::clone(ways), Arc::clone(peer));
    tokio::spawn(async move {
        let Ok(stream) = ways.open_on_lan(&peer, Protocol::HTTP).await else { return };
        if let Ok(connection) = begin_on_lan(&peer, stream).await {
            peer.pool.put(connection);
        }
    });
}

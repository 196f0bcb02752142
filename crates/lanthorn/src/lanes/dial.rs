//! How a command reaches another machine: by itself on the local network; else by what the running process lends; and
//! where no such process runs, by QUIC of its own.

use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use futures_util::future::{Either, select};
use parking_lot::Mutex;
use peer::{Endpoint, OpenError, Protocol, Stream, frame};
use proto::DeviceId;
use proto::api::transfers::Way;
use proto::wire::link::Addresses;
use tokio::net::UnixStream;

use super::{Lent, Wanted, socket, way};
use crate::signed_in::SignedIn;

/// How long the local network has before a lane is borrowed.
const HEAD_START: Duration = Duration::from_millis(400);

/// Opens streams to other machines. Clones are the same.
#[derive(Clone)]
pub struct Dialler {
    own: Endpoint,
    /// Of the running process; `None` where there is none.
    socket: Option<PathBuf>,
    /// On which way the last stream went.
    way: Arc<Mutex<Option<Way>>>,
}

impl Dialler {
    /// Looks whether there is a process to borrow from.
    pub async fn new(at: &SignedIn) -> Result<Self> {
        let lender = socket(at.state());
        let runs = UnixStream::connect(&lender).await.is_ok();
        let own = Endpoint::bind(at.dialling(runs)).await?;
        Ok(Self { own, socket: runs.then_some(lender), way: Arc::default() })
    }

    /// On which way the last stream went that was opened.
    pub fn way(&self) -> Option<Way> {
        *self.way.lock()
    }

    /// Opens a stream to a machine that is where the coordinator says.
    ///
    /// # Errors
    /// There is no way to it; known within ten seconds.
    pub async fn open(
        &self,
        peer: DeviceId,
        addresses: Addresses,
        protocol: Protocol,
    ) -> Result<Stream, OpenError> {
        let (stream, way) = self.open_on_best(peer, addresses, protocol).await?;
        *self.way.lock() = way;
        Ok(stream)
    }

    async fn open_on_best(
        &self,
        peer: DeviceId,
        addresses: Addresses,
        protocol: Protocol,
    ) -> Result<(Stream, Option<Way>), OpenError> {
        self.own.learn(peer, addresses.clone());
        let own = pin!(async {
            let stream = self.own.open(peer, protocol).await?;
            Ok((stream, self.own.path(peer).lane.map(way)))
        });
        let Some(socket) = &self.socket else { return own.await };
        let wanted = Wanted { peer, protocol: protocol.name().into(), addresses };
        let lent = pin!(async {
            tokio::time::sleep(HEAD_START).await;
            borrow(socket, &wanted).await
        });
        match select(own, lent).await {
            Either::Left((Ok(opened), _)) | Either::Right((Ok(opened), _)) => Ok(opened),
            Either::Left((Err(OpenError::Refused), _)) => Err(OpenError::Refused),
            Either::Left((Err(_), lent)) => lent.await,
            // The process looks on the local network too: its reasons say more.
            Either::Right((Err(why), own)) => own.await.map_err(|_| why),
        }
    }
}

/// Borrows a stream of the running process.
async fn borrow(socket: &PathBuf, wanted: &Wanted) -> Result<(Stream, Option<Way>), OpenError> {
    let asked = async {
        let mut stream = UnixStream::connect(socket).await?;
        frame::write(&mut stream, &serde_json::to_string(wanted)?).await?;
        let answer = frame::read::<String>(&mut stream).await?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok::<_, io::Error>((stream, serde_json::from_str::<Lent>(&answer)?))
    };
    match asked.await {
        Ok((stream, Lent::Open(way))) => Ok((Box::new(stream), way)),
        Ok((_, Lent::NoWay(why))) => Err(OpenError::Unreachable(why)),
        Err(error) => Err(OpenError::Broken(Box::new(error))),
    }
}

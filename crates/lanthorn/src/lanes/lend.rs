//! The running process lends its lanes to commands of this machine's own user.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use peer::{Endpoint, Protocol, frame};
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::{Lent, Wanted, socket, way};

/// Streams lent at once; who wants more waits.
const MAX_LENT: usize = 64;
/// Who has not said by then what it wants wants nothing.
const PATIENCE: Duration = Duration::from_secs(5);
/// Bytes under way in each direction of a stream.
const BUFFER: usize = 256 << 10;

/// Lends this endpoint's lanes until told to end. Without a socket, commands have the local network alone.
pub fn lend(state: &Path, endpoint: &Endpoint, ended: CancellationToken) {
    let path = socket(state);
    // What a process before this one left: the roles' locks say that it has ended.
    let _ = std::fs::remove_file(&path);
    let listener = match UnixListener::bind(&path) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::info!(%error, path = %path.display(), "commands reach other machines on the local network only");
            return;
        }
    };
    let endpoint = endpoint.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = accept(&listener, &endpoint) => {}
            () = ended.cancelled() => {}
        }
        let _ = std::fs::remove_file(&path);
    });
}

async fn accept(listener: &UnixListener, endpoint: &Endpoint) {
    let room = Arc::new(Semaphore::new(MAX_LENT));
    while let Ok(turn) = Arc::clone(&room).acquire_owned().await {
        // Out of descriptors, for example: others end, and then there are some.
        let Ok((asked, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let endpoint = endpoint.clone();
        tokio::spawn(async move {
            if let Err(error) = lend_one(asked, &endpoint).await {
                tracing::debug!(%error, "a lent lane ended");
            }
            drop(turn);
        });
    }
}

async fn lend_one(mut asked: UnixStream, endpoint: &Endpoint) -> io::Result<()> {
    let wanted = tokio::time::timeout(PATIENCE, frame::read::<String>(&mut asked)).await??;
    let Some(wanted) = wanted else { return Ok(()) };
    let Wanted { peer, protocol, addresses } = serde_json::from_str(&wanted)?;
    let protocol = Protocol::named(protocol.as_bytes()).ok_or(io::ErrorKind::Unsupported)?;
    endpoint.learn(peer, addresses);
    match endpoint.open(peer, protocol).await {
        Err(error) => say(&mut asked, &Lent::NoWay(error.to_string())).await,
        Ok(mut stream) => {
            say(&mut asked, &Lent::Open(endpoint.path(peer).lane.map(way))).await?;
            copy_bidirectional_with_sizes(&mut asked, &mut stream, BUFFER, BUFFER).await.map(drop)
        }
    }
}

async fn say(asked: &mut UnixStream, word: &Lent) -> io::Result<()> {
    frame::write(asked, &serde_json::to_string(word)?).await
}

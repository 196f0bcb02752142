//! Coordinators on the local network: this machine's own is announced, others are looked for. What is found is a hint;
//! whoever is found still has to prove who it is.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use coordinator::Coordinator;
use peer::discovery::{self, Found, Said, Serves};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::client::Address;

/// How long it is waited for answers. Whoever is there answers within a second, or to the second question.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lets others find this coordinator, as long as the process runs.
pub fn announce(coordinator: &Coordinator, bound: SocketAddr) {
    if bound.ip().is_loopback() {
        return;
    }
    let coordinator = coordinator.clone();
    let says = move || Said {
        coordinator: coordinator.id().to_owned(),
        name: coordinator.settings().device_name,
        https: true,
        serves: Serves::Coordinator,
    };
    tokio::spawn(async move {
        if let Err(error) = discovery::announce(bound, says).await {
            tracing::info!(%error, "not announced on the local network; machines join by address");
        }
    });
}

/// Lets others find something that is not there for long.
pub fn announce_while(up: CancellationToken, bound: SocketAddr, said: Said) {
    tokio::spawn(async move {
        tokio::select! {
            () = up.cancelled() => {}
            ended = discovery::announce(bound, move || said.clone()) => if let Err(error) = ended {
                tracing::info!(%error, "not announced on the local network; others name the address");
            }
        }
    });
}

/// Looks around for coordinators.
///
/// # Errors
/// This machine is on no network on which anybody could be asked.
pub async fn look() -> io::Result<Vec<Found>> {
    let mut answers = discovery::discover()?;
    let (mut found, until): (Vec<Found>, _) = (Vec::new(), Instant::now() + PATIENCE);
    while let Ok(Some(one)) = timeout_at(until, answers.recv()).await {
        if one.said.serves == Serves::Coordinator {
            found.push(one);
        }
    }
    Ok(found)
}

/// Where somebody says to be the coordinator of this id. Not the first alone: anybody can say so.
pub async fn find(id: String) -> Vec<Address> {
    let found = look().await.unwrap_or_default();
    let said = found.iter().filter(|one| one.said.coordinator == id);
    said.flat_map(Found::urls).filter_map(|url| Address::parse(&url).ok()).collect()
}

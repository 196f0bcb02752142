//! What this machine's agent offers, and whose tickets it honours. In one process it is handed over directly;
//! between a lone coordinator and a lone agent it travels in a private file of the state folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use agent::Agent;
use anyhow::{Context, Result};
use coordinator::keyfile;
use proto::ShareId;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

/// How often a lone agent looks whether the file has changed.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// The file in the state folder.
const FILE: &str = "offer.json";

/// The folders on offer and the public keys of the coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Public keys whose tickets count.
    pub ticket_keys: Vec<[u8; 32]>,
    /// The folders.
    pub shares: Vec<OfferedFolder>,
}

/// One folder on offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedFolder {
    /// The share.
    pub id: ShareId,
    /// Where it is.
    pub folder: PathBuf,
}

impl Offer {
    /// Keeps the offer for a lone agent.
    pub fn write(&self, state: &Path) -> Result<()> {
        keyfile::write(&state.join(FILE), &serde_json::to_vec(self)?)?;
        Ok(())
    }

    /// What a lone coordinator offers; nothing before it first started.
    pub fn read(state: &Path) -> Result<Self> {
        match keyfile::read(&state.join(FILE))? {
            Some(bytes) => serde_json::from_slice(bytes.expose()).context("offer.json has a mistake"),
            None => Ok(Self::default()),
        }
    }
}

/// Makes the agent offer what the channel says, now and whenever it changes. Ends with the channel.
pub async fn follow(agent: Arc<Agent>, mut offers: watch::Receiver<Offer>) {
    let mut offered: Vec<OfferedFolder> = Vec::new();
    loop {
        let shares = offers.borrow_and_update().shares.clone();
        let agent = Arc::clone(&agent);
        let before = std::mem::take(&mut offered);
        // Opening a share waits for a disk.
        offered =
            tokio::task::spawn_blocking(move || apply(&agent, before, shares)).await.unwrap_or_default();
        if offers.changed().await.is_err() {
            return;
        }
    }
}

/// Adds and removes shares until the agent offers `wanted`; returns what it offers now.
fn apply(agent: &Agent, before: Vec<OfferedFolder>, wanted: Vec<OfferedFolder>) -> Vec<OfferedFolder> {
    for gone in before.iter().filter(|share| !wanted.contains(share)) {
        agent.remove_share(gone.id);
    }
    let (kept, new): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|share| before.contains(share));
    let added = new.into_iter().filter(|share| match agent.add_share(share.id, &share.folder) {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(share = %share.id, folder = %share.folder.display(), %error, "this share cannot be offered now");
            false
        }
    });
    kept.into_iter().chain(added).collect()
}

/// A lone agent's view of the coordinator's file.
pub fn watch_file(state: &Path) -> Result<watch::Receiver<Offer>> {
    let (sender, receiver) = watch::channel(Offer::read(state)?);
    let state = state.to_owned();
    tokio::spawn(async move {
        let mut seen = changed_at(&state);
        let mut clock = tokio::time::interval(LOOK_EVERY);
        while !sender.is_closed() {
            clock.tick().await;
            let now = changed_at(&state);
            if now == seen {
                continue;
            }
            seen = now;
            match Offer::read(&state) {
                Ok(offer) => drop(sender.send_replace(offer)),
                Err(error) => tracing::warn!(%error, "cannot read what to offer"),
            }
        }
    });
    Ok(receiver)
}

fn changed_at(state: &Path) -> Option<SystemTime> {
    std::fs::metadata(state.join(FILE)).and_then(|found| found.modified()).ok()
}

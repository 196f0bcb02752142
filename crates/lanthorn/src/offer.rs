//! What this machine's agent offers, and whose tickets it honours. In one process it is handed over directly;
//! between a lone coordinator and a lone agent it travels in a private file of the state folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use agent::Agent;
use agent::serve::ended::Ended;
use anyhow::{Context, Result};
use coordinator::{Taken, keyfile};
use proto::ticket::{Issuer, PublicKey};
use proto::wire::link::Revoked;
use proto::{DeviceId, ShareId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::watch;

use crate::watched;

/// The file in the state folder.
const FILE: &str = "offer.json";
/// How long the start waits for folders to open: a disk that does not answer must not keep the others away.
const FIRST_OFFER: Duration = Duration::from_secs(3);

/// The folders on offer and the public keys of the coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Public keys whose tickets count.
    pub ticket_keys: Vec<[u8; 32]>,
    /// The ids of keys that were given up because somebody else may have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dropped_keys: Vec<String>,
    /// The folders.
    pub shares: Vec<OfferedFolder>,
    /// The machines that this machine's coordinator lets knock here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub guests: Vec<DeviceId>,
}

/// One folder on offer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OfferedFolder {
    /// The share.
    pub id: ShareId,
    /// What it is called.
    #[serde(default)]
    pub name: String,
    /// Where it is.
    pub folder: PathBuf,
    /// True for this machine's inbox.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub inbox: bool,
}

impl OfferedFolder {
    /// What it is called: by its folder, if nobody has said.
    pub fn shown_name(&self) -> String {
        if !self.name.is_empty() {
            return self.name.clone();
        }
        self.folder.file_name().map_or_else(|| "Files".into(), |name| name.to_string_lossy().into_owned())
    }

    /// True if both are one folder, whatever it is called.
    fn is_same_place(&self, other: &Self) -> bool {
        self.id == other.id && self.folder == other.folder
    }
}

impl Offer {
    /// Whose tickets count: this machine's own coordinator's.
    pub fn issuer(&self) -> Issuer {
        let keys = self.ticket_keys.iter().copied().map(PublicKey::from_bytes).collect();
        Issuer { dropped: self.dropped_keys.clone(), ..Issuer::own(keys) }
    }

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

/// Makes the agent offer what the channel says, from now on. Returns once it offers the first of it, so that nobody who
/// asks early is told that a share is unknown, with what was taken last, now and whenever that changes.
pub async fn keep(agent: Arc<Agent>, offers: watch::Receiver<Offer>) -> watch::Receiver<Taken> {
    let (told, mut taken) = watch::channel(None);
    tokio::spawn(follow(agent, offers, told));
    if tokio::time::timeout(FIRST_OFFER, taken.changed()).await.is_err() {
        tracing::warn!("a shared folder does not open yet; starting without it");
    }
    taken
}

/// Breaks off at this machine's agent what its coordinator ends, as a link does for the others. Ends with the channel.
pub async fn end_what_ends(agent: Arc<Agent>, mut revoked: broadcast::Receiver<Revoked>) {
    loop {
        match revoked.recv().await {
            Ok(what) => agent.end(&Ended { coordinator: None, what, at: OffsetDateTime::now_utc() }),
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "what ended was not all heard"),
            Err(RecvError::Closed) => return,
        }
    }
}

/// Makes the agent offer what the channel says, now and whenever it changes. Ends with the channel.
async fn follow(agent: Arc<Agent>, mut offers: watch::Receiver<Offer>, taken: watch::Sender<Taken>) {
    let mut offered: Vec<OfferedFolder> = Vec::new();
    loop {
        let shares = offers.borrow_and_update().shares.clone();
        let ids = shares.iter().map(|share| share.id).collect();
        let agent = Arc::clone(&agent);
        let before = std::mem::take(&mut offered);
        // Opening a share waits for a disk.
        offered =
            tokio::task::spawn_blocking(move || apply(&agent, before, shares)).await.unwrap_or_default();
        taken.send_replace(Some(ids));
        if offers.changed().await.is_err() {
            return;
        }
    }
}

/// Adds and removes shares until the agent offers `wanted`; returns what it offers now.
fn apply(agent: &Agent, before: Vec<OfferedFolder>, wanted: Vec<OfferedFolder>) -> Vec<OfferedFolder> {
    let among = |all: &[OfferedFolder], one: &OfferedFolder| all.iter().any(|share| share.is_same_place(one));
    for gone in before.iter().filter(|share| !among(&wanted, share)) {
        agent.remove_share(gone.id);
    }
    let (kept, new): (Vec<_>, Vec<_>) = wanted.into_iter().partition(|share| among(&before, share));
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
    let state = state.to_owned();
    watched::follow(&state.join(FILE), Offer::read(&state)?, move || Offer::read(&state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::ticket::KeyRing;

    #[tokio::test]
    async fn what_is_on_offer_is_there_when_the_start_goes_on() {
        let home = tempfile::tempdir().unwrap();
        let device = DeviceId::from_public_key([1; 32]);
        let agent = Agent::new(agent::Config {
            device,
            keys: KeyRing::new(device, []),
            cache_dir: home.path().join("cache"),
            media: agent::files::media::MediaConfig::default(),
            rate_limit: None,
        });
        let folders = ["first", "second", "missing"].map(|name| home.path().join(name));
        folders[..2].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
        let share = |folder: &PathBuf| OfferedFolder {
            id: ShareId::generate(),
            name: String::new(),
            folder: folder.clone(),
            inbox: false,
        };
        let shares: Vec<_> = folders.iter().map(share).collect();
        let (change, offers) = watch::channel(Offer { shares: shares.clone(), ..Offer::default() });
        keep(Arc::clone(&agent), offers).await;
        let offered: Vec<_> = shares.iter().map(|share| agent.share(share.id).is_some()).collect();
        assert_eq!(offered, [true, true, false], "a folder that is gone keeps no other away");
        drop(change);
    }
}

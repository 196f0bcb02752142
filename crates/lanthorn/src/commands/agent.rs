//! `lanthorn agent`: the data plane alone, for a coordinator on this machine.

use std::sync::Arc;

use agent::{Agent, serve};
use anyhow::Result;
use tokio::sync::watch;

use super::role::{Role, Running};
use crate::config::Config;
use crate::device;
use crate::offer::{self, Offer};

/// Starts the agent.
pub async fn run(config: Config) -> Result<Running> {
    let device = device::load_or_make(&config.homes.state)?;
    let offers = offer::watch_file(&config.homes.state)?;
    let agent = make(&config, device, &offers.borrow().clone());
    tokio::spawn(follow_keys(Arc::clone(&agent), offers.clone()));
    tokio::spawn(offer::follow(Arc::clone(&agent), offers));
    let (router, _) = serve::router(agent).split_for_parts();
    Running::begin(&config, Role::Agent, router, None, None)
}

/// An agent with the settings' limits that honours the offer's keys.
pub fn make(config: &Config, device: proto::DeviceId, offer: &Offer) -> Arc<Agent> {
    Agent::new(agent::Config {
        device,
        keys: key_ring(device, offer),
        cache_dir: config.homes.cache.clone(),
        media: config.media.clone(),
    })
}

fn key_ring(device: proto::DeviceId, offer: &Offer) -> proto::ticket::KeyRing {
    let keys = offer.ticket_keys.iter().copied().map(proto::ticket::PublicKey::from_bytes);
    proto::ticket::KeyRing::new(device, keys)
}

/// Honours the keys that the coordinator's file names, also when the coordinator first starts after the agent.
async fn follow_keys(agent: Arc<Agent>, mut offers: watch::Receiver<Offer>) {
    while offers.changed().await.is_ok() {
        let ring = key_ring(agent.config().device, &offers.borrow_and_update());
        agent.tickets().honour(ring);
    }
}

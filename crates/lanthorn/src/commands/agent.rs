//! `lanthorn agent`: the data plane alone, for a coordinator on this machine.

use std::sync::Arc;

use agent::{Agent, serve};
use anyhow::Result;
use peer::Endpoint;

use super::links;
use super::role::{Doors, Role, Running};
use crate::announce::Words;
use crate::config::Config;
use crate::device;
use crate::offer::{self, Offer};

/// Starts the agent.
pub async fn run(config: Config) -> Result<Running> {
    let key = device::load_or_make(&config.homes.state)?;
    let offers = offer::watch_file(&config.homes.state)?;
    let agent = make(&config, key.id(), &offers.borrow().clone());
    offer::keep(Arc::clone(&agent), offers.clone()).await;
    let (router, _) = serve::router(Arc::clone(&agent)).split_for_parts();
    let endpoint = Endpoint::bind(config.lanes(key.clone())).await?;
    serve::answer_peers(&agent, &endpoint, router.clone());
    let doors = Doors { tls: None, lanes: Some(endpoint.clone()) };
    let running = Running::begin(&config, Role::Agent, router, doors, Words::default())?;
    let (links, standing) = links::begin(&config, key, (agent, endpoint), &offers)?;
    tokio::spawn(links::keep_written(standing, config.homes.state.clone()));
    Ok(running.with_links(links))
}

/// An agent with the settings' limits that honours the offer's keys.
pub fn make(config: &Config, device: proto::DeviceId, offer: &Offer) -> Arc<Agent> {
    Agent::new(agent::Config {
        device,
        keys: proto::ticket::KeyRing::new(device, [offer.issuer()]),
        cache_dir: config.homes.cache.clone(),
        media: config.media.clone(),
        rate_limit: config.rate_limit(),
    })
}

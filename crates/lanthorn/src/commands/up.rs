//! `lanthorn up`, and `lanthorn` alone: everything in one process.

use std::sync::Arc;

use anyhow::Result;
use axum::Router;
use coordinator::RouterLink;
use peer::Endpoint;

use super::role::{Doors, Role, Running};
use super::{agent, coordinator as control, links};
use crate::config::Config;
use crate::{device, offer, webui};

/// Starts coordinator, agent and page.
pub async fn run(config: Config) -> Result<Running> {
    let key = device::load_or_make(&config.homes.state)?;
    let coordinator = control::open(&config, key.id()).await?;
    let offers = control::offers(&coordinator);
    let agent = agent::make(&config, key.id(), &offers.borrow());
    let data_plane = Router::from(::agent::serve::router(Arc::clone(&agent)));
    coordinator.set_local_agent(RouterLink::new(data_plane.clone()));
    let endpoint = Endpoint::bind(config.lanes(key.clone())).await?;
    ::agent::serve::answer_peers(&agent, &endpoint, data_plane.clone());
    coordinator.set_endpoint(endpoint.clone());
    tokio::spawn(offer::end_what_ends(Arc::clone(&agent), coordinator.revoked()));
    coordinator.wait_for_agent(offer::keep(Arc::clone(&agent), offers.clone()).await);
    let router = Router::from(coordinator.router()).merge(data_plane).fallback(webui::serve);
    let router = coordinator.guard(control::with_description(router));
    let doors = Doors { tls: Some(coordinator.tls()), lanes: Some(endpoint.clone()) };
    let running = Running::begin(&config, Role::All, router, doors, control::words(&coordinator))?;
    control::be_found(&config, &coordinator, running.bound());
    let (links, standing) = links::begin(&config, key, (agent, endpoint), &offers)?;
    coordinator.set_joined(standing);
    Ok(running.with_links(links).at_end(async move { coordinator.close().await }))
}

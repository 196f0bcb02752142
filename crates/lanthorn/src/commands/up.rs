//! `lanthorn up`, and `lanthorn` alone: everything in one process.

use anyhow::Result;
use axum::Router;
use coordinator::RouterLink;

use super::role::{Role, Running};
use super::{agent, coordinator as control};
use crate::config::Config;
use crate::{device, offer, webui};

/// Starts coordinator, agent and page.
pub async fn run(config: Config) -> Result<Running> {
    let device = device::load_or_make(&config.homes.state)?;
    let coordinator = control::open(&config, device).await?;
    let offers = control::offers(&coordinator);
    let agent = agent::make(&config, device, &offers.borrow());
    let data_plane = Router::from(::agent::serve::router(std::sync::Arc::clone(&agent)));
    coordinator.set_local_agent(RouterLink::new(data_plane.clone()));
    tokio::spawn(offer::follow(agent, offers));
    let router = Router::from(coordinator.router()).merge(data_plane).fallback(webui::serve);
    let router = coordinator.guard(control::with_description(router));
    let running =
        Running::begin(&config, Role::All, router, Some(coordinator.tls()), coordinator.setup_code())?;
    Ok(running.at_end(async move { coordinator.close().await }))
}

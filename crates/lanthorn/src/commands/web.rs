//! `lanthorn web`: the page alone, in front of a coordinator on this machine.

use anyhow::Result;
use axum::Router;
use axum::routing::any_service;
use tower::service_fn;

use super::role::{Doors, Role, Running};
use crate::announce::Words;
use crate::config::{self, Config};
use crate::forwarded::{ForwardKey, Forwarder};

/// Starts the page.
pub async fn run(config: Config) -> Result<Running> {
    let forwarder = Forwarder::new(ForwardKey::load(&config.homes.state)?, &config.coordinator_url);
    let pass_on = any_service(service_fn(move |request| forwarder.clone().pass_on(request)));
    let router = Router::new()
        .route("/api/{*rest}", pass_on.clone())
        .route("/trust/{*rest}", pass_on.clone())
        .route("/health", pass_on)
        .fallback(crate::webui::serve);
    let router = coordinator::with_security_headers(router);
    let names = config.settings.names.as_deref().unwrap_or_default();
    let state = config.homes.state.clone();
    let tls = coordinator::page_tls(state, &config::host_name(), names, config.own_certificate()).await?;
    Running::begin(&config, Role::Web, router, Doors { tls: Some(tls), lanes: None }, Words::default())
}

//! `lanthorn coordinator`: the control plane alone; and what `lanthorn up` shares with it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::{Json, Router};
use coordinator::{Coordinator, HttpLink, SystemClock};
use peer::Endpoint;
use proto::DeviceId;
use proto::api::settings::Settings as PageSettings;
use proto::wire::link::TicketKeys;
use serde_json::json;
use tokio::sync::watch;

use super::links;
use super::role::{Doors, Role, Running};
use crate::announce::Words;
use crate::config::{self, Config};
use crate::device;
use crate::forwarded::{self, ForwardKey};
use crate::nearby;
use crate::offer::{Offer, OfferedFolder};
use crate::settings_file::SettingsFile;

/// Starts the coordinator, with this machine's agent in a process of its own.
pub async fn run(config: Config) -> Result<Running> {
    let state = config.homes.state.clone();
    let device = device::load_or_make(&state)?.id();
    let coordinator = open(&config, device).await?;
    // Other machines are told by its own key that it is this gateway that asks: the device key is the agent's.
    let endpoint = Endpoint::bind(config.lanes(device::gateway_key(&state)?)).await?;
    coordinator.set_endpoint(endpoint.clone());
    let agent: http::Uri = config.agent_url.parse().context("agent_url is not an address")?;
    let authority = agent.authority().context("agent_url has no host")?.clone();
    coordinator.set_local_agent(HttpLink::new(authority));
    coordinator.set_joined(links::watch_file(&state)?);
    let offers = offers(&coordinator);
    offers.borrow().write(&state)?;
    tokio::spawn(keep_written(offers, state.clone()));
    let key = ForwardKey::load(&state)?;
    let root = Json(json!({ "service": "coordinator", "status": "ok" }));
    let router = Router::from(coordinator.router()).route("/", axum::routing::get(|| async move { root }));
    let router = coordinator.guard(with_description(router));
    let router = router.layer(axum::middleware::from_fn(move |request, next| {
        forwarded::unwrap_caller(key.clone(), request, next)
    }));
    let running = Running::begin(
        &config,
        Role::Coordinator,
        router,
        Doors { tls: Some(coordinator.tls()), lanes: None },
        words(&coordinator),
    )?;
    be_found(&config, &coordinator, running.bound());
    Ok(running.at_end(async move {
        endpoint.close().await;
        coordinator.close().await;
    }))
}

/// What the terminal shows of a coordinator.
pub fn words(coordinator: &Coordinator) -> Words {
    Words { setup_code: coordinator.setup_code(), fingerprint: coordinator.certificate_fingerprint() }
}

/// Opens the coordinator with these settings.
pub async fn open(config: &Config, device: DeviceId) -> Result<Coordinator> {
    let opened = Coordinator::open(
        coordinator::Config {
            state_dir: config.homes.state.clone(),
            device,
            host_name: config::host_name(),
            names: config.settings.names.clone().unwrap_or_default(),
            settings: PageSettings {
                device_name: config.device_name.clone(),
                session_idle_seconds: config.session_idle.as_secs(),
                allow_open: config.allow_open,
                open_browser: config.open_browser,
            },
            default_folder: config.folder.clone(),
            inbox_dir: config.inbox.clone(),
            own_certificate: config.own_certificate(),
            open_rendezvous: config.settings.open_rendezvous.unwrap_or(false),
            ticket_key_lifetime: config.ticket_key_lifetime,
            clock: Arc::new(SystemClock::default()),
        },
        Arc::new(SettingsFile::new(config)),
    );
    Ok(opened.await?)
}

/// Tells the coordinator where it is, and others that it is there.
pub fn be_found(config: &Config, coordinator: &Coordinator, bound: SocketAddr) {
    coordinator.listens_at(bound);
    if config.discovery {
        nearby::announce(coordinator, bound);
    }
}

/// Adds the description of the API.
pub fn with_description(router: Router) -> Router {
    router.route("/api/openapi.json", axum::routing::get(super::openapi::serve))
}

fn offered(share: &coordinator::SharedFolder) -> OfferedFolder {
    let coordinator::SharedFolder { id, name, folder, inbox } = share.clone();
    OfferedFolder { id, name, folder, inbox }
}

/// What the agent is to offer, now and whenever it changes.
pub fn offers(coordinator: &Coordinator) -> watch::Receiver<Offer> {
    let (mut shares, mut keys) = (coordinator.shares(), coordinator.ticket_keys());
    let mut guests = coordinator.guests();
    let offer = |shares: &[coordinator::SharedFolder], keys: &TicketKeys, guests: &[DeviceId]| Offer {
        ticket_keys: keys.ticket_keys.iter().map(|key| key.to_bytes()).collect(),
        dropped_keys: keys.dropped.clone(),
        shares: shares.iter().map(offered).collect(),
        guests: guests.to_vec(),
    };
    let (sender, receiver) = watch::channel(offer(
        &shares.borrow_and_update(),
        &keys.borrow_and_update(),
        &guests.borrow_and_update(),
    ));
    tokio::spawn(async move {
        loop {
            let changed = tokio::select! {
                changed = shares.changed() => changed,
                changed = keys.changed() => changed,
                changed = guests.changed() => changed,
            };
            if changed.is_err() {
                return;
            }
            sender.send_replace(offer(
                &shares.borrow_and_update(),
                &keys.borrow_and_update(),
                &guests.borrow_and_update(),
            ));
        }
    });
    receiver
}

/// Keeps a lone agent's file up to date.
async fn keep_written(mut offers: watch::Receiver<Offer>, state: std::path::PathBuf) {
    while offers.changed().await.is_ok() {
        let (offer, state) = (offers.borrow_and_update().clone(), state.clone());
        let written = tokio::task::spawn_blocking(move || offer.write(&state)).await;
        if let Ok(Err(error)) = written {
            tracing::error!(%error, "the agent cannot be told what to offer");
        }
    }
}

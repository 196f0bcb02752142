//! What a running machine keeps to the coordinators it has joined: its links, fed with what it offers and where it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::Agent;
use agent::control::{Control, LinkStates, Parts, PinnedKeys};
use anyhow::{Context, Result};
use coordinator::keyfile;
use futures_util::FutureExt;
use peer::{DeviceKey, Endpoint};
use proto::api::devices::JoinedCoordinator;
use proto::wire::link::{Addresses, OfferedShare, Registration};
use tokio::sync::watch;

use crate::config::Config;
use crate::membership::Memberships;
use crate::nearby;
use crate::offer::Offer;
use crate::reach::Search;
use crate::watched;

/// How the links stand, for the machine's owner, now and whenever that changes.
pub type Standing = watch::Receiver<Vec<JoinedCoordinator>>;

/// Keeps links to every coordinator in the file of memberships, now and whenever that changes.
pub fn begin(
    config: &Config,
    key: DeviceKey,
    (agent, endpoint): (Arc<Agent>, Endpoint),
    offers: &watch::Receiver<Offer>,
) -> Result<(Arc<Control>, Standing)> {
    let addresses = endpoint.addresses();
    let device_name = &config.device_name;
    let first = registration(device_name, &offers.borrow(), &addresses.borrow());
    let (told, registration) = watch::channel(first);
    let own = offers.borrow().issuer();
    let control = Arc::new(Control::new(Parts { key, agent, endpoint, registration }, own));
    control.set_own_guests(offers.borrow().guests.clone());
    tokio::spawn(tell(device_name.clone(), told, offers.clone(), addresses));
    tokio::spawn(follow_own_coordinator(Arc::clone(&control), offers.clone()));
    tokio::spawn(keep_keys(control.pinned(), config.homes.state.clone()));
    let memberships = Memberships::watch(&config.homes.state)?;
    tokio::spawn(follow_memberships(Arc::clone(&control), memberships.clone(), search(config)));
    let standing = standing(control.states(), memberships);
    Ok((control, standing))
}

/// Puts together what was joined and how the links to it stand.
fn standing(
    mut states: watch::Receiver<LinkStates>,
    mut memberships: watch::Receiver<Memberships>,
) -> Standing {
    let first = memberships.borrow_and_update().shown(&states.borrow_and_update());
    let (told, standing) = watch::channel(first);
    tokio::spawn(async move {
        loop {
            let changed = tokio::select! {
                changed = states.changed() => changed,
                changed = memberships.changed() => changed,
                () = told.closed() => return,
            };
            if changed.is_err() {
                return;
            }
            told.send_replace(memberships.borrow_and_update().shown(&states.borrow_and_update()));
        }
    });
    standing
}

/// The file in which a lone agent tells the coordinator of the same state folder how its links stand.
const FILE: &str = "links.json";

/// Keeps that file up to date, as long as the links are kept.
pub async fn keep_written(mut standing: Standing, state: PathBuf) {
    loop {
        let (now, path) = (standing.borrow_and_update().clone(), state.join(FILE));
        let write = move || anyhow::Ok(keyfile::write(&path, &serde_json::to_vec(&now)?)?);
        if let Ok(Err(error)) = tokio::task::spawn_blocking(write).await {
            tracing::warn!(error = format!("{error:#}"), "how the links stand cannot be told");
        }
        if standing.changed().await.is_err() {
            return;
        }
    }
}

/// What a lone agent tells, for a lone coordinator.
pub fn watch_file(state: &Path) -> Result<Standing> {
    let path = state.join(FILE);
    let read = {
        let path = path.clone();
        move || match keyfile::read(&path)? {
            Some(bytes) => serde_json::from_slice(bytes.expose()).context("links.json has a mistake"),
            None => Ok(Vec::new()),
        }
    };
    // What an older or broken process left is no reason not to start.
    watched::follow(&path, read().unwrap_or_default(), read)
}

/// How coordinators are looked for that have moved.
fn search(config: &Config) -> Search {
    let looks = config.discovery;
    let look = move |id| async move { if looks { nearby::find(id).await } else { Vec::new() } }.boxed();
    Search { look: Arc::new(look), state: config.homes.state.clone() }
}

fn registration(device_name: &str, offer: &Offer, addresses: &Addresses) -> Registration {
    let shares = offer.shares.iter().map(|share| OfferedShare {
        id: share.id,
        name: share.shown_name(),
        read_only: false,
        inbox: share.inbox,
    });
    Registration {
        name: device_name.to_owned(),
        platform: std::env::consts::OS.into(),
        version: env!("CARGO_PKG_VERSION").into(),
        addresses: addresses.clone(),
        shares: shares.collect(),
    }
}

/// Tells the links what this machine offers and where it is, whenever either changes.
async fn tell(
    name: String,
    told: watch::Sender<Registration>,
    mut offers: watch::Receiver<Offer>,
    mut addresses: watch::Receiver<Addresses>,
) {
    loop {
        let changed = tokio::select! {
            changed = offers.changed() => changed,
            changed = addresses.changed() => changed,
        };
        if changed.is_err() {
            // Nothing changes any more, and the links end when they are told to.
            return told.closed().await;
        }
        let now = registration(&name, &offers.borrow_and_update(), &addresses.borrow_and_update());
        told.send_replace(now);
    }
}

async fn follow_own_coordinator(control: Arc<Control>, mut offers: watch::Receiver<Offer>) {
    while offers.changed().await.is_ok() {
        let offer = offers.borrow_and_update().clone();
        control.set_own_keys(offer.issuer());
        control.set_own_guests(offer.guests);
    }
}

/// Writes down which keys each coordinator goes by, whenever one has announced others: after a restart they are known.
async fn keep_keys(mut pinned: watch::Receiver<PinnedKeys>, state: PathBuf) {
    while pinned.changed().await.is_ok() {
        let (now, state) = (pinned.borrow_and_update().clone(), state.clone());
        let written = tokio::task::spawn_blocking(move || Memberships::learned(&state, &now)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(error = format!("{error:#}"), "new ticket keys are not kept, and asked for again");
        }
    }
}

async fn follow_memberships(
    control: Arc<Control>,
    mut memberships: watch::Receiver<Memberships>,
    search: Search,
) {
    loop {
        let links = memberships.borrow_and_update().for_links(&search);
        control.join(links);
        if memberships.changed().await.is_err() {
            return;
        }
    }
}

//! What a running machine keeps to the coordinators it has joined: its links, fed with what it offers and where it is.

use std::sync::Arc;

use agent::Agent;
use agent::control::{Control, Parts};
use anyhow::Result;
use futures_util::FutureExt;
use peer::{DeviceKey, Endpoint};
use proto::ticket::PublicKey;
use proto::wire::link::{Addresses, OfferedShare, Registration};
use tokio::sync::watch;

use crate::config::Config;
use crate::membership::Memberships;
use crate::nearby;
use crate::offer::Offer;
use crate::reach::Search;

/// Keeps links to every coordinator in the file of memberships, now and whenever that changes.
pub fn begin(
    config: &Config,
    key: DeviceKey,
    (agent, endpoint): (Arc<Agent>, Endpoint),
    offers: &watch::Receiver<Offer>,
) -> Result<Arc<Control>> {
    let addresses = endpoint.addresses();
    let device_name = &config.device_name;
    let first = registration(device_name, &offers.borrow(), &addresses.borrow());
    let (told, registration) = watch::channel(first);
    let own = own_keys(&offers.borrow());
    let control = Arc::new(Control::new(Parts { key, agent, endpoint, registration }, own));
    tokio::spawn(tell(device_name.clone(), told, offers.clone(), addresses));
    tokio::spawn(follow_own_keys(Arc::clone(&control), offers.clone()));
    let memberships = Memberships::watch(&config.homes.state)?;
    tokio::spawn(follow_memberships(Arc::clone(&control), memberships, search(config)));
    Ok(control)
}

/// How coordinators are looked for that have moved.
fn search(config: &Config) -> Search {
    let looks = config.discovery;
    let look = move |ids| async move { if looks { nearby::find(ids).await } else { Vec::new() } }.boxed();
    Search { look: Arc::new(look), state: config.homes.state.clone() }
}

fn own_keys(offer: &Offer) -> Vec<PublicKey> {
    offer.ticket_keys.iter().copied().map(PublicKey::from_bytes).collect()
}

fn registration(device_name: &str, offer: &Offer, addresses: &Addresses) -> Registration {
    let shares = offer.shares.iter().map(|share| OfferedShare {
        id: share.id,
        name: share.shown_name(),
        read_only: false,
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

async fn follow_own_keys(control: Arc<Control>, mut offers: watch::Receiver<Offer>) {
    while offers.changed().await.is_ok() {
        let own = own_keys(&offers.borrow_and_update());
        control.set_own_keys(own);
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

//! The taker: comes with a code, sees what there is, and receives it as a small agent whose one share is the folder.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use agent::alone::Alone;
use agent::transfer::incoming::Incoming;
use anyhow::{Context, Result};
use axum::Router;
use peer::code::{CodeError, Met};
use peer::{DeviceKey, Endpoint, Meeting};
use proto::api::transfers::{Arrived, ArrivedItem, Expected, ItemState};
use proto::wire::by_code::{FromGiver, FromTaker, Offer};
use proto::{ApiError, ErrorCode, PrincipalId, ShareId};
use serde_json::json;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::places::{Place, anywhere};
use super::says::Says;
use crate::client::Refused;
use crate::config::Config;
use crate::fetch::Progress;
use crate::report::failure;

/// How long the sockets have to say where they are.
const WHEREABOUTS: Duration = Duration::from_secs(1);
/// How long a giver may be away. It comes back within seconds, if it is still there.
const AWAY: Duration = Duration::from_secs(90);
/// How long the giver may take to hear that everything is there.
const FAREWELL: Duration = Duration::from_secs(5);

/// Somebody who has met a giver.
pub struct Taker<'a> {
    pub config: &'a Config,
    pub place: &'a Place,
    pub met: Met,
    pub says: Says,
}

/// What receives.
struct Receiving {
    alone: Arc<Alone>,
    incoming: Arc<Incoming>,
    endpoint: Endpoint,
    key: DeviceKey,
    shutdown: CancellationToken,
}

impl Taker<'_> {
    /// Hears what there is.
    pub async fn offer(&mut self) -> Result<Offer> {
        match hear(&mut self.met).await.map_err(broken)? {
            FromGiver::Offer(offer) => Ok(*offer),
            FromGiver::Refused { error } => Err(Refused(error).into()),
        }
    }

    /// Says that it is not wanted.
    pub async fn decline(mut self) {
        let _ = say(&mut self.met, &FromTaker::Declined).await;
        self.met.close().await;
    }

    /// Says that a text is there.
    pub async fn has_text(mut self) {
        let _ = say(&mut self.met, &FromTaker::Done { error: None }).await;
        self.met.close().await;
    }

    /// Receives everything into a folder.
    pub async fn take(mut self, offer: Offer, folder: &Path) -> Result<Arrived> {
        let receiving = self.begin(&offer, folder).await?;
        let ended = self.receive(&offer, &receiving).await;
        let error = match &ended {
            Ok(arrived) => failed(arrived),
            Err(error) => error.downcast_ref::<Refused>().map(|Refused(error)| error.clone()),
        };
        let _ = say(&mut self.met, &FromTaker::Done { error }).await;
        let _ = tokio::time::timeout(Duration::from_secs(2), self.met.close()).await;
        receiving.shutdown.cancel();
        receiving.endpoint.close().await;
        if ended.is_ok() {
            let (alone, transfer) = (receiving.alone, offer.transfer);
            tokio::task::spawn_blocking(move || alone.tidy(transfer)).await?.map_err(disk)?;
        }
        ended
    }

    /// Opens folder and doors.
    async fn begin(&self, offer: &Offer, folder: &Path) -> Result<Receiving> {
        let key = ephemeral()?;
        let (device, folder, expected) = (key.id(), folder.to_owned(), expected(offer));
        let transfer = offer.transfer;
        let opened = tokio::task::spawn_blocking(move || {
            let alone = Alone::open(device, &folder)?;
            let incoming = alone.expect(transfer, expected)?;
            Ok((alone, incoming))
        });
        let (alone, incoming) = opened.await?.map_err(disk)?;
        let endpoint = Endpoint::bind(self.config.lanes(key.clone())).await?;
        let listener = anywhere(self.config)?;
        endpoint.listens_at(listener.local_addr()?);
        let shutdown = CancellationToken::new();
        let lanes = Some(endpoint.clone());
        tokio::spawn(peer::edge::serve(listener, Router::new(), None, lanes, shutdown.clone()));
        alone.answer(&endpoint);
        endpoint.admit(offer.giver);
        if self.met.has_relay() {
            let meeting = Meeting { relay: self.place.relay(), with: offer.giver };
            endpoint.use_relays(&[meeting], Vec::new());
        }
        Ok(Receiving { alone: Arc::new(alone), incoming, endpoint, key, shutdown })
    }

    async fn receive(&mut self, offer: &Offer, receiving: &Receiving) -> Result<Arrived> {
        let mut addresses = receiving.endpoint.addresses();
        let known = addresses.wait_for(|known| !known.udp.is_empty());
        let _ = tokio::time::timeout(WHEREABOUTS, known).await.map(drop);
        self.met.meet_at_relay(receiving.key.id()).await.map_err(broken)?;
        let ticket = receiving.alone.ticket(offer.transfer, offer.giver).map_err(disk)?;
        let now = addresses.borrow_and_update().clone();
        let take =
            FromTaker::Take { taker: receiving.key.id(), addresses: now, ticket: ticket.as_str().to_owned() };
        say(&mut self.met, &take).await.map_err(broken)?;
        self.says.event("connecting", json!({}), "Connecting.");
        let progress = if self.says.json { Progress::silent() } else { Progress::shown() };
        progress.expect(offer.items.iter().map(|item| item.offered.size).sum());
        let (mut told, mut changes) = (0, receiving.incoming.changes());
        let mut mailbox_is_there = true;
        let mut last_there = Instant::now();
        let mut ticks = tokio::time::interval(Duration::from_millis(200));
        let over = receiving.incoming.over();
        tokio::pin!(over);
        loop {
            tokio::select! {
                () = &mut over => break,
                _ = ticks.tick() => {
                    let arrived = receiving.incoming.arrived();
                    if arrived.connected {
                        last_there = Instant::now();
                    } else if last_there.elapsed() > AWAY {
                        return Err(broken(CodeError::Silent));
                    }
                    let has: u64 = arrived.items.iter().map(|item| item.received_size).sum();
                    progress.advance(has.saturating_sub(told));
                    progress.retreat(told.saturating_sub(has));
                    told = has;
                }
                changed = addresses.changed() => if changed.is_ok() {
                    let addresses = addresses.borrow_and_update().clone();
                    let _ = say(&mut self.met, &FromTaker::Moved { addresses }).await;
                },
                word = hear(&mut self.met), if mailbox_is_there => match word {
                    Ok(FromGiver::Refused { error }) => return Err(Refused(error).into()),
                    Ok(FromGiver::Offer(_)) => {}
                    // The two know each other by now, and do without.
                    Err(_) => mailbox_is_there = false,
                },
            }
        }
        drop(progress);
        // The giver hangs up once it has heard that everything is there.
        let hung_up = changes.wait_for(|_| !receiving.incoming.arrived().connected);
        let _ = tokio::time::timeout(FAREWELL, hung_up).await.map(drop);
        Ok(receiving.incoming.arrived())
    }
}

/// A key for as long as the program runs.
pub fn ephemeral() -> Result<DeviceKey> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| anyhow::anyhow!("no random numbers: {error}"))?;
    DeviceKey::from_seed(seed).context("no key could be made")
}

fn expected(offer: &Offer) -> Expected {
    Expected {
        sender_principal_id: PrincipalId::generate(),
        sender_name: offer.from.clone(),
        receiver_share_id: ShareId::generate(),
        destination_path: String::new(),
        paused_by: None,
        items: offer.items.clone(),
    }
}

/// The first thing that did not arrive.
fn failed(arrived: &Arrived) -> Option<ApiError> {
    let is_lost = |item: &&ArrivedItem| item.state != ItemState::Finalized;
    arrived.items.iter().find(is_lost).map(|item| {
        item.error.clone().unwrap_or_else(|| {
            ApiError::new(
                ErrorCode::DeviceFailed,
                format!("{} did not arrive.", item.filename),
                "Send it again.",
            )
        })
    })
}

fn disk(error: agent::alone::AloneError) -> anyhow::Error {
    failure(
        ErrorCode::AccessDenied,
        format!("Nothing can be received into that folder: {error}."),
        "Name a folder that can be written to: --into FOLDER",
    )
}

fn broken(error: CodeError) -> anyhow::Error {
    failure(
        ErrorCode::DeviceUnreachable,
        format!("The sender is gone: {error}."),
        "See that `lanthorn send` still runs there, and receive the same code again: it goes on where it stopped.",
    )
}

async fn say(met: &mut Met, word: &FromTaker) -> Result<(), CodeError> {
    met.say(&serde_json::to_vec(word).map_err(|_| CodeError::Strange)?).await
}

async fn hear(met: &mut Met) -> Result<FromGiver, CodeError> {
    serde_json::from_slice(&met.hear().await?).map_err(|_| CodeError::Strange)
}

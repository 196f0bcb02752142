//! One taker: is told what there is, says where it is to come, and gets it; begun anew where a stream breaks, as long as the
//! taker is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use agent::transfer::outgoing::{Heard, SendError, Sending, send};
use futures_util::FutureExt;
use peer::code::{CodeError, Met};
use peer::{Meeting, Protocol};
use proto::wire::by_code::{FromGiver, FromTaker};
use proto::wire::link::Addresses;
use proto::{ApiError, DeviceId};
use serde_json::json;
use tokio::time::Instant;

use super::giving::Giver;
use crate::delivery::Telling;

/// How long a taker that cannot be reached is waited for. The code is good meanwhile, should it be typed again.
const AWAY: Duration = Duration::from_secs(600);
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// How it ended with one taker.
pub enum Ended {
    /// It has everything.
    Delivered,
    /// It does not want it.
    Declined,
    /// It could not take it, or it could not be sent.
    Failed(ApiError),
    /// It is gone.
    Away,
    /// There was nothing left for it.
    Refused,
}

/// One taker.
pub struct Handing {
    pub met: Met,
    /// True while bytes can flow.
    pub connected: Arc<AtomicBool>,
    pub mailbox_is_there: bool,
}

/// Where the taker is, and what opens its door.
struct Door {
    taker: DeviceId,
    ticket: String,
}

impl Handing {
    /// Says that there is nothing.
    pub async fn refuse(mut self, error: ApiError) -> Ended {
        let _ = say(&mut self.met, &FromGiver::Refused { error }).await;
        self.met.close().await;
        Ended::Refused
    }

    /// Hands everything over, unless it is over before.
    pub async fn run(mut self, giver: Arc<Giver>) -> Ended {
        let ended = tokio::select! {
            ended = self.hand_over(&giver) => Some(ended),
            () = giver.revoked.cancelled() => None,
        };
        self.connected.store(false, Ordering::Relaxed);
        match ended {
            Some(ended) => self.end(ended).await,
            None => self.refuse(taken_back()).await,
        }
    }

    async fn hand_over(&mut self, giver: &Giver) -> Ended {
        match self.offer(giver).await {
            Ok(None) => Ended::Delivered,
            Ok(Some(door)) => self.send(giver, &door).await,
            Err(ended) => ended,
        }
    }

    async fn end(self, ended: Ended) -> Ended {
        // A taker that is gone hears nothing, and nobody waits for it.
        let _ = tokio::time::timeout(Duration::from_secs(2), self.met.close()).await;
        ended
    }

    /// Tells what there is, and hears where it is to come; nowhere, if it was a text and is there.
    async fn offer(&mut self, giver: &Giver) -> Result<Option<Door>, Ended> {
        let key = giver.key.id();
        if self.met.meet_at_relay(key).await.is_err() {
            return Err(Ended::Away);
        }
        let offer = FromGiver::Offer(Box::new(giver.offer.clone()));
        say(&mut self.met, &offer).await.map_err(|_| Ended::Away)?;
        match hear(&mut self.met).await {
            Ok(FromTaker::Take { taker, addresses, ticket }) => {
                learn(giver, taker, addresses, self.met.has_relay());
                Ok(Some(Door { taker, ticket }))
            }
            Ok(FromTaker::Done { error: None }) => Ok(None),
            Ok(FromTaker::Done { error: Some(error) }) => Err(Ended::Failed(error)),
            Ok(FromTaker::Declined) => Err(Ended::Declined),
            Ok(FromTaker::Moved { .. }) | Err(_) => Err(Ended::Away),
        }
    }

    /// Sends until everything is there, begun anew where it breaks.
    async fn send(&mut self, giver: &Giver, door: &Door) -> Ended {
        let telling = Telling::new(giver.says.json);
        let (mut wait, mut last_there, began) = (FIRST_WAIT, Instant::now(), Instant::now());
        while last_there.elapsed() < AWAY {
            // That standard output is gone is noticed when the next code is shown.
            let _ = telling.connects();
            let found = AtomicU64::new(0);
            let ended = self.run_once(giver, door, &telling, &found).await;
            self.connected.store(false, Ordering::Relaxed);
            let broken = match ended {
                Ok(Ok(())) => {
                    drop(telling);
                    giver.done(found.into_inner(), began.elapsed());
                    return Ended::Delivered;
                }
                Ok(Err(SendError::Refused(why))) if !may_pass(why.code) => {
                    return Ended::Failed(agent::transfer::error(why));
                }
                Ok(Err(broken)) => broken,
                Err(ended) => return ended,
            };
            if telling.has_got_something() {
                (wait, last_there) = (FIRST_WAIT, Instant::now());
            }
            let _ = telling.broke(&broken);
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        Ended::Away
    }

    /// One run. The taker may say meanwhile that it has moved, or that it is enough.
    async fn run_once(
        &mut self,
        giver: &Giver,
        door: &Door,
        telling: &Telling,
        found: &AtomicU64,
    ) -> Result<Result<(), SendError>, Ended> {
        let connected = &self.connected;
        let run = send(sending(giver, door), |word: Heard| {
            match word {
                Heard::Begun { .. } => connected.store(true, Ordering::Relaxed),
                Heard::Found { bytes, .. } => found.store(bytes, Ordering::Relaxed),
                _ => {}
            }
            telling.hear(&word, giver.endpoint.path(door.taker).lane.map(super::way));
        });
        tokio::pin!(run);
        loop {
            tokio::select! {
                ended = &mut run => return Ok(ended),
                word = hear(&mut self.met), if self.mailbox_is_there => match word {
                    Ok(FromTaker::Moved { addresses }) => {
                        learn(giver, door.taker, addresses, self.met.has_relay());
                    }
                    Ok(FromTaker::Done { error: Some(error) }) => return Err(Ended::Failed(error)),
                    Ok(FromTaker::Declined) => return Err(Ended::Declined),
                    Ok(_) => {}
                    // The two know each other by now, and do without.
                    Err(_) => self.mailbox_is_there = false,
                }
            }
        }
    }
}

impl Giver {
    fn done(&self, bytes: u64, took: Duration) {
        let (size, seconds) = (crate::print::size(bytes), took.as_secs_f64());
        let sentence = format!("Sent and verified: {size} in {seconds:.1} s");
        self.says.event("done", json!({ "bytes": bytes, "seconds": seconds }), &sentence);
    }
}

fn sending(giver: &Giver, door: &Door) -> Sending {
    let (endpoint, taker) = (giver.endpoint.clone(), door.taker);
    let open = move || {
        let endpoint = endpoint.clone();
        async move { endpoint.open(taker, Protocol::TRANSFER).await }.boxed()
    };
    Sending {
        transfer: giver.offer.transfer,
        ticket: door.ticket.clone(),
        items: giver.sources.clone(),
        open: Arc::new(open),
        rate_limit: giver.rate_limit.clone(),
    }
}

/// Where a taker is. Both know the relay of the rendezvous by an address of their own.
fn learn(giver: &Giver, taker: DeviceId, addresses: Addresses, has_relay: bool) {
    let relay = has_relay.then(|| giver.place.relay());
    if let Some(relay) = &relay {
        giver.endpoint.use_relays(&[Meeting { relay: relay.clone(), with: taker }], Vec::new());
    }
    giver.endpoint.learn(taker, Addresses { relay, ..addresses });
}

fn taken_back() -> ApiError {
    ApiError::new(proto::ErrorCode::Gone, "The sender has taken it back.", "Ask for it again.")
}

/// True for what may be another the next time: the taker is begun anew, or its disk was full.
const fn may_pass(code: proto::ErrorCode) -> bool {
    use proto::ErrorCode::{Conflict, NoSpace};
    matches!(code, Conflict | NoSpace)
}

async fn say(met: &mut Met, word: &FromGiver) -> Result<(), CodeError> {
    met.say(&serde_json::to_vec(word).map_err(|_| CodeError::Strange)?).await
}

async fn hear(met: &mut Met) -> Result<FromTaker, CodeError> {
    serde_json::from_slice(&met.hear().await?).map_err(|_| CodeError::Strange)
}

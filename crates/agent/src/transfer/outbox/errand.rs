//! One sending, carried out: run after run, until everything is in its place, it cannot go on, or its ticket ends.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use parking_lot::Mutex;
use peer::{Endpoint, LaneKind, Protocol};
use proto::api::transfers::{Carried, Outbound, OutboundState};
use proto::ticket::CLOCK_SKEW;
use proto::{ApiError, DeviceId, ErrorCode, ShareId, TransferId};
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::transfer::error;
use crate::transfer::flow::way_of;
use crate::transfer::outgoing::{Heard, RateLimit, SendError, Sending, Source, send};

/// How long after a break it is begun anew; longer each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// For how long it is still told how a sending ended.
const REMEMBER: Duration = Duration::from_secs(600);

/// One sending.
pub(super) struct Errand {
    share: ShareId,
    orders: watch::Sender<Outbound>,
    told: Arc<watch::Sender<Carried>>,
    /// Cancelled when the word that counts now counts no more.
    word: CancellationToken,
    over: Arc<Mutex<Option<Instant>>>,
    task: AbortOnDropHandle<()>,
}

impl Errand {
    pub(super) fn begin(
        (share, id): (ShareId, TransferId),
        sources: Vec<Source>,
        outbound: Outbound,
        (endpoint, rate_limit): (Endpoint, Option<Arc<RateLimit>>),
    ) -> Self {
        let (orders, followed) = watch::channel(outbound);
        let told = Arc::new(watch::Sender::new(carried(OutboundState::Reaching, None)));
        let carrying = Carrying { id, sources, endpoint, rate_limit, told: Arc::clone(&told) };
        let over = Arc::<Mutex<Option<Instant>>>::default();
        let (word, noted) = (CancellationToken::new(), Arc::clone(&over));
        let task = tokio::spawn(async move {
            carrying.run(followed).await;
            *noted.lock() = Some(Instant::now());
        });
        Self { share, orders, told, word, over, task: AbortOnDropHandle::new(task) }
    }

    pub(super) const fn share(&self) -> ShareId {
        self.share
    }

    /// True if this is what is sent: then only its ticket is another.
    pub(super) fn is_of(&self, share: ShareId, outbound: &Outbound) -> bool {
        let now = self.orders.borrow();
        let same = (&now.paths, now.receiver_device_id) == (&outbound.paths, outbound.receiver_device_id);
        same && self.share == share && self.over.lock().is_none()
    }

    pub(super) fn renew(&mut self, outbound: Outbound) {
        self.orders.send_replace(outbound);
        std::mem::take(&mut self.word).cancel();
    }

    pub(super) fn word(&self) -> CancellationToken {
        self.word.clone()
    }

    pub(super) fn told(&self) -> watch::Receiver<Carried> {
        self.told.subscribe()
    }

    /// Ends it at once.
    pub(super) fn end(&mut self, why: ApiError) {
        self.task.abort();
        self.over.lock().get_or_insert_with(Instant::now);
        self.told.send_modify(|told| {
            if told.state != OutboundState::Done {
                *told = failed(why);
            }
        });
    }

    /// True if it ended so long ago that nobody will ask for it.
    pub(super) fn is_forgotten(&self) -> bool {
        self.over.lock().is_some_and(|since| since.elapsed() > REMEMBER)
    }
}

impl Drop for Errand {
    fn drop(&mut self) {
        self.word.cancel();
    }
}

/// What it takes to carry it out.
struct Carrying {
    id: TransferId,
    sources: Vec<Source>,
    endpoint: Endpoint,
    rate_limit: Option<Arc<RateLimit>>,
    told: Arc<watch::Sender<Carried>>,
}

impl Carrying {
    async fn run(self, orders: watch::Receiver<Outbound>) {
        let ended = tokio::select! {
            ended = self.carry(orders.clone()) => ended,
            () = expiry(orders) => failed(expired()),
        };
        self.told.send_replace(ended);
    }

    /// Run after run; gives how it ended.
    async fn carry(&self, mut orders: watch::Receiver<Outbound>) -> Carried {
        let mut wait = FIRST_WAIT;
        loop {
            let outbound = orders.borrow_and_update().clone();
            self.endpoint.learn_direct(outbound.receiver_device_id, &outbound.addresses);
            let moved = std::sync::atomic::AtomicBool::new(false);
            let run =
                send(self.sending(&outbound), |word| self.hear(outbound.receiver_device_id, &word, &moved));
            let broken = match run.await {
                Ok(()) => return carried(OutboundState::Done, None),
                Err(SendError::Refused(why)) if !SendError::Refused(why.clone()).may_pass() => {
                    return failed(error(why));
                }
                Err(broken) => broken,
            };
            tracing::debug!(transfer = %self.id, error = %broken, ?wait, "begun anew");
            self.tell(OutboundState::Reaching, Some(sentence(&broken.to_string())));
            if moved.into_inner() {
                wait = FIRST_WAIT;
            }
            // Another ticket, or another place, is worth a try at once.
            let _ = tokio::time::timeout(wait, orders.changed()).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    fn sending(&self, outbound: &Outbound) -> Sending {
        let (endpoint, peer) = (self.endpoint.clone(), outbound.receiver_device_id);
        let open = move || {
            let endpoint = endpoint.clone();
            async move { endpoint.open(peer, Protocol::TRANSFER).await }.boxed()
        };
        Sending {
            transfer: self.id,
            ticket: outbound.ticket.clone(),
            items: self.sources.clone(),
            open: Arc::new(open),
            rate_limit: self.rate_limit.clone(),
        }
    }

    /// Which way it goes, and why no better one is there.
    fn tell_of_path(&self, peer: DeviceId) {
        let path = self.endpoint.path(peer);
        let note = (path.lane == Some(LaneKind::Relayed)).then(|| sentence(&path.why));
        self.tell_all(Carried { way: path.lane.map(way_of), ..carried(OutboundState::Sending, note) });
    }

    fn hear(&self, peer: DeviceId, word: &Heard, moved: &std::sync::atomic::AtomicBool) {
        match word {
            Heard::Begun { .. } | Heard::GoesOn => self.tell_of_path(peer),
            Heard::Held(why) => self.tell(OutboundState::Sending, Some(why.clone())),
            Heard::Got(_) => moved.store(true, std::sync::atomic::Ordering::Relaxed),
            Heard::Found { .. } | Heard::Failed { .. } => {}
        }
    }

    fn tell(&self, state: OutboundState, note: Option<String>) {
        self.tell_all(carried(state, note));
    }

    fn tell_all(&self, now: Carried) {
        self.told.send_if_modified(|told| {
            // Ended from outside, it has nothing more to say.
            let changed = told.state != OutboundState::Failed && *told != now;
            if changed {
                *told = now;
            }
            changed
        });
    }
}

/// Waits until the ticket of the last word has ended, by whichever clock is behind.
async fn expiry(mut orders: watch::Receiver<Outbound>) {
    loop {
        let left = orders.borrow_and_update().expires_at + CLOCK_SKEW - OffsetDateTime::now_utc();
        let left = Duration::try_from(left).unwrap_or_default();
        match tokio::time::timeout(left, orders.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}

const fn carried(state: OutboundState, note: Option<String>) -> Carried {
    Carried { state, way: None, note, error: None }
}

const fn failed(error: ApiError) -> Carried {
    Carried { state: OutboundState::Failed, way: None, note: None, error: Some(error) }
}

/// Words as a sentence.
fn sentence(text: &str) -> String {
    let mut letters = text.trim_end_matches('.').chars();
    letters.next().map_or_else(String::new, |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
}

fn expired() -> ApiError {
    ApiError::new(
        ErrorCode::TicketExpired,
        "The coordinator did not say again that this is to be sent.",
        "It goes on by itself once the coordinator answers.",
    )
}

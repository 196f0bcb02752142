//! How the bytes of a run flow: which way, and on what the threads of its piece streams spend their time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use peer::{Carrier, LaneKind};
use proto::api::transfers::{Limit, Way};

/// How much time lies between two looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// On what most time was spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spent {
    /// For the other side, or for what is between the two.
    Waiting,
    /// Kept back by this side's own limit of speed.
    Slowed,
    /// With the disk, and with hashing.
    Working,
}

/// One side of a run.
pub struct Flow {
    streams: AtomicU32,
    bytes: AtomicU64,
    waiting_ns: AtomicU64,
    slowed_ns: AtomicU64,
    last: Mutex<Look>,
    carrier: Mutex<Option<Carrier>>,
    /// What limits the other side, as it said.
    told: Mutex<Option<Limit>>,
}

struct Look {
    at: Instant,
    bytes: u64,
    waiting_ns: u64,
    slowed_ns: u64,
    found: Option<Spent>,
}

impl Default for Flow {
    fn default() -> Self {
        let last = Look { at: Instant::now(), bytes: 0, waiting_ns: 0, slowed_ns: 0, found: None };
        Self {
            streams: AtomicU32::default(),
            bytes: AtomicU64::default(),
            waiting_ns: AtomicU64::default(),
            slowed_ns: AtomicU64::default(),
            last: Mutex::new(last),
            carrier: Mutex::default(),
            told: Mutex::default(),
        }
    }
}

impl Flow {
    /// Another stream, as long as what is given is kept.
    pub(super) fn enter(self: &Arc<Self>) -> Place {
        self.streams.fetch_add(1, Ordering::Relaxed);
        Place(Arc::clone(self))
    }

    /// The streams come by this.
    pub fn comes_by(&self, carrier: Carrier) {
        *self.carrier.lock() = Some(carrier);
    }

    /// The other side said what limits it.
    pub(super) fn tell(&self, limit: Limit) {
        *self.told.lock() = Some(limit);
    }

    /// Which way it flows.
    pub(super) fn way(&self) -> Option<Way> {
        self.carrier.lock().as_ref()?.lane().map(way_of)
    }

    /// What limits it, as the receiver sees it: itself, or what the sender says.
    pub(super) fn limit_of_receiver(&self) -> Option<Limit> {
        match self.spent()? {
            Spent::Working => Some(Limit::Receiver),
            Spent::Waiting | Spent::Slowed => Some(self.told.lock().unwrap_or(Limit::Network)),
        }
    }

    /// What limits it, as the sender sees it.
    pub(super) fn limit_of_sender(&self) -> Option<Limit> {
        Some(match self.spent()? {
            Spent::Working => Limit::Sender,
            Spent::Slowed => Limit::RateLimit,
            Spent::Waiting => Limit::Network,
        })
    }

    /// On what most time was spent lately; `None` while nothing flows.
    fn spent(&self) -> Option<Spent> {
        self.spent_at(Instant::now())
    }

    fn spent_at(&self, now: Instant) -> Option<Spent> {
        let mut last = self.last.lock();
        let past = now.saturating_duration_since(last.at);
        if past < LOOK_EVERY {
            return last.found;
        }
        let [bytes, waiting_ns, slowed_ns] =
            [&self.bytes, &self.waiting_ns, &self.slowed_ns].map(|count| count.load(Ordering::Relaxed));
        let all = nanos(past).saturating_mul(u64::from(self.streams.load(Ordering::Relaxed)));
        let (waited, slowed) = (waiting_ns - last.waiting_ns, slowed_ns - last.slowed_ns);
        let worked = all.saturating_sub(waited.saturating_add(slowed));
        let found = match () {
            () if bytes == last.bytes => None,
            () if slowed > waited && slowed > worked => Some(Spent::Slowed),
            () if waited >= worked => Some(Spent::Waiting),
            () => Some(Spent::Working),
        };
        *last = Look { at: now, bytes, waiting_ns, slowed_ns, found };
        found
    }
}

/// A stream of a run: what it does counts there.
pub(super) struct Place(Arc<Flow>);

impl Place {
    /// It waited so long for these bytes to come or to go.
    pub(super) fn waited(&self, time: Duration, bytes: usize) {
        self.0.waiting_ns.fetch_add(nanos(time), Ordering::Relaxed);
        self.0.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// It was kept back so long.
    pub(super) fn slowed(&self, time: Duration) {
        self.0.slowed_ns.fetch_add(nanos(time), Ordering::Relaxed);
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.streams.fetch_sub(1, Ordering::Relaxed);
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// The word for a lane.
#[must_use]
pub const fn way_of(lane: LaneKind) -> Way {
    match lane {
        LaneKind::Lan => Way::Lan,
        LaneKind::Direct => Way::Direct,
        LaneKind::Relayed => Way::Relayed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn most_of_the_time_says_what_limits() {
        let second = |share: f64| Duration::from_secs_f64(share);
        for (streams, waited, slowed, bytes, expected) in [
            (1, 0.9, 0.0, 1, Some(Spent::Waiting)),
            (1, 0.1, 0.0, 1, Some(Spent::Working)),
            (1, 0.2, 0.7, 1, Some(Spent::Slowed)),
            (4, 0.9, 0.0, 1, Some(Spent::Working)),
            (4, 3.6, 0.0, 1, Some(Spent::Waiting)),
            // One wait that began long before.
            (1, 9.0, 0.0, 1, Some(Spent::Waiting)),
            (4, 3.9, 0.0, 0, None),
        ] {
            let flow = Arc::new(Flow::default());
            let places: Vec<_> = (0..streams).map(|_| flow.enter()).collect();
            places[0].waited(second(waited), bytes);
            places[0].slowed(second(slowed));
            let began = flow.last.lock().at;
            assert_eq!(
                flow.spent_at(began + second(0.5)),
                None,
                "nothing is said before a second has passed"
            );
            assert_eq!(flow.spent_at(began + second(1.0)), expected, "{streams} {waited} {slowed} {bytes}");
            assert_eq!(flow.spent_at(began + second(1.5)), expected);
            assert_eq!(flow.spent_at(began + second(2.5)), None, "nothing has flowed since");
        }
    }

    #[test]
    fn a_receiver_that_waits_says_what_the_sender_says() {
        let flow = Arc::new(Flow::default());
        let place = flow.enter();
        let look = |share: f64| {
            place.waited(Duration::from_secs_f64(share), 1);
            flow.last.lock().at -= LOOK_EVERY;
            flow.limit_of_receiver()
        };
        assert_eq!(look(0.9), Some(Limit::Network));
        flow.tell(Limit::RateLimit);
        assert_eq!(look(0.9), Some(Limit::RateLimit));
        assert_eq!(look(0.0), Some(Limit::Receiver));
    }
}

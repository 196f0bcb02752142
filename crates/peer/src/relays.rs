//! The relays at which this device waits. The library waits at one of them, the nearest, and leaves any other a minute
//! after the last word on it; but each coordinator looks for this device at its own.

use std::sync::Weak;
use std::time::Duration;

use futures_util::future::join_all;
use iroh::RelayUrl;
use parking_lot::Mutex;
use proto::DeviceId;
use tokio::sync::Notify;

use crate::lane::quic::Quic;

/// How often something is said at a relay besides the nearest.
const SAY_EVERY: Duration = Duration::from_secs(25);

/// Where somebody looks for this device.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Meeting {
    /// The relay (`https://host:port/`).
    pub relay: String,
    /// Who comes there.
    pub with: DeviceId,
}

/// The relays to wait at.
#[derive(Default)]
pub(crate) struct Relays {
    wanted: Mutex<Vec<(RelayUrl, DeviceId)>>,
    used: tokio::sync::Mutex<Vec<RelayUrl>>,
    changed: Notify,
}

impl Relays {
    /// Names them anew. What is no address is passed over.
    pub(crate) fn want(&self, meetings: &[Meeting]) {
        let read = |meeting: &Meeting| Some((meeting.relay.parse().ok()?, meeting.with));
        *self.wanted.lock() = meetings.iter().filter_map(read).collect();
    }

    /// Waits where it was last said.
    pub(crate) async fn go(&self, quic: &Quic) {
        let mut used = self.used.lock().await;
        let wanted: Vec<RelayUrl> = self.wanted.lock().iter().map(|(relay, _)| relay.clone()).collect();
        quic.set_relays(&used, &wanted).await;
        *used = wanted;
        self.changed.notify_one();
    }

    /// Stays at those besides the nearest, as long as the lane is there.
    pub(crate) async fn stay(&self, lane: Weak<Quic>) {
        while let Some(quic) = lane.upgrade() {
            let nearest = quic.nearest_relay();
            let mut others = self.wanted.lock().clone();
            if others.len() == 1 {
                others.clear();
            }
            others.retain(|(relay, _)| Some(relay) != nearest.as_ref());
            join_all(others.iter().map(|(relay, with)| quic.show_up(relay, *with))).await;
            drop(quic);
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep(SAY_EVERY) => {}
            }
        }
    }
}

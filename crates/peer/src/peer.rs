//! What is known of one other device: where it is, which lane reaches it, and the connections there are.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use proto::DeviceId;
use proto::wire::link::Addresses;
use tokio_util::sync::CancellationToken;

use crate::http::pool::Pool;
use crate::lane::quic::Link;
use crate::lane::{LaneKind, PathState};
use crate::protocol::Protocol;

/// How long after the LAN lane was silent it is tried in the background only.
const SILENT_FOR: Duration = Duration::from_secs(30);
/// How long after one look at the LAN lane there is another.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(2);

/// One other device.
pub(crate) struct Peer {
    pub(crate) id: DeviceId,
    /// What stands in the `Host` header of requests to it.
    pub(crate) host: String,
    /// Free connections on the LAN lane.
    pub(crate) pool: Arc<Pool>,
    /// Connections on the QUIC lane. Whoever finds none dials; the others wait for it.
    pub(crate) links: tokio::sync::Mutex<HashMap<Protocol, Link>>,
    state: Mutex<State>,
}

struct State {
    /// Ends every connection there is to and from the peer.
    ended: CancellationToken,
    /// Ends those to it on the LAN lane.
    lan_ended: CancellationToken,
    addresses: Addresses,
    lan: LanView,
    looked: Option<Instant>,
    /// The last failure of all lanes.
    trouble: Option<String>,
}

/// What the LAN lane was like last.
enum LanView {
    Unknown,
    Answered(SocketAddr, Duration),
    Silent(Instant, String),
}

impl Peer {
    pub(crate) fn new(id: DeviceId) -> Self {
        let ended = CancellationToken::new();
        let state = State {
            lan_ended: ended.child_token(),
            ended,
            addresses: Addresses::default(),
            lan: LanView::Unknown,
            looked: None,
            trouble: None,
        };
        Self {
            id,
            host: id.to_string(),
            pool: Arc::default(),
            links: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
        }
    }

    /// Ends every connection to and from the peer, at once.
    pub(crate) fn end(&self) {
        let ended = {
            let mut state = self.state.lock();
            let ended = std::mem::take(&mut state.ended);
            state.lan_ended = state.ended.child_token();
            ended
        };
        ended.cancel();
        self.pool.clear();
    }

    /// Cancelled when connections that exist now must end.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.state.lock().ended.clone()
    }

    /// Cancelled when connections that exist now on the LAN lane must end.
    pub(crate) fn lan_ended(&self) -> CancellationToken {
        self.state.lock().lan_ended.clone()
    }

    /// Takes note of where the peer is. A new place is looked at anew.
    pub(crate) fn learn(&self, addresses: Addresses) {
        let mut state = self.state.lock();
        if addresses.direct != state.addresses.direct {
            state.looked = None;
            if matches!(state.lan, LanView::Silent(..)) {
                state.lan = LanView::Unknown;
            }
        }
        state.addresses = addresses;
    }

    pub(crate) fn addresses(&self) -> Addresses {
        self.state.lock().addresses.clone()
    }

    /// Where to look for it on the LAN: where it answered last, then what others say.
    pub(crate) fn direct(&self) -> Vec<SocketAddr> {
        let state = self.state.lock();
        let mut known = state.addresses.direct.clone();
        if let LanView::Answered(last, _) = state.lan {
            known.sort_by_key(|address| *address != last);
        }
        known
    }

    /// True if the LAN lane is worth waiting for.
    pub(crate) fn lan_is_promising(&self) -> bool {
        let state = self.state.lock();
        match state.lan {
            LanView::Silent(since, _) => since.elapsed() > SILENT_FOR && !state.addresses.direct.is_empty(),
            _ => !state.addresses.direct.is_empty(),
        }
    }

    /// True if it is time to look again whether the LAN lane works. Then whoever asks does so.
    pub(crate) fn should_look(&self) -> bool {
        let mut state = self.state.lock();
        let due = state.looked.is_none_or(|last| last.elapsed() > LOOK_EVERY);
        if due && !state.addresses.direct.is_empty() {
            state.looked = Some(Instant::now());
            return true;
        }
        false
    }

    pub(crate) fn lan_answered(&self, address: SocketAddr, round_trip: Duration) {
        let mut state = self.state.lock();
        state.lan = LanView::Answered(address, round_trip);
        state.trouble = None;
    }

    /// Nothing answers on the LAN lane now.
    pub(crate) fn lan_is_silent(&self, why: String) {
        self.state.lock().lan = LanView::Silent(Instant::now(), why);
    }

    /// The LAN lane carries nothing any more: what is on it ends, so that it can go another way.
    pub(crate) fn lan_died(&self, why: String) {
        let ended = {
            let mut state = self.state.lock();
            state.lan = LanView::Silent(Instant::now(), why);
            let fresh = state.ended.child_token();
            std::mem::replace(&mut state.lan_ended, fresh)
        };
        ended.cancel();
        self.pool.clear();
    }

    pub(crate) fn failed(&self, trouble: String) {
        self.state.lock().trouble = Some(trouble);
    }

    /// How the peer is reached now.
    pub(crate) fn path(&self) -> PathState {
        let links = self.links.try_lock().ok();
        let link = links.and_then(|links| links.values().find_map(Link::path));
        let state = self.state.lock();
        match (&state.lan, link) {
            (LanView::Answered(address, round_trip), _) if state.trouble.is_none() => PathState {
                lane: Some(LaneKind::Lan),
                round_trip: Some(*round_trip),
                why: format!("it answers at {address}"),
            },
            (LanView::Silent(_, why), Some(path)) => {
                PathState { why: format!("{} (on the local network: {why})", path.why), ..path }
            }
            (_, Some(path)) => path,
            _ => PathState { lane: None, round_trip: None, why: state.why_not() },
        }
    }
}

impl State {
    fn why_not(&self) -> String {
        match &self.trouble {
            Some(trouble) => trouble.clone(),
            None if self.addresses == Addresses::default() => "no address is known for the device".into(),
            None => "there is no connection now".into(),
        }
    }
}

//! How links stand: what is shown to the machine's owner. Knows no wire.

use std::sync::Arc;

use proto::ApiError;
use proto::api::devices::LinkStanding;
use time::OffsetDateTime;
use tokio::sync::watch;

use super::LinkStates;

/// How a link stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkState {
    /// Whether this device is registered.
    pub standing: LinkStanding,
    /// Since when.
    pub since: OffsetDateTime,
    /// What is wrong, for people: why there is no link, or a clock that is.
    pub trouble: Option<ApiError>,
}

impl LinkState {
    fn begun() -> Self {
        Self { standing: LinkStanding::Connecting, since: OffsetDateTime::now_utc(), trouble: None }
    }
}

/// All of them.
#[derive(Clone, Default)]
pub(super) struct States(Arc<watch::Sender<LinkStates>>);

impl States {
    pub(super) fn watch(&self) -> watch::Receiver<LinkStates> {
        self.0.subscribe()
    }

    /// The place of a link that begins.
    pub(super) fn of(&self, coordinator: &str) -> StateOf {
        self.0.send_modify(|all| drop(all.insert(coordinator.to_owned(), LinkState::begun())));
        StateOf { states: self.clone(), coordinator: coordinator.to_owned() }
    }

    pub(super) fn forget(&self, coordinator: &str) {
        self.0.send_modify(|all| drop(all.remove(coordinator)));
    }
}

/// The state of one link, told by the link itself.
pub(super) struct StateOf {
    states: States,
    coordinator: String,
}

impl StateOf {
    pub(super) fn is_connected(&self) -> bool {
        self.states
            .0
            .borrow()
            .get(&self.coordinator)
            .is_some_and(|now| now.standing == LinkStanding::Connected)
    }

    /// Says how it stands. While that stays the same, so does since when.
    pub(super) fn set(&self, standing: LinkStanding, trouble: Option<ApiError>) {
        self.states.0.send_if_modified(|all| {
            // A link that is being left says nothing any more.
            let Some(now) = all.get_mut(&self.coordinator) else { return false };
            let since = if now.standing == standing { now.since } else { OffsetDateTime::now_utc() };
            let new = LinkState { standing, since, trouble };
            let changed = *now != new;
            *now = new;
            changed
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::ErrorCode;

    #[test]
    fn since_when_is_kept_while_it_stays_the_same() {
        let states = States::default();
        let (one, mut told) = (states.of("a"), states.watch());
        let now = |told: &mut watch::Receiver<LinkStates>| told.borrow_and_update().get("a").cloned();
        assert_eq!(now(&mut told).unwrap().standing, LinkStanding::Connecting);
        let trouble = |text: &str| Some(ApiError::new(ErrorCode::DeviceUnreachable, text, "Wait."));
        one.set(LinkStanding::Waiting, trouble("first"));
        let first = now(&mut told).unwrap();
        one.set(LinkStanding::Waiting, trouble("second"));
        let second = now(&mut told).unwrap();
        assert_eq!((first.since, &second.trouble), (second.since, &trouble("second")));
        one.set(LinkStanding::Waiting, trouble("second"));
        assert!(!told.has_changed().unwrap(), "nothing new");
        one.set(LinkStanding::Connected, None);
        assert!(one.is_connected() && now(&mut told).unwrap().since >= first.since);
        states.forget("a");
        one.set(LinkStanding::Waiting, None);
        assert_eq!(now(&mut told), None);
    }
}

//! The coordinators that this machine has joined itself, as its agent tells it. Shown to the machine's owner and to nobody
//! else; nothing is decided by it.

use std::sync::Weak;

use parking_lot::RwLock;
use proto::api::devices::{JoinedCoordinator, LinkStanding};
use proto::api::events::Happening;
use proto::{ApiError, ErrorCode};
use tokio::sync::watch;

use crate::coordinator::Rooms;

/// What the agent told last.
#[derive(Default)]
pub(crate) struct Joined(RwLock<Option<watch::Receiver<Vec<JoinedCoordinator>>>>);

impl Joined {
    pub(crate) fn set(&self, joined: watch::Receiver<Vec<JoinedCoordinator>>) {
        *self.0.write() = Some(joined);
    }

    /// All of them. While the agent is not there, neither are its links.
    pub(crate) fn now(&self, agent_is_there: bool) -> Vec<JoinedCoordinator> {
        let told = self.0.read().as_ref().map(|joined| joined.borrow().clone()).unwrap_or_default();
        if agent_is_there { told } else { told.into_iter().map(without_agent).collect() }
    }
}

fn without_agent(told: JoinedCoordinator) -> JoinedCoordinator {
    let trouble = ApiError::new(
        ErrorCode::DeviceOffline,
        "The agent of this machine does not run.",
        "Start it with: lanthorn agent",
    );
    JoinedCoordinator { standing: LinkStanding::Waiting, trouble: Some(trouble), ..told }
}

/// Tells the owner's pages when something changes, as long as the rooms live.
pub(crate) async fn tell(rooms: Weak<Rooms>, mut joined: watch::Receiver<Vec<JoinedCoordinator>>) {
    while joined.changed().await.is_ok() {
        let Some(rooms) = rooms.upgrade() else { return };
        let owner = rooms.identity.owner_id();
        rooms.events.tell(&Happening::CatalogChanged, |person| Some(person) == owner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::OffsetDateTime;

    #[test]
    fn a_machine_without_its_agent_has_no_link() {
        let joined = Joined::default();
        assert_eq!(joined.now(true), []);
        let told = JoinedCoordinator {
            id: "a".into(),
            name: "Attic".into(),
            url: None,
            standing: LinkStanding::Connected,
            since: OffsetDateTime::UNIX_EPOCH,
            trouble: None,
            shares: None,
        };
        joined.set(watch::channel(vec![told.clone()]).1);
        assert_eq!(joined.now(true), [told]);
        let shown = joined.now(false).remove(0);
        assert_eq!(
            (shown.standing, shown.trouble.unwrap().code),
            (LinkStanding::Waiting, ErrorCode::DeviceOffline)
        );
    }
}

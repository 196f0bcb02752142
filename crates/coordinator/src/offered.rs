//! The folders on offer, as this machine's agent is told of them. Who changes them has an answer once the agent has
//! taken the change, so that who asks next is not told that a share is unknown.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::RwLock;
use proto::ShareId;
use tokio::sync::watch;

use crate::coordinator::{Coordinator, Rooms};
use crate::store::StoreError;

/// The shares that an agent has looked at, those that it could not open among them; `None` before the first.
pub type Taken = Option<Vec<ShareId>>;

/// A folder on a disk that does not answer keeps nobody longer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the agent has taken, where it says so: one in a process of its own does not.
#[derive(Default)]
pub(crate) struct AgentsWord(RwLock<Option<watch::Receiver<Taken>>>);

impl Coordinator {
    /// From now on whoever changes the folders on offer waits until they are taken.
    pub fn wait_for_agent(&self, taken: watch::Receiver<Taken>) {
        *self.rooms().agents_word.0.write() = Some(taken);
    }
}

impl Rooms {
    /// Tells everybody who watches the list of folders. Called with `sharing` held, so that lists come in order.
    pub(crate) async fn publish_shares(&self) -> Result<(), StoreError> {
        let shares = Arc::new(self.store.shares().await?);
        let ids: Vec<ShareId> = shares.iter().map(|share| share.id).collect();
        self.shares.send_replace(shares);
        let word = self.agents_word.0.read().clone();
        if let Some(mut word) = word {
            let taken = word.wait_for(|taken| taken.as_ref() == Some(&ids));
            if tokio::time::timeout(PATIENCE, taken).await.is_err() {
                tracing::warn!("a shared folder does not open yet");
            }
        }
        Ok(())
    }
}

//! What happens when the disk is full: the transfer is held, whoever sends is told, and it goes on by itself once there is room.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use proto::api::transfers::PausedBy;
use tokio::runtime::Handle;

use super::Incoming;
use super::run::Run;
use crate::files::write::{WriteError, off_thread, part};

/// How often it is looked whether there is room again.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

impl Incoming {
    /// Refuses what would fill the disk.
    pub(super) fn check_room(&self, bytes: u64) -> Result<(), WriteError> {
        part::check_room(&self.home, bytes)
    }

    /// Holds the transfer until the disk has room for so many bytes.
    pub(super) fn hold_for_room(self: &Arc<Self>, bytes: u64) {
        if self.hold_instead(None, Some(PausedBy::NoSpace)) {
            Handle::current().spawn(look_for_room(Arc::downgrade(self), bytes));
        }
    }

    /// Holds it, and waits until it goes on. Blocks.
    ///
    /// # Errors
    /// The run is over.
    pub(super) fn wait_for_room(self: &Arc<Self>, run: &Run, bytes: u64) -> io::Result<()> {
        self.hold_for_room(bytes);
        self.wait_while_held(run)
    }
}

/// Lets a transfer go on once there is room, unless somebody else holds it or let it go on meanwhile.
async fn look_for_room(incoming: Weak<Incoming>, bytes: u64) {
    loop {
        tokio::time::sleep(LOOK_PERIOD).await;
        let Some(incoming) = incoming.upgrade() else { return };
        if *incoming.held.borrow() != Some(PausedBy::NoSpace) {
            return;
        }
        let looked = {
            let incoming = Arc::clone(&incoming);
            off_thread(move || incoming.check_room(bytes)).await
        };
        if looked.is_ok() {
            incoming.hold_instead(Some(PausedBy::NoSpace), None);
            return;
        }
    }
}

//! All transfers that this machine expects.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use proto::TransferId;
use proto::api::transfers::Expected;

use super::incoming::Incoming;
use crate::agent::Share;
use crate::files::write::WriteError;

/// All transfers that are expected, as far as anybody asked for them since the process began.
#[derive(Default)]
pub struct Inbox(Mutex<HashMap<TransferId, Arc<Incoming>>>);

impl Inbox {
    /// Expects a transfer to this share from now on, or what was said of it anew. Blocks.
    ///
    /// # Errors
    /// Other items than before, or the disk's.
    pub fn expect(
        &self,
        share: &Arc<Share>,
        id: TransferId,
        expected: Expected,
    ) -> Result<Arc<Incoming>, WriteError> {
        if let Some(incoming) = self.find(share, id)? {
            incoming.expect_again(expected)?;
            return Ok(incoming);
        }
        let mut all = self.0.lock();
        let incoming = Arc::new(Incoming::expect(Arc::clone(share), id, expected)?);
        all.insert(id, Arc::clone(&incoming));
        Ok(incoming)
    }

    /// A transfer to this share, also one of a process before this one. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn find(&self, share: &Arc<Share>, id: TransferId) -> Result<Option<Arc<Incoming>>, WriteError> {
        let mut all = self.0.lock();
        match all.get(&id) {
            Some(known) if Arc::ptr_eq(known.share(), share) => return Ok(Some(Arc::clone(known))),
            Some(known) if known.share().id != share.id => return Ok(None),
            // The share was offered anew, perhaps of another folder.
            Some(known) => known.stop(),
            None => {}
        }
        let reopened = Incoming::reopen(Arc::clone(share), id)?.map(Arc::new);
        all.extend(reopened.iter().map(|incoming| (id, Arc::clone(incoming))));
        Ok(reopened)
    }

    /// Lets go of a transfer, as the end of the process does.
    #[cfg(test)]
    pub(super) fn forget(&self, id: TransferId) {
        self.0.lock().remove(&id);
    }

    /// Expects a transfer no more: what came of it and is not in its place goes. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn give_up(&self, share: &Arc<Share>, id: TransferId) -> Result<(), WriteError> {
        let Some(incoming) = self.find(share, id)? else { return Ok(()) };
        self.0.lock().remove(&id);
        incoming.give_up()
    }
}

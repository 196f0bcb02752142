//! Paired machines, known by heart: every request of a machine asks here whether it may still come in.

use std::collections::HashMap;

use parking_lot::RwLock;
use proto::{DeviceId, PrincipalId};
use tokio::sync::watch;

use crate::store::devices::DeviceRow;
use crate::store::{Store, StoreError};

/// Every machine that was ever paired, this one among them.
pub(crate) struct Devices {
    store: Store,
    known: RwLock<HashMap<DeviceId, DeviceRow>>,
    /// Counts up with each change, for those who keep something in step with the list.
    changes: watch::Sender<u64>,
}

impl Devices {
    pub(crate) async fn open(store: Store) -> Result<Self, StoreError> {
        let known = store.devices().await?.into_iter().map(|row| (row.id, row)).collect();
        Ok(Self { store, known: RwLock::new(known), changes: watch::Sender::new(0) })
    }

    /// Tells whenever a machine is paired, renamed, hidden, shown or revoked.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// A machine that may come in.
    pub(crate) fn find(&self, id: DeviceId) -> Option<DeviceRow> {
        self.known.read().get(&id).filter(|row| row.revoked_ms.is_none()).cloned()
    }

    /// Whose machine it is, if it may come in.
    pub(crate) fn owner_of(&self, id: DeviceId) -> Option<PrincipalId> {
        self.known.read().get(&id).filter(|row| row.revoked_ms.is_none()).map(|row| row.principal)
    }

    /// Those that may come in, by name.
    pub(crate) fn list(&self) -> Vec<DeviceRow> {
        let mut rows = self.all();
        rows.sort_by_cached_key(|row| (row.name.to_lowercase(), row.id));
        rows
    }

    /// Those that may come in, in no order.
    pub(crate) fn all(&self) -> Vec<DeviceRow> {
        self.known.read().values().filter(|row| row.revoked_ms.is_none()).cloned().collect()
    }

    /// Learns of a machine that the store knows already.
    pub(super) fn learn(&self, row: DeviceRow) {
        self.known.write().insert(row.id, row);
        self.changed();
    }

    /// Makes sure that this machine itself is in the list. It belongs to the owner and cannot be revoked.
    pub(super) async fn keep_own(&self, own: DeviceRow) -> Result<(), StoreError> {
        if self.owner_of(own.id) != Some(own.principal) {
            self.store.insert_own_device(&own).await?;
            self.learn(own);
        }
        Ok(())
    }

    /// Gives a machine another name; `None` if there is none of that id.
    pub(crate) async fn rename(&self, id: DeviceId, name: &str) -> Result<Option<DeviceRow>, StoreError> {
        if self.find(id).is_none() {
            return Ok(None);
        }
        self.store.rename_device(id, name).await?;
        Ok(self.alter(id, |row| name.clone_into(&mut row.name)))
    }

    /// Shows a machine to others or hides it from them; `None` if there is none of that id.
    pub(crate) async fn show(&self, id: DeviceId, visible: bool) -> Result<Option<DeviceRow>, StoreError> {
        if self.find(id).is_none() {
            return Ok(None);
        }
        self.store.show_device(id, visible).await?;
        Ok(self.alter(id, |row| row.visible = visible))
    }

    /// Ends a machine; false if there is none of that id.
    pub(super) async fn revoke(&self, id: DeviceId, now_ms: i64) -> Result<bool, StoreError> {
        if self.find(id).is_none() {
            return Ok(false);
        }
        self.store.revoke_device(id, now_ms).await?;
        self.alter(id, |row| row.revoked_ms = Some(now_ms));
        Ok(true)
    }

    /// Forgets the machines of somebody whom the store has ended already. Gives their ids.
    pub(super) fn forget_of(&self, principal: PrincipalId, now_ms: i64) -> Vec<DeviceId> {
        let mut known = self.known.write();
        let theirs = known.values_mut().filter(|row| row.principal == principal && row.revoked_ms.is_none());
        let gone = theirs.map(|row| {
            row.revoked_ms = Some(now_ms);
            row.id
        });
        let gone = gone.collect();
        drop(known);
        self.changed();
        gone
    }

    fn alter(&self, id: DeviceId, change: impl FnOnce(&mut DeviceRow)) -> Option<DeviceRow> {
        let row = self.known.write().get_mut(&id).map(|row| {
            change(row);
            row.clone()
        });
        self.changed();
        row
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

#[cfg(test)]
impl Devices {
    /// Lets a machine in without its asking.
    pub(crate) async fn learn_for_test(&self, row: DeviceRow) {
        self.store.put_device_for_test(&row).await;
        self.learn(row);
    }
}

//! People, known by heart: who there is, what they are called, and whether they still may come in.

use std::collections::{HashMap, HashSet};

use parking_lot::RwLock;
use proto::PrincipalId;

use crate::store::principals::PrincipalRow;
use crate::store::{Store, StoreError};

/// Everybody who was ever let in.
pub(crate) struct Principals {
    store: Store,
    known: RwLock<HashMap<PrincipalId, PrincipalRow>>,
}

impl Principals {
    pub(crate) async fn open(store: Store) -> Result<Self, StoreError> {
        let known = store.principals().await?.into_iter().map(|row| (row.id, row)).collect();
        Ok(Self { store, known: RwLock::new(known) })
    }

    /// Learns of somebody whom the store knows already.
    pub(super) fn learn(&self, row: PrincipalRow) {
        self.known.write().insert(row.id, row);
    }

    /// True for somebody who may come in.
    pub(crate) fn lives(&self, id: PrincipalId) -> bool {
        self.known.read().get(&id).is_some_and(|row| row.revoked_ms.is_none())
    }

    /// What somebody is or was called.
    pub(crate) fn name(&self, id: PrincipalId) -> Option<String> {
        self.known.read().get(&id).map(|row| row.display_name.clone())
    }

    /// The ids of those who may come in.
    pub(crate) fn ids(&self) -> HashSet<PrincipalId> {
        self.known.read().values().filter(|row| row.revoked_ms.is_none()).map(|row| row.id).collect()
    }

    /// Those who may come in, by name.
    pub(crate) fn list(&self) -> Vec<PrincipalRow> {
        let known = self.known.read();
        let mut rows: Vec<_> = known.values().filter(|row| row.revoked_ms.is_none()).cloned().collect();
        rows.sort_by(|a, b| {
            (a.display_name.to_lowercase(), a.id).cmp(&(b.display_name.to_lowercase(), b.id))
        });
        rows
    }

    /// Gives somebody another name; `None` if there is nobody of that id.
    pub(crate) async fn rename(
        &self,
        id: PrincipalId,
        name: &str,
    ) -> Result<Option<PrincipalRow>, StoreError> {
        if !self.lives(id) {
            return Ok(None);
        }
        self.store.rename_principal(id, name).await?;
        let mut known = self.known.write();
        Ok(known.get_mut(&id).map(|row| {
            row.display_name = name.to_owned();
            row.clone()
        }))
    }

    /// Ends somebody; false if they had ended already, or never were.
    pub(super) async fn revoke(&self, id: PrincipalId, now_ms: i64) -> Result<bool, StoreError> {
        if !self.lives(id) {
            return Ok(false);
        }
        self.store.revoke_principal(id, now_ms).await?;
        if let Some(row) = self.known.write().get_mut(&id) {
            row.revoked_ms = Some(now_ms);
        }
        Ok(true)
    }
}

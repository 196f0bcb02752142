//! Drops: what waits behind a link for any browser. Whoever has the secret opens it, in the name and with the rights of its
//! maker, as they are then. All are known by heart; the store is the truth.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use parking_lot::RwLock;
use proto::id::DropId;
use proto::{PrincipalId, base64url};

use crate::clock::{Clock, to_ms};
use crate::keyfile;
use crate::store::drops::DropRow;
use crate::store::{Store, StoreError};

/// The most drops of one person at once.
pub(crate) const MAX_OF_ONE: usize = 1000;
/// Bytes of a secret.
const SECRET: usize = 16;

/// All drops.
pub(crate) struct Drops {
    store: Store,
    clock: Arc<dyn Clock>,
    /// Marks downloads that were taken.
    key: [u8; 32],
    rows: RwLock<HashMap<[u8; 32], DropRow>>,
}

impl Drops {
    pub(crate) async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        server_key: &[u8; 32],
    ) -> Result<Self, StoreError> {
        let key = blake3::derive_key("lanthorn 2026-11-21 downloads of a drop that were taken", server_key);
        let rows = store.drops().await?.into_iter().map(|row| (row.secret_hash, row)).collect();
        Ok(Self { store, clock, key, rows: RwLock::new(rows) })
    }

    /// Keeps a drop; its secret is told here and never again. None if its maker has too many.
    pub(crate) async fn make(
        &self,
        row: impl FnOnce(i64, [u8; 32]) -> DropRow,
    ) -> Result<Option<(DropRow, String)>, StoreError> {
        self.tidy().await?;
        let secret = base64url::encode(&random()?);
        let row = row(to_ms(self.clock.wall()), hash(&secret));
        if self.of(row.maker).len() >= MAX_OF_ONE {
            return Ok(None);
        }
        self.store.insert_drop(&row).await?;
        self.rows.write().insert(row.secret_hash, row.clone());
        Ok(Some((row, secret)))
    }

    /// Somebody's that are not over, newest first.
    pub(crate) fn of(&self, maker: PrincipalId) -> Vec<DropRow> {
        let rows = self.rows.read();
        let mut own: Vec<DropRow> =
            rows.values().filter(|row| row.maker == maker && self.is_good(row)).cloned().collect();
        own.sort_by_key(|row| (std::cmp::Reverse(row.created_ms), row.id.to_string()));
        own
    }

    /// The one that this secret opens.
    pub(crate) fn find(&self, secret: &str) -> Option<DropRow> {
        self.rows.read().get(&hash(secret)).filter(|row| self.is_good(row)).cloned()
    }

    /// The one of this id.
    pub(crate) fn by_id(&self, id: DropId) -> Option<DropRow> {
        self.rows.read().values().find(|row| row.id == id && self.is_good(row)).cloned()
    }

    fn is_good(&self, row: &DropRow) -> bool {
        to_ms(self.clock.wall()) < row.expires_ms
    }

    /// Counts a download. What marks it, and how the drop is with it; none if it was one too many.
    pub(crate) async fn take(&self, row: &DropRow) -> Result<Option<(String, DropRow)>, StoreError> {
        let Some(taken) = self.store.take_drop(row.id).await? else { return Ok(None) };
        let mut rows = self.rows.write();
        let Some(known) = rows.get_mut(&row.secret_hash) else { return Ok(None) };
        known.taken = known.taken.max(taken);
        Ok(Some((self.mark(row.id, taken), known.clone())))
    }

    /// True if this marks a download that was taken of this drop.
    pub(crate) fn was_taken(&self, row: &DropRow, mark: &str) -> bool {
        let number = mark.split_once('.').and_then(|(number, _)| number.parse().ok());
        number.is_some_and(|number| {
            use subtle::ConstantTimeEq;
            self.mark(row.id, number).as_bytes().ct_eq(mark.as_bytes()).into()
        })
    }

    fn mark(&self, id: DropId, number: u32) -> String {
        let hash = blake3::keyed_hash(&self.key, format!("{id} {number}").as_bytes());
        format!("{number}.{}", base64url::encode(&hash.as_bytes()[..SECRET]))
    }

    /// Ends one.
    pub(crate) async fn end(&self, row: &DropRow) -> Result<(), StoreError> {
        self.store.delete_drop(row.id).await?;
        self.rows.write().remove(&row.secret_hash);
        Ok(())
    }

    /// Forgets those that are over.
    async fn tidy(&self) -> Result<(), StoreError> {
        let over: Vec<DropRow> =
            self.rows.read().values().filter(|row| !self.is_good(row)).cloned().collect();
        for row in over {
            self.end(&row).await?;
        }
        Ok(())
    }
}

fn random() -> io::Result<[u8; SECRET]> {
    let mut bytes = [0; SECRET];
    bytes.copy_from_slice(&keyfile::random()?[..SECRET]);
    Ok(bytes)
}

/// What is kept of a secret. A plain hash is enough for 128 random bits.
fn hash(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

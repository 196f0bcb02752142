//! Where other machines are and when they were last heard. Asked only at start: the registry knows it by heart.

use proto::DeviceId;
use proto::wire::link::Addresses;

use super::{Store, StoreError};

/// What a machine last said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PresenceRow {
    pub(crate) seen_ms: Option<i64>,
    pub(crate) addresses: Addresses,
}

fn parse(row: (String, Option<i64>, String)) -> Option<(DeviceId, PresenceRow)> {
    let (id, seen_ms, addresses) = row;
    Some((id.parse().ok()?, PresenceRow { seen_ms, addresses: serde_json::from_str(&addresses).ok()? }))
}

impl Store {
    /// What is known of machines that are not revoked.
    pub(crate) async fn presences(&self) -> Result<Vec<(DeviceId, PresenceRow)>, StoreError> {
        let rows: Vec<(String, Option<i64>, String)> =
            sqlx::query_as("SELECT id, seen_ms, addresses FROM devices WHERE revoked_ms IS NULL")
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter().map(|row| parse(row).ok_or(StoreError::Row("device"))).collect()
    }

    /// Where machines are.
    pub(crate) async fn save_addresses(&self, all: &[(DeviceId, Addresses)]) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (device, addresses) in all {
            sqlx::query("UPDATE devices SET addresses = $1 WHERE id = $2")
                .bind(serde_json::to_string(addresses).unwrap_or_default())
                .bind(device.to_string())
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }

    /// When machines were last heard.
    pub(crate) async fn save_seen(&self, seen: &[(DeviceId, i64)]) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (device, seen_ms) in seen {
            sqlx::query("UPDATE devices SET seen_ms = $1 WHERE id = $2")
                .bind(seen_ms)
                .bind(device.to_string())
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }
}

#[cfg(test)]
impl Store {
    /// Pairs a machine, as far as the tables go.
    pub(crate) async fn pair_for_test(&self, device: DeviceId, owner: proto::PrincipalId) {
        let owner = owner.to_string();
        sqlx::query("INSERT INTO principals (id, display_name, created_ms) VALUES ($1, 'P', 1) ON CONFLICT DO NOTHING")
            .bind(&owner)
            .execute(&self.pool)
            .await
            .unwrap();
        sqlx::query("INSERT INTO devices (id, principal, name, platform, paired_ms) VALUES ($1, $2, 'Cellar', 'linux', 1)")
            .bind(device.to_string())
            .bind(&owner)
            .execute(&self.pool)
            .await
            .unwrap();
    }
}

//! Rows of what other machines offer. A share that is withdrawn stays, so that its rights wait for it.

use proto::wire::link::OfferedShare;
use proto::{DeviceId, ShareId};
use sqlx::SqliteConnection;

use super::{Store, StoreError};

/// A share of another machine, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemoteShareRow {
    pub(crate) id: ShareId,
    pub(crate) device: DeviceId,
    pub(crate) name: String,
    pub(crate) read_only: bool,
    pub(crate) inbox: bool,
    /// True while its device does not offer it.
    pub(crate) withdrawn: bool,
}

impl RemoteShareRow {
    /// As its device offered it.
    pub(crate) fn offered(self) -> OfferedShare {
        OfferedShare { id: self.id, name: self.name, read_only: self.read_only, inbox: self.inbox }
    }
}

async fn put_offer(
    db: &mut SqliteConnection,
    device: DeviceId,
    offered: &[OfferedShare],
    now_ms: i64,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE remote_shares SET withdrawn_ms = $1 WHERE device = $2 AND withdrawn_ms IS NULL")
        .bind(now_ms)
        .bind(device.to_string())
        .execute(&mut *db)
        .await?;
    for share in offered {
        sqlx::query(
            "INSERT INTO remote_shares (id, device, name, read_only, inbox, created_ms)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, read_only = excluded.read_only,
                 inbox = excluded.inbox, withdrawn_ms = NULL WHERE remote_shares.device = excluded.device",
        )
        .bind(share.id.to_string())
        .bind(device.to_string())
        .bind(&share.name)
        .bind(i64::from(share.read_only))
        .bind(i64::from(share.inbox))
        .bind(now_ms)
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

impl Store {
    pub(crate) async fn remote_shares(&self) -> Result<Vec<RemoteShareRow>, StoreError> {
        let rows: Vec<(String, String, String, bool, bool, Option<i64>)> = sqlx::query_as(
            "SELECT id, device, name, read_only, inbox, withdrawn_ms FROM remote_shares ORDER BY id",
        )
        .fetch_all(&self.pool)
        .await?;
        let broken = || StoreError::Row("share of another machine");
        rows.into_iter()
            .map(|(id, device, name, read_only, inbox, withdrawn)| {
                Ok(RemoteShareRow {
                    id: id.parse().map_err(|_| broken())?,
                    device: device.parse().map_err(|_| broken())?,
                    name,
                    read_only,
                    inbox,
                    withdrawn: withdrawn.is_some(),
                })
            })
            .collect()
    }

    /// Keeps all that machines offer now: what is not among it is withdrawn. A share of another machine stays that
    /// machine's, whoever names it.
    pub(crate) async fn offer_remote_shares(
        &self,
        offers: &[(DeviceId, &[OfferedShare])],
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for (device, offered) in offers {
            put_offer(&mut tx, *device, offered, now_ms).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Forgets a machine's shares, with the rights on them: the machine has been let go.
    pub(crate) async fn delete_remote_shares(&self, device: DeviceId) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for statement in [
            "DELETE FROM grants WHERE share IN (SELECT id FROM remote_shares WHERE device = $1)",
            "DELETE FROM remote_shares WHERE device = $1",
        ] {
            sqlx::query(statement).bind(device.to_string()).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }
}

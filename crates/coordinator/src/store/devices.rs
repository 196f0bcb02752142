//! Rows of paired machines. Asked only at start: while the process runs, `identity::devices` knows them by heart.

use proto::{DeviceId, PrincipalId};
use sqlx::SqliteConnection;

use super::principals::{PrincipalRow, insert_principal};
use super::{Store, StoreError};

/// One paired machine, as it is kept. What it says of itself each time it connects is in other columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeviceRow {
    pub(crate) id: DeviceId,
    pub(crate) principal: PrincipalId,
    pub(crate) name: String,
    pub(crate) platform: String,
    /// False if only its owner sees it.
    pub(crate) visible: bool,
    pub(crate) paired_ms: i64,
    pub(crate) revoked_ms: Option<i64>,
}

type Columns = (String, String, String, String, bool, i64, Option<i64>);

fn parse(row: Columns) -> Option<DeviceRow> {
    let (id, principal, name, platform, visible, paired_ms, revoked_ms) = row;
    let (id, principal) = (id.parse().ok()?, principal.parse().ok()?);
    Some(DeviceRow { id, principal, name, platform, visible, paired_ms, revoked_ms })
}

/// Lets a machine in, or lets it in again after it was revoked: then as if for the first time.
pub(super) async fn put_device(db: &mut SqliteConnection, row: &DeviceRow) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO devices (id, principal, name, platform, visible, paired_ms) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (id) DO UPDATE SET principal = excluded.principal, name = excluded.name,
             platform = excluded.platform, visible = excluded.visible, paired_ms = excluded.paired_ms,
             revoked_ms = NULL",
    )
    .bind(row.id.to_string())
    .bind(row.principal.to_string())
    .bind(&row.name)
    .bind(&row.platform)
    .bind(row.visible)
    .bind(row.paired_ms)
    .execute(db)
    .await?;
    Ok(())
}

impl Store {
    pub(crate) async fn devices(&self) -> Result<Vec<DeviceRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, principal, name, platform, visible, paired_ms, revoked_ms FROM devices",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| parse(row).ok_or(StoreError::Row("device"))).collect()
    }

    /// Keeps this machine's own row, made if it is missing.
    pub(crate) async fn insert_own_device(&self, row: &DeviceRow) -> Result<(), StoreError> {
        let mut db = self.pool.acquire().await?;
        put_device(&mut db, row).await
    }

    /// Lets people and machines in together, all or nothing.
    pub(crate) async fn let_in(
        &self,
        people: &[PrincipalRow],
        machines: &[DeviceRow],
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for person in people {
            insert_principal(&mut tx, person).await?;
        }
        for machine in machines {
            put_device(&mut tx, machine).await?;
        }
        Ok(tx.commit().await?)
    }

    pub(crate) async fn rename_device(&self, id: DeviceId, name: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET name = $1 WHERE id = $2")
            .bind(name)
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn show_device(&self, id: DeviceId, visible: bool) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET visible = $1 WHERE id = $2")
            .bind(visible)
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn revoke_device(&self, id: DeviceId, now_ms: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE devices SET revoked_ms = $1 WHERE id = $2")
            .bind(now_ms)
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
impl Store {
    /// Lets a machine in, as far as the tables go: the process knows of it after a restart.
    pub(crate) async fn put_device_for_test(&self, row: &DeviceRow) {
        put_device(&mut self.pool.acquire().await.unwrap(), row).await.unwrap();
    }
}

//! Rows of folders on offer: id, name and path. Nothing here opens one.

use std::path::PathBuf;

use proto::ShareId;

use super::{Store, StoreError};

/// A folder on offer, as whoever serves it needs to know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedFolder {
    /// The share.
    pub id: ShareId,
    /// What it is called.
    pub name: String,
    /// Where it is on this machine.
    pub folder: PathBuf,
}

impl Store {
    pub(crate) async fn shares(&self) -> Result<Vec<SharedFolder>, StoreError> {
        let rows: Vec<(String, String, String)> =
            sqlx::query_as("SELECT id, name, folder FROM shares ORDER BY name").fetch_all(&self.pool).await?;
        rows.into_iter()
            .map(|(id, name, folder)| {
                let id = id.parse().map_err(|_| StoreError::Row("share"))?;
                Ok(SharedFolder { id, name, folder: PathBuf::from(folder) })
            })
            .collect()
    }

    /// Adds a share; false if the name is taken.
    pub(crate) async fn insert_share(
        &self,
        id: ShareId,
        name: &str,
        folder: &str,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO shares (id, name, folder, created_ms) VALUES (?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
        )
        .bind(id.to_string())
        .bind(name)
        .bind(folder)
        .bind(now_ms)
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Renames a share; false if the name is taken by another.
    pub(crate) async fn rename_share(&self, id: ShareId, name: &str) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE OR IGNORE shares SET name = ? WHERE id = ?")
            .bind(name)
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    pub(crate) async fn delete_share(&self, id: ShareId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM shares WHERE id = ?").bind(id.to_string()).execute(&self.pool).await?;
        Ok(())
    }
}

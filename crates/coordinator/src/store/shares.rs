//! Rows of folders on offer: id, name and path. Nothing here opens one.

use std::path::PathBuf;

use proto::ShareId;
use proto::wire::link::OfferedShare;

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
    /// True for this machine's inbox.
    pub inbox: bool,
}

impl SharedFolder {
    /// As others are told of it.
    #[must_use]
    pub fn offered(&self) -> OfferedShare {
        OfferedShare { id: self.id, name: self.name.clone(), read_only: false, inbox: self.inbox }
    }
}

impl Store {
    pub(crate) async fn shares(&self) -> Result<Vec<SharedFolder>, StoreError> {
        let rows: Vec<(String, String, String, bool)> =
            sqlx::query_as("SELECT id, name, folder, inbox FROM shares ORDER BY inbox, name")
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter()
            .map(|(id, name, folder, inbox)| {
                let id = id.parse().map_err(|_| StoreError::Row("share"))?;
                Ok(SharedFolder { id, name, folder: PathBuf::from(folder), inbox })
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

    /// Says where this machine's inbox is, which is made if there is none yet: then by the first name that is free.
    pub(crate) async fn put_inbox(
        &self,
        folder: &str,
        names: impl IntoIterator<Item = String>,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let there = sqlx::query("UPDATE shares SET folder = ? WHERE inbox = 1")
            .bind(folder)
            .execute(&mut *tx)
            .await?;
        let mut made = there.rows_affected() > 0;
        let id = ShareId::generate();
        for name in names {
            if made {
                break;
            }
            let tried = sqlx::query(
                "INSERT INTO shares (id, name, folder, created_ms, inbox) VALUES (?, ?, ?, ?, 1)
                 ON CONFLICT (name) DO NOTHING",
            )
            .bind(id.to_string())
            .bind(name)
            .bind(folder)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
            made = tried.rows_affected() > 0;
        }
        Ok(tx.commit().await?)
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

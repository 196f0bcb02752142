//! Rows of drops, by the hash of their secret. What they are good for is [`crate::drops`].

use proto::id::DropId;
use proto::{PrincipalId, ShareId};

use super::{Store, StoreError};

/// A drop, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DropRow {
    pub(crate) id: DropId,
    pub(crate) secret_hash: [u8; 32],
    pub(crate) maker: PrincipalId,
    pub(crate) share: ShareId,
    /// In text form, all in one folder.
    pub(crate) paths: Vec<String>,
    pub(crate) message: Option<String>,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    /// How often it may be taken; any number of times, if absent.
    pub(crate) downloads: Option<u32>,
    pub(crate) taken: u32,
}

impl DropRow {
    /// How often it may still be taken.
    pub(crate) fn left(&self) -> Option<u32> {
        self.downloads.map(|downloads| downloads.saturating_sub(self.taken))
    }
}

type Columns = (String, Vec<u8>, String, String, String, Option<String>, i64, i64, Option<i64>, i64);

fn parse(row: Columns) -> Option<DropRow> {
    let (id, secret_hash, maker, share, paths, message, created_ms, expires_ms, downloads, taken) = row;
    Some(DropRow {
        id: id.parse().ok()?,
        secret_hash: secret_hash.try_into().ok()?,
        maker: maker.parse().ok()?,
        share: share.parse().ok()?,
        paths: serde_json::from_str(&paths).ok()?,
        message,
        created_ms,
        expires_ms,
        downloads: downloads.map(u32::try_from).transpose().ok()?,
        taken: taken.try_into().ok()?,
    })
}

impl Store {
    /// All.
    pub(crate) async fn drops(&self) -> Result<Vec<DropRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, secret_hash, maker, share, paths, message, created_ms, expires_ms, downloads, taken
             FROM drops",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| parse(row).ok_or(StoreError::Row("drop"))).collect()
    }

    pub(crate) async fn insert_drop(&self, row: &DropRow) -> Result<(), StoreError> {
        let paths = serde_json::to_string(&row.paths).map_err(|_| StoreError::Row("drop"))?;
        sqlx::query(
            "INSERT INTO drops (id, secret_hash, maker, share, paths, message, created_ms, expires_ms, downloads)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(row.id.to_string())
        .bind(row.secret_hash.as_slice())
        .bind(row.maker.to_string())
        .bind(row.share.to_string())
        .bind(paths)
        .bind(&row.message)
        .bind(row.created_ms)
        .bind(row.expires_ms)
        .bind(row.downloads.map(i64::from))
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Counts a download; how many there were with it, or none if that is one too many.
    pub(crate) async fn take_drop(&self, id: DropId) -> Result<Option<u32>, StoreError> {
        let taken: Option<i64> = sqlx::query_scalar(
            "UPDATE drops SET taken = taken + 1 WHERE id = $1 AND (downloads IS NULL OR taken < downloads)
             RETURNING taken",
        )
        .bind(id.to_string())
        .fetch_optional(&self.pool)
        .await?;
        taken.map(|taken| u32::try_from(taken).map_err(|_| StoreError::Row("drop"))).transpose()
    }

    pub(crate) async fn delete_drop(&self, id: DropId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM drops WHERE id = $1").bind(id.to_string()).execute(&self.pool).await?;
        Ok(())
    }
}

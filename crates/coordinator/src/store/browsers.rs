//! Rows of browsers that have signed in before.

use super::sessions::PrivacyWord;
use super::{Store, StoreError};
use proto::api::auth::Privacy;

/// Browsers remembered at most; beyond that the one longest unused is forgotten.
const MAX_BROWSERS: i64 = 256;

impl Store {
    /// The browser that holds the token with this hash, on connections as private as the one it was given on.
    pub(crate) async fn known_browser(
        &self,
        token_hash: &[u8; 32],
        privacy: Privacy,
    ) -> Result<Option<i64>, StoreError> {
        let id = sqlx::query_scalar("SELECT id FROM browsers WHERE token_hash = ? AND privacy = ?")
            .bind(token_hash.as_slice())
            .bind(privacy.word())
            .fetch_optional(&self.pool)
            .await?;
        Ok(id)
    }

    pub(crate) async fn insert_browser(
        &self,
        token_hash: &[u8; 32],
        privacy: Privacy,
        now_ms: i64,
    ) -> Result<i64, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let id = sqlx::query_scalar(
            "INSERT INTO browsers (token_hash, privacy, created_ms, used_ms) VALUES (?, ?, ?, ?) RETURNING id",
        )
        .bind(token_hash.as_slice())
        .bind(privacy.word())
        .bind(now_ms)
        .bind(now_ms)
        .fetch_one(&mut *tx)
        .await?;
        sqlx::query(
            "DELETE FROM browsers WHERE id NOT IN (SELECT id FROM browsers ORDER BY used_ms DESC, id DESC LIMIT ?)",
        )
        .bind(MAX_BROWSERS)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(id)
    }

    pub(crate) async fn touch_browser(&self, id: i64, now_ms: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE browsers SET used_ms = ? WHERE id = ?")
            .bind(now_ms)
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn delete_browser(&self, id: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM browsers WHERE id = ?").bind(id).execute(&self.pool).await?;
        Ok(())
    }
}

//! Rows of tried PINs, and of the time this installation has lived through. What they mean is `identity::lockout`.

use super::{Store, StoreError};

impl Store {
    /// Reads the earlier tries of a source and, if `allow` says so of them, adds one: all in one transaction, so
    /// that tries at the same time see each other. Gives the new row's id, or what `allow` refused with.
    pub(crate) async fn reserve_attempt<E>(
        &self,
        source: &str,
        now: Lived,
        since_ms: i64,
        allow: impl FnOnce(&[i64]) -> Result<(), E>,
    ) -> Result<Result<i64, E>, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let earlier: Vec<i64> = sqlx::query_scalar(
            "SELECT lived_ms FROM attempts WHERE source = ? AND lived_ms > ? ORDER BY lived_ms",
        )
        .bind(source)
        .bind(since_ms)
        .fetch_all(&mut *tx)
        .await?;
        if let Err(refused) = allow(&earlier) {
            return Ok(Err(refused));
        }
        sqlx::query("DELETE FROM attempts WHERE lived_ms <= ?").bind(since_ms).execute(&mut *tx).await?;
        let id = sqlx::query_scalar("INSERT INTO attempts (source, lived_ms) VALUES (?, ?) RETURNING id")
            .bind(source)
            .bind(now.lived_ms)
            .fetch_one(&mut *tx)
            .await?;
        sqlx::query(SAVE_LIVED).bind(now.lived_ms).bind(now.wall_ms).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(Ok(id))
    }

    /// Takes back a try that proved right.
    pub(crate) async fn forget_attempt(&self, id: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM attempts WHERE id = ?").bind(id).execute(&self.pool).await?;
        Ok(())
    }

    /// True if there is any try to remember.
    pub(crate) async fn has_attempts(&self) -> Result<bool, StoreError> {
        Ok(sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM attempts)").fetch_one(&self.pool).await?)
    }

    pub(crate) async fn lived(&self) -> Result<Option<Lived>, StoreError> {
        let row: Option<(i64, i64)> =
            sqlx::query_as("SELECT lived_ms, wall_ms FROM lived").fetch_optional(&self.pool).await?;
        Ok(row.map(|(lived_ms, wall_ms)| Lived { lived_ms, wall_ms }))
    }

    pub(crate) async fn save_lived(&self, now: Lived) -> Result<(), StoreError> {
        sqlx::query(SAVE_LIVED).bind(now.lived_ms).bind(now.wall_ms).execute(&self.pool).await?;
        Ok(())
    }
}

/// A moment in lived time, with the wall clock's opinion of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lived {
    pub(crate) lived_ms: i64,
    pub(crate) wall_ms: i64,
}

const SAVE_LIVED: &str = "INSERT INTO lived (one, lived_ms, wall_ms) VALUES (1, ?, ?)
     ON CONFLICT (one) DO UPDATE SET lived_ms = excluded.lived_ms, wall_ms = excluded.wall_ms";

//! Rows of people. Asked only at start: while the process runs, `identity::principals` knows them by heart.

use proto::PrincipalId;
use sqlx::SqliteConnection;

use super::{Store, StoreError};

/// One person, as they are kept. A person who has ended stays as a name in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PrincipalRow {
    pub(crate) id: PrincipalId,
    pub(crate) display_name: String,
    pub(crate) created_ms: i64,
    pub(crate) revoked_ms: Option<i64>,
}

/// Adds a person, as part of what brings them.
pub(super) async fn insert_principal(
    db: &mut SqliteConnection,
    row: &PrincipalRow,
) -> Result<(), StoreError> {
    sqlx::query("INSERT INTO principals (id, display_name, created_ms) VALUES ($1, $2, $3)")
        .bind(row.id.to_string())
        .bind(&row.display_name)
        .bind(row.created_ms)
        .execute(db)
        .await?;
    Ok(())
}

impl Store {
    pub(crate) async fn principals(&self) -> Result<Vec<PrincipalRow>, StoreError> {
        let rows: Vec<(String, String, i64, Option<i64>)> =
            sqlx::query_as("SELECT id, display_name, created_ms, revoked_ms FROM principals")
                .fetch_all(&self.pool)
                .await?;
        rows.into_iter()
            .map(|(id, display_name, created_ms, revoked_ms)| {
                let id = id.parse().map_err(|_| StoreError::Row("principal"))?;
                Ok(PrincipalRow { id, display_name, created_ms, revoked_ms })
            })
            .collect()
    }

    pub(crate) async fn rename_principal(&self, id: PrincipalId, name: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE principals SET display_name = $1 WHERE id = $2")
            .bind(name)
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends a person with all they have: devices, sessions, rights, memberships, invites and machines that wait for
    /// them. All or nothing.
    pub(crate) async fn revoke_principal(&self, id: PrincipalId, now_ms: i64) -> Result<(), StoreError> {
        let id = id.to_string();
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for ends in [
            "UPDATE principals SET revoked_ms = $1 WHERE id = $2 AND revoked_ms IS NULL",
            "UPDATE devices SET revoked_ms = $1 WHERE principal = $2 AND revoked_ms IS NULL",
            "UPDATE invites SET expires_ms = $1 WHERE principal = $2 AND used_ms IS NULL",
            "UPDATE pairings SET ended_ms = $1 WHERE principal = $2 AND ended_ms IS NULL",
        ] {
            sqlx::query(ends).bind(now_ms).bind(&id).execute(&mut *tx).await?;
        }
        for forgets in [
            "DELETE FROM sessions WHERE principal = $1",
            "DELETE FROM room_members WHERE principal = $1",
            "DELETE FROM grants WHERE subject_kind = 'principal' AND subject = $1",
        ] {
            sqlx::query(forgets).bind(&id).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

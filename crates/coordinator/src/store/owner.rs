//! Rows of the owner, who is one or nobody.

use proto::{PrincipalId, ShareId};

use super::devices::{DeviceRow, put_device};
use super::principals::{PrincipalRow, insert_principal};
use super::{Store, StoreError};

/// The owner of this machine.
#[derive(Clone)]
pub(crate) struct Owner {
    pub(crate) principal: PrincipalId,
    pub(crate) display_name: String,
    /// Argon2id of the keyed PIN, as a PHC string.
    pub(crate) pin_hash: String,
}

/// The first share, made together with the owner.
pub(crate) struct FirstShare {
    pub(crate) id: ShareId,
    pub(crate) name: String,
    pub(crate) folder: String,
}

impl Store {
    pub(crate) async fn owner(&self) -> Result<Option<Owner>, StoreError> {
        let row: Option<(String, String, String)> =
            sqlx::query_as("SELECT principal, display_name, pin_hash FROM owner")
                .fetch_optional(&self.pool)
                .await?;
        row.map(|(principal, display_name, pin_hash)| {
            let principal = principal.parse().map_err(|_| StoreError::Row("owner"))?;
            Ok(Owner { principal, display_name, pin_hash })
        })
        .transpose()
    }

    /// Makes the owner, the owner as a person, this machine as theirs, and the first share; false if there is an owner
    /// already.
    pub(crate) async fn insert_owner(
        &self,
        owner: &Owner,
        person: &PrincipalRow,
        machine: &DeviceRow,
        share: &FirstShare,
    ) -> Result<bool, StoreError> {
        let now_ms = person.created_ms;
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let made = sqlx::query(
            "INSERT INTO owner (one, principal, display_name, pin_hash, created_ms) VALUES (1, ?, ?, ?, ?)
             ON CONFLICT (one) DO NOTHING",
        )
        .bind(owner.principal.to_string())
        .bind(&owner.display_name)
        .bind(&owner.pin_hash)
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        if made.rows_affected() == 0 {
            return Ok(false);
        }
        insert_principal(&mut tx, person).await?;
        put_device(&mut tx, machine).await?;
        sqlx::query("INSERT INTO shares (id, name, folder, created_ms) VALUES (?, ?, ?, ?)")
            .bind(share.id.to_string())
            .bind(&share.name)
            .bind(&share.folder)
            .bind(now_ms)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Puts a new PIN in place of the one with hash `before`, and ends every session and browser but these;
    /// false if the PIN was changed by somebody else meanwhile.
    pub(crate) async fn change_pin(
        &self,
        before: &str,
        after: &str,
        keep_session: &str,
        keep_browser: Option<i64>,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let changed = sqlx::query("UPDATE owner SET pin_hash = ? WHERE pin_hash = ?")
            .bind(after)
            .bind(before)
            .execute(&mut *tx)
            .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM sessions WHERE id <> ?").bind(keep_session).execute(&mut *tx).await?;
        sqlx::query("DELETE FROM browsers WHERE id IS NOT ?").bind(keep_browser).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(true)
    }
}

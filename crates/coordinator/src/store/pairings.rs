//! Rows of machines that wait to be let in. What may be done with them is `identity::pairing`.

use proto::id::InviteId;
use proto::{DeviceId, PrincipalId};

use super::devices::{DeviceRow, put_device};
use super::principals::{PrincipalRow, insert_principal};
use super::{Store, StoreError};

/// A pairing, from its start until it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PairingRow {
    pub(crate) id: String,
    /// The keyed hash of the code; of nothing that can be typed where an invite stands in for it.
    pub(crate) code_hash: [u8; 32],
    pub(crate) challenge: String,
    /// What both screens show, with spaces between.
    pub(crate) words: String,
    pub(crate) device: DeviceId,
    pub(crate) device_name: String,
    pub(crate) display_name: String,
    pub(crate) platform: String,
    pub(crate) invite: Option<InviteId>,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    /// Whose machine it becomes: set by who confirms.
    pub(crate) principal: Option<PrincipalId>,
    /// When it was claimed, given up, or burnt.
    pub(crate) ended_ms: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct Columns {
    id: String,
    code_hash: Vec<u8>,
    challenge: String,
    words: String,
    device: String,
    device_name: String,
    display_name: String,
    platform: String,
    invite: Option<String>,
    created_ms: i64,
    expires_ms: i64,
    principal: Option<String>,
    ended_ms: Option<i64>,
}

impl Columns {
    fn parse(self) -> Option<PairingRow> {
        Some(PairingRow {
            code_hash: self.code_hash.try_into().ok()?,
            device: self.device.parse().ok()?,
            invite: self.invite.map(|id| id.parse()).transpose().ok()?,
            principal: self.principal.map(|id| id.parse()).transpose().ok()?,
            id: self.id,
            challenge: self.challenge,
            words: self.words,
            device_name: self.device_name,
            display_name: self.display_name,
            platform: self.platform,
            created_ms: self.created_ms,
            expires_ms: self.expires_ms,
            ended_ms: self.ended_ms,
        })
    }
}

impl Store {
    /// Those that are not over their time; the others are forgotten.
    pub(crate) async fn pairings(&self, now_ms: i64) -> Result<Vec<PairingRow>, StoreError> {
        self.forget_pairings(now_ms).await?;
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, code_hash, challenge, words, device, device_name, display_name, platform, invite, created_ms,
                    expires_ms, principal, ended_ms FROM pairings ORDER BY created_ms",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| row.parse().ok_or(StoreError::Row("pairing"))).collect()
    }

    pub(crate) async fn forget_pairings(&self, now_ms: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM pairings WHERE expires_ms <= $1").bind(now_ms).execute(&self.pool).await?;
        Ok(())
    }

    pub(crate) async fn insert_pairing(&self, row: &PairingRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO pairings (id, code_hash, challenge, words, device, device_name, display_name, platform,
                                   invite, created_ms, expires_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        )
        .bind(&row.id)
        .bind(row.code_hash.as_slice())
        .bind(&row.challenge)
        .bind(&row.words)
        .bind(row.device.to_string())
        .bind(&row.device_name)
        .bind(&row.display_name)
        .bind(&row.platform)
        .bind(row.invite.map(|id| id.to_string()))
        .bind(row.created_ms)
        .bind(row.expires_ms)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Notes whose machine it becomes, together with that person if they are new; false if the pairing is over.
    pub(crate) async fn confirm_pairing(
        &self,
        id: &str,
        principal: PrincipalId,
        newcomer: Option<&PrincipalRow>,
        expires_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        if let Some(newcomer) = newcomer {
            insert_principal(&mut tx, newcomer).await?;
        }
        let confirmed = sqlx::query(
            "UPDATE pairings SET principal = $1, expires_ms = $2
             WHERE id = $3 AND ended_ms IS NULL AND principal IS NULL",
        )
        .bind(principal.to_string())
        .bind(expires_ms)
        .bind(id)
        .execute(&mut *tx)
        .await?;
        if confirmed.rows_affected() == 0 {
            return Ok(false);
        }
        tx.commit().await?;
        Ok(true)
    }

    pub(crate) async fn end_pairing(&self, id: &str, now_ms: i64) -> Result<(), StoreError> {
        sqlx::query("UPDATE pairings SET ended_ms = $1 WHERE id = $2 AND ended_ms IS NULL")
            .bind(now_ms)
            .bind(id)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Lets the machine in and ends the pairing; false if it was over.
    pub(crate) async fn claim_pairing(
        &self,
        id: &str,
        machine: &DeviceRow,
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let ended = sqlx::query(
            "UPDATE pairings SET ended_ms = $1 WHERE id = $2 AND ended_ms IS NULL AND principal = $3",
        )
        .bind(now_ms)
        .bind(id)
        .bind(machine.principal.to_string())
        .execute(&mut *tx)
        .await?;
        if ended.rows_affected() == 0 {
            return Ok(false);
        }
        put_device(&mut tx, machine).await?;
        tx.commit().await?;
        Ok(true)
    }
}

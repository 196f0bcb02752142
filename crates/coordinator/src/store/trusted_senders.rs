//! Rows of those whose transfers to a machine begin without a question.

use proto::{DeviceId, PrincipalId, ShareId};

use super::{Store, StoreError};

/// Somebody who is trusted, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TrustedRow {
    pub(crate) device: DeviceId,
    pub(crate) sender: PrincipalId,
    pub(crate) max_bytes: Option<u64>,
    /// Where it goes; the device's inbox if none.
    pub(crate) share: Option<ShareId>,
    /// The folder there, in text form.
    pub(crate) destination: String,
    pub(crate) created_ms: i64,
}

type Columns = (String, String, Option<i64>, Option<String>, String, i64);

fn parse((device, sender, max_bytes, share, destination, created_ms): Columns) -> Option<TrustedRow> {
    let share = match share {
        Some(share) => Some(share.parse().ok()?),
        None => None,
    };
    let max_bytes = match max_bytes {
        Some(most) => Some(most.try_into().ok()?),
        None => None,
    };
    let (device, sender) = (device.parse().ok()?, sender.parse().ok()?);
    Some(TrustedRow { device, sender, max_bytes, share, destination, created_ms })
}

impl Store {
    pub(crate) async fn trusted_senders(&self) -> Result<Vec<TrustedRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT device, sender, max_bytes, share, destination, created_ms FROM trusted_senders
             ORDER BY created_ms",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| parse(row).ok_or(StoreError::Row("trusted sender"))).collect()
    }

    /// Trusts somebody, or trusts them otherwise than before.
    pub(crate) async fn put_trusted_sender(&self, row: &TrustedRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO trusted_senders (device, sender, max_bytes, share, destination, created_ms)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (device, sender) DO UPDATE SET max_bytes = excluded.max_bytes, share = excluded.share,
                 destination = excluded.destination, created_ms = excluded.created_ms",
        )
        .bind(row.device.to_string())
        .bind(row.sender.to_string())
        .bind(row.max_bytes.map(|most| i64::try_from(most).unwrap_or(i64::MAX)))
        .bind(row.share.map(|id| id.to_string()))
        .bind(&row.destination)
        .bind(row.created_ms)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Trusts nobody any more on a machine that has been let go.
    pub(crate) async fn delete_trusted_on(&self, device: DeviceId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM trusted_senders WHERE device = $1")
            .bind(device.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Trusts somebody no more; false if they were not.
    pub(crate) async fn delete_trusted_sender(
        &self,
        device: DeviceId,
        sender: PrincipalId,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM trusted_senders WHERE device = $1 AND sender = $2")
            .bind(device.to_string())
            .bind(sender.to_string())
            .execute(&self.pool)
            .await?;
        Ok(done.rows_affected() > 0)
    }
}

//! Rows of transfers and of what they are made of. What may become of them is `transfers`' to say.

use std::str::FromStr;

use proto::api::transfers::{TransferItem, TransferSource, TransferState};
use proto::{DeviceId, PrincipalId, ShareId, TransferId};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::{Store, StoreError};

/// A transfer as it is kept, but for its items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TransferRow {
    pub(crate) id: TransferId,
    pub(crate) sender: PrincipalId,
    pub(crate) sender_device: Option<DeviceId>,
    pub(crate) device: DeviceId,
    /// Where it goes; the device's inbox if none.
    pub(crate) share: Option<ShareId>,
    /// The folder there, in text form.
    pub(crate) destination: String,
    /// Whom it is for, if the sender named a person and no machine.
    pub(crate) person: Option<PrincipalId>,
    /// What the sender's machine sends of a share by itself.
    pub(crate) source: Option<TransferSource>,
    pub(crate) message: Option<String>,
    pub(crate) state: TransferState,
    /// What goes with the state, as its room wrote it.
    pub(crate) state_data: String,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) updated_ms: i64,
    /// True while the device may hold something of it.
    pub(crate) device_knows: bool,
    /// True if that side does not want to see it any more.
    pub(crate) sender_cleared: bool,
    pub(crate) receiver_cleared: bool,
    /// What that side calls it.
    pub(crate) sender_label: Option<String>,
    pub(crate) receiver_label: Option<String>,
}

/// All columns, and which rows.
macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT id, sender, sender_device, device, share, destination, person, source, message, state, state_data,
                 created_ms, expires_ms, updated_ms, device_knows, sender_cleared, receiver_cleared, sender_label,
                 receiver_label FROM transfers ",
            $which
        )
    };
}

/// The id in a column that may be empty; `None` if it is none.
fn optional<T: FromStr>(row: &SqliteRow, column: &str) -> Option<Option<T>> {
    let text: Option<String> = row.try_get(column).ok()?;
    text.map_or(Some(None), |text| text.parse().ok().map(Some))
}

/// What is sent of a share; `None` if it cannot be read.
#[allow(clippy::option_option, reason = "read or not, and there or not")]
fn source(row: &SqliteRow) -> Option<Option<TransferSource>> {
    let text: Option<String> = row.try_get("source").ok()?;
    text.map_or(Some(None), |text| serde_json::from_str(&text).ok().map(Some))
}

fn read(row: &SqliteRow) -> Option<TransferRow> {
    let text = |column: &str| row.try_get::<String, _>(column).ok();
    let number = |column: &str| row.try_get::<i64, _>(column).ok();
    let flag = |column: &str| row.try_get::<bool, _>(column).ok();
    Some(TransferRow {
        id: text("id")?.parse().ok()?,
        sender: text("sender")?.parse().ok()?,
        sender_device: optional(row, "sender_device")?,
        device: text("device")?.parse().ok()?,
        share: optional(row, "share")?,
        destination: text("destination")?,
        person: optional(row, "person")?,
        source: source(row)?,
        message: row.try_get("message").ok()?,
        state: serde_json::from_value(text("state")?.into()).ok()?,
        state_data: text("state_data")?,
        created_ms: number("created_ms")?,
        expires_ms: number("expires_ms")?,
        updated_ms: number("updated_ms")?,
        device_knows: flag("device_knows")?,
        sender_cleared: flag("sender_cleared")?,
        receiver_cleared: flag("receiver_cleared")?,
        sender_label: row.try_get("sender_label").ok()?,
        receiver_label: row.try_get("receiver_label").ok()?,
    })
}

fn word(state: TransferState) -> String {
    serde_json::to_value(state).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

async fn put_item(
    db: &mut SqliteConnection,
    transfer: TransferId,
    place: usize,
    item: &TransferItem,
) -> Result<(), StoreError> {
    sqlx::query(
        "INSERT INTO transfer_items (transfer, place, item) VALUES ($1, $2, $3)
         ON CONFLICT (transfer, place) DO UPDATE SET item = excluded.item",
    )
    .bind(transfer.to_string())
    .bind(i64::try_from(place).unwrap_or(i64::MAX))
    .bind(serde_json::to_string(item).map_err(|_| StoreError::Row("transfer item"))?)
    .execute(db)
    .await?;
    Ok(())
}

impl Store {
    /// All transfers, without their items.
    pub(crate) async fn transfers(&self) -> Result<Vec<TransferRow>, StoreError> {
        let rows = sqlx::query(select!("")).fetch_all(&self.pool).await?;
        rows.iter().map(|row| read(row).ok_or(StoreError::Row("transfer"))).collect()
    }

    /// One transfer with its items.
    pub(crate) async fn transfer(
        &self,
        id: TransferId,
    ) -> Result<Option<(TransferRow, Vec<TransferItem>)>, StoreError> {
        let row =
            sqlx::query(select!("WHERE id = $1")).bind(id.to_string()).fetch_optional(&self.pool).await?;
        let Some(row) = row else { return Ok(None) };
        let row = read(&row).ok_or(StoreError::Row("transfer"))?;
        let items: Vec<String> =
            sqlx::query_scalar("SELECT item FROM transfer_items WHERE transfer = $1 ORDER BY place")
                .bind(id.to_string())
                .fetch_all(&self.pool)
                .await?;
        let items = items.iter().map(|item| serde_json::from_str(item)).collect::<Result<_, _>>();
        Ok(Some((row, items.map_err(|_| StoreError::Row("transfer item"))?)))
    }

    /// Keeps a new transfer.
    pub(crate) async fn insert_transfer(
        &self,
        row: &TransferRow,
        items: &[TransferItem],
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "INSERT INTO transfers (id, sender, sender_device, device, share, destination, person, source, message,
                 state, state_data, created_ms, expires_ms, updated_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
        )
        .bind(row.id.to_string())
        .bind(row.sender.to_string())
        .bind(row.sender_device.map(|id| id.to_string()))
        .bind(row.device.to_string())
        .bind(row.share.map(|id| id.to_string()))
        .bind(&row.destination)
        .bind(row.person.map(|id| id.to_string()))
        .bind(row.source.as_ref().and_then(|source| serde_json::to_string(source).ok()))
        .bind(&row.message)
        .bind(word(row.state))
        .bind(&row.state_data)
        .bind(row.created_ms)
        .bind(row.expires_ms)
        .bind(row.updated_ms)
        .execute(&mut *tx)
        .await?;
        for (place, item) in items.iter().enumerate() {
            put_item(&mut tx, row.id, place, item).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Keeps what has changed: of the transfer what can, and these of its items.
    pub(crate) async fn update_transfer(
        &self,
        row: &TransferRow,
        items: &[(usize, &TransferItem)],
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        sqlx::query(
            "UPDATE transfers SET device = $1, share = $2, destination = $3, state = $4, state_data = $5,
                 expires_ms = $6, updated_ms = $7, device_knows = $8, sender_cleared = $9, receiver_cleared = $10,
                 sender_label = $11, receiver_label = $12
             WHERE id = $13",
        )
        .bind(row.device.to_string())
        .bind(row.share.map(|id| id.to_string()))
        .bind(&row.destination)
        .bind(word(row.state))
        .bind(&row.state_data)
        .bind(row.expires_ms)
        .bind(row.updated_ms)
        .bind(row.device_knows)
        .bind(row.sender_cleared)
        .bind(row.receiver_cleared)
        .bind(&row.sender_label)
        .bind(&row.receiver_label)
        .bind(row.id.to_string())
        .execute(&mut *tx)
        .await?;
        for (place, item) in items {
            put_item(&mut tx, row.id, *place, item).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Forgets a transfer and its items.
    pub(crate) async fn delete_transfer(&self, id: TransferId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM transfers WHERE id = $1").bind(id.to_string()).execute(&self.pool).await?;
        Ok(())
    }
}

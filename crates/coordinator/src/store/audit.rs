//! Rows of the audit log. They are added and read; nothing here changes or removes one.

use sqlx::QueryBuilder;

use super::{Store, StoreError};

/// Something that happened, as it is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct AuditRow {
    pub(crate) seq: i64,
    pub(crate) time_ms: i64,
    pub(crate) actor: Option<String>,
    pub(crate) action: String,
    pub(crate) allowed: bool,
    pub(crate) device: Option<String>,
    pub(crate) share: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) request_id: String,
    pub(crate) detail: String,
    pub(crate) hash: [u8; 32],
}

/// Where the log ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) seq: i64,
    pub(crate) hash: [u8; 32],
    pub(crate) mac: [u8; 32],
}

/// Which entries are wanted.
#[derive(Clone, Debug, Default)]
pub(crate) struct AuditFilter {
    /// Only those before this place.
    pub(crate) before: Option<i64>,
    /// Only actions that begin like this.
    pub(crate) action: Option<String>,
    /// Only what this person did.
    pub(crate) actor: Option<String>,
    /// Only what was allowed, or only what was refused.
    pub(crate) allowed: Option<bool>,
}

type Columns = (
    i64,
    i64,
    Option<String>,
    String,
    bool,
    Option<String>,
    Option<String>,
    Option<String>,
    String,
    String,
    Vec<u8>,
);

const SELECT: &str = "SELECT seq, time_ms, actor, action, allowed, device, share, address, request_id, detail, hash FROM audit";

/// A hash of the wrong length is not refused here: it fits no seal, and the check of the log says where.
fn parse(row: Columns) -> AuditRow {
    let (seq, time_ms, actor, action, allowed, device, share, address, request_id, detail, hash) = row;
    let hash = hash.try_into().unwrap_or_default();
    AuditRow { seq, time_ms, actor, action, allowed, device, share, address, request_id, detail, hash }
}

impl Store {
    /// Adds entries and moves the mark of the end, all or nothing.
    pub(crate) async fn append_audit(&self, rows: &[AuditRow], head: Head) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for row in rows {
            sqlx::query(
                "INSERT INTO audit (seq, time_ms, actor, action, allowed, device, share, address, request_id, detail,
                                    hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
            )
            .bind(row.seq)
            .bind(row.time_ms)
            .bind(&row.actor)
            .bind(&row.action)
            .bind(i64::from(row.allowed))
            .bind(&row.device)
            .bind(&row.share)
            .bind(&row.address)
            .bind(&row.request_id)
            .bind(&row.detail)
            .bind(row.hash.as_slice())
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query(
            "INSERT INTO audit_head (one, seq, hash, mac) VALUES (1, $1, $2, $3)
             ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, hash = excluded.hash, mac = excluded.mac",
        )
        .bind(head.seq)
        .bind(head.hash.as_slice())
        .bind(head.mac.as_slice())
        .execute(&mut *tx)
        .await?;
        Ok(tx.commit().await?)
    }

    pub(crate) async fn audit_head(&self) -> Result<Option<Head>, StoreError> {
        let row: Option<(i64, Vec<u8>, Vec<u8>)> =
            sqlx::query_as("SELECT seq, hash, mac FROM audit_head").fetch_optional(&self.pool).await?;
        let fixed = |bytes: Vec<u8>| bytes.try_into().unwrap_or_default();
        Ok(row.map(|(seq, hash, mac)| Head { seq, hash: fixed(hash), mac: fixed(mac) }))
    }

    pub(crate) async fn audit_last(&self) -> Result<Option<AuditRow>, StoreError> {
        let newest = format!("{SELECT} ORDER BY seq DESC LIMIT 1");
        let row: Option<Columns> =
            sqlx::query_as(sqlx::AssertSqlSafe(newest)).fetch_optional(&self.pool).await?;
        Ok(row.map(parse))
    }

    /// Entries after a place, oldest first.
    pub(crate) async fn audit_after(&self, after: i64, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let oldest = format!("{SELECT} WHERE seq > $1 ORDER BY seq LIMIT $2");
        let rows: Vec<Columns> = sqlx::query_as(sqlx::AssertSqlSafe(oldest))
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(&self.pool)
            .await?;
        Ok(rows.into_iter().map(parse).collect())
    }

    /// Entries that fit, newest first.
    pub(crate) async fn audit_page(
        &self,
        filter: &AuditFilter,
        limit: u32,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let mut query = QueryBuilder::new(SELECT);
        query.push(" WHERE seq < ").push_bind(filter.before.unwrap_or(i64::MAX));
        if let Some(action) = &filter.action {
            // By the index: from the word itself to where words that begin with it end.
            query.push(" AND action >= ").push_bind(action.clone());
            query.push(" AND action < ").push_bind(format!("{action}\u{10ffff}"));
        }
        if let Some(actor) = &filter.actor {
            query.push(" AND actor = ").push_bind(actor.clone());
        }
        if let Some(allowed) = filter.allowed {
            query.push(" AND allowed = ").push_bind(allowed);
        }
        query.push(" ORDER BY seq DESC LIMIT ").push_bind(i64::from(limit));
        let rows: Vec<Columns> = query.build_query_as().fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(parse).collect())
    }
}

#[cfg(test)]
impl Store {
    /// Does what somebody with the database in their hands could do.
    pub(crate) async fn tamper(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }
}

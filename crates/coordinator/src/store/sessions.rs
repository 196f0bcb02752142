//! Rows of signed-in browsers. Asked only at start: while the process runs, `identity::session` knows them by heart.

use proto::api::auth::Privacy;
use proto::{PrincipalId, SessionId};

use super::{Store, StoreError};

/// One signed-in browser, as it is kept.
#[derive(Clone, Debug)]
pub(crate) struct SessionRow {
    pub(crate) id: SessionId,
    pub(crate) token_hash: [u8; 32],
    pub(crate) principal: PrincipalId,
    pub(crate) browser_id: Option<i64>,
    /// What the browser calls itself, made short.
    pub(crate) browser: String,
    pub(crate) address: String,
    pub(crate) privacy: Privacy,
    pub(crate) encrypted: bool,
    pub(crate) created_ms: i64,
    pub(crate) seen_ms: i64,
}

/// How [`Privacy`] is spelled in the database.
pub(crate) trait PrivacyWord: Sized {
    fn word(self) -> &'static str;
    fn from_word(word: &str) -> Option<Self>;
}

impl PrivacyWord for Privacy {
    fn word(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Private => "private",
            Self::Open => "open",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Local, Self::Private, Self::Open].into_iter().find(|privacy| privacy.word() == word)
    }
}

type Columns = (String, Vec<u8>, String, Option<i64>, String, String, String, bool, i64, i64);

fn parse(row: Columns) -> Option<SessionRow> {
    let (id, hash, principal, browser_id, browser, address, privacy, encrypted, created_ms, seen_ms) = row;
    Some(SessionRow {
        id: id.parse().ok()?,
        token_hash: hash.try_into().ok()?,
        principal: principal.parse().ok()?,
        browser_id,
        browser,
        address,
        privacy: Privacy::from_word(&privacy)?,
        encrypted,
        created_ms,
        seen_ms,
    })
}

impl Store {
    pub(crate) async fn sessions(&self) -> Result<Vec<SessionRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, token_hash, principal, browser_id, browser, address, privacy, encrypted, created_ms, seen_ms
             FROM sessions",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| parse(row).ok_or(StoreError::Row("session"))).collect()
    }

    pub(crate) async fn insert_session(&self, row: &SessionRow) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO sessions (id, token_hash, principal, browser_id, browser, address, privacy, encrypted,
                                   created_ms, seen_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(row.id.to_string())
        .bind(row.token_hash.as_slice())
        .bind(row.principal.to_string())
        .bind(row.browser_id)
        .bind(&row.browser)
        .bind(&row.address)
        .bind(row.privacy.word())
        .bind(row.encrypted)
        .bind(row.created_ms)
        .bind(row.seen_ms)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    pub(crate) async fn save_last_use(
        &self,
        id: SessionId,
        seen_ms: i64,
        address: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET seen_ms = ?, address = ? WHERE id = ?")
            .bind(seen_ms)
            .bind(address)
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn rename_session(&self, id: SessionId, name: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE sessions SET browser = $1 WHERE id = $2")
            .bind(name)
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn delete_session(&self, id: SessionId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM sessions WHERE id = ?").bind(id.to_string()).execute(&self.pool).await?;
        Ok(())
    }
}

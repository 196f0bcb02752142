//! Rows of rights: what somebody may do with a share. What they add up to is `access::grants`.

use proto::api::people::Subject;
use proto::id::GrantId;
use proto::{Permission, Permissions, PrincipalId, ShareId};
use sqlx::SqliteConnection;

use super::{Store, StoreError};

/// A right as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantRow {
    pub(crate) id: GrantId,
    pub(crate) share: ShareId,
    pub(crate) subject: Subject,
    pub(crate) permissions: Permissions,
    pub(crate) expires_ms: Option<i64>,
    pub(crate) granted_by: PrincipalId,
    pub(crate) created_ms: i64,
}

type Columns = (String, String, String, String, String, Option<i64>, String, i64);

/// How a subject is spelled in the database: its kind, and its id or nothing.
fn spell(subject: Subject) -> (&'static str, String) {
    match subject {
        Subject::Principal(id) => ("principal", id.to_string()),
        Subject::Room(id) => ("room", id.to_string()),
        Subject::Everyone => ("everyone", String::new()),
    }
}

fn read_subject(kind: &str, id: &str) -> Option<Subject> {
    match kind {
        "principal" => id.parse().ok().map(Subject::Principal),
        "room" => id.parse().ok().map(Subject::Room),
        "everyone" if id.is_empty() => Some(Subject::Everyone),
        _ => None,
    }
}

/// Permissions as the words of the wire, with commas.
fn spell_permissions(permissions: Permissions) -> String {
    permissions.iter().map(Permission::as_str).collect::<Vec<_>>().join(",")
}

fn read_permissions(words: &str) -> Option<Permissions> {
    words.split(',').filter(|word| !word.is_empty()).map(Permission::from_word).collect()
}

fn parse(row: Columns) -> Option<GrantRow> {
    let (id, share, kind, subject, permissions, expires_ms, granted_by, created_ms) = row;
    Some(GrantRow {
        id: id.parse().ok()?,
        share: share.parse().ok()?,
        subject: read_subject(&kind, &subject)?,
        permissions: read_permissions(&permissions)?,
        expires_ms,
        granted_by: granted_by.parse().ok()?,
        created_ms,
    })
}

/// Keeps a right, as part of what brings it.
pub(super) async fn put_grant(db: &mut SqliteConnection, grant: &GrantRow) -> Result<(), StoreError> {
    let (kind, subject) = spell(grant.subject);
    sqlx::query(
        "INSERT INTO grants (id, share, subject_kind, subject, permissions, expires_ms, granted_by, created_ms)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
         ON CONFLICT (share, subject_kind, subject) DO UPDATE SET permissions = excluded.permissions,
             expires_ms = excluded.expires_ms, granted_by = excluded.granted_by",
    )
    .bind(grant.id.to_string())
    .bind(grant.share.to_string())
    .bind(kind)
    .bind(subject)
    .bind(spell_permissions(grant.permissions))
    .bind(grant.expires_ms)
    .bind(grant.granted_by.to_string())
    .bind(grant.created_ms)
    .execute(db)
    .await?;
    Ok(())
}

impl Store {
    /// All rights, oldest first.
    pub(crate) async fn grants(&self) -> Result<Vec<GrantRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, share, subject_kind, subject, permissions, expires_ms, granted_by, created_ms
             FROM grants ORDER BY created_ms, id",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| parse(row).ok_or(StoreError::Row("grant"))).collect()
    }

    /// Keeps a right: in place of the one of the same share and subject, if there is one.
    pub(crate) async fn put_grant(&self, grant: &GrantRow) -> Result<(), StoreError> {
        let mut db = self.pool.acquire().await?;
        put_grant(&mut db, grant).await
    }

    pub(crate) async fn delete_grant(&self, id: GrantId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM grants WHERE id = $1").bind(id.to_string()).execute(&self.pool).await?;
        Ok(())
    }

    /// Ends every right on a share that does not exist any more.
    pub(crate) async fn delete_grants_on(&self, share: ShareId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM grants WHERE share = $1")
            .bind(share.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends every right of a subject that does not exist any more.
    pub(crate) async fn delete_grants_of(&self, subject: Subject) -> Result<(), StoreError> {
        let (kind, subject) = spell(subject);
        sqlx::query("DELETE FROM grants WHERE subject_kind = $1 AND subject = $2")
            .bind(kind)
            .bind(subject)
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_right_reads_back_and_is_replaced_by_a_second_for_the_same_share_and_subject() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let share = ShareId::generate();
        let subjects = [
            Subject::Principal(PrincipalId::generate()),
            Subject::Room(proto::id::RoomId::generate()),
            Subject::Everyone,
        ];
        let row = |subject, permissions, expires_ms| GrantRow {
            id: GrantId::generate(),
            share,
            subject,
            permissions,
            expires_ms,
            granted_by: PrincipalId::generate(),
            created_ms: 1,
        };
        for subject in subjects {
            let first = row(subject, Permissions::all(), Some(5));
            store.put_grant(&first).await.unwrap();
            assert!(store.grants().await.unwrap().contains(&first));
            let second = row(subject, Permissions::for_everyone(), None);
            store.put_grant(&second).await.unwrap();
            let kept: Vec<_> = store.grants().await.unwrap();
            let kept: Vec<_> = kept.into_iter().filter(|grant| grant.subject == subject).collect();
            assert_eq!(kept, [GrantRow { id: first.id, ..second }]);
        }
        store.delete_grants_of(subjects[1]).await.unwrap();
        assert_eq!(store.grants().await.unwrap().len(), 2);
        store.delete_grants_on(share).await.unwrap();
        assert!(store.grants().await.unwrap().is_empty());
    }
}

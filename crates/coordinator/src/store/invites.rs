//! Rows of invitations, by the hash of their secret. What they are good for is `identity::invites`.

use proto::PrincipalId;
use proto::api::people::InviteGrant;
use proto::id::InviteId;

use super::devices::{DeviceRow, put_device};
use super::grants::{GrantRow, put_grant};
use super::principals::{PrincipalRow, insert_principal};
use super::{Store, StoreError};

/// An invitation, as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InviteRow {
    pub(crate) id: InviteId,
    pub(crate) name: String,
    /// Whose machine it pairs, or who comes in; a new person if absent.
    pub(crate) principal: Option<PrincipalId>,
    pub(crate) grants: Vec<InviteGrant>,
    pub(crate) created_ms: i64,
    pub(crate) expires_ms: i64,
    pub(crate) used_ms: Option<i64>,
}

type Columns = (String, String, Option<String>, String, i64, i64, Option<i64>);

fn parse(row: Columns) -> Option<InviteRow> {
    let (id, name, principal, grants, created_ms, expires_ms, used_ms) = row;
    Some(InviteRow {
        id: id.parse().ok()?,
        name,
        principal: principal.map(|id| id.parse()).transpose().ok()?,
        grants: serde_json::from_str(&grants).ok()?,
        created_ms,
        expires_ms,
        used_ms,
    })
}

impl Store {
    /// All, newest first.
    pub(crate) async fn invites(&self) -> Result<Vec<InviteRow>, StoreError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, name, principal, grants, created_ms, expires_ms, used_ms FROM invites
             ORDER BY created_ms DESC, id DESC",
        )
        .fetch_all(&self.pool)
        .await?;
        rows.into_iter().map(|row| parse(row).ok_or(StoreError::Row("invite"))).collect()
    }

    /// The invitation with this secret, used or not.
    pub(crate) async fn invite(&self, secret_hash: &[u8; 32]) -> Result<Option<InviteRow>, StoreError> {
        let row: Option<Columns> = sqlx::query_as(
            "SELECT id, name, principal, grants, created_ms, expires_ms, used_ms FROM invites
             WHERE secret_hash = $1",
        )
        .bind(secret_hash.as_slice())
        .fetch_optional(&self.pool)
        .await?;
        row.map(|row| parse(row).ok_or(StoreError::Row("invite"))).transpose()
    }

    pub(crate) async fn insert_invite(
        &self,
        row: &InviteRow,
        secret_hash: &[u8; 32],
    ) -> Result<(), StoreError> {
        let grants = serde_json::to_string(&row.grants).map_err(|_| StoreError::Row("invite"))?;
        sqlx::query(
            "INSERT INTO invites (id, secret_hash, name, principal, grants, created_ms, expires_ms)
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(row.id.to_string())
        .bind(secret_hash.as_slice())
        .bind(&row.name)
        .bind(row.principal.map(|id| id.to_string()))
        .bind(grants)
        .bind(row.created_ms)
        .bind(row.expires_ms)
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Uses an invitation up: the newcomer, their machine and the rights come with it, all or nothing. False if it was
    /// used or over meanwhile.
    pub(crate) async fn use_invite(
        &self,
        id: InviteId,
        newcomer: Option<&PrincipalRow>,
        machine: Option<&DeviceRow>,
        grants: &[GrantRow],
        now_ms: i64,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let used = sqlx::query(
            "UPDATE invites SET used_ms = $1 WHERE id = $2 AND used_ms IS NULL AND expires_ms > $3",
        )
        .bind(now_ms)
        .bind(id.to_string())
        .bind(now_ms)
        .execute(&mut *tx)
        .await?;
        if used.rows_affected() == 0 {
            return Ok(false);
        }
        if let Some(newcomer) = newcomer {
            insert_principal(&mut tx, newcomer).await?;
        }
        if let Some(machine) = machine {
            put_device(&mut tx, machine).await?;
        }
        for grant in grants {
            put_grant(&mut tx, grant).await?;
        }
        tx.commit().await?;
        Ok(true)
    }

    /// Takes an invitation back; false if there is none of that id.
    pub(crate) async fn delete_invite(&self, id: InviteId) -> Result<bool, StoreError> {
        let gone =
            sqlx::query("DELETE FROM invites WHERE id = $1").bind(id.to_string()).execute(&self.pool).await?;
        Ok(gone.rows_affected() == 1)
    }

    /// Forgets what has been over for long.
    pub(crate) async fn forget_invites(&self, before_ms: i64) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM invites WHERE expires_ms < $1").bind(before_ms).execute(&self.pool).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::api::people::Subject;
    use proto::id::GrantId;
    use proto::{Permissions, ShareId};

    #[tokio::test]
    async fn an_invitation_brings_person_and_rights_together_and_once() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let invite = InviteRow {
            id: InviteId::generate(),
            name: "Grace".into(),
            principal: None,
            grants: Vec::new(),
            created_ms: 1,
            expires_ms: 9,
            used_ms: None,
        };
        store.insert_invite(&invite, &[7; 32]).await.unwrap();
        let person = || PrincipalRow {
            id: PrincipalId::generate(),
            display_name: "Grace".into(),
            created_ms: 2,
            revoked_ms: None,
        };
        let right = |person: &PrincipalRow| GrantRow {
            id: GrantId::generate(),
            share: ShareId::generate(),
            subject: Subject::Principal(person.id),
            permissions: Permissions::for_everyone(),
            expires_ms: None,
            granted_by: person.id,
            created_ms: 2,
        };
        let (grace, rival) = (person(), person());
        let (hers, theirs) = (right(&grace), right(&rival));
        // A person whom the tables know already: nothing of it stays.
        store.add_person_for_test(grace.id).await;
        assert!(store.use_invite(invite.id, Some(&grace), None, &[hers], 2).await.is_err());
        assert!(store.grants().await.unwrap().is_empty());
        assert!(
            store.use_invite(invite.id, Some(&rival), None, std::slice::from_ref(&theirs), 2).await.unwrap()
        );
        assert_eq!(store.grants().await.unwrap(), std::slice::from_ref(&theirs));
        let late = person();
        assert!(!store.use_invite(invite.id, Some(&late), None, &[right(&late)], 3).await.unwrap());
        assert_eq!(store.grants().await.unwrap(), [theirs]);
    }
}

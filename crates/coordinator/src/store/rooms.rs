//! Rows of rooms and of who is in them.

use std::collections::BTreeSet;

use proto::PrincipalId;
use proto::id::RoomId;

use super::{Store, StoreError};

/// A room as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RoomRow {
    pub(crate) id: RoomId,
    pub(crate) name: String,
    pub(crate) members: BTreeSet<PrincipalId>,
}

impl Store {
    pub(crate) async fn rooms(&self) -> Result<Vec<RoomRow>, StoreError> {
        let broken = || StoreError::Row("room");
        let names: Vec<(String, String)> =
            sqlx::query_as("SELECT id, name FROM rooms ORDER BY id").fetch_all(&self.pool).await?;
        let members: Vec<(String, String)> =
            sqlx::query_as("SELECT room, principal FROM room_members").fetch_all(&self.pool).await?;
        let mut rooms = Vec::with_capacity(names.len());
        for (id, name) in names {
            let mine = members.iter().filter(|(room, _)| *room == id).map(|(_, person)| person.parse());
            let members = mine.collect::<Result<_, _>>().map_err(|_| broken())?;
            rooms.push(RoomRow { id: id.parse().map_err(|_| broken())?, name, members });
        }
        Ok(rooms)
    }

    pub(crate) async fn insert_room(&self, id: RoomId, name: &str, now_ms: i64) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO rooms (id, name, created_ms) VALUES ($1, $2, $3)")
            .bind(id.to_string())
            .bind(name)
            .bind(now_ms)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn rename_room(&self, id: RoomId, name: &str) -> Result<(), StoreError> {
        sqlx::query("UPDATE rooms SET name = $1 WHERE id = $2")
            .bind(name)
            .bind(id.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Ends a room, with the rights it has.
    pub(crate) async fn delete_room(&self, id: RoomId) -> Result<(), StoreError> {
        let mut tx = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        for statement in [
            "DELETE FROM grants WHERE subject_kind = 'room' AND subject = $1",
            "DELETE FROM room_members WHERE room = $1",
            "DELETE FROM rooms WHERE id = $1",
        ] {
            sqlx::query(statement).bind(id.to_string()).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    pub(crate) async fn insert_member(&self, room: RoomId, person: PrincipalId) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO room_members (room, principal) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(room.to_string())
            .bind(person.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn delete_member(&self, room: RoomId, person: PrincipalId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM room_members WHERE room = $1 AND principal = $2")
            .bind(room.to_string())
            .bind(person.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Takes somebody out of every room.
    pub(crate) async fn delete_memberships(&self, person: PrincipalId) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM room_members WHERE principal = $1")
            .bind(person.to_string())
            .execute(&self.pool)
            .await?;
        Ok(())
    }
}

#[cfg(test)]
impl Store {
    /// Somebody who can be in a room.
    pub(crate) async fn add_person_for_test(&self, person: PrincipalId) {
        sqlx::query("INSERT INTO principals (id, display_name, created_ms) VALUES ($1, 'P', 0)")
            .bind(person.to_string())
            .execute(&self.pool)
            .await
            .unwrap();
    }
}

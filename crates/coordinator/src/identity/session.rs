//! Signed-in browsers, known by heart: every request asks here, and no request waits for the disk.
//!
//! A session is found by the hash of its cookie and holds only on a connection like the one it began on: a cookie
//! overheard on an open connection is worthless on a private one, and the other way round.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::RwLock;
use proto::api::auth::Privacy;
use proto::{PrincipalId, SessionId};

use super::Visitor;
use super::token::Token;
use crate::clock::{Clock, to_ms};
use crate::store::sessions::SessionRow;
use crate::store::{Store, StoreError};

/// How long a guest's session lasts without use: a guest has no PIN to come back with.
pub(crate) const GUEST_IDLE_MS: i64 = 30 * 24 * 3600 * 1000;
/// Sessions at most; beyond that the one longest unused ends.
const MAX_SESSIONS: usize = 256;

/// How long sessions last without use.
#[derive(Clone, Copy)]
pub(crate) struct IdleRule {
    pub(crate) owner: Option<PrincipalId>,
    /// As the settings say.
    pub(crate) owner_ms: i64,
}

impl IdleRule {
    pub(crate) fn of(self, principal: PrincipalId) -> i64 {
        if self.owner == Some(principal) { self.owner_ms } else { GUEST_IDLE_MS.max(self.owner_ms) }
    }
}

/// A session as it stands in memory.
struct Held {
    row: SessionRow,
    /// The steady clock at its last use; may lie before the process's start.
    used_steady_ms: i64,
    /// True if the last use is not on the disk yet.
    unsaved: bool,
}

/// What a door learns of a session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionIdentity {
    pub(crate) id: SessionId,
    pub(crate) principal: PrincipalId,
    pub(crate) privacy: Privacy,
    pub(crate) browser_id: Option<i64>,
}

/// The table of sessions.
pub(crate) struct Sessions {
    store: Store,
    clock: Arc<dyn Clock>,
    held: RwLock<HashMap<[u8; 32], Held>>,
}

impl Sessions {
    pub(crate) async fn open(store: Store, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let (wall, steady) = (to_ms(clock.wall()), clock.steady_ms());
        let held = store
            .sessions()
            .await?
            .into_iter()
            .map(|row| {
                let idle = wall.saturating_sub(row.seen_ms).max(0);
                let held = Held { used_steady_ms: steady.saturating_sub(idle), unsaved: false, row };
                (held.row.token_hash, held)
            })
            .collect();
        Ok(Self { store, clock, held: RwLock::new(held) })
    }

    /// Begins a session and gives the token for its cookie.
    pub(crate) async fn begin(
        &self,
        principal: PrincipalId,
        visitor: &Visitor,
        browser_id: Option<i64>,
        token: &Token,
    ) -> Result<SessionIdentity, StoreError> {
        let now = to_ms(self.clock.wall());
        let row = SessionRow {
            id: SessionId::generate(),
            token_hash: token.hash(),
            principal,
            browser_id,
            browser: visitor.browser.clone(),
            address: visitor.address.to_string(),
            privacy: visitor.privacy,
            encrypted: visitor.encrypted,
            created_ms: now,
            seen_ms: now,
        };
        self.store.insert_session(&row).await?;
        let identity = identity_of(&row);
        let used_steady_ms = self.clock.steady_ms();
        self.held.write().insert(row.token_hash, Held { row, used_steady_ms, unsaved: false });
        self.end_surplus().await?;
        Ok(identity)
    }

    /// The session of this cookie, if it is alive and the connection is like the one it began on. Looking
    /// without `using` does not keep it alive.
    pub(crate) fn find(
        &self,
        token_hash: &[u8; 32],
        privacy: Privacy,
        encrypted: bool,
        address: IpAddr,
        idle: IdleRule,
        using: bool,
    ) -> Option<SessionIdentity> {
        let mut table = self.held.write();
        let held = table.get_mut(token_hash)?;
        if held.row.privacy != privacy || held.row.encrypted != encrypted || self.is_over(held, idle) {
            return None;
        }
        if !using {
            return Some(identity_of(&held.row));
        }
        held.used_steady_ms = self.clock.steady_ms();
        held.row.seen_ms = to_ms(self.clock.wall());
        held.unsaved = true;
        if held.row.address.parse() != Ok(address) {
            held.row.address = address.to_string();
        }
        Some(identity_of(&held.row))
    }

    /// Whose session it is; `None` if there is none of this id.
    pub(crate) fn principal_of(&self, id: SessionId) -> Option<PrincipalId> {
        self.held.read().values().find(|held| held.row.id == id).map(|held| held.row.principal)
    }

    /// Notes a use of these sessions by an answer that is still on its way.
    pub(crate) fn used(&self, ids: &[SessionId]) {
        let (wall, steady) = (to_ms(self.clock.wall()), self.clock.steady_ms());
        for held in self.held.write().values_mut().filter(|held| ids.contains(&held.row.id)) {
            held.used_steady_ms = steady;
            held.row.seen_ms = wall;
            held.unsaved = true;
        }
    }

    /// Milliseconds of no use, by the clock that says more: the steady one stands still while a machine sleeps.
    fn idle_of(&self, held: &Held) -> i64 {
        let steady = self.clock.steady_ms().saturating_sub(held.used_steady_ms);
        let wall = to_ms(self.clock.wall()).saturating_sub(held.row.seen_ms);
        steady.max(wall)
    }

    fn is_over(&self, held: &Held, idle: IdleRule) -> bool {
        self.idle_of(held) > idle.of(held.row.principal)
    }

    /// Those alive, newest use first.
    pub(crate) fn list(&self, idle: IdleRule) -> Vec<SessionRow> {
        let table = self.held.read();
        let alive = table.values().filter(|held| !self.is_over(held, idle));
        let mut rows: Vec<_> = alive.map(|held| held.row.clone()).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.seen_ms, row.id)));
        rows
    }

    /// Gives a session's browser another name; `None` if there is no such session.
    pub(crate) async fn rename(&self, id: SessionId, name: &str) -> Result<Option<SessionRow>, StoreError> {
        if self.principal_of(id).is_none() {
            return Ok(None);
        }
        self.store.rename_session(id, name).await?;
        let mut table = self.held.write();
        let held = table.values_mut().find(|held| held.row.id == id);
        Ok(held.map(|held| {
            name.clone_into(&mut held.row.browser);
            held.row.clone()
        }))
    }

    /// Ends a session; false if there is none of that id.
    pub(crate) async fn end(&self, id: SessionId) -> Result<bool, StoreError> {
        let found = self.forget(|row| row.id == id);
        if !found.is_empty() {
            self.store.delete_session(id).await?;
        }
        Ok(!found.is_empty())
    }

    /// Drops from memory what the store has dropped already.
    pub(crate) fn forget(&self, which: impl Fn(&SessionRow) -> bool) -> Vec<SessionId> {
        let mut gone = Vec::new();
        self.held.write().retain(|_, held| {
            let drop = which(&held.row);
            if drop {
                gone.push(held.row.id);
            }
            !drop
        });
        gone
    }

    /// Ends the sessions that `which` says; gives their ids.
    pub(crate) async fn end_where(
        &self,
        which: impl Fn(&SessionRow) -> bool,
    ) -> Result<Vec<SessionId>, StoreError> {
        let gone = self.forget(which);
        for id in &gone {
            self.store.delete_session(*id).await?;
        }
        Ok(gone)
    }

    /// Once a minute: ends what was idle too long, and writes down the last uses.
    pub(crate) async fn tidy(&self, rule: IdleRule) -> Result<Vec<SessionId>, StoreError> {
        let (wall, steady) = (to_ms(self.clock.wall()), self.clock.steady_ms());
        let mut used = Vec::new();
        let mut idle = Vec::new();
        for held in self.held.write().values_mut() {
            let unused = (steady - held.used_steady_ms).max(wall - held.row.seen_ms);
            if unused > rule.of(held.row.principal) {
                idle.push(held.row.id);
            } else if std::mem::take(&mut held.unsaved) {
                used.push((held.row.id, held.row.seen_ms, held.row.address.clone()));
            }
        }
        for (id, seen_ms, address) in used {
            self.store.save_last_use(id, seen_ms, &address).await?;
        }
        self.end_where(|row| idle.contains(&row.id)).await
    }

    async fn end_surplus(&self) -> Result<(), StoreError> {
        let surplus: Vec<SessionId> = {
            let table = self.held.read();
            let mut by_use: Vec<_> = table.values().map(|h| (h.used_steady_ms, h.row.id)).collect();
            by_use.sort_unstable();
            by_use.iter().take(by_use.len().saturating_sub(MAX_SESSIONS)).map(|(_, id)| *id).collect()
        };
        self.end_where(|row| surplus.contains(&row.id)).await.map(drop)
    }
}

fn identity_of(row: &SessionRow) -> SessionIdentity {
    SessionIdentity { id: row.id, principal: row.principal, privacy: row.privacy, browser_id: row.browser_id }
}

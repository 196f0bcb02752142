//! Machines that wait to be let in. The code that a machine shows is counted before it is looked at, like a PIN; a
//! wrong code for a pairing that is named burns that pairing. What a confirmed machine needs goes to who proves its
//! key, and never through who confirmed.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::RwLock;
use proto::api::pairing::claim_text;
use proto::id::InviteId;
use proto::{DeviceId, PrincipalId, Secret};
use subtle::ConstantTimeEq;

use super::access_token::signed_by;
use super::pin::to_hex;
use crate::clock::{Clock, to_ms};
use crate::keyfile;
use crate::store::devices::DeviceRow;
use crate::store::pairings::PairingRow;
use crate::store::principals::PrincipalRow;
use crate::store::{Store, StoreError};

/// How long a code can be typed, and after that how long its machine has to claim.
pub(crate) const LIFETIME_MS: i64 = 600_000;
/// Machines that wait at once.
const MAX_WAITING: usize = 16;
/// Of these, from one address: a further one takes the place of its oldest.
const MAX_FROM_ONE: usize = 3;
/// Digits of a code.
const CODES: u32 = 1_000_000;

/// Why a pairing does not go on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PairingError {
    /// Wrong, used, burnt or over its time: which, is not told.
    #[error("no such pairing")]
    NoSuch,
    #[error("the signature does not fit")]
    Signature,
    #[error("too many machines wait")]
    Full(u64),
    #[error("there is no such person")]
    Nobody,
    #[error("no random numbers")]
    Random(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A machine that asks to be let in, its names checked.
pub(crate) struct Asking {
    pub(crate) device: DeviceId,
    pub(crate) device_name: String,
    pub(crate) display_name: String,
    pub(crate) platform: String,
    pub(crate) invite: Option<InviteId>,
}

/// A pairing as it stands in memory.
struct Held {
    row: PairingRow,
    /// The address it was begun from; nothing after a restart.
    from: Option<IpAddr>,
    /// The steady clock at its end: no step of the clock on the wall gives a code more time.
    ends_steady_ms: i64,
}

/// All pairings that are not over their time.
pub(crate) struct Pairings {
    store: Store,
    clock: Arc<dyn Clock>,
    code_key: [u8; 32],
    /// Oldest first: there are only a few.
    held: RwLock<Vec<Held>>,
    /// One change at a time.
    changing: tokio::sync::Mutex<()>,
}

/// Who confirms for whom.
pub(crate) enum For {
    /// Somebody who is here already.
    Known(PrincipalId),
    /// Somebody new.
    New(PrincipalRow),
}

/// How a claim stands.
pub(crate) enum Standing {
    /// Nobody has confirmed yet.
    Waiting(PairingRow),
    /// The pairing goes on by an invite, which is still to be used.
    Invited(PairingRow),
    /// Confirmed, to be let in now.
    Confirmed(PairingRow, PrincipalId),
    /// The machine was let in before, and asks again.
    Claimed(PairingRow, PrincipalId),
}

impl Pairings {
    pub(crate) async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        server_key: &[u8; 32],
    ) -> Result<Self, StoreError> {
        let (now, steady) = (to_ms(clock.wall()), clock.steady_ms());
        let rows = store.pairings(now).await?.into_iter();
        let held = rows.map(|row| {
            let ends_steady_ms = steady + (row.expires_ms - now).clamp(0, LIFETIME_MS);
            Held { row, from: None, ends_steady_ms }
        });
        Ok(Self {
            held: RwLock::new(held.collect()),
            code_key: blake3::derive_key("lanthorn 2026-11-21 pairing code", server_key),
            store,
            clock,
            changing: tokio::sync::Mutex::default(),
        })
    }

    /// Begins a pairing; gives it with its code. `words` are made of its id, outside any lock.
    pub(crate) async fn start(
        &self,
        asking: Asking,
        from: IpAddr,
        words: impl AsyncFnOnce(&str) -> Result<String, PairingError>,
    ) -> Result<(PairingRow, String), PairingError> {
        let id = to_hex(&keyfile::random()?[..16]);
        let words = words(&id).await?;
        let _turn = self.changing.lock().await;
        self.make_room(from).await?;
        let code = self.free_code()?;
        let now_ms = to_ms(self.clock.wall());
        // Behind an invite no code opens anything: its hash is of something that nobody was ever told.
        let code_hash = if asking.invite.is_some() { keyfile::random()? } else { self.hash(&code) };
        let row = PairingRow {
            code_hash,
            challenge: to_hex(&keyfile::random()?),
            words,
            device: asking.device,
            device_name: asking.device_name,
            display_name: asking.display_name,
            platform: asking.platform,
            invite: asking.invite,
            created_ms: now_ms,
            expires_ms: now_ms + LIFETIME_MS,
            principal: None,
            ended_ms: None,
            id,
        };
        self.store.insert_pairing(&row).await?;
        let ends_steady_ms = self.clock.steady_ms() + LIFETIME_MS;
        let held = Held { row: row.clone(), from: Some(from), ends_steady_ms };
        self.held.write().push(held);
        Ok((row, code))
    }

    /// Forgets what is over, and of too many from one address the oldest. Says how long to wait if too many others wait.
    async fn make_room(&self, from: IpAddr) -> Result<(), PairingError> {
        self.tidy().await?;
        let (oldest, mut waiting) = {
            let held = self.held.read();
            let waiting: Vec<_> = held.iter().filter(|held| held.row.ended_ms.is_none()).collect();
            let theirs = || waiting.iter().filter(|held| held.from == Some(from));
            let oldest =
                (theirs().count() >= MAX_FROM_ONE).then(|| theirs().next().map(|held| held.row.id.clone()));
            (oldest.flatten(), waiting.iter().map(|held| held.ends_steady_ms).collect::<Vec<_>>())
        };
        if let Some(oldest) = oldest {
            self.end(&oldest).await?;
            return Ok(());
        }
        if waiting.len() < MAX_WAITING {
            return Ok(());
        }
        waiting.sort_unstable();
        let left = waiting.first().map_or(0, |ends| ends - self.clock.steady_ms());
        Err(PairingError::Full(u64::try_from(left).unwrap_or(0).div_ceil(1000).max(1)))
    }

    /// A code that no waiting machine shows. Every code is equally likely.
    fn free_code(&self) -> Result<String, PairingError> {
        loop {
            let bytes = keyfile::random()?;
            let number = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
            // What is left over above the last full million would make small codes likelier.
            if number >= u32::MAX / CODES * CODES {
                continue;
            }
            let code = format!("{:06}", number % CODES);
            if self.by_code(&code).is_none() {
                return Ok(code);
            }
        }
    }

    fn hash(&self, code: &str) -> [u8; 32] {
        *blake3::keyed_hash(&self.code_key, code.as_bytes()).as_bytes()
    }

    fn is_open(&self, held: &Held) -> bool {
        held.row.ended_ms.is_none() && held.row.principal.is_none() && self.in_time(held)
    }

    fn in_time(&self, held: &Held) -> bool {
        self.clock.steady_ms() < held.ends_steady_ms && to_ms(self.clock.wall()) < held.row.expires_ms
    }

    fn by_code(&self, code: &str) -> Option<PairingRow> {
        let hash = self.hash(code);
        let held = self.held.read();
        let mut open = held.iter().filter(|held| self.is_open(held));
        open.find(|held| held.row.code_hash.ct_eq(&hash).into()).map(|held| held.row.clone())
    }

    /// The machine that shows this code. The try has been counted.
    pub(super) fn look(&self, code: &Secret<String>) -> Result<PairingRow, PairingError> {
        self.by_code(plain(code).expose()).ok_or(PairingError::NoSuch)
    }

    /// Machines that wait for somebody to confirm them, oldest first.
    pub(crate) fn waiting(&self) -> Vec<PairingRow> {
        let held = self.held.read();
        let open = held.iter().filter(|held| self.is_open(held) && held.row.invite.is_none());
        open.map(|held| held.row.clone()).collect()
    }

    /// Confirms a pairing. The try has been counted. A wrong code for it ends it: whoever has seen the machine's
    /// screen has looked by the code before.
    pub(super) async fn confirm(
        &self,
        id: &str,
        code: &Secret<String>,
        whose: For,
    ) -> Result<PairingRow, PairingError> {
        let _turn = self.changing.lock().await;
        let hash = self.hash(plain(code).expose());
        let found = {
            let held = self.held.read();
            held.iter()
                .find(|held| held.row.id == id)
                .filter(|held| self.is_open(held))
                .map(|held| held.row.clone())
        };
        let mut row = found.ok_or(PairingError::NoSuch)?;
        if !bool::from(row.code_hash.ct_eq(&hash)) {
            self.end(id).await?;
            return Err(PairingError::NoSuch);
        }
        let (principal, newcomer) = match &whose {
            For::Known(id) => (*id, None),
            For::New(person) => (person.id, Some(person)),
        };
        row.principal = Some(principal);
        row.expires_ms = to_ms(self.clock.wall()) + LIFETIME_MS;
        if !self.store.confirm_pairing(id, principal, newcomer, row.expires_ms).await? {
            return Err(PairingError::NoSuch);
        }
        if let Some(held) = self.held.write().iter_mut().find(|held| held.row.id == id) {
            held.row = row.clone();
            held.ends_steady_ms = self.clock.steady_ms() + LIFETIME_MS;
        }
        Ok(row)
    }

    /// Turns a waiting machine away; false if it does not wait.
    pub(crate) async fn turn_away(&self, id: &str) -> Result<bool, StoreError> {
        let _turn = self.changing.lock().await;
        let waits = self.held.read().iter().any(|held| held.row.id == id && self.is_open(held));
        if waits {
            self.end(id).await?;
        }
        Ok(waits)
    }

    async fn end(&self, id: &str) -> Result<(), StoreError> {
        let now_ms = to_ms(self.clock.wall());
        self.store.end_pairing(id, now_ms).await?;
        self.note_end(id, now_ms);
        Ok(())
    }

    fn note_end(&self, id: &str, now_ms: i64) {
        if let Some(held) = self.held.write().iter_mut().find(|held| held.row.id == id) {
            held.row.ended_ms.get_or_insert(now_ms);
        }
    }

    /// How a pairing stands, for who proves the key of its machine.
    pub(super) fn standing(&self, id: &str, signature: &str) -> Result<Standing, PairingError> {
        let found = {
            let held = self.held.read();
            held.iter()
                .find(|held| held.row.id == id)
                .filter(|held| self.in_time(held))
                .map(|held| held.row.clone())
        };
        let row = found.ok_or(PairingError::NoSuch)?;
        if !signed_by(row.device, &claim_text(id, &row.challenge), signature) {
            return Err(PairingError::Signature);
        }
        match (row.principal, row.ended_ms) {
            (Some(principal), Some(_)) => Ok(Standing::Claimed(row, principal)),
            (Some(principal), None) => Ok(Standing::Confirmed(row, principal)),
            (None, Some(_)) => Err(PairingError::NoSuch),
            (None, None) if row.invite.is_some() => Ok(Standing::Invited(row)),
            (None, None) => Ok(Standing::Waiting(row)),
        }
    }

    /// Lets the machine of a confirmed pairing in.
    pub(super) async fn claim(&self, row: &PairingRow, machine: &DeviceRow) -> Result<(), PairingError> {
        let _turn = self.changing.lock().await;
        if !self.store.claim_pairing(&row.id, machine, machine.paired_ms).await? {
            return Err(PairingError::NoSuch);
        }
        self.note_end(&row.id, machine.paired_ms);
        Ok(())
    }

    /// Notes that the machine of an invited pairing was let in.
    pub(super) async fn claimed_by_invite(
        &self,
        row: &PairingRow,
        principal: PrincipalId,
        now_ms: i64,
    ) -> Result<(), StoreError> {
        let _turn = self.changing.lock().await;
        self.store.confirm_pairing(&row.id, principal, None, row.expires_ms).await?;
        self.store.end_pairing(&row.id, now_ms).await?;
        if let Some(held) = self.held.write().iter_mut().find(|held| held.row.id == row.id) {
            held.row.principal = Some(principal);
            held.row.ended_ms = Some(now_ms);
        }
        Ok(())
    }

    /// Forgets the pairings of somebody who has ended.
    pub(super) fn forget_of(&self, principal: PrincipalId) {
        self.held.write().retain(|held| held.row.principal != Some(principal));
    }

    /// Forgets what is over its time.
    pub(super) async fn tidy(&self) -> Result<(), StoreError> {
        let over: Vec<String> = {
            let held = self.held.read();
            held.iter().filter(|held| !self.in_time(held)).map(|held| held.row.id.clone()).collect()
        };
        if over.is_empty() {
            return Ok(());
        }
        let now_ms = to_ms(self.clock.wall());
        for id in &over {
            self.store.end_pairing(id, now_ms).await?;
        }
        self.store.forget_pairings(now_ms).await?;
        self.held.write().retain(|held| !over.contains(&held.row.id));
        Ok(())
    }
}

/// A code as it is shown, however it was typed.
fn plain(code: &Secret<String>) -> Secret<String> {
    Secret::new(code.expose().chars().filter(|c| !matches!(c, ' ' | '-')).take(12).collect())
}

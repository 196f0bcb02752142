//! How somebody new comes in: a machine by its code or an invitation, a guest's browser by an invitation. Each way ends
//! in one write to the disk that brings person and machine together or not at all.

use proto::api::people::InviteGrant;
use proto::id::InviteId;
use proto::{DeviceId, PrincipalId, Secret};

use super::invites::InviteSecret;
use super::lockout::{Source, Wait};
use super::pairing::{Asking, For, PairingError, Standing};
use super::{Identity, SignInError, SignedIn, Visitor};
use crate::access::Rights;
use crate::access::grants::{ChangeError, Wanted};
use crate::clock::to_ms;
use crate::store::StoreError;
use crate::store::devices::DeviceRow;
use crate::store::invites::InviteRow;
use crate::store::pairings::PairingRow;
use crate::store::principals::PrincipalRow;

/// Why somebody does not come in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JoinError {
    #[error(transparent)]
    Pairing(#[from] PairingError),
    /// Wrong, used or over its time: which, is not told.
    #[error("no such invitation")]
    NoSuchInvite,
    #[error("the invitation is for a machine")]
    ForMachine,
    #[error("too many wrong codes")]
    Locked(Wait),
    #[error("too many tries")]
    TooMany(u64),
    #[error(transparent)]
    Rights(#[from] ChangeError),
    #[error(transparent)]
    SignIn(#[from] SignInError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose a confirmed machine becomes.
pub(crate) enum Whose {
    /// Somebody's who is here already.
    Person(PrincipalId),
    /// Somebody's who comes with it, by this name.
    Newcomer(String),
}

/// A machine that was let in.
pub(crate) struct Joined {
    pub(crate) principal: PrincipalId,
    pub(crate) device: DeviceId,
    /// False if it was let in before, and asks again.
    pub(crate) fresh: bool,
    /// True if it was another person's until now.
    pub(crate) changed_hands: bool,
    /// What the invitation carried.
    pub(crate) grants: Vec<InviteGrant>,
}

/// How the rights are given that an invitation carries: they are written together with whoever comes in by it.
pub(crate) struct Gifts<'a> {
    pub(crate) rights: &'a Rights,
    /// Which of them are still to be given to this person.
    pub(crate) wanted: &'a (dyn Fn(PrincipalId, &[InviteGrant]) -> Vec<Wanted> + Sync),
}

impl Identity {
    /// Uses an invitation up for somebody, with the rights that it carries.
    async fn come_in(
        &self,
        invite: &InviteRow,
        gifts: &Gifts<'_>,
        principal: PrincipalId,
        newcomer: Option<PrincipalRow>,
        machine: Option<&DeviceRow>,
    ) -> Result<(), JoinError> {
        let now_ms = to_ms(self.clock.wall());
        let by = self.owner_id().ok_or(JoinError::NoSuchInvite)?;
        let wanted = (gifts.wanted)(principal, &invite.grants);
        let giving = gifts.rights.begin_giving(&wanted, by, now_ms).await?;
        if !self.store.use_invite(invite.id, newcomer.as_ref(), machine, giving.rows(), now_ms).await? {
            return Err(JoinError::NoSuchInvite);
        }
        giving.given();
        newcomer.into_iter().for_each(|person| self.principals.learn(person));
        Ok(())
    }

    /// Lets an address begin a pairing, or says how long it waits.
    pub(crate) async fn start_pairing(
        &self,
        visitor: &Visitor,
        invite: Option<&str>,
        asking: impl FnOnce(Option<InviteId>) -> Asking,
        words: impl AsyncFnOnce(&str) -> Result<String, PairingError>,
    ) -> Result<(PairingRow, String), JoinError> {
        self.pairing_throttle.knock(visitor.address, self.clock.steady_ms()).map_err(JoinError::TooMany)?;
        let invite = match invite {
            Some(text) => Some(self.live_invite(text).await?.id),
            None => None,
        };
        Ok(self.pairings.start(asking(invite), visitor.address, words).await?)
    }

    async fn live_invite(&self, text: &str) -> Result<InviteRow, JoinError> {
        let secret = InviteSecret::parse(text).ok_or(JoinError::NoSuchInvite)?;
        let row = self.invites.find(&secret).await?.ok_or(JoinError::NoSuchInvite)?;
        let good = row.principal.is_none_or(|id| self.principals.lives(id));
        good.then_some(row).ok_or(JoinError::NoSuchInvite)
    }

    /// The machine that shows this code.
    pub(crate) async fn look_at_code(&self, code: &Secret<String>) -> Result<PairingRow, JoinError> {
        let attempt = self.attempts.reserve(Source::Code).await?.map_err(JoinError::Locked)?;
        let row = self.pairings.look(code)?;
        self.attempts.take_back(attempt).await?;
        Ok(row)
    }

    /// Says that a machine may come in, and whose it is.
    pub(crate) async fn confirm_pairing(
        &self,
        id: &str,
        code: &Secret<String>,
        whose: Whose,
    ) -> Result<PairingRow, JoinError> {
        let _turn = self.changing.lock().await;
        let whose = match whose {
            Whose::Person(id) if !self.principals.lives(id) => return Err(PairingError::Nobody.into()),
            Whose::Person(id) => For::Known(id),
            Whose::Newcomer(name) => For::New(self.newcomer(name)),
        };
        let newcomer = match &whose {
            For::Known(_) => None,
            For::New(row) => Some(row.clone()),
        };
        let attempt = self.attempts.reserve(Source::Code).await?.map_err(JoinError::Locked)?;
        let row = self.pairings.confirm(id, code, whose).await?;
        self.attempts.take_back(attempt).await?;
        newcomer.into_iter().for_each(|person| self.principals.learn(person));
        Ok(row)
    }

    fn newcomer(&self, display_name: String) -> PrincipalRow {
        let created_ms = to_ms(self.clock.wall());
        PrincipalRow { id: PrincipalId::generate(), display_name, created_ms, revoked_ms: None }
    }

    /// Lets the machine of a pairing in, if somebody has confirmed it or it has an invitation; `None` while it waits.
    pub(crate) async fn claim_pairing(
        &self,
        visitor: &Visitor,
        (id, signature): (&str, &str),
        invite: Option<&str>,
        gifts: &Gifts<'_>,
    ) -> Result<Option<Joined>, JoinError> {
        self.claim_throttle.knock(visitor.address, self.clock.steady_ms()).map_err(JoinError::TooMany)?;
        // Nobody ends a person between the look at them and the write.
        let _turn = self.changing.lock().await;
        match self.pairings.standing(id, signature)? {
            Standing::Waiting(row) => match invite {
                None => Ok(None),
                Some(text) => {
                    let invite = Some(self.live_invite(text).await?.id);
                    self.claim_by_invite(PairingRow { invite, ..row }, gifts).await.map(Some)
                }
            },
            Standing::Claimed(row, principal) => {
                let still = self.devices.owner_of(row.device) == Some(principal);
                let again = Joined {
                    principal,
                    device: row.device,
                    fresh: false,
                    changed_hands: false,
                    grants: Vec::new(),
                };
                still.then_some(Some(again)).ok_or(PairingError::NoSuch.into())
            }
            Standing::Confirmed(row, principal) => {
                if !self.principals.lives(principal) {
                    return Err(PairingError::NoSuch.into());
                }
                let machine = self.machine_of(&row, principal, row.device_name.clone());
                self.pairings.claim(&row, &machine).await?;
                Ok(Some(self.let_in(machine, Vec::new())))
            }
            Standing::Invited(row) => self.claim_by_invite(row, gifts).await.map(Some),
        }
    }

    async fn claim_by_invite(&self, row: PairingRow, gifts: &Gifts<'_>) -> Result<Joined, JoinError> {
        let invite = match row.invite {
            Some(id) => self.invites.by_id(id).await?.ok_or(JoinError::NoSuchInvite)?,
            None => return Err(JoinError::NoSuchInvite),
        };
        let (principal, newcomer, name) = match invite.principal {
            Some(id) if self.principals.lives(id) => (id, None, invite.name.clone()),
            Some(_) => return Err(JoinError::NoSuchInvite),
            None => {
                let person = self.newcomer(invite.name.clone());
                (person.id, Some(person), row.device_name.clone())
            }
        };
        let machine = self.machine_of(&row, principal, name);
        let now_ms = machine.paired_ms;
        self.come_in(&invite, gifts, principal, newcomer, Some(&machine)).await?;
        let joined = self.let_in(machine, invite.grants);
        self.pairings.claimed_by_invite(&row, principal, now_ms).await?;
        Ok(joined)
    }

    /// A machine that is paired again stays hidden if it was.
    fn machine_of(&self, row: &PairingRow, principal: PrincipalId, name: String) -> DeviceRow {
        DeviceRow {
            id: row.device,
            principal,
            name,
            platform: row.platform.clone(),
            visible: self.devices.find(row.device).is_none_or(|before| before.visible),
            paired_ms: to_ms(self.clock.wall()),
            revoked_ms: None,
        }
    }

    fn let_in(&self, machine: DeviceRow, grants: Vec<InviteGrant>) -> Joined {
        let before = self.devices.owner_of(machine.id);
        let (principal, device) = (machine.principal, machine.id);
        self.devices.learn(machine);
        let changed_hands = before.is_some_and(|owner| owner != principal);
        Joined { principal, device, fresh: true, changed_hands, grants }
    }

    /// Lets a guest's browser in.
    pub(crate) async fn use_invite(
        &self,
        visitor: &Visitor,
        text: &str,
        gifts: &Gifts<'_>,
    ) -> Result<(SignedIn, Vec<InviteGrant>), JoinError> {
        self.claim_throttle.knock(visitor.address, self.clock.steady_ms()).map_err(JoinError::TooMany)?;
        let _turn = self.changing.lock().await;
        let invite = self.live_invite(text).await?;
        if invite.principal.is_some() && invite.principal == self.owner_id() {
            // The owner's own browser knows the PIN.
            return Err(JoinError::ForMachine);
        }
        let newcomer = match invite.principal {
            Some(_) => None,
            None => Some(self.newcomer(invite.name.clone())),
        };
        let principal = invite.principal.or(newcomer.as_ref().map(|person| person.id));
        let principal = principal.ok_or(JoinError::NoSuchInvite)?;
        self.come_in(&invite, gifts, principal, newcomer, None).await?;
        let admitted = self.admit_guest(principal, visitor).await?;
        Ok((admitted, invite.grants))
    }
}

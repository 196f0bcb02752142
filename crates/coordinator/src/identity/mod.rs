//! Who somebody is: first run, signing in, sessions. Knows no HTTP; doors describe who knocks as a [`Visitor`].

pub(crate) mod access_token;
mod browser_name;
pub(crate) mod devices;
pub(crate) mod invites;
pub(crate) mod joining;
pub(crate) mod lockout;
pub(crate) mod pairing;
pub(crate) mod passcode;
pub(crate) mod pin;
pub(crate) mod principals;
pub(crate) mod session;
pub(crate) mod setup_code;
mod throttle;
pub(crate) mod token;
pub(crate) mod upload_key;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::RwLock;
use proto::api::auth::Privacy;
use proto::{DeviceId, PrincipalId, Secret, SessionId};

use access_token::AccessTokens;
pub(crate) use browser_name::short_name;
use devices::Devices;
use invites::Invites;
use lockout::{Attempts, Source, Wait};
use pairing::Pairings;
use pin::{HashError, Pin, PinDesk};
use principals::Principals;
use session::{IdleRule, SessionIdentity, Sessions};
use setup_code::{CodeError, SetupCode};
use throttle::Throttle;
use token::Token;
use upload_key::UploadKeys;

use crate::clock::{Clock, to_ms};
use crate::store::devices::DeviceRow;
use crate::store::owner::{FirstShare, Owner};
use crate::store::principals::PrincipalRow;
use crate::store::{Store, StoreError};

/// Somebody at the door, as the connection and the request describe them.
pub(crate) struct Visitor {
    pub(crate) address: IpAddr,
    pub(crate) privacy: Privacy,
    pub(crate) encrypted: bool,
    /// True if the connection comes from this machine and asks for it by a loopback name.
    pub(crate) on_machine: bool,
    /// The token of a browser that has signed in before.
    pub(crate) known: Option<Token>,
    /// The browser's short name.
    pub(crate) browser: String,
}

/// Why somebody was not let in.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SignInError {
    #[error("this machine is not set up")]
    NotSetUp,
    #[error("this machine is set up already")]
    AlreadySetUp,
    #[error("not a PIN")]
    BadPin,
    #[error("wrong PIN")]
    WrongPin,
    #[error("wrong setup code")]
    WrongCode,
    #[error("too many wrong PINs")]
    Locked(Wait),
    #[error("too many tries")]
    TooMany(u64),
    #[error("too many sign-ins at once")]
    Busy,
    #[error("the PIN was changed meanwhile")]
    Changed,
    #[error(transparent)]
    Hash(#[from] HashError),
    #[error("no random numbers")]
    Random(#[from] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A browser that was let in: what to put into its cookies.
pub(crate) struct SignedIn {
    pub(crate) session: SessionIdentity,
    pub(crate) token: Token,
    /// Given to a browser that was not known before.
    pub(crate) known: Option<Token>,
}

/// The machine that this coordinator runs on.
#[derive(Clone)]
pub(crate) struct OwnMachine {
    pub(crate) id: DeviceId,
    pub(crate) name: String,
}

impl OwnMachine {
    fn row(&self, owner: PrincipalId, now_ms: i64) -> DeviceRow {
        DeviceRow {
            id: self.id,
            principal: owner,
            name: self.name.clone(),
            platform: std::env::consts::OS.to_owned(),
            visible: true,
            paired_ms: now_ms,
            revoked_ms: None,
        }
    }
}

/// What a first run lays down.
pub(crate) struct FirstRun {
    pub(crate) display_name: String,
    pub(crate) share: FirstShare,
    pub(crate) pin: Secret<String>,
}

/// What ended with a person.
pub(crate) struct Ended {
    pub(crate) sessions: Vec<SessionId>,
    pub(crate) devices: Vec<DeviceId>,
}

/// The room of identity.
pub(crate) struct Identity {
    store: Store,
    clock: Arc<dyn Clock>,
    machine: OwnMachine,
    owner: RwLock<Option<Owner>>,
    principals: Principals,
    devices: Devices,
    tokens: AccessTokens,
    pairings: Pairings,
    invites: Invites,
    upload_keys: UploadKeys,
    pins: PinDesk,
    attempts: Attempts,
    sessions: Sessions,
    setup_code: SetupCode,
    throttle: Throttle,
    token_throttle: Throttle,
    ticket_throttle: Throttle<DeviceId>,
    pairing_throttle: Throttle,
    claim_throttle: Throttle,
    /// Held while a session begins and while the PIN changes: none that began with the old PIN outlives it.
    changing: tokio::sync::Mutex<()>,
}

impl Identity {
    pub(crate) async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        server_key: [u8; 32],
        machine: OwnMachine,
    ) -> Result<Self, StoreError> {
        let owner = store.owner().await?;
        let devices = Devices::open(store.clone()).await?;
        if let Some(owner) = &owner {
            devices.keep_own(machine.row(owner.principal, to_ms(clock.wall()))).await?;
        }
        Ok(Self {
            machine,
            owner: RwLock::new(owner),
            principals: Principals::open(store.clone()).await?,
            devices,
            upload_keys: UploadKeys::new(&server_key),
            pins: PinDesk::new(server_key),
            attempts: Attempts::open(store.clone(), Arc::clone(&clock)).await?,
            sessions: Sessions::open(store.clone(), Arc::clone(&clock)).await?,
            setup_code: SetupCode::generate()?,
            throttle: Throttle::new(throttle::SIGN_IN),
            token_throttle: Throttle::new(throttle::TOKEN),
            ticket_throttle: Throttle::new(throttle::TICKET),
            pairing_throttle: Throttle::new(throttle::PAIRING),
            claim_throttle: Throttle::new(throttle::CLAIM),
            pairings: Pairings::open(store.clone(), Arc::clone(&clock), &server_key).await?,
            invites: Invites::new(store.clone(), Arc::clone(&clock)),
            tokens: AccessTokens::new(Arc::clone(&clock))?,
            changing: tokio::sync::Mutex::default(),
            store,
            clock,
        })
    }

    pub(crate) fn owner(&self) -> Option<Owner> {
        self.owner.read().clone()
    }

    pub(crate) fn is_set_up(&self) -> bool {
        self.owner.read().is_some()
    }

    pub(crate) fn owner_id(&self) -> Option<PrincipalId> {
        self.owner.read().as_ref().map(|owner| owner.principal)
    }

    pub(crate) const fn upload_keys(&self) -> &UploadKeys {
        &self.upload_keys
    }

    pub(crate) const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    pub(crate) const fn principals(&self) -> &Principals {
        &self.principals
    }

    pub(crate) const fn devices(&self) -> &Devices {
        &self.devices
    }

    /// The code to print, while it opens anything.
    pub(crate) fn setup_code(&self) -> Option<String> {
        (!self.is_set_up()).then(|| self.setup_code.shown())
    }

    /// Whether somebody may do the first run: from the machine itself, or with the code.
    pub(crate) fn may_set_up(
        &self,
        visitor: &Visitor,
        code: Option<&Secret<String>>,
    ) -> Result<(), SignInError> {
        if self.is_set_up() {
            return Err(SignInError::AlreadySetUp);
        }
        if visitor.on_machine {
            return Ok(());
        }
        let code = code.ok_or(SignInError::WrongCode)?;
        let now = self.clock.steady_ms();
        self.throttle.knock(visitor.address, now).map_err(SignInError::TooMany)?;
        self.setup_code.check(code, now).map_err(|error| match error {
            CodeError::Wrong => SignInError::WrongCode,
            CodeError::Wait(seconds) => SignInError::TooMany(seconds),
        })
    }

    /// Does the first run and lets the visitor in. Of two at the same time one gets [`SignInError::AlreadySetUp`].
    pub(crate) async fn set_up(&self, visitor: &Visitor, run: FirstRun) -> Result<SignedIn, SignInError> {
        let pin = Pin::parse(&run.pin).ok_or(SignInError::BadPin)?;
        let place = self.pins.take_place().ok_or(SignInError::Busy)?;
        let owner = Owner {
            principal: PrincipalId::generate(),
            display_name: run.display_name,
            pin_hash: self.pins.hash(place, pin).await?,
        };
        let _turn = self.changing.lock().await;
        let now_ms = to_ms(self.clock.wall());
        let person = PrincipalRow {
            id: owner.principal,
            display_name: owner.display_name.clone(),
            created_ms: now_ms,
            revoked_ms: None,
        };
        let machine = self.machine.row(owner.principal, now_ms);
        if !self.store.insert_owner(&owner, &person, &machine, &run.share).await? {
            return Err(SignInError::AlreadySetUp);
        }
        self.principals.learn(person);
        self.devices.learn(machine);
        *self.owner.write() = Some(owner.clone());
        self.admit(owner.principal, visitor, None).await
    }

    /// Lets in who knows the PIN.
    pub(crate) async fn sign_in(
        &self,
        visitor: &Visitor,
        pin: &Secret<String>,
    ) -> Result<SignedIn, SignInError> {
        let known = self.known_browser(visitor).await?;
        let owner = self.prove(visitor, known, pin).await?;
        let _turn = self.changing.lock().await;
        if self.owner().is_none_or(|present| present.pin_hash != owner.pin_hash) {
            return Err(SignInError::Changed);
        }
        self.admit(owner.principal, visitor, known).await
    }

    /// Changes the PIN. Every other session ends, and every other browser becomes a stranger.
    /// Gives the ended sessions.
    pub(crate) async fn change_pin(
        &self,
        visitor: &Visitor,
        session: SessionIdentity,
        current: &Secret<String>,
        new: &Secret<String>,
    ) -> Result<Vec<SessionId>, SignInError> {
        let new = Pin::parse(new).ok_or(SignInError::BadPin)?;
        let known = self.known_browser(visitor).await?;
        let owner = self.prove(visitor, known, current).await?;
        self.put_pin(owner, new, Some(session.id), session.browser_id.or(known)).await
    }

    /// Puts another PIN in place of one that was forgotten. Every session ends, and every browser becomes a stranger.
    /// Gives the ended sessions.
    pub(crate) async fn replace_pin(&self, new: &Secret<String>) -> Result<Vec<SessionId>, SignInError> {
        let new = Pin::parse(new).ok_or(SignInError::BadPin)?;
        let owner = self.owner().ok_or(SignInError::NotSetUp)?;
        self.put_pin(owner, new, None, None).await
    }

    async fn put_pin(
        &self,
        mut owner: Owner,
        new: Pin,
        keep: Option<SessionId>,
        keep_browser: Option<i64>,
    ) -> Result<Vec<SessionId>, SignInError> {
        let place = self.pins.take_place().ok_or(SignInError::Busy)?;
        let pin_hash = self.pins.hash(place, new).await?;
        let _turn = self.changing.lock().await;
        let kept = keep.map(|id| id.to_string()).unwrap_or_default();
        if !self.store.change_pin(&owner.pin_hash, &pin_hash, &kept, keep_browser).await? {
            return Err(SignInError::Changed);
        }
        owner.pin_hash = pin_hash;
        *self.owner.write() = Some(owner);
        Ok(self.sessions.forget(|row| Some(row.id) != keep))
    }

    /// Ends a machine as a client and as a device; false if there is none of that id, or it is this one.
    pub(crate) async fn revoke_device(&self, id: DeviceId) -> Result<bool, StoreError> {
        if id == self.machine.id {
            return Ok(false);
        }
        self.devices.revoke(id, to_ms(self.clock.wall())).await
    }

    /// Ends a person with their machines and sessions, which are given; `None` if there is no such person, or it is
    /// the owner.
    pub(crate) async fn revoke_principal(&self, id: PrincipalId) -> Result<Option<Ended>, StoreError> {
        let now_ms = to_ms(self.clock.wall());
        let _turn = self.changing.lock().await;
        if self.owner_id() == Some(id) || !self.principals.revoke(id, now_ms).await? {
            return Ok(None);
        }
        self.pairings.forget_of(id);
        let sessions = self.sessions.forget(|row| row.principal == id);
        Ok(Some(Ended { sessions, devices: self.devices.forget_of(id, now_ms) }))
    }

    /// Ends somebody's session from afar: its browser becomes a stranger too. False if there is no such session.
    pub(crate) async fn revoke(&self, id: SessionId, idle: IdleRule) -> Result<bool, StoreError> {
        let browser =
            self.sessions.list(idle).into_iter().find(|row| row.id == id).and_then(|r| r.browser_id);
        if let Some(browser) = browser {
            self.store.delete_browser(browser).await?;
        }
        self.sessions.end(id).await
    }

    async fn known_browser(&self, visitor: &Visitor) -> Result<Option<i64>, StoreError> {
        match &visitor.known {
            Some(token) => self.store.known_browser(&token.hash(), visitor.privacy).await,
            None => Ok(None),
        }
    }

    /// Counts a try, then looks at the PIN. The order is the point: see [`lockout`].
    async fn prove(
        &self,
        visitor: &Visitor,
        known: Option<i64>,
        pin: &Secret<String>,
    ) -> Result<Owner, SignInError> {
        let owner = self.owner().ok_or(SignInError::NotSetUp)?;
        self.throttle.knock(visitor.address, self.clock.steady_ms()).map_err(SignInError::TooMany)?;
        let pin = Pin::parse(pin).ok_or(SignInError::BadPin)?;
        let place = self.pins.take_place().ok_or(SignInError::Busy)?;
        let source = match known {
            _ if visitor.on_machine => Source::Machine,
            Some(browser) => Source::Known(browser),
            None => Source::Unknown,
        };
        let attempt = self.attempts.reserve(source).await?.map_err(SignInError::Locked)?;
        if !self.pins.verify(place, pin, &owner.pin_hash).await? {
            return Err(SignInError::WrongPin);
        }
        self.attempts.take_back(attempt).await?;
        Ok(owner)
    }

    /// Begins a guest's session. Their browser is not remembered: what is known of one counts for the owner's PIN.
    async fn admit_guest(&self, principal: PrincipalId, visitor: &Visitor) -> Result<SignedIn, SignInError> {
        let token = Token::generate()?;
        let session = self.sessions.begin(principal, visitor, None, &token).await?;
        Ok(SignedIn { session, token, known: None })
    }

    /// Begins a session and remembers the browser.
    async fn admit(
        &self,
        principal: PrincipalId,
        visitor: &Visitor,
        known: Option<i64>,
    ) -> Result<SignedIn, SignInError> {
        let now = to_ms(self.clock.wall());
        let token = Token::generate()?;
        let (browser, given) = match known {
            Some(browser) => {
                self.store.touch_browser(browser, now).await?;
                (browser, None)
            }
            None => {
                let given = Token::generate()?;
                (self.store.insert_browser(&given.hash(), visitor.privacy, now).await?, Some(given))
            }
        };
        let session = self.sessions.begin(principal, visitor, Some(browser), &token).await?;
        Ok(SignedIn { session, token, known: given })
    }

    pub(crate) const fn pairings(&self) -> &Pairings {
        &self.pairings
    }

    pub(crate) const fn invites(&self) -> &Invites {
        &self.invites
    }

    pub(crate) const fn tokens(&self) -> &AccessTokens {
        &self.tokens
    }

    /// Lets an address ask for a nonce or a token, or says how long it waits.
    pub(crate) fn may_ask_for_token(&self, address: IpAddr) -> Result<(), u64> {
        self.token_throttle.knock(address, self.clock.steady_ms())
    }

    /// Lets a machine ask for a ticket, or says how long it waits.
    pub(crate) fn may_ask_for_ticket(&self, machine: DeviceId) -> Result<(), u64> {
        self.ticket_throttle.knock(machine, self.clock.steady_ms())
    }

    /// Once a minute. Gives the sessions that ended.
    pub(crate) async fn tidy(&self, idle: IdleRule) -> Result<Vec<SessionId>, StoreError> {
        self.attempts.save_time().await?;
        self.pairings.tidy().await?;
        self.sessions.tidy(idle).await
    }
}

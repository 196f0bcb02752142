//! Tickets: short-lived grants that a device checks offline with the coordinator's public key.
//!
//! PASETO v4.public; the footer names the signing key, so that one key can take another's place while both are honoured.
//! A [`Ticket`] is text and proves nothing. [`KeyRing::verify`] turns it into a [`VerifiedTicket`], and only
//! [`VerifiedTicket::permit`] says that a thing may be done. The checks run in the order of [`TicketError`].

use std::fmt;
use std::str::FromStr;

use pasetors::Public;
use pasetors::keys::{AsymmetricKeyPair, AsymmetricPublicKey, AsymmetricSecretKey, Generate};
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::{
    DeviceId, ErrorCode, Offered, Permission, Permissions, PrincipalId, ShareId, TransferId, base64url,
};

/// How long a ticket for reading lives.
pub const READ_LIFETIME: Duration = Duration::seconds(120);
/// How long a ticket for a transfer lives; it can be renewed.
pub const TRANSFER_LIFETIME: Duration = Duration::seconds(300);
/// How far two machines' clocks may differ.
pub const CLOCK_SKEW: Duration = Duration::seconds(60);
/// Longer texts are refused unread: a ticket with every claim is under 1 KiB.
const MAX_TICKET_BYTES: usize = 4096;

/// Why a ticket does not open the door, in the order of the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketError {
    /// Not a ticket.
    #[error("the ticket is malformed")]
    Malformed,
    /// Signed by a key this device does not know.
    #[error("the ticket names an unknown key")]
    Key,
    /// Not signed by the key it names.
    #[error("the ticket's signature does not fit")]
    Signature,
    /// Over its time, or not yet in it.
    #[error("the ticket has expired")]
    Expired,
    /// What it stands for has ended.
    #[error("the ticket has been revoked")]
    Revoked,
    /// For another device.
    #[error("the ticket is for another device")]
    Audience,
    /// Presented by somebody else than it was given to.
    #[error("the ticket belongs to another presenter")]
    Presenter,
    /// For another share.
    #[error("the ticket is for another share")]
    Resource,
    /// Does not allow this.
    #[error("the ticket does not allow this")]
    Permission,
}

impl TicketError {
    /// The code that goes to the caller.
    #[must_use]
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Malformed => ErrorCode::TicketMalformed,
            Self::Key => ErrorCode::TicketKey,
            Self::Signature => ErrorCode::TicketSignature,
            Self::Expired => ErrorCode::TicketExpired,
            Self::Revoked => ErrorCode::TicketRevoked,
            Self::Audience => ErrorCode::TicketAudience,
            Self::Presenter => ErrorCode::TicketPresenter,
            Self::Resource => ErrorCode::TicketResource,
            Self::Permission => ErrorCode::TicketPermission,
        }
    }
}

/// What a ticket is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// One share of the audience device.
    Share(ShareId),
    /// One transfer to a share of the audience device, and nothing else that is in the share.
    Transfer(TransferId, ShareId),
}

impl Resource {
    /// The share in which it is.
    #[must_use]
    pub const fn share(self) -> ShareId {
        match self {
            Self::Share(share) | Self::Transfer(_, share) => share,
        }
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(id) => write!(f, "share:{id}"),
            Self::Transfer(id, share) => write!(f, "transfer:{id}/{share}"),
        }
    }
}

/// The text does not name a resource.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("unknown kind of resource")]
pub struct UnknownResource;

impl FromStr for Resource {
    type Err = UnknownResource;

    fn from_str(text: &str) -> Result<Self, UnknownResource> {
        let read = || match text.split_once(':')? {
            ("share", id) => Some(Self::Share(id.parse().ok()?)),
            ("transfer", ids) => {
                let (transfer, share) = ids.split_once('/')?;
                Some(Self::Transfer(transfer.parse().ok()?, share.parse().ok()?))
            }
            _ => None,
        };
        read().ok_or(UnknownResource)
    }
}

impl Serialize for Resource {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Resource {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What a ticket says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// Who asks.
    pub sub: PrincipalId,
    /// Which of their sessions or devices asks.
    pub cli: String,
    /// The key of who presents the ticket; absent only for direct HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pky: Option<DeviceId>,
    /// The device that is to honour it.
    pub aud: DeviceId,
    /// What it is for.
    pub res: Resource,
    /// What it allows there.
    pub perm: Permissions,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub iat: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub exp: OffsetDateTime,
    /// Its own id, by which it can be revoked.
    pub jti: String,
}

/// A ticket as text: what travels. Proves nothing until verified.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Ticket(String);

impl Ticket {
    /// Text that claims to be a ticket.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text to send.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ticket([redacted])")
    }
}

/// The coordinator's signing key (Ed25519).
pub struct SigningKey {
    secret: AsymmetricSecretKey<V4>,
    public: PublicKey,
}

/// No random numbers or no key could be had.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("not an Ed25519 key pair")]
pub struct InvalidKey;

impl SigningKey {
    /// A new key from the system's random numbers.
    ///
    /// # Errors
    /// The system gave no random numbers.
    pub fn generate() -> Result<Self, InvalidKey> {
        let pair = AsymmetricKeyPair::<V4>::generate().map_err(|_| InvalidKey)?;
        Self::from_bytes(pair.secret.as_bytes())
    }

    /// Reads a key: 32 bytes of seed and 32 of public key.
    ///
    /// # Errors
    /// The bytes are not a key pair.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let secret = AsymmetricSecretKey::<V4>::from(bytes).map_err(|_| InvalidKey)?;
        let public = AsymmetricPublicKey::<V4>::try_from(&secret).map_err(|_| InvalidKey)?;
        let public = PublicKey(public.as_bytes().try_into().map_err(|_| InvalidKey)?);
        Ok(Self { secret, public })
    }

    /// The bytes to keep (0600).
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.secret.as_bytes()
    }

    /// What devices pin.
    #[must_use]
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    pub(crate) const fn secret(&self) -> &AsymmetricSecretKey<V4> {
        &self.secret
    }

    /// Signs the claims.
    ///
    /// # Errors
    /// Only if the claims cannot be written as JSON or the key is broken.
    pub fn sign(&self, claims: &Claims) -> Result<Ticket, InvalidKey> {
        let message = serde_json::to_vec(claims).map_err(|_| InvalidKey)?;
        PublicToken::sign(&self.secret, &message, Some(self.public.id().as_bytes()), None)
            .map(Ticket)
            .map_err(|_| InvalidKey)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.public.id())
    }
}

/// The public half of a coordinator's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// A key from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its 32 bytes.
    #[must_use]
    pub const fn to_bytes(self) -> [u8; 32] {
        self.0
    }

    /// The key's name in footers: the first 16 hexadecimal digits of its BLAKE3 hash.
    #[must_use]
    pub fn id(&self) -> String {
        blake3::hash(&self.0).to_hex()[..16].to_owned()
    }
}

/// In base64url.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id())
    }
}

impl FromStr for PublicKey {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        base64url::decode_exactly(text).map(Self).ok_or(InvalidKey)
    }
}

impl Serialize for PublicKey {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a device honours of one coordinator.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Issuer {
    /// The coordinator's id; none for that of the device's own machine.
    pub coordinator: Option<String>,
    /// Its keys whose tickets count: the present one and, during a rotation, the next or the one before.
    pub keys: Vec<PublicKey>,
    /// The ids of keys that ended before their time: what they opened breaks off.
    pub dropped: Vec<String>,
    /// The shares for which its tickets count.
    pub offered: Offered,
}

impl Issuer {
    /// The coordinator of the device's own machine.
    #[must_use]
    pub fn own(keys: Vec<PublicKey>) -> Self {
        Self { keys, ..Self::default() }
    }
}

/// Whose tickets a device honours.
#[derive(Clone, Debug)]
pub struct KeyRing {
    audience: DeviceId,
    issuers: Vec<Issuer>,
}

impl KeyRing {
    /// Whose tickets `audience` honours.
    #[must_use]
    pub fn new(audience: DeviceId, issuers: impl IntoIterator<Item = Issuer>) -> Self {
        Self { audience, issuers: issuers.into_iter().collect() }
    }

    /// False for a ticket whose key was dropped, or to a share that its coordinator is not offered, or not any more. A
    /// coordinator that is not here any more says nothing about what it allowed before.
    #[must_use]
    pub fn reaches(&self, ticket: &VerifiedTicket) -> bool {
        let share = ticket.claims.res.share();
        let issuer = self.issuers.iter().find(|known| known.coordinator == ticket.coordinator);
        issuer.is_none_or(|known| known.offered.includes(share) && !known.dropped.contains(&ticket.key))
    }

    /// The key of this id, and whose it is.
    fn find(&self, id: &[u8]) -> Option<(&Issuer, PublicKey)> {
        let all = self.issuers.iter().flat_map(|issuer| issuer.keys.iter().map(move |key| (issuer, *key)));
        all.into_iter().find(|(_, key)| key.id().as_bytes() == id)
    }

    /// Checks everything about a ticket but what it is used for.
    ///
    /// `presenter` is the key that the connection proved, or `None` over direct HTTP.
    ///
    /// # Errors
    /// The first check that fails, in the order of [`TicketError`].
    pub fn verify(
        &self,
        ticket: &Ticket,
        presenter: Option<DeviceId>,
        now: OffsetDateTime,
    ) -> Result<VerifiedTicket, TicketError> {
        let verified = self.authentic_claims(ticket)?;
        verified.check_time(now)?;
        if verified.claims.aud != self.audience {
            return Err(TicketError::Audience);
        }
        if verified.claims.pky.is_some() && verified.claims.pky != presenter {
            return Err(TicketError::Presenter);
        }
        if !self.reaches(&verified) {
            return Err(TicketError::Resource);
        }
        Ok(verified)
    }

    fn authentic_claims(&self, ticket: &Ticket) -> Result<VerifiedTicket, TicketError> {
        if ticket.0.len() > MAX_TICKET_BYTES {
            return Err(TicketError::Malformed);
        }
        let token =
            UntrustedToken::<Public, V4>::try_from(ticket.0.as_str()).map_err(|_| TicketError::Malformed)?;
        let footer = token.untrusted_footer();
        let (issuer, key) = self.find(footer).ok_or(TicketError::Key)?;
        let public = AsymmetricPublicKey::<V4>::from(&key.0).map_err(|_| TicketError::Key)?;
        PublicToken::verify(&public, &token, Some(footer), None).map_err(|_| TicketError::Signature)?;
        let claims = serde_json::from_slice(token.untrusted_payload()).map_err(|_| TicketError::Malformed)?;
        Ok(VerifiedTicket { claims, coordinator: issuer.coordinator.clone(), key: key.id() })
    }
}

/// A ticket whose signature, time, audience and presenter were found right.
#[derive(Clone, Debug)]
pub struct VerifiedTicket {
    claims: Claims,
    coordinator: Option<String>,
    key: String,
}

impl VerifiedTicket {
    /// What it says.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// Which coordinator vouches for it; none for that of the device's own machine.
    #[must_use]
    pub fn coordinator(&self) -> Option<&str> {
        self.coordinator.as_deref()
    }

    /// Fails once the ticket's time is over: for answers from a cache, and for streams that outlive it.
    ///
    /// # Errors
    /// [`TicketError::Expired`].
    pub fn check_time(&self, now: OffsetDateTime) -> Result<(), TicketError> {
        let claims = &self.claims;
        let in_time = claims.iat - CLOCK_SKEW <= now && now <= claims.exp + CLOCK_SKEW;
        if in_time { Ok(()) } else { Err(TicketError::Expired) }
    }

    /// The only way to a share: says that this ticket allows `permission` there.
    ///
    /// # Errors
    /// [`TicketError::Resource`], then [`TicketError::Permission`].
    pub fn permit(&self, share: ShareId, permission: Permission) -> Result<(), TicketError> {
        self.permit_on(Resource::Share(share), permission)
    }

    /// The only way to a transfer: says that this ticket allows `permission` on it, and to which share it goes.
    ///
    /// # Errors
    /// As [`Self::permit`].
    pub fn permit_transfer(
        &self,
        transfer: TransferId,
        permission: Permission,
    ) -> Result<ShareId, TicketError> {
        let share = self.claims.res.share();
        self.permit_on(Resource::Transfer(transfer, share), permission)?;
        Ok(share)
    }

    fn permit_on(&self, resource: Resource, permission: Permission) -> Result<(), TicketError> {
        if self.claims.res != resource {
            return Err(TicketError::Resource);
        }
        if self.claims.perm.allows(permission) { Ok(()) } else { Err(TicketError::Permission) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
    const DEVICE: DeviceId = DeviceId::from_public_key([1; 32]);
    const OTHER: DeviceId = DeviceId::from_public_key([2; 32]);

    fn claims(share: ShareId) -> Claims {
        Claims {
            sub: PrincipalId::generate(),
            cli: "session".into(),
            pky: None,
            aud: DEVICE,
            res: Resource::Share(share),
            perm: [Permission::Read].into_iter().collect(),
            iat: NOW,
            exp: NOW + READ_LIFETIME,
            jti: "1".into(),
        }
    }

    #[test]
    fn a_good_ticket_permits_what_it_says_and_no_more() {
        let (key, share) = (SigningKey::generate().unwrap(), ShareId::generate());
        let ring = KeyRing::new(DEVICE, [Issuer::own(vec![key.public()])]);
        let ticket = ring.verify(&key.sign(&claims(share)).unwrap(), None, NOW).unwrap();
        assert_eq!(ticket.permit(share, Permission::Read), Ok(()));
        assert_eq!(ticket.permit(share, Permission::Write), Err(TicketError::Permission));
        assert_eq!(ticket.permit(ShareId::generate(), Permission::Read), Err(TicketError::Resource));
    }

    #[test]
    fn a_ticket_for_a_transfer_opens_nothing_else_of_its_share() {
        let (key, share, transfer) =
            (SigningKey::generate().unwrap(), ShareId::generate(), TransferId::generate());
        let ring = KeyRing::new(DEVICE, [Issuer::own(vec![key.public()])]);
        let perm = [Permission::Read, Permission::RequestSend].into_iter().collect();
        let claims = Claims { res: Resource::Transfer(transfer, share), perm, ..claims(share) };
        let ticket = ring.verify(&key.sign(&claims).unwrap(), None, NOW).unwrap();
        assert_eq!(ticket.permit_transfer(transfer, Permission::RequestSend), Ok(share));
        assert_eq!(ticket.permit(share, Permission::Read), Err(TicketError::Resource));
        let other = TransferId::generate();
        assert_eq!(ticket.permit_transfer(other, Permission::RequestSend), Err(TicketError::Resource));
        let denied = ticket.permit_transfer(transfer, Permission::AcceptIncoming);
        assert_eq!(denied, Err(TicketError::Permission));
    }

    #[test]
    fn each_check_has_its_own_answer() {
        let (key, stranger) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let ring = KeyRing::new(DEVICE, [Issuer::own(vec![key.public()])]);
        let share = ShareId::generate();
        let verify = |claims: &Claims, presenter, now| {
            ring.verify(&key.sign(claims).unwrap(), presenter, now).map(drop)
        };
        let good = claims(share);
        assert_eq!(ring.verify(&stranger.sign(&good).unwrap(), None, NOW).map(drop), Err(TicketError::Key));
        assert_eq!(verify(&good, None, NOW + Duration::minutes(4)), Err(TicketError::Expired));
        assert_eq!(verify(&good, None, NOW - Duration::hours(1)), Err(TicketError::Expired));
        assert_eq!(verify(&good, None, NOW + Duration::minutes(2)), Ok(()));
        assert_eq!(verify(&Claims { aud: OTHER, ..good.clone() }, None, NOW), Err(TicketError::Audience));
        let bound = Claims { pky: Some(OTHER), ..good };
        assert_eq!(verify(&bound, None, NOW), Err(TicketError::Presenter));
        assert_eq!(verify(&bound, Some(DEVICE), NOW), Err(TicketError::Presenter));
        assert_eq!(verify(&bound, Some(OTHER), NOW), Ok(()));
    }

    #[test]
    fn a_coordinator_allows_nothing_that_it_is_not_offered() {
        let (own, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let (offered, kept) = (ShareId::generate(), ShareId::generate());
        let only = Offered::Only([offered].into_iter().collect());
        let mine = Issuer::own(vec![own.public()]);
        let theirs = Issuer {
            coordinator: Some("attic".into()),
            keys: vec![other.public()],
            offered: only,
            ..Issuer::default()
        };
        let ring = KeyRing::new(DEVICE, [mine.clone(), theirs.clone()]);
        for (key, share, good) in
            [(&own, offered, true), (&own, kept, true), (&other, offered, true), (&other, kept, false)]
        {
            let found = ring.verify(&key.sign(&claims(share)).unwrap(), None, NOW).map(drop);
            assert_eq!(found, if good { Ok(()) } else { Err(TicketError::Resource) });
        }
        let all = KeyRing::new(DEVICE, [Issuer { offered: Offered::All, ..theirs.clone() }]);
        let before = all.verify(&other.sign(&claims(kept)).unwrap(), None, NOW).unwrap();
        assert!(all.reaches(&before) && !ring.reaches(&before), "withheld since");
        assert!(KeyRing::new(DEVICE, [mine]).reaches(&before), "who went ends nothing by itself");
        let later = Issuer { keys: Vec::new(), ..theirs.clone() };
        assert!(!KeyRing::new(DEVICE, [later]).reaches(&before), "withheld, though its key was forgotten");
    }

    #[test]
    fn a_key_is_honoured_while_it_is_in_the_ring_and_what_it_opened_outlives_it_unless_it_was_dropped() {
        let [before, now] = std::array::from_fn(|_| SigningKey::generate().unwrap());
        let ring = |keys: &[&SigningKey], dropped: &[&SigningKey]| {
            let mut issuer = Issuer::own(keys.iter().map(|key| key.public()).collect());
            issuer.dropped = dropped.iter().map(|key| key.public().id()).collect();
            KeyRing::new(DEVICE, [issuer])
        };
        let ticket = before.sign(&claims(ShareId::generate())).unwrap();
        let opened = ring(&[&now, &before], &[]).verify(&ticket, None, NOW).unwrap();
        let forgotten = ring(&[&now], &[]);
        assert_eq!(forgotten.verify(&ticket, None, NOW).map(drop), Err(TicketError::Key));
        assert!(forgotten.reaches(&opened), "what it opened goes on");
        assert!(!ring(&[&now], &[&before]).reaches(&opened), "what a stolen key opened does not");
    }

    #[test]
    fn a_key_reads_back_from_its_text() {
        let key = SigningKey::generate().unwrap().public();
        assert_eq!(key.to_string().parse::<PublicKey>().unwrap(), key);
        for text in ["", "AAAA", "no key"] {
            assert!(text.parse::<PublicKey>().is_err(), "{text}");
        }
    }

    #[test]
    fn no_flipped_or_missing_byte_passes() {
        let key = SigningKey::generate().unwrap();
        let ring = KeyRing::new(DEVICE, [Issuer::own(vec![key.public()])]);
        let text = key.sign(&claims(ShareId::generate())).unwrap().0;
        for i in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[i] ^= 1;
            if let Ok(flipped) = String::from_utf8(bytes) {
                assert!(ring.verify(&Ticket(flipped), None, NOW).is_err(), "byte {i}");
            }
            assert!(ring.verify(&Ticket(text[..i].to_owned()), None, NOW).is_err(), "cut at {i}");
        }
    }
}

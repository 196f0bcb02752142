//! Access tokens: what a machine sends with each request to its coordinator, in place of a browser's cookie.
//!
//! PASETO v4.public under the coordinator's ticket key, with a footer and an assertion of their own: a ticket is never
//! taken for a token, nor a token for a ticket. Written and read by the coordinator alone.

use pasetors::Public;
use pasetors::keys::AsymmetricPublicKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use crate::ticket::{CLOCK_SKEW, InvalidKey, PublicKey, SigningKey};
use crate::{DeviceId, PrincipalId};

/// How long a token lives.
pub const LIFETIME: Duration = Duration::seconds(3600);
/// What stands before the key's id in the footer.
const FOOTER: &str = "access.";
/// Signed along with each token, and with nothing else.
const ASSERTION: &[u8] = b"lanthorn access token 1";
/// Longer texts are refused unread.
const MAX_BYTES: usize = 2048;

/// What a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenClaims {
    /// Who asks.
    pub sub: PrincipalId,
    /// The machine that asks.
    pub cli: DeviceId,
    /// True if it was given out on a connection that others could read: it is good on such connections only.
    pub open: bool,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub iat: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339")]
    pub exp: OffsetDateTime,
}

/// Writes a token.
///
/// # Errors
/// Only if the claims cannot be written as JSON or the key is broken.
pub fn sign(key: &SigningKey, claims: &TokenClaims) -> Result<String, InvalidKey> {
    let message = serde_json::to_vec(claims).map_err(|_| InvalidKey)?;
    let footer = footer(key.public());
    PublicToken::sign(key.secret(), &message, Some(footer.as_bytes()), Some(ASSERTION))
        .map_err(|_| InvalidKey)
}

/// What a token says, if this key signed it as a token and it is in its time. Why not is nobody's business.
#[must_use]
pub fn verify(key: PublicKey, text: &str, now: OffsetDateTime) -> Option<TokenClaims> {
    if text.len() > MAX_BYTES {
        return None;
    }
    let token = UntrustedToken::<Public, V4>::try_from(text).ok()?;
    let footer = footer(key);
    let public = AsymmetricPublicKey::<V4>::from(&key.to_bytes()).ok()?;
    PublicToken::verify(&public, &token, Some(footer.as_bytes()), Some(ASSERTION)).ok()?;
    let claims: TokenClaims = serde_json::from_slice(token.untrusted_payload()).ok()?;
    claims.is_in_time(now).then_some(claims)
}

impl TokenClaims {
    /// True from its making to its end. One that claims a longer life than tokens have is never in time.
    #[must_use]
    pub fn is_in_time(&self, now: OffsetDateTime) -> bool {
        self.exp - self.iat <= LIFETIME && self.iat - CLOCK_SKEW <= now && now < self.exp
    }
}

fn footer(key: PublicKey) -> String {
    format!("{FOOTER}{}", key.id())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ticket::{Claims, Issuer, KeyRing, READ_LIFETIME, Resource, Ticket};
    use crate::{Permissions, ShareId};
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
    const DEVICE: DeviceId = DeviceId::from_public_key([1; 32]);

    fn claims() -> TokenClaims {
        TokenClaims { sub: PrincipalId::generate(), cli: DEVICE, open: false, iat: NOW, exp: NOW + LIFETIME }
    }

    #[test]
    fn a_token_says_what_was_signed_in_its_time_only() {
        let key = SigningKey::generate().unwrap();
        let good = claims();
        let year_9999 = datetime!(9999-01-01 0:00 UTC);
        for (claims, now, fits) in [
            (good, NOW, true),
            (good, NOW + Duration::seconds(3599), true),
            (good, NOW + LIFETIME, false),
            (good, NOW + Duration::hours(2), false),
            (good, NOW - Duration::seconds(59), true),
            (good, NOW - Duration::seconds(61), false),
            (good, NOW - Duration::hours(1), false),
            (TokenClaims { exp: year_9999, ..good }, NOW, false),
            (TokenClaims { exp: NOW - Duration::SECOND, ..good }, NOW, false),
            (TokenClaims { iat: NOW + Duration::hours(1), ..good }, NOW, false),
        ] {
            let text = sign(&key, &claims).unwrap();
            assert_eq!(verify(key.public(), &text, now), fits.then_some(claims), "{claims:?} at {now}");
        }
        let stranger = SigningKey::generate().unwrap();
        assert_eq!(verify(stranger.public(), &sign(&key, &good).unwrap(), NOW), None);
    }

    #[test]
    fn no_flipped_or_missing_byte_passes() {
        let key = SigningKey::generate().unwrap();
        let text = sign(&key, &claims()).unwrap();
        for i in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[i] ^= 1;
            if let Ok(flipped) = String::from_utf8(bytes) {
                assert_eq!(verify(key.public(), &flipped, NOW), None, "byte {i}");
            }
            assert_eq!(verify(key.public(), &text[..i], NOW), None, "cut at {i}");
        }
    }

    #[test]
    fn a_ticket_is_no_token_and_a_token_no_ticket() {
        let key = SigningKey::generate().unwrap();
        let ring = KeyRing::new(DEVICE, [Issuer::own(vec![key.public()])]);
        let ticket = key
            .sign(&Claims {
                sub: PrincipalId::generate(),
                cli: DEVICE.to_string(),
                pky: None,
                aud: DEVICE,
                res: Resource::Share(ShareId::generate()),
                perm: Permissions::all(),
                iat: NOW,
                exp: NOW + READ_LIFETIME,
                jti: "1".into(),
            })
            .unwrap();
        assert!(ring.verify(&ticket, None, NOW).is_ok());
        assert_eq!(verify(key.public(), ticket.as_str(), NOW), None);
        let token = sign(&key, &claims()).unwrap();
        assert!(ring.verify(&Ticket::from_text(token), None, NOW).is_err());
    }

    #[test]
    fn other_kinds_of_token_are_refused_unread() {
        let key = SigningKey::generate().unwrap();
        let text = sign(&key, &claims()).unwrap();
        let body = text.strip_prefix("v4.public.").unwrap();
        for forged in [
            format!("v4.local.{body}"),
            format!("v2.public.{body}"),
            "eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.".to_owned(),
            text.rsplit_once('.').unwrap().0.to_owned(),
            format!("{text}A"),
            format!("{text}."),
            format!(" {text}"),
            "A".repeat(MAX_BYTES + 1),
            String::new(),
        ] {
            assert_eq!(verify(key.public(), &forged, NOW), None, "{forged}");
        }
    }
}

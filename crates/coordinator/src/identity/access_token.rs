//! How a machine proves that it is there: it signs a nonce and gets an access token, which it sends with each request.
//! A nonce is not kept until it has been used: it carries its own end and a seal that only this process can make.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;

use parking_lot::Mutex;
use proto::access_token::{self, LIFETIME, TokenClaims};
use proto::api::pairing::token_text;
use proto::ticket::{InvalidKey, PublicKey, SigningKey};
use proto::{DeviceId, PrincipalId, base64url};
use subtle::ConstantTimeEq;

use crate::clock::{Clock, from_ms};
use crate::keyfile;
use crate::store::devices::DeviceRow;

/// How long a nonce can be used.
const NONCE_MS: i64 = 60_000;
/// Used nonces remembered; beyond that, machines wait until some have ended.
const MAX_USED: usize = 65_536;
/// Tokens whose signature was checked, remembered; beyond that the list begins anew.
const MAX_READ: usize = 4096;

/// Why a machine gets no token.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenError {
    /// Unknown machine, old nonce, or not its signature: which, is not told.
    #[error("not proven")]
    NotProven,
    #[error("too many at once")]
    Busy,
    #[error("cannot write a token")]
    Key(#[from] InvalidKey),
}

/// True if the machine signed this text, the signature being in base64url.
pub(crate) fn signed_by(device: DeviceId, text: &[u8], signature: &str) -> bool {
    base64url::decode(signature).is_some_and(|signature| peer::key::verify(device, text, &signature).is_ok())
}

/// The desk where machines prove themselves.
pub(crate) struct AccessTokens {
    clock: Arc<dyn Clock>,
    seal: [u8; 32],
    /// Used nonces, and when they end.
    used: Mutex<HashMap<[u8; 16], i64>>,
    /// What tokens say whose signature was found right, and by which key, by their hash.
    read: Mutex<HashMap<[u8; 32], (TokenClaims, PublicKey)>>,
}

impl AccessTokens {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> io::Result<Self> {
        Ok(Self { clock, seal: keyfile::random()?, used: Mutex::default(), read: Mutex::default() })
    }

    /// Something to sign.
    pub(crate) fn nonce(&self) -> io::Result<String> {
        let ends = self.clock.steady_ms() + NONCE_MS;
        let mut bytes = [0; 40];
        bytes[..8].copy_from_slice(&ends.to_le_bytes());
        bytes[8..24].copy_from_slice(&keyfile::random()?[..16]);
        let seal = self.seal_of(&bytes[..24]);
        bytes[24..].copy_from_slice(&seal);
        Ok(base64url::encode(&bytes))
    }

    fn seal_of(&self, bytes: &[u8]) -> [u8; 16] {
        let mut seal = [0; 16];
        seal.copy_from_slice(&blake3::keyed_hash(&self.seal, bytes).as_bytes()[..16]);
        seal
    }

    /// The random part of a nonce of ours that is in its time, and when it ends.
    fn open_nonce(&self, text: &str) -> Option<([u8; 16], i64)> {
        let bytes: [u8; 40] = base64url::decode_exactly(text)?;
        let sealed: bool = self.seal_of(&bytes[..24]).ct_eq(&bytes[24..]).into();
        let ends = i64::from_le_bytes(bytes[..8].try_into().ok()?);
        (sealed && self.clock.steady_ms() < ends).then_some((bytes[8..24].try_into().ok()?, ends))
    }

    /// Gives a machine its token, if it signed a nonce for this coordinator that was not used before. `known` says whose
    /// machine it is.
    pub(crate) fn give(
        &self,
        (coordinator, key): (&str, &SigningKey),
        known: Option<DeviceRow>,
        nonce: &str,
        signature: &str,
        open: bool,
    ) -> Result<(String, PrincipalId), TokenError> {
        let (random, ends) = self.open_nonce(nonce).ok_or(TokenError::NotProven)?;
        let device = known.ok_or(TokenError::NotProven)?;
        let text = token_text(coordinator, nonce);
        if !signed_by(device.id, &text, signature) {
            return Err(TokenError::NotProven);
        }
        self.use_up(random, ends)?;
        let iat = self.clock.wall();
        let claims = TokenClaims { sub: device.principal, cli: device.id, open, iat, exp: iat + LIFETIME };
        Ok((access_token::sign(key, &claims)?, device.principal))
    }

    fn use_up(&self, nonce: [u8; 16], ends: i64) -> Result<(), TokenError> {
        let now = self.clock.steady_ms();
        let mut used = self.used.lock();
        if used.len() >= MAX_USED {
            used.retain(|_, ends| now < *ends);
        }
        if used.len() >= MAX_USED {
            return Err(TokenError::Busy);
        }
        if used.insert(nonce, ends).is_some() { Err(TokenError::NotProven) } else { Ok(()) }
    }

    /// What a token says, if one of these keys signed it and it is in its time. Whether the machine may still come in is
    /// asked of `find`, each time; a token from before its present pairing is none of that pairing's.
    pub(crate) fn read(
        &self,
        mut keys: impl Iterator<Item = PublicKey> + Clone,
        text: &str,
        find: impl FnOnce(DeviceId) -> Option<DeviceRow>,
    ) -> Option<TokenClaims> {
        let now = self.clock.wall();
        let hash = *blake3::hash(text.as_bytes()).as_bytes();
        let remembered = self.read.lock().get(&hash).copied();
        let good = |(claims, by): &(TokenClaims, PublicKey)| {
            claims.is_in_time(now) && keys.clone().any(|key| key == *by)
        };
        let claims = match remembered.filter(good) {
            Some((claims, _)) => claims,
            None => {
                let verified = |key| Some((access_token::verify(key, text, now)?, key));
                let (claims, by) = keys.find_map(verified)?;
                let mut read = self.read.lock();
                if read.len() >= MAX_READ {
                    read.clear();
                }
                read.insert(hash, (claims, by));
                claims
            }
        };
        let device = find(claims.cli)?;
        (device.principal == claims.sub && from_ms(device.paired_ms) <= claims.iat).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test::ManualClock;
    use crate::clock::to_ms;
    use peer::DeviceKey;

    struct Desk {
        clock: Arc<ManualClock>,
        tokens: AccessTokens,
        key: SigningKey,
        device: DeviceKey,
        row: DeviceRow,
    }

    fn desk() -> Desk {
        let clock = Arc::new(ManualClock::new());
        let device = DeviceKey::from_seed([5; 32]).unwrap();
        let row = DeviceRow {
            id: device.id(),
            principal: PrincipalId::generate(),
            name: "Laptop".into(),
            platform: "linux".into(),
            visible: true,
            paired_ms: to_ms(clock.wall()),
            revoked_ms: None,
        };
        let tokens = AccessTokens::new(Arc::<ManualClock>::clone(&clock)).unwrap();
        Desk { clock, tokens, key: SigningKey::generate().unwrap(), device, row }
    }

    /// By which the coordinator goes.
    const ID: &str = "0123456789abcdef";

    impl Desk {
        fn sign(&self, nonce: &str) -> String {
            base64url::encode(&self.device.sign(&token_text(ID, nonce)))
        }

        fn give(&self, nonce: &str, signature: &str) -> Result<String, TokenError> {
            let known = Some(self.row.clone());
            self.tokens.give((ID, &self.key), known, nonce, signature, false).map(|(token, _)| token)
        }
    }

    #[test]
    fn a_nonce_is_good_once_for_a_minute_and_for_its_signer() {
        let desk = desk();
        let nonce = desk.tokens.nonce().unwrap();
        let signature = desk.sign(&nonce);
        let other = DeviceKey::from_seed([6; 32]).unwrap();
        let forged = base64url::encode(&other.sign(&token_text(ID, &nonce)));
        let elsewhere = base64url::encode(&desk.device.sign(&token_text("another", &nonce)));
        for wrong in [forged.as_str(), &elsewhere, "", "A", &signature[1..], &format!("{signature}=")] {
            assert!(matches!(desk.give(&nonce, wrong), Err(TokenError::NotProven)), "{wrong}");
        }
        let stranger = desk.tokens.give((ID, &desk.key), None, &nonce, &signature, false);
        assert!(matches!(stranger, Err(TokenError::NotProven)), "a machine that is not paired");
        assert!(desk.give(&nonce, &signature).is_ok(), "wrong tries do not use it up");
        assert!(matches!(desk.give(&nonce, &signature), Err(TokenError::NotProven)), "used twice");
        let late = desk.tokens.nonce().unwrap();
        desk.clock.pass(60);
        assert!(matches!(desk.give(&late, &desk.sign(&late)), Err(TokenError::NotProven)));
    }

    #[test]
    fn a_nonce_of_ones_own_making_is_worth_nothing() {
        let desk = desk();
        let nonce = desk.tokens.nonce().unwrap();
        let bytes = base64url::decode(&nonce).unwrap();
        for i in 0..bytes.len() {
            let mut forged = bytes.clone();
            forged[i] ^= 1;
            let forged = base64url::encode(&forged);
            assert!(desk.give(&forged, &desk.sign(&forged)).is_err(), "byte {i}");
        }
        let elsewhere = AccessTokens::new(Arc::new(ManualClock::new())).unwrap().nonce().unwrap();
        assert!(desk.give(&elsewhere, &desk.sign(&elsewhere)).is_err(), "of another process");
        for text in ["", "x", &nonce[1..]] {
            assert!(desk.give(text, &desk.sign(text)).is_err());
        }
    }

    #[test]
    fn a_token_ends_with_its_machine_its_owner_and_its_pairing() {
        let desk = desk();
        desk.clock.pass(1);
        let nonce = desk.tokens.nonce().unwrap();
        let token = desk.give(&nonce, &desk.sign(&nonce)).unwrap();
        let read = |row: Option<DeviceRow>| {
            desk.tokens
                .read([desk.key.public()].into_iter(), &token, |id| row.filter(|row| row.id == id))
                .is_some()
        };
        assert!(read(Some(desk.row.clone())));
        assert!(!read(None), "the machine was revoked");
        let sold = DeviceRow { principal: PrincipalId::generate(), ..desk.row.clone() };
        assert!(!read(Some(sold)), "the machine became somebody else's");
        desk.clock.pass(1);
        let anew = DeviceRow { paired_ms: to_ms(desk.clock.wall()), ..desk.row.clone() };
        assert!(!read(Some(anew)), "the machine was revoked and paired again");
        desk.clock.pass(3600);
        assert!(!read(Some(desk.row.clone())), "though it was read before");
    }

    #[test]
    fn a_token_ends_with_the_key_that_signed_it() {
        let desk = desk();
        desk.clock.pass(1);
        let nonce = desk.tokens.nonce().unwrap();
        let token = desk.give(&nonce, &desk.sign(&nonce)).unwrap();
        let (its, other) = (desk.key.public(), SigningKey::generate().unwrap().public());
        let read = |keys: &[PublicKey]| {
            desk.tokens.read(keys.iter().copied(), &token, |_| Some(desk.row.clone())).is_some()
        };
        assert!(read(&[other, its]), "the key before is honoured");
        assert!(!read(&[other]), "though it was read before");
        assert!(read(&[its]));
    }

    #[test]
    fn used_nonces_are_forgotten_in_time_and_never_too_early() {
        let desk = desk();
        for i in 0..MAX_USED as u128 {
            desk.tokens.use_up(i.to_le_bytes(), NONCE_MS).unwrap();
        }
        assert!(matches!(desk.tokens.use_up([255; 16], NONCE_MS), Err(TokenError::Busy)));
        desk.clock.pass(60);
        assert!(desk.tokens.use_up([255; 16], 2 * NONCE_MS).is_ok());
    }
}

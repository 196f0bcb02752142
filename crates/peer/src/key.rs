//! A device's key: the one secret that proves to others which machine this is. Knows no file and no wire.

use std::fmt;
use std::sync::Arc;

use proto::DeviceId;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

/// What stands before the seed in the PKCS #8 form of an Ed25519 key (RFC 8410 §7).
const PKCS8_HEAD: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The bytes are no device key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a device key")]
pub struct InvalidKey;

/// A signature that does not fit the message and the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature is not that device's")]
pub struct WrongSignature;

/// The peer's key, as the lane proved it. A request extension; absent over direct HTTP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerId(pub DeviceId);

/// An Ed25519 key pair. Cheap to clone; wiped when the last clone goes.
#[derive(Clone)]
pub struct DeviceKey {
    id: DeviceId,
    pair: Arc<Ed25519KeyPair>,
    seed: Arc<Zeroizing<[u8; 32]>>,
}

impl DeviceKey {
    /// The key that grows from 32 secret bytes.
    ///
    /// # Errors
    /// Never for a seed of full length, as far as is known.
    pub fn from_seed(seed: [u8; 32]) -> Result<Self, InvalidKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| InvalidKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| InvalidKey)?;
        let id = DeviceId::from_public_key(public);
        Ok(Self { id, pair: Arc::new(pair), seed: Arc::new(Zeroizing::new(seed)) })
    }

    /// The key in a device's key file: its seed, or (64 bytes) its seed and its public key.
    ///
    /// # Errors
    /// The length is another, or the two halves do not belong together.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidKey> {
        let (seed, public) = bytes.split_at_checked(32).ok_or(InvalidKey)?;
        let key = Self::from_seed(seed.try_into().map_err(|_| InvalidKey)?)?;
        if public.is_empty() || public == key.id.public_key() { Ok(key) } else { Err(InvalidKey) }
    }

    /// The device whose key this is: its public half.
    #[must_use]
    pub const fn id(&self) -> DeviceId {
        self.id
    }

    /// Signs a message.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes.copy_from_slice(self.pair.sign(message).as_ref());
        bytes
    }

    /// The secret half.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// The key as TLS libraries take it.
    pub(crate) fn to_pkcs8(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new([&PKCS8_HEAD[..], &self.seed[..]].concat())
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceKey({})", self.id.short())
    }
}

/// Checks that `device` signed this message.
///
/// # Errors
/// It did not.
pub fn verify(device: DeviceId, message: &[u8], signature: &[u8]) -> Result<(), WrongSignature> {
    UnparsedPublicKey::new(&ED25519, device.public_key())
        .verify(message, signature)
        .map_err(|_| WrongSignature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_key_file_are_one_key() {
        let key = DeviceKey::from_seed([7; 32]).unwrap();
        let whole = [&[7; 32][..], key.id().public_key()].concat();
        assert_eq!(DeviceKey::from_bytes(&[7; 32]).unwrap().id(), key.id());
        assert_eq!(DeviceKey::from_bytes(&whole).unwrap().id(), key.id());
        let mut torn = whole.clone();
        torn[40] ^= 1;
        for broken in [&torn[..], &whole[..63], &[], &[7; 31]] {
            assert!(DeviceKey::from_bytes(broken).is_err(), "{} bytes", broken.len());
        }
    }

    #[test]
    fn a_signature_is_the_signers_and_the_messages() {
        let (key, other) = (DeviceKey::from_seed([1; 32]).unwrap(), DeviceKey::from_seed([2; 32]).unwrap());
        let signature = key.sign(b"challenge");
        assert_eq!(verify(key.id(), b"challenge", &signature), Ok(()));
        assert!(verify(other.id(), b"challenge", &signature).is_err());
        assert!(verify(key.id(), b"challenges", &signature).is_err());
        assert!(verify(key.id(), b"challenge", &signature[..63]).is_err());
    }
}

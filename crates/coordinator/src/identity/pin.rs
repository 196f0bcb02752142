//! The owner's PIN: how it is made unreadable, and how a flood of tries is kept from taking the machine.
//! Knows nothing of how often somebody may try; that is `lockout`.

use std::sync::Arc;

use argon2::{Algorithm, Argon2, Params, Version};
use proto::Secret;
use subtle::ConstantTimeEq;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::keyfile;

/// Memory of one hash: 64 MiB, in KiB.
const MEMORY_KIB: u32 = 64 * 1024;
/// Passes over that memory.
const PASSES: u32 = 3;
/// Threads per hash.
const THREADS: u32 = 1;
/// Names the parameters above in what is stored.
const SCHEME: &str = "blake3-argon2id-m65536-t3-p1";
/// Hashes computed at once: 128 MiB at most.
const SLOTS: usize = 2;
/// Callers that may wait for a slot.
const QUEUE: usize = 32;

/// A PIN of the right form: 4 to 12 digits.
pub(crate) struct Pin(Secret<String>);

impl Pin {
    pub(crate) fn parse(text: &Secret<String>) -> Option<Self> {
        let digits = text.expose();
        let good = (4..=12).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        good.then(|| Self(text.clone()))
    }
}

/// A place in the queue. Without one, nothing is hashed; it is given up when the hash is done.
pub(crate) struct Place(OwnedSemaphorePermit);

/// The hash could not be computed.
#[derive(Debug, thiserror::Error)]
#[error("cannot hash the PIN")]
pub(crate) struct HashError;

/// Hashes PINs, a few at a time.
pub(crate) struct PinDesk {
    key: Arc<Secret<[u8; 32]>>,
    places: Arc<Semaphore>,
    slots: Arc<Semaphore>,
}

impl PinDesk {
    /// `key` is kept outside the database, so that a stolen database cannot be searched for its PIN.
    pub(crate) fn new(key: [u8; 32]) -> Self {
        Self {
            key: Arc::new(Secret::new(key)),
            places: Arc::new(Semaphore::new(SLOTS + QUEUE)),
            slots: Arc::new(Semaphore::new(SLOTS)),
        }
    }

    /// A place in the queue, or `None` if it is full.
    pub(crate) fn take_place(&self) -> Option<Place> {
        Arc::clone(&self.places).try_acquire_owned().ok().map(Place)
    }

    /// What to store of a PIN.
    pub(crate) async fn hash(&self, place: Place, pin: Pin) -> Result<String, HashError> {
        let salt: [u8; 16] =
            keyfile::random().map_err(|_| HashError)?[..16].try_into().map_err(|_| HashError)?;
        let digest = self.digest(place, pin, salt).await?;
        Ok(format!("{SCHEME}${}${}", to_hex(&salt), to_hex(&digest)))
    }

    /// True if this is the PIN that `stored` was made of.
    pub(crate) async fn verify(&self, place: Place, pin: Pin, stored: &str) -> Result<bool, HashError> {
        let mut parts = stored.split('$');
        let (Some(SCHEME), Some(salt), Some(digest), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(HashError);
        };
        let salt = from_hex(salt).ok_or(HashError)?;
        let right: [u8; 32] = from_hex(digest).ok_or(HashError)?;
        let tried = self.digest(place, pin, salt).await?;
        Ok(tried.ct_eq(&right).into())
    }

    async fn digest(&self, place: Place, pin: Pin, salt: [u8; 16]) -> Result<[u8; 32], HashError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| HashError)?;
        let key = Arc::clone(&self.key);
        // Place and slot go along: a caller that hangs up does not make room while its hash still runs.
        let work = move || {
            let _held = (place.0, slot);
            keyed_argon2(key.expose(), &pin, &salt)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| HashError)?
    }
}

fn keyed_argon2(key: &[u8; 32], pin: &Pin, salt: &[u8; 16]) -> Result<[u8; 32], HashError> {
    let keyed = Secret::new(*blake3::keyed_hash(key, pin.0.expose().as_bytes()).as_bytes());
    let params = Params::new(MEMORY_KIB, PASSES, THREADS, Some(32)).map_err(|_| HashError)?;
    let mut digest = [0; 32];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(keyed.expose(), salt, &mut digest)
        .map_err(|_| HashError)?;
    Ok(digest)
}

pub(crate) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(crate) fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let text = text.as_bytes();
    if text.len() != N * 2 || !text.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, digits) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pin(text: &str) -> Option<Pin> {
        Pin::parse(&Secret::new(text.to_owned()))
    }

    #[test]
    fn a_pin_is_4_to_12_digits() {
        for (text, good) in [
            ("1234", true),
            ("123456789012", true),
            ("123", false),
            ("1234567890123", false),
            ("12a4", false),
            ("12 34", false),
            ("١٢٣٤", false),
            ("", false),
        ] {
            assert_eq!(pin(text).is_some(), good, "{text}");
        }
    }

    #[tokio::test]
    async fn only_the_same_pin_under_the_same_key_fits() {
        let (desk, other_key) = (PinDesk::new([1; 32]), PinDesk::new([2; 32]));
        let hash = |d: &PinDesk, p: &str| {
            let (place, pin) = (d.take_place().unwrap(), pin(p).unwrap());
            (place, pin)
        };
        let (place, right) = hash(&desk, "482915");
        let stored = desk.hash(place, right).await.unwrap();
        assert!(!stored.contains("482915"));
        for (desk, tried, fits) in
            [(&desk, "482915", true), (&desk, "482916", false), (&other_key, "482915", false)]
        {
            let (place, pin) = hash(desk, tried);
            assert_eq!(desk.verify(place, pin, &stored).await.unwrap(), fits, "{tried}");
        }
    }

    #[tokio::test]
    async fn the_queue_is_bounded_and_places_come_back() {
        let desk = PinDesk::new([1; 32]);
        let places: Vec<_> = std::iter::from_fn(|| desk.take_place()).collect();
        assert_eq!(places.len(), SLOTS + QUEUE);
        drop(places);
        assert!(desk.take_place().is_some());
    }

    #[test]
    fn hex_reads_back() {
        assert_eq!(from_hex::<2>(&to_hex(&[0, 255])), Some([0, 255]));
        assert_eq!(from_hex::<2>("00f"), None);
        assert_eq!(from_hex::<2>("00+f"), None);
    }
}

//! Four words that two people compare on two screens: the same on both means that nobody sits between the machines.
//! The list is `words.txt`: 256 short English words that are hard to take for one another.

use crate::DeviceId;
use crate::api::pairing::CoordinatorKeys;

/// One word for each value of a byte, in alphabetical order.
const LIST: &str = include_str!("words.txt");
/// How often the hash is hashed. Who sits in between must find two pairings with the same words within the life of a
/// code; this makes each try cost some ten thousand times as much, and an honest machine a few milliseconds.
const ROUNDS: u32 = 1 << 16;

/// The word for a byte.
#[must_use]
pub fn word(byte: u8) -> &'static str {
    LIST.lines().nth(usize::from(byte)).unwrap_or_default()
}

/// The byte that a word stands for, however it is capitalised.
#[must_use]
pub fn byte(word: &str) -> Option<u8> {
    let word = word.to_ascii_lowercase();
    LIST.lines().position(|listed| listed == word).and_then(|at| u8::try_from(at).ok())
}

/// All that the device is about to pin of the coordinator, the device's own key, and the pairing, as one hash.
pub(crate) fn pinned_hash(coordinator: &CoordinatorKeys, device: DeviceId, pairing: &str) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key("lanthorn 2026-11-21 words of a pairing");
    let authority = coordinator.authority.as_deref().unwrap_or_default();
    let keys: Vec<String> = coordinator.ticket_keys.iter().map(ToString::to_string).collect();
    let certificate = coordinator.certificate.map(|pin| pin.to_string());
    let device = device.to_string();
    let parts = [coordinator.id.as_str(), authority, &device, pairing];
    for part in parts.into_iter().chain(keys.iter().map(String::as_str)).chain(certificate.as_deref()) {
        // With its length before each part, no two lists of parts read the same.
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    }
    hasher.finalize()
}

/// The words of a pairing. They change with all that the device is about to pin of the coordinator, with the device's
/// own key, and with the pairing. Costs milliseconds of work on purpose.
#[must_use]
pub fn pairing_words(coordinator: &CoordinatorKeys, device: DeviceId, pairing: &str) -> [&'static str; 4] {
    let mut hash = pinned_hash(coordinator, device, pairing);
    for _ in 0..ROUNDS {
        hash = blake3::hash(hash.as_bytes());
    }
    let bytes = hash.as_bytes();
    [word(bytes[0]), word(bytes[1]), word(bytes[2]), word(bytes[3])]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::CertificatePin;
    use crate::ticket::PublicKey;

    #[test]
    fn the_list_has_a_word_for_each_byte_and_each_word_one_byte() {
        assert_eq!(LIST.lines().count(), 256);
        for value in 0..=255 {
            let word = word(value);
            assert!((3..=7).contains(&word.len()), "{word}");
            assert!(word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
            assert_eq!(byte(word), Some(value), "{word} is listed twice");
            assert_eq!(byte(&word.to_uppercase()), Some(value));
        }
        assert!(LIST.lines().is_sorted());
        assert_eq!(byte("nonsense"), None);
    }

    #[test]
    fn no_word_is_one_slip_from_another() {
        let words: Vec<&str> = LIST.lines().collect();
        for (i, a) in words.iter().enumerate() {
            for b in &words[i + 1..] {
                assert_ne!(a.get(..4), b.get(..4).or(Some("")), "{a} and {b} begin alike");
                let differ = a.bytes().zip(b.bytes()).filter(|(x, y)| x != y).count();
                assert!(a.len() != b.len() || differ > 1, "{a} and {b} differ in one letter");
            }
        }
    }

    #[test]
    fn the_words_change_with_everything_that_is_pinned() {
        let [k1, k2] = [1, 2].map(|byte| PublicKey::from_bytes([byte; 32]));
        let keys = CoordinatorKeys {
            id: "0123456789abcdef".into(),
            name: "Attic".into(),
            ticket_keys: vec![k1],
            authority: Some("PEM".into()),
            certificate: None,
            urls: vec!["https://attic:7000/".into()],
        };
        let device = DeviceId::from_public_key([1; 32]);
        let words = pairing_words(&keys, device, "p");
        assert_eq!(words, pairing_words(&keys, device, "p"));
        let elsewhere = CoordinatorKeys { urls: Vec::new(), name: "Cellar".into(), ..keys.clone() };
        assert_eq!(words, pairing_words(&elsewhere, device, "p"), "where it is asked does not matter");
        for (other, device, pairing) in [
            (CoordinatorKeys { id: "1".into(), ..keys.clone() }, device, "p"),
            (CoordinatorKeys { ticket_keys: vec![k2], ..keys.clone() }, device, "p"),
            (CoordinatorKeys { ticket_keys: vec![k1, k2], ..keys.clone() }, device, "p"),
            (CoordinatorKeys { authority: None, ..keys.clone() }, device, "p"),
            (CoordinatorKeys { certificate: Some(CertificatePin::of(b"c")), ..keys.clone() }, device, "p"),
            (keys.clone(), DeviceId::from_public_key([2; 32]), "p"),
            (keys, device, "q"),
        ] {
            assert_ne!(words, pairing_words(&other, device, pairing));
        }
    }
}

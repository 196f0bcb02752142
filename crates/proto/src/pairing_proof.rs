//! A coordinator's proof, while a machine joins it, that it holds the key by which it goes: everybody who was paired knows the
//! public half, and could call themselves by it. It covers all that the machine is about to pin, so that nobody can pass
//! it on with an authority of their own.

use pasetors::Public;
use pasetors::keys::AsymmetricPublicKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};

use crate::DeviceId;
use crate::api::pairing::CoordinatorKeys;
use crate::ticket::{InvalidKey, PublicKey, SigningKey};
use crate::words::pinned_hash;

/// Signed along with each proof, and with nothing else.
const ASSERTION: &[u8] = b"lanthorn pairing proof 1";

fn message(coordinator: &CoordinatorKeys, device: DeviceId, pairing: &str) -> String {
    pinned_hash(coordinator, device, pairing).to_hex().to_string()
}

/// Proves to this device, in this pairing, that `key` is among what it is to pin.
///
/// # Errors
/// The key is broken.
pub fn sign(
    key: &SigningKey,
    coordinator: &CoordinatorKeys,
    device: DeviceId,
    pairing: &str,
) -> Result<String, InvalidKey> {
    let message = message(coordinator, device, pairing);
    PublicToken::sign(key.secret(), message.as_bytes(), None, Some(ASSERTION)).map_err(|_| InvalidKey)
}

/// True if the coordinator's present key signed this for the device and the pairing.
#[must_use]
pub fn holds(coordinator: &CoordinatorKeys, device: DeviceId, pairing: &str, proof: &str) -> bool {
    let key = coordinator.ticket_keys.first().copied().map(PublicKey::to_bytes);
    let signed = || {
        let key = AsymmetricPublicKey::<V4>::from(&key?).ok()?;
        let token = UntrustedToken::<Public, V4>::try_from(proof).ok()?;
        PublicToken::verify(&key, &token, None, Some(ASSERTION)).ok()?;
        Some(token.untrusted_payload() == message(coordinator, device, pairing).as_bytes())
    };
    signed().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_for_what_was_signed_and_for_nothing_else() {
        let [key, other] = std::array::from_fn(|_| SigningKey::generate().unwrap());
        let keys = CoordinatorKeys {
            id: key.public().id(),
            name: "Attic".into(),
            ticket_keys: vec![key.public()],
            authority: Some("PEM".into()),
            certificate: None,
            urls: Vec::new(),
        };
        let [device, another] = [1, 2].map(|byte| DeviceId::from_public_key([byte; 32]));
        let proof = sign(&key, &keys, device, "p").unwrap();
        assert!(holds(&keys, device, "p", &proof));
        let elsewhere = CoordinatorKeys { authority: Some("another".into()), ..keys.clone() };
        let others = CoordinatorKeys { ticket_keys: vec![other.public()], ..keys.clone() };
        let none = CoordinatorKeys { ticket_keys: Vec::new(), ..keys.clone() };
        for (keys, device, pairing) in [
            (&elsewhere, device, "p"),
            (&others, device, "p"),
            (&none, device, "p"),
            (&keys, another, "p"),
            (&keys, device, "q"),
        ] {
            assert!(!holds(keys, device, pairing, &proof));
        }
        let by_another = sign(&other, &keys, device, "p").unwrap();
        for forged in [by_another.as_str(), "", &proof[1..]] {
            assert!(!holds(&keys, device, "p", forged), "{forged}");
        }
    }
}

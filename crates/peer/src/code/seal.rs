//! What is made of a code: a key that two share who know it (SPAKE2), and from it one for each thing that is said.

use crypto_secretbox::aead::Aead;
use crypto_secretbox::{KeyInit, XSalsa20Poly1305};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use spake2::{Ed25519Group, Identity, Password, Spake2};
use zeroize::Zeroizing;

use super::Code;

/// Bytes of a nonce, which stands before what it seals.
const NONCE: usize = 24;

/// One side that has not heard from the other.
pub(super) struct Pake(Spake2<Ed25519Group>);

impl Pake {
    /// Begins; also what is said to the other side.
    pub(super) fn start(code: &Code, app: &str) -> (Self, Vec<u8>) {
        let password = Password::new(code.to_string());
        let (state, said) =
            Spake2::<Ed25519Group>::start_symmetric(&password, &Identity::new(app.as_bytes()));
        (Self(state), said)
    }

    /// The key, as it is if both have the same code. That they do shows in what is sealed with it.
    pub(super) fn finish(self, heard: &[u8]) -> Option<SharedKey> {
        self.0.finish(heard).ok().map(|key| SharedKey(Zeroizing::new(key)))
    }
}

/// The key that both have.
pub(super) struct SharedKey(Zeroizing<Vec<u8>>);

impl SharedKey {
    /// Seals what this side says in a phase.
    pub(super) fn seal(&self, side: &str, phase: &str, plain: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(std::io::Error::other)?;
        let sealed = self.cipher(side, phase).encrypt(&nonce.into(), plain);
        let sealed = sealed.map_err(|_| std::io::Error::other("cannot be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// What a side said in a phase; none if it has another key.
    pub(super) fn open(&self, side: &str, phase: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE>()?;
        self.cipher(side, phase).decrypt(nonce.into(), sealed).ok()
    }

    fn cipher(&self, side: &str, phase: &str) -> XSalsa20Poly1305 {
        let purpose = [b"wormhole:phase:".as_slice(), &Sha256::digest(side), &Sha256::digest(phase)].concat();
        let mut key = Zeroizing::new([0; 32]);
        // 32 bytes are never too many.
        let _ = Hkdf::<Sha256>::new(None, &self.0).expand(&purpose, key.as_mut());
        XSalsa20Poly1305::new((&*key).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(one: &str, other: &str) -> (SharedKey, SharedKey) {
        let (here, said_here) = Pake::start(&one.parse().unwrap(), "app");
        let (there, said_there) = Pake::start(&other.parse().unwrap(), "app");
        (here.finish(&said_there).unwrap(), there.finish(&said_here).unwrap())
    }

    #[test]
    fn the_same_code_makes_the_same_key_and_no_other_does() {
        let (here, there) = keys("5-hamburger-endorse", "5-hamburger-endorse");
        let sealed = here.seal("a", "0", b"hello").unwrap();
        assert_eq!(there.open("a", "0", &sealed).unwrap(), b"hello");
        assert_eq!(there.open("b", "0", &sealed), None, "another side's");
        assert_eq!(there.open("a", "1", &sealed), None, "another phase's");
        assert_eq!(there.open("a", "0", &sealed[..20]), None);
        let mut flipped = sealed;
        flipped[30] ^= 1;
        assert_eq!(there.open("a", "0", &flipped), None);
        let (here, there) = keys("5-hamburger-endorse", "5-hamburger-enlist");
        assert_eq!(there.open("a", "0", &here.seal("a", "0", b"hello").unwrap()), None);
    }
}

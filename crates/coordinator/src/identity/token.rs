//! Tokens that browsers hold: 256 random bits, of which only the hash is kept.

use std::io;

use proto::Secret;

use super::pin::{from_hex, to_hex};
use crate::keyfile;

/// The secret in a cookie.
pub(crate) struct Token(Secret<[u8; 32]>);

impl Token {
    pub(crate) fn generate() -> io::Result<Self> {
        keyfile::random().map(|bytes| Self(Secret::new(bytes)))
    }

    /// Reads what a cookie holds.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        from_hex(text).map(|bytes| Self(Secret::new(bytes)))
    }

    /// What the cookie holds.
    pub(crate) fn text(&self) -> String {
        to_hex(self.0.expose())
    }

    /// What is kept. A plain hash is enough for 256 random bits.
    pub(crate) fn hash(&self) -> [u8; 32] {
        *blake3::hash(self.0.expose()).as_bytes()
    }
}

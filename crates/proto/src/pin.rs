//! By which certificate a coordinator is known to whoever has not spoken with it yet, and how an invitation carries that.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::base64url;

/// What separates an invitation's secret from the pin. It is part of neither.
const DOT: char = '.';

/// The first half of a certificate's BLAKE3 hash: enough that nobody makes another certificate with the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificatePin([u8; 16]);

impl CertificatePin {
    /// The pin of a certificate (DER).
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        let hash = blake3::derive_key("lanthorn 2026-11-21 pin of a certificate", certificate);
        let mut first = [0; 16];
        first.copy_from_slice(&hash[..16]);
        Self(first)
    }

    /// Puts the pin behind an invitation's secret.
    #[must_use]
    pub fn behind(self, secret: &str) -> String {
        format!("{secret}{DOT}{self}")
    }

    /// Takes an invitation apart: its secret, and the pin if it has one.
    #[must_use]
    pub fn split(invitation: &str) -> (&str, Option<Self>) {
        let parts = invitation.rsplit_once(DOT).and_then(|(secret, pin)| Some((secret, pin.parse().ok()?)));
        parts.map_or((invitation, None), |(secret, pin)| (secret, Some(pin)))
    }
}

/// Not a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the pin of a certificate")]
pub struct NoPin;

impl FromStr for CertificatePin {
    type Err = NoPin;

    fn from_str(text: &str) -> Result<Self, NoPin> {
        base64url::decode_exactly(text).map(Self).ok_or(NoPin)
    }
}

impl fmt::Display for CertificatePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&base64url::encode(&self.0))
    }
}

impl Serialize for CertificatePin {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CertificatePin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_carries_its_pin_and_is_whole_without() {
        let pin = CertificatePin::of(b"a certificate");
        assert_eq!(CertificatePin::split(&pin.behind("s3cret")), ("s3cret", Some(pin)));
        assert_ne!(pin, CertificatePin::of(b"another"));
        for whole in
            ["s3cret", "", "word. word", "s3cret.tooshort", &format!("s3cret.{pin}A"), &format!("{pin}")]
        {
            assert_eq!(CertificatePin::split(whole), (whole, None));
        }
    }
}

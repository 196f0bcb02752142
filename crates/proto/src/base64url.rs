//! Keys and signatures as text: base64 with the alphabet of addresses and without padding, in one spelling only.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The text of these bytes.
#[must_use]
pub fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of this text; `None` if it is not exactly what [`encode`] writes.
#[must_use]
pub fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// The bytes of this text, if there are just so many.
#[must_use]
pub fn decode_exactly<const N: usize>(text: &str) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn bytes_read_back_and_are_spelled_in_one_way(bytes: [u8; 32], text in "[A-Za-z0-9_=+-]{0,8}") {
            prop_assert_eq!(decode_exactly(&encode(&bytes)), Some(bytes));
            if let Some(bytes) = decode(&text) {
                prop_assert_eq!(encode(&bytes), text);
            }
        }
    }

    #[test]
    fn the_length_is_looked_at() {
        assert!(decode_exactly::<4>(&encode(&[1; 4])).is_some());
        assert!(decode_exactly::<4>(&encode(&[1; 5])).is_none());
    }
}

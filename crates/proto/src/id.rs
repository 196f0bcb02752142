//! Names of things. Devices are named by their public key, everything else by a UUIDv7.
//! This file must not know what the named things are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The text was not an id of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {kind} id")]
pub struct InvalidId {
    kind: &'static str,
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
        #[schema(value_type = String)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, ordered by the time of its making (UUIDv7).
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::try_parse(text).map(Self).map_err(|_| InvalidId { kind: $kind })
            }
        }
    };
}

uuid_id!(
    /// A person or a service account.
    PrincipalId,
    "principal"
);
uuid_id!(
    /// A folder of a device, offered under a name.
    ShareId,
    "share"
);
uuid_id!(
    /// One signed-in browser.
    SessionId,
    "session"
);
uuid_id!(
    /// People who are given rights together.
    RoomId,
    "room"
);
uuid_id!(
    /// What somebody may do with a share.
    GrantId,
    "grant"
);
uuid_id!(
    /// An invitation to join.
    InviteId,
    "invite"
);
uuid_id!(
    /// What waits behind a link.
    DropId,
    "drop"
);
uuid_id!(
    /// Something in a share's trash.
    TrashId,
    "trash"
);
uuid_id!(
    /// A content that a file had.
    VersionId,
    "version"
);
uuid_id!(
    /// A file that is coming.
    UploadId,
    "upload"
);
uuid_id!(
    /// What undoes an act. Whoever has it still needs the right to write.
    UndoToken,
    "undo token"
);
uuid_id!(
    /// A delivery from one machine to another.
    TransferId,
    "transfer"
);
uuid_id!(
    /// A file or folder of a transfer.
    TransferItemId,
    "transfer item"
);
uuid_id!(
    /// One HTTP request, as named in logs and errors.
    RequestId,
    "request"
);

/// A machine: its Ed25519 public key. Written in z-base-32 (52 characters).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, utoipa::ToSchema)]
#[schema(value_type = String)]
pub struct DeviceId([u8; 32]);

/// The z-base-32 alphabet: chosen by its author for being read aloud and typed.
const ALPHABET: &[u8; 32] = b"ybndrfg8ejkmcpqxot1uwisza345h769";

/// What each byte stands for in it: an id is read with every request.
const DIGITS: [u8; 256] = {
    let (mut digits, mut digit) = ([NO_DIGIT; 256], 0);
    while digit < 32 {
        digits[ALPHABET[digit] as usize] = digit as u8;
        digit += 1;
    }
    digits
};

/// What stands for nothing.
const NO_DIGIT: u8 = 0xff;

/// 256 bits in groups of five, the last one padded with zeros.
const DEVICE_ID_CHARS: usize = 52;

impl DeviceId {
    /// The id of the device that holds this public key.
    #[must_use]
    pub const fn from_public_key(key: [u8; 32]) -> Self {
        Self(key)
    }

    /// The public key itself.
    #[must_use]
    pub const fn public_key(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight characters: what people are shown.
    #[must_use]
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(DEVICE_ID_CHARS);
        let (mut window, mut bits) = (0u32, 0u32);
        for byte in self.0 {
            window = window << 8 | u32::from(byte);
            bits += 8;
            while bits >= 5 {
                bits -= 5;
                text.push(ALPHABET[(window >> bits & 31) as usize] as char);
            }
        }
        text.push(ALPHABET[(window << (5 - bits) & 31) as usize] as char);
        f.write_str(&text)
    }
}

impl fmt::Debug for DeviceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceId({})", self.short())
    }
}

impl FromStr for DeviceId {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let invalid = InvalidId { kind: "device" };
        if text.len() != DEVICE_ID_CHARS {
            return Err(invalid);
        }
        let (mut key, mut filled) = ([0u8; 32], 0);
        let (mut window, mut bits) = (0u32, 0u32);
        for c in text.bytes() {
            let digit = DIGITS[c as usize];
            if digit == NO_DIGIT {
                return Err(invalid);
            }
            window = window << 5 | u32::from(digit);
            bits += 5;
            if bits >= 8 {
                bits -= 8;
                key[filled] = (window >> bits) as u8;
                filled += 1;
            }
        }
        // Four padding bits remain: only one spelling of a key is its id.
        if window & ((1 << bits) - 1) == 0 { Ok(Self(key)) } else { Err(invalid) }
    }
}

impl Serialize for DeviceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DeviceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_device_id_reads_back(key: [u8; 32]) {
            let id = DeviceId::from_public_key(key);
            prop_assert_eq!(id.to_string().len(), DEVICE_ID_CHARS);
            prop_assert_eq!(id.to_string().parse::<DeviceId>(), Ok(id));
        }

        #[test]
        fn any_text_is_an_id_or_an_error(text in ".*") {
            if let Ok(id) = text.parse::<DeviceId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn padding_bits_must_be_zero() {
        let mut text = DeviceId::from_public_key([7; 32]).to_string();
        text.pop();
        let accepted =
            ALPHABET.iter().filter(|c| format!("{text}{}", **c as char).parse::<DeviceId>().is_ok()).count();
        assert_eq!(accepted, 2, "one bit of data is left for the last character");
    }
}

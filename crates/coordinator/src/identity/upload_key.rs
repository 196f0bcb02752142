//! Upload keys: with one an upload goes on after the login that began it has ended. A key is good for one upload and
//! nothing else, as long as its person may still write there. It is not kept: it carries what it is for, and a seal.

use proto::{PrincipalId, ShareId, UploadId, base64url};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

/// For how long a key is good. An upload to which nothing comes for a day is given up before.
const LIFETIME_MS: i64 = 7 * 24 * 3600 * 1000;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UploadClaims {
    /// Who began the upload.
    pub(crate) sub: PrincipalId,
    pub(crate) share: ShareId,
    pub(crate) upload: UploadId,
    /// When it ends: milliseconds since 1970.
    exp_ms: i64,
}

/// Where keys are sealed and read.
pub(crate) struct UploadKeys {
    seal: [u8; 32],
}

impl UploadKeys {
    pub(crate) fn new(server_key: &[u8; 32]) -> Self {
        Self { seal: blake3::derive_key("lanthorn 2026-11 upload key", server_key) }
    }

    /// The key of an upload.
    pub(crate) fn give(&self, sub: PrincipalId, share: ShareId, upload: UploadId, now_ms: i64) -> String {
        let claims = UploadClaims { sub, share, upload, exp_ms: now_ms + LIFETIME_MS };
        // Ids and a number can always be written.
        let claims = serde_json::to_vec(&claims).unwrap_or_default();
        let seal = blake3::keyed_hash(&self.seal, &claims);
        format!("{}.{}", base64url::encode(&claims), base64url::encode(seal.as_bytes()))
    }

    /// What a key is for, if it is one of ours and in its time.
    pub(crate) fn read(&self, text: &str, now_ms: i64) -> Option<UploadClaims> {
        let (claims, seal) = text.split_once('.')?;
        let (claims, seal) = (base64url::decode(claims)?, base64url::decode_exactly::<32>(seal)?);
        let right: bool = blake3::keyed_hash(&self.seal, &claims).as_bytes().ct_eq(&seal).into();
        let claims: UploadClaims = right.then(|| serde_json::from_slice(&claims).ok())??;
        (now_ms < claims.exp_ms).then_some(claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_what_it_was_given_for_until_it_ends() {
        let keys = UploadKeys::new(&[1; 32]);
        let (sub, share, upload) = (PrincipalId::generate(), ShareId::generate(), UploadId::generate());
        let key = keys.give(sub, share, upload, 5);
        let read = keys.read(&key, 5).unwrap();
        assert_eq!((read.sub, read.share, read.upload), (sub, share, upload));
        assert!(keys.read(&key, LIFETIME_MS + 4).is_some());
        assert!(keys.read(&key, LIFETIME_MS + 5).is_none());
        assert!(UploadKeys::new(&[2; 32]).read(&key, 5).is_none(), "another coordinator's");
        let other = keys.give(sub, share, UploadId::generate(), 5);
        let mixed = format!("{}.{}", key.split_once('.').unwrap().0, other.split_once('.').unwrap().1);
        for forged in [mixed.as_str(), "", ".", "a.b", &key[1..]] {
            assert!(keys.read(forged, 5).is_none(), "{forged}");
        }
    }
}

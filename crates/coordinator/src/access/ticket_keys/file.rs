//! Where ticket keys are kept: `ticket-keys.json` in the state folder, private, and written before anything counts. A
//! folder of before has its one key in `ticket.key`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::ticket::{InvalidKey, PublicKey, SigningKey};
use proto::{Lineage, base64url};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Present, Previous, TicketKeys};
use crate::keyfile::{self, KeyFileError};

/// The file in the state folder.
const FILE: &str = "ticket-keys.json";
/// The one key of a folder of before.
const BEFORE: &str = "ticket.key";

/// The keys as they are written down.
#[derive(Serialize, Deserialize)]
struct Kept {
    lineage: Lineage,
    present: KeptPresent,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    next: Option<KeptKey>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    previous: Option<KeptPrevious>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    dropped: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct KeptPresent {
    key: KeptKey,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
}

#[derive(Serialize, Deserialize)]
struct KeptPrevious {
    key: PublicKey,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
}

/// Both halves of a key, in base64url.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct KeptKey(String);

impl KeptKey {
    fn of(key: &SigningKey) -> Self {
        Self(base64url::encode(key.as_bytes()))
    }

    fn read(&self) -> Result<Arc<SigningKey>, InvalidKey> {
        let bytes = base64url::decode(&self.0).ok_or(InvalidKey)?;
        SigningKey::from_bytes(&bytes).map(Arc::new)
    }
}

impl From<&TicketKeys> for Kept {
    fn from(keys: &TicketKeys) -> Self {
        let previous = keys.previous.map(|Previous { key, until }| KeptPrevious { key, until });
        Self {
            lineage: keys.lineage.clone(),
            present: KeptPresent { key: KeptKey::of(&keys.present.key), since: keys.present.since },
            next: keys.next.as_deref().map(KeptKey::of),
            previous,
            dropped: keys.dropped.clone(),
        }
    }
}

impl TryFrom<Kept> for TicketKeys {
    type Error = InvalidKey;

    fn try_from(kept: Kept) -> Result<Self, InvalidKey> {
        let keys = Self {
            present: Present { key: kept.present.key.read()?, since: kept.present.since },
            next: kept.next.map(|next| next.read()).transpose()?,
            previous: kept.previous.map(|KeptPrevious { key, until }| Previous { key, until }),
            dropped: kept.dropped,
            lineage: kept.lineage,
        };
        // With another line nobody would follow.
        let told = keys.announcement();
        if keys.lineage.proves(&keys.coordinator(), &told.ticket_keys) { Ok(keys) } else { Err(InvalidKey) }
    }
}

/// The keys of this state folder, made if there are none. A coordinator of before goes on with its key and its id.
pub(crate) fn open(state: &Path, now: OffsetDateTime) -> Result<TicketKeys, KeyFileError> {
    let before = state.join(BEFORE);
    let keys = match read(state)? {
        Some(keys) => keys,
        None => {
            let content = |_| KeyFileError::Content(before.clone());
            let key = match keyfile::read(&before)? {
                Some(bytes) => SigningKey::from_bytes(bytes.expose()).map_err(content)?,
                None => SigningKey::generate().map_err(content)?,
            };
            let keys = TicketKeys::begin(key, now);
            write(state, &keys)?;
            keys
        }
    };
    // What is kept elsewhere now would only be one more place to steal it from.
    match fs::remove_file(&before) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(KeyFileError::Io { path: before, source })
        }
        _ => Ok(keys),
    }
}

/// The keys of this state folder, if a coordinator ever ran there since keys take each other's place.
fn read(state: &Path) -> Result<Option<TicketKeys>, KeyFileError> {
    let path = state.join(FILE);
    let Some(bytes) = keyfile::read(&path)? else { return Ok(None) };
    let kept: Option<Kept> = serde_json::from_slice(bytes.expose()).ok();
    let keys = kept.and_then(|kept| TicketKeys::try_from(kept).ok());
    keys.map(Some).ok_or(KeyFileError::Content(path))
}

/// The id of the coordinator of this state folder, if there ever was one.
///
/// # Errors
/// Its keys cannot be read.
pub fn coordinator_id(state: &Path) -> Result<Option<String>, KeyFileError> {
    if let Some(keys) = read(state)? {
        return Ok(Some(keys.coordinator()));
    }
    let path = state.join(BEFORE);
    let Some(bytes) = keyfile::read(&path)? else { return Ok(None) };
    let key = SigningKey::from_bytes(bytes.expose()).map_err(|_| KeyFileError::Content(path))?;
    Ok(Some(key.public().id()))
}

/// Keeps the keys: whole or not at all, and on the disk when this returns.
pub(crate) fn write(state: &Path, keys: &TicketKeys) -> Result<(), KeyFileError> {
    let path: PathBuf = state.join(FILE);
    let text = serde_json::to_vec_pretty(&Kept::from(keys))
        .map_err(|error| KeyFileError::Io { path: path.clone(), source: error.into() })?;
    keyfile::write(&path, &text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

    fn key() -> SigningKey {
        SigningKey::generate().unwrap()
    }

    fn all(keys: &TicketKeys) -> (Vec<PublicKey>, OffsetDateTime, Option<Previous>, Option<PublicKey>) {
        (keys.announcement().ticket_keys, keys.present().since, keys.previous(), keys.next())
    }

    #[test]
    fn every_state_reads_back() {
        let home = tempfile::tempdir().unwrap();
        let first = open(home.path(), NOW).unwrap();
        let announced = first.announce(key()).unwrap();
        let promoted = announced.promote(NOW + time::Duration::MINUTE);
        let replaced = promoted.replace(key(), NOW).unwrap();
        for keys in [first, announced, promoted, replaced] {
            write(home.path(), &keys).unwrap();
            let read = open(home.path(), NOW + time::Duration::DAY).unwrap();
            assert_eq!(all(&read), all(&keys));
            assert_eq!(read.announcement(), keys.announcement());
            let mode = fs::metadata(home.path().join(FILE)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn a_folder_of_before_keeps_its_key_and_its_id() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(coordinator_id(home.path()).unwrap(), None);
        let (before, path) = (key(), home.path().join(BEFORE));
        keyfile::write(&path, before.as_bytes()).unwrap();
        assert_eq!(coordinator_id(home.path()).unwrap(), Some(before.public().id()));
        for _ in 0..2 {
            let keys = open(home.path(), NOW).unwrap();
            assert_eq!(keys.announcement().ticket_keys, [before.public()]);
            assert_eq!(coordinator_id(home.path()).unwrap(), Some(before.public().id()));
            assert!(!path.exists());
        }
        keyfile::write(&path, key().as_bytes()).unwrap();
        assert_eq!(open(home.path(), NOW).unwrap().coordinator(), before.public().id(), "it is over");
    }

    #[test]
    fn keys_that_nobody_would_follow_are_not_gone_on_with() {
        let home = tempfile::tempdir().unwrap();
        let keys = open(home.path(), NOW).unwrap();
        let good = serde_json::to_value(Kept::from(&keys.announce(key()).unwrap())).unwrap();
        let path = home.path().join(FILE);
        for spoil in ["lineage", "present", "next"] {
            let mut bad = good.clone();
            bad[spoil] = serde_json::to_value(Kept::from(&TicketKeys::begin(key(), NOW))).unwrap()
                [if spoil == "next" { "present" } else { spoil }]
            .clone();
            keyfile::write(&path, bad.to_string().as_bytes()).unwrap();
            assert!(matches!(open(home.path(), NOW), Err(KeyFileError::Content(_))), "{spoil}");
        }
        keyfile::write(&path, b"{").unwrap();
        assert!(matches!(open(home.path(), NOW), Err(KeyFileError::Content(_))));
    }
}

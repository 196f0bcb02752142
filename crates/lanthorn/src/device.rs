//! This machine's identity: one Ed25519 key, made at first start and kept in the state folder.

use std::path::Path;

use anyhow::{Context, Result};
use coordinator::keyfile;
use proto::DeviceId;
use proto::ticket::SigningKey;

/// The key's file in the state folder.
const FILE: &str = "device.key";

/// The id of this machine; its key is made if there is none.
pub fn load_or_make(state: &Path) -> Result<DeviceId> {
    keyfile::prepare_folder(state)?;
    let path = state.join(FILE);
    let key = match keyfile::read(&path)? {
        Some(bytes) => SigningKey::from_bytes(bytes.expose())
            .with_context(|| format!("{} does not hold a key; restore it from a backup", path.display()))?,
        None => {
            let key = SigningKey::generate()?;
            keyfile::write(&path, key.as_bytes())?;
            key
        }
    };
    Ok(DeviceId::from_public_key(key.public().to_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_stays() {
        let home = tempfile::tempdir().unwrap();
        let first = load_or_make(home.path()).unwrap();
        assert_eq!(load_or_make(home.path()).unwrap(), first);
        std::fs::write(home.path().join(FILE), "short").unwrap();
        assert!(load_or_make(home.path()).is_err(), "a broken key is never silently replaced");
    }
}

//! This machine's identity: one Ed25519 key, made at first start and kept in the state folder.

use std::path::Path;

use anyhow::{Context, Result};
use coordinator::keyfile;
use peer::DeviceKey;
use proto::ticket::SigningKey;

/// The key's file in the state folder.
const FILE: &str = "device.key";

/// The key of this machine, made if there is none.
pub fn load_or_make(state: &Path) -> Result<DeviceKey> {
    load_or_make_in(state, FILE)
}

/// The key of a lone coordinator's gateway, made if there is none.
pub fn gateway_key(state: &Path) -> Result<DeviceKey> {
    load_or_make_in(state, "gateway.key")
}

fn load_or_make_in(state: &Path, file: &str) -> Result<DeviceKey> {
    keyfile::prepare_folder(state)?;
    let path = state.join(file);
    let broken = || format!("{} does not hold a key; restore it from a backup", path.display());
    if let Some(bytes) = keyfile::read(&path)? {
        return DeviceKey::from_bytes(bytes.expose()).with_context(broken);
    }
    let made = SigningKey::generate()?;
    keyfile::write(&path, made.as_bytes())?;
    DeviceKey::from_bytes(made.as_bytes()).with_context(broken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_stays() {
        let home = tempfile::tempdir().unwrap();
        let first = load_or_make(home.path()).unwrap();
        assert_eq!(load_or_make(home.path()).unwrap().id(), first.id());
        assert_ne!(gateway_key(home.path()).unwrap().id(), first.id());
        std::fs::write(home.path().join(FILE), "short").unwrap();
        assert!(load_or_make(home.path()).is_err(), "a broken key is never silently replaced");
    }
}

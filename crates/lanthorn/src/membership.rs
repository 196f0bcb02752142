//! The coordinators this machine has joined: what it pins of each, kept in a private file of the state folder, which a
//! running Lanthorn watches.

use std::path::Path;
use std::sync::Arc;

use agent::control;
use anyhow::{Context, Result, ensure};
use coordinator::keyfile;
use peer::CertificateDer;
use proto::api::pairing::CoordinatorKeys;
use proto::ticket::PublicKey;
use proto::{DeviceId, PrincipalId, base64url};
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::client::{Address, Connector, Trusted};
use crate::reach::{Search, Ways};
use crate::watched;

/// The file in the state folder.
const FILE: &str = "memberships.json";
/// Addresses remembered of one coordinator.
const MAX_URLS: usize = 16;

/// A coordinator that this machine has joined.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Membership {
    /// The coordinator, pinned.
    pub coordinator: CoordinatorKeys,
    /// Whose machine this is there.
    pub principal_id: PrincipalId,
    /// What they are called.
    pub display_name: String,
    /// This machine, as it is known there.
    pub client_device_id: DeviceId,
    /// When it was joined.
    #[serde(with = "time::serde::rfc3339")]
    pub joined: OffsetDateTime,
}

/// All of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memberships {
    /// In the order of joining.
    pub memberships: Vec<Membership>,
}

impl Memberships {
    /// What this machine has joined; nothing before it first did.
    pub fn read(state: &Path) -> Result<Self> {
        match keyfile::read(&state.join(FILE))? {
            Some(bytes) => serde_json::from_slice(bytes.expose()).context("memberships.json has a mistake"),
            None => Ok(Self::default()),
        }
    }

    /// Keeps them.
    pub fn write(&self, state: &Path) -> Result<()> {
        keyfile::write(&state.join(FILE), &serde_json::to_vec_pretty(self)?)?;
        Ok(())
    }

    /// Adds one. An earlier membership of the same coordinator gives way.
    pub fn add(&mut self, new: Membership) {
        let same = |old: &Membership| {
            let keys = &old.coordinator.ticket_keys;
            keys.iter().any(|key| new.coordinator.ticket_keys.contains(key))
        };
        self.memberships.retain(|old| !same(old));
        self.memberships.push(new);
    }

    /// Remembers that the coordinator with one of these keys is at another address now.
    pub fn moved(state: &Path, keys: &[String], url: String) -> Result<()> {
        let mut all = Self::read(state)?;
        for joined in all.memberships.iter_mut().filter(|joined| joined.has_any(keys)) {
            let urls = &mut joined.coordinator.urls;
            urls.retain(|known| *known != url);
            urls.insert(0, url.clone());
            urls.truncate(MAX_URLS);
        }
        all.write(state)
    }

    /// Follows the file.
    pub fn watch(state: &Path) -> Result<watch::Receiver<Self>> {
        watched::follow(&state.join(FILE), Self::read(state)?, {
            let state = state.to_owned();
            move || Self::read(&state)
        })
    }

    /// As the links take them. One that cannot be used is left out and said.
    pub fn for_links(&self, search: &Search) -> Vec<control::Membership> {
        let links = self.memberships.iter().map(|membership| {
            membership.link(search).with_context(|| format!("cannot reach {}", membership.coordinator.name))
        });
        let usable = links.inspect(|link| {
            if let Err(error) = link {
                tracing::warn!(error = format!("{error:#}"), "a membership is of no use; pair again");
            }
        });
        usable.flatten().collect()
    }
}

impl Membership {
    /// The ids of the coordinator's keys.
    pub fn key_ids(&self) -> Vec<String> {
        let keys = self.coordinator.ticket_keys.iter();
        keys.filter_map(|text| base64url::decode_exactly(text).map(PublicKey::from_bytes).map(|key| key.id()))
            .collect()
    }

    fn has_any(&self, ids: &[String]) -> bool {
        self.key_ids().iter().any(|id| ids.contains(id))
    }

    /// The ways to the coordinator, likeliest first.
    pub fn connectors(&self) -> Result<Vec<Connector>> {
        let authority = self.coordinator.authority.as_deref().context("its authority is not known")?;
        let ways = self.coordinator.urls.iter();
        let ways = ways.map(|url| Connector::new(Address::parse(url)?, &Trusted::Authority(authority)));
        ways.collect()
    }

    fn link(&self, search: &Search) -> Result<control::Membership> {
        let known = self.connectors()?;
        ensure!(!known.is_empty(), "it has no address");
        let authority = self.coordinator.authority.as_deref().context("its authority is not known")?;
        let keys = self.coordinator.ticket_keys.iter();
        let keys = keys.map(|text| base64url::decode_exactly(text).map(PublicKey::from_bytes));
        let keys: Vec<PublicKey> = keys.collect::<Option<_>>().context("its keys are none")?;
        let certificate = CertificateDer::from_pem_slice(authority.as_bytes());
        let ids = keys.iter().map(PublicKey::id).collect();
        Ok(control::Membership {
            coordinator: self.coordinator.id.clone(),
            name: self.coordinator.name.clone(),
            ticket_keys: keys,
            authority: certificate.context("its authority is no certificate")?,
            dial: Arc::new(Ways::new(known, authority, ids, search.clone())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn membership(key: &str, name: &str) -> Membership {
        Membership {
            coordinator: CoordinatorKeys {
                id: key.into(),
                name: name.into(),
                ticket_keys: vec![key.into()],
                authority: None,
                urls: Vec::new(),
            },
            principal_id: PrincipalId::generate(),
            display_name: "Ada".into(),
            client_device_id: DeviceId::from_public_key([1; 32]),
            joined: OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn memberships_are_kept_privately_and_one_for_each_coordinator() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(Memberships::read(home.path()).unwrap(), Memberships::default());
        let mut all = Memberships::default();
        for (key, name) in [("a", "Attic"), ("b", "Barn"), ("a", "Attic again")] {
            all.add(membership(key, name));
        }
        all.write(home.path()).unwrap();
        let read = Memberships::read(home.path()).unwrap();
        let names: Vec<_> = read.memberships.iter().map(|m| m.coordinator.name.as_str()).collect();
        assert_eq!(names, ["Barn", "Attic again"]);
        assert_eq!(read, all);
        let mode = std::os::unix::fs::PermissionsExt::mode(
            &std::fs::metadata(home.path().join(FILE)).unwrap().permissions(),
        );
        assert_eq!(mode & 0o777, 0o600);
        let search = Search { look: Arc::new(|_| Box::pin(async { Vec::new() })), state: home.path().into() };
        assert!(read.for_links(&search).is_empty(), "without an authority and an address there is no way");
    }
}

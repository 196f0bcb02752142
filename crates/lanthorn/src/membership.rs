//! The coordinators this machine has joined: what it pins of each, kept in a private file of the state folder, which a
//! running Lanthorn watches.

use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

use agent::control::{self, LinkStates, Pinned, PinnedKeys};
use anyhow::{Context, Result, ensure};
use coordinator::keyfile;
use peer::CertificateDer;
use proto::api::devices::{JoinedCoordinator, LinkStanding};
use proto::api::pairing::CoordinatorKeys;
use proto::{DeviceId, Offered, PrincipalId};
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::client::{Address, Connector};
use crate::places::choose;
use crate::reach::{Search, Ways};
use crate::trusted::Trusted;
use crate::watched;

/// The file in the state folder.
const FILE: &str = "memberships.json";
/// Locked by whoever changes that file. Never written.
const LOCK: &str = "memberships.lock";
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
    /// What has to stand behind its certificate.
    #[serde(default)]
    pub proof: Proof,
    /// Which of this machine's shares it is offered.
    #[serde(default)]
    pub offered: Offered,
    /// When it was joined.
    #[serde(with = "time::serde::rfc3339")]
    pub joined: OffsetDateTime,
}

/// What has to stand behind the certificate of a coordinator that was joined.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Proof {
    /// Its machine's own authority.
    #[default]
    Authority,
    /// Nothing: it is the very certificate that was shown when it was joined.
    Certificate,
    /// An authority that this system believes.
    System,
    /// One of these authorities (PEM).
    Roots {
        /// Their certificates.
        pem: String,
    },
}

impl Proof {
    /// The same as TLS asks it, of this coordinator.
    pub fn of<'a>(&'a self, keys: &'a CoordinatorKeys) -> Result<Trusted<'a>> {
        Ok(match self {
            Self::Authority => {
                Trusted::Authority(keys.authority.as_deref().context("its authority is not known")?)
            }
            Self::Certificate => Trusted::Pinned(keys.certificate.context("its certificate is not known")?),
            Self::System => Trusted::SystemRoots,
            Self::Roots { pem } => Trusted::Authority(pem),
        })
    }
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

    /// Changes what is kept, and nothing that somebody else changes at the same time: one process after the other.
    pub fn change<R>(state: &Path, change: impl FnOnce(&mut Self) -> R) -> Result<R> {
        let _turn = turn(state)?;
        let before = Self::read(state)?;
        let mut all = before.clone();
        let answer = change(&mut all);
        if all != before {
            keyfile::write(&state.join(FILE), &serde_json::to_vec_pretty(&all)?)?;
        }
        Ok(answer)
    }

    /// Adds one. An earlier membership of the same coordinator gives way.
    pub fn add(&mut self, new: Membership) {
        self.memberships.retain(|old| old.coordinator.id != new.coordinator.id);
        self.memberships.push(new);
    }

    fn of(&mut self, coordinator: &str) -> Option<&mut Membership> {
        self.memberships.iter_mut().find(|joined| joined.coordinator.id == coordinator)
    }

    /// Remembers that the coordinator of this id is at another address now.
    pub fn moved(state: &Path, coordinator: &str, url: String) -> Result<()> {
        Self::change(state, |all| {
            let Some(joined) = all.of(coordinator) else { return };
            let urls = &mut joined.coordinator.urls;
            urls.retain(|known| *known != url);
            urls.insert(0, url);
            urls.truncate(MAX_URLS);
        })
    }

    /// Remembers by which keys coordinators go now.
    pub fn learned(state: &Path, pinned: &PinnedKeys) -> Result<()> {
        Self::change(state, |all| {
            for (coordinator, Pinned { joined, keys }) in pinned {
                if let Some(known) = all.of(coordinator).filter(|known| known.joined == *joined) {
                    known.coordinator.ticket_keys.clone_from(keys);
                }
            }
        })
    }

    /// The one that was typed: the coordinator's name, one of its addresses, or the beginning of its id.
    pub fn find(&self, typed: &str) -> Result<&Membership> {
        let there = |url: &String, wanted: &Address| Address::parse(url).is_ok_and(|known| known == *wanted);
        let by_address = Address::parse(typed).ok().and_then(|wanted| {
            let mut all = self.memberships.iter();
            all.find(|joined| joined.coordinator.urls.iter().any(|url| there(url, &wanted)))
        });
        match by_address {
            Some(joined) => Ok(joined),
            None => choose(
                "joined coordinator",
                typed,
                &self.memberships,
                |m| &m.coordinator.name,
                |m| m.coordinator.id.clone(),
            ),
        }
    }

    /// Offers the coordinator of this id other shares from now on; answers which. `None` if it was left.
    pub fn offer(&mut self, coordinator: &str, change: impl FnOnce(Offered) -> Offered) -> Option<Offered> {
        let joined = self.of(coordinator)?;
        joined.offered = change(std::mem::take(&mut joined.offered));
        Some(joined.offered.clone())
    }

    /// All of them with how their links stand, for the machine's owner.
    pub fn shown(&self, states: &LinkStates) -> Vec<JoinedCoordinator> {
        let shown = |joined: &Membership| {
            let keys = &joined.coordinator;
            let state = states.get(&keys.id);
            JoinedCoordinator {
                id: keys.id.clone(),
                name: keys.name.clone(),
                url: keys.urls.first().cloned(),
                standing: state.map_or(LinkStanding::Connecting, |state| state.standing),
                since: state.map_or(joined.joined, |state| state.since),
                trouble: state.and_then(|state| state.trouble.clone()),
                shares: JoinedCoordinator::shares_of(&joined.offered),
            }
        };
        self.memberships.iter().map(shown).collect()
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

/// Waits for the turn to change what is kept. It is over when the file is closed, however the process ends.
fn turn(state: &Path) -> Result<File> {
    let path = state.join(LOCK);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
    Ok(file)
}

impl Membership {
    /// The ways to the coordinator, likeliest first.
    pub fn connectors(&self) -> Result<Vec<Connector>> {
        let tls = Arc::new(self.proof.of(&self.coordinator)?.config()?);
        let ways = self.coordinator.urls.iter();
        ways.map(|url| Ok(Connector::with(Address::parse(url)?, Arc::clone(&tls)))).collect()
    }

    fn link(&self, search: &Search) -> Result<control::Membership> {
        let known = self.connectors()?;
        ensure!(!known.is_empty(), "it has no address");
        let tls = Arc::new(self.proof.of(&self.coordinator)?.config()?);
        // Its own authority also certifies its relay; a certificate that its owner brought has none.
        let authority = self.coordinator.authority.as_deref().unwrap_or_default();
        let authorities: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(authority.as_bytes()).collect();
        let id = self.coordinator.id.clone();
        Ok(control::Membership {
            coordinator: self.coordinator.id.clone(),
            name: self.coordinator.name.clone(),
            ticket_keys: self.coordinator.ticket_keys.clone(),
            authorities: authorities.context("its authority is no certificate")?,
            offered: self.offered.clone(),
            joined: self.joined,
            dial: Arc::new(Ways::new(known, tls, id, search.clone())),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::ticket::PublicKey;

    fn membership(key: &str, name: &str) -> Membership {
        Membership {
            coordinator: CoordinatorKeys {
                id: key.into(),
                name: name.into(),
                ticket_keys: vec![PublicKey::from_bytes([1; 32])],
                authority: None,
                certificate: None,
                urls: Vec::new(),
            },
            principal_id: PrincipalId::generate(),
            display_name: "Ada".into(),
            client_device_id: DeviceId::from_public_key([1; 32]),
            proof: Proof::default(),
            offered: Offered::All,
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
        Memberships::change(home.path(), |kept| *kept = all.clone()).unwrap();
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

    #[test]
    fn what_several_change_at_once_is_all_kept() {
        let home = tempfile::tempdir().unwrap();
        let state = home.path();
        Memberships::change(state, |all| all.add(membership("0", "Attic"))).unwrap();
        let key = PublicKey::from_bytes([9; 32]);
        std::thread::scope(|scope| {
            for n in 1..=8 {
                scope.spawn(move || {
                    Memberships::change(state, |all| all.add(membership(&n.to_string(), "Barn"))).unwrap();
                    let its = |joined| Pinned { joined, keys: vec![key] };
                    let [now, before] = [OffsetDateTime::UNIX_EPOCH, OffsetDateTime::now_utc()].map(its);
                    let pinned =
                        [(n.to_string(), now.clone()), ("left".into(), now), ("0".into(), before)].into();
                    Memberships::learned(state, &pinned).unwrap();
                    Memberships::moved(state, "0", format!("https://10.0.0.{n}:7000/")).unwrap();
                });
            }
        });
        let all = Memberships::read(state).unwrap().memberships;
        assert_eq!((all.len(), all[0].coordinator.urls.len()), (9, 8));
        let learned: Vec<_> = all.iter().map(|joined| joined.coordinator.ticket_keys == [key]).collect();
        assert_eq!(
            learned,
            [&[false][..], &[true; 8]].concat(),
            "not what was pinned before it was joined anew"
        );
    }

    #[test]
    fn a_membership_of_before_is_offered_all_and_proved_by_the_authority() {
        let now = membership("a", "Attic");
        let mut text = serde_json::to_value(&now).unwrap();
        text.as_object_mut().unwrap().retain(|name, _| name != "proof" && name != "offered");
        assert_eq!(serde_json::from_value::<Membership>(text).unwrap(), now);
    }

    #[test]
    fn how_its_link_stands_is_shown_beside_each() {
        let mut all = Memberships::default();
        all.add(membership("a", "Attic"));
        all.add(membership("b", "Barn"));
        let share = proto::ShareId::generate();
        all.offer("b", |_| Offered::Only([share].into_iter().collect()));
        let since = OffsetDateTime::UNIX_EPOCH + time::Duration::DAY;
        let connected = control::LinkState { standing: LinkStanding::Connected, since, trouble: None };
        let shown = all.shown(&[("b".to_owned(), connected)].into_iter().collect());
        assert_eq!((shown[0].standing, &shown[0].shares), (LinkStanding::Connecting, &None));
        assert_eq!((shown[1].standing, shown[1].since), (LinkStanding::Connected, since));
        assert_eq!(shown[1].shares, Some(vec![share]));
    }
}

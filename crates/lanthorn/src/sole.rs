//! One process for each role and state folder: two coordinators would write into one database without knowing of each
//! other. The system lets go of the locks when a process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::Path;

use anyhow::{Context, Result};
use proto::ErrorCode;

use crate::config::Role;
use crate::report::failure;
use crate::{paths, running};

/// The locks of a role. They are held until this is dropped.
#[derive(Debug)]
pub struct Sole {
    _locks: Vec<File>,
}

impl Sole {
    /// Takes the locks of a role.
    ///
    /// # Errors
    /// Another process has one of them, or the state folder cannot be written.
    pub fn take(state: &Path, role: Role) -> Result<Self> {
        let names: &[&str] = match role {
            Role::All => &["coordinator.lock", "agent.lock"],
            Role::Coordinator => &["coordinator.lock"],
            Role::Agent => &["agent.lock"],
            // It keeps nothing.
            Role::Web => &[],
        };
        paths::make_private(state)?;
        let locks = names.iter().map(|name| lock(state, name)).collect::<Result<_>>()?;
        Ok(Self { _locks: locks })
    }
}

fn lock(state: &Path, name: &str) -> Result<File> {
    let path = state.join(name);
    let file = OpenOptions::new().create(true).append(true).open(&path);
    let file = file.with_context(|| format!("cannot open {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(runs_already(state)),
        Err(TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", path.display()))
        }
    }
}

fn runs_already(state: &Path) -> anyhow::Error {
    let at = running::read(state).ok().flatten().map_or_else(String::new, |at| format!(" at http://{at}"));
    failure(
        ErrorCode::Conflict,
        format!("Lanthorn already runs{at} with the state folder {}.", state.display()),
        "Open that address, or give this one folders of its own: --state-dir, --settings-dir, --cache-dir.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_runs_once_in_a_state_folder() {
        let home = tempfile::tempdir().unwrap();
        let coordinator = Sole::take(home.path(), Role::Coordinator).unwrap();
        let agent = Sole::take(home.path(), Role::Agent).unwrap();
        for role in [Role::All, Role::Coordinator, Role::Agent] {
            let error = Sole::take(home.path(), role).unwrap_err();
            assert!(format!("{error:#}").contains("already runs"), "{error:#}");
        }
        Sole::take(home.path(), Role::Web).unwrap();
        drop(coordinator);
        assert!(Sole::take(home.path(), Role::All).is_err(), "the agent still runs");
        drop(agent);
        Sole::take(home.path(), Role::All).unwrap();
    }
}

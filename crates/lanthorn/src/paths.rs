//! Where things are kept on each platform. Names folders; makes them, private to the user.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The three folders of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Homes {
    /// settings.json and logs.
    pub settings: PathBuf,
    /// Keys and the database.
    pub state: PathBuf,
    /// What can be made again.
    pub cache: PathBuf,
}

/// The folders of whoever runs this process.
pub fn homes() -> Result<Homes> {
    let from = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let home = || home_dir().context("no home folder: HOME is not set");
    if cfg!(windows) {
        let roaming = from("APPDATA").context("APPDATA is not set")?.join("Lanthorn");
        let local = from("LOCALAPPDATA").map_or_else(|| roaming.clone(), |dir| dir.join("Lanthorn"));
        return Ok(Homes { settings: roaming, state: local.join("State"), cache: local.join("Cache") });
    }
    if cfg!(target_os = "macos") {
        let library = home()?.join("Library");
        let support = library.join("Application Support/Lanthorn");
        return Ok(Homes {
            settings: support.clone(),
            state: support,
            cache: library.join("Caches/Lanthorn"),
        });
    }
    // An XDG variable counts only if absolute (XDG Base Directory Specification).
    let xdg = |name: &str, otherwise: &str| -> Result<PathBuf> {
        let base = match from(name).filter(|dir| dir.is_absolute()) {
            Some(dir) => dir,
            None => home()?.join(otherwise),
        };
        Ok(base.join("lanthorn"))
    };
    Ok(Homes {
        settings: xdg("XDG_CONFIG_HOME", ".config")?,
        state: xdg("XDG_STATE_HOME", ".local/state")?,
        cache: xdg("XDG_CACHE_HOME", ".cache")?,
    })
}

/// The user's home folder.
pub fn home_dir() -> Option<PathBuf> {
    let name = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Makes a folder that only its user can enter, and the ones above it.
pub fn make_private(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

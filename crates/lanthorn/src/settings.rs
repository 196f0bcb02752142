//! The settings, each once: a field here is a flag, a `LANTHORN_…` variable and an entry of `settings.json`.
//!
//! Strength: flag, then variable, then file, then the default in [`crate::config`]. No field has a default here,
//! so that "not said" can be told from "said".

use std::fs;
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::rate::Rate;

/// Larger files are no settings.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// Names that are less like one another than this, of 1000, are not mistaken for one another.
const LIKE: u32 = 800;

/// Every setting, where it was said.
#[derive(Clone, Debug, Default, PartialEq, Args, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Settings (also LANTHORN_… variables and entries of settings.json)")]
pub struct Settings {
    /// The folder for settings.json and logs.
    #[arg(long, global = true, value_name = "DIR", env = "LANTHORN_SETTINGS_DIR")]
    #[serde(skip)]
    pub settings_dir: Option<PathBuf>,
    /// The folder for keys and the database.
    #[arg(long, global = true, value_name = "DIR", env = "LANTHORN_STATE_DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state_dir: Option<PathBuf>,
    /// The folder for what can be made again: thumbnails, search indexes.
    #[arg(long, global = true, value_name = "DIR", env = "LANTHORN_CACHE_DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_dir: Option<PathBuf>,
    /// The address to listen on; all of them by default, for a lone agent this machine's own only.
    #[arg(long, global = true, value_name = "ADDRESS", env = "LANTHORN_HOST")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<IpAddr>,
    /// The port to listen on; 7000, or 7001 for a lone agent and 5000 for a lone page. 0 takes any free one.
    #[arg(long, short, global = true, env = "LANTHORN_PORT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// What this machine is called.
    #[arg(long, global = true, value_name = "NAME", env = "LANTHORN_DEVICE_NAME")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device_name: Option<String>,
    /// The folder that setup proposes to share.
    #[arg(long, global = true, value_name = "DIR", env = "LANTHORN_FOLDER")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// The folder for what is sent to this machine; its own by default, beside keys and database.
    #[arg(long, global = true, value_name = "DIR", env = "LANTHORN_INBOX_DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub inbox_dir: Option<PathBuf>,
    /// How fast this machine sends what it sends to somebody, at most: bytes per second, like 500k or 10M. 0 is no limit.
    #[arg(long, global = true, value_name = "RATE", env = "LANTHORN_LIMIT_RATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_rate: Option<Rate>,
    /// Do not open the browser at start.
    #[arg(long, global = true, env = "LANTHORN_NO_BROWSER", num_args = 0..=1, default_missing_value = "true")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub no_browser: Option<bool>,
    /// Seconds of no use after which a session ends: 60 to 86400.
    #[arg(long, global = true, value_name = "SECONDS", env = "LANTHORN_SESSION_IDLE_SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_idle_seconds: Option<u64>,
    /// Whether people may look and download over plain HTTP.
    #[arg(long, global = true, value_name = "BOOL", env = "LANTHORN_ALLOW_OPEN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allow_open: Option<bool>,
    /// Whether machines on other networks may exchange codes at this coordinator too (`send` without a receiver).
    #[arg(long, global = true, value_name = "BOOL", env = "LANTHORN_OPEN_RENDEZVOUS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub open_rendezvous: Option<bool>,
    /// Days after which another key signs this coordinator's tickets: 1 to 3650, and 0 for never.
    #[arg(long, global = true, value_name = "DAYS", env = "LANTHORN_TICKET_KEY_DAYS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ticket_key_days: Option<u64>,
    /// Whether this machine's coordinator is announced on the local network, and others are looked for there.
    #[arg(long, global = true, value_name = "BOOL", env = "LANTHORN_DISCOVERY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discovery: Option<bool>,
    /// Another host name or address that this machine answers to and has in its certificate; may be repeated.
    #[arg(long = "name", global = true, value_name = "HOST", env = "LANTHORN_NAMES", value_delimiter = ',')]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub names: Option<Vec<String>>,
    /// Your own certificate chain (PEM), in place of the machine's own authority.
    #[arg(long, global = true, value_name = "FILE", env = "LANTHORN_CERTIFICATE")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The private key (PEM) of your own certificate.
    #[arg(long, global = true, value_name = "FILE", env = "LANTHORN_PRIVATE_KEY")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub private_key: Option<PathBuf>,
    /// Where a lone page finds the coordinator.
    #[arg(long, global = true, value_name = "URL", env = "LANTHORN_COORDINATOR_URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coordinator_url: Option<String>,
    /// Where a lone coordinator finds this machine's agent.
    #[arg(long, global = true, value_name = "URL", env = "LANTHORN_AGENT_URL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_url: Option<String>,
    /// Which ways to other machines are used: TLS over TCP, QUIC over UDP or a relay, or whichever works.
    #[arg(long, global = true, value_enum, env = "LANTHORN_LANES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lanes: Option<Lanes>,
    /// The ffmpeg to use; found on the PATH by default.
    #[arg(long, global = true, value_name = "FILE", env = "LANTHORN_FFMPEG_BIN")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ffmpeg_bin: Option<PathBuf>,
    /// Whether films get thumbnails.
    #[arg(long, global = true, value_name = "BOOL", env = "LANTHORN_ENABLE_VIDEO_THUMBNAILS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enable_video_thumbnails: Option<bool>,
    /// The folder for thumbnails.
    #[arg(long, global = true, value_name = "DIR", env = "LANTHORN_THUMBNAIL_CACHE_DIR")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_cache_dir: Option<PathBuf>,
    /// Seconds for which an unused thumbnail is kept: 60 to 86400.
    #[arg(long, global = true, value_name = "SECONDS", env = "LANTHORN_THUMBNAIL_CACHE_TTL_SECONDS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_cache_ttl_seconds: Option<u64>,
    /// Mebibytes of thumbnails kept: 32 to 4096.
    #[arg(long, global = true, value_name = "MIB", env = "LANTHORN_THUMBNAIL_CACHE_MAX_MB")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_cache_max_mb: Option<u64>,
    /// Thumbnails made at once: 1 to 16.
    #[arg(long, global = true, value_name = "N", env = "LANTHORN_THUMBNAIL_MAX_CONCURRENT")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_max_concurrent: Option<usize>,
    /// Milliseconds a request waits for its thumbnail before it gets a drawn tile: 20 to 60000.
    #[arg(long, global = true, value_name = "MS", env = "LANTHORN_THUMBNAIL_ACQUIRE_TIMEOUT_MS")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thumbnail_acquire_timeout_ms: Option<u64>,
    /// Films transcoded at once: 1 to 64.
    #[arg(long, global = true, value_name = "N", env = "LANTHORN_MAX_TRANSCODES")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_transcodes: Option<usize>,
}

/// The ways to other machines that may be used, where one of them has to be left out or tried alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lanes {
    /// TLS over TCP where that answers, else QUIC.
    #[default]
    All,
    /// TLS over TCP only.
    Lan,
    /// QUIC only: over UDP, or a relay.
    Quic,
}

impl Settings {
    /// What `self` (typed) says, and for the rest what `file` says.
    pub fn over(&self, file: &Self) -> Result<Self> {
        let mut merged = to_map(file)?;
        merged.extend(to_map(self)?);
        let mut settings: Self = serde_json::from_value(Value::Object(merged))?;
        settings.settings_dir.clone_from(&self.settings_dir);
        Ok(settings)
    }

    /// The entries that are said, by name.
    pub fn entries(&self) -> Result<Map<String, Value>> {
        to_map(self)
    }
}

fn to_map(settings: &Settings) -> Result<Map<String, Value>> {
    match serde_json::to_value(settings)? {
        Value::Object(map) => Ok(map),
        other => bail!("settings are not an object but {other}"),
    }
}

/// Reads `settings.json`; a missing file says nothing.
pub fn read(path: &Path) -> Result<Settings> {
    let text = match fs::metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Settings::default()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        Ok(found) if found.len() > MAX_FILE_BYTES => bail!("{} is too large to be settings", path.display()),
        Ok(_) => fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?,
    };
    understand(&text).with_context(|| format!("{} has a mistake", path.display()))
}

/// Settings from the text of a file. An error names the setting it is about: line and column alone do not say which.
fn understand(text: &str) -> Result<Settings> {
    let map: Map<String, Value> = serde_json::from_str(text).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => anyhow!("it has to be one object: {{\"name\": value, ...}}"),
        _ => anyhow!("it is not JSON: {error}"),
    })?;
    from_map(map)
}

fn from_map(map: Map<String, Value>) -> Result<Settings> {
    for name in map.keys() {
        check_name(name)?;
    }
    serde_path_to_error::deserialize(Value::Object(map))
        .map_err(|error| anyhow!("{}: {}", error.path(), in_words(&error.inner().to_string())))
}

/// What Rust calls the kinds of values, as people call them.
fn in_words(error: &str) -> String {
    let kinds = [
        ("u16", "a number from 0 to 65535"),
        ("u64", "a number"),
        ("usize", "a number"),
        ("a boolean", "true or false"),
        ("a sequence", "a list: [\"one\", \"two\"]"),
    ];
    kinds.iter().fold(error.to_owned(), |text, (kind, words)| {
        text.replace(&format!("expected {kind}"), &format!("expected {words}"))
    })
}

/// Fails if there is no setting of that name, and says which is likely meant.
pub fn check_name(name: &str) -> Result<()> {
    let names: Vec<String> = Settings::augment_args(clap::Command::new(""))
        .get_arguments()
        .map(|setting| setting.get_id().to_string())
        .filter(|name| name != "settings_dir")
        .collect();
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    let likeness = |known: &&String| (strsim::jaro_winkler(known, name) * 1000.0) as u32;
    match names.iter().max_by_key(likeness).filter(|known| likeness(known) > LIKE) {
        Some(known) => bail!("there is no setting \"{name}\"; is \"{known}\" meant?"),
        None => bail!("there is no setting \"{name}\"; `lanthorn --help` lists them"),
    }
}

/// Changes entries of `settings.json` (`None` removes one), after checking that the whole still makes sense.
pub fn write_entries<'a>(
    path: &Path,
    changes: impl IntoIterator<Item = (&'a str, Option<Value>)>,
) -> Result<()> {
    let mut entries = read(path)?.entries()?;
    for (key, value) in changes {
        match value {
            Some(value) => entries.insert(key.to_owned(), value),
            None => entries.remove(key),
        };
    }
    let settings = from_map(entries)?;
    crate::config::check_ranges(&settings)?;
    replace_file(path, &serde_json::to_vec_pretty(&settings)?)
}

/// Writes beside, syncs, renames: the old file or the new one is there, whole.
fn replace_file(path: &Path, content: &[u8]) -> Result<()> {
    let folder = path.parent().context("settings.json has no folder")?;
    crate::paths::make_private(folder)?;
    let beside = path.with_extension("json.new");
    let write = || -> std::io::Result<()> {
        let mut file = fs::File::create(&beside)?;
        file.write_all(content)?;
        file.write_all(b"\n")?;
        file.sync_all()?;
        fs::rename(&beside, path)?;
        fs::File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_stronger_than_the_file() {
        let typed = Settings { port: Some(1), ..Settings::default() };
        let file = Settings { port: Some(2), device_name: Some("Attic".into()), ..Settings::default() };
        let merged = typed.over(&file).unwrap();
        assert_eq!(merged.port, Some(1));
        assert_eq!(merged.device_name.as_deref(), Some("Attic"));
    }

    #[test]
    fn entries_are_checked_before_they_are_written() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("x/settings.json");
        write_entries(&path, [("device_name", Some("Attic".into()))]).unwrap();
        for (key, value) in
            [("port", Value::from("x")), ("colour", Value::from(1)), ("session_idle_seconds", Value::from(5))]
        {
            assert!(write_entries(&path, [(key, Some(value))]).is_err(), "{key}");
        }
        assert_eq!(
            read(&path).unwrap(),
            Settings { device_name: Some("Attic".into()), ..Settings::default() }
        );
        write_entries(&path, [("device_name", None)]).unwrap();
        assert_eq!(read(&path).unwrap(), Settings::default());
    }

    #[test]
    fn a_mistake_in_the_file_is_named() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("settings.json");
        for (text, named) in [
            ("{\"prot\": 1}", "prot"),
            ("{\"port\": \"x\"}", "port"),
            ("{\"names\": [1]}", "names"),
            ("{", "EOF"),
            ("{} {}", "trailing"),
        ] {
            fs::write(&path, text).unwrap();
            let error = format!("{:#}", read(&path).unwrap_err());
            assert!(error.contains(named), "{error}");
        }
    }
}

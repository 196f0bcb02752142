//! What the settings mean: every default and every range, in one place. No Option is left that must be set later.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::MediaConfig;
use agent::transfer::outgoing::RateLimit;
use anyhow::{Result, bail, ensure};
use coordinator::OwnCertificate;
use peer::DeviceKey;

use crate::paths::{self, Homes};
use crate::rate::Rate;
use crate::settings::{self, Lanes, Settings};

/// Idle sessions end after half an hour.
const SESSION_IDLE_SECONDS: u64 = 30 * 60;
/// Ticket keys last a quarter of a year.
const TICKET_KEY_DAYS: u64 = 90;
/// The longest name of a machine, in characters.
const MAX_NAME_CHARS: usize = 64;

/// A role's own port, where no port was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Everything in one process.
    All,
    /// The control plane alone.
    Coordinator,
    /// The data plane alone.
    Agent,
    /// The page alone.
    Web,
}

impl Role {
    /// The port people expect this role at.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::All | Self::Coordinator => 7000,
            Self::Agent => 7001,
            Self::Web => 5000,
        }
    }
}

/// Everything a role needs to know to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where things are kept.
    pub homes: Homes,
    /// What was typed, for reading the file again.
    pub typed: Settings,
    /// What was typed over what the file says.
    pub settings: Settings,
    /// What this machine is called.
    pub device_name: String,
    /// The folder that setup proposes.
    pub folder: PathBuf,
    /// Where comes what is sent to this machine.
    pub inbox: PathBuf,
    /// True to open the browser at start.
    pub open_browser: bool,
    /// After how long without use a session ends.
    pub session_idle: Duration,
    /// True if people may look and download over plain HTTP.
    pub allow_open: bool,
    /// After how long another ticket key takes the place of the present one, if ever by itself.
    pub ticket_key_lifetime: Option<Duration>,
    /// Whether coordinators are announced and looked for on the local network.
    pub discovery: bool,
    /// Limits of thumbnails and transcodes.
    pub media: MediaConfig,
    /// Where a lone page finds the coordinator.
    pub coordinator_url: String,
    /// Where a lone coordinator finds the agent.
    pub agent_url: String,
}

impl Config {
    /// The owner's own certificate, in place of one from the machine's authority.
    pub fn own_certificate(&self) -> Option<OwnCertificate> {
        let (chain, key) = self.settings.certificate.clone().zip(self.settings.private_key.clone())?;
        Some(OwnCertificate { chain, key })
    }

    /// The measure of what this process sends to others, if it has one.
    pub fn rate_limit(&self) -> Option<Arc<RateLimit>> {
        self.settings.limit_rate.and_then(Rate::limit).map(|rate| Arc::new(RateLimit::new(rate)))
    }

    /// How this process reaches other machines, and proves with this key which one it is.
    pub fn lanes(&self, key: DeviceKey) -> peer::Config {
        let lanes = self.settings.lanes.unwrap_or_default();
        peer::Config { key, lan: lanes != Lanes::Quic, quic: lanes != Lanes::Lan }
    }

    /// The address a role listens on where none was asked for. A lone agent has no TLS of its own and serves this
    /// machine's coordinator only.
    pub fn host(&self, role: Role) -> IpAddr {
        let otherwise = match role {
            Role::Agent => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        self.settings.host.unwrap_or(otherwise)
    }
}

/// The settings file that these flags and variables point at.
pub fn settings_path(typed: &Settings) -> Result<PathBuf> {
    let folder = match &typed.settings_dir {
        Some(folder) => folder.clone(),
        None => paths::homes()?.settings,
    };
    Ok(folder.join("settings.json"))
}

/// Joins what was typed with what the file says, checks it and fills in the defaults.
pub fn resolve(typed: &Settings) -> Result<Config> {
    let path = settings_path(typed)?;
    let settings = typed.over(&settings::read(&path)?)?;
    check_ranges(&settings)?;
    let mut homes = paths::homes()?;
    if let Some(folder) = path.parent() {
        homes.settings = folder.to_owned();
    }
    let home = paths::home_dir().unwrap_or_else(|| PathBuf::from("/"));
    homes.state = settings.state_dir.clone().unwrap_or(homes.state);
    homes.cache = settings.cache_dir.clone().unwrap_or(homes.cache);
    let inbox = settings.inbox_dir.clone().unwrap_or_else(|| homes.state.join("inbox"));
    Ok(Config {
        homes,
        typed: typed.clone(),
        media: media(&settings),
        device_name: settings.device_name.clone().unwrap_or_else(host_name),
        folder: settings.folder.clone().unwrap_or(home),
        inbox,
        open_browser: !settings.no_browser.unwrap_or(false),
        session_idle: Duration::from_secs(settings.session_idle_seconds.unwrap_or(SESSION_IDLE_SECONDS)),
        allow_open: settings.allow_open.unwrap_or(true),
        ticket_key_lifetime: ticket_key_lifetime(&settings),
        discovery: settings.discovery.unwrap_or(true),
        coordinator_url: settings.coordinator_url.clone().unwrap_or_else(|| local_url(Role::Coordinator)),
        agent_url: settings.agent_url.clone().unwrap_or_else(|| local_url(Role::Agent)),
        settings,
    })
}

/// How long a ticket key signs; no days mean that none takes its place by itself.
fn ticket_key_lifetime(settings: &Settings) -> Option<Duration> {
    let days = settings.ticket_key_days.unwrap_or(TICKET_KEY_DAYS);
    (days > 0).then(|| Duration::from_secs(days * 24 * 60 * 60))
}

/// The limits of thumbnails and transcodes: what was said, and the agent's own defaults for the rest.
fn media(settings: &Settings) -> MediaConfig {
    let otherwise = MediaConfig::default();
    MediaConfig {
        thumbnail_dir: settings.thumbnail_cache_dir.clone(),
        thumbnail_unused: settings
            .thumbnail_cache_ttl_seconds
            .map_or(otherwise.thumbnail_unused, Duration::from_secs),
        thumbnail_bytes: settings.thumbnail_cache_max_mb.map_or(otherwise.thumbnail_bytes, |mib| mib << 20),
        thumbnail_jobs: settings.thumbnail_max_concurrent.unwrap_or(otherwise.thumbnail_jobs),
        thumbnail_wait: settings
            .thumbnail_acquire_timeout_ms
            .map_or(otherwise.thumbnail_wait, Duration::from_millis),
        video_thumbnails: settings.enable_video_thumbnails.unwrap_or(otherwise.video_thumbnails),
        ffmpeg: settings.ffmpeg_bin.clone(),
        transcodes: settings.max_transcodes.unwrap_or(otherwise.transcodes),
    }
}

fn local_url(role: Role) -> String {
    format!("http://127.0.0.1:{}", role.default_port())
}

/// Fails with the name of the first setting that is out of its range.
pub fn check_ranges(settings: &Settings) -> Result<()> {
    fn within<T: PartialOrd + std::fmt::Display>(
        name: &str,
        value: Option<T>,
        low: T,
        high: T,
    ) -> Result<()> {
        match value {
            Some(value) if value < low || value > high => {
                bail!("{name} must be from {low} to {high}, not {value}")
            }
            _ => Ok(()),
        }
    }
    within("session_idle_seconds", settings.session_idle_seconds, 60, 86_400)?;
    within("ticket_key_days", settings.ticket_key_days, 0, 3_650)?;
    within("thumbnail_cache_ttl_seconds", settings.thumbnail_cache_ttl_seconds, 60, 86_400)?;
    within("thumbnail_cache_max_mb", settings.thumbnail_cache_max_mb, 32, 4_096)?;
    within("thumbnail_max_concurrent", settings.thumbnail_max_concurrent, 1, 16)?;
    within("thumbnail_acquire_timeout_ms", settings.thumbnail_acquire_timeout_ms, 20, 60_000)?;
    within("max_transcodes", settings.max_transcodes, 1, 64)?;
    if let Some(name) = &settings.device_name {
        let good = !name.trim().is_empty()
            && name.chars().count() <= MAX_NAME_CHARS
            && !name.chars().any(char::is_control);
        ensure!(good, "device_name must have 1 to {MAX_NAME_CHARS} characters and no control characters");
    }
    ensure!(
        settings.certificate.is_some() == settings.private_key.is_some(),
        "certificate and private_key must be given together"
    );
    Ok(())
}

/// The name the system gives this machine.
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let short = name.split('.').next().unwrap_or_default().trim();
    if short.is_empty() { "This machine".into() } else { short.into() }
}

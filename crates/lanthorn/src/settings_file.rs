//! Keeps what the page changes in `settings.json`; flags and variables stay stronger.

use std::path::PathBuf;

use coordinator::{SaveError, SettingsStore};
use proto::api::settings::{Settings as PageSettings, SettingsChange};
use serde_json::Value;

use crate::config::{self, Config};
use crate::settings::{self, Settings};

/// The file, and what was typed at the start.
pub struct SettingsFile {
    path: PathBuf,
    typed: Settings,
}

impl SettingsFile {
    /// The settings file of a running process.
    pub fn new(config: &Config) -> Self {
        Self { path: config.homes.settings.join("settings.json"), typed: config.typed.clone() }
    }

    fn write(&self, change: &SettingsChange) -> anyhow::Result<PageSettings> {
        let entries = [
            ("device_name", change.device_name.clone().map(Value::from)),
            ("session_idle_seconds", change.session_idle_seconds.map(Value::from)),
            ("allow_open", change.allow_open.map(Value::from)),
            ("no_browser", change.open_browser.map(|open| Value::from(!open))),
        ];
        let changed = entries.into_iter().filter(|(_, value)| value.is_some());
        settings::write_entries(&self.path, changed)?;
        let config = config::resolve(&self.typed)?;
        Ok(PageSettings {
            device_name: config.device_name,
            session_idle_seconds: config.session_idle.as_secs(),
            allow_open: config.allow_open,
            open_browser: config.open_browser,
        })
    }
}

impl SettingsStore for SettingsFile {
    fn save(&self, change: &SettingsChange) -> Result<PageSettings, SaveError> {
        self.write(change).map_err(|error| SaveError(error.into()))
    }
}

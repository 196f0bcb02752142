//! Keeps what the page changes in `settings.json`; flags and variables stay stronger.

use std::path::PathBuf;

use coordinator::{SaveError, SettingsStore};
use proto::api::settings::Settings as PageSettings;
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

    fn write(&self, wanted: &PageSettings) -> anyhow::Result<PageSettings> {
        settings::write_entries(
            &self.path,
            [
                ("device_name", Some(Value::from(wanted.device_name.clone()))),
                ("session_idle_seconds", Some(wanted.session_idle_seconds.into())),
                ("allow_open", Some(wanted.allow_open.into())),
                ("no_browser", Some((!wanted.open_browser).into())),
            ],
        )?;
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
    fn save(&self, wanted: &PageSettings) -> Result<PageSettings, SaveError> {
        self.write(wanted).map_err(|error| SaveError(error.into()))
    }
}

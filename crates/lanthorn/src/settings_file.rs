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

    fn write(&self, before: &PageSettings, wanted: &PageSettings) -> anyhow::Result<PageSettings> {
        let before = entries(before);
        // What was typed for this run only, or changed in the file meanwhile, is not written over.
        let changed = entries(wanted).into_iter().zip(before).filter(|(wanted, before)| wanted != before);
        settings::write_entries(&self.path, changed.map(|((name, value), _)| (name, Some(value))))?;
        let config = config::resolve(&self.typed)?;
        Ok(PageSettings {
            device_name: config.device_name,
            session_idle_seconds: config.session_idle.as_secs(),
            allow_open: config.allow_open,
            open_browser: config.open_browser,
        })
    }
}

/// The page's settings as entries of the file.
fn entries(settings: &PageSettings) -> [(&'static str, Value); 4] {
    [
        ("device_name", settings.device_name.clone().into()),
        ("session_idle_seconds", settings.session_idle_seconds.into()),
        ("allow_open", settings.allow_open.into()),
        ("no_browser", (!settings.open_browser).into()),
    ]
}

impl SettingsStore for SettingsFile {
    fn save(&self, before: &PageSettings, wanted: &PageSettings) -> Result<PageSettings, SaveError> {
        self.write(before, wanted).map_err(|error| SaveError(error.into()))
    }
}

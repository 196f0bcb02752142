//! Shapes of the settings page and of trusting this machine: `/api/v1/settings`, `/api/v1/trust`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The settings that the page can change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Settings {
    /// What this machine is called.
    pub device_name: String,
    /// Seconds of no use after which a session ends.
    pub session_idle_seconds: u64,
    /// True if people may look and download over plain HTTP.
    pub allow_open: bool,
    /// True if the browser is opened at start.
    pub open_browser: bool,
}

/// A change of settings: what is absent stays as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SettingsChange {
    /// See [`Settings::device_name`].
    pub device_name: Option<String>,
    /// See [`Settings::session_idle_seconds`].
    pub session_idle_seconds: Option<u64>,
    /// See [`Settings::allow_open`].
    pub allow_open: Option<bool>,
    /// See [`Settings::open_browser`].
    pub open_browser: Option<bool>,
}

impl SettingsChange {
    /// The settings as they are once this is changed.
    #[must_use]
    pub fn over(&self, before: Settings) -> Settings {
        Settings {
            device_name: self.device_name.clone().unwrap_or(before.device_name),
            session_idle_seconds: self.session_idle_seconds.unwrap_or(before.session_idle_seconds),
            allow_open: self.allow_open.unwrap_or(before.allow_open),
            open_browser: self.open_browser.unwrap_or(before.open_browser),
        }
    }
}

/// What a person compares and installs to trust this machine.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Trust {
    /// SHA-256 of the certificate that this machine shows, in pairs of hexadecimal digits.
    pub certificate_fingerprint: String,
    /// SHA-256 of the authority's certificate.
    pub authority_fingerprint: String,
    /// Where the authority's certificate can be had, from this origin.
    pub authority_url: String,
    /// The addresses at which this machine answers privately.
    pub private_urls: Vec<String>,
    /// False if the owner brought a certificate of their own: there is nothing to install then.
    pub own_authority: bool,
}

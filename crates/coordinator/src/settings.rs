//! The settings that the page can change. The binary owns the file they are kept in; this room only asks it to.

use std::sync::Arc;

use parking_lot::RwLock;
use proto::api::settings::{Settings, SettingsChange};

/// The shortest idle time that can be set.
const MIN_IDLE_SECONDS: u64 = 60;
/// The longest idle time that can be set.
const MAX_IDLE_SECONDS: u64 = 24 * 3600;
/// The longest name of a machine or share.
const MAX_NAME_CHARS: usize = 64;

/// The settings could not be kept.
#[derive(Debug, thiserror::Error)]
#[error("cannot save the settings")]
pub struct SaveError(#[source] pub Box<dyn std::error::Error + Send + Sync>);

/// Keeps settings where the next start finds them. Called on the blocking pool.
pub trait SettingsStore: Send + Sync + 'static {
    /// Keeps what is changed, that alone, and returns the settings in force. These are others where a flag or variable
    /// is stronger, or where somebody else has changed the file meanwhile.
    ///
    /// # Errors
    /// The settings could not be written; nothing has changed then.
    fn save(&self, change: &SettingsChange) -> Result<Settings, SaveError>;
}

/// Why a change of settings was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("{0}")]
    Invalid(&'static str),
    #[error(transparent)]
    Save(#[from] SaveError),
}

/// The settings in force.
pub(crate) struct CurrentSettings {
    current: RwLock<Settings>,
    store: Arc<dyn SettingsStore>,
    /// One change at a time: each starts from what the one before left.
    changing: tokio::sync::Mutex<()>,
}

impl CurrentSettings {
    pub(crate) fn new(settings: Settings, store: Arc<dyn SettingsStore>) -> Self {
        Self { current: RwLock::new(settings), store, changing: tokio::sync::Mutex::default() }
    }

    pub(crate) fn get(&self) -> Settings {
        self.current.read().clone()
    }

    pub(crate) fn allow_open(&self) -> bool {
        self.current.read().allow_open
    }

    pub(crate) fn idle_seconds(&self) -> u64 {
        self.current.read().session_idle_seconds
    }

    pub(crate) async fn change(&self, change: SettingsChange) -> Result<Settings, ChangeError> {
        let _turn = self.changing.lock().await;
        let change = checked(change).map_err(ChangeError::Invalid)?;
        let store = Arc::clone(&self.store);
        let saved = tokio::task::spawn_blocking(move || store.save(&change))
            .await
            .map_err(|e| SaveError(Box::new(e)))??;
        *self.current.write() = saved.clone();
        Ok(saved)
    }
}

/// The change as it can be kept.
fn checked(change: SettingsChange) -> Result<SettingsChange, &'static str> {
    let device_name = change.device_name.as_deref().map(parse_name).transpose()?;
    let is_idle_time = |seconds| (MIN_IDLE_SECONDS..=MAX_IDLE_SECONDS).contains(&seconds);
    if !change.session_idle_seconds.is_none_or(is_idle_time) {
        return Err("The idle time is between one minute and one day.");
    }
    Ok(SettingsChange { device_name, ..change })
}

/// A name of a machine or share: 1 to 64 characters, none of them invisible steering of the text around it.
pub(crate) fn parse_name(text: &str) -> Result<String, &'static str> {
    let name = text.trim();
    if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
        return Err("A name has 1 to 64 characters.");
    }
    label(name, MAX_NAME_CHARS).ok_or("A name has no control characters.")
}

/// Text from somewhere else that is shown to people: 1 to `max` characters, none of them invisible steering.
pub(crate) fn label(text: &str, max: usize) -> Option<String> {
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= max && !text.chars().any(steers_text);
    fits.then(|| text.to_owned())
}

/// Control characters and those that change the direction of text, with which a name could look like another.
fn steers_text(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert_eq!(parse_name("  Attic PC "), Ok("Attic PC".to_owned()));
        assert_eq!(parse_name(&"é".repeat(64)).map(|n| n.chars().count()), Ok(64));
        for bad in ["", "   ", "a\nb", "a\u{1b}[31m", "a\u{202e}b", "\u{85}", &"x".repeat(65)] {
            assert!(parse_name(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_idle_time_has_limits() {
        for (seconds, good) in [(0, false), (59, false), (60, true), (86_400, true), (u64::MAX, false)] {
            let change = SettingsChange { session_idle_seconds: Some(seconds), ..Default::default() };
            assert_eq!(checked(change).is_ok(), good, "{seconds}");
        }
    }
}

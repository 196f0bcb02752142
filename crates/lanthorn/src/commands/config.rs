//! `lanthorn config`: look at the settings and change them.

use anyhow::{Result, bail, ensure};
use clap::Subcommand;
use serde_json::Value;

use crate::config::{self, Config};
use crate::running;
use crate::settings::{self, Settings};

/// Look at the settings and change them.
#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// Print where settings.json is.
    Path,
    /// Print one setting, or all that are said.
    Get {
        /// The setting's name, as in settings.json.
        key: Option<String>,
    },
    /// Change a setting in settings.json.
    Set {
        /// The setting's name.
        key: String,
        /// The value; a list with commas between.
        value: String,
    },
    /// Take a setting out of settings.json, so that it has its default again.
    Unset {
        /// The setting's name.
        key: String,
    },
    /// Check settings.json, flags and variables without starting anything.
    Check,
}

/// Runs `lanthorn config …`.
#[expect(clippy::print_stdout, reason = "this is what was asked for")]
pub fn run(command: &ConfigCommand, typed: &Settings) -> Result<()> {
    let path = config::settings_path(typed)?;
    match command {
        ConfigCommand::Path => println!("{}", path.display()),
        ConfigCommand::Get { key } => {
            let entries = typed.over(&settings::read(&path)?)?.entries()?;
            match key {
                Some(key) => println!("{}", entries.get(key).map_or_else(|| unset(key), |v| Ok(show(v)))?),
                None => entries.iter().for_each(|(key, value)| println!("{key} = {}", show(value))),
            }
        }
        ConfigCommand::Set { key, value } => {
            let key = key.replace('-', "_");
            let value = understand(&key, value);
            settings::write_entries(&path, [(key.as_str(), Some(value))])?;
            say_when(typed)?;
        }
        ConfigCommand::Unset { key } => {
            let key = key.replace('-', "_");
            settings::check_name(&key)?;
            settings::write_entries(&path, [(key.as_str(), None)])?;
            say_when(typed)?;
        }
        ConfigCommand::Check => {
            check_folder(&config::resolve(typed)?)?;
            let state = if path.exists() { "is fine" } else { "is not there: every setting has its default" };
            println!("{} {state}", path.display());
        }
    }
    Ok(())
}

/// A process that runs has read its settings already.
#[expect(clippy::print_stderr, reason = "a remark, not what was asked for")]
fn say_when(typed: &Settings) -> Result<()> {
    if let Some(at) = running::read(&config::resolve(typed)?.homes.state)? {
        eprintln!("Lanthorn runs at http://{at}: the change takes effect at its next start.");
    }
    Ok(())
}

/// A folder on a disk that is not plugged in is no mistake at a start, but is worth a word when one looks for mistakes.
fn check_folder(config: &Config) -> Result<()> {
    ensure!(config.folder.is_dir(), "folder: there is no folder {}", config.folder.display());
    Ok(())
}

fn unset(key: &str) -> Result<String> {
    settings::check_name(key)?;
    bail!("'{key}' is not set; it has its default")
}

fn show(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The first reading that the setting can take: as JSON, as text (a name may look like a number), as a list. If it can
/// take none, the likeliest, so that the error is about that.
fn understand(key: &str, text: &str) -> Value {
    let json = serde_json::from_str::<Value>(text).ok();
    let list = Value::from(text.split(',').map(str::trim).collect::<Vec<_>>());
    let readings = [json.unwrap_or_else(|| Value::from(text)), Value::from(text), list];
    let fits = |value: &&Value| serde_json::from_value::<Settings>(serde_json::json!({ key: value })).is_ok();
    readings.iter().find(fits).unwrap_or(&readings[0]).clone()
}

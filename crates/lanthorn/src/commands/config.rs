//! `lanthorn config`: look at the settings and change them.

use anyhow::{Context, Result, bail};
use clap::Subcommand;
use serde_json::Value;

use crate::config;
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
        /// The value; leave it out to go back to the default.
        value: Option<String>,
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
            let value = value.as_deref().map(|text| understand(key, text));
            settings::write_entries(&path, [(key.as_str(), value)])?;
        }
        ConfigCommand::Check => {
            config::resolve(typed)?;
            println!("{} is fine", path.display());
        }
    }
    Ok(())
}

fn unset(key: &str) -> Result<String> {
    // Setting it to null in an otherwise empty file tells an unknown name from an unset one.
    serde_json::from_value::<Settings>(serde_json::json!({ key: null }))
        .with_context(|| format!("there is no setting '{key}'"))?;
    bail!("'{key}' is not set; it has its default")
}

fn show(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Numbers, truth values and lists as JSON; anything else is text. A name is text even where it looks like a number.
fn understand(key: &str, text: &str) -> Value {
    match serde_json::from_str::<Value>(text) {
        Ok(value) if serde_json::from_value::<Settings>(serde_json::json!({ key: value })).is_ok() => value,
        _ => Value::from(text),
    }
}

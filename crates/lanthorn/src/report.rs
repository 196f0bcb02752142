//! How a command ended: the only place that prints errors, writes the start-up log and chooses exit codes.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Error, Result};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::cli::Typed;
use crate::client::Refused;

/// Marks an error as one of starting up, so that it is also written to a file.
#[derive(Debug)]
pub struct StartupFailed;

impl std::fmt::Display for StartupFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lanthorn could not start")
    }
}

/// Says how the command ended.
#[expect(clippy::print_stderr, reason = "this is where errors are printed")]
pub fn exit_code(typed: &Typed, ended: Result<()>) -> ExitCode {
    let Err(error) = ended else { return ExitCode::SUCCESS };
    eprintln!("error: {error:#}");
    if error.downcast_ref::<StartupFailed>().is_some() {
        match write_startup_log(typed, &error) {
            Ok(path) => eprintln!("This was written to {}", path.display()),
            Err(why) => eprintln!("It could not be written to a log: {why:#}"),
        }
    }
    match error.downcast_ref::<Refused>() {
        Some(Refused(error)) => error.code.exit_code().into(),
        None => ExitCode::FAILURE,
    }
}

/// Writes `logs/startup-error-<UTC time>.log` beside the settings.
fn write_startup_log(typed: &Typed, error: &Error) -> Result<PathBuf> {
    let settings = crate::config::settings_path(&typed.settings)?;
    let folder = settings.with_file_name("logs");
    crate::paths::make_private(&folder)?;
    let now = OffsetDateTime::now_utc();
    let stamp = now.format(format_description!("[year][month][day]-[hour][minute][second]Z"))?;
    let path = folder.join(format!("startup-error-{stamp}.log"));
    let mut text = format!("time: {now}\nversion: {}\nerror: {error}\n", env!("CARGO_PKG_VERSION"));
    for cause in error.chain().skip(1) {
        text.push_str(&format!("caused by: {cause}\n"));
    }
    fs::write(&path, text)?;
    Ok(path)
}

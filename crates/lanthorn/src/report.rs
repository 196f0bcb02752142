//! How a command ended: the only place that prints errors, writes the start-up log and chooses exit codes.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Error, Result};
use proto::{ApiError, ErrorCode};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::cli::Typed;
use crate::client::{Refused, Unreachable};

/// Marks an error as one of starting up, so that it is also written to a file.
#[derive(Debug)]
pub struct StartupFailed;

impl std::fmt::Display for StartupFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Lanthorn could not start")
    }
}

/// What shells report of a command that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// Marks a command that Ctrl-C ended.
#[derive(Debug)]
pub struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("stopped")
    }
}

impl std::error::Error for Interrupted {}

/// An error of this machine's own, said like a coordinator's: a sentence and a next step.
pub fn failure(code: ErrorCode, message: impl Into<String>, hint: impl Into<String>) -> Error {
    Refused(ApiError::new(code, message, hint)).into()
}

/// What to do next, for who sits at a terminal: a coordinator or device says it for who sees a page.
pub fn hint(error: &ApiError) -> &str {
    match (error.code, &*error.hint) {
        (ErrorCode::NotFound, hint) if hint.contains("reload") => "`lanthorn ls` shows what there is.",
        (ErrorCode::Exists, hint) if hint.contains("'clash'") => {
            "Choose another name; or with put, mv, cp and restore: --clash rename, replace or skip."
        }
        (ErrorCode::IsFolder, _) => "Name a file in it; `lanthorn ls` shows them.",
        (ErrorCode::NotFolder, hint) if hint.starts_with("Open it") => {
            "Name a folder; `lanthorn ls` shows them."
        }
        (_, hint) => hint,
    }
}

fn is_broken_pipe(error: &Error) -> bool {
    let broken = std::io::ErrorKind::BrokenPipe;
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == broken)
}

/// Says how the command ended.
#[expect(clippy::print_stderr, reason = "this is where errors are printed")]
pub fn exit_code(typed: &Typed, ended: Result<()>) -> ExitCode {
    let Err(error) = ended else { return ExitCode::SUCCESS };
    if is_broken_pipe(&error) {
        // Whoever read our output has had enough of it.
        return ExitCode::SUCCESS;
    }
    match error.downcast_ref::<Refused>() {
        Some(Refused(error)) => eprintln!("error: {}\nhint: {}", error.message, hint(error)),
        None => match error.downcast_ref::<Unreachable>() {
            Some(unreachable) => eprintln!("error: {error:#}.\nhint: {}", unreachable.hint()),
            None => eprintln!("error: {error:#}"),
        },
    }
    if error.downcast_ref::<StartupFailed>().is_some() {
        match write_startup_log(typed, &error) {
            Ok(path) => eprintln!("This was written to {}", path.display()),
            Err(why) => eprintln!("It could not be written to a log: {why:#}"),
        }
    }
    match error.downcast_ref::<Refused>() {
        Some(Refused(error)) => error.code.exit_code().into(),
        None if error.is::<Interrupted>() => INTERRUPTED.into(),
        None => match error.downcast_ref::<Unreachable>() {
            Some(unreachable) => unreachable.code().exit_code().into(),
            None => ExitCode::FAILURE,
        },
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
    // Two failures in one second are both told.
    OpenOptions::new().create(true).append(true).open(&path)?.write_all(text.as_bytes())?;
    Ok(path)
}

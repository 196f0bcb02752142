//! The log: to standard error, for people or as JSON, as much of it as was asked for.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::UtcTime;

use crate::cli::{LogFormat, Output};

/// Starts the log of a command, which says nothing of its own accord.
pub fn start_if_asked(output: &Output) {
    if output.verbose > 0 || std::env::var_os("LANTHORN_LOG").is_some() {
        start(output);
    }
}

/// Starts the log. `LANTHORN_LOG` overrides the level with tracing's own filter words.
pub fn start(output: &Output) {
    let level = match output.verbose {
        // A relay's client that hangs up is no event here.
        0 => "warn,lanthorn=info,iroh_relay::server=error",
        1 => "info,lanthorn=debug",
        2 => "debug,lanthorn=trace",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("LANTHORN_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_timer(UtcTime::rfc_3339());
    match output.log_format {
        LogFormat::Text => log.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => log.json().init(),
    }
}

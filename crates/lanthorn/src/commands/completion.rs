//! `lanthorn completion`: the script with which a shell completes commands.

use std::io::Write;

use anyhow::Result;
use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Typed;

/// Prints it.
pub fn run(shell: Shell) -> Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Typed::command(), "lanthorn", &mut script);
    Ok(std::io::stdout().lock().write_all(&script)?)
}

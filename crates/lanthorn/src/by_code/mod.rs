//! Codes without pairing: files of this machine for whoever has the code.

use std::path::PathBuf;

use anyhow::Result;
use proto::ErrorCode;

use crate::cli::Typed;
use crate::report::failure;

/// Gives these to whoever has the code.
pub fn give(_paths: &[PathBuf], _typed: &Typed) -> Result<()> {
    Err(failure(
        ErrorCode::BadParameter,
        "It is not said who is to receive it.",
        "Name a machine: --to DEVICE. `lanthorn devices` lists them.",
    ))
}

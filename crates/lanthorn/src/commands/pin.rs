//! `lanthorn pin`: another PIN for this machine, where the present one was forgotten or seen. Who may run this may read
//! the machine's keys, so the present PIN is not asked for.

use std::io::{BufRead, IsTerminal};

use anyhow::{Context, Result};
use proto::ErrorCode;
use serde_json::json;

use super::asking::block_on;
use crate::cli::Typed;
use crate::config;
use crate::print;
use crate::report::failure;
use crate::signed_in::SignedIn;

/// Asks for the PIN, twice on a terminal, and puts it in place.
pub fn run(typed: &Typed) -> Result<()> {
    let config = config::resolve(&typed.settings)?;
    block_on(async {
        let at = SignedIn::open(&config, None).await?;
        let pin = tokio::task::spawn_blocking(ask).await??;
        at.post("/api/v1/auth/pin", &json!({ "new_pin": pin })).await?;
        print::line("The PIN is changed. Every browser has to sign in again.")
    })
}

/// From a terminal unseen and twice, else one line of standard input.
fn ask() -> Result<String> {
    if !std::io::stdin().is_terminal() {
        let mut line = String::new();
        std::io::stdin().lock().read_line(&mut line).context("the PIN cannot be read")?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let pin = rpassword::prompt_password("New PIN, 4 to 12 digits: ")?;
    if pin != rpassword::prompt_password("Once more: ")? {
        return Err(failure(
            ErrorCode::BadParameter,
            "The two PINs differ.",
            "Run it again; nothing has changed.",
        ));
    }
    Ok(pin)
}

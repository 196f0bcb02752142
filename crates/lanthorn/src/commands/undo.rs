//! `lanthorn undo`: takes back what an act did.

use anyhow::Result;
use clap::Args;
use proto::api::writing::Undo;
use proto::{ErrorCode, RelPath, UndoToken};

use super::asking::Asking;
use crate::acting::{act, is, tell};
use crate::address::Address;
use crate::cli::Typed;
use crate::places::{Catalog, Place};
use crate::report::failure;

/// What was typed after `undo`.
#[derive(Debug, Args)]
pub struct UndoAct {
    /// What the command said that did it.
    #[arg(value_name = "TOKEN")]
    token: UndoToken,
    /// The share it was done in, as DEVICE:SHARE; looked for, if absent.
    #[arg(long = "in", value_name = "ADDRESS")]
    within: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// Undoes it.
pub fn run(command: &UndoAct, typed: &Typed) -> Result<()> {
    let within = command.within.as_deref().map(str::parse::<Address>).transpose()?;
    command.asking.run(typed, async |at| {
        let catalog = Catalog::read(&at).await?;
        let places: Vec<Place> = match &within {
            Some(address) => vec![catalog.place(address)?],
            None => catalog.shares.iter().map(|share| catalog.within(share, RelPath::root())).collect(),
        };
        let alone = places.len() == 1;
        for place in places {
            match act(&at, &place, "undo", &Undo { token: command.token }).await {
                Ok(acted) => return tell(&place, &acted, "undone", command.asking.json),
                Err(error) if alone || is(&error, ErrorCode::Forbidden) => return Err(error),
                // It was done elsewhere, or that machine is away.
                Err(_) => {}
            }
        }
        Err(failure(
            ErrorCode::Gone,
            "Nothing that is in reach was done under this token, or it was undone already.",
            "A token is good once, for seven days, and for who did it.",
        ))
    })
}

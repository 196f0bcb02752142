//! `lanthorn cat`: files to standard output.

use anyhow::Result;
use clap::Args;

use super::asking::Asking;
use crate::address::Address;
use crate::cli::Typed;
use crate::fetch::{self, Progress};
use crate::places::Catalog;
use crate::source::Source;

/// What was typed after `cat`.
#[derive(Debug, Args)]
pub struct Cat {
    /// The files, as DEVICE:SHARE/PATH.
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<String>,
    /// Ask a coordinator that this machine has joined: its name or address. This machine's own, if absent.
    #[arg(long, value_name = "NAME|URL")]
    on: Option<String>,
}

/// Sends them.
pub fn run(command: &Cat, typed: &Typed) -> Result<()> {
    let addresses: Vec<Address> = command.addresses.iter().map(|text| text.parse()).collect::<Result<_>>()?;
    let asking = Asking { on: command.on.clone(), json: false };
    asking.run(typed, async |at| {
        let catalog = Catalog::read(&at).await?;
        let source = Source::straight(&at).await?;
        for address in &addresses {
            fetch::to_stdout(&source, &catalog.place(address)?, &Progress::silent()).await?;
        }
        Ok(())
    })
}

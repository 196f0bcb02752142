//! `lanthorn mkdir`: makes folders.

use anyhow::Result;
use clap::Args;
use proto::api::writing::{Acted, MakeFolder};

use super::asking::Asking;
use crate::acting::{act, tell};
use crate::address::Address;
use crate::cli::Typed;
use crate::places::Catalog;

/// What was typed after `mkdir`.
#[derive(Debug, Args)]
pub struct Mkdir {
    /// The folder, as DEVICE:SHARE/PATH.
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Make the folders it is in too; one that is there already is no error then.
    #[arg(long)]
    parents: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Makes it.
pub fn run(command: &Mkdir, typed: &Typed) -> Result<()> {
    let address: Address = command.address.parse()?;
    command.asking.run(typed, async |at| {
        let place = Catalog::read(&at).await?.place(&address)?;
        let wish = MakeFolder { path: place.path.to_string(), parents: command.parents };
        let acted: Acted = act(&at, &place, "mkdir", &wish).await?;
        tell(&place, &acted, "made", command.asking.json)
    })
}

//! `lanthorn rm`: to the trash of the share.

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Args;
use proto::api::writing::Delete;

use super::asking::Asking;
use crate::acting::{act, tell};
use crate::address::Address;
use crate::cli::Typed;
use crate::places::{Catalog, Place};

/// What was typed after `rm`.
///
/// What is deleted lies in the trash of its share for 30 days: `lanthorn restore`.
#[derive(Debug, Args)]
pub struct Rm {
    /// Files and folders, as DEVICE:SHARE/PATH. Folders with all that is in them.
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<String>,
    #[command(flatten)]
    asking: Asking,
}

/// Deletes.
pub fn run(command: &Rm, typed: &Typed) -> Result<()> {
    let addresses: Vec<Address> = command.addresses.iter().map(|text| text.parse()).collect::<Result<_>>()?;
    command.asking.run(typed, async |at| {
        let catalog = Catalog::read(&at).await?;
        let mut shares: BTreeMap<String, (Place, Vec<String>)> = BTreeMap::new();
        for address in &addresses {
            let place = catalog.place(address)?;
            let path = place.path.to_string();
            shares.entry(place.share.to_string()).or_insert((place, Vec::new())).1.push(path);
        }
        let mut ended = Ok(());
        for (place, paths) in shares.into_values() {
            let acted = act(&at, &place, "delete", &Delete { paths }).await?;
            ended = ended.and(tell(&place, &acted, "deleted", command.asking.json));
        }
        ended
    })
}

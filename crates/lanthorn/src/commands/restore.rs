//! `lanthorn restore`: out of the trash, or what is in it.

use anyhow::Result;
use clap::Args;
use proto::ErrorCode;
use proto::api::writing::{Clash, Restore, Trash, Trashed};

use super::asking::Asking;
use crate::acting::{act, clash, tell};
use crate::address::Address;
use crate::cli::Typed;
use crate::places::{Catalog, Place};
use crate::print::{self, Align, Table};
use crate::report::failure;
use crate::signed_in::SignedIn;

/// What was typed after `restore`.
#[derive(Debug, Args)]
pub struct RestoreTrashed {
    /// What was deleted, as DEVICE:SHARE/PATH where it was; of several the last. A share alone: what is in its trash.
    #[arg(value_name = "ADDRESS", required = true)]
    addresses: Vec<String>,
    /// What is done when its name is taken: ask (nothing, and say so), rename, replace (keeps a version), skip.
    #[arg(long, value_name = "HOW", value_parser = clash, default_value = "ask")]
    clash: Clash,
    #[command(flatten)]
    asking: Asking,
}

/// Restores, or lists.
pub fn run(command: &RestoreTrashed, typed: &Typed) -> Result<()> {
    let addresses: Vec<Address> = command.addresses.iter().map(|text| text.parse()).collect::<Result<_>>()?;
    command.asking.run(typed, async |at| {
        let catalog = Catalog::read(&at).await?;
        for address in &addresses {
            let place = catalog.place(address)?;
            let trash = trash_of(&at, &place).await?;
            if place.path.is_root() {
                list(&trash, command.asking.json)?;
                continue;
            }
            let found = trash.items.iter().find(|item| item.path == place.path);
            let found = found.ok_or_else(|| {
                failure(
                    ErrorCode::NotFound,
                    format!("\"{}\" is not in the trash.", place.address),
                    "`lanthorn restore DEVICE:SHARE` lists what is.",
                )
            })?;
            let wish = Restore { ids: vec![found.id], clash: command.clash };
            tell(&place, &act(&at, &place, "restore", &wish).await?, "restored", command.asking.json)?;
        }
        Ok(())
    })
}

async fn trash_of(at: &SignedIn, place: &Place) -> Result<Trash> {
    let url = format!("/api/v1/devices/{}/shares/{}/trash", place.device, place.share);
    at.get(&url).await
}

fn list(trash: &Trash, as_json: bool) -> Result<()> {
    if as_json {
        return print::json(trash);
    }
    let mut table =
        Table::new(&[("DELETED (UTC)", Align::Left), ("SIZE", Align::Right), ("PATH", Align::Left)]);
    for Trashed { path, size, deleted_at, .. } in &trash.items {
        table.row([print::time(Some(*deleted_at)), print::size(*size), path.to_string()]);
    }
    table.print()
}

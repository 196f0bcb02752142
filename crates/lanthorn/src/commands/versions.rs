//! `lanthorn versions`: the contents that a file had before.

use std::io::Write;

use anyhow::Result;
use clap::{ArgGroup, Args};
use proto::api::writing::{RestoreVersion, Version, Versions, Written};
use proto::{ErrorCode, VersionId};

use super::asking::Asking;
use crate::acting::say_undo;
use crate::address::Address;
use crate::cli::Typed;
use crate::content;
use crate::places::{Catalog, Place, in_query};
use crate::print::{self, Align, Table};
use crate::report::failure;
use crate::signed_in::SignedIn;

/// What was typed after `versions`. A version is named by its number in the list (1 is the newest) or by its id.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what"))]
pub struct ShowVersions {
    /// The file, as DEVICE:SHARE/PATH.
    #[arg(value_name = "ADDRESS")]
    address: String,
    /// Write a version to standard output.
    #[arg(long, value_name = "VERSION", group = "what")]
    show: Option<String>,
    /// Show what was changed between a version and the present content.
    #[arg(long, value_name = "VERSION", group = "what")]
    diff: Option<String>,
    /// Make a version the present content, which becomes a version.
    #[arg(long, value_name = "VERSION", group = "what")]
    restore: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// Lists, shows or restores.
pub fn run(command: &ShowVersions, typed: &Typed) -> Result<()> {
    let address: Address = command.address.parse()?;
    command.asking.run(typed, async |at| {
        let place = Catalog::read(&at).await?.place(&address)?;
        let url = format!("{}?path={}", base(&place, "versions"), in_query(&place.path.to_string()));
        let all: Versions = at.get(&url).await?;
        match (&command.show, &command.diff, &command.restore) {
            (Some(typed), ..) => {
                let text = former(&at, &place, one(&all, typed)?.id).await?;
                Ok(std::io::stdout().lock().write_all(&text)?)
            }
            (_, Some(typed), _) => diff(&at, &place, one(&all, typed)?).await,
            (.., Some(typed)) => command.restore(&at, &place, one(&all, typed)?.id).await,
            _ => command.list(&all),
        }
    })
}

impl ShowVersions {
    fn list(&self, all: &Versions) -> Result<()> {
        if self.asking.json {
            return print::json(all);
        }
        let mut table = Table::new(&[
            ("VERSION", Align::Right),
            ("WRITTEN (UTC)", Align::Left),
            ("UNTIL (UTC)", Align::Left),
            ("SIZE", Align::Right),
            ("ID", Align::Left),
        ]);
        for (number, version) in (1..).zip(&all.versions) {
            let Version { id, size, modified, replaced_at, .. } = version;
            let (written, until) = (print::time(*modified), print::time(Some(*replaced_at)));
            table.row([number.to_string(), written, until, print::size(*size), id.to_string()]);
        }
        table.print()
    }

    async fn restore(&self, at: &SignedIn, place: &Place, id: VersionId) -> Result<()> {
        let wish = RestoreVersion { path: place.path.to_string(), id };
        let written: Written = at.ask(http::Method::POST, &base(place, "versions/restore"), &wish).await?;
        if self.asking.json {
            return print::json(&written);
        }
        print::line(&format!("{}: as it was", place.address))?;
        written.undo.map_or(Ok(()), say_undo)
    }
}

fn base(place: &Place, route: &str) -> String {
    format!("/api/v1/devices/{}/shares/{}/{route}", place.device, place.share)
}

fn one<'a>(all: &'a Versions, typed: &str) -> Result<&'a Version> {
    let by_number = typed.parse::<usize>().ok().and_then(|number| all.versions.get(number.checked_sub(1)?));
    let found = by_number.or_else(|| all.versions.iter().find(|version| version.id.to_string() == typed));
    found.ok_or_else(|| {
        let message = format!("There is no version \"{typed}\" of this file.");
        failure(ErrorCode::NotFound, message, "`lanthorn versions ADDRESS` lists those that are kept.")
    })
}

async fn former(at: &SignedIn, place: &Place, id: VersionId) -> Result<Vec<u8>> {
    let query = format!("?path={}&id={id}", in_query(&place.path.to_string()));
    Ok(content::read(at, &format!("{}{query}", base(place, "versions/content"))).await?.bytes)
}

async fn diff(at: &SignedIn, place: &Place, version: &Version) -> Result<()> {
    let before = former(at, place, version.id).await?;
    let after = content::read(at, &place.url("stream", &[])).await?.bytes;
    if before == after {
        print::remark("There is no difference.");
        return Ok(());
    }
    let patch = diffy::create_patch_bytes(&before, &after);
    Ok(std::io::stdout().lock().write_all(&patch.to_bytes())?)
}

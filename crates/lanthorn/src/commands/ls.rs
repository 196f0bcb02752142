//! `lanthorn ls`: what is in a folder, or which shares there are.

use anyhow::Result;
use clap::Args;
use proto::ErrorCode;
use proto::api::files::{Entry, EntryType, Listing, MAX_PAGE};
use serde_json::json;

use super::asking::Asking;
use crate::address::Address;
use crate::cli::Typed;
use crate::client::Refused;
use crate::places::{Catalog, Place};
use crate::print::{self, Align, Table};
use crate::report::failure;
use crate::signed_in::SignedIn;
use crate::source::Source;

/// What was typed after `ls`.
#[derive(Debug, Args)]
pub struct Ls {
    /// A folder or file, as DEVICE:SHARE/PATH. Without a device it is this machine; without a share, shares are listed.
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,
    /// With sizes and dates.
    #[arg(short, long)]
    long: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Lists.
pub fn run(command: &Ls, typed: &Typed) -> Result<()> {
    let address = command.address.as_deref().map(str::parse::<Address>).transpose()?;
    command.asking.run(typed, async |at| {
        let catalog = Catalog::read(&at).await?;
        match &address {
            Some(address) if address.share.is_some() => command.entries(&at, &catalog.place(address)?).await,
            _ => command.shares(&catalog, address.as_ref()),
        }
    })
}

impl Ls {
    /// The shares of one device, or of all.
    fn shares(&self, catalog: &Catalog, address: Option<&Address>) -> Result<()> {
        let only = address.map(|address| catalog.device(address.device.as_deref())).transpose()?;
        let shares = catalog.shares.iter().filter(|share| only.is_none_or(|only| only.id == share.device_id));
        let shares: Vec<_> = shares.collect();
        if self.asking.json {
            return print::json(&json!({ "shares": shares }));
        }
        shares.iter().try_for_each(|share| {
            print::line(&catalog.within(share, proto::RelPath::root()).address.to_string())
        })
    }

    async fn entries(&self, at: &SignedIn, place: &Place) -> Result<()> {
        // One small answer comes sooner by the way that is open already.
        let source = Source::around(at);
        let entries = match list(&source, place).await {
            Err(error) if is_file(&error) => vec![stat(&source, place).await?],
            entries => entries?,
        };
        match () {
            () if self.asking.json => print::json(&json!({ "path": place.path, "entries": entries })),
            () if self.long => table(&entries).print(),
            () => entries.iter().try_for_each(|entry| print::line(&shown(entry))),
        }
    }
}

fn is_file(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|Refused(error)| error.code == ErrorCode::NotFolder)
}

/// The whole of a folder.
pub async fn list(source: &Source<'_>, place: &Place) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut version = None;
    loop {
        let (offset, limit) = (entries.len().to_string(), MAX_PAGE.to_string());
        let asked = source.get(place, "list", &[("offset", &offset), ("limit", &limit)]).await;
        let page: Listing = asked.map_err(|error| named(error, place))?;
        // Pages of two states of a folder do not fit together.
        if version.get_or_insert_with(|| page.version.clone()) != &page.version {
            entries.clear();
            version = None;
            continue;
        }
        let last = page.entries.is_empty();
        entries.extend(page.entries);
        if last || entries.len() as u64 >= page.total {
            return Ok(entries);
        }
    }
}

/// One file or folder.
pub async fn stat(source: &Source<'_>, place: &Place) -> Result<Entry> {
    source.get(place, "stat", &[]).await.map_err(|error| named(error, place))
}

/// Says what is not there by the address that was typed.
fn named(error: anyhow::Error, place: &Place) -> anyhow::Error {
    match error.downcast_ref::<Refused>() {
        Some(Refused(why)) if why.code == ErrorCode::NotFound && !place.path.is_root() => failure(
            ErrorCode::NotFound,
            format!("There is no \"{}\".", place.address),
            "`lanthorn ls` lists what is in a folder.",
        ),
        _ => error,
    }
}

fn shown(entry: &Entry) -> String {
    let mark = match entry.entry_type {
        EntryType::Folder => "/",
        EntryType::LinkOut => "@",
        EntryType::File | EntryType::Special => "",
    };
    format!("{}{mark}", entry.name)
}

fn table(entries: &[Entry]) -> Table {
    let mut table =
        Table::new(&[("SIZE", Align::Right), ("CHANGED (UTC)", Align::Left), ("NAME", Align::Left)]);
    for entry in entries {
        let size = if entry.entry_type == EntryType::File { print::size(entry.size) } else { "-".into() };
        table.row([size, print::time(entry.modified), shown(entry)]);
    }
    table
}

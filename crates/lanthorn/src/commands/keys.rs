//! `lanthorn keys`: the keys that sign a coordinator's tickets, and how one takes another's place.

use anyhow::Result;
use clap::{Args, Subcommand};
use http::Method;
use proto::api::keys::{Keys, Rotate};

use super::asking::Asking;
use crate::cli::Typed;
use crate::print::{self, Align, Table};

/// What was typed after `keys`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ManageKeys {
    #[command(subcommand)]
    change: Option<Change>,
    #[command(flatten)]
    asking: Asking,
}

/// What is to be done with them.
#[derive(Debug, Subcommand)]
enum Change {
    /// Have another key take the place of the present one: announced first, so that nobody notices.
    Rotate {
        /// Somebody else may have the key: nothing that it signed is good from now on. Copies and films under way break off, and
        /// commands sign in again by themselves.
        #[arg(long)]
        at_once: bool,
        #[command(flatten)]
        asking: Asking,
    },
}

/// Shows or changes them.
pub fn run(command: &ManageKeys, typed: &Typed) -> Result<()> {
    match &command.change {
        None => command.asking.run(typed, async |at| {
            let keys: Keys = at.get("/api/v1/keys").await?;
            if command.asking.json { print::json(&keys) } else { show(&keys) }
        }),
        Some(Change::Rotate { at_once, asking }) => asking.run(typed, async |at| {
            let rotate = Rotate { at_once: *at_once };
            let keys: Keys = at.ask(Method::POST, "/api/v1/keys/rotate", &rotate).await?;
            if asking.json {
                return print::json(&keys);
            }
            print::line(match keys.next {
                Some(_) => "The next key is announced. It signs in a minute; machines that are away learn it when they come.",
                None => "Another key signs from now on, and nothing that others signed is good any more.",
            })
        }),
    }
}

fn show(keys: &Keys) -> Result<()> {
    let time = |at| format!("{} UTC", print::time(Some(at)));
    let mut table = Table::new(&["KEY", "STATE"].map(|heading| (heading, Align::Left)));
    let due = keys.due.map_or_else(String::new, |due| format!(", until {}", time(due)));
    table.row([keys.present.id.clone(), format!("signs since {}{due}", time(keys.present.since))]);
    if let Some(next) = &keys.next {
        table.row([next.clone(), "announced; signs in a minute".into()]);
    }
    if let Some(previous) = &keys.previous {
        table.row([previous.id.clone(), format!("is honoured until {}", time(previous.until))]);
    }
    table.print()
}

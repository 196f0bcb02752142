//! `lanthorn shares`: what is offered, and to whom.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use http::Method;
use proto::ErrorCode;
use proto::api::catalog::{Share, Shares};
use proto::api::people::{Grant, Grants, PutGrant};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use super::asking::Asking;
use super::offered::{self, Offering};
use crate::address::Address;
use crate::cli::Typed;
use crate::config;
use crate::membership::{Membership, Memberships};
use crate::places::{Catalog, Place};
use crate::print::{self, Align, Table};
use crate::report::failure;
use crate::signed_in::SignedIn;
use crate::subjects::{self, Subjects};

/// What was typed after `shares`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ManageShares {
    #[command(subcommand)]
    change: Option<Change>,
    #[command(flatten)]
    asking: Asking,
}

/// What is to be done with them.
#[derive(Debug, Subcommand)]
enum Change {
    /// Offer a folder of this machine.
    Add {
        /// The folder.
        #[arg(value_name = "DIR")]
        shared: PathBuf,
        /// What to call it; the folder's own name if absent.
        #[arg(long = "as", value_name = "NAME")]
        called: Option<String>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Stop offering a folder of this machine. Nothing in it is touched.
    Rm {
        /// The share, as DEVICE:SHARE.
        share: String,
        #[command(flatten)]
        asking: Asking,
    },
    /// Offer a share of this machine to a coordinator that it has joined.
    Offer {
        #[command(flatten)]
        what: Offering,
    },
    /// Withhold a share of this machine from a coordinator that it has joined, at once.
    Withhold {
        #[command(flatten)]
        what: Offering,
    },
    /// Let somebody do something with a share, or list who may.
    Grant {
        /// The share, as DEVICE:SHARE.
        share: String,
        /// A person's name, `room:NAME`, or `everyone`; without it, the rights on the share are listed.
        who: Option<String>,
        /// What they may do, with commas between: read, download, write, request_send, accept_incoming, manage_share.
        #[arg(long = "may", value_name = "PERMISSIONS", default_value = "read,download")]
        may: String,
        /// For how long: 90m, 12h, 7d. For good, if absent.
        #[arg(long = "for", value_name = "TIME", value_parser = subjects::lifetime)]
        lasting: Option<Duration>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Take back what somebody may do with a share, at once.
    Revoke {
        /// The share, as DEVICE:SHARE.
        share: String,
        /// A person's name, `room:NAME`, or `everyone`.
        who: String,
        #[command(flatten)]
        asking: Asking,
    },
}

/// Lists or changes them.
pub fn run(command: &ManageShares, typed: &Typed) -> Result<()> {
    match &command.change {
        None => {
            let joined = joined(&command.asking, typed)?;
            command.asking.run(typed, async |at| list(&at, &joined, command.asking.json).await)
        }
        Some(Change::Add { shared, called, asking }) => {
            let joined = joined(asking, typed)?;
            asking.run(typed, async |at| add(&at, shared, called.as_deref(), &joined, asking.json).await)
        }
        Some(Change::Rm { share, asking }) => asking.run(typed, async |at| {
            let place = whole_share(&at, share).await?;
            at.delete(&format!("/api/v1/catalog/shares/{}", place.share)).await?;
            done(
                asking.json,
                &json!({ "removed": place.share }),
                &format!("{} is not offered any more", place.address),
            )
        }),
        Some(Change::Offer { what }) => offered::change(what, typed, Offering::offer),
        Some(Change::Withhold { what }) => offered::change(what, typed, Offering::withhold),
        Some(Change::Grant { share, who: None, asking, .. }) => {
            asking.run(typed, async |at| rights(&at, share, asking.json).await)
        }
        Some(Change::Grant { share, who: Some(who), may, lasting, asking }) => {
            let permissions = subjects::permissions(may)?;
            asking.run(typed, async |at| {
                let place = whole_share(&at, share).await?;
                let subject = Subjects::read(&at).await?.find(who)?;
                let expires_at = lasting.map(|lasting| OffsetDateTime::now_utc() + lasting);
                let put = PutGrant { share: place.share, subject, permissions, expires_at };
                let grant: Grant = at.ask(Method::PUT, "/api/v1/grants", &put).await?;
                let until = grant
                    .expires_at
                    .map_or(String::new(), |at| format!(" until {} UTC", print::time(Some(at))));
                let text =
                    format!("{who} may {} {}{until}", subjects::words(grant.permissions), place.address);
                done(asking.json, &json!(grant), &text)
            })
        }
        Some(Change::Revoke { share, who, asking }) => {
            asking.run(typed, async |at| revoke(&at, share, who, asking.json).await)
        }
    }
}

fn done(as_json: bool, document: &Value, text: &str) -> Result<()> {
    if as_json { print::json(document) } else { print::line(text) }
}

/// The coordinators to which the shares of this machine may be offered, where it is this machine's own that is asked.
fn joined(asking: &Asking, typed: &Typed) -> Result<Vec<Membership>> {
    match asking.on {
        None => Ok(Memberships::read(&config::resolve(&typed.settings)?.homes.state)?.memberships),
        Some(_) => Ok(Vec::new()),
    }
}

async fn list(at: &SignedIn, joined: &[Membership], as_json: bool) -> Result<()> {
    let catalog = Catalog::read(at).await?;
    if as_json {
        return print::json(&Shares { shares: catalog.shares });
    }
    let mut columns = vec!["SHARE", "STATE", "YOU MAY", "FOLDER"];
    columns.extend((!joined.is_empty()).then_some("OFFERED TO"));
    let columns: Vec<_> = columns.into_iter().map(|heading| (heading, Align::Left)).collect();
    let mut table = Table::new(&columns);
    for share in &catalog.shares {
        let place = catalog.within(share, proto::RelPath::root());
        let online = catalog.devices.iter().any(|device| device.id == place.device && device.online);
        let state = if online { "online" } else { "offline" };
        let folder = share.folder.clone().unwrap_or_default();
        let mut row =
            vec![place.address.to_string(), state.into(), subjects::words(share.permissions), folder];
        if !joined.is_empty() {
            let is_offered =
                |joined: &&Membership| share.device_id == at.device() && joined.offered.includes(share.id);
            let to: Vec<_> = joined.iter().filter(is_offered).map(name_of).collect();
            row.push(to.join(", "));
        }
        table.row(row);
    }
    table.print()
}

async fn add(
    at: &SignedIn,
    shared: &Path,
    called: Option<&str>,
    joined: &[Membership],
    as_json: bool,
) -> Result<()> {
    let folder = shared.canonicalize().map_err(|error| {
        let message = format!("{} cannot be offered: {error}.", shared.display());
        failure(ErrorCode::NotFound, message, "Name a folder of this machine.")
    })?;
    let folder = folder.to_str().context("the folder's path is not written in Unicode")?;
    let mut asked = json!({ "folder": folder });
    if let Some(name) = called {
        asked["name"] = json!(name);
    }
    let share: Share = at.ask(Method::POST, "/api/v1/catalog/shares", &asked).await?;
    let also: Vec<_> =
        joined.iter().filter(|joined| joined.offered.includes(share.id)).map(name_of).collect();
    let also = if also.is_empty() { String::new() } else { format!(", also to {}", also.join(", ")) };
    done(as_json, &json!(share), &format!("{folder} is offered as {}{also}", share.name))
}

fn name_of(joined: &Membership) -> &str {
    &joined.coordinator.name
}

async fn whole_share(at: &SignedIn, typed: &str) -> Result<Place> {
    let address: Address = typed.parse()?;
    if !address.path.is_root() {
        let message = format!("\"{typed}\" is not a whole share.");
        return Err(failure(ErrorCode::BadParameter, message, "Rights are given on shares: DEVICE:SHARE."));
    }
    Catalog::read(at).await?.place(&address)
}

async fn grants(at: &SignedIn, place: &Place) -> Result<Vec<Grant>> {
    let all: Grants = at.get(&format!("/api/v1/grants?share={}", place.share)).await?;
    Ok(all.grants.into_iter().filter(|grant| grant.share == place.share).collect())
}

async fn rights(at: &SignedIn, typed: &str, as_json: bool) -> Result<()> {
    let place = whole_share(at, typed).await?;
    let grants = grants(at, &place).await?;
    if as_json {
        return print::json(&Grants { grants });
    }
    if grants.is_empty() {
        print::remark(&format!("Nobody was given a right on {}.", place.address));
        return Ok(());
    }
    let subjects = Subjects::read(at).await?;
    let mut table = Table::new(&[("WHO", Align::Left), ("MAY", Align::Left), ("UNTIL (UTC)", Align::Left)]);
    for grant in &grants {
        table.row([
            subjects.name(grant.subject),
            subjects::words(grant.permissions),
            print::time(grant.expires_at),
        ]);
    }
    table.print()
}

async fn revoke(at: &SignedIn, typed: &str, who: &str, as_json: bool) -> Result<()> {
    let place = whole_share(at, typed).await?;
    let subject = Subjects::read(at).await?.find(who)?;
    let Some(grant) = grants(at, &place).await?.into_iter().find(|grant| grant.subject == subject) else {
        let message = format!("{who} has no right of their own on {}.", place.address);
        return Err(failure(ErrorCode::NotFound, message, "`lanthorn shares grant SHARE` lists who has."));
    };
    at.delete(&format!("/api/v1/grants/{}", grant.id)).await?;
    done(as_json, &json!({ "revoked": grant }), &format!("{who} has no right on {} any more", place.address))
}

//! `lanthorn audit`: who did what, newest first; the whole log as lines of JSON; and whether it is as it was written.

use std::io::Write;

use anyhow::{Context, Result};
use clap::Args;
use http::Request;
use http_body_util::{BodyExt, Full};
use proto::ErrorCode;
use proto::api::audit::{AuditEntry, AuditPage};
use proto::api::people::People;
use serde_json::Value;

use super::asking::Asking;
use crate::cli::Typed;
use crate::places::{Catalog, in_query};
use crate::print::{self, Align, Table};
use crate::report::failure;
use crate::signed_in::SignedIn;
use crate::subjects;

/// What was typed after `audit`.
#[derive(Debug, Args)]
pub struct ReadAudit {
    /// Only actions that begin like this: pairing, grant, share.
    #[arg(long, value_name = "WORD")]
    action: Option<String>,
    /// Only what this person did.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    /// Only what was refused.
    #[arg(long)]
    refused: bool,
    /// How many: 1 to 1000.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// All of it, as lines of JSON.
    #[arg(long, conflicts_with_all = ["limit", "json"])]
    export: bool,
    /// Read the whole log and tell whether each entry is as it was written.
    #[arg(long, conflicts_with_all = ["limit", "export", "action", "person", "refused"])]
    verify: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Reads it.
pub fn run(command: &ReadAudit, typed: &Typed) -> Result<()> {
    command.asking.run(typed, async |at| match () {
        () if command.verify => command.check(&at).await,
        () if command.export => command.send_on(&at).await,
        () => command.list(&at).await,
    })
}

impl ReadAudit {
    /// What is asked for, as a query.
    async fn filter(&self, at: &SignedIn) -> Result<String> {
        let mut query = format!("?limit={}", self.limit);
        if let Some(action) = &self.action {
            query += &format!("&action={}", in_query(action));
        }
        if self.refused {
            query += "&allowed=false";
        }
        if let Some(typed) = &self.person {
            let people: People = at.get("/api/v1/people").await?;
            query += &format!("&actor={}", subjects::person(typed, &people.people)?.id);
        }
        Ok(query)
    }

    async fn list(&self, at: &SignedIn) -> Result<()> {
        let page: AuditPage = at.get(&format!("/api/v1/audit{}", self.filter(at).await?)).await?;
        if self.asking.json {
            return print::json(&page);
        }
        let names = Names::read(at).await?;
        let mut table = Table::new(&[
            ("TIME (UTC)", Align::Left),
            ("WHO", Align::Left),
            ("WHAT", Align::Left),
            ("ALLOWED", Align::Left),
            ("WHERE", Align::Left),
            ("FROM", Align::Left),
        ]);
        for entry in &page.entries {
            let allowed = if entry.allowed { "yes" } else { "no" };
            let from = entry.address.clone().unwrap_or_default();
            let (who, place) = (names.who(entry), names.place(entry));
            table.row([
                print::time_exactly(entry.time),
                who,
                entry.action.clone(),
                allowed.into(),
                place,
                from,
            ]);
        }
        table.print()
    }

    async fn send_on(&self, at: &SignedIn) -> Result<()> {
        let path = format!("/api/v1/audit/export{}", self.filter(at).await?);
        let mut body = at.send(Request::get(path).body(Full::default())?).await?.into_body();
        while let Some(frame) = body.frame().await {
            if let Ok(bytes) = frame.context("the answer broke off")?.into_data() {
                std::io::stdout().lock().write_all(&bytes)?;
            }
        }
        Ok(())
    }

    async fn check(&self, at: &SignedIn) -> Result<()> {
        let found: Value = at.get("/api/v1/audit/verify").await?;
        let intact = found["intact"] == true;
        match () {
            () if self.asking.json => print::json(&found)?,
            () if intact => {
                print::line(&format!("All {} entries are as they were written.", found["entries"]))?
            }
            () => {}
        }
        if intact {
            return Ok(());
        }
        let why = found["why"].as_str().unwrap_or("it is not as it was written");
        let message = format!("The log is not intact from entry {} on: {why}.", found["broken_at"]);
        Err(failure(ErrorCode::Conflict, message, "Compare it with an export that was made before."))
    }
}

/// What ids stand for.
struct Names {
    catalog: Catalog,
    people: People,
}

impl Names {
    async fn read(at: &SignedIn) -> Result<Self> {
        Ok(Self { catalog: Catalog::read(at).await?, people: at.get("/api/v1/people").await? })
    }

    fn who(&self, entry: &AuditEntry) -> String {
        let Some(id) = entry.actor else { return "-".into() };
        let person = self.people.people.iter().find(|person| person.id == id);
        person.map_or_else(|| id.to_string(), |person| person.display_name.clone())
    }

    fn place(&self, entry: &AuditEntry) -> String {
        let share = entry.share.map(|id| {
            let share = self.catalog.shares.iter().find(|share| share.id == id);
            share.map_or_else(|| id.to_string(), |share| share.name.clone())
        });
        match (entry.device, share) {
            (Some(device), Some(share)) => format!("{}:{share}", self.catalog.name_of(device)),
            (Some(device), None) => self.catalog.name_of(device),
            (None, share) => share.unwrap_or_default(),
        }
    }
}

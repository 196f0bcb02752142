//! `lanthorn revoke`: ends what somebody has here: a machine's membership, a person, a session, an invitation.

use anyhow::Result;
use clap::{ArgGroup, Args};
use proto::api::auth::Sessions;
use proto::api::people::{Invites, PairedDevices, People};
use serde_json::json;

use super::asking::Asking;
use crate::cli::Typed;
use crate::places::choose;
use crate::print;
use crate::signed_in::SignedIn;
use crate::subjects;

/// What was typed after `revoke`.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("what").required(true))]
pub struct Revoke {
    /// A machine: its name or the beginning of its id. It has to be paired anew.
    #[arg(value_name = "DEVICE", group = "what")]
    device: Option<String>,
    /// A person, with all their machines and browsers.
    #[arg(long, value_name = "NAME", group = "what")]
    person: Option<String>,
    /// A signed-in browser: what it is called or the beginning of its id.
    #[arg(long, value_name = "BROWSER", group = "what")]
    session: Option<String>,
    /// An invitation: whom it is for or the beginning of its id.
    #[arg(long, value_name = "GUEST", group = "what")]
    invite: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// Ends it.
pub fn run(command: &Revoke, typed: &Typed) -> Result<()> {
    command.asking.run(typed, async |at| {
        let (kind, id, name) = command.find(&at).await?;
        at.delete(&format!("/api/v1/{kind}/{id}")).await?;
        if command.asking.json {
            return print::json(&json!({ "revoked": { "kind": kind, "id": id, "name": name } }));
        }
        print::line(&format!("{name}: ended, at once and everywhere"))
    })
}

impl Revoke {
    /// What is meant: where it is, its id and its name.
    async fn find(&self, at: &SignedIn) -> Result<(&'static str, String, String)> {
        if let Some(typed) = &self.person {
            let all: People = at.get("/api/v1/people").await?;
            let one = subjects::person(typed, &all.people)?;
            return Ok(("people", one.id.to_string(), one.display_name.clone()));
        }
        if let Some(typed) = &self.session {
            let all: Sessions = at.get("/api/v1/sessions").await?;
            let one =
                choose("signed-in browser", typed, &all.sessions, |s| &s.browser, |s| s.id.to_string())?;
            return Ok(("sessions", one.id.to_string(), one.browser.clone()));
        }
        if let Some(typed) = &self.invite {
            let all: Invites = at.get("/api/v1/invites").await?;
            let one = choose("invitation", typed, &all.invites, |i| &i.name, |i| i.id.to_string())?;
            return Ok(("invites", one.id.to_string(), one.name.clone()));
        }
        let all: PairedDevices = at.get("/api/v1/devices").await?;
        let typed = self.device.as_deref().unwrap_or_default();
        let one = choose("device", typed, &all.devices, |d| &d.name, |d| d.id.to_string())?;
        Ok(("devices", one.id.to_string(), one.name.clone()))
    }
}

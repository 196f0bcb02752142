//! `lanthorn status`: whether the coordinator answers, who this machine is there, and which others it has joined.

use anyhow::Result;
use clap::Args;
use proto::api::auth::{Me, Status};
use proto::api::catalog::Devices;
use serde_json::json;

use super::asking::Asking;
use crate::cli::Typed;
use crate::config;
use crate::membership::Memberships;
use crate::print;

/// What was typed after `status`.
#[derive(Debug, Args)]
pub struct ShowStatus {
    #[command(flatten)]
    asking: Asking,
}

/// Shows it.
pub fn run(command: &ShowStatus, typed: &Typed) -> Result<()> {
    let state = config::resolve(&typed.settings)?.homes.state;
    command.asking.run(typed, async |at| {
        let status: Status = at.get("/api/v1/status").await?;
        let me: Me = at.get("/api/v1/auth/me").await?;
        let devices = at.get::<Devices>("/api/v1/catalog/devices").await?.devices;
        let online = devices.iter().filter(|device| device.online).count();
        let joined = Memberships::read(&state)?.memberships;
        let names: Vec<_> = joined.iter().map(|joined| joined.coordinator.name.as_str()).collect();
        if command.asking.json {
            return print::json(&json!({
                "coordinator": { "name": status.device_name, "version": status.version, "url": at.url() },
                "device": at.device(),
                "me": me,
                "devices": { "online": online, "all": devices.len() },
                "joined": names,
            }));
        }
        print::line(&format!(
            "{} answers at {} (Lanthorn {})",
            status.device_name,
            at.url(),
            status.version
        ))?;
        print::line(&format!("This machine is {}{}", at.device().short(), owned(&me)))?;
        print::line(&format!("{online} of {} devices online", devices.len()))?;
        if names.is_empty() { Ok(()) } else { print::line(&format!("Joined: {}", names.join(", "))) }
    })
}

fn owned(me: &Me) -> &'static str {
    if me.owner { ", the owner's" } else { "" }
}

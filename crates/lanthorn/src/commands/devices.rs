//! `lanthorn devices`: the machines there are.

use anyhow::Result;
use clap::Args;
use proto::api::catalog::{Device, Devices};

use super::asking::Asking;
use crate::cli::Typed;
use crate::print::{self, Align, Table};

/// What was typed after `devices`.
#[derive(Debug, Args)]
pub struct ListDevices {
    #[command(flatten)]
    asking: Asking,
}

/// Lists them.
pub fn run(command: &ListDevices, typed: &Typed) -> Result<()> {
    command.asking.run(typed, async |at| {
        let found: Devices = at.get("/api/v1/catalog/devices").await?;
        if command.asking.json {
            return print::json(&found);
        }
        let mut table = Table::new(&[("NAME", Align::Left), ("ID", Align::Left), ("STATE", Align::Left)]);
        for device in &found.devices {
            let here = if device.id == at.device() { " (this machine)" } else { "" };
            table.row([format!("{}{here}", device.name), device.id.short(), state(device)]);
        }
        table.print()
    })
}

/// Whether it answers, or when it last did.
pub fn state(device: &Device) -> String {
    match device.last_seen {
        _ if device.online => "online".into(),
        None => "offline".into(),
        seen => format!("offline since {} UTC", print::time(seen)),
    }
}

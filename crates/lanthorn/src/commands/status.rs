//! `lanthorn status`: whether the coordinator answers, who this machine is there, and how its links to those that it has
//! joined stand.

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use futures_util::future::join_all;
use proto::ErrorCode;
use proto::api::auth::{Me, Status};
use proto::api::catalog::Devices;
use proto::api::devices::{DevicePath, JoinedCoordinator, Lane, LinkStanding};
use serde_json::{Value, json};

use super::asking::{Asking, block_on};
use crate::cli::Typed;
use crate::client::Refused;
use crate::config::{self, Config};
use crate::membership::Memberships;
use crate::print::{self, Align, Table};
use crate::signed_in::SignedIn;

/// How long a joined coordinator has to say how it reaches this machine.
const PATIENCE: Duration = Duration::from_secs(3);

/// What was typed after `status`.
#[derive(Debug, Args)]
pub struct ShowStatus {
    #[command(flatten)]
    asking: Asking,
}

/// Shows it.
pub fn run(command: &ShowStatus, typed: &Typed) -> Result<()> {
    let config = config::resolve(&typed.settings)?;
    block_on(async {
        match command.asking.sign_in(&config).await {
            Ok(at) => command.show(&config, &at).await,
            Err(error) if command.asking.on.is_none() && is_not_running(&error) => {
                command.show_what_is_kept(&config.homes.state)?;
                Err(error)
            }
            Err(error) => Err(error),
        }
    })
}

fn is_not_running(error: &anyhow::Error) -> bool {
    let code = error.downcast_ref::<Refused>().map(|Refused(error)| error.code);
    matches!(code, Some(ErrorCode::DeviceOffline | ErrorCode::DeviceUnreachable))
}

/// A link, and how the coordinator at its other end reaches this machine.
struct Link {
    joined: JoinedCoordinator,
    path: Option<DevicePath>,
}

impl ShowStatus {
    async fn show(&self, config: &Config, at: &SignedIn) -> Result<()> {
        let status: Status = at.get("/api/v1/status").await?;
        let me: Me = at.get("/api/v1/auth/me").await?;
        let devices = at.get::<Devices>("/api/v1/catalog/devices").await?.devices;
        let online = devices.iter().filter(|device| device.online).count();
        let all = devices.len();
        let here = devices.into_iter().find(|device| device.local && device.id == at.device());
        let joined = here.map(|device| device.joined).unwrap_or_default();
        let links = join_all(joined.into_iter().map(|joined| followed(config, joined))).await;
        if self.asking.json {
            return print::json(&json!({
                "running": true,
                "coordinator": { "name": status.device_name, "version": status.version, "url": at.url() },
                "device": at.device(),
                "me": me,
                "devices": { "online": online, "all": all },
                "joined": links.iter().map(Link::document).collect::<Vec<_>>(),
            }));
        }
        let (name, version) = (&status.device_name, &status.version);
        print::line(&format!("{name} answers at {} (Lanthorn {version})", at.url()))?;
        print::line(&format!("This machine is {}, {}'s", at.device().short(), me.display_name))?;
        print::line(&format!("{online} of {all} devices online"))?;
        show_links(&links)
    }

    /// What can be told of a machine on which Lanthorn does not run.
    fn show_what_is_kept(&self, state: &Path) -> Result<()> {
        let joined = Memberships::read(state)?.memberships;
        let names: Vec<_> = joined.iter().map(|joined| joined.coordinator.name.as_str()).collect();
        match () {
            () if self.asking.json => print::json(&json!({ "running": false, "joined": names })),
            () if names.is_empty() => Ok(()),
            () => print::line(&format!("Joined, but without a link: {}", names.join(", "))),
        }
    }
}

/// Asks the coordinator at the other end of a link how it reaches this machine.
async fn followed(config: &Config, joined: JoinedCoordinator) -> Link {
    let path = match joined.standing {
        LinkStanding::Connected => tokio::time::timeout(PATIENCE, path(config, &joined.id)).await,
        _ => return Link { joined, path: None },
    };
    Link { joined, path: path.ok().and_then(Result::ok) }
}

async fn path(config: &Config, coordinator: &str) -> Result<DevicePath> {
    let at = SignedIn::open(config, Some(coordinator)).await?;
    at.get(&format!("/api/v1/devices/{}/path", at.device())).await
}

fn show_links(links: &[Link]) -> Result<()> {
    if links.is_empty() {
        return Ok(());
    }
    let columns = ["JOINED", "LINK", "SINCE (UTC)", "REACHES THIS MACHINE", "OFFERED"];
    let mut table = Table::new(&columns.map(|heading| (heading, Align::Left)));
    for link in links {
        let JoinedCoordinator { name, since, .. } = &link.joined;
        table.row([
            name.clone(),
            link.standing().into(),
            print::time(Some(*since)),
            link.way(),
            link.offered(),
        ]);
    }
    print::line("")?;
    table.print()?;
    for JoinedCoordinator { name, trouble, .. } in links.iter().map(|link| &link.joined) {
        if let Some(trouble) = trouble {
            let of = if trouble.message.contains(name) { String::new() } else { format!("{name}: ") };
            print::line(&format!("{of}{} {}", trouble.message, trouble.hint))?;
        }
    }
    Ok(())
}

impl Link {
    fn standing(&self) -> &'static str {
        match self.joined.standing {
            LinkStanding::Connecting => "connecting",
            LinkStanding::Connected if self.joined.trouble.is_some() => "connected, not all is well",
            LinkStanding::Connected => "connected",
            LinkStanding::Waiting => "trying again",
            LinkStanding::Refused => "refused",
        }
    }

    fn way(&self) -> String {
        let Some(path) = &self.path else { return "-".into() };
        let way = match path.lane {
            Lane::Local => "here",
            Lane::Lan => "directly",
            Lane::Direct => "directly, over QUIC",
            Lane::Relayed => "through its relay",
            Lane::None => "when it asks for something",
        };
        let round_trip = path.round_trip_ms.map_or_else(String::new, |ms| format!(", {ms:.1} ms"));
        format!("{way}{round_trip}")
    }

    fn offered(&self) -> String {
        match &self.joined.shares {
            None => "all".into(),
            Some(shares) if shares.is_empty() => "nothing".into(),
            Some(shares) if shares.len() == 1 => "1 share".into(),
            Some(shares) => format!("{} shares", shares.len()),
        }
    }

    fn document(&self) -> Value {
        let mut document = json!(self.joined);
        document["path"] = json!(self.path);
        document
    }
}

//! `lanthorn shares offer` and `withhold`: what a coordinator that this machine has joined sees of it.

use anyhow::{Context, Result};
use clap::Args;
use proto::api::catalog::Share;
use proto::{Offered, ShareId};
use serde_json::json;

use super::asking::block_on;
use crate::cli::Typed;
use crate::config;
use crate::membership::Memberships;
use crate::{offering, print};

/// What was typed after either.
#[derive(Debug, Args)]
pub struct Offering {
    /// The share of this machine.
    #[arg(required_unless_present = "all")]
    share: Option<String>,
    /// All shares of this machine, also those that come later.
    #[arg(long, conflicts_with = "share")]
    all: bool,
    /// The coordinator: its name, its address or the beginning of its id.
    #[arg(long, visible_alias = "from", value_name = "COORDINATOR")]
    to: String,
    /// Answer with one JSON document.
    #[arg(long)]
    json: bool,
}

impl Offering {
    /// What is offered with the share; with all, where none is named.
    pub fn offer(before: Offered, share: Option<ShareId>, _: &[Share]) -> Offered {
        match share {
            Some(id) => before.with(id),
            None => Offered::All,
        }
    }

    /// What is offered without the share; nothing, where none is named.
    pub fn withhold(before: Offered, share: Option<ShareId>, all: &[Share]) -> Offered {
        match share {
            Some(id) => before.without(id, all.iter().map(|share| share.id)),
            None => Offered::Only([].into()),
        }
    }
}

/// Changes what a joined coordinator is offered. A running Lanthorn follows.
pub fn change(
    what: &Offering,
    typed: &Typed,
    change: impl FnOnce(Offered, Option<ShareId>, &[Share]) -> Offered,
) -> Result<()> {
    let config = config::resolve(&typed.settings)?;
    block_on(async {
        let all = Memberships::read(&config.homes.state)?;
        let joined = all.find(&what.to)?;
        let keys = joined.coordinator.clone();
        let shares = if what.all { Vec::new() } else { offering::own_shares(&config).await? };
        let share = what.share.as_deref().map(|typed| offering::own_share(&shares, typed)).transpose()?;
        let changed = |before| change(before, share.map(|share| share.id), &shares);
        let offered = Memberships::change(&config.homes.state, |all| all.offer(&keys.id, changed))?;
        let offered = offered.with_context(|| format!("{} was left meanwhile", keys.name))?;
        if what.json {
            return print::json(&json!({ "coordinator": keys.id, "name": keys.name, "offered": offered }));
        }
        print::line(&format!("{} is offered {}", keys.name, in_words(&offered, &shares)))
    })
}

fn in_words(offered: &Offered, all: &[Share]) -> String {
    match offered {
        Offered::All => "all shares, also those that come later".into(),
        Offered::Only(shares) if shares.is_empty() => "nothing".into(),
        Offered::Only(_) => {
            let names = all.iter().filter(|share| offered.includes(share.id));
            let names: Vec<_> = names.map(|share| share.name.as_str()).collect();
            format!("{}, and nothing that comes later", names.join(", "))
        }
    }
}

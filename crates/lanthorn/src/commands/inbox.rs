//! `lanthorn inbox`: what others want to send here, answered; and who need not ask.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use http::Method;
use proto::ErrorCode;
use proto::api::transfers::{
    ApproveTransfer, ClearedTransfers, EndTransfer, PASSCODE_DIGITS, Transfer, TransferRole as Role,
    TrustLimits,
};
use serde_json::json;

use super::asking::Asking;
use super::transfers::{find, list, names};
use super::trusting::{self, Trust};
use crate::cli::Typed;
use crate::places::Catalog;
use crate::print;
use crate::report::failure;
use crate::signed_in::SignedIn;

/// What was typed after `inbox`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ManageInbox {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    asking: Asking,
}

/// What is done with what others want to send here.
#[derive(Debug, Subcommand)]
enum Act {
    /// List what others want to send here, and what they sent (the default).
    List {
        #[command(flatten)]
        asking: Asking,
    },
    /// Take it.
    Accept(Accept),
    /// Say no.
    Reject {
        /// The transfer: its id, or the beginning or end of it.
        #[arg(value_name = "TRANSFER")]
        transfer: String,
        /// Why, for the sender.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        asking: Asking,
    },
    /// Show no more what came to its end.
    Clear {
        #[command(flatten)]
        asking: Asking,
    },
    /// Take what somebody sends to this machine without a question from now on.
    Trust(Trust),
    /// Ask again before this person sends to this machine.
    Distrust {
        /// Who: a name, or an id.
        #[arg(value_name = "PERSON")]
        person: String,
        #[command(flatten)]
        asking: Asking,
    },
    /// List who need not ask.
    Trusted {
        #[command(flatten)]
        asking: Asking,
    },
}

/// What was typed after `inbox accept`.
#[derive(Debug, Args)]
struct Accept {
    /// The transfer: its id, or the beginning or end of it.
    #[arg(value_name = "TRANSFER")]
    transfer: String,
    /// Four digits that you tell the sender. Some are made up, and said, if they are needed and absent.
    #[arg(long, value_name = "DIGITS")]
    passcode: Option<String>,
    /// Where it goes: DEVICE:SHARE/FOLDER of the machine that receives. Its inbox, if absent.
    #[arg(long, value_name = "DEVICE:SHARE/FOLDER")]
    into: Option<String>,
    /// Ask no more before this sender sends to this machine.
    #[arg(long)]
    always: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Lists what came, or answers it.
pub fn run(command: &ManageInbox, typed: &Typed) -> Result<()> {
    match &command.act {
        None => command.asking.run(typed, async |at| list(&at, Role::Incoming, command.asking.json).await),
        Some(Act::List { asking }) => {
            asking.run(typed, async |at| list(&at, Role::Incoming, asking.json).await)
        }
        Some(Act::Accept(accept)) => accept.asking.run(typed, async |at| accept.run(&at).await),
        Some(Act::Reject { transfer, reason, asking }) => {
            asking.run(typed, async |at| reject(&at, transfer, reason.clone(), asking.json).await)
        }
        Some(Act::Clear { asking }) => asking.run(typed, async |at| clear(&at, asking.json).await),
        Some(Act::Trust(trust)) => trust.run(typed),
        Some(Act::Distrust { person, asking }) => {
            asking.run(typed, async |at| trusting::distrust(&at, person).await)
        }
        Some(Act::Trusted { asking }) => asking.run(typed, async |at| trusting::list(&at, asking.json).await),
    }
}

async fn reject(at: &SignedIn, transfer: &str, reason: Option<String>, json: bool) -> Result<()> {
    let url = format!("/api/v1/transfers/{}/reject", find(at, Role::Incoming, transfer).await?.id);
    let transfer: Transfer = at.ask(Method::POST, &url, &EndTransfer { reason }).await?;
    told(&transfer, json, "Said no to")
}

async fn clear(at: &SignedIn, json: bool) -> Result<()> {
    let cleared: ClearedTransfers =
        at.ask(Method::POST, "/api/v1/transfers/history/clear", &json!({})).await?;
    if json {
        return print::json(&cleared);
    }
    print::remark(&format!("{} not shown any more.", cleared.deleted));
    Ok(())
}

impl Accept {
    async fn run(&self, at: &SignedIn) -> Result<()> {
        let json = self.asking.json;
        let transfer = find(at, Role::Incoming, &self.transfer).await?;
        let url = format!("/api/v1/transfers/{}/approve", transfer.id);
        let mut approve = self.approve(at, &transfer).await?;
        if self.passcode.is_none() && !json {
            let passcode = fresh_passcode()?;
            print::line(&format!("Passcode for {}: {passcode}", transfer.sender_name))?;
            approve.passcode = Some(passcode);
        }
        let transfer: Transfer = at.ask(Method::POST, &url, &approve).await?;
        told(&transfer, json, "Took")
    }

    async fn approve(&self, at: &SignedIn, transfer: &Transfer) -> Result<ApproveTransfer> {
        let mut approve = ApproveTransfer { passcode: self.passcode.clone(), ..ApproveTransfer::default() };
        if let Some(into) = &self.into {
            let place = Catalog::read(at).await?.place(&into.parse()?)?;
            if place.device != transfer.receiver_device_id {
                return Err(failure(
                    ErrorCode::BadParameter,
                    "It is sent to another machine than that.",
                    format!("Name a share of {}.", transfer.receiver_name),
                ));
            }
            approve.receiver_share_id = Some(place.share);
            approve.destination_path = Some(place.path.to_string());
        }
        if self.always {
            approve.always = Some(TrustLimits {
                max_bytes: None,
                receiver_share_id: approve.receiver_share_id,
                destination_path: approve.destination_path.clone().unwrap_or_default(),
            });
        }
        Ok(approve)
    }
}

/// Digits that nobody can guess in the tries there are.
fn fresh_passcode() -> Result<String> {
    let mut random = [0; 8];
    getrandom::fill(&mut random).context("no random numbers")?;
    let digits = u64::from_le_bytes(random) % 10_u64.pow(PASSCODE_DIGITS as u32);
    Ok(format!("{digits:0PASSCODE_DIGITS$}"))
}

fn told(transfer: &Transfer, json: bool, done: &str) -> Result<()> {
    if json {
        return print::json(transfer);
    }
    print::remark(&format!("{done} {} from {}.", names(transfer), transfer.sender_name));
    Ok(())
}

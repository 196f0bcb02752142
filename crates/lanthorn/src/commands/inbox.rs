//! `lanthorn inbox` and `lanthorn transfers`: what others want to send here, answered; and how all of it stands.

use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use http::Method;
use proto::ErrorCode;
use proto::api::transfers::{
    ApproveTransfer, ClearedTransfers, EndTransfer, ItemKind, PASSCODE_DIGITS, Transfer, TransferState,
    Transfers, TrustLimits,
};
use serde_json::json;

use super::asking::Asking;
use crate::cli::Typed;
use crate::places::Catalog;
use crate::print::{self, Align, Table};
use crate::report::failure;
use crate::signed_in::SignedIn;

/// Names told of one transfer.
const NAMES: usize = 3;

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

/// What was typed after `transfers`.
#[derive(Debug, Args)]
pub struct ListTransfers {
    #[command(flatten)]
    asking: Asking,
}

/// Lists all transfers of this person, sent and received.
pub fn run_transfers(command: &ListTransfers, typed: &Typed) -> Result<()> {
    command.asking.run(typed, async |at| list(&at, "all", command.asking.json).await)
}

/// Lists what came, or answers it.
pub fn run(command: &ManageInbox, typed: &Typed) -> Result<()> {
    match &command.act {
        None => command.asking.run(typed, async |at| list(&at, "incoming", command.asking.json).await),
        Some(Act::List { asking }) => asking.run(typed, async |at| list(&at, "incoming", asking.json).await),
        Some(Act::Accept(accept)) => accept.asking.run(typed, async |at| accept.run(&at).await),
        Some(Act::Reject { transfer, reason, asking }) => {
            asking.run(typed, async |at| reject(&at, transfer, reason.clone(), asking.json).await)
        }
        Some(Act::Clear { asking }) => asking.run(typed, async |at| clear(&at, asking.json).await),
    }
}

async fn reject(at: &SignedIn, transfer: &str, reason: Option<String>, json: bool) -> Result<()> {
    let url = format!("/api/v1/transfers/{}/reject", find(at, transfer).await?.id);
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
        let transfer = find(at, &self.transfer).await?;
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

/// The transfer that was named.
async fn find(at: &SignedIn, typed: &str) -> Result<Transfer> {
    let Transfers { transfers } = at.get("/api/v1/transfers?role=incoming").await?;
    let mut fitting = transfers.into_iter().filter(|transfer| {
        let id = transfer.id.to_string();
        id.starts_with(typed) || id.ends_with(typed)
    });
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(failure(
            ErrorCode::NotFound,
            format!("Nobody sends anything of the id {typed:?}."),
            "See them with: lanthorn inbox",
        )),
        (Some(_), Some(_)) => Err(failure(
            ErrorCode::BadParameter,
            format!("{typed:?} fits several transfers."),
            "Write more of its id; see them with: lanthorn inbox",
        )),
    }
}

async fn list(at: &SignedIn, role: &str, json: bool) -> Result<()> {
    let all: Transfers = at.get(&format!("/api/v1/transfers?role={role}")).await?;
    if json {
        return print::json(&all);
    }
    if all.transfers.is_empty() {
        print::remark("Nothing.");
        return Ok(());
    }
    let mut table = Table::new(&[
        ("ID", Align::Left),
        ("FROM", Align::Left),
        ("TO", Align::Left),
        ("SIZE", Align::Right),
        ("STATE", Align::Left),
        ("WHAT", Align::Left),
    ]);
    for transfer in &all.transfers {
        let size = transfer.items.iter().map(|item| item.offered.size).sum();
        let id = transfer.id.to_string();
        table.row([
            id[id.len() - 12..].to_owned(),
            transfer.sender_name.clone(),
            transfer.receiver_name.clone(),
            print::size(size),
            state(transfer),
            names(transfer),
        ]);
    }
    table.print()
}

/// How it stands, in words.
fn state(transfer: &Transfer) -> String {
    let received: u64 = transfer.items.iter().map(|item| item.received_size).sum();
    match transfer.state {
        TransferState::PendingReceiverApproval if transfer.incoming => "waits for you".into(),
        TransferState::PendingReceiverApproval => "waits for the receiver".into(),
        TransferState::ApprovedPendingSenderPasscode => "waits for the passcode".into(),
        TransferState::PasscodeOpen => "about to begin".into(),
        TransferState::InProgress if transfer.paused_by.is_some() => {
            format!("paused at {}", print::size(received))
        }
        TransferState::InProgress => format!("{} so far", print::size(received)),
        TransferState::Completed => "there".into(),
        TransferState::Rejected => "not wanted".into(),
        TransferState::Cancelled => "given up".into(),
        TransferState::Expired => "over its time".into(),
        TransferState::Failed => "failed".into(),
    }
}

/// What is sent, in few words.
fn names(transfer: &Transfer) -> String {
    let name = |item: &proto::api::transfers::TransferItem| {
        let slash = if item.offered.kind == ItemKind::Folder { "/" } else { "" };
        format!("{}{slash}", item.offered.filename)
    };
    let told = transfer.items.iter().take(NAMES).map(name).collect::<Vec<_>>().join(", ");
    match transfer.items.len().checked_sub(NAMES) {
        Some(more) if more > 0 => format!("{told} and {more} more"),
        _ => told,
    }
}

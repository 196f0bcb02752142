//! `lanthorn transfers`: what was sent and received, and how it stands; held, let go on, given up, and called something.

use anyhow::Result;
use clap::{Args, Subcommand};
use http::Method;
use proto::ErrorCode;
use proto::api::transfers::{
    EndTransfer, ItemKind, LabelTransfer, PausedBy, Transfer, TransferRole as Role, TransferState, Transfers,
};

use super::asking::Asking;
use crate::cli::Typed;
use crate::delivery::in_words;
use crate::print::{self, Align, Table};
use crate::report::failure;
use crate::signed_in::SignedIn;

/// Names told of one transfer.
const NAMES: usize = 3;

/// What was typed after `transfers`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct ManageTransfers {
    #[command(subcommand)]
    act: Option<Act>,
    #[command(flatten)]
    asking: Asking,
}

/// What is done with a transfer.
#[derive(Debug, Subcommand)]
enum Act {
    /// List what was sent and received (the default).
    List {
        #[command(flatten)]
        asking: Asking,
    },
    /// Hold it, until it is let go on.
    Pause(Which),
    /// Let it go on.
    Resume(Which),
    /// Give it up: what came of it and is not in its place goes.
    Cancel {
        #[command(flatten)]
        which: Which,
        /// Why, for the other side.
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
    },
    /// Call it something, for yourself; nothing takes the label away.
    Label {
        #[command(flatten)]
        which: Which,
        /// What to call it.
        #[arg(value_name = "LABEL")]
        label: Option<String>,
    },
}

/// Which transfer.
#[derive(Debug, Args)]
struct Which {
    /// The transfer: its id, or the beginning or end of it.
    #[arg(value_name = "TRANSFER")]
    transfer: String,
    #[command(flatten)]
    asking: Asking,
}

/// Lists all transfers of this person, or does something with one.
pub fn run(command: &ManageTransfers, typed: &Typed) -> Result<()> {
    let listed = |asking: &Asking| asking.run(typed, async |at| list(&at, Role::All, asking.json).await);
    match &command.act {
        None => listed(&command.asking),
        Some(Act::List { asking }) => listed(asking),
        Some(Act::Pause(which)) => which.act(typed, (Method::POST, "pause"), &EndTransfer::default()),
        Some(Act::Resume(which)) => which.act(typed, (Method::POST, "resume"), &EndTransfer::default()),
        Some(Act::Cancel { which, reason }) => {
            which.act(typed, (Method::POST, "cancel"), &EndTransfer { reason: reason.clone() })
        }
        Some(Act::Label { which, label }) => {
            which.act(typed, (Method::PUT, "label"), &LabelTransfer { label: label.clone() })
        }
    }
}

impl Which {
    /// Does something with it, and says how it stands then.
    fn act(&self, typed: &Typed, (method, word): (Method, &str), body: &impl serde::Serialize) -> Result<()> {
        let method = &method;
        self.asking.run(typed, async |at| {
            let id = find(&at, Role::All, &self.transfer).await?.id;
            let transfer: Transfer =
                at.ask(method.clone(), &format!("/api/v1/transfers/{id}/{word}"), body).await?;
            if self.asking.json {
                return print::json(&transfer);
            }
            print::remark(&format!("{}: {}", names(&transfer), state(&transfer)));
            Ok(())
        })
    }
}

/// The transfer that was named.
pub async fn find(at: &SignedIn, role: Role, typed: &str) -> Result<Transfer> {
    let Transfers { transfers } = of(at, role).await?;
    let mut fitting = transfers.into_iter().filter(|transfer| {
        let id = transfer.id.to_string();
        id.starts_with(typed) || id.ends_with(typed)
    });
    match (fitting.next(), fitting.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(failure(
            ErrorCode::NotFound,
            format!("There is no transfer of the id {typed:?}."),
            "See them with: lanthorn transfers",
        )),
        (Some(_), Some(_)) => Err(failure(
            ErrorCode::BadParameter,
            format!("{typed:?} fits several transfers."),
            "Write more of its id; see them with: lanthorn transfers",
        )),
    }
}

/// Lists transfers, the newest first.
pub async fn list(at: &SignedIn, role: Role, json: bool) -> Result<()> {
    let all = of(at, role).await?;
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
    table.print()?;
    for transfer in all.transfers.iter().filter(|transfer| !transfer.state.is_over()) {
        if let Some(note) = &transfer.way_note {
            print::remark(&format!("{}: {note}", names(transfer)));
        }
    }
    Ok(())
}

async fn of(at: &SignedIn, role: Role) -> Result<Transfers> {
    let role = match role {
        Role::All => "all",
        Role::Incoming => "incoming",
        Role::Outgoing => "outgoing",
    };
    at.get(&format!("/api/v1/transfers?role={role}")).await
}

/// How it stands, in words.
fn state(transfer: &Transfer) -> String {
    let received: u64 = transfer.items.iter().map(|item| item.received_size).sum();
    match transfer.state {
        TransferState::PendingReceiverApproval if transfer.incoming => "waits for you".into(),
        TransferState::PendingReceiverApproval => "waits for the receiver".into(),
        TransferState::ApprovedPendingSenderPasscode => "waits for the passcode".into(),
        TransferState::PasscodeOpen => "about to begin".into(),
        TransferState::InProgress => match transfer.paused_by {
            Some(PausedBy::Sender) => format!("paused by the sender at {}", print::size(received)),
            Some(PausedBy::Receiver) => format!("paused by the receiver at {}", print::size(received)),
            Some(PausedBy::NoSpace) => format!("waits for room at {}", print::size(received)),
            None => {
                format!("{} so far {}", print::size(received), in_words(transfer.way)).trim_end().to_owned()
            }
        },
        TransferState::Completed => "there".into(),
        TransferState::Rejected => "not wanted".into(),
        TransferState::Cancelled => "given up".into(),
        TransferState::Expired => "over its time".into(),
        TransferState::Failed => "failed".into(),
    }
}

/// What is sent, in few words.
pub fn names(transfer: &Transfer) -> String {
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

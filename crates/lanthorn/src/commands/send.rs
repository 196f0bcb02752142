//! `lanthorn send`: files and folders of this machine to another machine, whose owner is asked first; or, to nobody
//! named, to whoever has the code ([`crate::by_code`]).

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use agent::files::ignoring::Excludes;
use agent::share::ShareRoot;
use agent::transfer::outgoing::{Source, measure};
use anyhow::{Context, Result};
use clap::Args;
use http::Method;
use proto::api::transfers::{
    ItemKind, MAX_ITEMS, MAX_PREVIEW, OfferTransfer, OfferedItem, OpenTransfer, OpenedTransfer, Transfer,
    TransferState,
};
use proto::{ErrorCode, RelPath};

use super::asking::Asking;
use crate::address::Address;
use crate::by_code;
use crate::cli::Typed;
use crate::delivery::Delivery;
use crate::places::Catalog;
use crate::print;
use crate::report::failure;
use crate::signed_in::SignedIn;

/// How often it is asked whether the receiver has answered.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// What was typed after `send`.
///
/// While the command runs, a break is waited out for some minutes, and it goes on where it stopped. Begun anew, it is another
/// transfer.
#[derive(Debug, Args)]
pub struct SendFiles {
    /// Files and folders of this machine.
    #[arg(value_name = "PATH", required = true)]
    paths: Vec<PathBuf>,
    /// The machine that receives; with a share and folder of it: DEVICE:SHARE/PATH. Its inbox, if only a machine is named.
    /// Whoever has the code that is shown, if absent.
    #[arg(long, value_name = "DEVICE")]
    to: Option<String>,
    /// What to leave out of the folders, as a line of a .gitignore says it; may be repeated. What their `.meshignore`
    /// files say is left out anyway.
    #[arg(long, value_name = "PATTERN")]
    exclude: Vec<String>,
    /// A word to the receiver.
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// The four digits that the receiver told you. Asked for if absent.
    #[arg(long, value_name = "DIGITS")]
    passcode: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// Sends them.
pub fn run(command: &SendFiles, typed: &Typed) -> Result<()> {
    let Some(to) = &command.to else { return by_code::give(&command.paths, typed) };
    // Looked at before anybody is asked.
    let items = command.items()?;
    let sources: Vec<Source> = items.iter().map(|(source, _)| source.clone()).collect();
    let rate_limit = crate::config::resolve(&typed.settings)?.rate_limit();
    let offered = items.into_iter().map(|(_, offered)| offered).collect();
    command.asking.run(typed, async |at| {
        let began = Instant::now();
        let offer = command.offer(to, &Catalog::read(&at).await?, &at, offered)?;
        let transfer: Transfer = at.ask(Method::POST, "/api/v1/transfers", &offer).await?;
        let opened = command.open(&at, transfer).await?;
        let delivery =
            Delivery { at: &at, sources, rate_limit: rate_limit.clone(), quiet: command.asking.json };
        let transfer = delivery.carry_out(opened).await?;
        command.tell(&transfer, began)
    })
}

impl SendFiles {
    fn items(&self) -> Result<Vec<(Source, OfferedItem)>> {
        if self.paths.len() > MAX_ITEMS {
            return Err(failure(
                ErrorCode::BadParameter,
                format!("At most {MAX_ITEMS} files and folders are sent at once."),
                "Put them into a folder, and send that.",
            ));
        }
        let excludes = Arc::new(self.excludes()?);
        self.paths.iter().map(|path| item(path, &excludes)).collect()
    }

    fn excludes(&self) -> Result<Excludes> {
        Excludes::parse(self.exclude.iter().map(String::as_str)).map_err(|error| {
            failure(
                ErrorCode::BadParameter,
                format!("{error}."),
                "Write it as in a .gitignore: *.tmp, target/, /only-here",
            )
        })
    }

    fn offer(
        &self,
        to: &str,
        catalog: &Catalog,
        at: &SignedIn,
        items: Vec<OfferedItem>,
    ) -> Result<OfferTransfer> {
        let offer = OfferTransfer {
            sender_device_id: Some(at.device()),
            items,
            message: self.message.clone(),
            ..OfferTransfer::default()
        };
        if !to.contains(':') {
            let receiver_device_id = Some(catalog.device(Some(to))?.id);
            return Ok(OfferTransfer { receiver_device_id, ..offer });
        }
        let place = catalog.place(&to.parse::<Address>()?)?;
        Ok(OfferTransfer {
            receiver_device_id: Some(place.device),
            receiver_share_id: Some(place.share),
            destination_path: Some(place.path.to_string()),
            ..offer
        })
    }

    /// Waits for the receiver's answer, and opens the inbox.
    async fn open(&self, at: &SignedIn, mut transfer: Transfer) -> Result<OpenedTransfer> {
        let url = format!("/api/v1/transfers/{}", transfer.id);
        let mut asked = false;
        loop {
            match transfer.state {
                TransferState::PendingReceiverApproval => {
                    if !std::mem::replace(&mut asked, true) {
                        print::remark(&format!("Asked {}; waiting for the answer.", transfer.receiver_name));
                    }
                    tokio::time::sleep(ASK_EVERY).await;
                    transfer = at.get(&url).await?;
                }
                TransferState::ApprovedPendingSenderPasscode => {
                    let passcode = Some(self.passcode()?);
                    return at
                        .ask(Method::POST, &format!("{url}/passcode/open"), &OpenTransfer { passcode })
                        .await;
                }
                TransferState::PasscodeOpen | TransferState::InProgress => {
                    return at
                        .ask(Method::POST, &format!("{url}/passcode/open"), &OpenTransfer::default())
                        .await;
                }
                _ => return Err(crate::delivery::ended(&transfer)),
            }
        }
    }

    fn passcode(&self) -> Result<String> {
        match &self.passcode {
            Some(passcode) => Ok(passcode.clone()),
            None => {
                rpassword::prompt_password("Passcode from the receiver: ").context("no passcode was given")
            }
        }
    }

    fn tell(&self, transfer: &Transfer, began: Instant) -> Result<()> {
        if self.asking.json {
            return print::json(transfer);
        }
        for item in &transfer.items {
            match (&item.final_path, &item.error) {
                (Some(path), _) if !path.ends_with(&item.offered.filename) => {
                    print::remark(&format!("{}: now {path}", item.offered.filename));
                }
                (None, Some(error)) => {
                    print::remark(&format!("{}: {}", item.offered.filename, error.message))
                }
                _ => {}
            }
        }
        let bytes: u64 = transfer.items.iter().map(|item| item.received_size).sum();
        let (bytes, seconds) = (print::size(bytes), began.elapsed().as_secs_f64());
        print::remark(&format!("{}: {bytes} in {seconds:.1} s", transfer.receiver_name));
        if transfer.state == TransferState::Completed {
            Ok(())
        } else {
            Err(crate::delivery::ended(transfer))
        }
    }
}

/// A file or folder, and how it is offered.
fn item(path: &Path, excludes: &Arc<Excludes>) -> Result<(Source, OfferedItem)> {
    let unreadable = |error: &dyn std::fmt::Display| {
        failure(
            ErrorCode::NotFound,
            format!("{} cannot be sent: {error}.", path.display()),
            "Name a file or folder of this machine.",
        )
    };
    // `.` and `..` have a name too, as folders that they are.
    let whole = std::fs::canonicalize(path).map_err(|error| unreadable(&error))?;
    let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
        return Err(unreadable(&"it has no name"));
    };
    let root = Arc::new(ShareRoot::open(parent).map_err(|error| unreadable(&error))?);
    let path = RelPath::root().join(name.as_encoded_bytes())?;
    let source = Source { root, path, excludes: Arc::clone(excludes) };
    let size = measure(&source, MAX_PREVIEW).map_err(|error| unreadable(&error))?;
    let kind = if size.is_folder { ItemKind::Folder } else { ItemKind::File };
    let offered = OfferedItem {
        files: size.files,
        preview: size.preview,
        ..OfferedItem::new(name.to_string_lossy(), kind, size.bytes)
    };
    Ok((source, offered))
}

//! `lanthorn send`: files and folders of this machine to another machine, whose owner is asked first; or, to nobody
//! named, to whoever has the code ([`crate::by_code`]).

use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use http::Method;
use proto::api::people::People;
use proto::api::transfers::{EndTransfer, OfferTransfer, OfferedItem, Transfer, TransferState};
use proto::{ErrorCode, PrincipalId};

use super::asking::Asking;
use crate::address::Address;
use crate::by_code;
use crate::cli::Typed;
use crate::delivery::{Choice, Chosen, Delivery, Note, Telling, ended};
use crate::places::Catalog;
use crate::print;
use crate::report::failure;
use crate::signed_in::SignedIn;
use crate::subjects;
use crate::telemetry;

/// What was typed after `send`.
///
/// A break of some minutes is waited out, and it goes on where it stopped. Stopped and typed again, the same command goes on
/// too; `lanthorn transfers cancel` gives it up.
#[derive(Debug, Args)]
pub struct SendFiles {
    #[command(flatten)]
    choice: Choice,
    /// The machine that receives; with a share and folder of it: DEVICE:SHARE/PATH. Its inbox, if only a machine is named.
    /// Or a person, who receives on a machine of theirs. Whoever has the code that is shown, if absent.
    #[arg(long, value_name = "DEVICE|PERSON")]
    to: Option<String>,
    /// A word to the receiver.
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// The four digits that the receiver told you. Asked for if absent.
    #[arg(long, value_name = "DIGITS")]
    passcode: Option<String>,
    /// Say what happens in lines of JSON, an event each; the last one has the transfer.
    #[command(flatten)]
    asking: Asking,
    #[command(flatten)]
    by_code: by_code::ByCode,
}

/// Sends them.
pub fn run(command: &SendFiles, typed: &Typed) -> Result<()> {
    let Some(to) = &command.to else { return command.give(typed) };
    // Looked at before anybody is asked.
    let chosen = command.choice.look()?;
    let rate_limit = crate::config::resolve(&typed.settings)?.rate_limit();
    command.asking.run(typed, async |at| {
        let began = Instant::now();
        let telling = Telling::new(command.asking.json);
        let note = command.note(&at, to)?;
        let transfer = command.begin(&at, to, &chosen, (note.as_ref(), &telling)).await?;
        let sources = &chosen.sources;
        let delivery = Delivery { at: &at, sources, rate_limit: rate_limit.clone(), telling: &telling };
        let opened = delivery.open(transfer, || command.passcode()).await?;
        let transfer = delivery.carry_out(opened).await?;
        if let Some(note) = note.filter(|_| transfer.state.is_over()) {
            note.remove();
        }
        telling.ended(&transfer)?;
        drop(telling);
        command.tell(&transfer, began)
    })
}

impl SendFiles {
    /// Gives to whoever has the code.
    fn give(&self, typed: &Typed) -> Result<()> {
        telemetry::start_if_asked(&typed.output);
        if self.asking.on.is_some() || self.passcode.is_some() {
            return Err(failure(
                ErrorCode::BadParameter,
                "--on and --passcode go with --to.",
                "Name who is to receive it: --to DEVICE; or where the code is exchanged: --rendezvous ADDRESS",
            ));
        }
        let config = crate::config::resolve(&typed.settings)?;
        let message = self.message.clone();
        by_code::give(&self.by_code, &self.choice, (message, self.asking.json), &config)
    }

    fn note(&self, at: &SignedIn, to: &str) -> Result<Option<Note>> {
        let about = |chosen: Vec<String>| Note::about(at.state(), at.coordinator(), to, &chosen);
        self.choice.again().map(about).transpose()
    }

    /// Offers it; or goes on with what the same command began, if that is not over and nothing has changed.
    async fn begin(
        &self,
        at: &SignedIn,
        to: &str,
        chosen: &Chosen,
        (note, telling): (Option<&Note>, &Telling),
    ) -> Result<Transfer> {
        if let Some(begun) = begun(at, note, &chosen.offered).await {
            telling.offered(&begun, true)?;
            return Ok(begun);
        }
        let offer = self.offer(to, at, chosen.offered.clone()).await?;
        let transfer: Transfer = at.ask(Method::POST, "/api/v1/transfers", &offer).await?;
        if let Some(note) = note {
            note.write(transfer.id)?;
        }
        telling.offered(&transfer, false)?;
        Ok(transfer)
    }

    async fn offer(&self, to: &str, at: &SignedIn, items: Vec<OfferedItem>) -> Result<OfferTransfer> {
        let catalog = Catalog::read(at).await?;
        let offer = OfferTransfer {
            sender_device_id: Some(at.device()),
            items,
            message: self.message.clone(),
            ..OfferTransfer::default()
        };
        if !to.contains(':') {
            return match catalog.device(Some(to)) {
                Ok(device) => Ok(OfferTransfer { receiver_device_id: Some(device.id), ..offer }),
                Err(no_device) => {
                    let receiver_principal_id = Some(person(at, to).await.ok_or(no_device)?);
                    Ok(OfferTransfer { receiver_principal_id, ..offer })
                }
            };
        }
        let place = catalog.place(&to.parse::<Address>()?)?;
        Ok(OfferTransfer {
            receiver_device_id: Some(place.device),
            receiver_share_id: Some(place.share),
            destination_path: Some(place.path.to_string()),
            ..offer
        })
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
        if !self.asking.json {
            tell(transfer, began);
        }
        if transfer.state == TransferState::Completed { Ok(()) } else { Err(ended(transfer)) }
    }
}

/// The person of that name, if there is one.
async fn person(at: &SignedIn, typed: &str) -> Option<PrincipalId> {
    let People { people } = at.get("/api/v1/people").await.ok()?;
    subjects::person(typed, &people).ok().map(|person| person.id)
}

/// What the same command began, if it is to be gone on with. What has changed since is given up: it would not be taken.
async fn begun(at: &SignedIn, note: Option<&Note>, offered: &[OfferedItem]) -> Option<Transfer> {
    let noted = note?.read()?;
    let begun: Transfer = at.get(&format!("/api/v1/transfers/{noted}")).await.ok()?;
    if begun.state.is_over() {
        return None;
    }
    let same = begun.items.len() == offered.len()
        && begun.items.iter().zip(offered).all(|(item, now)| {
            let then = &item.offered;
            (&then.filename, then.kind, then.size, then.files)
                == (&now.filename, now.kind, now.size, now.files)
        });
    if same {
        return Some(begun);
    }
    let changed = EndTransfer { reason: Some("what is sent has changed; it is offered anew".into()) };
    let _ = at.post(&format!("/api/v1/transfers/{noted}/cancel"), &changed).await;
    None
}

/// What became of each item, and how long it took.
fn tell(transfer: &Transfer, began: Instant) {
    for item in &transfer.items {
        let name = &item.offered.filename;
        match (&item.final_path, &item.error) {
            (Some(path), _) if !path.ends_with(name) => print::remark(&format!("{name}: now {path}")),
            (None, Some(error)) => print::remark(&format!("{name}: {}", error.message)),
            _ => {}
        }
    }
    let bytes: u64 = transfer.items.iter().map(|item| item.received_size).sum();
    let (bytes, seconds) = (print::size(bytes), began.elapsed().as_secs_f64());
    print::remark(&format!("{}: {bytes} in {seconds:.1} s", transfer.receiver_name));
}

//! A transfer from this machine, carried out: agreed, opened, sent over streams that are begun anew where they break, with
//! a ticket that is renewed while it lasts.
//!
//! ```text
//! chosen   what is sent
//! note     what was begun before, and is not over
//! telling  what whoever sends is told on the way
//! ```

mod chosen;
mod note;
mod telling;

use std::sync::Arc;
use std::time::Duration;

use agent::transfer::outgoing::{RateLimit, SendError, Sending, Source, send};
use anyhow::Result;
use futures_util::FutureExt;
use http::Method;
use peer::Protocol;
use proto::api::transfers::{EndTransfer, ItemState, OpenTransfer, OpenedTransfer, Transfer, TransferState};
use proto::{ApiError, ErrorCode};

use crate::client::Refused;
use crate::lanes::Dialler;
use crate::report::failure;
use crate::signed_in::SignedIn;

pub use chosen::{Choice, Chosen};
pub use note::Note;
pub use telling::{Telling, in_words};

/// How long it is tried again while the receiver cannot be reached.
const PATIENCE: u32 = 120;
/// How long after a break it is begun anew; a little longer each time.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How often it is asked whether the receiver has answered.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// How long the coordinator may take to hear from the receiver that everything is there.
const LAST_WORD: Duration = Duration::from_secs(10);
/// How soon it is asked for a second time; longer each time after that.
const FIRST_LOOK: Duration = Duration::from_millis(10);

/// What is delivered, and through whom it was agreed.
pub struct Delivery<'a> {
    /// The coordinator.
    pub at: &'a SignedIn,
    /// What is sent: an item each, in their order.
    pub sources: &'a [Source],
    /// How fast, at most.
    pub rate_limit: Option<Arc<RateLimit>>,
    /// Who is told of it.
    pub telling: &'a Telling,
}

impl Delivery<'_> {
    /// Waits for the receiver's answer, and opens the inbox; with the passcode, if the receiver wants one.
    pub async fn open(
        &self,
        mut transfer: Transfer,
        passcode: impl Fn() -> Result<String>,
    ) -> Result<OpenedTransfer> {
        let url = format!("/api/v1/transfers/{}", transfer.id);
        let mut asked = false;
        let passcode = loop {
            match transfer.state {
                TransferState::PendingReceiverApproval => {
                    if !std::mem::replace(&mut asked, true) {
                        self.telling.waits(&transfer)?;
                    }
                    tokio::time::sleep(ASK_EVERY).await;
                    transfer = self.at.get(&url).await?;
                }
                TransferState::ApprovedPendingSenderPasscode => break Some(passcode()?),
                TransferState::PasscodeOpen | TransferState::InProgress => break None,
                _ => return Err(ended(&transfer)),
            }
        };
        self.at.ask(Method::POST, &format!("{url}/passcode/open"), &OpenTransfer { passcode }).await
    }

    /// Sends until everything is in its place. The transfer as it ended.
    pub async fn carry_out(&self, mut opened: OpenedTransfer) -> Result<Transfer> {
        let dialler = Dialler::new(self.at).await?;
        let mut wait = FIRST_WAIT;
        for tries in 0.. {
            self.telling.connects()?;
            let run = send(self.sending(&dialler, &opened), |word| self.telling.hear(&word, dialler.way()));
            let broken = match run.await {
                Ok(()) => return self.last_word(&opened.transfer).await,
                Err(SendError::Refused(why)) if !may_be_renewed(why.code) => {
                    return self.give_up(&opened.transfer, agent::transfer::error(why)).await;
                }
                Err(broken) => broken,
            };
            if tries >= PATIENCE {
                return Err(broken.into());
            }
            if self.telling.has_got_something() {
                wait = FIRST_WAIT;
            }
            self.telling.broke(&broken)?;
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
            opened = self.renewed(opened).await?;
        }
        Err(ended(&opened.transfer))
    }

    fn sending(&self, dialler: &Dialler, opened: &OpenedTransfer) -> Sending {
        let (dialler, peer) = (dialler.clone(), opened.transfer.receiver_device_id);
        let addresses = opened.addresses.clone();
        let open = move || {
            let (dialler, addresses) = (dialler.clone(), addresses.clone());
            async move { dialler.open(peer, addresses, Protocol::TRANSFER).await }.boxed()
        };
        let wanted = |(source, item): (&Source, &proto::api::transfers::TransferItem)| {
            (item.state != ItemState::Rejected).then(|| source.clone())
        };
        Sending {
            transfer: opened.transfer.id,
            ticket: opened.upload_ticket.clone(),
            items: self.sources.iter().zip(&opened.transfer.items).filter_map(wanted).collect(),
            open: Arc::new(open),
            rate_limit: self.rate_limit.clone(),
        }
    }

    /// The same transfer with a new ticket. While the coordinator is away, the old one has to do.
    async fn renewed(&self, before: OpenedTransfer) -> Result<OpenedTransfer> {
        let url = format!("/api/v1/transfers/{}/passcode/open", before.transfer.id);
        match self.at.ask(Method::POST, &url, &OpenTransfer::default()).await {
            Err(error) if error.is::<Refused>() && !is_away(&error) => Err(error),
            Err(_) => Ok(before),
            Ok(renewed) => Ok(renewed),
        }
    }

    /// What became of it, once the coordinator knows.
    async fn last_word(&self, transfer: &Transfer) -> Result<Transfer> {
        self.telling.ends();
        let url = format!("/api/v1/transfers/{}", transfer.id);
        let known = async {
            let mut wait = FIRST_LOOK;
            loop {
                let transfer: Transfer = self.at.get(&url).await?;
                if transfer.state.is_over() {
                    return Ok(transfer);
                }
                tokio::time::sleep(wait).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
        };
        tokio::time::timeout(LAST_WORD, known).await.unwrap_or_else(|_| Ok(transfer.clone()))
    }

    /// The receiver does not take it: nobody need wait for it.
    async fn give_up(&self, transfer: &Transfer, why: ApiError) -> Result<Transfer> {
        let url = format!("/api/v1/transfers/{}/cancel", transfer.id);
        let reason = Some(why.message.clone());
        // It may be over already.
        let _ = self.at.post(&url, &EndTransfer { reason }).await;
        Err(Refused(why).into())
    }
}

/// True for what a new ticket, or a little patience, may change.
const fn may_be_renewed(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::TicketExpired | ErrorCode::NotFound | ErrorCode::Conflict | ErrorCode::NoSpace)
}

fn is_away(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|Refused(error)| {
        matches!(error.code, ErrorCode::DeviceOffline | ErrorCode::DeviceUnreachable | ErrorCode::TooMany)
    })
}

/// Why a transfer that is over is no success.
pub fn ended(transfer: &Transfer) -> anyhow::Error {
    let (code, message) = match transfer.state {
        TransferState::Rejected => (ErrorCode::Forbidden, "The receiver does not want it"),
        TransferState::Cancelled => (ErrorCode::Gone, "It was given up"),
        TransferState::Expired => (ErrorCode::Gone, "Its time is over"),
        _ => (ErrorCode::DeviceFailed, "Not all of it arrived"),
    };
    let why =
        transfer.reason.as_ref().map_or_else(|| format!("{message}."), |why| format!("{message}: {why}"));
    failure(code, why, "Send it again when that is settled.")
}

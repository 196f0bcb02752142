//! The door for `lanthorn/transfer/1`: what other devices send here. Checks the ticket, and hands the stream to its
//! transfer.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use peer::{Caller, frame};
use proto::ticket::{Ticket, TicketError};
use proto::wire::transfer::{Hello, StreamKind, VERSION, Welcomed};
use proto::{ApiError, DeviceId, ErrorCode, Permission};
use tokio_util::sync::CancellationToken;

use super::error::Refusal;
use crate::agent::Agent;
use crate::files::write::off_thread;
use crate::transfer::blocking::Blocking;
use crate::transfer::incoming::{self, Incoming};
use crate::transfer::problem;

/// How long whoever opened the stream has to say what it is for.
const GREETING: Duration = Duration::from_secs(10);

/// Answers a stream on which another device sends.
pub async fn answer(agent: Arc<Agent>, caller: Caller) {
    let device = caller.peer;
    if let Err(error) = converse(&agent, caller).await {
        tracing::debug!(device = %device.short(), %error, "a transfer's stream ended");
    }
}

async fn converse(agent: &Arc<Agent>, caller: Caller) -> io::Result<()> {
    let Caller { peer, mut stream, carrier, ended } = caller;
    let hello = tokio::time::timeout(GREETING, frame::read::<Hello>(&mut stream)).await??;
    let Some(hello) = hello else { return Ok(()) };
    let (incoming, held) = match open(agent, peer, &hello, &ended).await {
        Ok(opened) => opened,
        Err(error) => {
            frame::write(&mut stream, &Welcomed::Refused(problem(error))).await?;
            // Read to its end, so that the refusal is not lost to a reset.
            return tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop);
        }
    };
    let StreamKind::Pieces { run } = hello.stream else {
        return incoming::converse(incoming, stream, held.ended.clone()).await;
    };
    let run = incoming.run().filter(|known| known.number() == run);
    let Some(run) = run.filter(|run| !run.ended().is_cancelled()) else {
        return frame::write(&mut stream, &Welcomed::Refused(problem(no_such_run()))).await;
    };
    frame::write(&mut stream, &Welcomed::Pieces).await?;
    run.flow().comes_by(carrier);
    let stream = Blocking::new(stream, run.flow(), run.ended().clone());
    let taking = Arc::clone(&run);
    let taken = off_thread(move || Ok(incoming::take_pieces(&incoming, &taking, stream)));
    let taken = taken.await.map_err(io::Error::other)?;
    if taken.is_err() {
        // What was under way on the stream is known to nobody: the sender begins anew, and hears what is here.
        run.ended().cancel();
    }
    taken
}

/// A transfer that is open to the caller, until it ends.
struct Held {
    ended: CancellationToken,
    _place: super::running::Place,
}

async fn open(
    agent: &Arc<Agent>,
    peer: DeviceId,
    hello: &Hello,
    ended: &CancellationToken,
) -> Result<(Arc<Incoming>, Held), ApiError> {
    if hello.version != VERSION {
        return Err(other_version(hello.version));
    }
    let ticket = agent.tickets().verify(&Ticket::from_text(&hello.ticket), Some(peer));
    let permitted = |error: TicketError| Refusal::from(error).0;
    let ticket = ticket.map_err(permitted)?;
    let share = ticket.permit_transfer(hello.transfer, Permission::RequestSend).map_err(permitted)?;
    let share = agent.share(share).ok_or_else(not_expected)?;
    let (place, revoked) = agent.running().enter(ticket);
    let (agent, transfer) = (Arc::clone(agent), hello.transfer);
    let incoming =
        off_thread(move || agent.inbox().find(&share, transfer)).await?.ok_or_else(not_expected)?;
    let ended = ended.child_token();
    let (both, end) = (ended.clone(), ended.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = revoked.cancelled() => end.cancel(),
            () = both.cancelled() => {}
        }
    });
    Ok((incoming, Held { ended, _place: place }))
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ended.cancel();
    }
}

fn other_version(theirs: u32) -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        format!("The sender speaks version {theirs} of transfers; this machine speaks {VERSION}."),
        "Bring both machines to the same version of Lanthorn.",
    )
}

pub(super) fn not_expected() -> ApiError {
    ApiError::new(
        ErrorCode::NotFound,
        "This machine does not expect that transfer.",
        "It may have ended; offer it anew.",
    )
}

fn no_such_run() -> ApiError {
    ApiError::new(ErrorCode::Conflict, "The transfer was begun anew by another stream.", "Nothing to do.")
}

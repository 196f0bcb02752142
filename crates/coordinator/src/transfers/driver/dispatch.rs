//! Has a share's machine send what was agreed on, as long as whoever sends it may: says so, follows what becomes of it, and
//! says it again before its ticket ends and after whatever broke off.

use std::sync::Weak;
use std::time::Duration;

use http::Method;
use proto::api::transfers::{Carried, ItemState, Outbound, OutboundState};
use proto::ticket::TRANSFER_LIFETIME;
use proto::wire::link::Revoked;
use proto::{ApiError, ErrorCode, TransferId};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::time::Instant;

use super::{FIRST_WAIT, LONGEST_WAIT, is_under_way};
use crate::access::Grant;
use crate::coordinator::Rooms;
use crate::files::Lines;
use crate::gateway::GatewayError;
use crate::store::transfers::TransferRow;
use crate::transfers::{Side, TransferError};

/// How long a machine is followed until it is told again: half of its ticket's life.
const TELL_AGAIN: Duration = Duration::from_secs(TRANSFER_LIFETIME.whole_seconds().unsigned_abs() / 2);

/// True while a machine is to send by itself.
pub(super) fn is_dispatched(row: &TransferRow) -> bool {
    row.source.is_some() && is_under_way(row.state)
}

/// Again and again, until the transfer has come to its end.
pub(super) async fn run(rooms: Weak<Rooms>, id: TransferId) {
    let mut wait = FIRST_WAIT;
    loop {
        let Some(mut moves) = rooms.upgrade().map(|rooms| rooms.registry.moves()) else { return };
        let begun = Instant::now();
        let ended = follow(&rooms, id).await;
        let Some(rooms) = rooms.upgrade() else { return };
        let Some(row) = rooms.transfers.row(id).filter(is_dispatched) else { return };
        if let Err(error) = ended {
            tracing::debug!(transfer = %id, error = &error as &dyn std::error::Error, "the sender is told again");
            if let Some(why) = rooms.for_good(&row, &error) {
                let _ = rooms.fail_transfer(id, why).await;
                return;
            }
        }
        drop(rooms);
        wait = if begun.elapsed() > LONGEST_WAIT { FIRST_WAIT } else { wait };
        // A machine that comes is told at once.
        let _ = tokio::time::timeout(wait, moves.changed()).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Has the machine send, and follows that until it has to be told again.
async fn follow(rooms: &Weak<Rooms>, id: TransferId) -> Result<(), TransferError> {
    let Some((mut lines, mut revoked)) = begin(rooms, id).await? else { return Ok(()) };
    let due = Instant::now() + TELL_AGAIN;
    loop {
        tokio::select! {
            some = lines.next() => {
                let Ok(Some(some)) = some else { return Ok(()) };
                let Some(carried) = some.back().and_then(|line| serde_json::from_slice(line).ok()) else { return Ok(()) };
                let Some(rooms) = rooms.upgrade() else { return Ok(()) };
                rooms.take_carried(id, carried)?;
            }
            () = ended(&mut revoked) => {
                let Some(rooms) = rooms.upgrade() else { return Ok(()) };
                let Some(row) = rooms.transfers.row(id).filter(is_dispatched) else { return Ok(()) };
                rooms.still_sends(&row)?;
            }
            () = tokio::time::sleep_until(due) => return Ok(()),
        }
    }
}

/// Waits until something has ended before its time.
async fn ended(revoked: &mut broadcast::Receiver<Revoked>) {
    if let Err(RecvError::Closed) = revoked.recv().await {
        std::future::pending().await
    }
}

async fn begin(
    rooms: &Weak<Rooms>,
    id: TransferId,
) -> Result<Option<(Lines, broadcast::Receiver<Revoked>)>, TransferError> {
    let Some(rooms) = rooms.upgrade() else { return Ok(None) };
    let Some(row) = rooms.transfers.row(id).filter(is_dispatched) else { return Ok(None) };
    let revoked = rooms.revoked.subscribe();
    let grant = rooms.still_sends(&row)?;
    let transfer = rooms.transfers.get(id).await?;
    let wanted = transfer.items.iter().map(|item| item.state != ItemState::Rejected).collect::<Vec<_>>();
    let outbound = rooms.outbound(&row, &wanted)?;
    // The receiver knows what to expect before the sender comes.
    rooms.prepare_device(&transfer).await?;
    let (tail, body) = (format!("/outbox/transfers/{id}"), serde_json::to_vec(&outbound).unwrap_or_default());
    rooms.ask(&grant, Method::PUT, &tail, body).await?;
    let watched = rooms.ask(&grant, Method::GET, &format!("{tail}/watch"), Vec::new()).await?;
    Ok(Some((Lines::endless(watched.into_body()), revoked)))
}

impl Rooms {
    /// The right to have it sent: as long as the sender may read where it is, and send where it goes.
    fn still_sends(&self, row: &TransferRow) -> Result<Grant, TransferError> {
        let (source, caller) = self.sending_of(row)?;
        self.allow_transfer(&caller, row.device, row.id, Side::Sender)?;
        Ok(self.allow_sending(&caller, source.share_id, row.id)?)
    }

    /// What the machine is told: where it goes, and a ticket for that.
    fn outbound(&self, row: &TransferRow, wanted: &[bool]) -> Result<Outbound, TransferError> {
        let (source, caller) = self.sending_of(row)?;
        let grant = self.allow_transfer(&caller, row.device, row.id, Side::Sender)?;
        let sender = row.sender_device.ok_or(TransferError::UnknownDevice)?;
        let given = self.tickets.give(&grant, sender).ok().flatten().ok_or(GatewayError::Ticket)?;
        let (ticket, life) = given;
        let paths = source.paths.iter().zip(wanted).filter(|(_, wanted)| **wanted);
        Ok(Outbound {
            paths: paths.map(|(path, _)| path.clone()).collect(),
            receiver_device_id: row.device,
            addresses: self.whereabouts(row.device),
            ticket: ticket.as_str().to_owned(),
            expires_at: self.clock.wall() + life,
        })
    }

    /// Takes over how the sending stands.
    fn take_carried(&self, id: TransferId, carried: Carried) -> Result<(), TransferError> {
        let Carried { state, note, error, .. } = carried;
        self.transfers.live.note(id, |live| live.note = note);
        match (state, error) {
            (OutboundState::Failed, Some(error)) => Err(TransferError::Device(error)),
            _ => Ok(()),
        }
    }

    /// Why it will not go on by itself, in a sentence; `None` if it may.
    fn for_good(&self, row: &TransferRow, error: &TransferError) -> Option<String> {
        let offered = row.source.as_ref().is_some_and(|source| self.share(source.share_id).is_some());
        match error {
            // A disk that is not there for a while takes nobody's right.
            TransferError::Denied(_) if offered => Some("Whoever sends it may not do so any more.".into()),
            TransferError::MayNotSend | TransferError::UnknownDevice => {
                Some("Whoever sends it may not send there any more.".into())
            }
            TransferError::Device(error) if is_final(error) => Some(error.message.clone()),
            _ => None,
        }
    }
}

/// True for what another ticket, or a little patience, does not change.
fn is_final(error: &ApiError) -> bool {
    use ErrorCode::{BadParameter, BadPath, BadRequest, Forbidden, Gone};
    matches!(error.code, BadParameter | BadPath | BadRequest | Forbidden | Gone)
}

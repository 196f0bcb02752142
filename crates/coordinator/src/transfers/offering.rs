//! Something is offered: looked at, and kept. From then on it waits for the receiver, unless the sender is trusted.

use proto::api::transfers::{
    ItemState, MAX_ITEMS, MAX_PREVIEW, OfferTransfer, OfferedItem, TransferItem, TransferState,
};
use proto::{DeviceId, Permission, RelPath, ShareId, TransferId, TransferItemId};

use super::source::Offered;
use super::state::{Opening, State};
use super::trust::Destination;
use super::{Transfer, TransferError};
use crate::access::{Caller, Denied};
use crate::coordinator::Rooms;
use crate::settings::label;
use crate::store::transfers::TransferRow;

/// Offers of one sender that have not come to an end, at most.
const MAX_WAITING: usize = 200;
/// The longest word to the receiver, in characters.
const MAX_MESSAGE: usize = 500;
/// The longest name of a kind of file.
const MAX_MIME: usize = 120;
/// The most bytes of everything that is offered: what a database counts to.
const MAX_BYTES: u64 = i64::MAX as u64;

impl Rooms {
    /// Keeps an offer, if it may be made.
    pub(crate) async fn offer_transfer(
        &self,
        caller: &Caller,
        offer: OfferTransfer,
    ) -> Result<Transfer, TransferError> {
        let message = match &offer.message {
            Some(text) => {
                Some(label(text, MAX_MESSAGE).ok_or_else(|| invalid("'message' is one line of text."))?)
            }
            None => None,
        };
        let device = self.receiver_of(caller, &offer)?;
        let wanted = self.destination(
            device,
            offer.receiver_share_id,
            offer.destination_path.as_deref().unwrap_or_default(),
        )?;
        self.may_send(caller.principal, device, wanted.share)?;
        let owns = self.identity.devices().owner_of(device) == Some(caller.principal);
        if wanted.share.is_none() && !wanted.folder.is_root() && !owns {
            return Err(invalid("Where in an inbox something goes is its owner's to say."));
        }
        let waiting = |row: &TransferRow| row.sender == caller.principal && !row.state.is_over();
        if self.transfers.rows_where(waiting).len() >= MAX_WAITING {
            return Err(TransferError::TooMany);
        }
        let id = TransferId::generate();
        let Offered { sender_device, items } = self.offered(caller, id, (&offer, device)).await?;
        let bytes = check_items(&items)?;
        let trusted = self.trusted(caller.principal, device, &wanted, bytes);
        let at_once = trusted.is_some();
        let Destination { share, folder } = trusted.unwrap_or(wanted);
        let now_ms = self.now_ms();
        let row = TransferRow {
            id,
            sender: caller.principal,
            sender_device,
            device,
            share,
            destination: folder.to_string(),
            person: offer.receiver_principal_id,
            source: offer.source,
            message,
            state: TransferState::PendingReceiverApproval,
            state_data: serde_json::to_string(&State::Pending).unwrap_or_default(),
            created_ms: now_ms,
            expires_ms: now_ms,
            updated_ms: now_ms,
            device_knows: false,
            sender_cleared: false,
            receiver_cleared: false,
            sender_label: None,
            receiver_label: None,
        };
        let transfer = made(row, items, at_once)?;
        self.transfers.insert(&transfer).await?;
        self.tell_offered(&transfer);
        Ok(transfer)
    }

    /// Where something is to go. That the inbox can be named like any share changes nothing about it.
    pub(super) fn destination(
        &self,
        device: DeviceId,
        share: Option<ShareId>,
        folder: &str,
    ) -> Result<Destination, TransferError> {
        let folder =
            folder.parse().map_err(|error| invalid(format!("The folder is not a path: {error}.")))?;
        Ok(Destination { share: share.filter(|share| self.inbox_of(device) != Some(*share)), folder })
    }

    /// Whether somebody may send what is on a machine: it is theirs, or they may save copies of something there.
    pub(super) fn may_send_from(
        &self,
        caller: &Caller,
        device: Option<DeviceId>,
    ) -> Result<(), TransferError> {
        let Some(device) = device else { return Ok(()) };
        if self.identity.devices().owner_of(device) == Some(caller.principal) {
            return Ok(());
        }
        if !self.sees_device(caller.principal, device) {
            return Err(TransferError::UnknownDevice);
        }
        let copies = [Permission::Read, Permission::Download];
        let from_any = self.shares_on(device).into_iter().any(|share| {
            let held = self.held_by(caller.principal, &share).permissions;
            copies.iter().all(|permission| held.allows(*permission))
        });
        if from_any { Ok(()) } else { Err(Denied::Lacks(Permission::Download).into()) }
    }
}

/// A new transfer of these, waiting for an answer, or open if it needs none.
fn made(row: TransferRow, items: Vec<OfferedItem>, at_once: bool) -> Result<Transfer, TransferError> {
    let items = items.into_iter().map(|offered| TransferItem {
        id: TransferItemId::generate(),
        offered,
        state: ItemState::Pending,
        received_size: 0,
        final_path: None,
        error: None,
    });
    let now_ms = row.created_ms;
    let mut transfer = Transfer::read(row, items.collect())?;
    transfer.wait_from(now_ms);
    if at_once {
        transfer.go(|state| state.approve(Opening::AtOnce))?;
    }
    Ok(transfer)
}

/// Looks at what is offered; gives its bytes.
fn check_items(items: &[OfferedItem]) -> Result<u64, TransferError> {
    if items.is_empty() || items.len() > MAX_ITEMS {
        return Err(invalid(format!("A transfer has 1 to {MAX_ITEMS} items.")));
    }
    if items.iter().map(|item| item.preview.len()).sum::<usize>() > MAX_PREVIEW {
        return Err(invalid(format!(
            "At most {MAX_PREVIEW} names of what is in folders are told beforehand."
        )));
    }
    let mut bytes: u64 = 0;
    for item in items {
        check_item(item)?;
        bytes = bytes
            .checked_add(item.size)
            .filter(|sum| *sum <= MAX_BYTES)
            .ok_or_else(|| invalid("That is more than any disk holds."))?;
    }
    Ok(bytes)
}

fn check_item(item: &OfferedItem) -> Result<(), TransferError> {
    let is_name = |path: &RelPath| path.names().count() == 1;
    if !item.filename.parse().is_ok_and(|path| is_name(&path)) {
        return Err(invalid("'filename' is one name, written as a listing writes it, without a path."));
    }
    let is_digest = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    if ![&item.sha256, &item.blake3].into_iter().flatten().all(is_digest) {
        return Err(invalid("'sha256' and 'blake3' have 64 hexadecimal digits."));
    }
    if item.mime_type.as_ref().is_some_and(|kind| label(kind, MAX_MIME).is_none()) {
        return Err(invalid("'mime_type' has 1 to 120 characters."));
    }
    if !item.preview.iter().all(|path| path.parse::<RelPath>().is_ok()) {
        return Err(invalid("'preview' has paths in the folder."));
    }
    Ok(())
}

pub(super) fn invalid(why: impl Into<String>) -> TransferError {
    TransferError::Invalid(why.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_kept_is_offered() {
        let good = super::super::items::tests::item("a.txt", ItemState::Pending).offered;
        let with = |change: fn(&mut OfferedItem)| {
            let mut item = good.clone();
            change(&mut item);
            vec![item]
        };
        let digest = |len: usize| Some("0".repeat(len));
        for (items, fits) in [
            (vec![good.clone()], true),
            (vec![], false),
            (vec![good.clone(); MAX_ITEMS], true),
            (vec![good.clone(); MAX_ITEMS + 1], false),
            (with(|item| item.filename = "a/b".into()), false),
            (with(|item| item.filename = "..".into()), false),
            (with(|item| item.filename = String::new()), false),
            (with(|item| item.filename = "/a".into()), false),
            (with(|item| item.filename = "a\nb".into()), false),
            (with(|item| item.filename = ".lanthorn-store".into()), false),
            (with(|item| item.filename = "CON".into()), true),
            (with(|item| item.filename = "é".repeat(128)), false),
            (with(|item| item.size = u64::MAX), false),
            (with(|item| item.preview = vec!["a/b".into(); MAX_PREVIEW]), true),
            (with(|item| item.preview = vec!["a/b".into(); MAX_PREVIEW + 1]), false),
            (with(|item| item.preview = vec!["../b".into()]), false),
            (with(|item| item.mime_type = Some("x".repeat(121))), false),
            (vec![OfferedItem { sha256: digest(64), blake3: digest(64), ..good.clone() }], true),
            (vec![OfferedItem { sha256: digest(63), ..good.clone() }], false),
            (vec![OfferedItem { blake3: Some("g".repeat(64)), ..good.clone() }], false),
            (vec![OfferedItem { size: MAX_BYTES, ..good.clone() }, good.clone()], false),
        ] {
            let first = items.first().cloned();
            assert_eq!(check_items(&items).is_ok(), fits, "{} of {first:?}", items.len());
        }
    }
}

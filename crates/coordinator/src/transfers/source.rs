//! What a share's machine sends by itself: what that is, and in whose name it is asked.

use http::Method;
use proto::api::auth::Privacy;
use proto::api::transfers::{MAX_ITEMS, Measure, Measured, OfferTransfer, OfferedItem, TransferSource};
use proto::{DeviceId, RelPath, TransferId};

use super::TransferError;
use super::offering::invalid;
use crate::access::{Caller, Client, Denied};
use crate::coordinator::Rooms;
use crate::files::read_json;
use crate::store::transfers::TransferRow;

/// The longest answer about what is to be offered.
const MAX_MEASURED: usize = 4 << 20;

/// What is offered, and of which machine.
pub(super) struct Offered {
    pub(super) sender_device: Option<DeviceId>,
    pub(super) items: Vec<OfferedItem>,
}

impl Rooms {
    /// What an offer offers: as it says, or as the machine says of whose share it is.
    pub(super) async fn offered(
        &self,
        caller: &Caller,
        id: TransferId,
        (offer, receiver): (&OfferTransfer, DeviceId),
    ) -> Result<Offered, TransferError> {
        let Some(source) = &offer.source else {
            self.may_send_from(caller, offer.sender_device_id)?;
            return Ok(Offered { sender_device: offer.sender_device_id, items: offer.items.clone() });
        };
        let paths = checked_paths(&source.paths)?;
        let grant = self.allow_sending(caller, source.share_id, id)?;
        let device = grant.device();
        if offer.sender_device_id.is_some_and(|said| said != device) {
            return Err(invalid("'sender_device_id' is another machine than that of 'source'."));
        }
        if device == receiver {
            return Err(invalid("It is on the machine that would receive it: copy it there instead."));
        }
        let items = match &offer.items[..] {
            [] => {
                let body = serde_json::to_vec(&Measure { paths: source.paths.clone() }).unwrap_or_default();
                let tail = format!("/outbox/transfers/{id}/measure");
                let answer = self.ask(&grant, Method::POST, &tail, body).await?;
                let measured: Measured =
                    read_json(answer.into_body(), MAX_MEASURED).await.map_err(TransferError::Device)?;
                self.named(source, measured.items)
            }
            said => said.to_vec(),
        };
        if items.len() != paths.len() {
            return Err(invalid("'items' is empty, or says one for each of 'source.paths'."));
        }
        Ok(Offered { sender_device: Some(device), items })
    }

    /// A share as a whole is called what it is called here.
    fn named(&self, source: &TransferSource, mut items: Vec<OfferedItem>) -> Vec<OfferedItem> {
        let name = self.share(source.share_id).map(|share| share.name).unwrap_or_default();
        for item in items.iter_mut().filter(|item| item.filename.is_empty()) {
            let fits = name.parse::<RelPath>().is_ok_and(|path| path.names().count() == 1);
            item.filename = if fits { name.clone() } else { "files".to_owned() };
        }
        items
    }

    /// What is sent of a share, and who sends it: as themselves, whatever becomes of the login with which they offered it,
    /// and as long as the machine belongs here.
    pub(super) fn sending_of<'a>(
        &self,
        row: &'a TransferRow,
    ) -> Result<(&'a TransferSource, Caller), TransferError> {
        let source = row.source.as_ref().ok_or(TransferError::Unknown)?;
        let device = row.sender_device.ok_or(TransferError::UnknownDevice)?;
        let owner = self.identity.owner_id().ok_or(Denied::Unknown)?;
        let caller = Caller {
            principal: row.sender,
            client: Client::Device(device),
            privacy: Privacy::Private,
            owner,
            browser_id: None,
        };
        Ok((source, caller))
    }
}

fn checked_paths(paths: &[String]) -> Result<Vec<RelPath>, TransferError> {
    if paths.is_empty() || paths.len() > MAX_ITEMS {
        return Err(invalid(format!("'source.paths' has 1 to {MAX_ITEMS} paths.")));
    }
    let read = |text: &String| {
        text.parse().map_err(|error| invalid(format!("'source.paths' has one that is none: {error}.")))
    };
    paths.iter().map(read).collect()
}

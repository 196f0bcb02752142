//! What a receiver's device is asked about a transfer: `/agent/v1/inbox/transfers/{id}`, by the way of every request to a
//! device, in the name of the device's owner.

use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Method, Request, Response};
use proto::api::transfers::{Expected, ExpectedItem, ItemState, TransferState};
use proto::{ErrorCode, Permission};

use super::holder;
use crate::access::{Client, Grant, authorize_delivery};
use crate::coordinator::Rooms;
use crate::files::{Lines, read_error};
use crate::gateway::{GatewayError, LinkError};
use crate::store::transfers::TransferRow;
use crate::transfers::{Transfer, TransferError};

/// The longest line in which a device says what has arrived: every item with the longest names fits.
const MAX_LINE: usize = 4 << 20;

impl Rooms {
    /// What the device is to expect: what was approved.
    pub(super) fn expected(&self, transfer: &Transfer) -> Result<Expected, TransferError> {
        let delivery = self.delivery_of(&transfer.row).ok_or(TransferError::NoInbox)?;
        let wanted = transfer.items.iter().filter(|item| item.state != ItemState::Rejected);
        let items = wanted.map(|item| ExpectedItem { id: item.id, offered: item.offered.clone() });
        let sender = transfer.row.sender;
        Ok(Expected {
            sender_principal_id: sender,
            sender_name: self.identity.principals().name(sender).unwrap_or_default(),
            receiver_share_id: delivery.share,
            destination_path: transfer.row.destination.clone(),
            paused_by: holder(transfer.state().held()),
            items: items.collect(),
        })
    }

    /// Tells the device what to expect, before the sender is let come.
    pub(crate) async fn prepare_device(&self, transfer: &Transfer) -> Result<(), TransferError> {
        let expected = self.expected(transfer)?;
        self.tell_device(transfer, &expected).await
    }

    pub(super) async fn tell_device(
        &self,
        transfer: &Transfer,
        expected: &Expected,
    ) -> Result<(), TransferError> {
        // Before it is told: what it may hold it has to be told the end of.
        let knows = |transfer: &mut Transfer| {
            transfer.row.device_knows = true;
            Ok(())
        };
        self.transfers.change::<TransferError>(transfer.row.id, knows).await?;
        let body = serde_json::to_vec(expected).unwrap_or_default();
        self.ask_device(&transfer.row, Method::PUT, "", body).await.map(drop)
    }

    /// Follows what arrives at the device.
    pub(super) async fn watch_device(&self, row: &TransferRow) -> Result<Lines, TransferError> {
        let answer = self.ask_device(row, Method::GET, "/watch", Vec::new()).await?;
        Ok(Lines::endless(answer.into_body()).longest(MAX_LINE))
    }

    /// Tells the device that nothing more will come; what it holds of it goes.
    pub(super) async fn settle(&self, row: &TransferRow) -> Result<(), TransferError> {
        let finished = row.state == TransferState::Completed;
        // A device that has been let go, or has no such place any more, holds nothing for anybody.
        let reachable = !finished && self.delivery_of(row).is_some();
        if reachable {
            match self.ask_device(row, Method::DELETE, "", Vec::new()).await {
                Ok(_) => {}
                Err(TransferError::Device(error)) if is_gone(error.code) => {}
                Err(error) => return Err(error),
            }
        }
        let forgets = |transfer: &mut Transfer| {
            transfer.row.device_knows = false;
            Ok(())
        };
        self.transfers.change::<TransferError>(row.id, forgets).await.map(drop)
    }

    async fn ask_device(
        &self,
        row: &TransferRow,
        method: Method,
        word: &str,
        body: Vec<u8>,
    ) -> Result<Response<Body>, TransferError> {
        let delivery = self.delivery_of(row).ok_or(TransferError::NoInbox)?;
        let owner = self.identity.devices().owner_of(row.device).ok_or(TransferError::UnknownDevice)?;
        let asks = (owner, Client::Device(row.device));
        let grant = authorize_delivery(&delivery, asks, Permission::AcceptIncoming);
        self.ask(&grant, method, &format!("/inbox/transfers/{}{word}", row.id), body).await
    }

    /// Asks a device something about a transfer, by the way of every request to a device.
    pub(in crate::transfers) async fn ask(
        &self,
        grant: &Grant,
        method: Method,
        tail: &str,
        body: Vec<u8>,
    ) -> Result<Response<Body>, TransferError> {
        if !self.presence_of(grant.device()).0 {
            return Err(GatewayError::Link(LinkError::Offline).into());
        }
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = method;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let answer = self.gateway.send(grant, &self.tickets, tail, request).await?;
        if answer.status().is_success() {
            return Ok(answer);
        }
        read_error(answer).await.map(Response::new).map_err(TransferError::Device)
    }
}

const fn is_gone(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::NotFound | ErrorCode::Gone | ErrorCode::WrongState)
}

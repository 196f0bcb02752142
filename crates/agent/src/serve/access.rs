//! Who may: the extractors through which every handler gets its share. No handler has another way to one.

use std::str::FromStr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
pub use peer::PeerId;
use proto::ticket::{Ticket, TicketError, VerifiedTicket};
use proto::{ApiError, ErrorCode, Permission, PrincipalId, ShareId, TransferId};

use super::error::Refusal;
use crate::agent::{Agent, Share};

/// The share named in the address, opened for looking: [`Permission::Read`].
pub struct CanRead(pub Arc<Share>);

/// The share named in the address, opened for copying: [`Permission::Download`].
pub struct CanDownload(pub Arc<Share>);

/// The share named in the address, opened for changing: [`Permission::Write`].
pub struct CanWrite {
    /// The share.
    pub share: Arc<Share>,
    /// Who changes it.
    pub by: PrincipalId,
}

impl FromRequestParts<Arc<Agent>> for CanRead {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, agent: &Arc<Agent>) -> Result<Self, Refusal> {
        authorize(parts, agent, Permission::Read).await.map(Self)
    }
}

impl FromRequestParts<Arc<Agent>> for CanDownload {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, agent: &Arc<Agent>) -> Result<Self, Refusal> {
        authorize(parts, agent, Permission::Download).await.map(Self)
    }
}

impl FromRequestParts<Arc<Agent>> for CanWrite {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, agent: &Arc<Agent>) -> Result<Self, Refusal> {
        let share = authorize(parts, agent, Permission::Write).await?;
        let ticket = parts.extensions.get::<Arc<VerifiedTicket>>().ok_or(TicketError::Malformed)?;
        Ok(Self { share, by: ticket.claims().sub })
    }
}

/// The transfer named in the address, opened to one of its two sides, or to the coordinator for the receiver.
pub struct OnTransfer {
    /// The transfer.
    pub transfer: TransferId,
    /// The share that it is for.
    pub share: Arc<Share>,
    ticket: Arc<VerifiedTicket>,
}

impl OnTransfer {
    /// Refuses whoever may not do this: [`Permission::AcceptIncoming`] is the receiver's, [`Permission::RequestSend`] the
    /// sender's.
    ///
    /// # Errors
    /// [`TicketError::Permission`].
    pub fn require(&self, permission: Permission) -> Result<(), Refusal> {
        Ok(self.ticket.permit_transfer(self.transfer, permission).map(drop)?)
    }
}

impl FromRequestParts<Arc<Agent>> for OnTransfer {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, agent: &Arc<Agent>) -> Result<Self, Refusal> {
        let ticket = verify(parts, agent)?;
        let transfer = named(parts, "transfer").await.ok_or(TicketError::Resource)?;
        let share = ticket
            .permit_transfer(transfer, Permission::AcceptIncoming)
            .or_else(|_| ticket.permit_transfer(transfer, Permission::RequestSend))?;
        let share = agent.share(share).ok_or_else(no_such_share)?;
        Ok(Self { transfer, share, ticket })
    }
}

/// A share of which the transfer named in the address is sent, opened to the coordinator in the name of whoever sends:
/// [`Permission::Read`] and [`Permission::Download`].
pub struct FromShare {
    /// The transfer.
    pub transfer: TransferId,
    /// The share it is sent from.
    pub share: Arc<Share>,
    /// What allows it.
    pub ticket: Arc<VerifiedTicket>,
}

impl FromRequestParts<Arc<Agent>> for FromShare {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, agent: &Arc<Agent>) -> Result<Self, Refusal> {
        let ticket = verify(parts, agent)?;
        let transfer = named(parts, "transfer").await.ok_or(TicketError::Resource)?;
        ticket.permit_transfer(transfer, Permission::Read)?;
        let share = ticket.permit_transfer(transfer, Permission::Download)?;
        let share = agent.share(share).ok_or_else(no_such_share)?;
        Ok(Self { transfer, share, ticket })
    }
}

/// The transfer named in the address, opened to its sender.
pub struct Delivers(pub OnTransfer);

impl FromRequestParts<Arc<Agent>> for Delivers {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, agent: &Arc<Agent>) -> Result<Self, Refusal> {
        let on = OnTransfer::from_request_parts(parts, agent).await?;
        on.require(Permission::RequestSend)?;
        Ok(Self(on))
    }
}

/// The ticket of a request, found right.
fn verify(parts: &Parts, agent: &Agent) -> Result<Arc<VerifiedTicket>, TicketError> {
    let ticket = parts.headers.get(AUTHORIZATION).and_then(ticket_in).ok_or(TicketError::Malformed)?;
    agent.tickets().verify(&ticket, parts.extensions.get::<PeerId>().map(|peer| peer.0))
}

/// An id in the address.
async fn named<T: FromStr>(parts: &mut Parts, name: &str) -> Option<T> {
    let names = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    names.iter().find(|(known, _)| *known == name)?.1.parse().ok()
}

/// The authorisation function of the data plane.
async fn authorize(parts: &mut Parts, agent: &Agent, permission: Permission) -> Result<Arc<Share>, Refusal> {
    let verified = verify(parts, agent)?;
    let share: ShareId = named(parts, "share").await.ok_or_else(no_such_share)?;
    verified.permit(share, permission)?;
    // For handlers that have to know who asks, after the share's extractor.
    parts.extensions.insert(verified);
    agent.share(share).ok_or_else(no_such_share)
}

/// The ticket in an `Authorization: Bearer …` header. Never in the address, which ends up in logs and histories.
pub(super) fn ticket_in(header: &HeaderValue) -> Option<Ticket> {
    header.to_str().ok()?.strip_prefix("Bearer ").map(Ticket::from_text)
}

fn no_such_share() -> Refusal {
    Refusal(ApiError::new(
        ErrorCode::NotFound,
        "This device does not offer that share.",
        "It may have been removed; reload the list of shares.",
    ))
}

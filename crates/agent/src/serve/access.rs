//! Who may: the extractors through which every handler gets its share. No handler has another way to one.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::HeaderValue;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
pub use peer::PeerId;
use proto::ticket::{Ticket, TicketError, VerifiedTicket};
use proto::{ApiError, ErrorCode, Permission, PrincipalId, ShareId};

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

/// The authorisation function of the data plane.
async fn authorize(parts: &mut Parts, agent: &Agent, permission: Permission) -> Result<Arc<Share>, Refusal> {
    let ticket = parts.headers.get(AUTHORIZATION).and_then(ticket_in).ok_or(TicketError::Malformed)?;
    let presenter = parts.extensions.get::<PeerId>().map(|peer| peer.0);
    let verified = agent.tickets().verify(&ticket, presenter)?;
    let names = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| no_such_share())?;
    let named = names.iter().find(|(name, _)| *name == "share");
    let share: ShareId = named.and_then(|(_, id)| id.parse().ok()).ok_or_else(no_such_share)?;
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

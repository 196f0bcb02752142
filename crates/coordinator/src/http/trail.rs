//! What a request leaves in the audit log: from where it came and which it was. Who did what is the handler's to say.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use peer::connection::canonical;
use proto::id::RequestId;
use serde_json::Value;

use super::caller::connection;
use super::error::Refusal;
use crate::access::{Caller, Place};
use crate::audit::Entry;
use crate::coordinator::Coordinator;

/// Where a request comes from, and which it is.
#[derive(Clone, Debug)]
pub(crate) struct Trail {
    address: String,
    request_id: String,
}

impl FromRequestParts<Coordinator> for Trail {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &Coordinator) -> Result<Self, Refusal> {
        let address = canonical(connection(parts)?.remote.ip()).to_string();
        let request_id = parts.extensions.get::<RequestId>().map(ToString::to_string).unwrap_or_default();
        Ok(Self { address, request_id })
    }
}

impl Trail {
    /// Something that was done by somebody known, or by a stranger.
    pub(crate) fn done(&self, by: Option<&Caller>, action: &'static str, detail: Value) -> Entry {
        Entry {
            actor: by.map(|caller| caller.principal),
            action,
            allowed: true,
            address: Some(self.address.clone()),
            request_id: self.request_id.clone(),
            detail,
            ..Entry::default()
        }
    }

    /// Something that was refused.
    pub(crate) fn refused(&self, by: Option<&Caller>, action: &'static str, detail: Value) -> Entry {
        Entry { allowed: false, ..self.done(by, action, detail) }
    }
}

impl Entry {
    /// The same, about a share.
    pub(crate) fn about(self, share: proto::ShareId, place: &Place) -> Self {
        Self { share: Some(share), device: Some(place.device), ..self }
    }
}

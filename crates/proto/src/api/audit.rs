//! Shapes of the audit log: `/api/v1/audit`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::{DeviceId, PrincipalId, ShareId};

/// One thing that happened. Never content; names only where the reader may see them.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the log, counted from 1.
    pub seq: u64,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub time: OffsetDateTime,
    /// Who; absent for somebody unknown.
    #[schema(required)]
    pub actor: Option<PrincipalId>,
    /// What: `pairing.confirmed`, `grant.put`, `share.read` …
    pub action: String,
    /// Whether it was allowed.
    pub allowed: bool,
    /// The device concerned.
    #[schema(required)]
    pub device: Option<DeviceId>,
    /// The share concerned.
    #[schema(required)]
    pub share: Option<ShareId>,
    /// The address it came from.
    #[schema(required)]
    pub address: Option<String>,
    /// The request.
    pub request_id: String,
    /// More, in words for programs.
    #[schema(value_type = Option<HashMap<String, serde_json::Value>>, required)]
    pub detail: serde_json::Value,
    /// BLAKE3 over the entry before and this one, in hexadecimal.
    pub hash: String,
}

/// A page of the log.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
    /// Where the next page begins (`before`), if there is one.
    #[schema(required)]
    pub next: Option<u64>,
}

/// The query of `/audit`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Only entries before this place.
    pub before: Option<u64>,
    /// Only actions that begin like this: `pairing`.
    pub action: Option<String>,
    /// Only what this person did.
    pub actor: Option<String>,
    /// `false` for what was refused alone, `true` for what was allowed alone.
    pub allowed: Option<bool>,
    /// How many: 1 to 1,000; 100 if absent.
    pub limit: Option<u32>,
}

/// What a check of the whole log found.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditCheck {
    /// True if every entry is as it was written, and none is missing or added.
    pub intact: bool,
    /// How many entries were found right.
    pub entries: u64,
    /// The first place at which something is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broken_at: Option<u64>,
    /// What is wrong there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

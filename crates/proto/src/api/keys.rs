//! Shapes of `/api/v1/keys`: the coordinator's ticket keys, and how one takes another's place.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

/// The keys that sign tickets and access tokens, by their ids.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Keys {
    /// The coordinator's id: that of its first key, for good.
    pub coordinator: String,
    /// The key that signs.
    pub present: PresentKey,
    /// The key that is announced, and signs soon.
    #[schema(required)]
    pub next: Option<String>,
    /// The key that signed before and is still honoured.
    #[schema(required)]
    pub previous: Option<PreviousKey>,
    /// When another key is announced by itself, if ever.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub due: Option<OffsetDateTime>,
}

/// The key that signs.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PresentKey {
    /// Its id.
    pub id: String,
    /// Since when it signs.
    #[serde(with = "time::serde::rfc3339")]
    pub since: OffsetDateTime,
}

/// The key that signed before.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PreviousKey {
    /// Its id.
    pub id: String,
    /// Until when what it signed is honoured.
    #[serde(with = "time::serde::rfc3339")]
    pub until: OffsetDateTime,
}

/// Has another key take the place of the present one.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rotate {
    /// Somebody else may have the key: nothing that it signed is good any more. Otherwise the next key is announced first, and
    /// nobody notices.
    pub at_once: bool,
}

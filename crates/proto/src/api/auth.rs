//! Shapes of signing in: `/api/v1/auth/…` and `/api/v1/sessions`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::{DeviceId, PrincipalId, Secret, SessionId};

/// Signs in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The owner's PIN.
    #[schema(value_type = String)]
    pub pin: Secret<String>,
}

/// Changes the PIN. Every other session ends.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangePin {
    /// The PIN as it is. Only the machine's own key may leave it out: `lanthorn pin`, for one that was forgotten.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub current_pin: Option<Secret<String>>,
    /// The PIN as it shall be: 4 to 12 digits.
    #[schema(value_type = String)]
    pub new_pin: Secret<String>,
}

/// How private the connection is on which a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// From this machine itself.
    Local,
    /// Encrypted (HTTPS).
    Private,
    /// Readable by others on the network (plain HTTP).
    Open,
}

/// Where the visitor stands: the first thing the page asks.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Status {
    /// False until the first-run setup is done.
    pub set_up: bool,
    /// The machine's name.
    pub device_name: String,
    /// The program's version.
    pub version: String,
    /// How private this connection is.
    pub privacy: Privacy,
    /// True if the owner lets people in over plain HTTP.
    pub open_allowed: bool,
    /// The same page on HTTPS, for a visitor on plain HTTP.
    #[schema(required)]
    pub private_url: Option<String>,
    /// Who is signed in here, if anyone.
    #[schema(required)]
    pub me: Option<Me>,
}

/// Who is signed in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Me {
    /// The person.
    pub principal: PrincipalId,
    /// The person's name.
    pub display_name: String,
    /// True for the owner of this coordinator.
    pub owner: bool,
    /// This session; absent for a machine, which asks with a token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The machine that asks, if it is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_device: Option<DeviceId>,
    /// True if the session can only look and copy, because it began on an open connection.
    pub read_only: bool,
    /// Seconds of no use after which the session ends.
    pub idle_seconds: u64,
}

/// One signed-in browser.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Session {
    /// The session.
    pub id: SessionId,
    /// What the browser calls itself, made short: "Firefox on Linux".
    pub browser: String,
    /// The address it was last seen from.
    pub address: String,
    /// How private the connection was on which it began.
    pub privacy: Privacy,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub created: OffsetDateTime,
    /// When it was last used.
    #[serde(with = "time::serde::rfc3339")]
    pub last_seen: OffsetDateTime,
    /// True for the session that asks.
    pub current: bool,
}

/// The signed-in browsers.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Sessions {
    /// Newest use first.
    pub sessions: Vec<Session>,
}

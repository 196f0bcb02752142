//! Shapes of pairing: how a second machine joins. `/api/v1/pairing/…` and `/api/v1/auth/{nonce,token}`.
//!
//! The machine that wants to join starts; its terminal shows a code. Whoever holds the coordinator types the code
//! there, compares four words on both screens, and confirms. What the machine needs then goes to the machine, which
//! claims it by signing a challenge, and never through whoever confirmed.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use crate::ticket::PublicKey;
use crate::{CertificatePin, DeviceId, Lineage, PrincipalId, Secret};

/// A machine asks to join.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct StartPairing {
    /// Who uses the machine: 1 to 80 characters. Only a proposal.
    pub display_name: String,
    /// What the machine is called: 1 to 120 characters.
    pub device_name: String,
    /// The system it runs on: 1 to 60 characters.
    pub platform: String,
    /// The machine's key.
    pub public_key: DeviceId,
    /// An invite, in place of a code that somebody has to type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub invite: Option<String>,
}

/// The pairing has begun; it waits for somebody to confirm it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct PairingStarted {
    /// This pairing.
    pub pending_pairing_id: String,
    /// The code to show: six digits, good once. Absent where an invite stands in for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairing_code: Option<String>,
    /// Four words to compare on both screens.
    pub words: Vec<String>,
    /// What the machine signs to claim its membership (see [`claim_text`]).
    pub challenge: String,
    /// What the words are made of, so that the machine can make them itself.
    pub coordinator: CoordinatorKeys,
    /// How the coordinator's keys follow from the one that its id is made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lineage: Option<Lineage>,
    /// The present key's signature of what the words are made of (see [`crate::pairing_proof`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<String>,
    /// When the code ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// The coordinator's clock, so that a machine whose clock is wrong can say so.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub time: Option<OffsetDateTime>,
}

/// The keys of a coordinator, as a device pins them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CoordinatorKeys {
    /// Its id: that of the first ticket key it ever had.
    pub id: String,
    /// What its machine is called.
    pub name: String,
    /// Public keys (base64url) whose tickets count, the present one first.
    #[schema(value_type = Vec<String>)]
    pub ticket_keys: Vec<PublicKey>,
    /// The certificate authority of its pages (PEM), where it has its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
    /// By which certificate it is known, where its owner brought one and there is no such authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub certificate: Option<CertificatePin>,
    /// Where it can be asked, likeliest first.
    pub urls: Vec<String>,
}

/// Looks at what a code would let in, without letting it in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PairingCode {
    /// The code as the machine shows it.
    #[schema(value_type = String)]
    pub pairing_code: Secret<String>,
}

/// A machine that waits to be let in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WaitingMachine {
    /// This pairing.
    pub pending_pairing_id: String,
    /// Who says they use it.
    pub display_name: String,
    /// What it is called.
    pub device_name: String,
    /// The system it runs on.
    pub platform: String,
    /// Its key.
    pub device: DeviceId,
    /// Four words that its terminal shows too.
    pub words: Vec<String>,
    /// When the code ends.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
}

/// The machines that wait to be let in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct WaitingMachines {
    /// Oldest first.
    pub waiting: Vec<WaitingMachine>,
}

/// Lets a machine in. The words were compared.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmPairing {
    /// The pairing.
    pub pending_pairing_id: String,
    /// The code as the machine shows it.
    #[schema(value_type = String)]
    pub pairing_code: Secret<String>,
    /// Whose machine it becomes: the confirmer's own if absent.
    #[serde(default)]
    pub principal: Option<PrincipalId>,
    /// In place of `principal`: the name of somebody new, whose machine it becomes.
    #[serde(default)]
    pub newcomer: Option<String>,
}

/// The waiting machine asks whether it has been let in.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimPairing {
    /// The pairing.
    pub pending_pairing_id: String,
    /// The device's signature of [`claim_text`], in base64url.
    pub signature: String,
    /// An invite, in place of somebody who confirms: from a machine that has only now made sure whom it tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invite: Option<String>,
}

/// How a pairing stands, told to the machine that began it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Claim {
    /// Nobody has confirmed yet.
    Waiting,
    /// The machine is in.
    Paired {
        /// Whose machine it is.
        principal_id: PrincipalId,
        /// The person's name.
        display_name: String,
        /// The machine, as the coordinator knows it.
        client_device_id: DeviceId,
        /// The coordinator, to be pinned.
        coordinator: Box<CoordinatorKeys>,
    },
}

/// What a waiting machine signs.
#[must_use]
pub fn claim_text(pending_pairing_id: &str, challenge: &str) -> Vec<u8> {
    format!("lanthorn pairing 1\n{pending_pairing_id}\n{challenge}").into_bytes()
}

/// Something to sign, good for a minute.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Nonce {
    /// The text.
    pub nonce: String,
    /// The coordinator to sign it for. A machine that has joined it compares.
    pub coordinator: String,
    /// The coordinator's clock, so that a machine whose clock is wrong can say so.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub time: Option<OffsetDateTime>,
}

/// A device asks for an access token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenRequest {
    /// The device.
    pub client_device_id: DeviceId,
    /// What `GET /auth/nonce` gave.
    pub nonce: String,
    /// The device's signature of [`token_text`], in base64url.
    pub signature: String,
}

/// What a device signs to get an access token from this coordinator and no other.
#[must_use]
pub fn token_text(coordinator: &str, nonce: &str) -> Vec<u8> {
    format!("lanthorn token 1\n{coordinator}\n{nonce}").into_bytes()
}

/// An access token.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AccessToken {
    /// To be sent as `Authorization: Bearer …`.
    pub access_token: String,
    /// Always `bearer`.
    pub token_type: String,
    /// Seconds for which it is good.
    pub expires_in: u64,
    /// Who asks with it.
    pub principal_id: PrincipalId,
    /// The device it is bound to.
    pub client_device_id: DeviceId,
}

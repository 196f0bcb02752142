//! `/api/v1/pairing/…`: how a second machine joins. It begins and claims; the owner looks, compares and confirms.

use axum::Json;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::StatusCode;
use axum::http::header::HOST;
use axum::http::request::Parts;
use peer::connection::Connection;
use proto::api::events::Happening;
use proto::api::pairing::{
    Claim, ClaimPairing, ConfirmPairing, CoordinatorKeys, PairingCode, PairingStarted, StartPairing,
    WaitingMachine, WaitingMachines,
};
use proto::api::people::InviteGrant;
use proto::wire::link::Revoked;
use proto::{ApiError, DeviceId, ErrorCode, pairing_proof, words};
use serde_json::json;

use super::caller::OwnerCaller;
use super::error::{Refusal, locked_codes};
use super::invites::carried_by;
use super::json::JsonBody;
use super::trail::Trail;
use super::trust::private_urls;
use crate::audit::Entry;
use crate::clock::from_ms;
use crate::coordinator::{Coordinator, Rooms};
use crate::identity::Visitor;
use crate::identity::joining::{Gifts, JoinError, Whose};
use crate::identity::pairing::{Asking, PairingError};
use crate::settings::label;
use crate::store::pairings::PairingRow;

/// Where this coordinator can be asked: first as the caller did, then at its other names and addresses.
pub(crate) struct Urls(Vec<String>);

impl FromRequestParts<Coordinator> for Urls {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Coordinator) -> Result<Self, Refusal> {
        let connection = parts.extensions.get::<Connection>().copied().ok_or_else(Refusal::internal)?;
        let named = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
        let named = named.or_else(|| parts.uri.authority().map(|authority| authority.as_str()));
        let asked = named.map(|host| format!("https://{}/", host.to_ascii_lowercase()));
        let mut urls: Vec<String> = asked.into_iter().collect();
        for url in private_urls(coordinator.rooms(), connection.local.port()) {
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        Ok(Self(urls))
    }
}

impl Urls {
    /// The one to hand to somebody elsewhere: not a name that means another machine there.
    pub(crate) fn for_others(&self) -> Option<&str> {
        let here = ["https://localhost", "https://127.", "https://[::1]"];
        let elsewhere = self.0.iter().find(|url| !here.iter().any(|start| url.starts_with(start)));
        elsewhere.or(self.0.first()).map(String::as_str)
    }
}

/// What a machine pins of this coordinator.
fn keys_of(rooms: &Rooms, urls: Urls) -> CoordinatorKeys {
    let authority = rooms.authority.certificate().map(|(_, pem)| pem.to_owned());
    CoordinatorKeys {
        id: rooms.tickets.coordinator().to_owned(),
        name: rooms.settings.get().device_name,
        ticket_keys: rooms.tickets.keys().announcement().ticket_keys,
        certificate: if authority.is_none() { rooms.authority.pin() } else { None },
        authority,
        urls: urls.0,
    }
}

fn shown(row: PairingRow) -> WaitingMachine {
    WaitingMachine {
        words: split(&row.words),
        pending_pairing_id: row.id,
        display_name: row.display_name,
        device_name: row.device_name,
        platform: row.platform,
        device: row.device,
        expires_at: from_ms(row.expires_ms),
    }
}

fn split(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

fn text(name: &str, max: usize, what: &str) -> Result<String, Refusal> {
    label(name, max).ok_or_else(|| {
        Refusal::parameter(format!("{what} has 1 to {max} characters, none of them invisible."))
    })
}

/// Begins a pairing. Anybody may; nothing comes of it until somebody confirms.
#[utoipa::path(post, path = "/api/v1/pairing/start", tag = "pairing", request_body = StartPairing,
    responses((status = 200, body = PairingStarted), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 429, body = ApiError), (status = 503, body = ApiError)))]
pub(crate) async fn start(
    State(coordinator): State<Coordinator>,
    visitor: Visitor,
    trail: Trail,
    urls: Urls,
    JsonBody(asked): JsonBody<StartPairing>,
) -> Result<Json<PairingStarted>, Refusal> {
    let rooms = coordinator.rooms();
    if !rooms.identity.is_set_up() {
        return Err(Refusal::not_set_up());
    }
    let device = asked.public_key;
    if device == rooms.device {
        return Err(Refusal::parameter("That is this machine's own key: it needs no pairing with itself."));
    }
    let display_name = text(&asked.display_name, 80, "A person's name")?;
    let device_name = text(&asked.device_name, 120, "A machine's name")?;
    let platform = text(&asked.platform, 60, "A platform")?;
    let asking = |invite| Asking { device, device_name, display_name, platform, invite };
    let keys = keys_of(rooms, urls);
    let words = {
        let keys = keys.clone();
        async move |id: &str| words_of(keys, device, id.to_owned()).await
    };
    let invite = asked.invite.as_deref();
    let begun = rooms.identity.start_pairing(&visitor, invite, asking, words).await;
    let outcome =
        |allowed| Entry { device: Some(device), allowed, ..trail.done(None, "pairing.begun", json!({})) };
    if !matches!(begun, Err(JoinError::TooMany(_))) {
        rooms.audit.record(outcome(begun.is_ok())).await;
    }
    let (row, code) = begun?;
    if row.invite.is_none() {
        rooms.tell(&Happening::PairingWaiting);
    }
    let tickets = rooms.tickets.keys();
    let proof = pairing_proof::sign(&tickets.present().key, &keys, device, &row.id).map_err(|error| {
        tracing::error!(%error, "the ticket key signs nothing");
        Refusal::internal()
    })?;
    Ok(Json(PairingStarted {
        pairing_code: row.invite.is_none().then_some(code),
        words: split(&row.words),
        pending_pairing_id: row.id,
        challenge: row.challenge,
        coordinator: keys,
        lineage: Some(tickets.lineage().clone()),
        proof: Some(proof),
        expires_at: from_ms(row.expires_ms),
        time: Some(rooms.clock.wall()),
    }))
}

/// Some milliseconds of work, kept from those who answer requests.
async fn words_of(keys: CoordinatorKeys, device: DeviceId, id: String) -> Result<String, PairingError> {
    let work = move || words::pairing_words(&keys, device, &id).join(" ");
    tokio::task::spawn_blocking(work).await.map_err(|e| PairingError::Random(std::io::Error::other(e)))
}

/// What a code would let in, without letting it in.
#[utoipa::path(post, path = "/api/v1/pairing/look", tag = "pairing", request_body = PairingCode,
    responses((status = 200, body = WaitingMachine), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 429, body = ApiError)))]
pub(crate) async fn look(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    JsonBody(asked): JsonBody<PairingCode>,
) -> Result<Json<WaitingMachine>, Refusal> {
    let rooms = coordinator.rooms();
    let found = rooms.identity.look_at_code(&asked.pairing_code).await;
    if found.is_err() {
        rooms.audit.record(trail.refused(Some(&caller), "pairing.code", json!({}))).await;
    }
    Ok(Json(shown(found?)))
}

/// Lets a machine in, once it claims. The words were compared.
#[utoipa::path(post, path = "/api/v1/pairing/confirm", tag = "pairing", request_body = ConfirmPairing,
    responses((status = 200, body = WaitingMachine), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError), (status = 429, body = ApiError)))]
pub(crate) async fn confirm(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    JsonBody(asked): JsonBody<ConfirmPairing>,
) -> Result<Json<WaitingMachine>, Refusal> {
    let whose = match (asked.principal, asked.newcomer) {
        (Some(_), Some(_)) => {
            return Err(Refusal::parameter("A machine is one person's: name a person or a newcomer."));
        }
        (Some(id), None) => Whose::Person(id),
        (None, Some(name)) => Whose::Newcomer(text(&name, 80, "A person's name")?),
        (None, None) => Whose::Person(caller.principal),
    };
    let rooms = coordinator.rooms();
    let confirmed =
        rooms.identity.confirm_pairing(&asked.pending_pairing_id, &asked.pairing_code, whose).await;
    let entry = trail.done(Some(&caller), "pairing.confirmed", json!({}));
    let device = confirmed.as_ref().ok().map(|row| row.device);
    rooms.audit.record_durably(Entry { device, allowed: device.is_some(), ..entry }).await;
    rooms.tell(&Happening::PairingWaiting);
    Ok(Json(shown(confirmed?)))
}

/// The waiting machine asks whether it was let in, and takes what it needs if it was.
#[utoipa::path(post, path = "/api/v1/pairing/claim", tag = "pairing", request_body = ClaimPairing,
    responses((status = 200, body = Claim), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 429, body = ApiError)))]
pub(crate) async fn claim(
    State(coordinator): State<Coordinator>,
    visitor: Visitor,
    trail: Trail,
    urls: Urls,
    JsonBody(asked): JsonBody<ClaimPairing>,
) -> Result<Json<Claim>, Refusal> {
    let rooms = coordinator.rooms();
    let carried = |person, grants: &[InviteGrant]| carried_by(rooms, person, grants);
    let gifts = Gifts { rights: &rooms.rights, wanted: &carried };
    let claim = (asked.pending_pairing_id.as_str(), asked.signature.as_str());
    let claimed = rooms.identity.claim_pairing(&visitor, claim, asked.invite.as_deref(), &gifts).await?;
    let Some(joined) = claimed else { return Ok(Json(Claim::Waiting)) };
    if joined.changed_hands {
        rooms.has_ended(Revoked::Device { id: joined.device });
    }
    if joined.fresh {
        rooms.rights_moved();
        let entry = trail.done(None, "pairing.claimed", json!({"grants": joined.grants}));
        let (actor, device) = (Some(joined.principal), Some(joined.device));
        rooms.audit.record_durably(Entry { actor, device, ..entry }).await;
        rooms.tell(&Happening::PairingWaiting);
    }
    Ok(Json(Claim::Paired {
        display_name: rooms.identity.principals().name(joined.principal).unwrap_or_default(),
        principal_id: joined.principal,
        client_device_id: joined.device,
        coordinator: Box::new(keys_of(rooms, urls)),
    }))
}

/// The machines that wait for the owner, oldest first.
#[utoipa::path(get, path = "/api/v1/pairing/waiting", tag = "pairing",
    responses((status = 200, body = WaitingMachines), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn waiting(State(coordinator): State<Coordinator>, _: OwnerCaller) -> Json<WaitingMachines> {
    let rows = coordinator.rooms().identity.pairings().waiting().into_iter();
    Json(WaitingMachines { waiting: rows.map(shown).collect() })
}

/// Turns a waiting machine away.
#[utoipa::path(delete, path = "/api/v1/pairing/waiting/{id}", tag = "pairing",
    params(("id" = String, Path, description = "the pairing")),
    responses((status = 204), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn turn_away(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    if !rooms.identity.pairings().turn_away(&id).await? {
        return Err(Refusal::not_found("No such machine waits."));
    }
    rooms.audit.record(trail.done(Some(&caller), "pairing.turned_away", json!({}))).await;
    rooms.tell(&Happening::PairingWaiting);
    Ok(StatusCode::NO_CONTENT)
}

impl From<JoinError> for Refusal {
    fn from(error: JoinError) -> Self {
        match error {
            JoinError::Pairing(error) => error.into(),
            JoinError::NoSuchInvite => Self::new(
                ErrorCode::WrongCode,
                "This invitation is wrong, used, or over its time.",
                "Ask for a new one.",
            ),
            JoinError::ForMachine => Self::new(
                ErrorCode::Forbidden,
                "This invitation is for a machine.",
                "Use it there: lanthorn pair, and the invitation.",
            ),
            JoinError::Locked(wait) => locked_codes(wait),
            JoinError::TooMany(seconds) => Self::too_many(seconds),
            JoinError::Rights(error) => error.into(),
            JoinError::SignIn(error) => error.into(),
            JoinError::Store(error) => error.into(),
        }
    }
}

impl From<PairingError> for Refusal {
    fn from(error: PairingError) -> Self {
        match error {
            PairingError::NoSuch => Self::new(
                ErrorCode::WrongCode,
                "This pairing code is wrong, used, or over its time.",
                "Begin again on the machine that wants to join.",
            ),
            PairingError::Signature => Self::new(
                ErrorCode::WrongSignature,
                "The machine did not prove its key.",
                "Begin again on the machine that wants to join.",
            ),
            PairingError::Full(seconds) => Self(
                ApiError::new(
                    ErrorCode::TooMany,
                    "Too many machines wait to be let in.",
                    "Confirm those that wait, or turn them away.",
                )
                .retry_after(seconds),
            ),
            PairingError::Nobody => Self::not_found("There is no such person."),
            PairingError::Random(error) => {
                tracing::error!(%error, "cannot begin a pairing");
                Self::internal()
            }
            PairingError::Store(error) => error.into(),
        }
    }
}

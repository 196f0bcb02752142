//! `/api/v1/keys`: the keys that sign tickets, shown to the owner, and replaced when the owner says so.

use axum::Json;
use axum::extract::State;
use proto::api::keys::{Keys, PresentKey, PreviousKey, Rotate};
use proto::clock::spoken;
use proto::{ApiError, ErrorCode};
use serde_json::json;

use super::caller::OwnerCaller;
use super::error::Refusal;
use super::json::JsonBody;
use super::trail::Trail;
use crate::access::ticket_keys::NotNow;
use crate::coordinator::{Coordinator, Rooms};
use crate::rotation::RotationError;

fn shown(rooms: &Rooms) -> Keys {
    let keys = rooms.tickets.keys();
    let present = keys.present();
    Keys {
        coordinator: keys.coordinator(),
        present: PresentKey { id: present.key.public().id(), since: present.since },
        next: keys.next().map(|next| next.id()),
        previous: keys
            .previous()
            .map(|previous| PreviousKey { id: previous.key.id(), until: previous.until }),
        due: rooms.rotation.lifetime().map(|lifetime| present.since + lifetime),
    }
}

/// The keys that sign tickets and access tokens.
#[utoipa::path(get, path = "/api/v1/keys", tag = "keys",
    responses((status = 200, body = Keys), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn get(State(coordinator): State<Coordinator>, _: OwnerCaller) -> Json<Keys> {
    Json(shown(coordinator.rooms()))
}

/// Has another key take the place of the present one: announced first, or at once.
#[utoipa::path(post, path = "/api/v1/keys/rotate", tag = "keys", request_body = Rotate,
    responses((status = 200, body = Keys), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 409, body = ApiError)))]
pub(crate) async fn rotate(
    State(coordinator): State<Coordinator>,
    OwnerCaller(caller): OwnerCaller,
    trail: Trail,
    JsonBody(asked): JsonBody<Rotate>,
) -> Result<Json<Keys>, Refusal> {
    let rooms = coordinator.rooms();
    let entry = trail.done(Some(&caller), "", json!({}));
    if asked.at_once {
        rooms.replace_keys(entry).await?;
    } else {
        rooms.announce_key(entry).await.map_err(|error| refused(rooms, error))?;
    }
    Ok(Json(shown(rooms)))
}

/// How long it takes until another key can take its place is said where it is known.
fn refused(rooms: &Rooms, error: RotationError) -> Refusal {
    let RotationError::NotNow(NotNow::Honoured(until)) = error else { return error.into() };
    let left = spoken((until - rooms.clock.wall()).whole_seconds().max(1).unsigned_abs());
    Refusal::new(
        ErrorCode::Conflict,
        "A key has just taken another's place, and what that one signed is still honoured.",
        format!("Try again in {left}; or at once, if somebody else may have the key."),
    )
}

impl From<RotationError> for Refusal {
    fn from(error: RotationError) -> Self {
        let (message, hint) = match error {
            RotationError::NotNow(NotNow::Announced) => (
                "The next key is announced already, and signs in a minute.",
                "Wait; or replace the keys at once, if somebody else may have them.",
            ),
            RotationError::NotNow(NotNow::Honoured(_)) => (
                "What the key before signed is still honoured.",
                "Try again in an hour; or at once, if somebody else may have the key.",
            ),
            RotationError::NotNow(NotNow::Exhausted) => (
                "Keys have been replaced so often that machines could not follow any more.",
                "Set this coordinator up anew, and pair its machines again.",
            ),
            RotationError::NoKey(_) | RotationError::File(_) | RotationError::Interrupted => {
                tracing::error!(error = &error as &dyn std::error::Error, "ticket keys stay as they are");
                return Self::internal();
            }
        };
        Self::new(ErrorCode::Conflict, message, hint)
    }
}

//! `/api/v1/settings`: what the page can change.

use axum::Json;
use axum::extract::State;
use proto::ApiError;
use proto::api::auth::Privacy;
use proto::api::settings::{Settings, SettingsChange};

use super::caller::OwnerCaller;
use super::error::Refusal;
use super::json::JsonBody;
use crate::coordinator::Coordinator;

/// The settings in force.
#[utoipa::path(get, path = "/api/v1/settings", tag = "settings",
    responses((status = 200, body = Settings), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn get(State(coordinator): State<Coordinator>, _: OwnerCaller) -> Json<Settings> {
    Json(coordinator.rooms().settings.get())
}

/// Changes settings and keeps them.
#[utoipa::path(patch, path = "/api/v1/settings", tag = "settings", request_body = SettingsChange,
    responses((status = 200, body = Settings), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError)))]
pub(crate) async fn change(
    State(coordinator): State<Coordinator>,
    _: OwnerCaller,
    JsonBody(change): JsonBody<SettingsChange>,
) -> Result<Json<Settings>, Refusal> {
    let rooms = coordinator.rooms();
    let settings = rooms.settings.change(change).await?;
    if !settings.allow_open {
        let ended = rooms.identity.sessions().end_where(|row| row.privacy == Privacy::Open).await?;
        rooms.sessions_ended(&ended);
    }
    Ok(Json(settings))
}

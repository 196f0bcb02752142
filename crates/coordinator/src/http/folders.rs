//! `GET /api/v1/folders`: the folder chooser, for who sets the machine up and, later, for its owner.

use axum::Json;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use proto::ApiError;
use proto::api::setup::{FolderChoice, FolderQuery};

use super::caller::OwnerCaller;
use super::error::Refusal;
use super::json::QueryOf;
use super::setup::may_set_up;
use crate::coordinator::Coordinator;
use crate::identity::Visitor;

/// Somebody who may look at the names of this machine's folders.
pub(crate) struct MayChoose;

impl FromRequestParts<Coordinator> for MayChoose {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Coordinator) -> Result<Self, Refusal> {
        let rooms = coordinator.rooms();
        if rooms.identity.is_set_up() {
            OwnerCaller::from_request_parts(parts, coordinator).await?;
        } else {
            let visitor = Visitor::from_request_parts(parts, coordinator).await?;
            may_set_up(rooms, &visitor, &parts.headers)?;
        }
        Ok(Self)
    }
}

/// The folders in a folder of this machine.
#[utoipa::path(get, path = "/api/v1/folders", tag = "setup",
    params(FolderQuery, ("X-Lanthorn-Setup-Code" = Option<String>, Header, description = "during setup, the code from the terminal")),
    responses((status = 200, body = FolderChoice), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 404, body = ApiError)))]
pub(crate) async fn list(
    State(coordinator): State<Coordinator>,
    _: MayChoose,
    QueryOf(query): QueryOf<FolderQuery>,
) -> Result<Json<FolderChoice>, Refusal> {
    Ok(Json(coordinator.rooms().folders.list(&query.path).await?))
}

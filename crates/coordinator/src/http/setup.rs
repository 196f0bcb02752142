//! `/api/v1/setup`: the first run. Once, and only for who is at the machine or reads its terminal.

use std::path::Path;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use proto::api::auth::Me;
use proto::api::settings::SettingsChange;
use proto::api::setup::{Setup, SetupState};
use proto::{ApiError, Secret, ShareId};
use serde_json::json;

use super::catalog::for_everyone;
use super::error::Refusal;
use super::json::JsonBody;
use super::sign_in::signed_in;
use super::trail::Trail;
use crate::audit::Entry;
use crate::clock::to_ms;
use crate::coordinator::{Coordinator, Rooms};
use crate::identity::{FirstRun, Visitor};
use crate::settings::parse_name;
use crate::store::owner::FirstShare;

/// The header with which the setup page shows the code before it sends the form.
const CODE_HEADER: &str = "x-lanthorn-setup-code";

/// Whether the visitor may set this machine up, having typed the code in the header or not.
pub(crate) fn may_set_up(rooms: &Rooms, visitor: &Visitor, headers: &HeaderMap) -> Result<(), Refusal> {
    let code = headers.get(CODE_HEADER).and_then(|value| value.to_str().ok());
    let code = code.map(|code| Secret::new(code.to_owned()));
    Ok(rooms.identity.may_set_up(visitor, code.as_ref())?)
}

/// What the setup page needs to know.
#[utoipa::path(get, path = "/api/v1/setup", tag = "setup",
    params(("X-Lanthorn-Setup-Code" = Option<String>, Header, description = "the code from the terminal")),
    responses((status = 200, body = SetupState), (status = 401, body = ApiError), (status = 429, body = ApiError)))]
pub(crate) async fn state(
    State(coordinator): State<Coordinator>,
    visitor: Visitor,
    headers: HeaderMap,
) -> Result<Json<SetupState>, Refusal> {
    let rooms = coordinator.rooms();
    let done = rooms.identity.is_set_up();
    if done {
        let nothing =
            SetupState { done, code_needed: false, device_name: String::new(), folder: String::new() };
        return Ok(Json(nothing));
    }
    let may = match may_set_up(rooms, &visitor, &headers) {
        // Without a code this is only a question; with a wrong one it was a try.
        Err(refusal) if headers.contains_key(CODE_HEADER) => return Err(refusal),
        answer => answer.is_ok(),
    };
    let folder = if may { rooms.default_folder.to_string_lossy().into_owned() } else { String::new() };
    let device_name = rooms.settings.get().device_name;
    Ok(Json(SetupState { done, code_needed: !visitor.on_machine, device_name, folder }))
}

/// Does the first run and signs the visitor in.
#[utoipa::path(post, path = "/api/v1/setup", tag = "setup", request_body = Setup,
    responses((status = 200, body = Me), (status = 400, body = ApiError), (status = 401, body = ApiError),
        (status = 403, body = ApiError), (status = 409, body = ApiError), (status = 429, body = ApiError)))]
pub(crate) async fn set_up(
    State(coordinator): State<Coordinator>,
    visitor: Visitor,
    trail: Trail,
    JsonBody(setup): JsonBody<Setup>,
) -> Result<Response, Refusal> {
    let rooms = coordinator.rooms();
    rooms.identity.may_set_up(&visitor, setup.code.as_ref())?;
    let device_name = parse_name(&setup.device_name).map_err(Refusal::parameter)?;
    let folder = rooms.folders.check(&setup.folder).await?;
    let share = FirstShare { id: ShareId::generate(), name: share_name(&folder), folder };
    let run = FirstRun { display_name: "Owner".to_owned(), share, pin: setup.pin };
    // One turn at a time also with the list of shares, which this run begins.
    let _turn = rooms.sharing.lock().await;
    let share = run.share.id;
    let admitted = rooms.identity.set_up(&visitor, run).await?;
    let owner = admitted.session.principal;
    if setup.everyone_may_read {
        rooms.rights.put(&for_everyone(share), owner, to_ms(rooms.clock.wall())).await?;
    }
    let entry = trail.done(None, "setup.done", json!({"everyone_may_read": setup.everyone_may_read}));
    rooms.audit.record_durably(Entry { actor: Some(owner), share: Some(share), ..entry }).await;
    rooms.publish_shares().await?;
    let change = SettingsChange { device_name: Some(device_name), ..SettingsChange::default() };
    if let Err(error) = rooms.settings.change(change).await {
        // The machine is set up all the same; its name can be changed later.
        tracing::error!(error = &error as &dyn std::error::Error, "cannot save the machine's name");
    }
    signed_in(rooms, &visitor, admitted)
}

/// What a share is called when nobody says: as its folder, made fit to be a name.
pub(crate) fn share_name(folder: &str) -> String {
    let name = Path::new(folder).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let short: String = name.chars().filter(|c| !c.is_control()).take(64).collect();
    parse_name(&short).unwrap_or_else(|_| "Files".to_owned())
}

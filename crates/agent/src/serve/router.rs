//! The site map of the device API: `/agent/v1/…`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use proto::api::files::DeviceInfo;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::agent::Agent;

/// Every route of the device API, with its description. Served alike over TCP, over a peer's stream, and in-process.
#[must_use]
pub fn router(agent: Arc<Agent>) -> OpenApiRouter {
    let hold = from_fn_with_state(Arc::clone(&agent), super::running::hold_bodies);
    doors().layer(hold).with_state(agent)
}

/// The description of the device API.
#[must_use]
pub fn openapi() -> OpenApi {
    doors().into_openapi()
}

fn doors() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(info))
        .merge(super::files::routes())
        .merge(super::archive::routes())
        .merge(super::media::routes())
        .merge(super::search::routes())
        .merge(super::put::routes())
        .merge(super::uploads::routes())
        .merge(super::unpack::routes())
        .merge(super::versions::routes())
        .merge(super::watch::routes())
        .merge(super::acts::routes())
        .merge(super::inbox::routes())
        .merge(super::outbox::routes())
        .merge(super::delivery::routes())
}

/// What this device is.
#[utoipa::path(get, path = "/agent/v1/info", tag = "device", responses((status = 200, body = DeviceInfo)))]
async fn info(State(agent): State<Arc<Agent>>) -> Json<DeviceInfo> {
    Json(DeviceInfo {
        service: "lanthorn-agent".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        device: agent.config().device,
    })
}

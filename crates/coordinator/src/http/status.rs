//! `GET /api/v1/status`: the first thing the page asks, answered to everybody. And `GET /health`.

use axum::Json;
use axum::extract::State;
use axum::http::header::HOST;
use axum::http::request::Parts;
use peer::connection::Connection;
use proto::api::auth::{Privacy, Status};
use serde::Serialize;
use utoipa::ToSchema;

use super::caller::{Anybody, MaybeCaller};
use super::sign_in::me_of;
use crate::coordinator::Coordinator;

/// That the service runs.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// Always `ok`: there is no answer otherwise.
    status: &'static str,
}

/// Says that the service runs.
#[utoipa::path(get, path = "/health", tag = "status", responses((status = 200, body = Health)))]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "ok" })
}

/// Where the visitor stands.
#[utoipa::path(get, path = "/api/v1/status", tag = "status", responses((status = 200, body = Status)))]
pub(crate) async fn status(
    State(coordinator): State<Coordinator>,
    Anybody(connection): Anybody,
    MaybeCaller(caller): MaybeCaller,
    PrivateUrl(private_url): PrivateUrl,
) -> Json<Status> {
    let rooms = coordinator.rooms();
    let settings = rooms.settings.get();
    Json(Status {
        set_up: rooms.identity.is_set_up(),
        device_name: settings.device_name,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        privacy: connection.privacy(),
        open_allowed: settings.allow_open,
        private_url,
        me: caller.and_then(|caller| me_of(rooms, &caller)),
    })
}

/// The same address on HTTPS, for a visitor on an open connection. Both answer on one port.
pub(crate) struct PrivateUrl(Option<String>);

impl<S: Send + Sync> axum::extract::FromRequestParts<S> for PrivateUrl {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        let connection = parts.extensions.get::<Connection>();
        let open = connection.is_some_and(|connection| connection.privacy() == Privacy::Open);
        let host = parts.headers.get(HOST).and_then(|value| value.to_str().ok());
        Ok(Self(host.filter(|_| open).map(|host| format!("https://{host}/"))))
    }
}

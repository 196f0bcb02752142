//! The site map of the control plane. Every address is here and nowhere else.

use axum::extract::DefaultBodyLimit;
use axum::http::header::{self, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use axum::routing::{any, get};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Refusal;
use super::{
    agents_link, audit, catalog, copying, devices, direct, drops, events, files, folders, grants, invites,
    keys, paired, pairing, people, relay, rendezvous, rooms, sessions, settings, setup, sign_in, status,
    tokens, transfers, trust, trusted_senders,
};
use crate::coordinator::Coordinator;

/// The largest JSON body taken.
const MAX_JSON_BYTES: usize = 64 * 1024;
/// The largest selection of files, or offer of them: some ten thousand paths.
const MAX_SELECTION_BYTES: usize = 4 << 20;

impl Coordinator {
    /// Every route of the control plane with its description, without the page. The binary adds that as the
    /// fallback, and puts [`Coordinator::guard`] around the whole.
    #[must_use]
    pub fn router(&self) -> OpenApiRouter {
        api().merge(gateway()).with_state(self.clone())
    }
}

/// The description of every route of the control plane.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    api().into_openapi()
}

fn api() -> OpenApiRouter<Coordinator> {
    OpenApiRouter::new()
        .routes(routes!(status::status))
        .routes(routes!(status::health))
        .routes(routes!(setup::state, setup::set_up))
        .routes(routes!(folders::list))
        .routes(routes!(sign_in::login))
        .routes(routes!(sign_in::logout))
        .routes(routes!(sign_in::me))
        .routes(routes!(sign_in::change_pin))
        .routes(routes!(tokens::nonce))
        .routes(routes!(tokens::token))
        .routes(routes!(sessions::list))
        .routes(routes!(sessions::rename, sessions::end))
        .routes(routes!(pairing::start))
        .routes(routes!(pairing::look))
        .routes(routes!(pairing::confirm))
        .routes(routes!(pairing::claim))
        .routes(routes!(pairing::waiting))
        .routes(routes!(pairing::turn_away))
        .routes(routes!(invites::make, invites::list))
        .routes(routes!(invites::take))
        .routes(routes!(invites::take_back))
        .routes(routes!(people::list))
        .routes(routes!(people::rename, people::remove))
        .routes(routes!(paired::list))
        .routes(routes!(paired::rename, paired::revoke))
        .routes(routes!(settings::get, settings::change))
        .routes(routes!(grants::list, grants::put))
        .routes(routes!(grants::get, grants::end))
        .routes(routes!(grants::dry_run))
        .routes(routes!(grants::access))
        .routes(routes!(rooms::list, rooms::make))
        .routes(routes!(rooms::rename, rooms::end))
        .routes(routes!(rooms::join, rooms::leave))
        .routes(routes!(keys::get))
        .routes(routes!(keys::rotate))
        .routes(routes!(audit::list))
        .routes(routes!(audit::export))
        .routes(routes!(audit::verify))
        .routes(routes!(events::token))
        .routes(routes!(events::socket))
        .routes(routes!(catalog::devices))
        .routes(routes!(catalog::set_visibility))
        .routes(routes!(catalog::shares, catalog::add_share))
        .routes(routes!(catalog::rename_share, catalog::remove_share))
        .routes(routes!(devices::path))
        .routes(routes!(direct::ticket))
        .routes(routes!(files::list))
        .routes(routes!(files::search))
        .routes(routes!(drops::make, drops::list))
        .routes(routes!(drops::open, drops::end))
        .routes(routes!(drops::take))
        .routes(routes!(drops::file))
        .routes(routes!(drops::archive))
        .routes(routes!(transfers::get))
        .routes(routes!(transfers::approve))
        .routes(routes!(transfers::reject))
        .routes(routes!(transfers::open))
        .routes(routes!(transfers::cancel))
        .routes(routes!(transfers::pause))
        .routes(routes!(transfers::resume))
        .routes(routes!(transfers::label))
        .routes(routes!(transfers::clear_history))
        .routes(routes!(transfers::cancel_pending))
        .routes(routes!(trusted_senders::list))
        .routes(routes!(trusted_senders::put, trusted_senders::remove))
        .merge(
            OpenApiRouter::new()
                .routes(routes!(transfers::offer, transfers::list))
                .routes(routes!(copying::copy))
                .layer(DefaultBodyLimit::max(MAX_SELECTION_BYTES)),
        )
        .route("/api/v1/agents/link", get(agents_link::open))
        .route(rendezvous::PATH, get(rendezvous::open))
        .route(peer::relay::PATH, get(relay::open))
        .route(peer::relay::PROBE_PATH, get(relay::probe))
        .routes(routes!(trust::trust))
        .routes(routes!(trust::authority_der))
        .routes(routes!(trust::authority_pem))
        .routes(routes!(trust::mobileconfig))
        .route("/api", any(nothing_here))
        .route("/api/{*rest}", any(nothing_here))
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        .layer(from_fn(keep_to_yourself))
}

/// Apart from the rest: bodies of any size and answers of any kind pass it as they are.
fn gateway() -> OpenApiRouter<Coordinator> {
    OpenApiRouter::new().route(
        "/api/v1/devices/{device}/{*tail}",
        get(devices::forward)
            .post(devices::forward)
            .put(devices::forward)
            .patch(devices::forward)
            .delete(devices::forward),
    )
}

async fn nothing_here() -> Refusal {
    Refusal::not_found("There is nothing at this address.")
}

/// Answers about people and settings are kept by no cache and run nothing.
async fn keep_to_yourself(request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"));
    response
}

//! The headers that keep every answer of this machine from acting elsewhere, and others from acting on it: one list for the
//! coordinator and for a page in a process of its own.

use axum::Router;
use axum::extract::Request;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::{Next, from_fn};
use axum::response::Response;
use peer::connection::Connection;
use proto::api::auth::Privacy;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// Puts them on every answer of a router that no coordinator guards.
pub fn with_security_headers(router: Router) -> Router {
    router.layer(from_fn(|request: Request, next: Next| async move {
        let trusted = is_trusted(&request);
        let mut response: Response = next.run(request).await;
        add(response.headers_mut(), trusted);
        response
    }))
}

/// True where browsers heed an opener policy; elsewhere it makes them complain.
pub(super) fn is_trusted(request: &Request) -> bool {
    request.extensions().get::<Connection>().is_some_and(|way| way.privacy() != Privacy::Open)
}

/// Those that a handler has set itself stay.
pub(super) fn add(headers: &mut HeaderMap, trusted: bool) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (RESOURCE_POLICY, "same-origin"),
        (header::REFERRER_POLICY, "no-referrer"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    if trusted {
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
    }
}

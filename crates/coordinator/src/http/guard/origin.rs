//! Where a request comes from. A changing request must come from this machine's own page: the browser says so
//! (`Sec-Fetch-Site`, `Origin`), and the page proves that it could set a header (`X-Lanthorn`). Programs do the same,
//! or send an access token: no browser adds that by itself, as it does cookies.

use axum::extract::Request;
use axum::http::header::{HOST, ORIGIN, UPGRADE};
use axum::http::{HeaderMap, Method, Uri};
use peer::connection::Connection;
use proto::ErrorCode;

use crate::http::caller::bearer;
use crate::http::error::Refusal;

/// Refuses a request that another site's page has its browser make.
pub(super) fn check(request: &Request) -> Result<(), Refusal> {
    let encrypted = request.extensions().get::<Connection>().is_some_and(|connection| connection.encrypted);
    let (method, uri, headers) = (request.method(), request.uri(), request.headers());
    let allowed = if method.is_safe() && *method != Method::TRACE {
        may_read(uri, headers) && may_connect(uri, headers, encrypted)
    } else if bearer(headers).is_some() {
        // Cookies do not count beside it, so there is nothing that another site could make use of.
        true
    } else {
        may_change(uri, headers, encrypted)
    };
    if allowed { Ok(()) } else { Err(cross_site()) }
}

fn cross_site() -> Refusal {
    Refusal::new(
        ErrorCode::CrossSite,
        "The request does not come from this machine's own page.",
        "Programs send X-Lanthorn: 1 and an Origin that is the address they call.",
    )
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    // What cannot be read is not absent: it is something else than expected.
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// The API is nobody's picture, script or frame but our own page's. A link followed by a person is welcome elsewhere.
fn may_read(uri: &Uri, headers: &HeaderMap) -> bool {
    let for_the_page = uri.path().starts_with("/api/") || uri.path().starts_with("/agent/");
    !for_the_page || matches!(text(headers, "sec-fetch-site"), None | Some("same-origin" | "none"))
}

/// Pages of other sites can open sockets to here, and browsers say so in `Origin` only. Programs send none.
fn may_connect(uri: &Uri, headers: &HeaderMap, encrypted: bool) -> bool {
    let origin = text(headers, ORIGIN.as_str()).filter(|_| headers.contains_key(UPGRADE));
    origin.is_none_or(|origin| is_own_origin(origin, uri, headers, encrypted))
}

fn may_change(uri: &Uri, headers: &HeaderMap, encrypted: bool) -> bool {
    let origin = text(headers, ORIGIN.as_str());
    let origin_fits = origin.map(|origin| is_own_origin(origin, uri, headers, encrypted));
    let site_fits = match text(headers, "sec-fetch-site") {
        Some(site) => matches!(site, "same-origin" | "none") && origin_fits != Some(false),
        None => origin_fits == Some(true),
    };
    headers.contains_key("x-lanthorn") && site_fits
}

/// True for the origin of the address that was asked for: same scheme, name and port.
fn is_own_origin(origin: &str, uri: &Uri, headers: &HeaderMap, encrypted: bool) -> bool {
    let asked = text(headers, HOST.as_str()).or_else(|| uri.authority().map(|authority| authority.as_str()));
    let (scheme, default_port) = if encrypted { ("https://", ":443") } else { ("http://", ":80") };
    let plain = |authority: &str| {
        let authority = authority.to_ascii_lowercase();
        authority.strip_suffix(default_port).map(str::to_owned).unwrap_or(authority)
    };
    match (asked, origin.strip_prefix(scheme)) {
        (Some(asked), Some(origin)) => plain(asked) == plain(origin),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect()
    }

    #[test]
    fn changes_come_from_our_own_page() {
        const HOST: (&str, &str) = ("host", "attic:7000");
        const MARK: (&str, &str) = ("x-lanthorn", "1");
        for (pairs, may) in [
            (&[HOST, MARK, ("origin", "http://attic:7000")][..], true),
            (&[HOST, MARK, ("sec-fetch-site", "same-origin")], true),
            (&[HOST, MARK, ("sec-fetch-site", "same-origin"), ("origin", "http://attic:7000")], true),
            (&[HOST, MARK, ("origin", "http://ATTIC:7000")], true),
            (&[HOST, ("origin", "http://attic:7000")], false),
            (&[HOST, MARK], false),
            (&[HOST, MARK, ("origin", "null")], false),
            (&[HOST, MARK, ("origin", "http://evil.example")], false),
            (&[HOST, MARK, ("origin", "http://attic:7001")], false),
            (&[HOST, MARK, ("origin", "http://attic")], false),
            (&[HOST, MARK, ("origin", "https://attic:7000")], false),
            (&[HOST, MARK, ("origin", "http://attic:7000.evil.example")], false),
            (&[HOST, MARK, ("sec-fetch-site", "same-site"), ("origin", "http://attic:7000")], false),
            (&[HOST, MARK, ("sec-fetch-site", "cross-site")], false),
            (&[HOST, MARK, ("sec-fetch-site", "same-origin"), ("origin", "http://evil.example")], false),
        ] {
            assert_eq!(may_change(&Uri::from_static("/api/v1/x"), &headers(pairs), false), may, "{pairs:?}");
        }
        let over_tls = headers(&[("host", "attic"), ("x-lanthorn", "1"), ("origin", "https://attic:443")]);
        assert!(may_change(&Uri::from_static("/api/v1/x"), &over_tls, true));
        let http2 = headers(&[("x-lanthorn", "1"), ("origin", "https://attic:7000")]);
        assert!(may_change(&Uri::from_static("https://attic:7000/api/v1/x"), &http2, true));
    }

    #[test]
    fn sockets_are_opened_by_our_own_page_and_by_programs() {
        const HOST: (&str, &str) = ("host", "attic:7000");
        const UPGRADE: (&str, &str) = ("upgrade", "websocket");
        for (pairs, may) in [
            (&[HOST, UPGRADE][..], true),
            (&[HOST, UPGRADE, ("origin", "http://attic:7000")], true),
            (&[HOST, UPGRADE, ("origin", "http://evil.example")], false),
            (&[HOST, UPGRADE, ("origin", "https://attic:7000")], false),
            (&[HOST, UPGRADE, ("origin", "null")], false),
            (&[HOST, ("origin", "http://evil.example")], true),
        ] {
            let uri = Uri::from_static("/api/v1/events/ws");
            assert_eq!(may_connect(&uri, &headers(pairs), false), may, "{pairs:?}");
        }
    }

    #[test]
    fn the_api_is_not_embedded_elsewhere() {
        for (path, site, may) in [
            ("/api/v1/status", "same-origin", true),
            ("/api/v1/status", "none", true),
            ("/api/v1/status", "same-site", false),
            ("/api/v1/status", "cross-site", false),
            ("/", "cross-site", true),
            ("/trust/authority.crt", "cross-site", true),
        ] {
            assert_eq!(
                may_read(&Uri::from_static(path), &headers(&[("sec-fetch-site", site)])),
                may,
                "{path} {site}"
            );
        }
        assert!(may_read(&Uri::from_static("/api/v1/status"), &HeaderMap::new()));
    }
}

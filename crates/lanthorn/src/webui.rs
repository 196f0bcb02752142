//! The page, out of the binary: compressed where the browser takes it, kept for good where its name says its content.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, header};
use axum::response::IntoResponse;
use rust_embed::RustEmbed;

/// What `make web` built.
#[derive(RustEmbed)]
#[folder = "$LANTHORN_WEB_DIST"]
struct Dist;

/// Stands in the page where the nonce of this answer goes.
const NONCE_MARK: &str = "__CSP_NONCE__";

/// True if the page was built into this binary.
pub fn is_built() -> bool {
    Dist::get("index.html").is_some()
}

/// Answers every address that is not the API's: a file of the page, or the page itself for its own addresses.
pub async fn serve(method: Method, uri: Uri, headers: HeaderMap) -> Response<Body> {
    if method != Method::GET && method != Method::HEAD {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let path = uri.path().trim_start_matches('/');
    match asset(path, &headers) {
        Some(answer) => answer,
        None if is_address(path) => page(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Whether this is an address inside the page. A name with an ending is a file of the page that is not there, except
/// where the address itself names a file of a share.
fn is_address(path: &str) -> bool {
    let names_files = ["files/", "edit/"].iter().any(|page| path.starts_with(page));
    names_files || path.rsplit('/').next().is_none_or(|name| !name.contains('.'))
}

fn asset(path: &str, headers: &HeaderMap) -> Option<Response<Body>> {
    if path.is_empty() || path == "index.html" || path.ends_with(".br") || path.ends_with(".gz") {
        return None;
    }
    let plain = Dist::get(path)?;
    let tag = format!("\"{}\"", hex(&plain.metadata.sha256_hash()[..16]));
    let keep = if path.starts_with("assets/") { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut answer = Response::builder()
        .header(header::ETAG, &tag)
        .header(header::CACHE_CONTROL, keep)
        .header(header::CONTENT_TYPE, media_type(path))
        .header(header::VARY, "Accept-Encoding");
    if headers.get(header::IF_NONE_MATCH).is_some_and(|seen| seen.as_bytes() == tag.as_bytes()) {
        return answer.status(StatusCode::NOT_MODIFIED).body(Body::empty()).ok();
    }
    for (coding, ending) in [("br", ".br"), ("gzip", ".gz")] {
        if let Some(packed) = Dist::get(&format!("{path}{ending}")).filter(|_| accepts(headers, coding)) {
            answer = answer.header(header::CONTENT_ENCODING, coding);
            return answer.body(Body::from(packed.data.into_owned())).ok();
        }
    }
    answer.body(Body::from(plain.data.into_owned())).ok()
}

fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    let offered =
        headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default();
    offered.split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        words.next() == Some(coding) && !words.any(|weight| weight == "q=0")
    })
}

/// The page itself, never kept, with a nonce of its own and the policy that goes with it.
fn page() -> Response<Body> {
    let Some(index) = Dist::get("index.html") else { return not_built() };
    let mut random = [0u8; 16];
    if getrandom::fill(&mut random).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let nonce = hex(&random);
    let html = String::from_utf8_lossy(&index.data).replace(NONCE_MARK, &nonce);
    let mut answer = Response::new(Body::from(html));
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(policy) = HeaderValue::from_str(&policy(&nonce)) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    answer
}

/// What the page may do: only its own scripts, only its own origin, no HTML from strings but through two named policies.
fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' blob: data:; \
         media-src 'self' blob:; font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; \
         frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'; \
         require-trusted-types-for 'script'; trusted-types svelte-trusted-html app-worker"
    )
}

fn not_built() -> Response<Body> {
    let text =
        "This Lanthorn was built without its page.\n\nRun `make web` in the checkout and build again.\n";
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_an_ending_is_an_address_where_files_of_a_share_are_named() {
        for (path, address) in [
            ("", true),
            ("settings", true),
            ("files/d/s/notes.md", true),
            ("edit/d/s/notes.md", true),
            ("assets/gone.js", false),
            ("favicon.ico", false),
        ] {
            assert_eq!(is_address(path), address, "{path}");
        }
    }

    #[test]
    fn a_coding_is_used_only_if_the_browser_takes_it() {
        for (offered, taken) in
            [("gzip, br", true), ("br;q=0", false), ("br;q=0.5", true), ("", false), ("brotli", false)]
        {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_str(offered).unwrap());
            assert_eq!(accepts(&headers, "br"), taken, "{offered}");
        }
    }
}

//! What a person needs to trust this machine: fingerprints to compare, and the authority's certificate to install.
//! For everybody: it is what TLS shows to anyone who connects.

use std::net::IpAddr;

use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use proto::ApiError;
use proto::api::settings::Trust;

use super::caller::Anybody;
use super::error::Refusal;
use crate::authority::{base64, fingerprint, own_addresses};
use crate::coordinator::{Coordinator, Rooms};

/// The fingerprints and private addresses of this machine.
#[utoipa::path(get, path = "/api/v1/trust", tag = "trust", responses((status = 200, body = Trust)))]
pub(crate) async fn trust(
    State(coordinator): State<Coordinator>,
    Anybody(connection): Anybody,
) -> Json<Trust> {
    let rooms = coordinator.rooms();
    let authority = rooms.authority.certificate();
    Json(Trust {
        certificate_fingerprint: rooms.authority.fingerprint(),
        authority_fingerprint: authority.map(|(der, _)| fingerprint(der)).unwrap_or_default(),
        authority_url: "/trust/authority.crt".to_owned(),
        private_urls: private_urls(rooms, connection.local.port()),
        own_authority: authority.is_some(),
    })
}

pub(crate) fn private_urls(rooms: &Rooms, port: u16) -> Vec<String> {
    let port = if port == 443 { String::new() } else { format!(":{port}") };
    let names = rooms.names.names().iter().cloned();
    let configured = rooms.names.addresses().iter().copied();
    let addresses = own_addresses().into_iter().chain(configured).filter(reachable).map(|ip| match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    });
    names.chain(addresses).map(|host| format!("https://{host}{port}/")).collect()
}

/// Link-local addresses need a zone in the browser, which none takes.
fn reachable(address: &IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !v4.is_link_local(),
        IpAddr::V6(v6) => !v6.is_unicast_link_local(),
    }
}

/// The authority's certificate, as most systems install it.
#[utoipa::path(get, path = "/trust/authority.crt", tag = "trust",
    responses((status = 200, content_type = "application/x-x509-ca-cert", body = Vec<u8>), (status = 404, body = ApiError)))]
pub(crate) async fn authority_der(State(coordinator): State<Coordinator>) -> Result<Response, Refusal> {
    let (der, _) = certificate(&coordinator)?;
    Ok(file("application/x-x509-ca-cert", "lanthorn-authority.crt", der.to_vec()))
}

/// The authority's certificate as text.
#[utoipa::path(get, path = "/trust/authority.pem", tag = "trust",
    responses((status = 200, content_type = "application/x-pem-file", body = String), (status = 404, body = ApiError)))]
pub(crate) async fn authority_pem(State(coordinator): State<Coordinator>) -> Result<Response, Refusal> {
    let (_, pem) = certificate(&coordinator)?;
    Ok(file("application/x-pem-file", "lanthorn-authority.pem", pem.to_owned().into_bytes()))
}

/// The authority's certificate as a profile for Apple's systems.
#[utoipa::path(get, path = "/trust/lanthorn.mobileconfig", tag = "trust",
    responses((status = 200, content_type = "application/x-apple-aspen-config", body = String), (status = 404, body = ApiError)))]
pub(crate) async fn mobileconfig(State(coordinator): State<Coordinator>) -> Result<Response, Refusal> {
    let (der, _) = certificate(&coordinator)?;
    let name = coordinator.rooms().settings.get().device_name;
    Ok(file("application/x-apple-aspen-config", "lanthorn.mobileconfig", profile(der, &name).into_bytes()))
}

fn certificate(coordinator: &Coordinator) -> Result<(&[u8], &str), Refusal> {
    let none = || {
        Refusal::not_found("This machine shows a certificate of its owner's; there is nothing to install.")
    };
    coordinator.rooms().authority.certificate().ok_or_else(none)
}

fn file(kind: &'static str, name: &str, bytes: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}\"");
    ([(CONTENT_TYPE, kind), (CACHE_CONTROL, "no-cache")], [(CONTENT_DISPOSITION, disposition)], bytes)
        .into_response()
}

/// An Apple configuration profile with one root certificate. Its ids follow from the certificate, so that installing
/// it again replaces it.
fn profile(der: &[u8], device_name: &str) -> String {
    let hash = blake3::hash(der);
    let id = |offset: usize| {
        let bytes: [u8; 16] = std::array::from_fn(|i| hash.as_bytes()[offset + i]);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string().to_uppercase()
    };
    let (profile_id, payload_id) = (id(0), id(16));
    let title = escape_xml(&format!("Lanthorn on {device_name}"));
    let content = base64(der);
    format!(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
<key>PayloadType</key><string>Configuration</string>
<key>PayloadVersion</key><integer>1</integer>
<key>PayloadIdentifier</key><string>lanthorn.{profile_id}</string>
<key>PayloadUUID</key><string>{profile_id}</string>
<key>PayloadDisplayName</key><string>{title}</string>
<key>PayloadDescription</key><string>Lets this device trust the private connections of {title}. It can vouch for that machine's own names and for private addresses only.</string>
<key>PayloadContent</key><array><dict>
<key>PayloadType</key><string>com.apple.security.root</string>
<key>PayloadVersion</key><integer>1</integer>
<key>PayloadIdentifier</key><string>lanthorn.{payload_id}</string>
<key>PayloadUUID</key><string>{payload_id}</string>
<key>PayloadDisplayName</key><string>{title}</string>
<key>PayloadCertificateFileName</key><string>lanthorn-authority.crt</string>
<key>PayloadContent</key><data>{content}</data>
</dict></array>
</dict></plist>
"#
    )
}

fn escape_xml(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

//! The way to a device: takes an authorised request to whichever link the device has, and the answer back.
//! Nothing is collected or rewrapped on the way, so that a file's bytes can still go by the kernel alone.

mod agent;
mod link;
mod peer;
pub(crate) mod tail;

use std::collections::HashMap;
use std::sync::Arc;

use ::peer::{Endpoint, PathState};
use axum::body::Body;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, Uri};
use parking_lot::RwLock;
use proto::DeviceId;
use proto::wire::link::Addresses;

pub use agent::HttpLink;
pub use link::{Link, LinkError, RouterLink};

use crate::access::{Grant, TicketDesk};

/// Headers that belong to one connection only (RFC 9110 §7.6.1).
const HOP_HEADERS: [HeaderName; 7] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];
/// Headers that say who asks: the ticket alone says that to a device.
const CALLER_HEADERS: [HeaderName; 6] = [
    header::COOKIE,
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("x-lanthorn"),
    HeaderName::from_static("x-lanthorn-setup-code"),
    HeaderName::from_static("lanthorn-upload-key"),
];

/// Why a request did not reach its device.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GatewayError {
    #[error("cannot write a ticket")]
    Ticket,
    #[error("cannot write the device's address")]
    Address,
    #[error(transparent)]
    Link(#[from] LinkError),
}

/// The links to devices: those that were given, this machine's own among them, and through the endpoint every other's.
pub(crate) struct Gateway {
    local: DeviceId,
    links: RwLock<HashMap<DeviceId, Arc<dyn Link>>>,
    endpoint: RwLock<Option<Endpoint>>,
    /// This coordinator's own relay, as this machine reaches it.
    relay: RwLock<Option<String>>,
}

impl Gateway {
    pub(crate) fn new(local: DeviceId) -> Self {
        Self { local, links: RwLock::default(), endpoint: RwLock::default(), relay: RwLock::default() }
    }

    pub(crate) fn set_local(&self, link: Arc<dyn Link>) {
        self.set_link(self.local, link);
    }

    /// Requests to this device take this link.
    pub(crate) fn set_link(&self, device: DeviceId, link: Arc<dyn Link>) {
        self.links.write().insert(device, link);
    }

    /// From now on other machines are reached through this endpoint; they are here.
    pub(crate) fn set_endpoint(&self, endpoint: Endpoint, known: Vec<(DeviceId, Addresses)>) {
        *self.endpoint.write() = Some(endpoint);
        known.into_iter().for_each(|(device, addresses)| self.learn(device, addresses));
    }

    /// From now on other machines are met at this relay where there is no direct way; they are here.
    pub(crate) fn set_relay(&self, url: String, known: Vec<(DeviceId, Addresses)>) {
        *self.relay.write() = Some(url);
        known.into_iter().for_each(|(device, addresses)| self.learn(device, addresses));
    }

    /// The key that this gateway presents to other machines.
    pub(crate) fn id(&self) -> Option<DeviceId> {
        self.endpoint.read().as_ref().map(Endpoint::id)
    }

    /// Where this machine is, if it can be dialled by this key.
    pub(crate) fn own_addresses(&self, key: DeviceId) -> Addresses {
        let endpoint = self.endpoint.read();
        let own = endpoint.as_ref().filter(|endpoint| endpoint.id() == key);
        own.map(|endpoint| endpoint.addresses().borrow().clone()).unwrap_or_default()
    }

    /// Learns where a machine is. Whatever the relay is called where that machine is, it is this one.
    pub(crate) fn learn(&self, device: DeviceId, addresses: Addresses) {
        if let Some(endpoint) = &*self.endpoint.read() {
            endpoint.learn(device, Addresses { relay: self.relay.read().clone(), ..addresses });
        }
    }

    /// Ends every connection to a machine that is shown out.
    pub(crate) fn part_with(&self, device: DeviceId) {
        if let Some(endpoint) = &*self.endpoint.read() {
            endpoint.revoke(device);
        }
    }

    /// How another machine is reached now.
    pub(crate) fn path(&self, device: DeviceId) -> Option<PathState> {
        self.endpoint.read().as_ref().map(|endpoint| endpoint.path(device))
    }

    /// True if this machine's own agent answers.
    pub(crate) fn is_local_online(&self) -> bool {
        self.links.read().contains_key(&self.local)
    }

    /// The link to a device, and the key with which it is asked, if it is asked with one.
    fn link_to(&self, device: DeviceId) -> Result<(Arc<dyn Link>, Option<DeviceId>), LinkError> {
        if let Some(link) = self.links.read().get(&device) {
            return Ok((Arc::clone(link), None));
        }
        let endpoint = self.endpoint.read().clone().ok_or(LinkError::Offline)?;
        let presenter = endpoint.id();
        Ok((Arc::new(peer::PeerLink { endpoint, device }), Some(presenter)))
    }

    /// Sends an authorised request. `tail` is what follows `/agent/v1`, with its query.
    pub(crate) async fn send(
        &self,
        grant: &Grant,
        tickets: &TicketDesk,
        tail: &str,
        mut request: Request<Body>,
    ) -> Result<Response<Body>, GatewayError> {
        let (link, presenter) = self.link_to(grant.device())?;
        let bearer = tickets.bearer(grant, presenter).map_err(|_| GatewayError::Ticket)?;
        *request.uri_mut() = Uri::try_from(format!("/agent/v1{tail}")).map_err(|_| GatewayError::Address)?;
        replace_headers(request.headers_mut(), bearer);
        let mut response = link.send(request).await?;
        strip_hop_headers(response.headers_mut());
        response.headers_mut().remove(header::SET_COOKIE);
        Ok(response)
    }
}

fn replace_headers(headers: &mut HeaderMap, bearer: Option<HeaderValue>) {
    strip_hop_headers(headers);
    for name in &CALLER_HEADERS {
        headers.remove(name);
    }
    if let Some(bearer) = bearer {
        headers.insert(header::AUTHORIZATION, bearer);
    }
}

/// Removes the headers of one connection, and those that its `Connection` header names.
fn strip_hop_headers(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in HOP_HEADERS.iter().chain(&named) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_hop_and_of_the_caller_stay_here() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("cookie", "lanthorn=1"),
            ("authorization", "Bearer forged"),
            ("connection", "close, X-Secret"),
            ("x-secret", "1"),
            ("te", "trailers"),
            ("range", "bytes=0-1"),
            ("if-none-match", "\"a\""),
            ("x-lanthorn", "1"),
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        replace_headers(&mut headers, Some(HeaderValue::from_static("Bearer real")));
        let mut left: Vec<_> = headers.iter().map(|(n, v)| (n.as_str(), v.to_str().unwrap())).collect();
        left.sort_unstable();
        assert_eq!(
            left,
            [("authorization", "Bearer real"), ("if-none-match", "\"a\""), ("range", "bytes=0-1")]
        );
        replace_headers(&mut headers, None);
        assert!(!headers.contains_key("authorization"), "without a ticket nobody is named");
    }
}

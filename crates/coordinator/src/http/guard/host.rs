//! The name by which a request asks for this machine. A page on another site can point a name of its own at our
//! address (DNS rebinding); its requests then look same-origin to the browser, and only the name tells.

use std::net::IpAddr;

use axum::extract::Request;
use axum::http::header::HOST;
use axum::http::{HeaderMap, Uri};
use peer::connection::{Connection, canonical};
use proto::ErrorCode;

use crate::authority::HostNames;
use crate::coordinator::Coordinator;
use crate::http::error::Refusal;

/// The host part of `Host` or `:authority`, without the port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AskedHost {
    Address(IpAddr),
    /// In lower case.
    Name(String),
}

impl AskedHost {
    pub(crate) fn is_loopback(&self) -> bool {
        match self {
            Self::Address(ip) => ip.is_loopback(),
            Self::Name(name) => name == "localhost",
        }
    }

    fn parse(authority: &str) -> Option<Self> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (host, port) = rest.split_once(']')?;
                (host, port)
            }
            None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
        };
        let port_is_plain = port.is_empty()
            || port.strip_prefix(':').is_some_and(|digits| {
                !digits.is_empty() && digits.len() <= 5 && digits.bytes().all(|b| b.is_ascii_digit())
            });
        if !port_is_plain {
            return None;
        }
        let bracketed = authority.starts_with('[');
        match host.parse::<IpAddr>() {
            Ok(ip) if ip.is_ipv6() == bracketed => Some(Self::Address(canonical(ip))),
            Ok(_) => None,
            Err(_) if bracketed || host.is_empty() => None,
            Err(_) => Some(Self::Name(host.to_ascii_lowercase())),
        }
    }
}

/// The one host that a request asks for; `None` if it names none, several, or two different ones.
pub(crate) fn asked_host(uri: &Uri, headers: &HeaderMap) -> Option<AskedHost> {
    let mut named = headers.get_all(HOST).iter();
    let header = named.next();
    if named.next().is_some() {
        return None;
    }
    let header = header.map(|value| value.to_str().ok().and_then(AskedHost::parse));
    let target = uri.authority().map(|authority| AskedHost::parse(authority.as_str()));
    match (header, target) {
        (Some(header), None) => header,
        (None, Some(target)) => target,
        (Some(header), Some(target)) if header == target => header,
        _ => None,
    }
}

/// True if this machine answers to the name on this connection.
fn is_ours(host: &AskedHost, connection: &Connection, names: &HostNames) -> bool {
    host.is_loopback()
        || match host {
            AskedHost::Address(ip) => {
                *ip == canonical(connection.local.ip()) || names.addresses().contains(ip)
            }
            AskedHost::Name(name) => names.has_name(name),
        }
}

/// Refuses a request for a name that is not this machine's.
pub(super) fn check(request: &Request, coordinator: &Coordinator) -> Result<(), Refusal> {
    let Some(connection) = request.extensions().get::<Connection>() else {
        tracing::error!("a request came without its connection");
        return Err(Refusal::internal());
    };
    match asked_host(request.uri(), request.headers()) {
        Some(host) if is_ours(&host, connection, &coordinator.rooms().names) => Ok(()),
        _ => Err(unknown_host()),
    }
}

fn unknown_host() -> Refusal {
    Refusal::new(
        ErrorCode::UnknownHost,
        "This machine does not answer to that name.",
        "Use its address, its host name, or a name that is in its settings.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        Connection {
            remote: ([192, 168, 1, 9], 50000).into(),
            local: ([192, 168, 1, 7], 7000).into(),
            encrypted: false,
        }
    }

    #[test]
    fn only_own_names_pass() {
        let names = HostNames::new("attic", &["files.example.org".into(), "203.0.113.9".into()]);
        for (host, ours) in [
            ("localhost", true),
            ("LOCALHOST:7000", true),
            ("127.0.0.1:7000", true),
            ("127.9.9.9", true),
            ("[::1]:7000", true),
            ("192.168.1.7:7000", true),
            ("192.168.1.7:80", true),
            ("[::ffff:192.168.1.7]", true),
            ("attic", true),
            ("attic.local:7000", true),
            ("files.example.org", true),
            ("203.0.113.9", true),
            ("192.168.1.8", false),
            ("evil.example", false),
            ("localhost.evil.com", false),
            ("localhost.", false),
            ("attic.local.", false),
            ("evil.files.example.org", false),
            ("127.0.0.1.evil.com", false),
            ("0.0.0.0", false),
            ("[fe80::1%25eth0]", false),
            ("::1", false),
            ("[127.0.0.1]", false),
            ("[attic]", false),
            ("attic:", false),
            ("attic:70000000", false),
            ("attic:7000:7000", false),
            ("user@attic", false),
            ("", false),
        ] {
            let asked = AskedHost::parse(host);
            let passes = asked.is_some_and(|host| is_ours(&host, &connection(), &names));
            assert_eq!(passes, ours, "{host}");
        }
    }

    #[test]
    fn a_request_names_one_host() {
        let asked = |uri: &'static str, hosts: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for host in hosts {
                headers.append(HOST, (*host).parse().unwrap());
            }
            asked_host(&Uri::from_static(uri), &headers).is_some()
        };
        assert!(asked("/x", &["attic"]));
        assert!(asked("https://attic:7000/x", &[]), "HTTP/2");
        assert!(asked("http://attic/x", &["attic"]));
        assert!(!asked("http://attic/x", &["evil.example"]));
        assert!(!asked("/x", &["attic", "evil.example"]));
        assert!(!asked("/x", &["attic", "attic"]));
        assert!(!asked("/x", &[]));
    }
}

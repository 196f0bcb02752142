//! What this machine is called on the network: one list for the certificates and for the check of `Host`.

use std::net::IpAddr;

use peer::connection::canonical;

/// The names by which callers may ask for this machine, in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostNames {
    names: Vec<String>,
    addresses: Vec<IpAddr>,
}

impl HostNames {
    /// The host's own name, that name on the local network, and what the owner configured (names or addresses).
    pub(crate) fn new(host_name: &str, configured: &[String]) -> Self {
        let mut names = Vec::new();
        let mut addresses = Vec::new();
        let host = host_name.trim_end_matches('.').to_ascii_lowercase();
        if is_name(&host) && host != "localhost" {
            names.push(host.clone());
            if !host.contains('.') {
                names.push(format!("{host}.local"));
            }
        }
        for text in configured {
            match text.parse::<IpAddr>() {
                Ok(address) => addresses.push(canonical(address)),
                Err(_) => names.push(text.trim_end_matches('.').to_ascii_lowercase()),
            }
        }
        names.retain(|name| is_name(name));
        names.sort_unstable();
        names.dedup();
        Self { names, addresses }
    }

    /// The names, without `localhost`.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Addresses the owner configured, such as that of a router that forwards a port.
    pub(crate) fn addresses(&self) -> &[IpAddr] {
        &self.addresses
    }

    pub(crate) fn has_name(&self, lower_case: &str) -> bool {
        self.names.iter().any(|name| name == lower_case)
    }
}

/// True for what can stand in a certificate and in a `Host` header.
fn is_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// The addresses of this machine's interfaces, loopback apart.
pub(crate) fn own_addresses() -> Vec<IpAddr> {
    let Ok(interfaces) = if_addrs::get_if_addrs() else { return Vec::new() };
    let mut addresses: Vec<_> =
        interfaces.into_iter().map(|i| canonical(i.ip())).filter(|ip| !ip.is_loopback()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_lower_case_and_fit_to_be_names() {
        let names =
            HostNames::new("Attic", &["NAS.example.org.".into(), "203.0.113.9".into(), "bad name".into()]);
        assert_eq!(names.names(), ["attic", "attic.local", "nas.example.org"]);
        assert_eq!(names.addresses(), [IpAddr::from([203, 0, 113, 9])]);
        assert_eq!(HostNames::new("localhost", &[]).names(), [""; 0]);
        assert_eq!(HostNames::new("box.lan", &[]).names(), ["box.lan"]);
    }
}

//! Where this device can be reached, as far as it can tell itself.

use std::net::{IpAddr, SocketAddr};

use parking_lot::Mutex;
use proto::wire::link::Addresses;
use tokio::sync::watch;

/// Where this device is, kept up to date.
pub(crate) struct Whereabouts {
    known: Mutex<Known>,
    told: watch::Sender<Addresses>,
}

#[derive(Default)]
struct Known {
    /// Where the edge listens.
    tcp: Option<SocketAddr>,
    /// Where the QUIC lane listens, as it sees itself and as others saw it.
    udp: Vec<SocketAddr>,
    relay: Option<String>,
}

impl Whereabouts {
    pub(crate) fn new() -> Self {
        Self { known: Mutex::default(), told: watch::Sender::new(Addresses::default()) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<Addresses> {
        self.told.subscribe()
    }

    /// The port of the edge, if it listens.
    pub(crate) fn port(&self) -> Option<u16> {
        self.known.lock().tcp.map(|address| address.port())
    }

    pub(crate) fn set_tcp(&self, listening: SocketAddr) {
        self.update(|known| known.tcp = Some(listening));
    }

    pub(crate) fn set_udp(&self, seen: Vec<SocketAddr>, relay: Option<String>) {
        self.update(|known| (known.udp, known.relay) = (seen, relay));
    }

    fn update(&self, change: impl FnOnce(&mut Known)) {
        let now = {
            let mut known = self.known.lock();
            change(&mut known);
            known.addresses(&interfaces())
        };
        self.told.send_if_modified(|told| {
            let changed = *told != now;
            *told = now;
            changed
        });
    }
}

impl Known {
    fn addresses(&self, interfaces: &[IpAddr]) -> Addresses {
        let direct: Vec<SocketAddr> = match self.tcp {
            None => Vec::new(),
            Some(tcp) if !tcp.ip().is_unspecified() => vec![tcp],
            Some(tcp) => {
                let reachable = interfaces.iter().filter(|ip| tcp.is_ipv6() || ip.is_ipv4());
                reachable.map(|ip| SocketAddr::new(*ip, tcp.port())).collect()
            }
        };
        let udp = self.udp.iter().copied().filter(|address| !direct.contains(address)).collect();
        Addresses { direct, udp, relay: self.relay.clone() }
    }
}

/// This machine's addresses, the likeliest to be reached first; its own for itself last.
fn interfaces() -> Vec<IpAddr> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<IpAddr> = found.iter().map(if_addrs::Interface::ip).filter(is_usable).collect();
    addresses.sort_by_key(|ip| (ip.is_loopback(), ip.is_ipv6()));
    addresses.dedup();
    addresses
}

/// Link-local addresses mean something else on every interface.
fn is_usable(ip: &IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !ip.is_link_local(),
        IpAddr::V6(ip) => !ip.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sockets(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn what_is_said_is_where_it_listens() {
        let interfaces: Vec<IpAddr> =
            ["10.0.0.2", "fd00::2", "127.0.0.1"].iter().map(|ip| ip.parse().unwrap()).collect();
        let cases: [(Option<&str>, &[&str]); 4] = [
            (None, &[]),
            (Some("127.0.0.1:7000"), &["127.0.0.1:7000"]),
            (Some("0.0.0.0:7000"), &["10.0.0.2:7000", "127.0.0.1:7000"]),
            (Some("[::]:7000"), &["10.0.0.2:7000", "[fd00::2]:7000", "127.0.0.1:7000"]),
        ];
        for (tcp, direct) in cases {
            let known = Known { tcp: tcp.map(|text| text.parse().unwrap()), ..Known::default() };
            assert_eq!(known.addresses(&interfaces).direct, sockets(direct), "{tcp:?}");
        }
    }

    #[test]
    fn udp_is_said_only_where_it_differs() {
        let known = Known {
            tcp: Some("0.0.0.0:7000".parse().unwrap()),
            udp: sockets(&["10.0.0.2:7000", "198.51.100.7:40000"]),
            relay: None,
        };
        let said = known.addresses(&["10.0.0.2".parse().unwrap()]);
        assert_eq!(said.udp, sockets(&["198.51.100.7:40000"]));
    }
}

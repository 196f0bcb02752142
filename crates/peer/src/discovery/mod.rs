//! Coordinators on the local network, found and announced by multicast DNS as `_lanthorn._tcp`. All of it is hints:
//! anybody on the network can say anything, and whoever is found still has to prove who it is.
//!
//! A search asks from ports of its own, so that answers come straight back and nothing else on the machine that speaks
//! multicast DNS is disturbed. IPv4 only: what is found this way is on the same network.

mod words;

use std::collections::HashSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use proto::DeviceId;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;

/// Where multicast DNS is spoken.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
/// On this port.
const PORT: u16 = 5353;
/// When the question is asked again: a packet may be lost, and a sleeping radio wakes at the first.
const ASK_AGAIN: [Duration; 3] =
    [Duration::from_millis(300), Duration::from_millis(1000), Duration::from_secs(3)];
/// The longest message taken.
const MAX_MESSAGE: usize = 9000;
/// What was found and not fetched yet.
const QUEUE: usize = 16;
/// Different answers taken in one search; a network with more is an attack.
const MAX_FOUND: usize = 64;

/// A coordinator that says it is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// What it calls itself.
    pub name: String,
    /// Its address for people and programs: `https://attic.local:7000`.
    pub url: String,
    /// The machine it runs on.
    pub device: DeviceId,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
}

/// Asks the local network who is there. Answers come as they arrive, each once, until the receiver is dropped or the
/// last question has gone unanswered for a while.
///
/// # Errors
/// No interface can be asked on.
pub fn discover() -> io::Result<mpsc::Receiver<Found>> {
    discover_on(&interfaces(), PORT)
}

fn discover_on(interfaces: &[Ipv4Addr], port: u16) -> io::Result<mpsc::Receiver<Found>> {
    let question = words::question()?;
    let (sender, receiver) = mpsc::channel(QUEUE);
    let sockets: Vec<UdpSocket> =
        interfaces.iter().filter_map(|address| socket(*address, 0, *address).ok()).collect();
    if sockets.is_empty() {
        return Err(io::ErrorKind::NetworkUnreachable.into());
    }
    for socket in sockets {
        tokio::spawn(search(socket, question.clone(), port, sender.clone()));
    }
    Ok(receiver)
}

/// Asks on one interface.
async fn search(socket: UdpSocket, question: Vec<u8>, port: u16, found: mpsc::Sender<Found>) {
    let (mut seen, mut message) = (HashSet::new(), vec![0; MAX_MESSAGE]);
    for patience in ASK_AGAIN {
        if socket.send_to(&question, (GROUP, port)).await.is_err() {
            return;
        }
        let listening = async {
            loop {
                let Ok((len, _)) = socket.recv_from(&mut message).await else { return };
                let Some(one) = words::read_answer(&message[..len]) else { continue };
                let fresh = seen.len() < MAX_FOUND && seen.insert(one.clone());
                if fresh && found.send(one).await.is_err() {
                    return;
                }
            }
        };
        tokio::select! {
            ended = tokio::time::timeout(patience, listening) => if ended.is_ok() { return },
            () = found.closed() => return,
        }
    }
}

/// Answers whoever asks on the local network, until dropped. Several programs of this machine may do so at once.
///
/// # Errors
/// The port of multicast DNS cannot be used.
pub async fn announce(name: &str, url: &str, device: DeviceId, port: u16) -> io::Result<()> {
    announce_on(&interfaces(), PORT, name, url, device, port).await
}

async fn announce_on(
    interfaces: &[Ipv4Addr],
    group_port: u16,
    name: &str,
    url: &str,
    device: DeviceId,
    port: u16,
) -> io::Result<()> {
    let socket = socket(GROUP, group_port, Ipv4Addr::UNSPECIFIED)?;
    let mut joined = 0;
    for interface in interfaces {
        joined += usize::from(socket.join_multicast_v4(GROUP, *interface).is_ok());
    }
    if joined == 0 {
        return Err(io::ErrorKind::NetworkUnreachable.into());
    }
    let addresses = interfaces.iter().map(|ip| SocketAddr::new(IpAddr::V4(*ip), port)).collect();
    let said = Found { name: name.into(), url: url.into(), device, addresses };
    let mut message = vec![0; MAX_MESSAGE];
    loop {
        let (len, asker) = socket.recv_from(&mut message).await?;
        if let Some(id) = words::is_question(&message[..len]) {
            // Straight back to whoever asked: nobody else wants to know.
            if let Err(error) = socket.send_to(&words::answer(id, &said)?, asker).await {
                tracing::debug!(%error, %asker, "cannot answer a search");
            }
        }
    }
}

/// A UDP socket that shares its port and speaks to the group on that interface.
fn socket(address: Ipv4Addr, port: u16, interface: Ipv4Addr) -> io::Result<UdpSocket> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = rustix::net::socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    if port != 0 {
        sockopt::set_socket_reuseaddr(&socket, true)?;
        sockopt::set_socket_reuseport(&socket, true)?;
    }
    if !interface.is_unspecified() {
        sockopt::set_ip_multicast_if(&socket, &interface)?;
    }
    rustix::net::bind(&socket, &SocketAddr::from((address, port)))?;
    UdpSocket::from_std(socket.into())
}

/// This machine's addresses on networks; itself alone where there is none.
fn interfaces() -> Vec<Ipv4Addr> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let mut addresses: Vec<Ipv4Addr> = found
        .iter()
        .filter_map(|interface| match interface.ip() {
            IpAddr::V4(ip) => Some(ip),
            IpAddr::V6(_) => None,
        })
        .collect();
    if addresses.iter().any(|ip| !ip.is_loopback()) {
        addresses.retain(|ip| !ip.is_loopback());
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_announces_is_found() {
        let here = [Ipv4Addr::LOCALHOST];
        // A port of our own, lest a real network answers.
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let device = DeviceId::from_public_key([7; 32]);
        let announcing = announce_on(&here, free, "Attic", "https://attic.local:7000", device, 7000);
        let searching = async {
            let mut found = discover_on(&here, free).unwrap();
            found.recv().await
        };
        let found = tokio::select! {
            ended = announcing => panic!("the announcement ended: {ended:?}"),
            found = searching => found,
        };
        let expected = Found {
            name: "Attic".into(),
            url: "https://attic.local:7000".into(),
            device,
            addresses: vec!["127.0.0.1:7000".parse().unwrap()],
        };
        assert_eq!(found, Some(expected));
    }
}

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

/// How often an announcement looks whether there are other networks now.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// What a coordinator says of itself. Nothing of it is private.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Said {
    /// The coordinator: the id of its key.
    pub coordinator: String,
    /// What it calls itself.
    pub name: String,
    /// Whether it answers over HTTPS.
    pub https: bool,
    /// What it is there for.
    pub serves: Serves,
}

/// What somebody who says that they are there is there for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Serves {
    /// Everything that a coordinator does.
    Coordinator,
    /// Codes alone: somebody waits to hand something over.
    Codes,
}

/// A coordinator that says it is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// What it says.
    pub said: Said,
    /// Where it listens; first where its answer came from.
    pub addresses: Vec<SocketAddr>,
}

impl Found {
    /// Where it may be asked, as addresses for programs: `https://192.168.1.7:7000`.
    pub fn urls(&self) -> impl Iterator<Item = String> + use<'_> {
        let scheme = if self.said.https { "https" } else { "http" };
        self.addresses.iter().map(move |address| format!("{scheme}://{address}"))
    }

    /// The address that an answer came from is certainly a way back.
    fn seen_from(mut self, from: IpAddr) -> Self {
        if let Some(port) = self.addresses.first().map(SocketAddr::port) {
            let seen = SocketAddr::new(from, port);
            self.addresses.retain(|address| *address != seen);
            self.addresses.insert(0, seen);
        }
        self
    }
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
                let Ok((len, from)) = socket.recv_from(&mut message).await else { return };
                let Some(one) = words::read_answer(&message[..len]) else { continue };
                let one = one.seen_from(from.ip());
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

/// Answers whoever asks on the local network for what listens at `bound`, until dropped. Several programs of this
/// machine may do so at once. Networks that come later are served as well.
///
/// # Errors
/// The port of multicast DNS cannot be used.
pub async fn announce(bound: SocketAddr, says: impl Fn() -> Said + Send + Sync) -> io::Result<()> {
    let places = || match bound.ip() {
        ip if ip.is_unspecified() => interfaces(),
        IpAddr::V4(ip) => vec![ip],
        IpAddr::V6(_) => Vec::new(),
    };
    announce_on(places, PORT, bound.port(), says).await
}

async fn announce_on(
    places: impl Fn() -> Vec<Ipv4Addr>,
    group_port: u16,
    port: u16,
    says: impl Fn() -> Said,
) -> io::Result<()> {
    let socket = socket(GROUP, group_port, Ipv4Addr::UNSPECIFIED)?;
    let (mut heard_on, mut message) = (Vec::new(), vec![0; MAX_MESSAGE]);
    let mut look = tokio::time::interval(LOOK_EVERY);
    loop {
        let (len, asker) = tokio::select! {
            received = socket.recv_from(&mut message) => received?,
            _ = look.tick() => {
                heard_on = listen_on(&socket, &heard_on, places());
                continue;
            }
        };
        let Some(id) = words::is_question(&message[..len]) else { continue };
        let addresses = heard_on.iter().map(|ip| SocketAddr::new(IpAddr::V4(*ip), port)).collect();
        let answer = words::answer(id, &Found { said: says(), addresses })?;
        // Straight back to whoever asked: nobody else wants to know.
        if let Err(error) = socket.send_to(&answer, asker).await {
            tracing::debug!(%error, %asker, "cannot answer a search");
        }
    }
}

/// Hears the group on these interfaces; gives those on which that is possible.
fn listen_on(socket: &UdpSocket, before: &[Ipv4Addr], now: Vec<Ipv4Addr>) -> Vec<Ipv4Addr> {
    let joins = |ip: &Ipv4Addr| before.contains(ip) || socket.join_multicast_v4(GROUP, *ip).is_ok();
    now.into_iter().filter(joins).collect()
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

/// This machine's addresses on networks.
fn interfaces() -> Vec<Ipv4Addr> {
    let found = if_addrs::get_if_addrs().unwrap_or_default();
    let addresses = found.iter().filter_map(|interface| match interface.ip() {
        IpAddr::V4(ip) if !ip.is_loopback() => Some(ip),
        _ => None,
    });
    addresses.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_announces_is_found() {
        let here = [Ipv4Addr::LOCALHOST];
        // A port of our own, lest a real network answers.
        let free = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let said = || Said {
            coordinator: "0123456789abcdef".into(),
            name: "Attic".into(),
            https: true,
            serves: Serves::Coordinator,
        };
        let announcing = announce_on(|| here.to_vec(), free, 7000, said);
        let searching = async {
            let mut found = discover_on(&here, free).unwrap();
            found.recv().await
        };
        let found = tokio::select! {
            ended = announcing => panic!("the announcement ended: {ended:?}"),
            found = searching => found.unwrap(),
        };
        assert_eq!((&found.said, found.addresses.len()), (&said(), 1));
        assert_eq!(found.urls().next().unwrap(), "https://127.0.0.1:7000");
    }

    #[test]
    fn where_the_answer_came_from_is_tried_first_and_once() {
        let said =
            Said { coordinator: "c".into(), name: "n".into(), https: true, serves: Serves::Coordinator };
        let addresses = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<_>>();
        let found = Found { said, addresses: addresses(&["10.0.0.2:7000", "192.168.1.2:7000"]) };
        let seen = |from: &str| found.clone().seen_from(from.parse().unwrap()).addresses;
        assert_eq!(seen("192.168.1.2"), addresses(&["192.168.1.2:7000", "10.0.0.2:7000"]));
        assert_eq!(seen("10.9.9.9"), addresses(&["10.9.9.9:7000", "10.0.0.2:7000", "192.168.1.2:7000"]));
    }
}

//! Finding a port. A default port that is taken gives way to the next free one; one that was asked for does not.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use anyhow::Result;
use proto::ErrorCode;
use tokio::net::{TcpListener, TcpSocket};

use crate::config::{Config, Role};
use crate::report::failure;

/// How many ports after the default one are tried.
const TRIES: u16 = 20;
/// Connections the system holds for us while we are busy.
const BACKLOG: u32 = 2048;

/// A listener, and what is to be said about its port.
pub struct Listening {
    /// Bound and listening.
    pub listener: TcpListener,
    /// A sentence for the user if the port is not the one they would expect.
    pub notice: Option<String>,
}

/// Listens on the port that was asked for, or on the role's own or the next free one.
pub fn listen(config: &Config, role: Role) -> Result<Listening> {
    if let Some(port) = config.settings.port {
        let host = config.host(role);
        let listener = bind(host, port).map_err(|error| cannot_listen(host, port, &error))?;
        return Ok(Listening { listener, notice: None });
    }
    let wanted = role.default_port();
    for port in wanted..wanted + TRIES {
        match bind(config.host(role), port) {
            Ok(listener) => {
                let notice = (port != wanted).then(|| taken(wanted, port));
                return Ok(Listening { listener, notice });
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(cannot_listen(config.host(role), port, &error)),
        }
    }
    anyhow::bail!("ports {wanted} to {} are all taken; choose another with --port", wanted + TRIES - 1)
}

/// What is wrong with an address that was asked for, and what to do about it.
fn cannot_listen(host: IpAddr, port: u16, error: &io::Error) -> anyhow::Error {
    let (message, hint) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            format!("Port {port} is taken{}.", by_owner(port)),
            "Choose another with --port, or leave --port out to take the next free one.",
        ),
        io::ErrorKind::AddrNotAvailable => (
            format!("This machine does not have the address {host}."),
            "Give --host one of its own addresses, or leave it out to listen on all of them.",
        ),
        io::ErrorKind::PermissionDenied => (
            format!("Port {port} may not be listened on by this user."),
            "Choose one above 1023 with --port.",
        ),
        _ => (
            format!("{host} port {port} cannot be listened on: {error}."),
            "Choose others with --host and --port.",
        ),
    };
    failure(ErrorCode::Conflict, message, hint)
}

fn by_owner(port: u16) -> String {
    owner_of(port).map_or_else(String::new, |owner| format!(" by {owner}"))
}

fn taken(wanted: u16, port: u16) -> String {
    format!("Port {wanted} is taken{}; using {port}.", by_owner(wanted))
}

/// Binds both IPv6 and IPv4 where the host is "all addresses", IPv4 alone where there is no IPv6.
pub fn bind(host: IpAddr, port: u16) -> io::Result<TcpListener> {
    match bind_one(host, port) {
        Err(error)
            if host == IpAddr::V6(Ipv6Addr::UNSPECIFIED) && error.kind() != io::ErrorKind::AddrInUse =>
        {
            bind_one(IpAddr::V4(Ipv4Addr::UNSPECIFIED), port)
        }
        bound => bound,
    }
}

fn bind_one(host: IpAddr, port: u16) -> io::Result<TcpListener> {
    let socket = if host.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // On Unix this only skips the wait after a restart; elsewhere it would let two programs share the port.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    if host == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        rustix::net::sockopt::set_ipv6_v6only(&socket, false)?;
    }
    socket.bind(SocketAddr::new(host, port))?;
    socket.listen(BACKLOG)
}

/// The program that listens on a port, where the system tells (Linux, for one's own processes).
#[cfg(target_os = "linux")]
fn owner_of(port: u16) -> Option<String> {
    use std::fs;
    let inode = ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|table| {
        let table = fs::read_to_string(table).ok()?;
        table.lines().skip(1).find_map(|line| listening_inode(line, port))
    })?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    processes.filter(|entry| entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit)).find_map(
        |process| {
            let open = fs::read_dir(process.path().join("fd")).ok()?;
            let holds = open
                .flatten()
                .any(|fd| fs::read_link(fd.path()).is_ok_and(|to| to.as_os_str() == socket.as_str()));
            let name = holds.then(|| fs::read_to_string(process.path().join("comm")).ok()).flatten()?;
            Some(format!("{} (process {})", name.trim(), process.file_name().to_string_lossy()))
        },
    )
}

/// The socket's inode, if this line of `/proc/net/tcp` is a listener (state 0A) on `port`.
#[cfg(target_os = "linux")]
fn listening_inode(line: &str, port: u16) -> Option<String> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
    let listens = *fields.get(3)? == "0A" && u16::from_str_radix(local_port, 16).ok()? == port;
    listens.then(|| fields.get(9).map(|inode| (*inode).to_owned())).flatten()
}

#[cfg(not(target_os = "linux"))]
fn owner_of(_port: u16) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    #[cfg(target_os = "linux")]
    async fn the_owner_of_a_port_is_named() {
        let listener = bind(IpAddr::V4(Ipv4Addr::LOCALHOST), 0).unwrap();
        let owner = owner_of(listener.local_addr().unwrap().port()).unwrap();
        assert!(owner.contains(&format!("(process {})", std::process::id())), "{owner}");
    }
}

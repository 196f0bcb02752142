//! What is known of the connection that a request came on. Made by the edge, read by the doors, never by the caller.

use std::net::{IpAddr, SocketAddr};

use proto::api::auth::Privacy;

/// A request extension: where a request came from and how private its way is.
#[derive(Clone, Copy, Debug)]
pub struct Connection {
    /// The other end, as the socket says. Never taken from a header.
    pub remote: SocketAddr,
    /// This end: the address the caller reached us at.
    pub local: SocketAddr,
    /// True on TLS.
    pub encrypted: bool,
}

impl Connection {
    /// How private the connection is: from this machine, encrypted, or readable on the network.
    #[must_use]
    pub fn privacy(&self) -> Privacy {
        if self.is_local() {
            Privacy::Local
        } else if self.encrypted {
            Privacy::Private
        } else {
            Privacy::Open
        }
    }

    /// True if the other end is this machine itself, through the loopback interface.
    #[must_use]
    pub fn is_local(&self) -> bool {
        canonical(self.remote.ip()).is_loopback()
    }
}

/// An IPv4 address that arrived in IPv6 clothing, as IPv4.
#[must_use]
pub fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

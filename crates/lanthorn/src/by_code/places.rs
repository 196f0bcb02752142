//! Where codes are exchanged: this machine's own coordinator, those that it has joined, those on the network; or a rendezvous
//! that the giver hosts for as long as it waits. Nothing that is said there has to be believed: the code proves who is there.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, bail};
use coordinator::{Beside, RENDEZVOUS_PATH, Rendezvous, rendezvous_router};
use peer::Stream;
use peer::code::{CodeError, Mailbox};
use peer::discovery::{Found, Said, Serves};
use proto::ErrorCode;
use proto::wire::by_code::APP;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::client::{Address, Connector};
use crate::config::{Config, Role};
use crate::membership::Memberships;
use crate::report::failure;
use crate::trusted::Trusted;
use crate::{announce, listen, nearby, signed_in};

/// How long a place has to answer.
const ANSWER: Duration = Duration::from_secs(4);
/// How long a giver waits for somebody on the network before it hosts a rendezvous itself.
const LOOK: Duration = Duration::from_millis(700);

/// A rendezvous.
#[derive(Clone)]
pub struct Place {
    way: Way,
    path: String,
    /// What it is, for people.
    pub name: String,
}

#[derive(Clone)]
enum Way {
    /// A coordinator that this machine knows.
    Known(Box<Connector>),
    /// Without TLS: what is said is sealed.
    Plain(String),
    /// With a certificate that everybody believes.
    Tls(Box<Connector>),
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Place({}, {})", self.name, self.authority())
    }
}

impl Place {
    /// The one that was typed: `attic`, `192.168.1.7:7000`, `ws://relay.example.org:4000/v1`, `https://…`.
    pub fn typed(typed: &str) -> Result<Self> {
        let (scheme, rest) = typed.split_once("://").unwrap_or(("", typed));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let path = if path.len() > 1 { path } else { RENDEZVOUS_PATH };
        // What the page of a coordinator shows has the certificate of its own machine, which is not asked for: the same
        // port answers without, and what is said there is sealed.
        let has_port =
            authority.rsplit_once(':').is_some_and(|(_, port)| port != "443" && !port.ends_with(']'));
        let secure = match scheme {
            "" | "ws" | "http" => false,
            "https" => !has_port,
            "wss" => true,
            _ => bail!("{scheme}:// is no address of a rendezvous"),
        };
        let with_scheme = match scheme {
            "" => authority.to_owned(),
            _ if secure => format!("https://{authority}"),
            _ => format!("http://{authority}"),
        };
        let address = Address::parse(&with_scheme)?;
        let name = address.authority();
        let way = match secure {
            true => Way::Tls(Box::new(Connector::new(address, Trusted::SystemRoots)?)),
            false => Way::Plain(address.authority()),
        };
        Ok(Self { way, path: path.into(), name })
    }

    fn known(connector: Connector, name: String) -> Self {
        Self { way: Way::Known(Box::new(connector)), path: RENDEZVOUS_PATH.into(), name }
    }

    fn plain(authority: String, name: String) -> Self {
        Self { way: Way::Plain(authority), path: RENDEZVOUS_PATH.into(), name }
    }

    /// Host and port.
    pub fn authority(&self) -> String {
        match &self.way {
            Way::Known(connector) | Way::Tls(connector) => connector.address().authority(),
            Way::Plain(authority) => authority.clone(),
        }
    }

    /// Where its relay would be.
    pub fn relay(&self) -> String {
        match &self.way {
            Way::Known(_) | Way::Plain(_) => format!("http://{}/", self.authority()),
            Way::Tls(_) => format!("https://{}/", self.authority()),
        }
    }

    /// Goes there.
    pub async fn enter(&self) -> Result<Mailbox, CodeError> {
        let lost = |error: std::io::Error| CodeError::Lost(error.into());
        let entered = async {
            let stream: Stream = match &self.way {
                Way::Known(connector) | Way::Tls(connector) => {
                    Box::new(connector.connect().await.map_err(lost)?)
                }
                Way::Plain(authority) => {
                    let stream = TcpStream::connect(authority.as_str()).await.map_err(lost)?;
                    stream.set_nodelay(true).map_err(lost)?;
                    Box::new(stream)
                }
            };
            Mailbox::enter(stream, &self.authority(), &self.path, APP).await
        };
        let late = |_| lost(std::io::ErrorKind::TimedOut.into());
        tokio::time::timeout(ANSWER, entered).await.map_err(late)?
    }
}

/// This machine's own coordinator and those that it has joined.
pub fn remembered(config: &Config) -> Vec<Place> {
    let own = signed_in::own(config).ok();
    let own = own.map(|way| Place::known(way, "this machine's coordinator".into()));
    let joined = Memberships::read(&config.homes.state).unwrap_or_default();
    let joined = joined.memberships.into_iter().flat_map(|joined| {
        let ways = joined.connectors().unwrap_or_default();
        ways.into_iter().map(move |way| Place::known(way, joined.coordinator.name.clone()))
    });
    own.into_iter().chain(joined).collect()
}

/// Those that somebody found on the network has.
pub fn found(found: &Found) -> impl Iterator<Item = Place> + use<'_> {
    let name = &found.said.name;
    found
        .addresses
        .iter()
        .map(move |address| Place::plain(address.to_string(), format!("{name} ({address})")))
}

/// Where a giver waits: the first of all that answers, and else one of its own.
pub async fn for_giver(config: &Config, typed: Option<&str>) -> Result<(Place, Option<Hosted>)> {
    if let Some(typed) = typed {
        return Ok((Place::typed(typed)?, None));
    }
    for place in remembered(config) {
        if answers(&place).await {
            return Ok((place, None));
        }
    }
    if config.discovery
        && let Some(place) = around().await
    {
        return Ok((place, None));
    }
    let hosted = Hosted::begin(config)?;
    let seen = announce::lan_addresses().first().map(|ip| SocketAddr::new(*ip, hosted.port).to_string());
    let seen = seen.unwrap_or_else(|| format!("127.0.0.1:{}", hosted.port));
    let name = match config.discovery {
        true => format!("this machine, found by others on this network (else: --rendezvous {seen})"),
        false => format!("this machine (--rendezvous {seen})"),
    };
    let place = Place::plain(SocketAddr::from(([127, 0, 0, 1], hosted.port)).to_string(), name);
    Ok((place, Some(hosted)))
}

/// The first coordinator on the network that answers.
async fn around() -> Option<Place> {
    let mut answers_of = peer::discovery::discover().ok()?;
    let first = async {
        while let Some(one) = answers_of.recv().await {
            if one.said.serves != Serves::Coordinator {
                continue;
            }
            for place in found(&one) {
                if answers(&place).await {
                    return Some(place);
                }
            }
        }
        None
    };
    tokio::time::timeout(LOOK, first).await.ok().flatten()
}

async fn answers(place: &Place) -> bool {
    match place.enter().await {
        Ok(_) => true,
        Err(error) => {
            tracing::debug!(?place, %error, "no rendezvous");
            false
        }
    }
}

/// A rendezvous of this process's own, as long as this is kept.
pub struct Hosted {
    /// Where it listens.
    pub port: u16,
    _up: DropGuard,
}

impl Hosted {
    fn begin(config: &Config) -> Result<Self> {
        let listener = anywhere(config)?;
        let bound = listener.local_addr()?;
        let rendezvous = Rendezvous::new(config.device_name.clone(), Beside::Nothing);
        let up = CancellationToken::new();
        let router = rendezvous_router(rendezvous);
        tokio::spawn(peer::edge::serve(listener, router, None, None, up.clone()));
        if config.discovery {
            let said = Said {
                coordinator: format!("send{}", std::process::id()),
                name: config.device_name.clone(),
                https: false,
                serves: Serves::Codes,
            };
            nearby::announce_while(up.clone(), bound, said);
        }
        Ok(Self { port: bound.port(), _up: up.drop_guard() })
    }
}

/// Listens on a port that is free, where others can reach it.
pub fn anywhere(config: &Config) -> Result<TcpListener> {
    let host = config.host(Role::All);
    listen::bind(host, 0).map_err(|error| {
        failure(
            ErrorCode::Conflict,
            format!("{host} cannot be listened on: {error}."),
            "Choose another address with --host.",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rendezvous_is_read_as_people_write_it() {
        for (typed, authority, path) in [
            ("attic", "attic:7000", "/v1"),
            ("192.168.1.7:7010", "192.168.1.7:7010", "/v1"),
            ("http://attic:7000/", "attic:7000", "/v1"),
            ("ws://relay.example.org:4000/v1", "relay.example.org:4000", "/v1"),
            ("wss://relay.example.org/mailbox", "relay.example.org:443", "/mailbox"),
            ("https://files.example.org", "files.example.org:443", "/v1"),
            ("https://[fd00::1]", "[fd00::1]:443", "/v1"),
            ("https://192.168.1.7:7000/", "192.168.1.7:7000", "/v1"),
        ] {
            let place = Place::typed(typed).unwrap();
            let encrypted = authority.ends_with(":443");
            assert_eq!(place.relay().starts_with("https:"), encrypted, "{typed}");
            assert_eq!((place.authority().as_str(), place.path.as_str()), (authority, path), "{typed}");
        }
        for typed in ["", "ftp://attic", "ws://"] {
            assert!(Place::typed(typed).is_err(), "{typed}");
        }
    }
}

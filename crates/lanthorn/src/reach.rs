//! The ways to a coordinator that this machine has joined: its addresses as they are known, and where it has moved, the
//! place where it is found again. Wherever that is, its authority has to be proved.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use agent::control::{Dial, Dialled};
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use parking_lot::Mutex;
use rustls::ClientConfig;
use tokio::time::Instant;

use crate::client::{Address, Connector};
use crate::membership::Memberships;
use crate::trusted::wrong_certificate;

/// How long after one search there is another.
const SEARCH_EVERY: Duration = Duration::from_secs(10);
/// Addresses tried after one search; who names more is no friend.
const MAX_TRIED: usize = 32;

/// How a coordinator is looked for that has moved, and where its new place is remembered.
#[derive(Clone)]
pub struct Search {
    /// Gives the addresses at which somebody says to be the coordinator of this id.
    pub look: Arc<dyn Fn(String) -> BoxFuture<'static, Vec<Address>> + Send + Sync>,
    /// The folder of the file of memberships.
    pub state: PathBuf,
}

/// The ways to one coordinator.
#[derive(Clone)]
pub struct Ways(Arc<Inner>);

struct Inner {
    known: Mutex<Vec<Connector>>,
    /// What has to stand behind it, wherever it is.
    tls: Arc<ClientConfig>,
    /// Its id.
    id: String,
    search: Search,
    searched: Mutex<Option<Instant>>,
}

impl Ways {
    /// Ways to the coordinator of this id, which has to prove itself by this side of TLS.
    pub fn new(known: Vec<Connector>, tls: Arc<ClientConfig>, id: String, search: Search) -> Self {
        let (known, searched) = (Mutex::new(known), Mutex::default());
        Self(Arc::new(Inner { known, tls, id, search, searched }))
    }

    async fn reach(self) -> io::Result<Dialled> {
        let known = self.0.known.lock().clone();
        let failed = match first_of(known).await {
            Ok((dialled, _)) => return Ok(dialled),
            Err(failed) => failed,
        };
        if !self.may_search() {
            return Err(failed);
        }
        let found = (self.0.search.look)(self.0.id.clone()).await.into_iter().take(MAX_TRIED);
        let ways = found.map(|address| Connector::with(address, Arc::clone(&self.0.tls))).collect();
        let (dialled, way) = first_of(ways).await.map_err(|_| failed)?;
        self.remember(way).await;
        Ok(dialled)
    }

    fn may_search(&self) -> bool {
        let mut searched = self.0.searched.lock();
        let may = searched.is_none_or(|last| last.elapsed() > SEARCH_EVERY);
        if may {
            *searched = Some(Instant::now());
        }
        may
    }

    async fn remember(&self, way: Connector) {
        let url = way.address().url();
        tracing::info!(url, "a coordinator has moved and was found again");
        self.0.known.lock().insert(0, way);
        let (state, id) = (self.0.search.state.clone(), self.0.id.clone());
        let written = tokio::task::spawn_blocking(move || Memberships::moved(&state, &id, url)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(error = format!("{error:#}"), "its new address is not remembered");
        }
    }
}

impl Dial for Ways {
    fn dial(&self) -> BoxFuture<'static, io::Result<Dialled>> {
        self.clone().reach().boxed()
    }
}

/// The first of these ways on which the coordinator proves itself; else why not by the likeliest.
async fn first_of(ways: Vec<Connector>) -> io::Result<(Dialled, Connector)> {
    let tried = ways.into_iter().enumerate().map(async |(at, way)| (at, try_way(way).await));
    let mut tried: FuturesUnordered<_> = tried.collect();
    let mut failed: Option<(usize, io::Error)> = None;
    while let Some((at, ended)) = tried.next().await {
        match ended {
            Ok(first) => return Ok(first),
            Err(error) if failed.as_ref().is_none_or(|(before, _)| at < *before) => {
                failed = Some((at, error))
            }
            Err(_) => {}
        }
    }
    Err(failed.map_or(io::ErrorKind::NotFound.into(), |(_, error)| error))
}

async fn try_way(way: Connector) -> io::Result<(Dialled, Connector)> {
    let connected = way.connect().await;
    // What is wrong with a certificate is told to the machine's owner.
    let stream = connected.map_err(|error| wrong_certificate(&error).map_or(error, io::Error::other))?;
    let dialled = Dialled { stream: Box::new(stream), host: way.address().authority() };
    Ok((dialled, way))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::coordinator::open;
    use crate::config;
    use crate::membership::{Membership, Proof};
    use crate::settings::Settings;
    use proto::api::pairing::CoordinatorKeys;
    use proto::{DeviceId, Offered, PrincipalId};
    use time::OffsetDateTime;
    use tokio::net::TcpListener;
    use tokio_rustls::TlsAcceptor;

    const DEVICE: DeviceId = DeviceId::from_public_key([1; 32]);

    /// A coordinator that listens.
    struct Listening {
        _home: tempfile::TempDir,
        coordinator: coordinator::Coordinator,
        authority: String,
        address: Address,
    }

    impl Listening {
        async fn start() -> Self {
            let home = tempfile::tempdir().unwrap();
            let folder = |name: &str| Some(home.path().join(name));
            let (settings_dir, state_dir) = (folder("settings"), folder("state"));
            let typed =
                Settings { settings_dir, state_dir, cache_dir: folder("cache"), ..Settings::default() };
            let coordinator = open(&config::resolve(&typed).unwrap(), DEVICE).await.unwrap();
            let authority = std::fs::read_to_string(home.path().join("state/authority.pem")).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = Address::parse(&listener.local_addr().unwrap().to_string()).unwrap();
            let tls = TlsAcceptor::from(coordinator.tls());
            tokio::spawn(async move {
                while let Ok((tcp, _)) = listener.accept().await {
                    drop(tls.accept(tcp).await);
                }
            });
            Self { _home: home, coordinator, authority, address }
        }

        fn joined_at(&self, address: &Address) -> Membership {
            Membership {
                coordinator: CoordinatorKeys {
                    id: self.coordinator.id().to_owned(),
                    name: "Attic".into(),
                    ticket_keys: self.coordinator.ticket_keys().borrow().ticket_keys.clone(),
                    authority: Some(self.authority.clone()),
                    certificate: None,
                    urls: vec![address.url()],
                },
                principal_id: PrincipalId::generate(),
                display_name: "Ada".into(),
                client_device_id: DEVICE,
                proof: Proof::Authority,
                offered: Offered::All,
                joined: OffsetDateTime::UNIX_EPOCH,
            }
        }
    }

    async fn nobodys() -> Address {
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        Address::parse(&free.to_string()).unwrap()
    }

    #[tokio::test]
    async fn a_coordinator_that_moved_is_found_again_and_a_liar_is_not_taken_for_it() {
        let (attic, liar) = (Listening::start().await, Listening::start().await);
        let (before, state) = (nobodys().await, tempfile::tempdir().unwrap());
        let joined = Memberships { memberships: vec![attic.joined_at(&before)] };
        Memberships::change(state.path(), |all| *all = joined.clone()).unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let search = |answers: Vec<Address>| {
            let asked = Arc::clone(&asked);
            let look = move |id| {
                asked.lock().push(id);
                let answers = answers.clone();
                async move { answers }.boxed()
            };
            Search { look: Arc::new(look), state: state.path().to_owned() }
        };
        let dial = |search: Search| joined.for_links(&search).remove(0).dial;
        assert!(dial(search(vec![liar.address.clone()])).dial().await.is_err());
        assert_eq!(Memberships::read(state.path()).unwrap(), joined, "nothing was proved");

        let way = dial(search(vec![liar.address.clone(), attic.address.clone()]));
        assert_eq!(way.dial().await.unwrap().host, attic.address.authority());
        let urls = Memberships::read(state.path()).unwrap().memberships.remove(0).coordinator.urls;
        assert_eq!(urls, [attic.address.url(), before.url()]);
        assert_eq!(way.dial().await.unwrap().host, attic.address.authority());
        assert_eq!(*asked.lock(), vec![attic.coordinator.id().to_owned(); 2], "it is known now");
    }
}

//! What lives as long as the process: the rooms, opened together. Knows all rooms and decides nothing itself.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use peer::Endpoint;
use peer::relay::Relay;
use proto::api::devices::JoinedCoordinator;
use proto::api::settings::Settings;
use proto::wire::link::{Revoked, TicketKeys as Announcement};
use proto::{DeviceId, SessionId};
use rustls::ServerConfig;
use tokio::sync::{broadcast, watch};

use crate::access::ticket_keys::{self, TicketKeys};
use crate::access::{Caller, Client, Rights, Running, TicketDesk};
use crate::audit::Audit;
use crate::authority::{Authority, AuthorityError, HostNames, OwnCertificate, own_addresses};
use crate::clock::{Clock, to_ms};
use crate::drops::Drops;
use crate::events::Events;
use crate::folders::FolderChooser;
use crate::gateway::{Gateway, Link};
use crate::guests;
use crate::http::Greetings;
use crate::identity::session::IdleRule;
use crate::identity::{Identity, OwnMachine};
use crate::inbox;
use crate::joined::{self, Joined};
use crate::keyfile::{self, KeyFileError};
use crate::moved::{self, LastTold};
use crate::offered::AgentsWord;
use crate::registry::Registry;
use crate::rendezvous::{Beside, Rendezvous};
use crate::rotation::Rotation;
use crate::settings::{CurrentSettings, SettingsStore};
use crate::store::shares::SharedFolder;
use crate::store::{Store, StoreError};
use crate::transfers::{Transfers, drive_forever};

/// How often it is looked who has fallen silent, and whether a ticket key is due.
const SWEEP_PERIOD: Duration = Duration::from_secs(3);
/// How often sessions are tidied, and addresses and certificates looked at.
const TIDY_PERIOD: Duration = Duration::from_secs(60);

/// Ends remembered for those who pass them on.
const REVOKED_KEPT: usize = 1024;

/// What a coordinator needs to know to start.
pub struct Config {
    /// Where keys and the database are kept; made (0700) if missing.
    pub state_dir: PathBuf,
    /// This machine.
    pub device: DeviceId,
    /// This machine's host name, for certificates and the check of `Host`.
    pub host_name: String,
    /// Further names and addresses at which it may be asked for.
    pub names: Vec<String>,
    /// The settings in force at the start.
    pub settings: Settings,
    /// The folder that setup proposes.
    pub default_folder: PathBuf,
    /// Where comes what is sent to this machine; made (0700) if missing.
    pub inbox_dir: PathBuf,
    /// The owner's certificate, in place of those of our own authority.
    pub own_certificate: Option<OwnCertificate>,
    /// Whether machines on other networks may exchange codes here too.
    pub open_rendezvous: bool,
    /// After how long another ticket key takes the place of the present one; never, if not said.
    pub ticket_key_lifetime: Option<Duration>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Why the coordinator cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A key file or the state folder cannot be used.
    #[error(transparent)]
    Key(#[from] KeyFileError),
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no certificate to show.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The task that opens files was ended.
    #[error("the start was interrupted")]
    Interrupted,
}

/// The control plane of this machine. Cheap to clone.
#[derive(Clone)]
pub struct Coordinator {
    rooms: Arc<Rooms>,
}

/// All rooms.
pub(crate) struct Rooms {
    pub(crate) device: DeviceId,
    pub(crate) names: HostNames,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) store: Store,
    pub(crate) settings: CurrentSettings,
    pub(crate) identity: Identity,
    pub(crate) tickets: TicketDesk,
    pub(crate) rotation: Rotation,
    pub(crate) rights: Rights,
    pub(crate) running: Running,
    pub(crate) audit: Audit,
    pub(crate) events: Arc<Events>,
    /// What each person was last seen to have.
    pub(crate) told: LastTold,
    pub(crate) gateway: Gateway,
    /// The other machines, as they are now.
    pub(crate) registry: Registry,
    /// The coordinators that this machine has joined itself, for its owner.
    pub(crate) joined: Joined,
    pub(crate) greetings: Greetings,
    /// What waits behind links.
    pub(crate) drops: Drops,
    /// What is sent to somebody's machine.
    pub(crate) transfers: Transfers,
    /// Passes on what machines say to each other while they have no direct way.
    pub(crate) relay: Relay,
    /// Where those who know the same code find each other …
    pub(crate) rendezvous: Rendezvous,
    /// … also those on other networks.
    pub(crate) open_rendezvous: bool,
    pub(crate) authority: Authority,
    pub(crate) folders: FolderChooser,
    pub(crate) default_folder: PathBuf,
    /// Folders on offer, sorted by name. Changed only while `sharing` is held, after the store.
    pub(crate) shares: watch::Sender<Arc<Vec<SharedFolder>>>,
    pub(crate) sharing: tokio::sync::Mutex<()>,
    /// Which of these folders the agent has taken.
    pub(crate) agents_word: AgentsWord,
    /// The machines that may knock at this one, sorted by name.
    pub(crate) guests: watch::Sender<Vec<DeviceId>>,
    /// What has ended before its time, for those who pass it on to devices. Who misses some begins anew.
    pub(crate) revoked: broadcast::Sender<Revoked>,
    /// Ended with the rooms.
    tasks: Mutex<Vec<tokio::task::AbortHandle>>,
}

/// What is read from files before anything else.
struct Opened {
    server_key: [u8; 32],
    ticket_keys: TicketKeys,
    authority: Authority,
}

impl Coordinator {
    /// Opens keys, database and certificates, and makes what is missing.
    ///
    /// # Errors
    /// [`OpenError`]: a file that others can touch, a lost key, a broken database or certificate.
    pub async fn open(config: Config, settings_store: Arc<dyn SettingsStore>) -> Result<Self, OpenError> {
        let names = HostNames::new(&config.host_name, &config.names);
        let files = {
            let (dir, names, own) = (config.state_dir.clone(), names.clone(), config.own_certificate.clone());
            let (inbox, now) = (config.inbox_dir.clone(), config.clock.wall());
            tokio::task::spawn_blocking(move || {
                let opened = open_files(&dir, names, own, now);
                inbox::make_folder(&inbox);
                opened
            })
        };
        let opened = files.await.map_err(|_| OpenError::Interrupted)??;
        let store = Store::open(&config.state_dir).await?;
        let clock = config.clock;
        let device_name = config.settings.device_name.clone();
        inbox::prepare(&store, &config.inbox_dir, to_ms(clock.wall())).await?;
        let identity = {
            let machine = OwnMachine { id: config.device, name: config.settings.device_name.clone() };
            Identity::open(store.clone(), Arc::clone(&clock), opened.server_key, machine).await?
        };
        let rooms = Arc::new(Rooms {
            device: config.device,
            names,
            settings: CurrentSettings::new(config.settings, settings_store),
            identity,
            tickets: TicketDesk::new(opened.ticket_keys, Arc::clone(&clock)),
            rotation: Rotation::new(config.state_dir.clone(), config.ticket_key_lifetime, clock.as_ref()),
            rights: Rights::open(store.clone()).await?,
            running: Running::default(),
            audit: Audit::open(store.clone(), Arc::clone(&clock), &opened.server_key).await?,
            events: Arc::new(Events::new(Arc::clone(&clock))),
            told: LastTold::default(),
            gateway: Gateway::new(config.device),
            registry: Registry::open(store.clone(), Arc::clone(&clock), config.device).await?,
            joined: Joined::default(),
            greetings: Greetings::default(),
            drops: Drops::open(store.clone(), Arc::clone(&clock), &opened.server_key).await?,
            transfers: Transfers::open(store.clone(), Arc::clone(&clock)).await?,
            relay: Relay::default(),
            rendezvous: Rendezvous::new(device_name, Beside::Coordinator),
            open_rendezvous: config.open_rendezvous,
            authority: opened.authority,
            folders: FolderChooser::new(config.default_folder.clone()),
            default_folder: config.default_folder,
            shares: watch::Sender::new(Arc::new(store.shares().await?)),
            sharing: tokio::sync::Mutex::default(),
            agents_word: AgentsWord::default(),
            guests: watch::Sender::default(),
            revoked: broadcast::Sender::new(REVOKED_KEPT),
            tasks: Mutex::default(),
            clock,
            store,
        });
        rooms.rights_moved();
        let tidying = tokio::spawn(tidy_forever(Arc::downgrade(&rooms)));
        let sweeping = tokio::spawn(sweep_forever(Arc::downgrade(&rooms)));
        let telling = tokio::spawn(guests::keep_told(Arc::downgrade(&rooms)));
        let watching = tokio::spawn(moved::watch_rights(Arc::downgrade(&rooms)));
        let driving = tokio::spawn(drive_forever(Arc::downgrade(&rooms)));
        let beside = [tidying, sweeping, telling, watching, driving];
        *rooms.tasks.lock() = beside.iter().map(tokio::task::JoinHandle::abort_handle).collect();
        Ok(Self { rooms })
    }

    /// Where requests for this machine go: its agent's router, or a link to its process.
    pub fn set_local_agent(&self, link: impl Link) {
        self.rooms.gateway.set_local(Arc::new(link));
    }

    /// Other machines are reached through this endpoint, with its key.
    pub fn set_endpoint(&self, endpoint: Endpoint) {
        if let Some((authority, _)) = self.rooms.authority.certificate() {
            endpoint.trust_own_relay(authority.to_vec().into());
        }
        self.rooms.gateway.set_endpoint(endpoint, self.rooms.registry.addresses());
    }

    /// Says where this coordinator is asked, and so where its relay is for this machine itself.
    pub fn listens_at(&self, address: SocketAddr) {
        // Machines that were paired trust the authority; the owner's own certificate they cannot check.
        if self.rooms.authority.certificate().is_some() {
            let address = match address.ip() {
                ip if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
                _ => address,
            };
            self.rooms.gateway.set_relay(format!("https://{address}/"), self.rooms.registry.addresses());
        }
    }

    /// How this machine's links to the coordinators that it has joined stand, now and whenever that changes.
    pub fn set_joined(&self, joined: watch::Receiver<Vec<JoinedCoordinator>>) {
        self.rooms.joined.set(joined.clone());
        let telling = tokio::spawn(joined::tell(Arc::downgrade(&self.rooms), joined));
        self.rooms.tasks.lock().push(telling.abort_handle());
    }

    /// The TLS side of the port. The certificate changes with the machine's addresses by itself.
    #[must_use]
    pub fn tls(&self) -> Arc<ServerConfig> {
        self.rooms.authority.tls()
    }

    /// The id by which this coordinator goes, for good.
    #[must_use]
    pub fn id(&self) -> &str {
        self.rooms.tickets.coordinator()
    }

    /// The keys with which devices check tickets, now and whenever they change.
    #[must_use]
    pub fn ticket_keys(&self) -> watch::Receiver<Announcement> {
        self.rooms.tickets.announced()
    }

    /// The code to print on the terminal, until setup is done.
    #[must_use]
    pub fn setup_code(&self) -> Option<String> {
        self.rooms.identity.setup_code()
    }

    /// The folders on offer, now and whenever they change. Holds the newest list only.
    #[must_use]
    pub fn shares(&self) -> watch::Receiver<Arc<Vec<SharedFolder>>> {
        self.rooms.shares.subscribe()
    }

    /// The machines that may knock at this one's lanes, now and whenever that changes: whoever does still needs a ticket.
    #[must_use]
    pub fn guests(&self) -> watch::Receiver<Vec<DeviceId>> {
        self.rooms.guests.subscribe()
    }

    /// What ends before its time, from now on. This machine's own agent has no link on which it is told.
    #[must_use]
    pub fn revoked(&self) -> broadcast::Receiver<Revoked> {
        self.rooms.revoked.subscribe()
    }

    /// The settings in force.
    #[must_use]
    pub fn settings(&self) -> Settings {
        self.rooms.settings.get()
    }

    /// SHA-256 of the certificate shown now, to print beside the address.
    #[must_use]
    pub fn certificate_fingerprint(&self) -> String {
        self.rooms.authority.fingerprint()
    }

    /// Writes down what is only known by heart, and closes the database. The last call.
    pub async fn close(&self) {
        self.rooms.end_tasks();
        self.rooms.events.close().await;
        self.rooms.tidy().await;
        self.rooms.registry.save().await;
        self.rooms.audit.close().await;
        self.rooms.store.close().await;
    }

    pub(crate) fn rooms(&self) -> &Rooms {
        &self.rooms
    }
}

impl Rooms {
    pub(crate) fn idle(&self) -> IdleRule {
        let owner_ms = i64::try_from(self.settings.idle_seconds().saturating_mul(1000)).unwrap_or(i64::MAX);
        IdleRule { owner: self.identity.owner_id(), owner_ms }
    }

    /// Lets go of what belonged to sessions that have ended, and breaks off what they have under way, here and at
    /// the devices.
    pub(crate) fn sessions_ended(&self, ended: &[SessionId]) {
        for id in ended {
            self.has_ended(Revoked::Session { id: *id });
        }
    }

    /// Ends a session, a machine, a person, or one right of theirs. What it allowed is over here when this returns,
    /// and at the devices as soon as they are told. False if there was nothing to end.
    pub(crate) async fn revoke(&self, what: Revoked) -> Result<bool, StoreError> {
        let found = match &what {
            Revoked::Session { id } => self.identity.revoke(*id, self.idle()).await?,
            Revoked::Device { id } => self.identity.revoke_device(*id).await?,
            Revoked::Principal { id } => match self.identity.revoke_principal(*id).await? {
                Some(ended) => {
                    self.rights.forget_person(*id).await?;
                    self.sessions_ended(&ended.sessions);
                    for id in ended.devices {
                        self.has_ended(Revoked::Device { id });
                        self.forget_machine(id).await?;
                    }
                    true
                }
                None => false,
            },
            // What the rights say is asked each time: there is nothing to change first.
            Revoked::Grant { .. } | Revoked::Ticket { .. } | Revoked::Transfer { .. } => true,
        };
        if found {
            self.has_ended(what.clone());
        }
        if let Revoked::Device { id } = what {
            self.forget_machine(id).await?;
        }
        if found {
            self.rights_moved();
        }
        Ok(found)
    }

    /// What has ended is forgotten and broken off here, and told to who watches.
    pub(crate) fn has_ended(&self, what: Revoked) {
        let end_client = |client| {
            self.tickets.forget_client(client);
            self.running.end_client(client);
            self.events.end_client(client);
        };
        match &what {
            Revoked::Session { id } => end_client(Client::Session(*id)),
            Revoked::Device { id } => {
                end_client(Client::Device(*id));
                self.gateway.part_with(*id);
                self.relay.evict(*id);
                self.registry.hang_up(*id);
            }
            Revoked::Principal { id } => {
                self.tickets.forget_principal(*id, None);
                self.running.end_principal(*id);
                self.events.end_principal(*id);
            }
            Revoked::Grant { principal, share } => {
                self.tickets.forget_principal(*principal, Some(*share));
                self.running.end_right(*principal, *share);
            }
            Revoked::Transfer { id, .. } => self.tickets.forget_transfer(*id),
            // The way back from a ticket to its request is known to the device alone.
            Revoked::Ticket { .. } => {}
        }
        self.registry.push_revoked(what.clone());
        // Nobody watching is no failure.
        let _ = self.revoked.send(what);
    }

    /// True while whatever somebody asks with has not ended.
    pub(crate) fn still_lives(&self, caller: &Caller) -> bool {
        let holder = match caller.client {
            Client::Session(id) => self.identity.sessions().principal_of(id),
            Client::Device(id) => self.identity.devices().owner_of(id),
            Client::Upload(_) => Some(caller.principal).filter(|id| self.identity.principals().lives(*id)),
            Client::Drop(id) => {
                let maker = self.drops.by_id(id).map(|drop| drop.maker);
                maker.filter(|maker| self.identity.principals().lives(*maker))
            }
        };
        holder == Some(caller.principal)
    }

    /// Forgets what a machine offered that has been shown out, with the rights on it.
    async fn forget_machine(&self, device: DeviceId) -> Result<(), StoreError> {
        for share in self.store.remote_shares().await?.into_iter().filter(|share| share.device == device) {
            self.rights.forget_share(share.id).await?;
        }
        self.transfers.distrust_all_on(device).await?;
        self.registry.remove(device).await
    }

    /// Whether a machine may use the relay: a paired one, those who ask the paired ones, and who met another by a code.
    pub(crate) fn may_relay(&self, device: DeviceId) -> bool {
        let is_own = device == self.device || self.gateway.id() == Some(device);
        is_own || self.may_link(device).is_ok() || self.rendezvous.has_met(device)
    }

    /// Whether this machine may keep a link here.
    pub(crate) fn may_link(&self, device: DeviceId) -> Result<(), ()> {
        let paired = device != self.device && self.identity.devices().find(device).is_some();
        if paired { Ok(()) } else { Err(()) }
    }

    fn end_tasks(&self) {
        self.tasks.lock().drain(..).for_each(|task| task.abort());
    }

    /// What is done once a minute.
    pub(crate) async fn tidy(&self) {
        self.events.tidy();
        self.identity.sessions().used(&self.running.in_use());
        match self.identity.tidy(self.idle()).await {
            Ok(ended) => self.sessions_ended(&ended),
            Err(e) => tracing::warn!(error = %e, "cannot tidy sessions"),
        }
        let (addresses, now) = (own_addresses(), self.clock.wall());
        if let Err(e) = self.authority.refresh(&addresses, now) {
            tracing::warn!(error = %e, "cannot renew the certificate; the old one stays in use");
        }
    }
}

impl Drop for Rooms {
    fn drop(&mut self) {
        self.end_tasks();
    }
}

/// Ends by itself when the rooms are gone.
async fn tidy_forever(rooms: Weak<Rooms>) {
    loop {
        tokio::time::sleep(TIDY_PERIOD).await;
        let Some(rooms) = rooms.upgrade() else { return };
        rooms.tidy().await;
    }
}

/// Ends by itself when the rooms are gone.
async fn sweep_forever(rooms: Weak<Rooms>) {
    loop {
        tokio::time::sleep(SWEEP_PERIOD).await;
        let Some(rooms) = rooms.upgrade() else { return };
        rooms.registry.sweep().await;
        rooms.rotate_when_due().await;
        rooms.sweep_transfers().await;
    }
}

fn open_files(
    dir: &Path,
    names: HostNames,
    own: Option<OwnCertificate>,
    now: time::OffsetDateTime,
) -> Result<Opened, OpenError> {
    keyfile::prepare_folder(dir)?;
    let path = dir.join("server.key");
    if keyfile::read(&path)?.is_none() && dir.join(crate::store::FILE_NAME).exists() {
        // Not replaced by a new one: with the right file put back, the PIN is good again.
        return Err(KeyFileError::Missing(path).into());
    }
    Ok(Opened {
        server_key: keyfile::read_or_generate(&path)?,
        ticket_keys: ticket_keys::file::open(dir, now)?,
        authority: Authority::open(dir, names, own, &own_addresses(), now)?,
    })
}

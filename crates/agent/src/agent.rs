//! What lives as long as the process: the shares this device offers and the keys it honours.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::RwLock;
use proto::ticket::KeyRing;
use proto::{DeviceId, ShareId};

use crate::files::FilesError;
use crate::files::index::{Index, Pace};
use crate::files::media::{Media, MediaConfig};
use crate::files::names::NamesCache;
use crate::files::sweep::Sweeper;
use crate::files::upload::Uploads;
use crate::files::watch::Watched;
use crate::files::write::store::Store;
use crate::serve::ended::Ended;
use crate::serve::running::Running;
use crate::serve::search::Turnstile;
use crate::serve::ticket_check::TicketCheck;
use crate::share::ShareRoot;
use crate::transfer::inbox::Inbox;
use crate::transfer::outbox::Outbox;
use crate::transfer::outgoing::RateLimit;

/// What an agent needs to know to start.
#[derive(Clone, Debug)]
pub struct Config {
    /// This device.
    pub device: DeviceId,
    /// The coordinator keys it honours.
    pub keys: KeyRing,
    /// Where thumbnails and indexes are kept; made if missing.
    pub cache_dir: PathBuf,
    /// How pictures are made and films converted.
    pub media: MediaConfig,
    /// How fast it sends what it sends to others, at most: all of it together.
    pub rate_limit: Option<Arc<RateLimit>>,
}

/// A folder on offer.
pub struct Share {
    /// Its id.
    pub id: ShareId,
    /// The gate to its content.
    pub root: Arc<ShareRoot>,
    /// What is in it, by name.
    pub index: Index,
    /// What is not in its place: coming, replaced, deleted.
    pub store: Store,
    /// What comes in pieces.
    pub uploads: Uploads,
    /// Who is told of changes.
    pub watched: Watched,
}

impl Share {
    /// A share of this folder.
    #[must_use]
    pub fn new(id: ShareId, root: Arc<ShareRoot>, index: Index) -> Self {
        let store = Store::new(Arc::clone(&root));
        Self { id, root, index, store, uploads: Uploads::default(), watched: Watched::default() }
    }
}

/// A share, and what keeps its store small.
type Kept = (Arc<Share>, Option<Sweeper>);

/// The data plane of this device.
pub struct Agent {
    config: Config,
    tickets: TicketCheck,
    media: Media,
    names: Arc<NamesCache>,
    shares: RwLock<HashMap<ShareId, Kept>>,
    searches: Turnstile,
    running: Running,
    inbox: Inbox,
    outbox: Outbox,
}

impl Agent {
    /// An agent that offers nothing yet.
    #[must_use]
    pub fn new(config: Config) -> Arc<Self> {
        let tickets = TicketCheck::new(config.keys.clone());
        let media = Media::new(config.media.clone(), &config.cache_dir);
        Arc::new(Self {
            config,
            tickets,
            media,
            names: Arc::default(),
            shares: RwLock::default(),
            searches: Turnstile::default(),
            running: Running::default(),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
        })
    }

    /// What the agent was started with.
    #[must_use]
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// The one place where tickets are checked.
    #[must_use]
    pub const fn tickets(&self) -> &TicketCheck {
        &self.tickets
    }

    /// The lists of names that were read lately.
    #[must_use]
    pub const fn names(&self) -> &Arc<NamesCache> {
        &self.names
    }

    /// Pictures and films.
    #[must_use]
    pub const fn media(&self) -> &Media {
        &self.media
    }

    /// Where searches wait for their turn.
    #[must_use]
    pub const fn searches(&self) -> &Turnstile {
        &self.searches
    }

    /// What is being served.
    #[must_use]
    pub const fn running(&self) -> &Running {
        &self.running
    }

    /// What others send here.
    #[must_use]
    pub const fn inbox(&self) -> &Inbox {
        &self.inbox
    }

    /// What is sent of the shares here.
    #[must_use]
    pub const fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Something has ended before its time: its tickets count no more, and what is served for it breaks off.
    pub fn end(&self, ended: &Ended) {
        self.tickets.end(ended);
        self.running.end(|ticket| ended.concerns(ticket));
    }

    /// Honours these keys from now on. What is served of a share that its coordinator is not offered any more breaks off,
    /// and what a dropped key opened; what a key opened whose time is over goes on.
    pub fn honour(&self, keys: KeyRing) {
        self.tickets.honour(keys);
        self.running.end(|ticket| self.tickets.is_over(ticket));
    }

    /// Breaks off what this coordinator allowed: it was left.
    pub fn forget(&self, coordinator: &str) {
        self.running.end(|ticket| ticket.coordinator() == Some(coordinator));
    }

    /// Offers a folder. A share of the same id is replaced.
    ///
    /// # Errors
    /// The folder is missing, is no folder, or may not be read.
    pub fn add_share(&self, id: ShareId, folder: &std::path::Path) -> Result<(), FilesError> {
        let root = Arc::new(ShareRoot::open(folder)?);
        let index = Index::start(Arc::clone(&root), id, &self.config.cache_dir, Pace::default());
        let share = Arc::new(Share::new(id, root, index));
        let sweeper = Sweeper::start(Arc::downgrade(&share));
        // The one before ends outside the lock: its index may have something to save.
        let before = self.shares.write().insert(id, (share, Some(sweeper)));
        drop(before);
        Ok(())
    }

    /// Offers a folder only to have something come into it: nothing of it is indexed, and nothing is swept.
    ///
    /// # Errors
    /// As [`Self::add_share`].
    pub fn take_into(&self, id: ShareId, folder: &std::path::Path) -> Result<(), FilesError> {
        let root = Arc::new(ShareRoot::open(folder)?);
        let share = Arc::new(Share::new(id, root, Index::none()));
        self.shares.write().insert(id, (share, None));
        Ok(())
    }

    /// Stops offering a share. What is being served from it goes on until its ticket ends.
    pub fn remove_share(&self, id: ShareId) {
        let removed = self.shares.write().remove(&id);
        drop(removed);
    }

    /// A share on offer. Doors do not call this: they get their share from `serve::access`, with the right to it.
    #[must_use]
    pub fn share(&self, id: ShareId) -> Option<Arc<Share>> {
        self.shares.read().get(&id).map(|(share, _)| Arc::clone(share))
    }
}

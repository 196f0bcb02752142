//! A machine that takes one transfer by itself, without a coordinator that says what to expect: it mints the ticket, and
//! answers nobody else. What comes goes into one folder, of which nothing else is known.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use peer::{Endpoint, Protocol};
use proto::api::transfers::Expected;
use proto::ticket::{Claims, Issuer, KeyRing, Resource, SigningKey, Ticket};
use proto::{DeviceId, Permission, PrincipalId, ShareId, TransferId};
use time::{Duration, OffsetDateTime};

use crate::agent::{Agent, Config};
use crate::files::FilesError;
use crate::files::media::MediaConfig;
use crate::files::write::WriteError;
use crate::serve::transfers;
use crate::transfer::incoming::Incoming;

/// How long its tickets are good. They end with the program anyway.
const LIFETIME: Duration = Duration::hours(24);
/// The store in a folder, which is made for what is coming.
const STORE: &str = ".lanthorn-store";
/// Stands in a store that was made by this and holds nothing else.
const OURS: &str = "made-to-receive";

/// A machine that takes one transfer.
pub struct Alone {
    agent: Arc<Agent>,
    key: SigningKey,
    share: ShareId,
    folder: PathBuf,
}

/// It cannot take anything.
#[derive(Debug, thiserror::Error)]
pub enum AloneError {
    /// The folder cannot be used.
    #[error(transparent)]
    Folder(#[from] FilesError),
    /// It cannot be written to.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// There are no random numbers.
    #[error("no key could be made")]
    Key(#[from] proto::ticket::InvalidKey),
}

impl Alone {
    /// Takes into this folder, as the device of this key. Blocks.
    ///
    /// # Errors
    /// [`AloneError`]
    pub fn open(device: DeviceId, folder: &Path) -> Result<Self, AloneError> {
        let key = SigningKey::generate()?;
        let share = ShareId::generate();
        let agent = Agent::new(Config {
            device,
            keys: KeyRing::new(device, [Issuer::own(vec![key.public()])]),
            // Nothing is made in it: nobody can ask for a picture.
            cache_dir: std::env::temp_dir(),
            media: MediaConfig::default(),
            rate_limit: None,
        });
        agent.take_into(share, folder)?;
        Ok(Self { agent, key, share, folder: folder.to_owned() })
    }

    /// Expects a transfer, of which some may be here from before. Blocks.
    ///
    /// # Errors
    /// The disk's, or something else was expected under this id before.
    pub fn expect(&self, id: TransferId, expected: Expected) -> Result<Arc<Incoming>, AloneError> {
        let share = self.agent.share(self.share).ok_or(FilesError::NotFound)?;
        let store = self.folder.join(STORE);
        let is_new = !store.exists();
        let expected = Expected { receiver_share_id: self.share, ..expected };
        let incoming = self.agent.inbox().expect(&share, id, expected)?;
        if is_new {
            std::fs::write(store.join(OURS), "").map_err(WriteError::from)?;
        }
        Ok(incoming)
    }

    /// Opens that transfer to the sender with this key.
    ///
    /// # Errors
    /// No ticket can be signed.
    pub fn ticket(&self, id: TransferId, sender: DeviceId) -> Result<Ticket, AloneError> {
        let now = OffsetDateTime::now_utc();
        let claims = Claims {
            sub: PrincipalId::generate(),
            cli: "code".into(),
            pky: Some(sender),
            aud: self.agent.config().device,
            res: Resource::Transfer(id, self.share),
            perm: [Permission::RequestSend].into_iter().collect(),
            iat: now,
            exp: now + LIFETIME,
            jti: id.to_string(),
        };
        Ok(self.key.sign(&claims)?)
    }

    /// Answers the sender on this endpoint, and nothing but transfers.
    pub fn answer(&self, endpoint: &Endpoint) {
        let agent = Arc::clone(&self.agent);
        endpoint
            .serve_streams(Protocol::TRANSFER, move |caller| transfers::answer(Arc::clone(&agent), caller));
    }

    /// Leaves nothing but what is in its place. Blocks.
    ///
    /// # Errors
    /// The disk's.
    pub fn tidy(&self, id: TransferId) -> Result<(), AloneError> {
        let share = self.agent.share(self.share).ok_or(FilesError::NotFound)?;
        self.agent.inbox().give_up(&share, id)?;
        let store = self.folder.join(STORE);
        if store.join(OURS).exists() {
            // What is not empty is somebody's, and stays.
            for room in std::fs::read_dir(&store).map_err(WriteError::from)?.flatten() {
                let _ = std::fs::remove_dir(room.path());
            }
            let alone = std::fs::read_dir(&store).map_err(WriteError::from)?.count() == 1;
            if alone && std::fs::remove_file(store.join(OURS)).is_ok() {
                let _ = std::fs::remove_dir(&store);
            }
        }
        Ok(())
    }
}

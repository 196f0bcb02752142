//! What this machine sends of its shares, because somebody who may read there asked their coordinator for it. The
//! coordinator says it again before its ticket ends, and after every restart: nothing of it is kept.

mod errand;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, RwLock};
use peer::Endpoint;
use proto::api::transfers::{
    Carried, ItemKind, MAX_ITEMS, MAX_PREVIEW, Measure, Measured, OfferedItem, Outbound,
};
use proto::path::escape_name;
use proto::{ApiError, ErrorCode, RelPath, ShareId, TransferId};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::outgoing::{RateLimit, Source, measure_until};
use crate::agent::Share;
use crate::files::FilesError;
use errand::Errand;

/// How long it is looked how much there is: whoever offers it waits for that.
const LOOK_FOR: Duration = Duration::from_secs(10);

/// What this machine sends of its shares.
#[derive(Default)]
pub struct Outbox {
    endpoint: RwLock<Option<Endpoint>>,
    errands: Mutex<HashMap<TransferId, Errand>>,
}

impl Outbox {
    /// From now on receivers are reached through this endpoint.
    pub fn set_endpoint(&self, endpoint: Endpoint) {
        *self.endpoint.write() = Some(endpoint);
    }

    /// Sends this from now on; what is under way goes on with the new ticket. The token is cancelled once this word counts
    /// no more: a later one came, or the sending ended.
    ///
    /// # Errors
    /// There is no way from here to other machines, or something else is sent under that id.
    pub fn send(
        &self,
        share: &Share,
        id: TransferId,
        outbound: Outbound,
        rate_limit: Option<Arc<RateLimit>>,
    ) -> Result<CancellationToken, ApiError> {
        let sources = sources(share, &outbound.paths)?;
        let endpoint = self.endpoint.read().clone().ok_or_else(no_way)?;
        let mut errands = self.errands.lock();
        errands.retain(|_, errand| !errand.is_forgotten());
        match errands.get_mut(&id) {
            Some(known) if known.is_of(share.id, &outbound) => known.renew(outbound),
            _ => {
                let errand = Errand::begin((share.id, id), sources, outbound, (endpoint, rate_limit));
                errands.entry(id).insert_entry(errand);
            }
        }
        errands.get(&id).map(Errand::word).ok_or_else(no_way)
    }

    /// How a sending from this share stands, now and whenever that changes; `None` if there is none.
    pub fn watch(&self, share: ShareId, id: TransferId) -> Option<watch::Receiver<Carried>> {
        self.errands.lock().get(&id).filter(|errand| errand.share() == share).map(Errand::told)
    }

    /// What allowed this word of a sending has ended. If another counts by now, it goes on.
    pub fn revoke(&self, id: TransferId, word: &CancellationToken) {
        let mut errands = self.errands.lock();
        if let Some(errand) = errands.get_mut(&id).filter(|_| !word.is_cancelled()) {
            errand.end(revoked());
        }
    }
}

/// Looks what some files and folders of a share are. Blocks.
///
/// # Errors
/// One of them is not there, or cannot be read.
pub fn measure(share: &Share, wanted: &Measure) -> Result<Measured, ApiError> {
    let (until, mut names) = (Instant::now() + LOOK_FOR, MAX_PREVIEW);
    let mut items = Vec::new();
    for source in sources(share, &wanted.paths)? {
        let item = offered(&source, names, until)?;
        names -= item.preview.len();
        items.push(item);
    }
    Ok(Measured { items })
}

fn offered(source: &Source, names: usize, until: Instant) -> Result<OfferedItem, FilesError> {
    let size = measure_until(source, names, &|| Instant::now() > until)?;
    let kind = if size.is_folder { ItemKind::Folder } else { ItemKind::File };
    let name = source.path.name().map(escape_name).unwrap_or_default();
    Ok(OfferedItem { files: size.files, preview: size.preview, ..OfferedItem::new(name, kind, size.bytes) })
}

fn sources(share: &Share, paths: &[String]) -> Result<Vec<Source>, ApiError> {
    if paths.is_empty() || paths.len() > MAX_ITEMS {
        let message = format!("1 to {MAX_ITEMS} files and folders are sent at once.");
        return Err(ApiError::new(
            ErrorCode::BadParameter,
            message,
            "Put them into a folder, and send that.",
        ));
    }
    let source = |text: &String| {
        let path: RelPath = text.parse().map_err(|error| {
            let message = format!("{text:?} is not a path: {error}.");
            ApiError::new(ErrorCode::BadPath, message, "Write it as a listing does.")
        })?;
        Ok(Source::new(Arc::clone(&share.root), path))
    };
    paths.iter().map(source).collect()
}

fn no_way() -> ApiError {
    ApiError::new(
        ErrorCode::DeviceUnreachable,
        "This machine has no way to other machines.",
        "Start it with 'lanthorn up', or as an agent that has joined a coordinator.",
    )
}

fn revoked() -> ApiError {
    ApiError::new(
        ErrorCode::TicketRevoked,
        "What allowed this sending has ended.",
        "Whoever sends it needs the right to read and to download there.",
    )
}

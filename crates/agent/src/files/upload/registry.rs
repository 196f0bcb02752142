//! The uploads of a share: read from the disk when they are first asked for, and bounded for each who sends.

use std::collections::HashMap;
use std::ffi::CStr;
use std::io::ErrorKind;
use std::sync::Arc;

use parking_lot::{Mutex, RwLock};
use proto::api::writing::{self, UPLOAD_HOURS};
use proto::{PrincipalId, RelPath, UploadId};
use time::OffsetDateTime;

use super::UploadError;
use super::home::{ALL, Home};
use super::info::{End, Info, Purpose};
use super::turn::{Hand, Turns};
use crate::agent::Share;
use crate::files::FilesError;
use crate::files::undo::now_ms;
use crate::files::write::WriteError;
use crate::files::write::part::check_room;
use crate::files::write::store::Store;
use crate::share::Stat;
use crate::share::write::{reserve, sync_file};

/// The most unfinished uploads of one person in one share …
const MOST_UPLOADS: usize = if cfg!(test) { 20 } else { 1000 };
/// … and the most bytes that they may have in all.
const MOST_BYTES: u64 = 16 << 40;
/// For how long an unfinished upload waits for its rest.
const WAITS_MS: i64 = UPLOAD_HOURS as i64 * 3_600_000;
/// For how long it is told how one ended.
const TOLD_MS: i64 = 3_600_000;

/// The uploads of one share.
#[derive(Default)]
pub struct Uploads(Mutex<Option<Book>>);

type Book = HashMap<UploadId, Arc<Upload>>;

/// One upload, as far as this process knows it.
pub struct Upload {
    /// Its name.
    pub id: UploadId,
    /// Who sends it.
    pub by: PrincipalId,
    known: RwLock<Known>,
    pub(super) turns: Turns<Hand>,
}

/// What is known of an upload.
#[derive(Clone, Debug)]
pub struct Known {
    /// What it is to be.
    pub info: Info,
    /// The bytes that are durable.
    pub offset: u64,
    /// Whether it goes on.
    pub stage: Stage,
    /// When something last came: milliseconds since 1970.
    touched_ms: i64,
}

/// Whether an upload goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It does; or it is whole, and waits to be put into its place.
    Open,
    /// It is over.
    Ended(End),
}

impl Known {
    /// True if every byte came and it is not over.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.stage == Stage::Open && self.info.length == Some(self.offset)
    }

    /// When it is forgotten if nothing more comes.
    #[must_use]
    pub fn expires(&self) -> OffsetDateTime {
        moment(self.expires_ms())
    }

    const fn expires_ms(&self) -> i64 {
        self.touched_ms.saturating_add(if matches!(self.stage, Stage::Open) { WAITS_MS } else { TOLD_MS })
    }

    fn shown(&self) -> Option<writing::Upload> {
        let target = self.info.purpose.target().filter(|_| self.stage == Stage::Open)?;
        Some(writing::Upload {
            id: self.info.id,
            path: target.path.clone(),
            length: self.info.length,
            offset: self.offset,
            created: moment(self.info.created_ms),
            expires: self.expires(),
        })
    }
}

impl Upload {
    fn new(known: Known, verified: u64) -> Arc<Self> {
        let Info { id, by, .. } = known.info;
        Arc::new(Self { id, by, known: RwLock::new(known), turns: Turns::new(Hand::new(verified)) })
    }

    /// What is known of it at this moment.
    #[must_use]
    pub fn known(&self) -> Known {
        self.known.read().clone()
    }

    /// So many bytes are durable now.
    pub(super) fn reached(&self, offset: u64) {
        let mut known = self.known.write();
        known.offset = offset;
        known.touched_ms = now_ms();
    }

    /// Says how many bytes it will have in all, where that was left open.
    ///
    /// # Errors
    /// [`UploadError::OtherLength`], no room on the disk, or the disk's.
    pub fn tell_length(&self, share: &Share, length: u64) -> Result<(), UploadError> {
        let Known { mut info, offset, .. } = self.known();
        match info.length {
            Some(known) if known == length => return Ok(()),
            None if length >= offset => {}
            _ => return Err(UploadError::OtherLength),
        }
        check_room(&share.store.rooms()?.uploads, length - offset)?;
        info.length = Some(length);
        Home::open(&share.store, self.id)?.write_info(&info)?;
        self.known.write().info = info;
        Ok(())
    }

    /// Ends it, and writes down how.
    pub(super) fn end(&self, home: &Home, end: End) -> Result<(), WriteError> {
        let noted = home.write_end(&end);
        let mut known = self.known.write();
        known.stage = Stage::Ended(end);
        known.touched_ms = now_ms();
        noted
    }
}

impl Uploads {
    /// Begins an upload: its place and its room on the disk are looked at first, and then it is there durably.
    ///
    /// # Errors
    /// [`UploadError`]: too many, no room, a place where it cannot go; or the disk's.
    pub fn begin(&self, share: &Share, info: Info) -> Result<Arc<Upload>, UploadError> {
        if let Some(target) = info.purpose.target() {
            super::finish::foresee(share, target)?;
        }
        let known = Known { info: info.clone(), offset: 0, stage: Stage::Open, touched_ms: now_ms() };
        let upload = Upload::new(known, ALL);
        self.enter(share, &upload)?;
        if let Err(error) = make(share, &info) {
            self.with(share, |book| book.remove(&upload.id))?;
            return Err(error.into());
        }
        Ok(upload)
    }

    /// Takes it into the book, unless whoever sends it has too many there.
    fn enter(&self, share: &Share, upload: &Arc<Upload>) -> Result<(), UploadError> {
        self.with(share, |book| {
            let (mut count, mut bytes) = (0, upload.known().info.length.unwrap_or(0));
            for other in book.values().filter(|other| other.by == upload.by) {
                let other = other.known();
                if other.stage == Stage::Open {
                    count += 1;
                    bytes = bytes.saturating_add(other.info.length.unwrap_or(other.offset));
                }
            }
            if count >= MOST_UPLOADS {
                return Err(UploadError::TooMany);
            }
            if bytes > MOST_BYTES {
                return Err(WriteError::NoSpace.into());
            }
            book.insert(upload.id, Arc::clone(upload));
            Ok(())
        })?
    }

    /// An upload of this person.
    ///
    /// # Errors
    /// [`UploadError::Unknown`], also if it is somebody else's; or the disk's.
    pub fn find(&self, share: &Share, id: UploadId, by: PrincipalId) -> Result<Arc<Upload>, UploadError> {
        let found = self.with(share, |book| book.get(&id).cloned())?;
        found.filter(|upload| upload.by == by).ok_or(UploadError::Unknown)
    }

    /// What these pieces of this person were put together to before, whole.
    ///
    /// # Errors
    /// The disk's.
    pub(super) fn joined_of(
        &self,
        share: &Share,
        pieces: &[UploadId],
        by: PrincipalId,
    ) -> Result<Option<Arc<Upload>>, UploadError> {
        let is_it = |upload: &&Arc<Upload>| {
            let known = upload.known.read();
            let joined = matches!(&known.info.purpose, Purpose::Joined(_, joined) if joined == pieces);
            upload.by == by && joined && known.info.length == Some(known.offset)
        };
        Ok(self.with(share, |book| book.values().find(is_it).cloned())?)
    }

    /// The unfinished uploads of this person, oldest first.
    ///
    /// # Errors
    /// The disk's.
    pub fn list(&self, share: &Share, by: PrincipalId) -> Result<Vec<writing::Upload>, UploadError> {
        let mut shown: Vec<_> = self.with(share, |book| {
            let own = book.values().filter(|upload| upload.by == by);
            own.filter_map(|upload| upload.known().shown()).collect()
        })?;
        shown.sort_by_key(|upload| (upload.created, upload.id));
        Ok(shown)
    }

    /// Gives an upload up.
    ///
    /// # Errors
    /// The disk's.
    pub fn give_up(&self, share: &Share, upload: &Upload) -> Result<(), UploadError> {
        self.with(share, |book| book.remove(&upload.id))?;
        Ok(Home::open(&share.store, upload.id)?.remove()?)
    }

    fn with<T>(&self, share: &Share, act: impl FnOnce(&mut Book) -> T) -> Result<T, WriteError> {
        let mut book = self.0.lock();
        let book = match &mut *book {
            Some(book) => book,
            none => none.insert(read_all(&share.store)?),
        };
        Ok(act(book))
    }

    /// Removes what is over its time, as if it were this time, and nobody is at.
    ///
    /// # Errors
    /// The disk's.
    pub fn sweep(&self, share: &Share, now_ms: i64) -> Result<(), WriteError> {
        self.with(share, |book| {
            book.retain(|id, upload| {
                if upload.known.read().expires_ms() > now_ms || upload.turns.is_taken() {
                    return true;
                }
                // What could not be removed is found again when the share is next offered.
                if let Err(error) = Home::open(&share.store, *id).and_then(Home::remove) {
                    tracing::warn!(%id, %error, "an upload that is over its time cannot be removed");
                }
                false
            });
        })
    }
}

/// Reads what is on the disk. What nobody can go on with is removed.
fn read_all(store: &Store) -> Result<Book, WriteError> {
    let mut ids = Vec::new();
    let Some(rooms) = store.made()? else { return Ok(Book::new()) };
    let folder = rooms.uploads.open_folder(&RelPath::root())?;
    folder.read_names(|name, _| ids.extend(id_of(name)))?;
    let mut book = Book::new();
    for id in ids {
        let home = Home::open(store, id)?;
        match read(&home) {
            Ok(upload) => _ = book.insert(id, upload),
            // What was not begun to the end, or is not understood, waits for nobody.
            Err(error) if !is_temporary(&error) => {
                tracing::debug!(%id, %error, "an upload that cannot go on is removed");
                home.remove()?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(book)
}

/// True if what could not be read may be readable the next time.
fn is_temporary(error: &WriteError) -> bool {
    match error {
        WriteError::Files(FilesError::NotFound) => false,
        WriteError::Io(error) => !matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof),
        _ => true,
    }
}

fn id_of(name: &CStr) -> Option<UploadId> {
    name.to_str().ok()?.parse().ok()
}

fn make(share: &Share, info: &Info) -> Result<(), WriteError> {
    let length = info.length.unwrap_or(0);
    check_room(&share.store.rooms()?.uploads, length)?;
    let (home, data) = Home::make(&share.store, info.id)?;
    let made = (|| {
        if length > 0 {
            reserve(&data, length)?;
        }
        home.write_info(info)
    })();
    if made.is_err() {
        home.remove()?;
    }
    made
}

/// An upload as its folder says. Bytes that were not verified are cut off, and what is left is durable.
fn read(home: &Home) -> Result<Arc<Upload>, WriteError> {
    let info = home.info()?;
    if let Some(end) = home.end()? {
        let offset = info.length.unwrap_or(0);
        let known = Known { offset, touched_ms: now_ms(), stage: Stage::Ended(end), info };
        return Ok(Upload::new(known, ALL));
    }
    let data = home.data().open_to_write()?;
    let (stat, verified) = (Stat::of_handle(&data)?, home.verified()?);
    let offset = stat.size.min(verified);
    if matches!(info.purpose, Purpose::Joined(..)) && info.length != Some(offset) {
        // Its pieces are all there still.
        return Err(FilesError::NotFound.into());
    }
    if offset < stat.size {
        data.set_len(offset)?;
    }
    sync_file(&data)?;
    let touched_ms = (stat.ctime_ns / 1_000_000).max(info.created_ms);
    Ok(Upload::new(Known { info, offset, stage: Stage::Open, touched_ms }, verified))
}

fn moment(ms: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::World;

    #[tokio::test]
    async fn what_is_over_its_time_goes_unless_somebody_is_at_it() {
        let world = World::new();
        let share = world.shared();
        let begin = || {
            let info = Info::new(PrincipalId::generate(), Some(3), Purpose::Piece, String::new());
            share.uploads.begin(&share, info).unwrap()
        };
        let (idle, busy) = (begin(), begin());
        let turn = Arc::clone(&busy).take_over().await;
        let left = |at: i64| {
            share.uploads.sweep(&share, at).unwrap();
            let folders = std::fs::read_dir(world.path(".lanthorn-store/uploads")).unwrap();
            let mut names: Vec<_> = folders.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        };
        let name = |upload: &Upload| upload.id.to_string();
        assert_eq!(left(now_ms() + WAITS_MS - 60_000), [name(&idle), name(&busy)]);
        assert_eq!(left(now_ms() + WAITS_MS + 60_000), [name(&busy)]);
        assert!(matches!(share.uploads.find(&share, idle.id, idle.by), Err(UploadError::Unknown)));
        drop(turn);
        assert!(left(now_ms() + WAITS_MS + 60_000).is_empty());
    }
}

//! The share's trash: what was deleted, with the versions it had, and where it was. A folder for each thing, so that
//! everything goes in and comes out by one rename.

use proto::api::files::EntryType;
use proto::api::writing::{Acted, Clash, Outcome, Trash, Trashed};
use proto::{PrincipalId, RelPath, TrashId};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::over::second_name;
use super::place::{Placed, is_file, settle, shift};
use super::{Act, BATCH, Became, FEW, refused, told};
use crate::agent::Share;
use crate::files::following::Way;
use crate::files::undo::{Inverse, inverse_of, now_ms};
use crate::files::write::WriteError;
use crate::files::write::part::new_spot;
use crate::files::write::publish::{self, Expect};
use crate::files::{FilesError, entry, following, mirror, note, tree};
use crate::share::Stat;
use crate::share::write::{Spot, sync_file};

/// After how many days what is in the trash is gone for good.
pub const DAYS: u32 = 30;

const NOTE: &[u8] = b"entry.json";
const ITEM: &[u8] = b"item";
const VERSIONS: &[u8] = b"versions";

/// What is noted of something that was deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Note {
    /// The place it had.
    pub path: RelPath,
    #[serde(rename = "type")]
    entry_type: EntryType,
    size: u64,
    /// When it was deleted: milliseconds since 1970.
    pub at_ms: i64,
    by: PrincipalId,
}

/// A place in the trash.
pub struct Place {
    /// Its name.
    pub id: TrashId,
    /// Its folder.
    spot: Spot,
    note: Spot,
    /// What was deleted.
    item: Spot,
    /// The versions of what was deleted.
    versions: Spot,
}

/// Deletes each thing: to the trash.
///
/// # Errors
/// The disk's, once something was deleted. Why one could not be is said of the item.
pub fn delete(share: &Share, paths: Vec<RelPath>, by: PrincipalId) -> Result<Acted, WriteError> {
    let mut act = Act::new(share, by);
    let mut paths = paths.into_iter();
    loop {
        let batch: Vec<RelPath> = paths.by_ref().take(BATCH).collect();
        if batch.is_empty() {
            return act.finish();
        }
        let places: Vec<_> = batch.into_iter().map(|path| (Place::prepare(share, &path, by), path)).collect();
        // Where it was has to be known before it is not there any more.
        let durable = make_durable(share, &places).map_err(told);
        for (place, path) in places {
            match (place, &durable) {
                (Ok(place), Err(error)) => {
                    place.give_up(share);
                    act.items.push(refused(path, error.clone()));
                }
                (place, _) => {
                    let became = place.and_then(|place| act.throw(&path, &place, None));
                    act.note(path, became);
                }
            }
        }
    }
}

fn make_durable(share: &Share, places: &[(Result<Place, WriteError>, RelPath)]) -> Result<(), WriteError> {
    let mut prepared = places.iter().filter_map(|(place, _)| place.as_ref().ok());
    if prepared.clone().count() > FEW {
        return share.root.sync_all();
    }
    prepared.try_for_each(Place::sync)
}

/// Brings each thing back out of the trash, to the place it had.
///
/// # Errors
/// The disk's, once something was restored. Why one could not be is said of the item.
pub fn restore(share: &Share, ids: &[TrashId], clash: Clash, by: PrincipalId) -> Result<Acted, WriteError> {
    let mut act = Act::new(share, by);
    for id in ids {
        let (path, became) = act.restore_one(*id, clash);
        act.note(path, became);
    }
    act.finish()
}

impl Act<'_> {
    /// Deletes one thing for an act that did not prepare; only if it still is what is expected.
    pub(super) fn throw_one(&mut self, path: &RelPath, version: &str) -> Result<Became, WriteError> {
        let place = Place::prepare(self.share, path, self.by)?;
        place.sync()?;
        self.throw(path, &place, Some(version))
    }

    fn throw(&mut self, path: &RelPath, place: &Place, version: Option<&str>) -> Result<Became, WriteError> {
        let thrown = self.share.root.spot(path).and_then(|spot| {
            let announced = following::announce(self.share, path, Way::Thrown(place.id))?;
            shift(self.share, &spot, &place.item)?;
            Ok((spot, announced))
        });
        let (spot, announced) = match thrown {
            Ok(thrown) => thrown,
            Err(error) => {
                place.give_up(self.share);
                return Err(error);
            }
        };
        self.touched.add(&spot)?;
        self.touched.add(&place.item)?;
        let stat = place.item.stat()?;
        if version.is_some_and(|version| version != entry::version(&stat)) {
            // It changed a moment ago.
            shift(self.share, &place.item, &spot)?;
            place.give_up(self.share);
            return Err(WriteError::NotUndoable);
        }
        let followed = mirror::take_out(self.share, path, &place.versions);
        following::done(announced, followed);
        self.steps.push(Inverse::Restore { id: place.id });
        Ok(Became { to: None, outcome: Outcome::Done })
    }

    /// The place it had, and what became of it.
    pub(super) fn restore_one(&mut self, id: TrashId, clash: Clash) -> (RelPath, Result<Became, WriteError>) {
        let found = Place::of(self.share, id).and_then(|place| Ok((place.read()?, place)));
        match found {
            Err(error) => (RelPath::root(), Err(error)),
            Ok((note, place)) => {
                let became = self.bring_back(&note.path, &place, clash);
                (note.path, became)
            }
        }
    }

    fn bring_back(&mut self, path: &RelPath, place: &Place, clash: Clash) -> Result<Became, WriteError> {
        self.make_way(&path.parent().unwrap_or_default())?;
        let became =
            if clash == Clash::Replace && is_file(&place.item) && is_file(&self.share.root.spot(path)?) {
                self.bring_over(path, place)?
            } else {
                let settled = settle(self.share, &place.item, path, clash, &mut self.touched)?;
                let Some(Placed { path, stat, outcome, .. }) = settled else { return Ok(Became::skipped()) };
                self.steps.push(Inverse::Discard { path: path.clone(), version: entry::version(&stat) });
                Became::at(path, outcome)
            };
        if mirror::put_in(self.share, &place.versions, became.to.as_ref().unwrap_or(path)) {
            place.give_up(self.share);
        }
        Ok(became)
    }

    /// Over a file that has the name by now, which becomes a version.
    fn bring_over(&mut self, path: &RelPath, place: &Place) -> Result<Became, WriteError> {
        let content = second_name(self.share, &place.item)?;
        let expect = Expect::Clash(Clash::Replace);
        let published = publish::publish(self.share, content.content(), path, &expect, self.by)?;
        self.steps.extend(inverse_of(&published));
        Ok(Became::at(published.path, published.outcome))
    }
}

impl Place {
    /// The place of this name, whether it is there or not.
    ///
    /// # Errors
    /// [`WriteError::Gone`]: it is not.
    fn of(share: &Share, id: TrashId) -> Result<Self, WriteError> {
        let spot = spot(share, id)?;
        let folder = match spot.open_folder() {
            Err(FilesError::NotFound) => return Err(WriteError::Gone),
            folder => folder?.into_folder(),
        };
        let [note, item, versions] = [NOTE, ITEM, VERSIONS].map(|name| Spot::of(folder.clone(), name));
        Ok(Self { id, spot, note, item, versions })
    }

    /// A place for something that is about to be deleted, with the note of where it was. Nothing is durable.
    fn prepare(share: &Share, path: &RelPath, by: PrincipalId) -> Result<Self, WriteError> {
        let shown = entry::of(path.clone(), &share.root.spot(path)?.stat()?, false);
        let id = TrashId::generate();
        spot(share, id)?.make_folder()?;
        let place = Self::of(share, id)?;
        let (path, entry_type, size) = (shown.path, shown.entry_type, shown.size);
        let note = Note { path, entry_type, size, at_ms: now_ms(), by };
        if let Err(error) = note::write(&place.note, &note) {
            place.give_up(share);
            return Err(error);
        }
        Ok(place)
    }

    /// Makes the note durable.
    fn sync(&self) -> Result<(), WriteError> {
        sync_file(&self.note.open()?.file)?;
        self.note.sync_folder()?;
        self.spot.sync_folder()
    }

    /// What is noted of what is here.
    ///
    /// # Errors
    /// [`WriteError::Gone`]: nothing is, or its note cannot be read.
    pub fn read(&self) -> Result<Note, WriteError> {
        self.item.stat().map_err(|_| WriteError::Gone)?;
        self.noted().ok_or(WriteError::Gone)
    }

    /// The note, also where nothing came or remained.
    #[must_use]
    pub fn noted(&self) -> Option<Note> {
        note::read(&self.note)
    }

    /// Removes a place that is not needed (any more). What cannot be removed now is swept.
    fn give_up(&self, share: &Share) {
        if let Err(error) = self.remove(share) {
            tracing::warn!(id = %self.id, %error, "an empty place in the trash is left to be swept");
        }
    }

    /// Removes it for good: in one step nothing of it is in the trash any more.
    ///
    /// # Errors
    /// The disk's.
    pub fn remove(&self, share: &Share) -> Result<(), WriteError> {
        let aside = new_spot(&share.store)?;
        self.spot.move_to(&aside)?;
        tree::remove(&aside)
    }

    /// True if what was deleted is here, whatever its note says.
    #[must_use]
    pub fn holds_something(&self) -> bool {
        !matches!(self.item.stat(), Err(FilesError::NotFound))
    }

    /// What the disk says of the place.
    ///
    /// # Errors
    /// The disk's.
    pub fn stat(&self) -> Result<Stat, FilesError> {
        self.spot.stat()
    }

    /// Takes back versions that were left here when what they were of had come back already.
    ///
    /// False if they are here still.
    #[must_use]
    pub fn give_back_versions(&self, share: &Share, path: &RelPath) -> bool {
        mirror::put_in(share, &self.versions, path)
    }

    /// How much room it takes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        tree::bytes(&self.spot)
    }
}

fn spot(share: &Share, id: TrashId) -> Result<Spot, WriteError> {
    let folder = share.store.rooms()?.trash.open_folder(&RelPath::root())?.into_folder();
    Ok(Spot::of(folder, id.to_string().as_bytes()))
}

/// Takes the versions of a path to this place, if what was deleted there has this number on the disk.
/// False if it is to be tried again.
pub fn take_versions(share: &Share, id: TrashId, ino: u64, path: &RelPath) -> bool {
    let place = Place::of(share, id).ok();
    let place = place.filter(|place| place.item.stat().is_ok_and(|stat| stat.ino == ino));
    place.is_none_or(|place| mirror::take_out(share, path, &place.versions))
}

/// Every place in the trash.
///
/// # Errors
/// The disk's.
pub fn places(share: &Share) -> Result<Vec<Place>, WriteError> {
    let mut ids = Vec::<TrashId>::new();
    let Some(rooms) = share.store.made()? else { return Ok(Vec::new()) };
    let folder = rooms.trash.open_folder(&RelPath::root())?;
    folder
        .read_names(|name, _| ids.extend(name.to_str().ok().and_then(|name| name.parse::<TrashId>().ok())))?;
    Ok(ids.into_iter().filter_map(|id| Place::of(share, id).ok()).collect())
}

/// What is in the trash, newest first.
///
/// # Errors
/// The disk's.
pub fn list(share: &Share) -> Result<Trash, WriteError> {
    let found = places(share)?.into_iter().filter_map(|place| Some((place.id, place.read().ok()?)));
    let mut items: Vec<Trashed> = found.map(|(id, note)| note.shown(id)).collect();
    items.sort_by_key(|item| std::cmp::Reverse((item.deleted_at, item.id)));
    Ok(Trash { items, days: DAYS })
}

/// Removes for good what is in the trash, or the one thing that is named.
///
/// # Errors
/// [`WriteError::Gone`], or the disk's.
pub fn empty(share: &Share, only: Option<TrashId>) -> Result<(), WriteError> {
    match only {
        Some(id) => Place::of(share, id)?.remove(share),
        None => places(share)?.iter().try_for_each(|place| place.remove(share)),
    }
}

impl Note {
    fn shown(self, id: TrashId) -> Trashed {
        let Self { path, entry_type, size, at_ms, by: deleted_by } = self;
        let deleted_at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(at_ms) * 1_000_000);
        let deleted_at = deleted_at.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        Trashed { id, path, entry_type, size, deleted_at, deleted_by }
    }
}

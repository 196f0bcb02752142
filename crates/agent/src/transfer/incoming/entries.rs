//! Takes what the sender tells of: makes folders, finds what is here already, refuses what cannot be.

use std::sync::Arc;

use parking_lot::Mutex;
use proto::api::transfers::{ItemKind, ItemState};
use proto::wire::transfer::{Entry, FromReceiver, Have, MAX_ENTRIES, MAX_PATH, PIECE, Problem, What};
use proto::{ApiError, ErrorCode};

use super::run::{Coming, Run, Slot, SlotState};
use super::{Incoming, State, is_on_its_way};
use crate::files::write::WriteError;
use crate::files::{FilesError, tree};
use crate::share::Node;
use crate::share::write::reserve;
use crate::transfer::journal::Record;
use crate::transfer::pieces::Progress;
use crate::transfer::{names, problem};

/// A folder may have grown by this part since it was offered …
const GROWTH: u64 = 10;
/// … and by this many bytes.
const SLACK: u64 = 16 << 20;

impl Incoming {
    /// Takes some more entries, and answers what is here of them.
    ///
    /// # Errors
    /// There are more than is taken, or an item that nobody approved.
    pub(super) fn take_entries(self: &Arc<Self>, run: &Run, entries: Vec<Entry>) -> Result<(), ApiError> {
        check_count(run, entries.len())?;
        let (mut slots, mut have) = (Vec::new(), Vec::new());
        for entry in entries {
            let (slot, here) = self.take_entry(run, entry, true)?;
            slots.push(Arc::new(slot));
            have.push(here);
        }
        run.tell(slots);
        run.say(FromReceiver::Have(have));
        Ok(())
    }

    /// Takes one entry. While the disk is full it waits, or else the entry is refused.
    pub(super) fn take_entry(
        self: &Arc<Self>,
        run: &Run,
        entry: Entry,
        waits: bool,
    ) -> Result<(Slot, Have), ApiError> {
        if let Some(replaced) = entry.replaces.and_then(|replaced| run.told_of(replaced)) {
            let void = run.replace(&replaced);
            self.with_item(replaced.entry.item, |item| {
                item.received_size = item.received_size.saturating_sub(void);
            });
        }
        let state = self.state.lock();
        let item = state.items.get(usize::from(entry.item)).ok_or_else(not_expected)?;
        let (is_open, state_of_item) = (is_on_its_way(item.state), item.state);
        drop(state);
        let received = match names::place(entry.item, &entry.path) {
            Ok(received) if entry.path.len() <= MAX_PATH => received,
            _ => return Ok(refused(entry, names_problem())),
        };
        let path = received.path;
        if !is_open {
            let slot = Slot { entry, path, state: Mutex::new(SlotState::Given) };
            let have = if state_of_item == ItemState::Finalized { Have::All } else { Have::Nothing };
            return Ok((slot, have));
        }
        if let Some(renamed) = received.renamed {
            self.with_item(entry.item, |item| item.renamed.push(renamed));
        }
        if let Err(error) = self.check_size(run, &entry) {
            return Ok(refused(entry, problem(error)));
        }
        let made = loop {
            let bytes = entry_bytes(&entry);
            match self.make(run, &entry, &path) {
                Err(WriteError::NoSpace) if waits && self.wait_for_room(run, bytes).is_ok() => {}
                Err(WriteError::NoSpace) => {
                    self.hold_for_room(bytes);
                    break Err(WriteError::NoSpace);
                }
                made => break made,
            }
        };
        Ok(match made {
            Ok((state, have)) => (Slot { entry, path, state: Mutex::new(state) }, have),
            Err(error) => {
                run.uncount(&entry);
                refused(entry, problem(error.into()))
            }
        })
    }

    fn make(&self, run: &Run, entry: &Entry, path: &proto::RelPath) -> Result<(SlotState, Have), WriteError> {
        match &entry.what {
            What::File(facts) => {
                let fresh = Progress::new(*facts).ok_or(WriteError::TooLarge)?;
                self.file(run, entry, path, fresh)
            }
            What::Folder { .. } => {
                self.tree.make_folders(path).map(|_| (SlotState::Here(None), Have::Nothing))
            }
            What::Link { target } if stays_inside(&entry.path, target) => {
                Ok((SlotState::Here(None), Have::Nothing))
            }
            What::Link { .. } => Err(WriteError::IsLink),
        }
    }

    /// Refuses what was not offered: another file, or a folder much larger than was said.
    fn check_size(&self, run: &Run, entry: &Entry) -> Result<(), ApiError> {
        let What::File(facts) = entry.what else { return Ok(()) };
        let told = run.count_told(entry.item, facts.size);
        let mut state = self.state.lock();
        let State { expected, items, .. } = &mut *state;
        let place = usize::from(entry.item);
        let (Some(expected), Some(item)) = (expected.items.get(place), items.get_mut(place)) else {
            return Ok(());
        };
        let offered = expected.offered.size;
        let fits = match expected.offered.kind {
            ItemKind::Folder => told <= offered.saturating_add(offered / GROWTH).saturating_add(SLACK),
            ItemKind::File | ItemKind::Text => entry.path.is_empty() && facts.size == offered,
        };
        item.expected_size = offered.max(told);
        if fits { Ok(()) } else { Err(not_as_offered()) }
    }

    /// A file: what is here of it, and room for the rest.
    fn file(
        &self,
        run: &Run,
        entry: &Entry,
        path: &proto::RelPath,
        fresh: Progress,
    ) -> Result<(SlotState, Have), WriteError> {
        let facts = fresh.facts();
        let known = self.known.lock().files.remove(&(entry.item, entry.path.clone()));
        let spot = self.tree.spot(path)?;
        let there = match spot.stat() {
            Ok(stat) => Some(stat),
            Err(FilesError::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        let is_here = there.is_some_and(|stat| stat.node == Node::File);
        let (known, void) = match known {
            Some(known) if is_here && known.facts() == facts => (Some(known), false),
            other => (None, other.is_some_and(|known| known.bytes() > 0) || entry.replaces.is_some()),
        };
        if let Some(progress) = known {
            run.count(progress.bytes());
            self.with_item(entry.item, |item| item.received_size += progress.bytes());
            if progress.is_whole() {
                let hash = progress.hash().map(|hash| *hash.as_bytes());
                return Ok((SlotState::Here(hash), Have::All));
            }
            let have = Have::Some(progress.bits());
            return Ok((coming(progress), have));
        }
        if void {
            // Before something else is there under that name: what was written down of it must not speak of that.
            let (item, path) = (entry.item, entry.path.clone());
            self.journal.lock().append(&[Record::Cut { item, path, pieces: 0 }])?;
        }
        if there.is_some() {
            // What came of a file that has changed since is void; so is what was not made durable in time.
            tree::remove(&spot)?;
        }
        if facts.size == 0 || facts.size > u64::from(PIECE) {
            let file = if facts.executable { spot.create_executable()? } else { spot.create()? };
            if facts.size == 0 {
                crate::share::write::set_modified(&file, facts.modified_ns)?;
                return Ok((SlotState::Here(Some(*blake3::hash(b"").as_bytes())), Have::Nothing));
            }
            self.check_room(facts.size)?;
            reserve(&file, facts.size)?;
        }
        Ok((coming(fresh), Have::Nothing))
    }
}

pub(super) fn check_count(run: &Run, more: usize) -> Result<(), ApiError> {
    if run.told() + more > MAX_ENTRIES as usize { Err(too_many()) } else { Ok(()) }
}

/// The bytes that an entry will have.
const fn entry_bytes(entry: &Entry) -> u64 {
    match entry.what {
        What::File(facts) => facts.size,
        What::Folder { .. } | What::Link { .. } => 0,
    }
}

const fn coming(progress: Progress) -> SlotState {
    SlotState::Coming(Coming { file: None, progress, wrong: 0 })
}

fn refused(entry: Entry, why: Problem) -> (Slot, Have) {
    let slot = Slot { entry, path: proto::RelPath::root(), state: Mutex::new(SlotState::Given) };
    (slot, Have::Refused(why))
}

/// True if a link at this path of an item points to something in the item.
fn stays_inside(path: &[u8], target: &[u8]) -> bool {
    if target.is_empty() || target.starts_with(b"/") || target.contains(&0) {
        return false;
    }
    // A link that is the item itself has nothing around it to point to.
    let mut depth = path.iter().filter(|byte| **byte == b'/').count();
    if path.is_empty() {
        return false;
    }
    for name in target.split(|byte| *byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if depth == 0 => return false,
            b".." => depth -= 1,
            _ => depth += 1,
        }
    }
    true
}

fn not_expected() -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        "The sender sends something that was not offered.",
        "Offer it anew, so that the receiver can approve it.",
    )
}

fn not_as_offered() -> ApiError {
    ApiError::new(
        ErrorCode::Conflict,
        "This is not what was offered: it has another size.",
        "It may have changed since; offer it anew.",
    )
}

fn too_many() -> ApiError {
    ApiError::new(
        ErrorCode::TooMany,
        format!("One transfer has at most {MAX_ENTRIES} files and folders."),
        "Send it in several parts.",
    )
}

fn names_problem() -> Problem {
    Problem {
        code: ErrorCode::BadName,
        message: "The name leads out of what is sent, or is too long.".into(),
        hint: "Give it another name, and send it again.".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::stays_inside;

    #[test]
    fn links_stay_in_their_item() {
        for (path, target, expected) in [
            ("a", "b", true),
            ("a/b", "../c", true),
            ("a/b/c", "../../d/e", true),
            ("a/b", "./././x", true),
            ("a", "", false),
            ("", "b", false),
            ("a", "..", false),
            ("a", "../x", false),
            ("a/b", "../../x", false),
            ("a/b", "x/../../../y", false),
            ("a", "/etc/passwd", false),
        ] {
            assert_eq!(stays_inside(path.as_bytes(), target.as_bytes()), expected, "{path} -> {target}");
        }
    }
}

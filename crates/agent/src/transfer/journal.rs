//! What counts of a transfer, across restarts: which pieces are on the disk and verified, and which items are in their
//! place. A file that only grows. Each record has a checksum of its own: what a crash cut off at its end, and all behind
//! it, counts nothing.
//!
//! Pieces are written down at once, before their bytes are durable: after a crash those that stand behind the last
//! [`Record::Settled`] are read and hashed before they count. So the end of a process costs next to nothing that has to come
//! again, and the end of the machine nothing but these.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileExt;

use proto::wire::transfer::FileFacts;
use serde::{Deserialize, Serialize};

use super::pieces::{Chaining, Progress};
use crate::crash;
use crate::files::FilesError;
use crate::files::write::WriteError;
use crate::share::write::{Spot, sync_file};

/// Bytes of a record's checksum, which stands behind its length.
const SUM: usize = 8;
const LENGTH: usize = 4;
/// No record is longer: a path, and some numbers.
const MAX_RECORD: usize = 64 << 10;

/// One thing that counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Record {
    /// A piece of a file is here.
    Piece {
        /// The item.
        item: u16,
        /// The file in it.
        path: Vec<u8>,
        /// Which file: with other facts it is another.
        facts: FileFacts,
        /// The piece.
        piece: u32,
        /// What it was verified by.
        chaining: Chaining,
    },
    /// An item is about to go to this place, from the share's root.
    Placing {
        /// The item.
        item: u16,
        /// The place, in text form.
        path: String,
    },
    /// It is there.
    Placed {
        /// The item.
        item: u16,
        /// The place, in text form.
        path: String,
        /// The file's hash, if it is a file.
        hash: Option<Chaining>,
    },
    /// Of a file, only its first pieces count any more.
    Cut {
        /// The item.
        item: u16,
        /// The file in it.
        path: Vec<u8>,
        /// How many.
        pieces: u32,
    },
    /// An item is here, and was found to be what was offered.
    Committed {
        /// The item.
        item: u16,
    },
    /// Everything that was written down before is durable.
    Settled,
    /// What came of an item is thrown away.
    Dropped {
        /// The item.
        item: u16,
    },
    /// A piece is not here after all.
    Spoiled {
        /// The item.
        item: u16,
        /// The file in it.
        path: Vec<u8>,
        /// The piece.
        piece: u32,
    },
}

/// Where an item is, or may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// It was about to go there: it did if it is not where it was.
    Perhaps(String),
    /// It is there.
    There(String, Option<Chaining>),
}

/// All that counted when the journal was opened.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Known {
    /// What is here of each file.
    pub(super) files: HashMap<(u16, Vec<u8>), Progress>,
    /// Where items are.
    pub(super) places: HashMap<u16, Place>,
    /// Items that were found to be what was offered.
    pub(super) committed: HashSet<u16>,
    /// Pieces that were written down and perhaps are not durable, by item and path.
    pub(super) unsure: HashSet<(u16, Vec<u8>, u32)>,
}

impl Known {
    fn take(&mut self, record: Record) {
        match record {
            Record::Piece { item, path, facts, piece, chaining } => {
                let Some(fresh) = Progress::new(facts) else { return };
                self.unsure.insert((item, path.clone(), piece));
                let progress = self.files.entry((item, path)).or_insert_with(|| fresh.clone());
                if progress.facts() != facts {
                    *progress = fresh;
                }
                progress.mark(piece, chaining);
            }
            Record::Placing { item, path } => {
                self.places.insert(item, Place::Perhaps(path));
            }
            Record::Placed { item, path, hash } => {
                self.places.insert(item, Place::There(path, hash));
            }
            Record::Cut { item, path, pieces } => {
                self.committed.remove(&item);
                if let Some(progress) = self.files.get_mut(&(item, path)) {
                    progress.cut(pieces);
                }
            }
            Record::Committed { item } => {
                self.committed.insert(item);
            }
            Record::Settled => self.unsure.clear(),
            Record::Dropped { item } => {
                self.places.remove(&item);
                self.committed.remove(&item);
                self.files.retain(|(of, _), _| *of != item);
                self.unsure.retain(|(of, _, _)| *of != item);
            }
            Record::Spoiled { item, path, piece } => {
                if let Some(progress) = self.files.get_mut(&(item, path)) {
                    progress.unmark(piece);
                }
            }
        }
    }
}

/// The journal of one transfer, open to be appended to.
pub(super) struct Journal {
    file: File,
    length: u64,
}

impl Journal {
    /// Opens it, made if it is not there, and reads what counts.
    pub(super) fn open(spot: &Spot) -> Result<(Self, Known), WriteError> {
        let file = match spot.open_to_write() {
            Err(WriteError::Files(FilesError::NotFound)) => spot.create()?,
            opened => opened?,
        };
        let mut content = Vec::new();
        (&file).read_to_end(&mut content)?;
        let (mut known, mut rest) = (Known::default(), content.as_slice());
        while let Some((record, behind)) = next(rest) {
            known.take(record);
            rest = behind;
        }
        let length = (content.len() - rest.len()) as u64;
        crash::step("cut")?;
        file.set_len(length)?;
        Ok((Self { file, length }, known))
    }

    /// Appends, durably.
    pub(super) fn append(&mut self, records: &[Record]) -> Result<(), WriteError> {
        if records.is_empty() {
            return Ok(());
        }
        let length = self.write(records)?;
        sync_file(&self.file)?;
        self.length = length;
        Ok(())
    }

    /// Appends what nobody relies on yet.
    pub(super) fn note(&mut self, records: &[Record]) -> Result<(), WriteError> {
        self.length = self.write(records)?;
        Ok(())
    }

    /// Writes behind the end. Where that would be then.
    fn write(&self, records: &[Record]) -> Result<u64, WriteError> {
        let mut bytes = Vec::new();
        for record in records {
            encode(record, &mut bytes)?;
        }
        crash::step("write")?;
        self.file.write_all_at(&bytes, self.length)?;
        Ok(self.length + bytes.len() as u64)
    }
}

fn encode(record: &Record, bytes: &mut Vec<u8>) -> Result<(), WriteError> {
    let record = postcard::to_allocvec(record).map_err(std::io::Error::other)?;
    let length = u32::try_from(record.len()).map_err(std::io::Error::other)?;
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&sum(&record));
    bytes.extend_from_slice(&record);
    Ok(())
}

/// The first record, and what is behind it.
fn next(bytes: &[u8]) -> Option<(Record, &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH>()?;
    let (summed, rest) = rest.split_first_chunk::<SUM>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length <= MAX_RECORD)?;
    let (record, rest) = rest.split_at_checked(length)?;
    if sum(record) != *summed {
        return None;
    }
    Some((postcard::from_bytes(record).ok()?, rest))
}

fn sum(record: &[u8]) -> [u8; SUM] {
    let hash = blake3::hash(record);
    std::array::from_fn(|at| hash.as_bytes()[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::share::ShareRoot;
    use proto::RelPath;
    use proto::wire::transfer::PIECE;

    fn record(path: &str, facts: FileFacts, piece: u32) -> Record {
        Record::Piece { item: 1, path: path.into(), facts, piece, chaining: [piece as u8; 32] }
    }

    #[test]
    fn what_was_written_counts_and_what_was_cut_off_does_not() {
        let home = tempfile::tempdir().unwrap();
        let root = ShareRoot::open(home.path()).unwrap();
        let spot = root.spot(&"journal".parse::<RelPath>().unwrap()).unwrap();
        let facts = FileFacts { size: 3 * u64::from(PIECE), modified_ns: 5, executable: false };
        let changed = FileFacts { modified_ns: 6, ..facts };
        let (mut journal, known) = Journal::open(&spot).unwrap();
        assert_eq!(known, Known::default());
        journal.append(&[record("a", facts, 2), record("b", facts, 0)]).unwrap();
        journal.append(&[record("a", facts, 0), record("b", changed, 1)]).unwrap();
        let placing = Record::Placing { item: 3, path: "here".into() };
        journal.append(&[placing, Record::Placing { item: 4, path: "there".into() }]).unwrap();
        let placed = Record::Placed { item: 3, path: "here".into(), hash: Some([9; 32]) };
        journal.append(&[placed]).unwrap();
        let whole = std::fs::read(home.path().join("journal")).unwrap();
        let reopened = || Journal::open(&spot).unwrap().1;
        let known = reopened();
        let has = |known: &Known, path: &str| {
            let progress = known.files.get(&(1, path.into()))?;
            Some((progress.facts(), (0..3).filter(|piece| progress.has(*piece)).collect::<Vec<_>>()))
        };
        assert_eq!(has(&known, "a"), Some((facts, vec![0, 2])));
        assert_eq!(has(&known, "b"), Some((changed, vec![1])), "what came of another file is void");
        assert_eq!(known.places[&3], Place::There("here".into(), Some([9; 32])));
        assert_eq!(known.places[&4], Place::Perhaps("there".into()));
        for cut in 0..whole.len() {
            std::fs::write(home.path().join("journal"), &whole[..cut]).unwrap();
            let (mut journal, known) = Journal::open(&spot).unwrap();
            assert!(known.places.get(&3) != Some(&Place::There("here".into(), Some([9; 32]))), "{cut}");
            journal.append(&[record("c", facts, 1)]).unwrap();
            assert_eq!(has(&reopened(), "c"), Some((facts, vec![1])), "after {cut} bytes it goes on");
        }
        let mut flipped = whole.clone();
        flipped[20] ^= 1;
        std::fs::write(home.path().join("journal"), &flipped).unwrap();
        assert_eq!(reopened(), Known::default());
    }
}

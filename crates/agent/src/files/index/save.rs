//! The index on disk, so that a restart is warm.
//!
//! A file is a header (magic word, version, share, counts), the folders, the names, their capitals, and the BLAKE3
//! hash of it all. It is written beside and renamed into place. A file that is old, damaged or cut short is as good
//! as none: the share is read anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use proto::ShareId;

use super::names::{MAX_BYTES, Names};
use super::tree::{FolderId, ROOT, Tree};

const MAGIC: &[u8; 8] = b"LNTHIDX\x01";
const HASH: usize = blake3::OUT_LEN;
/// Magic word, share, number of folders, bytes of names.
const HEADER: usize = 8 + 36 + 8 + 8;
/// Parent, entry, start, end, number on disk, state.
const FOLDER: usize = 4 * 4 + 2 * 8;

/// Where the index of a share is kept.
pub(crate) fn place(cache_dir: &Path, share: ShareId) -> PathBuf {
    cache_dir.join("index").join(format!("{share}.idx"))
}

/// Writes a tree that was just compacted.
///
/// # Errors
/// The disk is full, or the folder cannot be written.
pub(crate) fn write(tree: &Tree, share: ShareId, place: &Path) -> io::Result<()> {
    let folder = place.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let beside = place.with_extension("tmp");
    // Names are private, as the files are.
    let file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&beside)?;
    let mut out = Hashing { inner: BufWriter::new(&file), hash: blake3::Hasher::new() };
    write_body(tree, share, &mut out)?;
    let hash = out.hash.finalize();
    out.inner.write_all(hash.as_bytes())?;
    out.inner.flush()?;
    drop(out);
    file.sync_all()?;
    fs::rename(&beside, place)?;
    File::open(folder)?.sync_all()
}

fn write_body(tree: &Tree, share: ShareId, out: &mut impl Write) -> io::Result<()> {
    let order = tree.in_order();
    out.write_all(MAGIC)?;
    out.write_all(share.to_string().as_bytes())?;
    out.write_all(&(order.len() as u64).to_le_bytes())?;
    out.write_all(&(tree.names().bytes().len() as u64).to_le_bytes())?;
    let mut numbers = vec![0u32; tree.folder_numbers()];
    for (number, folder) in (0..).zip(&order) {
        numbers[*folder as usize] = number;
        let (parent, entry, start, end) = tree.saved_place(*folder);
        let parent = parent.map_or(u32::MAX, |parent| numbers[parent as usize]);
        for field in [parent, entry, start, end] {
            out.write_all(&field.to_le_bytes())?;
        }
        let folder = &tree.folders[*folder as usize];
        out.write_all(&folder.ino.to_le_bytes())?;
        out.write_all(&folder.read_at.to_le_bytes())?;
    }
    out.write_all(tree.names().bytes())?;
    out.write_all(tree.names().capitals())
}

/// Reads what was saved for this share; `None` if that is not there or not whole.
pub(crate) fn read(share: ShareId, place: &Path) -> Option<Tree> {
    let mut file = File::open(place).ok()?;
    let len = usize::try_from(file.metadata().ok()?.len()).ok()?;
    let mut header = [0; HEADER];
    file.read_exact(&mut header).ok()?;
    let (folders, names) = read_header(&header, share)?;
    let table = folders.checked_mul(FOLDER)?;
    if len != HEADER.checked_add(table)?.checked_add(names)?.checked_add(names.div_ceil(8))? + HASH {
        return None;
    }
    let mut hash = blake3::Hasher::new();
    hash.update(&header);
    let table = part(&mut file, table, &mut hash)?;
    let bytes = part(&mut file, names, &mut hash)?;
    let capitals = part(&mut file, names.div_ceil(8), &mut hash)?;
    let mut stated = [0; HASH];
    file.read_exact(&mut stated).ok()?;
    if hash.finalize() != stated {
        return None;
    }
    restore(&table, Names::from_parts(bytes, capitals)?)
}

fn read_header(header: &[u8; HEADER], share: ShareId) -> Option<(usize, usize)> {
    let rest = header.strip_prefix(MAGIC)?.strip_prefix(share.to_string().as_bytes())?;
    let (folders, names) = (u64_at(rest, 0)?, u64_at(rest, 8)?);
    let names = usize::try_from(names).ok().filter(|names| *names < MAX_BYTES)?;
    Some((usize::try_from(folders).ok()?, names))
}

fn part(file: &mut File, len: usize, hash: &mut blake3::Hasher) -> Option<Vec<u8>> {
    let mut bytes = vec![0; len];
    file.read_exact(&mut bytes).ok()?;
    hash.update(&bytes);
    Some(bytes)
}

fn restore(table: &[u8], names: Names) -> Option<Tree> {
    let mut tree = Tree::with_names(names);
    for (number, row) in (0u32..).zip(table.chunks_exact(FOLDER)) {
        let (parent, entry) = (u32_at(row, 0)?, u32_at(row, 4)?);
        let stretch = (u32_at(row, 8)?, u32_at(row, 12)?);
        let parent: Option<FolderId> = match (number, parent) {
            (ROOT, u32::MAX) => None,
            (_, parent) if parent < number => Some(parent),
            _ => return None,
        };
        let id = tree.restore_folder(parent, entry, stretch)?;
        let folder = &mut tree.folders[id as usize];
        folder.ino = u64_at(row, 16)?;
        folder.read_at = i64::from_le_bytes(u64_at(row, 24)?.to_le_bytes());
    }
    tree.shrink();
    tree.sign();
    Some(tree)
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Writes and hashes what is written.
struct Hashing<W> {
    inner: W,
    hash: blake3::Hasher,
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.hash.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

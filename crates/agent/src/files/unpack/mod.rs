//! Many files in one stream: a tar archive is unpacked into a folder of the share.
//!
//! Its tree first comes to a [`stage`], out of sight and each file by no more calls than it needs; then all of it is made
//! durable at once; then it is put into its place by [`merge`]: a folder that is new there by one rename. So nobody
//! sees half a file, and nothing waits for the disk once for each.

mod merge;
mod names;
mod stage;
#[cfg(test)]
mod tests;

use std::io::{self, Read};

use proto::api::writing::{ActItem, Clash, MAX_ITEMS, Outcome, UnpackEvent};
use proto::{ApiError, ErrorCode, PrincipalId, RelPath};
use tar::{Archive, Entry, EntryType};

use self::stage::Stage;
use super::FilesError;
use super::write::WriteError;
use crate::agent::Share;

/// The most that is read behind the end of an archive.
const MOST_FILLING: u64 = 1 << 20;

/// What to unpack where.
pub struct Unpack<'a> {
    /// The share.
    pub share: &'a Share,
    /// The folder, which is there.
    pub into: RelPath,
    /// What is done when a name is taken.
    pub clash: Clash,
    /// Who does it.
    pub by: PrincipalId,
}

/// What became of an archive.
#[derive(Default)]
pub(super) struct Tally {
    /// What did not come to the place it was meant for.
    exceptions: Vec<ActItem>,
    files: u64,
    folders: u64,
    bytes: u64,
}

impl Tally {
    fn fail(&mut self, item: RelPath, error: ApiError) {
        self.exceptions.push(ActItem { from: item, to: None, outcome: Outcome::Failed, error: Some(error) });
    }
}

/// Why no more of an archive was read.
enum Broken {
    /// It is no archive (any more), or the connection broke off.
    Archive(io::Error),
    /// So much was wrong that it is of no use to go on.
    TooMuch,
}

impl From<Broken> for ApiError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Archive(error) => Self::new(
                ErrorCode::BadRequest,
                format!("The archive cannot be read on: {error}."),
                "What came before is in its place; send the rest again.",
            ),
            Broken::TooMuch => Self::new(
                ErrorCode::TooMany,
                "Too many items could not be unpacked.",
                "Look at what is said of the first ones.",
            ),
        }
    }
}

impl Unpack<'_> {
    /// Unpacks an archive. What did not come to the place it was meant for; at the end, the sum of it all.
    ///
    /// # Errors
    /// Nothing could be written. What is wrong with the archive or with single items is told instead.
    pub fn run(&self, mut archive: impl Read) -> Result<Vec<UnpackEvent>, WriteError> {
        let mut tally = Tally::default();
        let mut stage = Stage::create(&self.share.store)?;
        let read = read(&mut stage, &mut archive, &mut tally).and_then(|()| read_out(archive));
        if tally.files + tally.folders > 0 {
            // The content before the names: not even a power cut leaves a name without it.
            self.share.root.sync_all()?;
        }
        let undo = self.merge(stage, &mut tally)?;
        let Tally { exceptions, files, folders, bytes } = tally;
        let end = match read {
            Ok(()) => UnpackEvent::Done { files, folders, bytes, undo },
            Err(broken) => UnpackEvent::Broken { error: broken.into() },
        };
        Ok(exceptions.into_iter().map(UnpackEvent::Item).chain([end]).collect())
    }
}

/// Reads an archive to its end.
fn read(stage: &mut Stage<'_>, archive: impl Read, tally: &mut Tally) -> Result<(), Broken> {
    let mut archive = Archive::new(archive);
    for entry in archive.entries().map_err(Broken::Archive)? {
        let mut entry = entry.map_err(Broken::Archive)?;
        let name = entry.path_bytes().into_owned();
        match read_item(stage, &mut entry, &name, tally) {
            Ok(()) => {}
            Err(Stopped::Source(error)) => return Err(Broken::Archive(error)),
            Err(Stopped::Item(error)) => tally.fail(names::nearest(&name), error),
        }
        if tally.exceptions.len() >= MAX_ITEMS {
            return Err(Broken::TooMuch);
        }
    }
    Ok(())
}

/// Reads what fills an archive's last block, so that whoever sends it comes to the end.
fn read_out(archive: impl Read) -> Result<(), Broken> {
    io::copy(&mut archive.take(MOST_FILLING), &mut io::sink()).map(drop).map_err(Broken::Archive)
}

/// Why an item was not read to its end.
enum Stopped {
    /// It is to blame itself, and the others go on.
    Item(ApiError),
    /// No more can be read.
    Source(io::Error),
}

impl From<WriteError> for Stopped {
    fn from(error: WriteError) -> Self {
        Self::Item(error.into())
    }
}

fn read_item<R: Read>(
    stage: &mut Stage<'_>,
    entry: &mut Entry<'_, R>,
    name: &[u8],
    tally: &mut Tally,
) -> Result<(), Stopped> {
    let kind = entry.header().entry_type();
    if kind.is_pax_global_extensions() {
        return Ok(());
    }
    let path = names::path(name).map_err(|error| Stopped::Item(error.into()))?;
    // Old archives know a folder by its name alone.
    let is_folder = kind == EntryType::Directory || (kind.is_file() && name.ends_with(b"/"));
    match kind {
        _ if is_folder => {
            names::check(&path)?;
            stage.folder(&path)?;
            tally.folders = stage.folders();
        }
        EntryType::Regular | EntryType::Continuous => {
            names::check(&path)?;
            tally.bytes += read_file(stage, entry, &path)?;
            tally.files += 1;
            tally.folders = stage.folders();
        }
        EntryType::Symlink | EntryType::Link => return Err(WriteError::IsLink.into()),
        _ => return Err(WriteError::from(FilesError::Special).into()),
    }
    Ok(())
}

fn read_file<R: Read>(
    stage: &mut Stage<'_>,
    entry: &mut Entry<'_, R>,
    path: &RelPath,
) -> Result<u64, Stopped> {
    let size = entry.size();
    let executable = entry.header().mode().is_ok_and(|mode| mode & 0o100 != 0);
    let modified = modified(entry);
    let mut file = stage.file(path, size, executable)?;
    let mut left = size;
    while left > 0 {
        let read = entry.read(stage.buffer()).map_err(Stopped::Source)?;
        if read == 0 {
            return Err(Stopped::Source(io::ErrorKind::UnexpectedEof.into()));
        }
        file.write(&stage.buffer()[..read])?;
        left -= read as u64;
    }
    file.finish(modified)?;
    Ok(size)
}

/// When an item last changed, in nanoseconds since 1970. Newer archives say it finer than whole seconds.
fn modified<R: Read>(entry: &mut Entry<'_, R>) -> Option<i64> {
    let fine = entry.pax_extensions().ok().flatten().and_then(|mut words| {
        let word = words.find_map(|word| word.ok().filter(|word| word.key_bytes() == b"mtime"))?;
        names::nanoseconds(word.value().ok()?)
    });
    fine.or_else(|| i64::try_from(entry.header().mtime().ok()?).ok()?.checked_mul(1_000_000_000))
}

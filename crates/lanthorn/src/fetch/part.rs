//! The partial file: hidden beside the target, with a note of which version it is the beginning of. Whoever comes again goes
//! on with it; once whole, it is named as the target in one step. Knows disks, no network.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use hyper::body::Bytes;
use proto::ErrorCode;
use proto::api::files::Entry;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{Sink, off_thread};
use crate::report::failure;

/// Pieces that wait for the disk.
const PIECES_AHEAD: usize = 64;

/// Of what a partial file is the beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    /// Device, share and path.
    source: String,
    /// The file's version.
    version: String,
    /// Its length.
    size: u64,
}

/// A file on its way.
pub struct Part {
    path: PathBuf,
    note: PathBuf,
    source: String,
    state: State,
}

enum State {
    /// Nobody writes.
    Still(File),
    /// A thread writes what comes.
    Writing(mpsc::Sender<Bytes>, JoinHandle<Result<File>>),
    /// Handed on, or broken.
    Gone,
}

/// Refuses to write over what is there.
pub fn refuse_existing(target: &Path, force: bool) -> Result<()> {
    match fs::symlink_metadata(target) {
        Ok(found) if found.is_dir() => Err(failure(
            ErrorCode::Conflict,
            format!("{} is a folder.", target.display()),
            "Name another place.",
        )),
        Ok(_) if !force => Err(taken(target)),
        _ => Ok(()),
    }
}

fn taken(target: &Path) -> anyhow::Error {
    failure(
        ErrorCode::Conflict,
        format!("{} is there already.", target.display()),
        "Write over it with --force, or name another place.",
    )
}

impl Part {
    /// Opens the partial file of a target: with what is there of this version, or empty.
    pub async fn open(target: &Path, source: String, entry: &Entry) -> Result<(Self, u64)> {
        let (target, entry) = (target.to_owned(), entry.clone());
        off_thread(move || open(&target, source, &entry)).await
    }

    /// Names the file as its target: whole, on the disk, changed when the original was.
    pub async fn commit(mut self, entry: &Entry, target: &Path, force: bool) -> Result<()> {
        let State::Still(file) = self.still().await? else { anyhow::bail!("the partial file is gone") };
        let (entry, target) = (entry.clone(), target.to_owned());
        off_thread(move || {
            anyhow::ensure!(
                file.metadata()?.len() == entry.size,
                "the copy has not the length of the original"
            );
            if let Some(modified) = entry.modified {
                file.set_modified(modified.into()).context("cannot set the time of the last change")?;
            }
            file.sync_all()?;
            rename(&self.path, &target, force)?;
            let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())?;
            // A note without its file misleads nobody.
            let _ = fs::remove_file(&self.note);
            Ok(())
        })
        .await
    }

    /// Waits until nobody writes.
    async fn still(&mut self) -> Result<State> {
        match std::mem::replace(&mut self.state, State::Gone) {
            State::Writing(pieces, writer) => {
                drop(pieces);
                Ok(State::Still(writer.await.context("a thread failed")??))
            }
            state => Ok(state),
        }
    }
}

fn open(target: &Path, source: String, entry: &Entry) -> Result<(Part, u64)> {
    let name = target.file_name().context("the target has no name")?;
    let hash = blake3::hash(name.as_encoded_bytes()).to_hex();
    let beside = |ending: &str| target.with_file_name(format!(".lanthorn-get-{}.{ending}", &hash[..16]));
    let (path, note) = (beside("part"), beside("json"));
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = opened.with_context(|| format!("cannot write beside {}", target.display()))?;
    if matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) {
        let message = format!("{} is being fetched already.", target.display());
        return Err(failure(ErrorCode::Busy, message, "Wait until that is done."));
    }
    let wanted = Note { source: source.clone(), version: entry.version.clone(), size: entry.size };
    let noted: Option<Note> = fs::read(&note).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let length = file.metadata()?.len();
    let from = if noted.as_ref() == Some(&wanted) && length <= entry.size { length } else { 0 };
    if from == 0 {
        begin(&file, &note, &wanted)?;
    }
    file.seek(SeekFrom::Start(from))?;
    Ok((Part { path, note, source, state: State::Still(file) }, from))
}

/// Empties the file before the note says what it will be: a note never stands beside another version's bytes.
fn begin(file: &File, note: &Path, wanted: &Note) -> Result<()> {
    file.set_len(0)?;
    fs::write(note, serde_json::to_vec(wanted)?).context("cannot write beside the target")
}

/// Without force, also what came there in the meantime stays.
fn rename(from: &Path, to: &Path, force: bool) -> Result<()> {
    #[cfg(target_os = "linux")]
    if !force {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
            Err(rustix::io::Errno::EXIST) => return Err(taken(to)),
            // Not every file system can.
            Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {}
            done => return done.with_context(|| format!("cannot name the copy {}", to.display())),
        }
    }
    refuse_existing(to, force)?;
    fs::rename(from, to).with_context(|| format!("cannot name the copy {}", to.display()))
}

fn write_all(mut file: File, mut pieces: mpsc::Receiver<Bytes>) -> Result<File> {
    while let Some(piece) = pieces.blocking_recv() {
        file.write_all(&piece).map_err(|error| match error.kind() {
            ErrorKind::StorageFull => anyhow::anyhow!("the disk is full"),
            _ => anyhow::Error::new(error).context("the copy cannot be written"),
        })?;
    }
    Ok(file)
}

impl Sink for Part {
    async fn take(&mut self, bytes: Bytes) -> Result<()> {
        if let State::Still(file) = self.still_now() {
            let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
            self.state = State::Writing(sender, tokio::task::spawn_blocking(move || write_all(file, pieces)));
        }
        let State::Writing(pieces, _) = &self.state else { anyhow::bail!("the partial file is gone") };
        if pieces.send(bytes).await.is_err() {
            self.still().await?;
            anyhow::bail!("the copy cannot be written");
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<u64> {
        self.state = self.still().await?;
        let State::Still(file) = &self.state else { anyhow::bail!("the partial file is gone") };
        Ok(file.metadata()?.len())
    }

    async fn restart(&mut self, entry: &Entry) -> Result<()> {
        let State::Still(mut file) = self.still().await? else { anyhow::bail!("the partial file is gone") };
        let wanted = Note { source: self.source.clone(), version: entry.version.clone(), size: entry.size };
        let note = self.note.clone();
        let file = off_thread(move || {
            begin(&file, &note, &wanted)?;
            file.seek(SeekFrom::Start(0))?;
            Ok(file)
        });
        self.state = State::Still(file.await?);
        Ok(())
    }
}

impl Part {
    /// The file if nobody writes, leaving nothing in its place.
    fn still_now(&mut self) -> State {
        match self.state {
            State::Still(_) => std::mem::replace(&mut self.state, State::Gone),
            _ => State::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(version: &str, size: u64) -> Entry {
        serde_json::from_value(serde_json::json!({
            "name": "f", "path": "f", "type": "file", "kind": "other", "size": size,
            "modified": "2020-01-02T03:04:05.678Z", "version": version,
        }))
        .unwrap()
    }

    async fn begun(target: &Path, version: &str) -> (Part, u64) {
        Part::open(target, "source".into(), &entry(version, 6)).await.unwrap()
    }

    #[tokio::test]
    async fn what_was_there_of_the_same_version_is_gone_on_with() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("f");
        let (mut part, from) = begun(&target, "a").await;
        assert_eq!(from, 0);
        part.take("abc".into()).await.unwrap();
        assert_eq!(part.settle().await.unwrap(), 3);
        let busy = Part::open(&target, "source".into(), &entry("a", 6)).await;
        assert!(busy.is_err(), "two write one file");
        drop(part);
        let (mut part, from) = begun(&target, "a").await;
        assert_eq!(from, 3);
        part.take("def".into()).await.unwrap();
        part.commit(&entry("a", 6), &target, false).await.unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"abcdef");
        let modified = fs::metadata(&target).unwrap().modified().unwrap();
        assert_eq!(Some(time::OffsetDateTime::from(modified)), entry("a", 6).modified);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left over");
    }

    #[tokio::test]
    async fn what_is_of_another_version_or_source_is_not() {
        for (source, version, size, from) in
            [("source", "a", 6, 3), ("source", "b", 6, 0), ("other", "a", 6, 0), ("source", "a", 2, 0)]
        {
            let home = tempfile::tempdir().unwrap();
            let target = home.path().join("f");
            let (mut part, _) = begun(&target, "a").await;
            part.take("abc".into()).await.unwrap();
            part.settle().await.unwrap();
            drop(part);
            let (_, found) = Part::open(&target, source.into(), &entry(version, size)).await.unwrap();
            assert_eq!(found, from, "{source} {version} {size}");
        }
    }

    #[tokio::test]
    async fn nothing_is_written_over_unless_told_to() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("f");
        let (part, _) = Part::open(&target, "s".into(), &entry("a", 0)).await.unwrap();
        fs::write(&target, "kept").unwrap();
        assert!(refuse_existing(&target, false).is_err());
        assert!(part.commit(&entry("a", 0), &target, false).await.is_err(), "it came in the meantime");
        assert_eq!(fs::read(&target).unwrap(), b"kept");
        let (part, _) = Part::open(&target, "s".into(), &entry("a", 0)).await.unwrap();
        part.commit(&entry("a", 0), &target, true).await.unwrap();
        assert_eq!(fs::read(&target).unwrap(), b"");
        assert!(refuse_existing(home.path(), true).is_err(), "a folder is never written over");
    }

    #[tokio::test]
    async fn a_copy_that_is_too_short_never_gets_the_name() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("f");
        let (mut part, _) = begun(&target, "a").await;
        part.take("abc".into()).await.unwrap();
        assert!(part.commit(&entry("a", 6), &target, true).await.is_err());
        assert!(!target.exists());
    }
}

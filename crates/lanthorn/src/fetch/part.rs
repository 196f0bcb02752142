//! The partial file: hidden beside the target, with a note of which version it is the beginning of. Whoever comes again goes
//! on with it; once whole, it is named as the target in one step. Knows disks, no network.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Seek, SeekFrom, Write};
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

/// After so many bytes they are brought to the disk for good, so that also a machine that loses power goes on from there.
const SAFE_EVERY: u64 = 32 << 20;

/// Of what a partial file is the beginning.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    /// Device, share and path.
    source: String,
    /// The file's version.
    version: String,
    /// Its length.
    size: u64,
    /// So much of it is on the disk for good.
    #[serde(default)]
    safe: u64,
}

impl Note {
    fn new(source: &str, entry: &Entry) -> Self {
        Self { source: source.to_owned(), version: entry.version.clone(), size: entry.size, safe: 0 }
    }

    fn is_of_same(&self, other: &Self) -> bool {
        self.source == other.source && self.version == other.version && self.size == other.size
    }
}

/// What is written, and what is noted of it. Used by one thread at a time.
struct Pages {
    file: File,
    note: Note,
    note_path: PathBuf,
    /// Bytes written.
    length: u64,
}

/// A file on its way.
pub struct Part {
    path: PathBuf,
    state: State,
}

enum State {
    /// Nobody writes.
    Still(Pages),
    /// A thread writes what comes.
    Writing(mpsc::Sender<Bytes>, JoinHandle<Result<Pages>>),
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
        off_thread(move || open(&target, &source, &entry)).await
    }

    /// Names the file as its target: whole, on the disk, changed when the original was.
    pub async fn commit(mut self, entry: &Entry, target: &Path, force: bool) -> Result<()> {
        let State::Still(Pages { file, note_path, .. }) = self.still().await? else {
            anyhow::bail!("the partial file is gone")
        };
        let (entry, target) = (entry.clone(), target.to_owned());
        off_thread(move || {
            anyhow::ensure!(
                file.metadata()?.len() == entry.size,
                "the copy has not the length of the original"
            );
            if let Some(modified) = entry.modified {
                file.set_modified(modified.into()).context("cannot set the time of the last change")?;
            }
            file.sync_all().map_err(|error| here(&error, "The copy cannot be written"))?;
            rename(&self.path, &target, force)?;
            let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())?;
            // A note without its file misleads nobody.
            let _ = fs::remove_file(note_path);
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

/// The partial file of a target, and the note beside it.
fn beside(target: &Path) -> Result<(PathBuf, PathBuf)> {
    let name = target.file_name().context("the target has no name")?;
    let hash = blake3::hash(name.as_encoded_bytes()).to_hex();
    let named = |ending: &str| target.with_file_name(format!(".lanthorn-get-{}.{ending}", &hash[..16]));
    Ok((named("part"), named("json")))
}

/// Takes away a partial file with nothing in it. Only whoever has it open may do so.
pub fn forget_empty(target: &Path) {
    let Ok((part, note)) = beside(target) else { return };
    if fs::metadata(&part).is_ok_and(|found| found.len() == 0) {
        // What stays misleads nobody.
        let _ = (fs::remove_file(part), fs::remove_file(note));
    }
}

fn open(target: &Path, source: &str, entry: &Entry) -> Result<(Part, u64)> {
    let (path, note_path) = beside(target)?;
    let doing = format!("{} cannot be written", target.display());
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|error| here(&error, &doing))?;
    if matches!(file.try_lock(), Err(fs::TryLockError::WouldBlock)) {
        let message = format!("{} is being fetched already.", target.display());
        return Err(failure(ErrorCode::Busy, message, "Wait until that is done."));
    }
    let wanted = Note::new(source, entry);
    let noted: Option<Note> = fs::read(&note_path).ok().and_then(|text| serde_json::from_slice(&text).ok());
    let noted = noted.filter(|noted| noted.is_of_same(&wanted));
    let from = noted.map_or(0, |noted| noted.safe).min(file.metadata()?.len()).min(entry.size);
    let mut pages = Pages { file, note: wanted, note_path, length: from };
    if let Err(error) = pages.begin(from) {
        forget_empty(target);
        return Err(here(&error, &doing));
    }
    Ok((Part { path, state: State::Still(pages) }, from))
}

impl Pages {
    /// Cuts the file before the note says what it is: a note never stands beside another version's bytes.
    fn begin(&mut self, from: u64) -> io::Result<()> {
        self.file.set_len(from)?;
        self.file.seek(SeekFrom::Start(from))?;
        (self.note.safe, self.length) = (from, from);
        self.write_note()
    }

    fn write_note(&self) -> io::Result<()> {
        fs::write(&self.note_path, serde_json::to_vec(&self.note)?)
    }

    /// Brings what is written to the disk for good.
    fn make_safe(&mut self) -> io::Result<()> {
        self.file.sync_data()?;
        self.note.safe = self.length;
        self.write_note()
    }

    fn write(mut self, mut pieces: mpsc::Receiver<Bytes>) -> io::Result<Self> {
        while let Some(piece) = pieces.blocking_recv() {
            self.file.write_all(&piece)?;
            self.length += piece.len() as u64;
            if self.length - self.note.safe >= SAFE_EVERY {
                self.make_safe()?;
            }
        }
        if self.length < self.note.size {
            // Broken off, perhaps for a long time.
            self.make_safe()?;
        }
        Ok(self)
    }
}

/// Why this machine does not take a copy, and the next step.
pub(super) fn here(error: &io::Error, doing: &str) -> anyhow::Error {
    let (code, why, hint) = match error.kind() {
        ErrorKind::NotFound => {
            (ErrorCode::NotFound, "there is no such folder".into(), "Make the folder first, or name another.")
        }
        ErrorKind::PermissionDenied => (
            ErrorCode::AccessDenied,
            "it may not be written to".into(),
            "Name a place that you may write to.",
        ),
        ErrorKind::ReadOnlyFilesystem => {
            (ErrorCode::AccessDenied, "its disk can only be read".into(), "Name a place on another disk.")
        }
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => (
            ErrorCode::Conflict,
            "the disk is full".into(),
            "Make room, then run the same command again: what is there is gone on with.",
        ),
        ErrorKind::FileTooLarge => (
            ErrorCode::Conflict,
            "the file is too large for this disk".into(),
            "Name a place on another disk.",
        ),
        _ => (ErrorCode::Conflict, error.to_string(), "Name another place, or try again."),
    };
    failure(code, format!("{doing}: {why}."), hint)
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
            done => return done.map_err(|error| here(&error.into(), &unnamed(to))),
        }
    }
    refuse_existing(to, force)?;
    fs::rename(from, to).map_err(|error| here(&error, &unnamed(to)))
}

fn unnamed(target: &Path) -> String {
    format!("The copy cannot be called {}", target.display())
}

impl Sink for Part {
    async fn take(&mut self, bytes: Bytes) -> Result<()> {
        if let State::Still(pages) = self.still_now() {
            let (sender, pieces) = mpsc::channel(PIECES_AHEAD);
            let write =
                move || pages.write(pieces).map_err(|error| here(&error, "The copy cannot be written"));
            self.state = State::Writing(sender, tokio::task::spawn_blocking(write));
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
        let State::Still(pages) = &self.state else { anyhow::bail!("the partial file is gone") };
        Ok(pages.length)
    }

    async fn restart(&mut self, entry: &Entry) -> Result<()> {
        let State::Still(mut pages) = self.still().await? else { anyhow::bail!("the partial file is gone") };
        pages.note = Note::new(&pages.note.source, entry);
        let pages = off_thread(move || {
            pages.begin(0).map_err(|error| here(&error, "The copy cannot be written"))?;
            Ok(pages)
        });
        self.state = State::Still(pages.await?);
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
    async fn what_was_not_on_the_disk_for_good_is_fetched_anew() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("f");
        let (mut part, _) = begun(&target, "a").await;
        part.take("abc".into()).await.unwrap();
        part.settle().await.unwrap();
        drop(part);
        // As a machine that lost its power may have left it.
        let (path, _) = beside(&target).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"\0\0").unwrap();
        assert_eq!(begun(&target, "a").await.1, 3);
        assert_eq!(fs::metadata(&path).unwrap().len(), 3);
        fs::write(&path, "a").unwrap();
        assert_eq!(begun(&target, "a").await.1, 1, "more was noted than is there");
    }

    #[tokio::test]
    async fn a_partial_file_with_nothing_in_it_is_taken_away() {
        let home = tempfile::tempdir().unwrap();
        let target = home.path().join("f");
        let (mut part, _) = begun(&target, "a").await;
        part.take("abc".into()).await.unwrap();
        part.settle().await.unwrap();
        forget_empty(&target);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 2, "there is something in it");
        part.restart(&entry("b", 6)).await.unwrap();
        forget_empty(&target);
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
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

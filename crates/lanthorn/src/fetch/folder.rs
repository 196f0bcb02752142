//! A whole tree: folder after folder, a few files at once, each whole before it gets its name.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use proto::ErrorCode;
use proto::api::files::{Entry, EntryType};
use serde::Serialize;
use time::OffsetDateTime;

use super::part::here;
use super::{Progress, file, local_name, off_thread};
use crate::client::{Refused, Unreachable};
use crate::commands::ls::list;
use crate::places::Place;
use crate::report::failure;
use crate::source::Source;

/// Files copied at once: enough to hide the way there and back, few enough for one disk.
const FILES_AT_ONCE: usize = 4;

/// What became of it.
#[derive(Debug, Default, Serialize)]
pub struct Summary {
    /// Files that were copied.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, bytes that were there from before.
    pub resumed_bytes: u64,
    /// Files that were there already, unchanged.
    pub unchanged: u64,
    /// What is neither a file nor a folder, or a folder behind a link.
    pub left_out: Vec<String>,
    /// What could not be copied.
    pub failed: Vec<Failed>,
}

/// A file or folder that could not be copied.
#[derive(Debug, Serialize)]
pub struct Failed {
    /// Which.
    pub path: String,
    /// Why.
    pub message: String,
    /// The exit code of the reason.
    #[serde(skip)]
    pub exit_code: u8,
}

/// Copies a folder and its content to `target`. What fails is said and kept for the end; the rest goes on.
pub async fn folder(
    source: &Source<'_>,
    place: &Place,
    entry: &Entry,
    target: &Path,
    force: bool,
    progress: &Progress,
) -> Result<Summary> {
    let mut summary = Summary::default();
    let mut waiting =
        vec![Folder { place: place.clone(), target: target.to_owned(), modified: entry.modified }];
    let mut made = Vec::new();
    let mut under_way = FuturesUnordered::new();
    while let Some(folder) = waiting.pop() {
        let entries = match open(source, &folder).await {
            Ok(entries) => entries,
            Err(error) if made.is_empty() => return Err(error),
            Err(error) => {
                summary.fail(&folder.place, &error, progress);
                continue;
            }
        };
        for entry in entries {
            let place = folder.place.at(entry.path.clone());
            let named = entry.path.name().context("a file without a name").and_then(local_name);
            let target = match named {
                Ok(name) => folder.target.join(name),
                Err(error) => {
                    summary.fail(&place, &error, progress);
                    continue;
                }
            };
            match entry.entry_type {
                EntryType::Folder if !entry.link => {
                    waiting.push(Folder { place, target, modified: entry.modified });
                }
                EntryType::File => {
                    while under_way.len() >= FILES_AT_ONCE {
                        if let Some((place, done)) = under_way.next().await {
                            summary.count(&place, done, progress);
                        }
                    }
                    progress.expect(entry.size);
                    under_way.push(async move {
                        (place.clone(), one(source, &place, entry, target, force, progress).await)
                    });
                }
                // A link to a folder could lead round in a circle.
                _ => summary.left_out.push(place.address.to_string()),
            }
        }
        made.push(folder);
    }
    while let Some((place, done)) = under_way.next().await {
        summary.count(&place, done, progress);
    }
    off_thread(move || {
        made.iter().rev().for_each(Folder::set_time);
        Ok(())
    })
    .await?;
    Ok(summary)
}

/// A folder to be copied.
struct Folder {
    place: Place,
    target: PathBuf,
    modified: Option<OffsetDateTime>,
}

impl Folder {
    /// Gives the copy the time of the original, once nothing more is put into it.
    fn set_time(&self) {
        let set = |at: OffsetDateTime| File::open(&self.target)?.set_modified(at.into());
        if let Some(Err(error)) = self.modified.map(set) {
            // Not every file system keeps the time of a folder.
            tracing::debug!(folder = %self.target.display(), %error, "its time is not kept");
        }
    }
}

/// Lists the folder, then makes its copy.
async fn open(source: &Source<'_>, folder: &Folder) -> Result<Vec<Entry>> {
    let entries = list(source, &folder.place).await?;
    let target = folder.target.clone();
    off_thread(move || {
        std::fs::create_dir_all(&target)
            .map_err(|error| here(&error, &format!("The folder {} cannot be made", target.display())))
    })
    .await?;
    Ok(entries)
}

/// What became of one file: its bytes and those from before, or nothing if it was there.
type Done = Result<Option<(u64, u64)>>;

async fn one(
    source: &Source<'_>,
    place: &Place,
    entry: Entry,
    target: PathBuf,
    force: bool,
    progress: &Progress,
) -> Done {
    if is_there(&target, &entry) {
        progress.advance(entry.size);
        return Ok(None);
    }
    let size = entry.size;
    let resumed = file(source, place, entry, &target, force, progress).await?;
    progress.finish_file();
    Ok(Some((size, resumed)))
}

/// True for a file of the same length that was last changed at the same time.
fn is_there(target: &Path, entry: &Entry) -> bool {
    let Ok(found) = std::fs::symlink_metadata(target) else { return false };
    let ms = |at: time::OffsetDateTime| at.unix_timestamp_nanos() / 1_000_000;
    let modified = found.modified().ok().map(|at| ms(at.into()));
    found.is_file() && found.len() == entry.size && modified.is_some() && modified == entry.modified.map(ms)
}

impl Summary {
    fn count(&mut self, place: &Place, done: Done, progress: &Progress) {
        match done {
            Ok(None) => self.unchanged += 1,
            Ok(Some((bytes, resumed))) => {
                self.files += 1;
                self.bytes += bytes;
                self.resumed_bytes += resumed;
            }
            Err(error) => self.fail(place, &error, progress),
        }
    }

    fn fail(&mut self, place: &Place, error: &anyhow::Error, progress: &Progress) {
        let (exit_code, message) = match error.downcast_ref::<Refused>() {
            Some(Refused(error)) => (error.code.exit_code(), error.message.clone()),
            None => {
                let code = error
                    .downcast_ref::<Unreachable>()
                    .map_or(1, |unreachable| unreachable.code().exit_code());
                (code, format!("{error:#}"))
            }
        };
        progress.remark(&format!("{}: {message}", place.address));
        self.failed.push(Failed { path: place.address.to_string(), message, exit_code });
    }

    /// The error that a command with failures ends with: of the first one's kind.
    pub fn ended(&self) -> Result<()> {
        let Some(first) = self.failed.first() else { return Ok(()) };
        let code = match first.exit_code {
            2 => ErrorCode::BadRequest,
            3 => ErrorCode::NotFound,
            4 => ErrorCode::Forbidden,
            5 => ErrorCode::Busy,
            _ => ErrorCode::Conflict,
        };
        let message = format!("{} could not be copied.", self.failed.len());
        Err(failure(code, message, "Run the same command again: what is there is not copied anew."))
    }
}

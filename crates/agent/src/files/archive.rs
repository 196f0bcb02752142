//! A folder or a selection as one zip or tar, packed while it is sent: no temporary file, and memory that does not
//! grow with the files.
//!
//! What cannot be packed (links that lead out, devices, what may not be read) is listed in a text file at the end. A
//! file that changes while it is packed ends the answer as broken: never an archive that opens and lies.

mod entry_name;
pub mod tar;
mod walk;
mod zip;

use self::entry_name::Names;
use std::sync::Arc;

use proto::RelPath;
use proto::api::files::ArchiveFormat;

use self::walk::{Found, Walk};
use super::FilesError;
use super::pieces::Pieces;
use super::read::{read_full, unchanged};
use crate::agent::Share;
use crate::share::{Node, OpenFile, Stat};

/// About how much is packed at a time.
const PIECE: usize = 256 << 10;
/// How much of a file is read at a time.
const CHUNK: usize = 128 << 10;
/// The file that says what is not in the archive.
const SKIPPED_NAME: &str = "_lanthorn_skipped.txt";
/// Beyond this the list of what was skipped is cut short.
const SKIPPED_BYTES: usize = 1 << 20;

/// How entries become bytes.
trait Format: Send {
    /// Writes a folder. `name` has no slash at its end.
    fn folder(&mut self, out: &mut Vec<u8>, name: &[u8], stat: &Stat);
    /// Begins a file of exactly `stat.size` bytes.
    fn begin(&mut self, out: &mut Vec<u8>, name: &[u8], stat: &Stat);
    /// Writes content of the file that was begun.
    fn content(&mut self, out: &mut Vec<u8>, content: &[u8]) -> Result<(), FilesError>;
    /// Ends the file that was begun.
    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), FilesError>;
    /// Writes a part of what stands at the end of the archive; false when that was the last.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<bool, FilesError>;
}

/// An archive on its way.
pub struct Archive {
    walk: Walk,
    format: Box<dyn Format>,
    file: Option<(OpenFile, u64)>,
    buffer: Vec<u8>,
    skipped: String,
    /// True if nothing may be skipped.
    whole: bool,
    walked: bool,
}

impl Archive {
    /// An archive of these names inside `folder`, or of all that is in it. With `whole` it breaks off at what cannot be
    /// packed; with `exact` all names are as they are, whatever they mean elsewhere.
    ///
    /// # Errors
    /// The folder cannot be opened, or one of the names is not there.
    pub fn open(
        share: Arc<Share>,
        folder: RelPath,
        names: &[RelPath],
        format: ArchiveFormat,
        whole: bool,
        exact: bool,
    ) -> Result<Self, FilesError> {
        let kept = match format {
            ArchiveFormat::Tar if exact => Names::Exact,
            ArchiveFormat::Tar => Names::Bytes,
            ArchiveFormat::Zip => Names::Text,
        };
        let format: Box<dyn Format> = match format {
            ArchiveFormat::Zip => Box::new(zip::Zip::default()),
            ArchiveFormat::Tar => Box::new(tar::Tar::default()),
        };
        Ok(Self {
            walk: Walk::open(share, folder, names, kept)?,
            format,
            file: None,
            buffer: vec![0; CHUNK],
            skipped: String::new(),
            whole,
            walked: false,
        })
    }

    /// Packs a little more; false when all is packed.
    fn step(&mut self, out: &mut Vec<u8>) -> Result<bool, FilesError> {
        if self.file.is_some() {
            return self.read(out).map(|()| true);
        }
        if self.walked {
            return self.format.finish(out);
        }
        match self.walk.next()? {
            Some(Found::Folder(name, stat)) => self.format.folder(out, &name, &stat),
            Some(Found::File(name, open)) => {
                self.format.begin(out, &name, &open.stat);
                self.file = Some((open, 0));
            }
            Some(Found::Skipped(path, why)) if self.whole => {
                tracing::info!(%path, why, "an archive that must be whole broke off");
                return Err(FilesError::Outside);
            }
            Some(Found::Skipped(path, why)) => self.skip(&path, why),
            None => self.tell_skipped(out)?,
        }
        Ok(true)
    }

    fn read(&mut self, out: &mut Vec<u8>) -> Result<(), FilesError> {
        let Some((open, offset)) = &mut self.file else { return Ok(()) };
        let left = open.stat.size - *offset;
        let chunk = &mut self.buffer[..usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
        read_full(&open.file, chunk, *offset)?;
        unchanged(&open.file, &open.stat)?;
        self.format.content(out, chunk)?;
        *offset += chunk.len() as u64;
        if *offset == open.stat.size {
            self.file = None;
            self.format.end(out)?;
        }
        Ok(())
    }

    fn skip(&mut self, path: &RelPath, why: &str) {
        if self.skipped.len() < SKIPPED_BYTES {
            self.skipped.push_str(&format!("{path}: {why}\n"));
        } else if !self.skipped.ends_with("…\n") {
            self.skipped.push_str("…\n");
        }
    }

    /// The last entry: what is not in the archive, and why.
    fn tell_skipped(&mut self, out: &mut Vec<u8>) -> Result<(), FilesError> {
        self.walked = true;
        if self.skipped.is_empty() {
            return Ok(());
        }
        let text = format!("Not in this archive:\n\n{}", self.skipped);
        let now = time::OffsetDateTime::now_utc().unix_timestamp_nanos();
        let mtime_ns = i64::try_from(now).unwrap_or(0);
        let size = text.len() as u64;
        let stat =
            Stat { node: Node::File, dev: 0, ino: 0, size, mtime_ns, ctime_ns: mtime_ns, executable: false };
        self.format.begin(out, &self.walk.free_name(SKIPPED_NAME), &stat);
        self.format.content(out, text.as_bytes())?;
        self.format.end(out)
    }
}

impl Pieces for Archive {
    fn piece(mut self) -> Result<(Option<Self>, Vec<u8>), FilesError> {
        let mut out = Vec::with_capacity(PIECE + CHUNK);
        while out.len() < PIECE {
            if !self.step(&mut out)? {
                return Ok((None, out));
            }
        }
        Ok((Some(self), out))
    }
}

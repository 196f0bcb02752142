//! The walk through what is packed, one entry at a time, with a few kilobytes for each folder it is inside of.
//!
//! Links inside the share are taken for what they point to. A folder that is inside itself that way is not entered
//! again, and links within linked folders are followed a few deep only, since their number can explode.

use std::ffi::CStr;
use std::sync::Arc;

use proto::RelPath;
use proto::path::is_reserved;

use super::entry_name;
use crate::agent::Share;
use crate::files::FilesError;
use crate::share::{Node, OpenFile, OpenFolder, Stat};

/// How deep links to folders are followed inside folders that are themselves reached through a link.
const MAX_LINKS: usize = 3;

/// What the walk came upon, with its name in the archive.
pub(super) enum Found {
    Folder(Vec<u8>, Stat),
    File(Vec<u8>, OpenFile),
    Skipped(RelPath, &'static str),
}

pub(super) struct Walk {
    share: Arc<Share>,
    kept: entry_name::Names,
    levels: Vec<Level>,
    top: RelPath,
}

/// A folder that the walk is inside of.
struct Level {
    path: RelPath,
    /// Its name in the archive; empty at the top.
    name: Vec<u8>,
    stat: Stat,
    links: usize,
    /// Open as long as it has more names than those at hand.
    folder: Option<OpenFolder>,
    /// Names at hand, each ended by a zero, the next one first.
    names: Vec<u8>,
    next: usize,
}

impl Walk {
    pub(super) fn open(
        share: Arc<Share>,
        path: RelPath,
        names: &[RelPath],
        kept: entry_name::Names,
    ) -> Result<Self, FilesError> {
        let mut top = Level::open(&share, path.clone(), Vec::new(), 0)?;
        if !names.is_empty() {
            top.folder = None;
            for name in names {
                let bytes = name.as_bytes();
                share.root.stat_link(&path.join(bytes).map_err(|_| FilesError::NotFound)?)?;
                top.names.extend_from_slice(bytes);
                top.names.push(0);
            }
        }
        Ok(Self { share, kept, levels: vec![top], top: path })
    }

    /// The next entry; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Found>, FilesError> {
        while let Some(level) = self.levels.last_mut() {
            let Some(name) = level.next_name()? else {
                self.levels.pop();
                continue;
            };
            if is_reserved(&name) {
                continue;
            }
            let Ok(path) = level.path.join(&name) else {
                let parent = level.path.clone();
                return Ok(Some(Found::Skipped(parent, "holds a path that is too long")));
            };
            return self.look(path, &name).map(Some);
        }
        Ok(None)
    }

    fn look(&mut self, path: RelPath, name: &[u8]) -> Result<Found, FilesError> {
        let why = match self.share.root.open_file(&path) {
            Ok(open) => return Ok(Found::File(self.entry_name(&path, name), open)),
            Err(FilesError::IsFolder) => return self.enter(path, name),
            Err(FilesError::Busy) => return Err(FilesError::Busy),
            Err(error) => error,
        };
        let why = match why {
            FilesError::Outside => "a link that leads out of the share, or another disk",
            FilesError::Special => "a device, pipe or socket",
            FilesError::NotFound | FilesError::NotFolder => "gone, or a link that leads nowhere",
            FilesError::Denied => "may not be read",
            _ => "cannot be read",
        };
        Ok(Found::Skipped(path, why))
    }

    fn enter(&mut self, path: RelPath, name: &[u8]) -> Result<Found, FilesError> {
        let link = self.share.root.stat_link(&path).is_ok_and(|stat| stat.node == Node::Link);
        let links = self.levels.last().map_or(0, |level| level.links) + usize::from(link);
        let entry = self.entry_name(&path, name);
        let level = match Level::open(&self.share, path.clone(), entry.clone(), links) {
            Ok(level) => level,
            Err(FilesError::Busy) => return Err(FilesError::Busy),
            Err(_) => return Ok(Found::Skipped(path, "may not be read")),
        };
        let id = (level.stat.dev, level.stat.ino);
        if link && self.levels.iter().any(|above| (above.stat.dev, above.stat.ino) == id) {
            return Ok(Found::Skipped(path, "a link to a folder that it is in"));
        }
        if links > MAX_LINKS {
            return Ok(Found::Skipped(path, "a link in a linked folder in a linked folder"));
        }
        let stat = level.stat;
        self.levels.push(level);
        Ok(Found::Folder(entry, stat))
    }

    /// The name in the archive of what stands at `path`, in the folder that the walk is inside of.
    fn entry_name(&self, path: &RelPath, name: &[u8]) -> Vec<u8> {
        let mut entry = self.levels.last().map(|level| level.name.clone()).unwrap_or_default();
        if !entry.is_empty() {
            entry.push(b'/');
        }
        if entry_name::is_plain(name, self.kept) {
            entry.extend_from_slice(name);
        } else {
            let parent = path.parent().unwrap_or_default();
            let names = (0..).map(|attempt| entry_name::replacement(name, attempt));
            let mut free = names.filter(|name| self.is_free(&parent, name));
            entry.extend(free.next().unwrap_or_default());
        }
        entry
    }

    /// `name`, or one like it that nothing at the top of the archive has.
    pub(super) fn free_name(&self, name: &str) -> Vec<u8> {
        let more = (1..).map(|attempt| entry_name::replacement(name.as_bytes(), attempt));
        let mut names = std::iter::once(name.as_bytes().to_vec()).chain(more);
        names.find(|name| self.is_free(&self.top, name)).unwrap_or_default()
    }

    fn is_free(&self, folder: &RelPath, name: &[u8]) -> bool {
        folder.join(name).is_ok_and(|path| self.share.root.stat_link(&path).is_err())
    }
}

impl Level {
    fn open(share: &Share, path: RelPath, name: Vec<u8>, links: usize) -> Result<Self, FilesError> {
        let folder = share.root.open_folder(&path)?;
        Ok(Self { path, name, stat: folder.stat, links, folder: Some(folder), names: Vec::new(), next: 0 })
    }

    fn next_name(&mut self) -> Result<Option<Vec<u8>>, FilesError> {
        if self.next == self.names.len() {
            self.names.clear();
            self.next = 0;
            self.refill()?;
        }
        let Ok(name) = CStr::from_bytes_until_nul(&self.names[self.next..]) else { return Ok(None) };
        self.next += name.to_bytes_with_nul().len();
        Ok(Some(name.to_bytes().to_vec()))
    }

    /// Takes some more names, and lets go of the folder when it has given all: so a deep tree holds few handles.
    fn refill(&mut self) -> Result<(), FilesError> {
        // Twice to learn that there are no more; more often if all that came were `.` and `..`.
        for turn in 0.. {
            if turn >= 2 && !self.names.is_empty() {
                break;
            }
            let Some(folder) = &self.folder else { break };
            let names = &mut self.names;
            if !folder.read_some_names(|name| names.extend_from_slice(name.to_bytes_with_nul()))? {
                self.folder = None;
            }
        }
        Ok(())
    }
}

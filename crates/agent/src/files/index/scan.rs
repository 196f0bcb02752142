//! Brings the index into agreement with the disk, folder by folder, through the share's gate.
//!
//! A folder is watched first and read then, so that nothing between is lost. A folder that has not changed since it
//! was last read costs an open and a stat. Links are names like others and are not followed, so there is no loop.

use std::ffi::{CStr, CString};
use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::{Condvar, Mutex, RwLock};
use proto::path::is_reserved;
use rustix::fs::{FileType, RawDir};

use super::tree::{Changes, FolderId, ROOT, Reading, Tree};
use super::watch::{News, Touched, Watch};
use crate::files::FilesError;
use crate::share::{Node, OpenFolder, ShareRoot};

/// Room for directory entries read at once.
const BUFFER: usize = 64 * 1024;
/// A folder that changed this short a time before it was read may change again within the same tick of the
/// file system's clock, and then look unchanged.
const TICK: Duration = Duration::from_millis(50);

/// All that reading needs.
pub(crate) struct Scan<'a> {
    /// The way to the disk.
    pub(crate) gate: &'a ShareRoot,
    /// What is brought up to date.
    pub(crate) tree: &'a RwLock<Tree>,
    /// Where new folders are watched.
    pub(crate) watch: &'a Watch,
    /// Ends the work early.
    pub(crate) stop: &'a AtomicBool,
    /// Set if the index could not take everything.
    pub(crate) full: &'a AtomicBool,
}

/// What one reader of folders needs again and again.
pub(crate) struct Desk {
    buffer: Vec<MaybeUninit<u8>>,
    /// The names that were read last.
    pub(crate) reading: Reading,
}

/// Folders still to be read, shared by the readers.
struct Work {
    folders: Mutex<Vec<FolderId>>,
    more: Condvar,
    /// Folders that wait or are being read: at none, all is done.
    open: AtomicUsize,
}

impl Scan<'_> {
    /// Reads these folders, and all that turn out to be new below them, with this many readers. Gives the folders
    /// that are not where they are thought to be.
    pub(crate) fn run(&self, folders: Vec<FolderId>, readers: usize) -> Vec<FolderId> {
        let missed = self.run_once(folders, readers);
        if missed.is_empty() {
            return missed;
        }
        // Whatever was believed of them, and of the folders they are in, is found out anew.
        let again = self.doubt(missed);
        self.run_once(again, readers)
    }

    fn run_once(&self, folders: Vec<FolderId>, readers: usize) -> Vec<FolderId> {
        let open = AtomicUsize::new(folders.len());
        let work = Work { folders: Mutex::new(folders), more: Condvar::new(), open };
        let found = Mutex::new(Changes::default());
        std::thread::scope(|scope| {
            for _ in 1..readers {
                let helper = std::thread::Builder::new().name("index-reader".into());
                // Without a second thread, one does it all.
                let _ = helper.spawn_scoped(scope, || self.read_all(&work, &found));
            }
            self.read_all(&work, &found);
        });
        let found = found.into_inner();
        self.forget(found.gone);
        self.still_there(found.missed)
    }

    fn read_all(&self, work: &Work, found: &Mutex<Changes>) {
        let mut desk = Desk::new();
        while let Some(folder) = work.next(self.stop) {
            let mut changes = self.visit(folder, &mut desk, false);
            work.done(std::mem::take(&mut changes.new));
            found.lock().extend(changes);
        }
    }

    /// Takes the watches of these folders for dead, and their parents for changed. Folders to be read again.
    fn doubt(&self, missed: Vec<FolderId>) -> Vec<FolderId> {
        let mut tree = self.tree.write();
        let parents: Vec<_> = missed.iter().filter_map(|folder| tree.parent(*folder)).collect();
        for parent in &parents {
            tree.folders[*parent as usize].read_at = 0;
        }
        for folder in &missed {
            tree.folders[*folder as usize].watch = 0;
        }
        parents.into_iter().chain(missed).collect()
    }

    fn still_there(&self, mut missed: Vec<FolderId>) -> Vec<FolderId> {
        let tree = self.tree.read();
        missed.retain(|folder| tree.lineage(*folder).is_some());
        missed
    }

    /// Looks at what was touched in some folders. Everything new is in before anything gone is forgotten, so that
    /// a folder that moved keeps its content. Gives the folders that are not where they are thought to be.
    pub(crate) fn follow(&self, news: News) -> Vec<FolderId> {
        let mut desk = Desk::new();
        let mut all = Changes { missed: news.missed, ..Changes::default() };
        all.missed.extend(self.unwatched(&news.ended));
        for (folder, touched) in news.touched {
            if self.stop.load(Ordering::Relaxed) {
                return Vec::new();
            }
            all.extend(match touched {
                Touched::All => self.visit(folder, &mut desk, true),
                Touched::Names(names) => self.look_at(folder, names.iter().map(AsRef::as_ref)),
            });
        }
        self.enter(&mut all, &mut desk);
        // Below a folder that moved, nothing was found before the move was seen; nor was a move below it. Each
        // round finds at least one of them, or is the last.
        loop {
            let missed = std::mem::take(&mut all.missed);
            let before = missed.len();
            for folder in missed {
                all.extend(self.visit(folder, &mut desk, true));
            }
            self.enter(&mut all, &mut desk);
            if all.missed.len() >= before {
                break;
            }
        }
        self.forget(all.gone);
        self.still_there(all.missed)
    }

    /// The folders whose watch ended. What is in their place, if anything, is watched anew when it is read.
    fn unwatched(&self, ended: &[(i32, FolderId)]) -> Vec<FolderId> {
        let mut tree = self.tree.write();
        let mut folders = Vec::new();
        for (watch, folder) in ended {
            let known = &mut tree.folders[*folder as usize].watch;
            if *known == *watch {
                *known = 0;
                folders.push(*folder);
            }
        }
        folders
    }

    /// Reads what is new, and what is new in that.
    fn enter(&self, all: &mut Changes, desk: &mut Desk) {
        while let Some(folder) = all.new.pop() {
            all.extend(self.visit(folder, desk, false));
        }
    }

    fn forget(&self, gone: Vec<FolderId>) {
        for folder in gone {
            let watches = self.tree.write().remove(folder);
            self.watch.remove(&watches);
        }
    }

    /// Reads one folder, if it changed since the last time or must be read anyway.
    fn visit(&self, folder: FolderId, desk: &mut Desk, anyway: bool) -> Changes {
        let Some(path) = self.tree.read().path(folder) else { return Changes::missed(folder) };
        let open = match self.gate.open_folder(&path) {
            Ok(open) => open,
            // Its parent will tell.
            Err(FilesError::NotFound | FilesError::NotFolder | FilesError::Busy) => {
                return Changes::missed(folder);
            }
            Err(_) => return self.put(folder, desk.nothing(), 0),
        };
        if !self.is_it(folder, &open) {
            return Changes::missed(folder);
        }
        let folder = self.watched(folder, &open);
        let state = open.stat.ctime_ns;
        if !anyway && self.tree.read().folders[folder as usize].read_at == state {
            return Changes::default();
        }
        match desk.read(&open) {
            Ok(()) => self.put(folder, &desk.reading, settled(state)),
            Err(error) => {
                tracing::debug!(%error, "a folder could not be read for the index");
                Changes::missed(folder)
            }
        }
    }

    fn put(&self, folder: FolderId, reading: &Reading, state: i64) -> Changes {
        let mut tree = self.tree.write();
        if !tree.has_room(reading.names.bytes().len()) {
            self.full.store(true, Ordering::Relaxed);
            return Changes::default();
        }
        tree.replace(folder, reading, state)
    }

    /// True if what was opened in a folder's place is that folder. While folders above it move, the tree is behind
    /// the disk, and something else may be in the place.
    fn is_it(&self, folder: FolderId, open: &OpenFolder) -> bool {
        let (watch, ino) = {
            let known = &self.tree.read().folders[folder as usize];
            (known.watch, known.ino)
        };
        match (watch, ino) {
            (0, 0) => true,
            (0, ino) => ino == open.stat.ino || self.is_in_its_parent(folder, open),
            (watch, _) => self.watch.is(watch, folder, open),
        }
    }

    /// Some file systems list other numbers than they tell of what is open. Then it is the parent that decides.
    fn is_in_its_parent(&self, folder: FolderId, open: &OpenFolder) -> bool {
        let (parent, watch, name, path) = {
            let tree = self.tree.read();
            let Some(parent) = tree.parent(folder) else { return false };
            let name = tree.folder_name(folder).map(|name| name.original());
            (parent, tree.folders[parent as usize].watch, name, tree.path(parent))
        };
        let (Some(path), Some(Ok(name))) = (path, name.map(CString::new)) else { return false };
        let Ok(above) = self.gate.open_folder(&path) else { return false };
        (watch == 0 || parent == ROOT || self.watch.is(watch, parent, &above))
            && above.stat_name(&name).is_ok_and(|stat| stat.ino == open.stat.ino)
    }

    /// Sees to it that a folder is watched. The number under which it is known from now on: that of a folder that
    /// was known elsewhere, if it turns out to have moved here.
    fn watched(&self, folder: FolderId, open: &OpenFolder) -> FolderId {
        let known = self.tree.read().folders[folder as usize].watch;
        if known != 0 {
            return folder;
        }
        let Some((watch, elsewhere)) = self.watch.add(open, folder) else { return folder };
        let mut tree = self.tree.write();
        if let Some(moved) = elsewhere {
            if tree.folders[moved as usize].watch == watch && tree.adopt(folder, moved) {
                self.watch.assign(watch, moved);
                return moved;
            }
            // The one place is taken for stale; it will be read again with its parent.
            tree.folders[moved as usize].watch = 0;
        }
        tree.folders[folder as usize].watch = watch;
        folder
    }

    /// Looks up some names in a folder.
    fn look_at<'n>(&self, folder: FolderId, names: impl Iterator<Item = &'n CStr>) -> Changes {
        let mut changes = Changes::default();
        let Some(path) = self.tree.read().path(folder) else { return Changes::missed(folder) };
        let Ok(open) = self.gate.open_folder(&path) else { return Changes::missed(folder) };
        if !self.is_it(folder, &open) {
            return Changes::missed(folder);
        }
        for name in names.filter(|name| !is_reserved(name.to_bytes())) {
            let found = open.stat_name(name).ok().map(|stat| (stat.node, stat.ino));
            self.settle(folder, name.to_bytes(), found, &mut changes);
        }
        // Other names may have changed as well: the next comparison reads it as a whole.
        self.tree.write().folders[folder as usize].read_at = 0;
        changes
    }

    /// Makes one name of a folder be what was found on disk.
    fn settle(&self, folder: FolderId, name: &[u8], found: Option<(Node, u64)>, changes: &mut Changes) {
        let mut tree = self.tree.write();
        let known = tree.find(folder, name);
        if let Some(entry) = known {
            let same_node = tree.names().node(entry) == found.map(|(node, _)| node);
            let child = tree.folder_of(folder, entry);
            let same_folder =
                child.is_none_or(|c| found.is_some_and(|(_, ino)| tree.folders[c as usize].ino == ino));
            if same_node && same_folder {
                // It may have been away when it was to be read.
                changes.missed.extend(child.filter(|c| tree.folders[*c as usize].watch == 0));
                return;
            }
            changes.gone.extend(tree.take(folder, entry));
        }
        let Some((node, ino)) = found else { return };
        if tree.has_room(name.len() + 16) {
            changes.new.extend(tree.insert(folder, node, name, ino));
        } else {
            self.full.store(true, Ordering::Relaxed);
        }
    }
}

impl Desk {
    /// A desk with nothing on it.
    pub(crate) fn new() -> Self {
        Self { buffer: vec![MaybeUninit::uninit(); BUFFER], reading: Reading::default() }
    }

    fn nothing(&mut self) -> &Reading {
        self.reading.clear();
        &self.reading
    }

    /// Reads the names of a folder.
    pub(crate) fn read(&mut self, open: &OpenFolder) -> Result<(), FilesError> {
        self.reading.clear();
        let mut entries = RawDir::new(&open.dir, &mut self.buffer);
        while let Some(entry) = entries.next() {
            let entry = entry?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") || is_reserved(name.to_bytes()) {
                continue;
            }
            let node = match entry.file_type() {
                FileType::RegularFile => Node::File,
                FileType::Directory => Node::Folder,
                FileType::Symlink => Node::Link,
                // Some file systems do not tell; whoever is gone by now is left out.
                FileType::Unknown => match open.stat_name(name) {
                    Ok(stat) => stat.node,
                    Err(_) => continue,
                },
                _ => Node::Special,
            };
            self.reading.push(node, name.to_bytes(), entry.ino());
        }
        Ok(())
    }
}

impl Work {
    /// The next folder; `None` when all is done, or the work is to end.
    fn next(&self, stop: &AtomicBool) -> Option<FolderId> {
        let mut folders = self.folders.lock();
        loop {
            if stop.load(Ordering::Relaxed) || self.open.load(Ordering::Relaxed) == 0 {
                self.more.notify_all();
                return None;
            }
            if let Some(folder) = folders.pop() {
                return Some(folder);
            }
            self.more.wait(&mut folders);
        }
    }

    fn done(&self, new: Vec<FolderId>) {
        let mut folders = self.folders.lock();
        let many = new.len() > 1;
        self.open.fetch_add(new.len(), Ordering::Relaxed);
        let left = self.open.fetch_sub(1, Ordering::Relaxed) - 1;
        folders.extend(new);
        if many || left == 0 {
            self.more.notify_all();
        }
    }
}

/// The change time by which an unchanged folder is known again; 0 (read again) if it has only just changed.
fn settled(ctime_ns: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let age = i64::try_from(now.as_nanos()).unwrap_or(i64::MAX).saturating_sub(ctime_ns);
    if age > i64::try_from(TICK.as_nanos()).unwrap_or(0) { ctime_ns } else { 0 }
}

//! What the kernel tells of changes: one inotify watch for each folder, set by the folder's handle, never by a path.
//!
//! An event is only a hint that a name in a folder may have changed; what is really there is looked up afterwards.
//! Where the kernel has no watch left, or lost events, the caller is told and compares the whole share instead.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{CStr, CString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use parking_lot::Mutex;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::tree::FolderId;
use crate::share::OpenFolder;

/// More names than this in one folder, and the folder is read as a whole.
const NAMES_EACH: usize = 32;
/// Room for events read at once.
const BUFFER: usize = 64 * 1024;

/// A wish to be woken, from another thread.
pub(crate) struct Bell(OwnedFd);

/// The watches of one share.
pub(crate) struct Watch {
    inotify: Option<OwnedFd>,
    folders: Mutex<HashMap<i32, FolderId>>,
    refused: Mutex<Option<Errno>>,
}

/// Which names of a folder may have changed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Touched {
    /// These.
    Names(BTreeSet<CString>),
    /// Too many to be listed.
    All,
}

/// What changed since the last time.
#[derive(Debug, Default)]
pub(crate) struct News {
    /// By folder.
    pub(crate) touched: HashMap<FolderId, Touched>,
    /// Watches that ended, since their folder was deleted: another may be in its place, even with its number on disk.
    pub(crate) ended: Vec<(i32, FolderId)>,
    /// Folders that could not be found the last time: what moved them is told by an event that was still to come.
    pub(crate) missed: Vec<FolderId>,
    /// True if events were lost.
    pub(crate) lost: bool,
}

impl Bell {
    /// A bell that was not rung.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Wakes who waits, now and whenever it will wait.
    pub(crate) fn ring(&self) {
        // Fails only when the counter is full, and then it rings anyway.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// Waits until it rings, or the time is over.
    pub(crate) fn wait(&self, time: Duration) {
        wait_for(self, None, time);
    }

    fn hush(&self) {
        let _ = rustix::io::read(&self.0, &mut [0u8; 8]);
    }
}

impl News {
    /// True if nothing happened.
    pub(crate) fn is_empty(&self) -> bool {
        self.touched.is_empty() && self.ended.is_empty() && !self.lost
    }

    fn add(&mut self, folder: FolderId, name: &CStr) {
        let touched = self.touched.entry(folder).or_insert_with(|| Touched::Names(BTreeSet::new()));
        if let Touched::Names(names) = touched {
            names.insert(name.to_owned());
            if names.len() > NAMES_EACH {
                *touched = Touched::All;
            }
        }
    }
}

impl Watch {
    /// Watches for one share. Without inotify (none left, or none there) nothing is ever told.
    pub(crate) fn new(wanted: bool) -> Self {
        if !wanted {
            return Self { inotify: None, folders: Mutex::default(), refused: Mutex::default() };
        }
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK);
        let refused = Mutex::new(inotify.as_ref().err().copied());
        Self { inotify: inotify.ok(), folders: Mutex::default(), refused }
    }

    /// Why a folder could not be watched, the first time this is asked after it happened.
    pub(crate) fn take_refusal(&self) -> Option<Errno> {
        self.refused.lock().take()
    }

    /// Watches a folder. Its watch, and the folder that was known by the same watch before: the same folder of the
    /// disk, seen in another place.
    pub(crate) fn add(&self, folder: &OpenFolder, id: FolderId) -> Option<(i32, Option<FolderId>)> {
        let inotify = self.inotify.as_ref()?;
        match inotify::add_watch(inotify, place(folder), watched_for()) {
            Ok(watch) => Some((watch, self.folders.lock().insert(watch, id).filter(|old| *old != id))),
            // It was deleted just now.
            Err(Errno::NOENT) => None,
            Err(errno) => {
                *self.refused.lock() = Some(errno);
                None
            }
        }
    }

    /// True if this is the folder that is known by this number and watched so. The tree may be behind the disk, and
    /// another folder be in its place.
    pub(crate) fn is(&self, watch: i32, id: FolderId, folder: &OpenFolder) -> bool {
        let Some(inotify) = &self.inotify else { return true };
        let Ok(found) = inotify::add_watch(inotify, place(folder), watched_for()) else { return true };
        let folders = self.folders.lock();
        if !folders.contains_key(&found) {
            let _ = inotify::remove_watch(inotify, found);
        }
        found == watch && folders.get(&found) == Some(&id)
    }

    /// Says that a watch belongs to this folder.
    pub(crate) fn assign(&self, watch: i32, id: FolderId) {
        self.folders.lock().insert(watch, id);
    }

    /// Ends the watches of these folders, but not those that belong to another folder by now.
    pub(crate) fn remove(&self, watches: &[(i32, FolderId)]) {
        let Some(inotify) = &self.inotify else { return };
        for (watch, folder) in watches {
            let mut folders = self.folders.lock();
            if folders.get(watch) == Some(folder) {
                folders.remove(watch);
                // The kernel ends the watch of a deleted folder by itself.
                let _ = inotify::remove_watch(inotify, *watch);
            }
        }
    }

    /// Waits until something changed, the bell rang, or the time is over.
    pub(crate) fn wait(&self, bell: &Bell, time: Duration) {
        wait_for(bell, self.inotify.as_ref(), time);
    }

    /// Takes in what the kernel has to tell, without waiting; true if that was anything.
    pub(crate) fn read(&self, news: &mut News) -> bool {
        let Some(inotify) = &self.inotify else { return false };
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER];
        let mut reader = Reader::new(inotify, &mut buffer);
        let mut any = false;
        while let Ok(event) = reader.next() {
            any = true;
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                news.lost = true;
            } else if event.events().contains(ReadFlags::IGNORED) {
                let folder = self.folders.lock().remove(&event.wd());
                news.ended.extend(folder.map(|folder| (event.wd(), folder)));
            } else if let Some(name) = event.file_name()
                && let Some(folder) = self.folders.lock().get(&event.wd()).copied()
            {
                news.add(folder, name);
            }
        }
        any
    }
}

fn wait_for(bell: &Bell, changes: Option<&OwnedFd>, time: Duration) {
    let time = Timespec::try_from(time).ok();
    let rings = PollFd::new(&bell.0, PollFlags::IN);
    let changes = changes.map(|changes| PollFd::new(changes, PollFlags::IN));
    let mut handles: Vec<_> = std::iter::once(rings).chain(changes).collect();
    // An interrupted wait is a short one.
    let _ = poll(&mut handles, time.as_ref());
    bell.hush();
}

/// The kernel takes a path only; this one names the open handle.
fn place(folder: &OpenFolder) -> String {
    format!("/proc/self/fd/{}", folder.dir.as_raw_fd())
}

/// What changes the names in a folder.
fn watched_for() -> WatchFlags {
    WatchFlags::CREATE | WatchFlags::DELETE | WatchFlags::MOVE | WatchFlags::ONLYDIR | WatchFlags::EXCL_UNLINK
}

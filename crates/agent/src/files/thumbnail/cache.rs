//! Keeps made thumbnails on disk: bounded in size and in age unused. Knows neither what they show nor whose they are.
//!
//! One file per thumbnail, named by its key, written aside and renamed. The index is in memory, built from the folder
//! when first used; the files' times carry it over a restart. A damaged or missing folder only costs time.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use parking_lot::Mutex;

use super::{Encoded, Format, Key};

/// How often what is too old is looked for.
pub(super) const PRUNE_EVERY: Duration = Duration::from_secs(5 * 60);
/// What a file takes on disk is a multiple of this.
const BLOCK: u64 = 4096;
/// How fresh a file's time is kept while it is used: enough for the age to survive a restart, seldom enough to be free.
const TOUCH_EVERY: Duration = Duration::from_secs(60);

/// Tells the time; tests bring their own.
pub(super) type Clock = Arc<dyn Fn() -> SystemTime + Send + Sync>;

/// What is kept for a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// A picture.
    Picture(Encoded),
    /// Nothing can be made of this content; it need not be tried again.
    Nothing,
}

pub(super) struct Cache {
    folder: PathBuf,
    max_bytes: u64,
    max_unused: Duration,
    clock: Clock,
    index: Mutex<Option<Index>>,
    names: AtomicU64,
}

#[derive(Default)]
struct Index {
    entries: HashMap<Key, Entry>,
    bytes: u64,
}

struct Entry {
    format: Option<Format>,
    bytes: u64,
    used: SystemTime,
    touched: SystemTime,
}

impl Cache {
    pub(super) fn new(folder: PathBuf, max_bytes: u64, max_unused: Duration, clock: Clock) -> Self {
        Self { folder, max_bytes, max_unused, clock, index: Mutex::default(), names: AtomicU64::default() }
    }

    /// What is kept for a key. Reads the disk.
    pub(super) fn get(&self, key: &Key) -> Option<Kept> {
        let now = (self.clock)();
        let (format, touch) = self.with_index(|index| {
            let entry = index.entries.get_mut(key)?;
            entry.used = now;
            let touch = since(entry.touched, now) >= TOUCH_EVERY;
            if touch {
                entry.touched = now;
            }
            Some((entry.format, touch))
        })?;
        let kept = self.read(key, format, touch.then_some(now));
        if kept.is_none() {
            self.with_index(|index| index.forget(key));
        }
        kept
    }

    fn read(&self, key: &Key, format: Option<Format>, touch: Option<SystemTime>) -> Option<Kept> {
        let path = self.folder.join(name(key, format));
        if let Some(now) = touch {
            let _ = File::options().append(true).open(&path).and_then(|file| file.set_modified(now));
        }
        let bytes = fs::read(path).ok()?;
        Some(format.map_or(Kept::Nothing, |format| Kept::Picture(Encoded { format, bytes: bytes.into() })))
    }

    /// Keeps something for a key, and drops what is too much. Writes the disk; failing to is no error.
    pub(super) fn put(&self, key: &Key, kept: &Kept) {
        let (format, bytes) = match kept {
            Kept::Picture(picture) => (Some(picture.format), picture.bytes.clone()),
            Kept::Nothing => (None, Bytes::new()),
        };
        // The folder is made with the index.
        self.with_index(|_| ());
        let now = (self.clock)();
        if let Err(error) = self.write(&name(key, format), &bytes, now) {
            tracing::debug!(%error, "a thumbnail could not be kept");
            return;
        }
        let entry = Entry { format, bytes: on_disk(bytes.len() as u64), used: now, touched: now };
        let dropped = self.with_index(|index| {
            index.add(*key, entry);
            index.shrink(self.max_bytes)
        });
        self.remove(dropped);
    }

    fn write(&self, name: &str, bytes: &[u8], now: SystemTime) -> io::Result<()> {
        let number = self.names.fetch_add(1, Ordering::Relaxed);
        let aside = self.folder.join(format!("{number}.part"));
        let written = File::create(&aside)
            .and_then(|mut file| file.write_all(bytes).and_then(|()| file.set_modified(now)))
            .and_then(|()| fs::rename(&aside, self.folder.join(name)));
        if written.is_err() {
            let _ = fs::remove_file(&aside);
        }
        written
    }

    /// Drops what has not been used for too long.
    pub(super) fn prune(&self) {
        let now = (self.clock)();
        let dropped = self.with_index(|index| index.expire(now, self.max_unused));
        self.remove(dropped);
    }

    fn remove(&self, dropped: Vec<(Key, Option<Format>)>) {
        for (key, format) in dropped {
            let _ = fs::remove_file(self.folder.join(name(&key, format)));
        }
    }

    fn with_index<T>(&self, work: impl FnOnce(&mut Index) -> T) -> T {
        let mut index = self.index.lock();
        work(index.get_or_insert_with(|| self.load()))
    }

    /// The index of what an earlier run left, without what is too old or was never finished.
    fn load(&self) -> Index {
        let mut index = Index::default();
        if let Err(error) = make_private(&self.folder) {
            tracing::warn!(%error, "thumbnails cannot be kept on disk");
        }
        let Ok(files) = fs::read_dir(&self.folder) else { return index };
        for file in files.flatten() {
            let (Ok(meta), name) = (file.metadata(), file.file_name()) else { continue };
            let used = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            match name.to_str().and_then(parse_name) {
                Some((key, format)) => {
                    let entry = Entry { format, bytes: on_disk(meta.len()), used, touched: used };
                    index.add(key, entry);
                }
                None if name.to_str().is_some_and(|name| name.ends_with(".part")) => {
                    let _ = fs::remove_file(file.path());
                }
                // Not ours: somebody chose a folder with other things in it.
                None => {}
            }
        }
        let old = index.expire((self.clock)(), self.max_unused);
        let over = index.shrink(self.max_bytes);
        self.remove(old);
        self.remove(over);
        index
    }
}

impl Index {
    fn add(&mut self, key: Key, entry: Entry) {
        self.forget(&key);
        self.bytes += entry.bytes;
        self.entries.insert(key, entry);
    }

    fn forget(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.bytes -= entry.bytes;
        }
    }

    fn expire(&mut self, now: SystemTime, unused: Duration) -> Vec<(Key, Option<Format>)> {
        let old = self.entries.iter().filter(|(_, entry)| since(entry.used, now) > unused);
        let old: Vec<_> = old.map(|(key, entry)| (*key, entry.format)).collect();
        old.iter().for_each(|(key, _)| self.forget(key));
        old
    }

    /// Drops the longest unused until a tenth of the room is free again, so that not every new one has to look.
    fn shrink(&mut self, max: u64) -> Vec<(Key, Option<Format>)> {
        if self.bytes <= max {
            return Vec::new();
        }
        let mut oldest: Vec<_> = self.entries.iter().map(|(key, e)| (e.used, *key, e.format)).collect();
        oldest.sort_unstable_by_key(|(used, key, _)| (*used, *key));
        let mut dropped = Vec::new();
        for (_, key, format) in oldest {
            if self.bytes <= max - max / 10 {
                break;
            }
            self.forget(&key);
            dropped.push((key, format));
        }
        dropped
    }
}

/// How long ago; zero if the clock was set back.
fn since(then: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(then).unwrap_or_default()
}

fn on_disk(bytes: u64) -> u64 {
    bytes.max(1).next_multiple_of(BLOCK)
}

fn name(key: &Key, format: Option<Format>) -> String {
    let ending = format.map_or("none", Format::ending);
    format!("{}.{ending}", blake3::Hash::from_bytes(*key).to_hex())
}

fn parse_name(name: &str) -> Option<(Key, Option<Format>)> {
    let (key, ending) = name.split_once('.')?;
    let format = match ending {
        "none" => None,
        ending => Some(Format::of_ending(ending)?),
    };
    Some((*blake3::Hash::from_hex(key).ok()?.as_bytes(), format))
}

/// Makes the folder for its owner alone: thumbnails show what the files show.
fn make_private(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Rig {
        folder: tempfile::TempDir,
        now: Arc<Mutex<SystemTime>>,
    }

    impl Rig {
        fn new() -> Self {
            let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
            Self { folder: tempfile::tempdir().unwrap(), now: Arc::new(Mutex::new(start)) }
        }

        fn cache(&self, max_bytes: u64) -> Cache {
            let now = Arc::clone(&self.now);
            let clock: Clock = Arc::new(move || *now.lock());
            Cache::new(self.folder.path().join("t"), max_bytes, Duration::from_secs(1800), clock)
        }

        fn pass(&self, seconds: u64) {
            *self.now.lock() += Duration::from_secs(seconds);
        }

        fn files(&self) -> usize {
            fs::read_dir(self.folder.path().join("t")).unwrap().count()
        }
    }

    fn picture(bytes: usize) -> Kept {
        Kept::Picture(Encoded { format: Format::Jpeg, bytes: vec![7; bytes].into() })
    }

    #[test]
    fn what_is_put_is_got_also_after_a_restart() {
        let rig = Rig::new();
        let cache = rig.cache(1 << 20);
        assert_eq!(cache.get(&[1; 32]), None);
        cache.put(&[1; 32], &picture(10));
        cache.put(&[2; 32], &Kept::Nothing);
        for cache in [cache, rig.cache(1 << 20)] {
            assert_eq!(cache.get(&[1; 32]), Some(picture(10)));
            assert_eq!(cache.get(&[2; 32]), Some(Kept::Nothing));
            assert_eq!(cache.get(&[3; 32]), None);
        }
    }

    #[test]
    fn the_longest_unused_go_when_it_is_full() {
        let rig = Rig::new();
        let cache = rig.cache(10 * BLOCK);
        for n in 0..10 {
            cache.put(&[n; 32], &picture(100));
            rig.pass(1);
        }
        assert_eq!(rig.files(), 10);
        assert!(cache.get(&[0; 32]).is_some());
        rig.pass(1);
        cache.put(&[10; 32], &picture(100));
        assert_eq!(rig.files(), 9);
        let left: Vec<u8> = (0..=10).filter(|n| cache.get(&[*n; 32]).is_some()).collect();
        assert_eq!(left, [0, 3, 4, 5, 6, 7, 8, 9, 10]);
    }

    #[test]
    fn the_unused_go_with_age() {
        let rig = Rig::new();
        let cache = rig.cache(1 << 20);
        cache.put(&[1; 32], &picture(1));
        cache.put(&[2; 32], &picture(1));
        rig.pass(1700);
        assert!(cache.get(&[2; 32]).is_some());
        rig.pass(200);
        cache.prune();
        assert_eq!(rig.files(), 1);
        assert_eq!((cache.get(&[1; 32]), cache.get(&[2; 32])), (None, Some(picture(1))));
        // The time of use was written to the file, so that a restart does not make it older.
        rig.pass(1000);
        assert!(rig.cache(1 << 20).get(&[2; 32]).is_some());
        rig.pass(1801);
        assert!(rig.cache(1 << 20).get(&[2; 32]).is_none());
        assert_eq!(rig.files(), 0);
    }

    #[test]
    fn strange_files_stay_and_unfinished_ones_go() {
        let rig = Rig::new();
        rig.cache(1 << 20).put(&[1; 32], &picture(1));
        let folder = rig.folder.path().join("t");
        fs::write(folder.join("holiday.jpg"), b"mine").unwrap();
        fs::write(folder.join("9.part"), b"half").unwrap();
        let cache = rig.cache(1 << 20);
        assert!(cache.get(&[1; 32]).is_some());
        assert!(folder.join("holiday.jpg").exists() && !folder.join("9.part").exists());
        // A file that somebody deleted is simply not there any more.
        fs::remove_file(folder.join(name(&[1; 32], Some(Format::Jpeg)))).unwrap();
        assert_eq!(cache.get(&[1; 32]), None);
    }

    #[test]
    fn without_a_folder_nothing_is_kept_and_nothing_breaks() {
        let rig = Rig::new();
        fs::write(rig.folder.path().join("t"), b"in the way").unwrap();
        let cache = rig.cache(1 << 20);
        cache.put(&[1; 32], &picture(1));
        assert_eq!(cache.get(&[1; 32]), None);
    }
}

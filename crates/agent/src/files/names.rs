//! The names of one folder in their order, and a bounded memory of such lists.
//!
//! Only names and types are remembered, never sizes or times: those belong to the files, and a folder does not
//! tell when they change. A list is good as long as the folder's own inode, mtime and ctime are what they were.

use std::ffi::CStr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use parking_lot::Mutex;
use proto::path::is_reserved;
use proto::{RelPath, ShareId};

use super::{FilesError, natural};
use crate::share::{Node, OpenFolder, ShareRoot, Stat};

/// What all remembered lists may take together.
const CACHE_BYTES: usize = 64 << 20;
/// A folder that changed this recently may change again without its mtime showing it: clocks of file systems tick
/// in up to 10 ms.
const TICK: Duration = Duration::from_millis(50);

/// The names of a folder: folders first, then natural order.
pub struct Names {
    /// The folder as it was when it was read.
    pub folder: Stat,
    /// How many of the names, at the beginning, are folders.
    pub folders: usize,
    /// The names in the order of the disk, each ended by a zero.
    text: Vec<u8>,
    /// Where each name begins in `text`, in order, and what it is.
    places: Vec<(u32, Node)>,
}

impl Names {
    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True for an empty folder.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    /// The name at a place, and what it was when the folder was read (links followed).
    #[must_use]
    pub fn get(&self, place: usize) -> (&CStr, Node) {
        let (start, node) = self.places[place];
        (CStr::from_bytes_until_nul(&self.text[start as usize..]).unwrap_or_default(), node)
    }

    fn bytes(&self) -> usize {
        self.text.capacity() + self.places.capacity() * size_of::<(u32, Node)>()
    }

    /// Reads and sorts a folder.
    ///
    /// # Errors
    /// The disk's.
    pub fn read(root: &ShareRoot, path: &RelPath, folder: &OpenFolder) -> Result<Self, FilesError> {
        let mut text = Vec::new();
        let mut found = Vec::new();
        folder.read_names(|name, node| {
            // Beyond 4 GiB of names (16 million at the least) a folder is cut short rather than misread.
            let Ok(start) = u32::try_from(text.len()) else { return };
            if !is_reserved(name.to_bytes()) {
                text.extend_from_slice(name.to_bytes_with_nul());
                found.push((start, node));
            }
        })?;
        text.shrink_to_fit();
        let name_at = |start: u32| CStr::from_bytes_until_nul(&text[start as usize..]).unwrap_or_default();
        for (start, node) in &mut found {
            if !matches!(node, Some(Node::File | Node::Folder | Node::Special)) {
                *node = Some(target(root, path, folder, name_at(*start)));
            }
        }
        let places = sorted(&found, name_at);
        let folders = places.iter().take_while(|(_, node)| *node == Node::Folder).count();
        Ok(Self { folder: folder.stat, folders, text, places })
    }
}

/// What a link points to, and what a name is whose type the file system did not say.
fn target(root: &ShareRoot, path: &RelPath, folder: &OpenFolder, name: &CStr) -> Node {
    match folder.stat_name(name) {
        Ok(stat) if stat.node != Node::Link => stat.node,
        Ok(_) => path
            .join(name.to_bytes())
            .ok()
            .and_then(|path| root.stat(&path).ok())
            .map_or(Node::Link, |stat| stat.node),
        Err(_) => Node::Special,
    }
}

fn sorted<'a>(found: &[(u32, Option<Node>)], name_at: impl Fn(u32) -> &'a CStr) -> Vec<(u32, Node)> {
    let mut keys = Vec::with_capacity(found.len() * 32);
    // The first eight bytes of a key decide nearly every comparison without a look at the key itself.
    let mut order = Vec::with_capacity(found.len());
    for (start, node) in found {
        let node = node.unwrap_or(Node::Special);
        let begin = keys.len();
        keys.push(u8::from(node != Node::Folder));
        natural::push_key(&mut keys, name_at(*start).to_bytes());
        let head = keys[begin..].first_chunk().copied().unwrap_or_else(|| padded(&keys[begin..]));
        order.push((u64::from_be_bytes(head), begin..keys.len(), (*start, node)));
    }
    order.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| keys[a.1.clone()].cmp(&keys[b.1.clone()])));
    order.into_iter().map(|(_, _, place)| place).collect()
}

fn padded(short: &[u8]) -> [u8; 8] {
    let mut head = [0; 8];
    head[..short.len()].copy_from_slice(short);
    head
}

/// Lists of names that were read lately, the latest last.
#[derive(Default)]
pub struct NamesCache {
    lists: Mutex<Vec<(ShareId, RelPath, Arc<Names>)>>,
}

impl NamesCache {
    /// The names of an open folder: remembered if the folder is what it was, else read.
    ///
    /// # Errors
    /// The disk's.
    pub fn names(
        &self,
        (share, root): (ShareId, &ShareRoot),
        path: &RelPath,
        folder: &OpenFolder,
    ) -> Result<Arc<Names>, FilesError> {
        if let Some(names) = self.remembered(share, path, &folder.stat) {
            return Ok(names);
        }
        let settled = is_settled(&folder.stat);
        let names = Arc::new(Names::read(root, path, folder)?);
        if settled {
            self.remember(share, path, &names);
        }
        Ok(names)
    }

    fn remembered(&self, share: ShareId, path: &RelPath, stat: &Stat) -> Option<Arc<Names>> {
        let mut lists = self.lists.lock();
        let at = lists.iter().position(|(s, p, _)| *s == share && p == path)?;
        let list = lists.remove(at);
        if !same_state(&list.2.folder, stat) {
            return None;
        }
        let names = Arc::clone(&list.2);
        lists.push(list);
        Some(names)
    }

    fn remember(&self, share: ShareId, path: &RelPath, names: &Arc<Names>) {
        if names.bytes() > CACHE_BYTES / 2 {
            return;
        }
        let mut lists = self.lists.lock();
        lists.retain(|(s, p, _)| *s != share || p != path);
        lists.push((share, path.clone(), Arc::clone(names)));
        let mut room = CACHE_BYTES;
        let kept = lists.iter().rev().take_while(|(_, _, names)| {
            let fits = room.checked_sub(names.bytes() + 256);
            room = fits.unwrap_or(0);
            fits.is_some()
        });
        let too_many = lists.len() - kept.count();
        lists.drain(..too_many);
    }
}

fn same_state(a: &Stat, b: &Stat) -> bool {
    (a.dev, a.ino, a.mtime_ns, a.ctime_ns) == (b.dev, b.ino, b.mtime_ns, b.ctime_ns)
}

fn is_settled(folder: &Stat) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let changed = u64::try_from(folder.ctime_ns.max(folder.mtime_ns)).unwrap_or(0);
    now > Duration::from_nanos(changed) + TICK
}

//! A folder as JSON: in the order asked for, a page of it or all of it, and nothing collected that can be streamed.
//!
//! Ordering by name or kind needs names alone, which [`NamesCache`] remembers; only what is shown is looked at on
//! disk. Ordering by size or time looks at every entry once.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use proto::RelPath;
use proto::api::files::{Kind, SortBy, SortOrder};
use proto::path::escape_name;

use super::entry_json::EntryWriter;
use super::names::{Names, NamesCache};
use super::pieces::{self, Pieces};
use super::{FilesError, kind};
use crate::agent::Share;
use crate::share::{Node, OpenFolder, Stat};

/// How much of a whole listing is made at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Which entries of a folder are asked for, and in which order.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// What to order by.
    pub sort: SortBy,
    /// Which way. Folders come first either way.
    pub order: SortOrder,
    /// Only names that contain this, in any case; empty for all.
    pub filter: String,
    /// Only folders and entries of this kind.
    pub kind: Option<Kind>,
    /// Leave out names that begin with a dot.
    pub hide_dotfiles: bool,
}

/// A folder opened for listing.
pub struct Folder {
    share: Arc<Share>,
    path: RelPath,
    open: OpenFolder,
}

impl Folder {
    /// Opens a folder.
    ///
    /// # Errors
    /// [`FilesError`], as the gate says.
    pub fn open(share: Arc<Share>, path: RelPath) -> Result<Self, FilesError> {
        let open = share.root.open_folder(&path)?;
        Ok(Self { share, path, open })
    }

    /// One page of the folder: the JSON of a [`proto::api::files::Listing`].
    ///
    /// # Errors
    /// The disk's.
    pub fn page(
        self,
        cache: &NamesCache,
        wish: &Wish,
        offset: u64,
        limit: u32,
    ) -> Result<Vec<u8>, FilesError> {
        let mut out = self.head(offset);
        let mut rows = Rows::arrange(self, cache, wish)?;
        let begin = usize::try_from(offset).unwrap_or(usize::MAX).min(rows.order.len());
        rows.next = begin;
        rows.end = begin.saturating_add(limit as usize).min(rows.order.len());
        rows.push_until(&mut out, usize::MAX);
        Ok(out)
    }

    /// The whole folder as one JSON document, piece by piece, made as fast as it is taken and one piece ahead.
    /// Nothing waits on a thread while the taker does not take.
    pub fn stream(
        self,
        cache: Arc<NamesCache>,
        wish: Wish,
    ) -> impl Stream<Item = Result<Bytes, FilesError>> + Send {
        let head = self.head(0);
        let rest = pieces::stream(move || Rows::arrange(self, &cache, &wish));
        futures_util::StreamExt::chain(stream::iter([Ok(Bytes::from(head))]), rest)
    }

    fn head(&self, offset: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(CHUNK_BYTES);
        let json = |path: &RelPath| serde_json::to_string(path).unwrap_or_default();
        let parent = self.path.parent().map_or_else(|| "null".into(), |parent| json(&parent));
        let path = json(&self.path);
        let _ = write!(out, "{{\"path\":{path},\"parent\":{parent},\"offset\":{offset},\"entries\":[");
        out
    }

    /// What a name is now, links followed if they stay inside, and whether it is a link.
    fn look(&self, name: &std::ffi::CStr) -> (Option<Stat>, bool) {
        match self.open.stat_name(name) {
            Ok(stat) if stat.node == Node::Link => {
                let path = self.path.join(name.to_bytes()).ok();
                let target = path.and_then(|path| self.share.root.stat(&path).ok());
                (Some(target.unwrap_or(stat)), true)
            }
            Ok(stat) => (Some(stat), false),
            Err(_) => (None, false),
        }
    }
}

/// The entries of a folder in the order asked for, of which those from `next` to `end` are still to be written.
struct Rows {
    folder: Folder,
    names: Arc<Names>,
    writer: EntryWriter,
    version: String,
    /// Places in `names`.
    order: Vec<u32>,
    first: bool,
    next: usize,
    end: usize,
}

impl Rows {
    fn arrange(folder: Folder, cache: &NamesCache, wish: &Wish) -> Result<Self, FilesError> {
        let share = (folder.share.id, &*folder.share.root);
        let names = cache.names(share, &folder.path, &folder.open)?;
        let mut order = select(&names, wish);
        let mut version =
            format!("{:x}-{:x}-{:x}", names.folder.ino, names.folder.mtime_ns, names.folder.ctime_ns);
        let folders = order.partition_point(|place| (*place as usize) < names.folders);
        for group in [0..folders, folders..order.len()] {
            if let Some(state) = sort(&mut order[group], &folder, &names, wish) {
                let _ = std::fmt::Write::write_fmt(&mut version, format_args!("-{state:x}"));
            }
        }
        let (writer, end) = (EntryWriter::new(&folder.path), order.len());
        Ok(Self { folder, names, writer, version, order, first: true, next: 0, end })
    }

    /// Writes rows until `out` has so many bytes or all are written, and then the end of the document.
    fn push_until(&mut self, out: &mut Vec<u8>, bytes: usize) {
        while self.next < self.end && out.len() < bytes {
            let (name, node) = self.names.get(self.order[self.next] as usize);
            self.next += 1;
            let (stat, link) = self.folder.look(name);
            if !std::mem::take(&mut self.first) {
                out.push(b',');
            }
            let node = stat.as_ref().map_or(node, |stat| stat.node);
            self.writer.push(out, name.to_bytes(), node, stat.as_ref(), link);
        }
        if self.next >= self.end {
            let _ = write!(out, "],\"total\":{},\"version\":\"{}\"}}", self.order.len(), self.version);
        }
    }
}

impl Pieces for Rows {
    fn piece(mut self) -> Result<(Option<Self>, Vec<u8>), FilesError> {
        let mut out = Vec::with_capacity(CHUNK_BYTES + 1024);
        self.push_until(&mut out, CHUNK_BYTES);
        Ok(((self.next < self.end).then_some(self), out))
    }
}

/// The places of the names that are wished for, in the order of names.
fn select(names: &Names, wish: &Wish) -> Vec<u32> {
    let all = 0..u32::try_from(names.len()).unwrap_or(u32::MAX);
    if wish.filter.is_empty() && wish.kind.is_none() && !wish.hide_dotfiles {
        return all.collect();
    }
    let filter = wish.filter.to_lowercase();
    all.filter(|place| {
        let (name, node) = names.get(*place as usize);
        let name = name.to_bytes();
        let kind_fits = wish.kind.is_none_or(|kind| node == Node::Folder || kind::of_name(name) == kind);
        kind_fits && !(wish.hide_dotfiles && name.starts_with(b".")) && contains(name, &filter)
    })
    .collect()
}

fn contains(name: &[u8], lower: &str) -> bool {
    lower.is_empty() || escape_name(name).to_lowercase().contains(lower)
}

/// Sorts folders or the rest. If that took more than names, says in what state they were.
fn sort(group: &mut [u32], folder: &Folder, names: &Names, wish: &Wish) -> Option<u64> {
    let state = match wish.sort {
        SortBy::Name => None,
        SortBy::Kind => {
            group.sort_by_key(|place| kind::of_name(names.get(*place as usize).0.to_bytes()));
            None
        }
        SortBy::Size => Some(sort_by_stat(group, folder, names, |stat| {
            if stat.node == Node::File { i128::from(stat.size) } else { 0 }
        })),
        SortBy::Modified => Some(sort_by_stat(group, folder, names, |stat| stat.mtime_ns.into())),
    };
    if wish.order == SortOrder::Desc {
        group.reverse();
    }
    state
}

fn sort_by_stat(group: &mut [u32], folder: &Folder, names: &Names, of: impl Fn(&Stat) -> i128) -> u64 {
    let value = |place: u32| folder.look(names.get(place as usize).0).0.as_ref().map_or(i128::MIN, &of);
    let mut values: Vec<_> = group.iter().map(|place| (value(*place), *place)).collect();
    values.sort_unstable();
    let mut hasher = DefaultHasher::new();
    for (slot, (value, place)) in group.iter_mut().zip(values) {
        (value, place).hash(&mut hasher);
        *slot = place;
    }
    hasher.finish()
}

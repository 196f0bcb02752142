//! The index itself: which names are in which folder.
//!
//! Folders are a table; a folder's entries are one or a few *blocks* of one long run of names ([`Names`]). A folder
//! that changed gets a new block at the end, the old one is wiped; when much is wiped, everything is copied
//! together. A moved folder takes all below it along by the change of one number.
//! Not known here: disks, watches, queries.

use std::collections::HashMap;

use proto::RelPath;

use super::names::{MAX_BYTES, Name, Names, Offset};
use super::signs::{Pages, Signs};
use crate::share::Node;

/// A folder's number. It stays while the folder is known; then it may be given to another.
pub(crate) type FolderId = u32;

/// The share's own folder.
pub(crate) const ROOT: FolderId = 0;
const NONE: u32 = u32::MAX;
/// The reading time of a number that is free.
const FREE: i64 = i64::MIN;
/// Below this much waste nothing is copied together.
const LEAST_WASTE: usize = 64 * 1024;

/// One folder.
#[derive(Clone, Debug)]
pub(super) struct Folder {
    /// The folder it is in; `NONE` for the root and for numbers that are free.
    parent: FolderId,
    /// Its entry in the parent's block; `NONE` for the root, and for a folder that lost its place.
    entry: Offset,
    /// Its newest block; older ones follow from there.
    block: u32,
    first_child: FolderId,
    next: FolderId,
    previous: FolderId,
    /// What the kernel calls its watch; 0 if there is none.
    pub(super) watch: i32,
    /// Its number on disk; 0 if not known.
    pub(super) ino: u64,
    /// The state in which it was last read: the folder's change time, 0 if it must be read again.
    pub(super) read_at: i64,
}

/// A stretch of names that belong to one folder.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// Where it begins.
    pub(crate) start: Offset,
    /// Where it ends.
    pub(crate) end: Offset,
    /// Whose it is; [`Tree::is_wiped`] if nobody's.
    pub(crate) folder: FolderId,
    older: u32,
}

/// The names of a folder as they were read.
#[derive(Default)]
pub(crate) struct Reading {
    /// The entries.
    pub(crate) names: Names,
    /// Those of them that are folders, with their number on disk.
    pub(crate) folders: Vec<(Offset, u64)>,
    /// How many entries.
    pub(crate) count: u64,
}

/// What a new reading of a folder changed.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    /// Folders that were not known: their content is still to be read.
    pub(crate) new: Vec<FolderId>,
    /// Folders that are no longer here. They keep their content until [`Tree::remove`], since they may turn up elsewhere.
    pub(crate) gone: Vec<FolderId>,
    /// Folders that were not found where they were thought to be: to be read when all that moved is in its new place.
    pub(crate) missed: Vec<FolderId>,
}

impl Changes {
    /// Nothing, but for a folder that was not found.
    pub(crate) fn missed(folder: FolderId) -> Self {
        Self { missed: vec![folder], ..Self::default() }
    }

    /// Takes in others.
    pub(crate) fn extend(&mut self, other: Self) {
        self.new.extend(other.new);
        self.gone.extend(other.gone);
        self.missed.extend(other.missed);
    }
}

/// All names of a share.
#[derive(Clone)]
pub(crate) struct Tree {
    pub(super) names: Names,
    /// Of the names, up to the last [`Tree::sign`].
    signs: Signs,
    /// By ascending start.
    blocks: Vec<Block>,
    pub(super) folders: Vec<Folder>,
    free: Vec<FolderId>,
    waste: usize,
    entries: u64,
    /// Counts how often offsets were made anew.
    pub(crate) epoch: u64,
    /// Counts changes.
    pub(crate) edits: u64,
}

impl Reading {
    /// Empties it for the next folder.
    pub(crate) fn clear(&mut self) {
        self.names.clear();
        self.folders.clear();
        self.count = 0;
    }

    /// Takes in one name.
    pub(crate) fn push(&mut self, node: Node, name: &[u8], ino: u64) {
        let at = self.names.push(node, name);
        self.count += 1;
        if node == Node::Folder {
            self.folders.push((at, ino));
        }
    }
}

impl Folder {
    const fn new(parent: FolderId, entry: Offset, ino: u64) -> Self {
        Self {
            parent,
            entry,
            block: NONE,
            first_child: NONE,
            next: NONE,
            previous: NONE,
            watch: 0,
            ino,
            read_at: 0,
        }
    }
}

impl Tree {
    /// An index of nothing.
    pub(crate) fn new() -> Self {
        Self {
            names: Names::default(),
            signs: Signs::default(),
            blocks: Vec::new(),
            folders: vec![Folder::new(NONE, NONE, 0)],
            free: Vec::new(),
            waste: 0,
            entries: 0,
            epoch: 0,
            edits: 0,
        }
    }

    /// How many files and folders are known.
    pub(crate) const fn len(&self) -> u64 {
        self.entries
    }

    /// All names, to be swept.
    pub(crate) const fn names(&self) -> &Names {
        &self.names
    }

    /// The parts of the names that may have a (folded) text.
    pub(crate) fn pages(&self, text: &[u8]) -> Pages {
        self.signs.pages(text)
    }

    /// The blocks, by ascending start.
    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// How many folder numbers there are, free ones included.
    pub(crate) fn folder_numbers(&self) -> usize {
        self.folders.len()
    }

    /// True if the block belongs to nobody.
    pub(crate) const fn is_wiped(block: &Block) -> bool {
        block.folder == NONE
    }

    /// The folder this one is in.
    pub(crate) fn parent(&self, folder: FolderId) -> Option<FolderId> {
        let parent = self.folders[folder as usize].parent;
        (self.has_place(folder) && parent != NONE).then_some(parent)
    }

    /// The folder's own entry; `None` for the root, and where it lost its place.
    pub(crate) fn folder_entry(&self, folder: FolderId) -> Option<Offset> {
        let entry = self.folders[folder as usize].entry;
        (entry != NONE).then_some(entry)
    }

    /// The folder's own name; `None` for the root, and where it lost its place.
    pub(crate) fn folder_name(&self, folder: FolderId) -> Option<Name<'_>> {
        self.folder_entry(folder).map(|entry| self.names.name(entry))
    }

    fn has_place(&self, folder: FolderId) -> bool {
        folder == ROOT || self.folders[folder as usize].entry != NONE
    }

    /// The folders from the root's child down to this one; `None` if it is not (any more) in the tree.
    pub(crate) fn lineage(&self, mut folder: FolderId) -> Option<Vec<FolderId>> {
        let mut line = Vec::with_capacity(8);
        while folder != ROOT {
            line.push(folder);
            folder = self.parent(folder)?;
        }
        line.reverse();
        Some(line)
    }

    /// Where a folder is. `None` if it is gone, or too deep to be opened.
    pub(crate) fn path(&self, folder: FolderId) -> Option<RelPath> {
        let mut path = RelPath::root();
        for step in self.lineage(folder)? {
            path = path.join(&self.folder_name(step)?.original()).ok()?;
        }
        Some(path)
    }

    /// The children of a folder that are folders.
    pub(super) fn children(&self, folder: FolderId) -> impl Iterator<Item = FolderId> + '_ {
        let first = self.folders[folder as usize].first_child;
        std::iter::successors((first != NONE).then_some(first), |child| {
            let next = self.folders[*child as usize].next;
            (next != NONE).then_some(next)
        })
    }

    /// The folder at a place.
    pub(crate) fn folder_at(&self, path: &RelPath) -> Option<FolderId> {
        path.names().try_fold(ROOT, |folder, name| self.child(folder, name))
    }

    fn child(&self, folder: FolderId, name: &[u8]) -> Option<FolderId> {
        self.children(folder).find(|child| self.folder_name(*child).is_some_and(|n| n.is(name)))
    }

    /// The entries of a folder.
    pub(crate) fn entries(&self, folder: FolderId) -> impl Iterator<Item = Offset> + '_ {
        self.blocks_of(folder).flat_map(|b| self.names.entries(b.start as usize, b.end as usize))
    }

    fn blocks_of(&self, folder: FolderId) -> impl Iterator<Item = Block> + '_ {
        let get = |at: u32| self.blocks.get(at as usize).copied();
        std::iter::successors(get(self.folders[folder as usize].block), move |block| get(block.older))
    }

    /// The entry of this name in a folder.
    pub(crate) fn find(&self, folder: FolderId, name: &[u8]) -> Option<Offset> {
        let mut needle = super::names::fold(name);
        needle.push(0);
        let finder = memchr::memmem::Finder::new(&needle);
        self.blocks_of(folder).find_map(|block| {
            let (start, end) = (block.start as usize, block.end as usize);
            let stretch = &self.names.bytes()[start..end];
            finder.find_iter(stretch).filter(|at| *at > 0).find_map(|at| {
                let at = block.start + u32::try_from(at).ok()? - 1;
                (self.names.node(at).is_some() && self.names.name(at).is(name)).then_some(at)
            })
        })
    }

    // ---- changes ------------------------------------------------------------------------------------------------

    /// True if the run has room for this many more bytes.
    pub(crate) fn has_room(&self, bytes: usize) -> bool {
        self.names.bytes().len() + bytes < MAX_BYTES
    }

    /// Puts a new reading in place of what was known of a folder.
    pub(crate) fn replace(&mut self, folder: FolderId, reading: &Reading, read_at: i64) -> Changes {
        self.edits += 1;
        let mut changes = Changes::default();
        let mut known: HashMap<Vec<u8>, FolderId> = self
            .children(folder)
            .filter_map(|child| Some((self.folder_name(child)?.original(), child)))
            .collect();
        self.wipe_blocks(folder);
        let base = self.push_block(folder, reading);
        for (at, ino) in &reading.folders {
            let entry = base + at;
            match known.remove(&self.names.name(entry).original()) {
                Some(child) if self.is_same(child, *ino) => self.folders[child as usize].entry = entry,
                other => {
                    changes.gone.extend(other);
                    changes.new.push(self.add_folder(folder, entry, *ino));
                }
            }
        }
        changes.gone.extend(known.into_values());
        for gone in &changes.gone {
            self.displace(*gone);
        }
        self.folders[folder as usize].read_at = read_at;
        changes
    }

    /// Folders without a number on disk are told apart by their name alone.
    fn is_same(&self, folder: FolderId, ino: u64) -> bool {
        let known = self.folders[folder as usize].ino;
        known == ino || known == 0 || ino == 0
    }

    fn push_block(&mut self, folder: FolderId, reading: &Reading) -> Offset {
        if reading.count == 0 {
            return 0;
        }
        let start = self.names.append(&reading.names);
        self.entries += reading.count;
        self.add_block(folder, start);
        start
    }

    /// The block of this folder from `start` to the end of the run.
    fn add_block(&mut self, folder: FolderId, start: Offset) {
        let end = u32::try_from(self.names.bytes().len()).unwrap_or(NONE);
        let older = self.folders[folder as usize].block;
        self.folders[folder as usize].block = u32::try_from(self.blocks.len()).unwrap_or(NONE);
        self.blocks.push(Block { start, end, folder, older });
    }

    fn wipe_blocks(&mut self, folder: FolderId) {
        let mut at = self.folders[folder as usize].block;
        while let Some(block) = self.blocks.get(at as usize).copied() {
            let (start, end) = (block.start as usize, block.end as usize);
            self.entries -= self.names.entries(start, end).count() as u64;
            self.names.blank(start, end);
            self.waste += end - start;
            self.blocks[at as usize].folder = NONE;
            at = block.older;
        }
        self.folders[folder as usize].block = NONE;
    }

    /// Adds one name to a folder; its number, if it is a folder.
    pub(crate) fn insert(&mut self, folder: FolderId, node: Node, name: &[u8], ino: u64) -> Option<FolderId> {
        self.edits += 1;
        self.entries += 1;
        let last = self.blocks.len().wrapping_sub(1);
        let grows = self
            .blocks
            .get(last)
            .is_some_and(|b| b.folder == folder && b.end as usize == self.names.bytes().len());
        let start = if grows { 0 } else { self.names.align() };
        let entry = self.names.push(node, name);
        if grows {
            self.blocks[last].end = u32::try_from(self.names.bytes().len()).unwrap_or(NONE);
        } else {
            self.add_block(folder, start);
        }
        (node == Node::Folder).then(|| self.add_folder(folder, entry, ino))
    }

    /// Takes one name out; the folder it named, which keeps its content until [`Self::remove`].
    pub(crate) fn take(&mut self, folder: FolderId, entry: Offset) -> Option<FolderId> {
        self.edits += 1;
        let child = self.children(folder).find(|child| self.folders[*child as usize].entry == entry);
        if let Some(child) = child {
            self.displace(child);
        }
        self.wipe_entry(entry);
        child
    }

    fn wipe_entry(&mut self, entry: Offset) {
        if self.names.node(entry).is_none() {
            return;
        }
        let len = self.names.name(entry).folded.len() + 2;
        self.names.blank(entry as usize, entry as usize + len);
        self.waste += len;
        self.entries -= 1;
    }

    /// The folder that an entry names.
    pub(crate) fn folder_of(&self, parent: FolderId, entry: Offset) -> Option<FolderId> {
        self.children(parent).find(|child| self.folders[*child as usize].entry == entry)
    }

    fn add_folder(&mut self, parent: FolderId, entry: Offset, ino: u64) -> FolderId {
        let folder = Folder::new(parent, entry, ino);
        let id = if let Some(id) = self.free.pop() {
            self.folders[id as usize] = folder;
            id
        } else {
            self.folders.push(folder);
            u32::try_from(self.folders.len() - 1).unwrap_or(NONE)
        };
        self.link(id, parent);
        id
    }

    fn link(&mut self, id: FolderId, parent: FolderId) {
        let first = self.folders[parent as usize].first_child;
        let folder = &mut self.folders[id as usize];
        (folder.parent, folder.next, folder.previous) = (parent, first, NONE);
        if first != NONE {
            self.folders[first as usize].previous = id;
        }
        self.folders[parent as usize].first_child = id;
    }

    fn unlink(&mut self, id: FolderId) {
        let Folder { parent, next, previous, .. } = self.folders[id as usize];
        if previous != NONE {
            self.folders[previous as usize].next = next;
        } else if parent != NONE {
            self.folders[parent as usize].first_child = next;
        }
        if next != NONE {
            self.folders[next as usize].previous = previous;
        }
        let folder = &mut self.folders[id as usize];
        (folder.parent, folder.next, folder.previous) = (NONE, NONE, NONE);
    }

    /// Takes a folder out of its place, with all below it. Its own entry is not touched.
    fn displace(&mut self, id: FolderId) {
        self.unlink(id);
        self.folders[id as usize].entry = NONE;
    }

    /// `moved` was found in the place of the just added `new`: it takes that place, and `new` is forgotten.
    /// False if it cannot be, since the tree is still behind the disk.
    pub(crate) fn adopt(&mut self, new: FolderId, moved: FolderId) -> bool {
        let Some(line) = self.lineage(new) else { return false };
        if moved == ROOT || line.contains(&moved) || self.folders[new as usize].first_child != NONE {
            return false;
        }
        let Folder { parent, entry, ino, .. } = self.folders[new as usize];
        self.wipe_blocks(new);
        self.displace(new);
        self.release(new);
        let old_entry = self.folders[moved as usize].entry;
        self.displace(moved);
        if old_entry != NONE {
            self.wipe_entry(old_entry);
        }
        self.link(moved, parent);
        let folder = &mut self.folders[moved as usize];
        (folder.entry, folder.ino, folder.read_at) = (entry, ino, 0);
        true
    }

    /// Forgets a folder that lost its place and found no other, with all below it; the watches they had.
    pub(crate) fn remove(&mut self, folder: FolderId) -> Vec<(i32, FolderId)> {
        let mut watches = Vec::new();
        if self.has_place(folder) || self.folders[folder as usize].read_at == FREE {
            return watches;
        }
        let mut doomed = vec![folder];
        while let Some(id) = doomed.pop() {
            doomed.extend(self.children(id));
            self.wipe_blocks(id);
            let watch = self.folders[id as usize].watch;
            watches.extend((watch != 0).then_some((watch, id)));
            self.release(id);
        }
        watches
    }

    fn release(&mut self, id: FolderId) {
        self.folders[id as usize] = Folder { read_at: FREE, ..Folder::new(NONE, NONE, 0) };
        self.free.push(id);
    }

    /// True if it pays to copy everything together.
    pub(crate) fn is_wasteful(&self) -> bool {
        self.waste > LEAST_WASTE && self.waste * 4 > self.names.bytes().len()
    }

    /// Makes searches quick in the names that were added. They find them without it, too.
    pub(crate) fn sign(&mut self) {
        self.signs.cover(self.names.bytes());
    }

    /// Gives back room that is not used.
    pub(crate) fn shrink(&mut self) {
        self.names.shrink();
        self.blocks.shrink_to_fit();
        self.folders.shrink_to_fit();
    }

    /// The folders, parents before children.
    pub(crate) fn in_order(&self) -> Vec<FolderId> {
        let mut order = Vec::with_capacity(self.folders.len() - self.free.len());
        let mut rest = vec![ROOT];
        while let Some(folder) = rest.pop() {
            order.push(folder);
            rest.extend(self.children(folder));
        }
        order
    }

    /// The same tree without waste: one block a folder, parents before children. Folders keep their numbers.
    pub(crate) fn compacted(&self) -> Self {
        let mut new = Self {
            names: Names::default(),
            signs: Signs::default(),
            blocks: Vec::new(),
            folders: self.folders.clone(),
            free: self.free.clone(),
            waste: 0,
            entries: self.entries,
            epoch: self.epoch + 1,
            edits: self.edits,
        };
        for folder in self.in_order() {
            new.copy_folder(self, folder);
        }
        new.shrink();
        new.sign();
        new
    }

    fn copy_folder(&mut self, old: &Self, folder: FolderId) {
        let children: HashMap<Offset, FolderId> =
            old.children(folder).map(|child| (old.folders[child as usize].entry, child)).collect();
        self.folders[folder as usize].block = NONE;
        let start = self.names.align();
        for entry in old.entries(folder) {
            let copied = self.names.copy(&old.names, entry);
            if let Some(child) = children.get(&entry) {
                self.folders[*child as usize].entry = copied;
            }
        }
        if self.names.bytes().len() > start as usize {
            self.add_block(folder, start);
        }
    }

    // ---- as it is saved -----------------------------------------------------------------------------------------

    /// The entry of a folder in its parent, and the stretch of its own entries. For a compacted tree.
    pub(super) fn saved_place(&self, folder: FolderId) -> (Option<FolderId>, Offset, Offset, Offset) {
        let block = self.blocks_of(folder).next();
        let (start, end) = block.map_or((0, 0), |b| (b.start, b.end));
        (self.parent(folder), self.folders[folder as usize].entry, start, end)
    }

    /// A tree of names alone, to which [`Self::restore_folder`] adds the folders in their order.
    pub(super) fn with_names(names: Names) -> Self {
        Self { names, ..Self::new() }
    }

    /// Adds the next folder of a saved tree. `None` if it cannot be one.
    pub(super) fn restore_folder(
        &mut self,
        parent: Option<FolderId>,
        entry: Offset,
        (start, end): (Offset, Offset),
    ) -> Option<FolderId> {
        let id = match parent {
            None => ROOT,
            Some(parent) => {
                let inside = self.blocks_of(parent).next().is_some_and(|b| (b.start..b.end).contains(&entry));
                let begins = entry == 0 || self.names.bytes().get(entry as usize - 1) == Some(&0);
                if !inside || !begins || self.names.node(entry) != Some(Node::Folder) {
                    return None;
                }
                self.add_folder(parent, entry, 0)
            }
        };
        if start < end {
            let last = self.blocks.last().map_or(0, |b| b.end);
            let stretch = self.names.bytes().get(start as usize..end as usize)?;
            if start < last || stretch.last() != Some(&0) {
                return None;
            }
            self.entries += self.names.entries(start as usize, end as usize).count() as u64;
            let block = u32::try_from(self.blocks.len()).ok()?;
            self.folders[id as usize].block = block;
            self.blocks.push(Block { start, end, folder: id, older: NONE });
        }
        Some(id)
    }
}

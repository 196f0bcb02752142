//! Whole trees, by handle and name alone: copied, removed, measured. Links are copied as links and never followed, so
//! that nobody who swaps a folder for a link meanwhile leads any of this elsewhere.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use proto::path::{MAX_DEPTH, is_reserved};

use super::FilesError;
use super::write::WriteError;
use crate::share::write::{Spot, copy_content, permit_like, set_modified, sync_file};
use crate::share::{Node, OpenFile, OpenFolder, Stat};

/// Copies what is at a place to another, where nothing is: content, times and rights. Lanthorn's own files in it stay
/// behind, devices and the like are refused. Nothing is made durable. How many files and folders there were.
///
/// # Errors
/// The disk's, and [`FilesError::Changed`] for a file that was written to meanwhile. What was copied so far is there.
pub fn copy(from: &Spot, to: &Spot) -> Result<usize, WriteError> {
    copy_at(from, to, 0)
}

fn copy_at(from: &Spot, to: &Spot, depth: usize) -> Result<usize, WriteError> {
    match from.stat()?.node {
        Node::File => copy_file(&from.open()?, from, to).map(|()| 1),
        Node::Link => to.link_like(from).map(|()| 1),
        Node::Special => Err(FilesError::Special.into()),
        Node::Folder if depth > MAX_DEPTH => Err(WriteError::BadName("its path is too long")),
        Node::Folder => copy_folder(from, to, depth),
    }
}

fn copy_file(open: &OpenFile, from: &Spot, to: &Spot) -> Result<(), WriteError> {
    let file = to.create()?;
    let copied = copy_content(&open.file, &file)?;
    let after = Stat::of_handle(&open.file)?;
    if (after.size, after.mtime_ns) != (open.stat.size, open.stat.mtime_ns) || copied != after.size {
        return Err(FilesError::Changed.into());
    }
    permit_like(&file, from)?;
    set_modified(&file, after.mtime_ns)
}

fn copy_folder(from: &Spot, to: &Spot, depth: usize) -> Result<usize, WriteError> {
    to.make_folder()?;
    let source = from.open_folder()?;
    let mtime_ns = source.stat.mtime_ns;
    let (source, copy) = (contents(source)?, to.open_folder()?.into_folder());
    let mut count = 1;
    for inside in source.iter().filter(|inside| !is_reserved(inside.name().to_bytes())) {
        count += copy_at(inside, &Spot::of(Arc::clone(&copy), inside.name().to_bytes()), depth + 1)?;
    }
    permit_like(&copy, from)?;
    set_modified(&copy, mtime_ns)?;
    Ok(count)
}

/// Makes everything at a place durable, one thing after the other: for what is only little.
///
/// # Errors
/// The disk's.
pub fn sync(spot: &Spot) -> Result<(), WriteError> {
    match spot.stat()?.node {
        Node::File => sync_file(&spot.open()?.file),
        Node::Link | Node::Special => Ok(()),
        Node::Folder => {
            let inside = contents(spot.open_folder()?)?;
            inside.iter().try_for_each(sync)?;
            inside.first().map_or(Ok(()), Spot::sync_folder)
        }
    }
}

/// Removes what is at a place, with all that is in it. Nothing there is no error.
///
/// # Errors
/// The disk's. Some of it may be gone.
pub fn remove(spot: &Spot) -> Result<(), WriteError> {
    match spot.stat() {
        Err(FilesError::NotFound) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(stat) if stat.node != Node::Folder => spot.remove_file(),
        Ok(_) => {
            contents(spot.open_folder()?)?.iter().try_for_each(remove)?;
            spot.remove_folder()
        }
    }
}

/// Bytes of all files of a tree. What cannot be looked at counts nothing.
#[must_use]
pub fn bytes(spot: &Spot) -> u64 {
    let Ok(stat) = spot.stat() else { return 0 };
    if stat.node != Node::Folder {
        return stat.size;
    }
    let inside = spot.open_folder().ok().and_then(|folder| contents(folder).ok());
    inside.unwrap_or_default().iter().map(bytes).sum()
}

/// Everything in a folder.
///
/// # Errors
/// The disk's.
pub fn contents(folder: OpenFolder) -> Result<Vec<Spot>, FilesError> {
    let mut names = Vec::new();
    folder.read_names(|name, _| names.push(name.to_bytes().to_vec()))?;
    let folder: Arc<OwnedFd> = folder.into_folder();
    Ok(names.iter().map(|name| Spot::of(Arc::clone(&folder), name)).collect())
}

//! One file or folder as the API shows it: what the gate said of a place, put into an [`Entry`].

use std::fmt;

use proto::RelPath;
use proto::api::files::{Entry, EntryType, Kind};
use proto::path::escape_name;
use time::OffsetDateTime;

use super::{FilesError, kind};
use crate::share::{Node, ShareRoot, Stat};

/// What is at a place. A link shows what it points to, or that it leads out.
///
/// # Errors
/// [`FilesError`]: nothing there, or the way to it leads out.
pub fn look(root: &ShareRoot, path: RelPath) -> Result<Entry, FilesError> {
    let stat = root.stat_link(&path)?;
    if stat.node != Node::Link {
        return Ok(of(path, &stat, false));
    }
    Ok(match root.stat(&path) {
        Ok(target) => of(path, &target, true),
        Err(_) => of(path, &stat, true),
    })
}

/// The entry of a place of which the gate said `stat`. A [`Node::Link`] is one that leads out or nowhere.
#[must_use]
pub fn of(path: RelPath, stat: &Stat, link: bool) -> Entry {
    let name = path.name().unwrap_or_default();
    let entry_type = entry_type(stat.node);
    Entry {
        name: escape_name(name),
        entry_type,
        kind: if entry_type == EntryType::Folder { Kind::Folder } else { kind::of_name(name) },
        size: if entry_type == EntryType::File { stat.size } else { 0 },
        modified: modified(stat),
        version: if entry_type == EntryType::File { version(stat) } else { String::new() },
        link,
        path,
    }
}

const fn entry_type(node: Node) -> EntryType {
    match node {
        Node::Folder => EntryType::Folder,
        Node::File => EntryType::File,
        Node::Link => EntryType::LinkOut,
        Node::Special => EntryType::Special,
    }
}

/// Refuses what can be neither read nor listed.
///
/// # Errors
/// [`FilesError::Outside`] and [`FilesError::Special`].
pub const fn openable(node: Node) -> Result<(), FilesError> {
    match node {
        Node::File | Node::Folder => Ok(()),
        Node::Link => Err(FilesError::Outside),
        Node::Special => Err(FilesError::Special),
    }
}

/// When the content last changed, in whole milliseconds as times are on the wire.
#[must_use]
pub fn modified(stat: &Stat) -> Option<OffsetDateTime> {
    let milliseconds = i128::from(stat.mtime_ns.div_euclid(1_000_000));
    OffsetDateTime::from_unix_timestamp_nanos(milliseconds * 1_000_000).ok()
}

/// Names this content of a file: inode, size and time of change in nanoseconds, as hexadecimal.
#[must_use]
pub fn version(stat: &Stat) -> String {
    Version(stat).to_string()
}

/// [`version`] as it is written.
pub struct Version<'a>(pub &'a Stat);

impl fmt::Display for Version<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Stat { ino, size, mtime_ns, .. } = self.0;
        write!(f, "{ino:x}-{size:x}-{mtime_ns:x}")
    }
}

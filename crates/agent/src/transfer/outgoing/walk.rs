//! The walk through what is sent: folders before what is in them, links as links.

use std::collections::BTreeMap;

use proto::RelPath;
use proto::path::{MAX_DEPTH, is_reserved};
use proto::wire::transfer::{FileFacts, What};

use super::Source;
use crate::files::FilesError;
use crate::share::{Node, Stat};

/// What the walk came upon.
pub(super) struct Found {
    /// From the item, names with `/` between them.
    pub(super) inner: Vec<u8>,
    /// From the source's root.
    pub(super) path: RelPath,
    pub(super) what: What,
}

/// How much there is to send.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes of all files.
    pub bytes: u64,
    /// How many files there are.
    pub files: u64,
    /// True if it is a folder.
    pub is_folder: bool,
    /// Some of what is in it, as paths in text form.
    pub preview: Vec<String>,
}

/// Looks how much there is to send. Blocks.
///
/// # Errors
/// It is not there, or cannot be read.
pub fn measure(source: &Source, most_names: usize) -> Result<Size, FilesError> {
    let mut size = Size::default();
    walk(source, &mut |found| {
        match found.what {
            What::File(facts) => {
                size.bytes = size.bytes.saturating_add(facts.size);
                size.files += 1;
            }
            What::Folder { .. } if found.inner.is_empty() => size.is_folder = true,
            What::Folder { .. } | What::Link { .. } => {}
        }
        if !found.inner.is_empty() && size.preview.len() < most_names {
            size.preview.push(String::from_utf8_lossy(&found.inner).into_owned());
        }
        true
    })?;
    Ok(size)
}

/// Calls `each` with everything there is, until it says that this is enough. What vanishes meanwhile is left out.
///
/// # Errors
/// The source itself is not there, or cannot be read.
pub(super) fn walk(source: &Source, each: &mut dyn FnMut(Found) -> bool) -> Result<(), FilesError> {
    let stat = source.root.stat(&source.path)?;
    visit(source, &source.path, Vec::new(), &stat, each).map(drop)
}

/// False if that is enough.
fn visit(
    source: &Source,
    path: &RelPath,
    inner: Vec<u8>,
    stat: &Stat,
    each: &mut dyn FnMut(Found) -> bool,
) -> Result<bool, FilesError> {
    let found = |what| Found { inner: inner.clone(), path: path.clone(), what };
    match stat.node {
        Node::File => Ok(each(found(What::File(facts_of(stat))))),
        Node::Link => {
            let target = source.root.read_link(path)?;
            Ok(each(found(What::Link { target })))
        }
        Node::Folder => Ok(each(found(What::Folder { modified_ns: stat.mtime_ns })))
            .and_then(|more| if more { enter(source, path, &inner, each) } else { Ok(false) }),
        // Devices, pipes and sockets have no content to send.
        Node::Special => Ok(true),
    }
}

fn enter(
    source: &Source,
    path: &RelPath,
    inner: &[u8],
    each: &mut dyn FnMut(Found) -> bool,
) -> Result<bool, FilesError> {
    if path.names().count() >= MAX_DEPTH {
        return Ok(true);
    }
    let folder = source.root.open_folder(path)?;
    let mut names = BTreeMap::new();
    folder.read_names(|name, _| {
        if !is_reserved(name.to_bytes()) {
            names.insert(name.to_owned(), ());
        }
    })?;
    for name in names.into_keys() {
        let bytes = name.to_bytes();
        let Ok(path) = path.join(bytes) else { continue };
        let inner = if inner.is_empty() { bytes.to_vec() } else { [inner, b"/", bytes].concat() };
        let Ok(stat) = folder.stat_name(&name) else { continue };
        match visit(source, &path, inner, &stat, each) {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            // What cannot be read is left out; the receiver sees that it is not there.
            Err(error) => tracing::warn!(%path, %error, "left out"),
        }
    }
    Ok(true)
}

/// What is said of a file before it is sent.
pub(super) const fn facts_of(stat: &Stat) -> FileFacts {
    FileFacts { size: stat.size, modified_ns: stat.mtime_ns, executable: stat.executable }
}

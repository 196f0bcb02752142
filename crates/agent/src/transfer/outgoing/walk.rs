//! The walk through what is sent: folders before what is in them, links as links.

use std::collections::BTreeSet;

use proto::RelPath;
use proto::path::{MAX_DEPTH, escape_name, is_reserved};
use proto::wire::transfer::{FileFacts, What};

use super::Source;
use crate::files::FilesError;
use crate::files::ignoring::Rules;
use crate::share::{Node, ShareRoot, Stat};

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
    measure_until(source, most_names, &|| false)
}

/// The same, but stops when this is true: then it is how much was found so far.
///
/// # Errors
/// As [`measure`].
pub fn measure_until(
    source: &Source,
    most_names: usize,
    is_enough: &dyn Fn() -> bool,
) -> Result<Size, FilesError> {
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
            size.preview.push(in_text_form(&found.inner));
        }
        !is_enough()
    })?;
    Ok(size)
}

fn in_text_form(inner: &[u8]) -> String {
    inner.split(|byte| *byte == b'/').map(escape_name).collect::<Vec<_>>().join("/")
}

/// Calls `each` with everything there is, until it says that this is enough. What vanishes meanwhile is left out, and
/// so is what the rules for it say.
///
/// # Errors
/// The source itself is not there, or cannot be read.
pub(super) fn walk(source: &Source, each: &mut dyn FnMut(Found) -> bool) -> Result<(), FilesError> {
    let stat = source.root.stat(&source.path)?;
    let rules = Rules::above(&source.root, &source.path, &source.excludes);
    Walk { root: &source.root, rules, each }.visit(&source.path, Vec::new(), &stat).map(drop)
}

struct Walk<'a> {
    root: &'a ShareRoot,
    rules: Rules<'a>,
    each: &'a mut dyn FnMut(Found) -> bool,
}

impl Walk<'_> {
    /// False if that is enough.
    fn visit(&mut self, path: &RelPath, inner: Vec<u8>, stat: &Stat) -> Result<bool, FilesError> {
        let what = match stat.node {
            Node::File => What::File(facts_of(stat)),
            Node::Link => What::Link { target: self.root.read_link(path)? },
            Node::Folder => What::Folder { modified_ns: stat.mtime_ns },
            // Devices, pipes and sockets have no content to send.
            Node::Special => return Ok(true),
        };
        let more = (self.each)(Found { inner: inner.clone(), path: path.clone(), what });
        if !more || stat.node != Node::Folder || path.names().count() >= MAX_DEPTH {
            return Ok(more);
        }
        self.rules.enter(path);
        let more = self.enter(path, &inner);
        self.rules.leave();
        more
    }

    fn enter(&mut self, path: &RelPath, inner: &[u8]) -> Result<bool, FilesError> {
        let folder = self.root.open_folder(path)?;
        let mut names = BTreeSet::new();
        folder.read_names(|name, _| {
            if !is_reserved(name.to_bytes()) {
                names.insert(name.to_owned());
            }
        })?;
        for name in names {
            let bytes = name.to_bytes();
            let Ok(path) = path.join(bytes) else { continue };
            let inner = if inner.is_empty() { bytes.to_vec() } else { [inner, b"/", bytes].concat() };
            let Ok(stat) = folder.stat_name(&name) else { continue };
            if self.rules.leave_out(&path, &inner, stat.node == Node::Folder) {
                continue;
            }
            match self.visit(&path, inner, &stat) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // What cannot be read is left out; the receiver sees that it is not there.
                Err(error) => tracing::warn!(%path, %error, "left out"),
            }
        }
        Ok(true)
    }
}

/// What is said of a file before it is sent.
pub(super) const fn facts_of(stat: &Stat) -> FileFacts {
    FileFacts { size: stat.size, modified_ns: stat.mtime_ns, executable: stat.executable }
}

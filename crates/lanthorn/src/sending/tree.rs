//! What is to be sent, as it lies on this machine. Links in folders are not followed: they could lead anywhere.

use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use proto::RelPath;

/// A file or folder of this machine, and where it goes.
#[derive(Clone, Debug)]
pub struct Local {
    /// Where it is.
    pub path: PathBuf,
    /// Where it goes, from the share's root.
    pub to: RelPath,
    /// True for a folder.
    pub is_folder: bool,
    /// Its bytes.
    pub size: u64,
    /// When it last changed: nanoseconds since 1970.
    pub mtime_ns: i64,
}

impl Local {
    /// What is at a path now.
    pub fn look(path: &Path, to: RelPath) -> Result<Self> {
        let found = std::fs::metadata(path).with_context(|| format!("cannot read {}", path.display()))?;
        let is_folder = found.is_dir();
        let mtime_ns = found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec());
        let size = if is_folder { 0 } else { found.size() };
        anyhow::ensure!(is_folder || found.is_file(), "{} is neither a file nor a folder", path.display());
        Ok(Self { path: path.to_owned(), to, is_folder, size, mtime_ns })
    }
}

/// A file, or a folder and everything in it; folders before what is in them. What cannot be sent is told to `left_out`.
pub fn walk(top: &Path, to: RelPath, left_out: &mut dyn FnMut(&Path, &str)) -> Result<Vec<Local>> {
    let mut found = vec![Local::look(top, to)?];
    let mut next = 0;
    while let Some(one) = found.get(next).cloned() {
        next += 1;
        if one.is_folder {
            look_into(&one, &mut found, left_out);
        }
    }
    Ok(found)
}

fn look_into(folder: &Local, found: &mut Vec<Local>, left_out: &mut dyn FnMut(&Path, &str)) {
    let entries = match std::fs::read_dir(&folder.path) {
        Ok(entries) => entries,
        Err(error) => return left_out(&folder.path, &error.to_string()),
    };
    for entry in entries.flatten() {
        let path = entry.path();
        if entry.file_type().is_ok_and(|kind| kind.is_symlink()) {
            left_out(&path, "a link");
            continue;
        }
        let looked = folder.to.join(entry.file_name().as_bytes()).map_err(Into::into);
        match looked.and_then(|to| Local::look(&path, to)) {
            Ok(one) => found.push(one),
            Err(error) => left_out(&path, &format!("{error:#}")),
        }
    }
}

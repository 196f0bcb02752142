//! What is to be sent, as it lies on this machine. Links in folders are not followed: they could lead anywhere.

use std::fs::{DirEntry, Metadata};
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
        Self::of(path.to_owned(), to, &found)
    }

    fn of(path: PathBuf, to: RelPath, found: &Metadata) -> Result<Self> {
        let is_folder = found.is_dir();
        anyhow::ensure!(is_folder || found.is_file(), "{} is neither a file nor a folder", path.display());
        let size = if is_folder { 0 } else { found.size() };
        Ok(Self { path, to, is_folder, size, mtime_ns: changed(found) })
    }
}

/// When something last changed: nanoseconds since 1970.
pub fn changed(found: &Metadata) -> i64 {
    found.mtime().saturating_mul(1_000_000_000).saturating_add(found.mtime_nsec())
}

/// A file, or a folder and everything in it: each folder right before what is in it, so that those that are sent together are
/// mostly of whole folders. What cannot be sent is told to `left_out`.
pub fn walk(top: &Path, to: RelPath, left_out: &mut dyn FnMut(&Path, &str)) -> Result<Vec<Local>> {
    let (mut found, mut ahead) = (Vec::new(), vec![Local::look(top, to)?]);
    while let Some(one) = ahead.pop() {
        if one.is_folder {
            look_into(&one, &mut ahead, left_out);
        }
        found.push(one);
    }
    Ok(found)
}

fn look_into(folder: &Local, ahead: &mut Vec<Local>, left_out: &mut dyn FnMut(&Path, &str)) {
    let entries = match std::fs::read_dir(&folder.path) {
        Ok(entries) => entries,
        Err(error) => return left_out(&folder.path, &error.to_string()),
    };
    for entry in entries.flatten() {
        match look_at(folder, &entry) {
            Ok(one) => ahead.push(one),
            Err(error) => left_out(&entry.path(), &format!("{error:#}")),
        }
    }
}

fn look_at(folder: &Local, entry: &DirEntry) -> Result<Local> {
    let found = entry.metadata()?;
    anyhow::ensure!(!found.is_symlink(), "a link");
    Local::of(entry.path(), folder.to.join(entry.file_name().as_bytes())?, &found)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_folder_comes_right_before_what_is_in_it_and_links_stay() {
        let home = tempfile::tempdir().unwrap();
        let place = |name: &str| home.path().join("top").join(name);
        for folder in ["one/deep", "two", "empty"] {
            std::fs::create_dir_all(place(folder)).unwrap();
        }
        for file in ["one/a", "one/b", "one/deep/c", "two/d", "e"] {
            std::fs::write(place(file), "x").unwrap();
        }
        symlink("e", place("link")).unwrap();
        let mut left = Vec::new();
        let found = walk(&place(""), "to".parse().unwrap(), &mut |path: &Path, why: &str| {
            left.push((path.to_owned(), why.to_owned()));
        });
        let found = found.unwrap();
        assert_eq!(left, [(place("link"), "a link".to_owned())]);
        assert_eq!((found.len(), found.iter().filter(|one| one.is_folder).count()), (10, 5));
        for (at, folder) in found.iter().enumerate().filter(|(_, one)| one.is_folder) {
            let inside = |one: &Local| one.path.starts_with(&folder.path);
            let first = found.iter().position(inside).unwrap();
            let last = found.iter().rposition(inside).unwrap();
            assert_eq!(first, at);
            assert!(found[first..=last].iter().all(inside), "{:?} is not in one piece", folder.path);
        }
    }
}

//! The folder chooser: names of folders on this machine, for whoever sets it up or owns it. The one place where the
//! control plane looks at the disk; it reads names and kinds, and never opens a file.

use std::cmp::Ordering;
use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proto::api::setup::{FolderChoice, Place};
use tokio::sync::Semaphore;

/// Folder names shown at most.
const MAX_FOLDERS: usize = 2000;
/// Names looked at, at most: a folder of a million files answers as well.
const MAX_LOOKED_AT: usize = 50_000;
/// Folders being read at once: a mount that hangs holds no more threads than this.
const READERS: usize = 4;
/// How long a folder may take to be read.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Why a folder cannot be chosen from.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    #[error("the path is not absolute")]
    NotAbsolute,
    #[error("the folder has a name that is not text")]
    NotText,
    #[error("there is no such folder")]
    NotFound,
    #[error("it is not a folder")]
    NotFolder,
    #[error("the system does not allow it to be read")]
    Denied,
    #[error("the folder took too long to be read")]
    TimedOut,
    #[error("the disk failed")]
    Io(#[source] io::Error),
}

impl From<io::Error> for FolderError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound => Self::NotFound,
            io::ErrorKind::NotADirectory => Self::NotFolder,
            io::ErrorKind::PermissionDenied => Self::Denied,
            _ => Self::Io(error),
        }
    }
}

/// Reads folders, a few at a time.
pub(crate) struct FolderChooser {
    home: PathBuf,
    readers: Arc<Semaphore>,
}

impl FolderChooser {
    pub(crate) fn new(default_folder: PathBuf) -> Self {
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| home.is_absolute());
        Self { home: home.unwrap_or(default_folder), readers: Arc::new(Semaphore::new(READERS)) }
    }

    /// The folders in `path`, or in the home folder if it is empty.
    pub(crate) async fn list(&self, path: &str) -> Result<FolderChoice, FolderError> {
        let home = self.home.clone();
        let path = if path.is_empty() { home.clone() } else { parse(path)? };
        self.read(move || list(&path, &home)).await
    }

    /// The path of a folder that can be shared, in its plain form.
    pub(crate) async fn check(&self, path: &str) -> Result<String, FolderError> {
        let path = parse(path)?;
        self.read(move || {
            fs::read_dir(&path)?;
            text(&path)
        })
        .await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, FolderError> + Send + 'static,
    ) -> Result<T, FolderError> {
        let reading = async {
            let permit =
                Arc::clone(&self.readers).acquire_owned().await.map_err(|_| FolderError::TimedOut)?;
            let work = move || {
                let _permit = permit;
                work()
            };
            tokio::task::spawn_blocking(work).await.map_err(|e| FolderError::Io(io::Error::other(e)))?
        };
        tokio::time::timeout(TIMEOUT, reading).await.map_err(|_| FolderError::TimedOut)?
    }
}

/// An absolute path without `..`, `.` or doubled separators.
fn parse(path: &str) -> Result<PathBuf, FolderError> {
    let path = Path::new(path);
    let plain = path.components().all(|part| !matches!(part, Component::ParentDir));
    if !path.is_absolute() || !plain || path.to_string_lossy().contains('\0') {
        return Err(FolderError::NotAbsolute);
    }
    Ok(path.components().collect())
}

fn text(path: &Path) -> Result<String, FolderError> {
    path.to_str().map(str::to_owned).ok_or(FolderError::NotText)
}

fn list(path: &Path, home: &Path) -> Result<FolderChoice, FolderError> {
    let (mut folders, mut files, mut truncated) = (Vec::new(), 0, false);
    for (looked_at, entry) in fs::read_dir(path)?.enumerate() {
        let entry = entry?;
        if looked_at >= MAX_LOOKED_AT || folders.len() >= MAX_FOLDERS {
            truncated = true;
            break;
        }
        // A link counts as what it leads to; one that leads nowhere is neither folder nor file.
        let kind = entry.file_type().and_then(|kind| {
            if kind.is_symlink() { fs::metadata(entry.path()).map(|m| m.file_type()) } else { Ok(kind) }
        });
        let Ok(kind) = kind else { continue };
        match entry.file_name().into_string() {
            Ok(name) if kind.is_dir() && !name.starts_with('.') => folders.push(name),
            _ => files += u64::from(kind.is_file()),
        }
    }
    folders.sort_by(|a, b| natural_order(a, b));
    let parent = path.parent().map(text).transpose()?;
    Ok(FolderChoice { path: text(path)?, parent, folders, files, truncated, places: places(home) })
}

/// Where people keep things: home and what is usual in it, and mounted disks.
fn places(home: &Path) -> Vec<Place> {
    const USUAL: [&str; 6] = ["Documents", "Downloads", "Music", "Pictures", "Videos", "Desktop"];
    let mut places = Vec::new();
    let mut add = |name: &str, path: PathBuf| {
        if let (true, Ok(path)) = (path.is_dir(), text(&path)) {
            places.push(Place { name: name.to_owned(), path });
        }
    };
    add("Home", home.to_owned());
    USUAL.iter().for_each(|name| add(name, home.join(name)));
    for disk in mounted_disks() {
        let name = disk.file_name().unwrap_or_default().to_string_lossy().into_owned();
        add(&name, disk);
    }
    add("This machine", PathBuf::from("/"));
    places
}

/// Folders below the usual mount points; for `/media` and `/run/media`, below the user's folder there.
fn mounted_disks() -> Vec<PathBuf> {
    let user = std::env::var("USER").unwrap_or_default();
    let mut tops = vec![PathBuf::from("/mnt"), PathBuf::from("/Volumes")];
    if !user.is_empty() {
        tops.extend([Path::new("/media").join(&user), Path::new("/run/media").join(&user)]);
    }
    let below = |top: &PathBuf| fs::read_dir(top).into_iter().flatten().flatten().take(20);
    let mut disks: Vec<PathBuf> = tops.iter().flat_map(below).map(|entry| entry.path()).collect();
    disks.sort();
    disks
}

/// As people sort: without case, and 2 before 10.
fn natural_order(a: &str, b: &str) -> Ordering {
    natural_key(a).cmp(&natural_key(b)).then_with(|| a.cmp(b))
}

/// Runs of digits as numbers, everything else as it is.
fn natural_key(name: &str) -> Vec<(u8, u128, char)> {
    let mut key: Vec<(u8, u128, char)> = Vec::with_capacity(name.len());
    let mut in_number = false;
    for c in name.to_lowercase().chars() {
        match (c.to_digit(10), key.last_mut()) {
            (Some(digit), Some((0, number, _))) if in_number => {
                *number = number.saturating_mul(10).saturating_add(digit.into());
            }
            (Some(digit), _) => key.push((0, digit.into(), '0')),
            (None, _) => key.push((1, 0, c)),
        }
        in_number = c.is_ascii_digit();
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_names_folders_and_counts_files() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b10", "b2", "A", ".hidden"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        fs::write(dir.path().join("file"), "secret").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("/nowhere/at/all", dir.path().join("broken")).unwrap();
        let chooser = FolderChooser::new(dir.path().to_owned());
        let choice = chooser.list(dir.path().to_str().unwrap()).await.unwrap();
        assert_eq!(choice.folders, ["A", "b2", "b10"]);
        assert_eq!((choice.files, choice.truncated), (1, false));
        assert_eq!(choice.parent.as_deref(), dir.path().parent().and_then(Path::to_str));
    }

    #[test]
    fn a_huge_folder_is_cut_short() {
        let dir = tempfile::tempdir().unwrap();
        for i in 0..=MAX_FOLDERS {
            fs::create_dir(dir.path().join(i.to_string())).unwrap();
        }
        let choice = list(dir.path(), Path::new("/")).unwrap();
        assert!(choice.truncated);
        assert_eq!(choice.folders.len(), MAX_FOLDERS);
    }

    #[tokio::test]
    async fn what_is_no_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        fs::write(&file, "").unwrap();
        let chooser = FolderChooser::new("/".into());
        let check = async |path: &str| chooser.check(path).await.map_err(|e| e.to_string());
        assert!(check("relative").await.is_err());
        assert!(check("/tmp/../etc").await.is_err());
        assert!(check("/a\0b").await.is_err());
        assert!(check(file.to_str().unwrap()).await.is_err());
        assert!(check("/nowhere/at/all").await.is_err());
        let spelled = format!("{}//./", dir.path().display());
        assert_eq!(check(&spelled).await.as_deref(), Ok(dir.path().to_str().unwrap()));
    }
}

//! Secrets kept outside the database, one file each. A file that others could have read or replaced is refused:
//! better no start than a start with a key that somebody else knows.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use proto::Secret;

/// The largest key file read: a PEM key is far smaller.
const MAX_BYTES: u64 = 64 * 1024;

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The folder or file is a symbolic link or something else than it should be.
    #[error("{0} is a link or not of the right kind; put the real one in its place")]
    Kind(PathBuf),
    /// Others than its owner can get at the file.
    #[error("{0} can be read or changed by others; make it private (chmod 600)")]
    Permissions(PathBuf),
    /// Others than its owner can replace what is in the folder.
    #[error("{0} can be changed by others; make it private (chmod 700)")]
    Folder(PathBuf),
    /// The content is not a key.
    #[error("{0} does not hold a key; restore it from a backup")]
    Content(PathBuf),
    /// The key is gone though the database depends on it.
    #[error("{0} is missing though this machine is set up; restore it from a backup")]
    Missing(PathBuf),
    /// The disk failed.
    #[error("cannot use {path}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

fn io_error(path: &Path) -> impl Fn(io::Error) -> KeyFileError {
    move |source| KeyFileError::Io { path: path.to_owned(), source }
}

/// Makes the state folder (0700) if it is missing, and refuses one that others can write into.
///
/// # Errors
/// It is a link, no folder, open to others, or cannot be made.
pub fn prepare_folder(dir: &Path) -> Result<(), KeyFileError> {
    if !dir.exists() {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir).map_err(io_error(dir))?;
    }
    let metadata = fs::symlink_metadata(dir).map_err(io_error(dir))?;
    if !metadata.is_dir() {
        return Err(KeyFileError::Kind(dir.to_owned()));
    }
    if mode(&metadata) & 0o022 != 0 {
        return Err(KeyFileError::Folder(dir.to_owned()));
    }
    Ok(())
}

#[cfg(unix)]
fn mode(metadata: &fs::Metadata) -> u32 {
    std::os::unix::fs::PermissionsExt::mode(&metadata.permissions())
}

#[cfg(not(unix))]
fn mode(_: &fs::Metadata) -> u32 {
    // Elsewhere the user's own profile folder is private by its access list.
    0
}

/// Reads a key file, or `None` if there is none.
///
/// # Errors
/// It is a link, no file, open to others, or cannot be read.
pub fn read(path: &Path) -> Result<Option<Secret<Vec<u8>>>, KeyFileError> {
    let seen = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(io_error(path))?,
    };
    if !seen.is_file() {
        return Err(KeyFileError::Kind(path.to_owned()));
    }
    let file = File::open(path).map_err(io_error(path))?;
    let opened = file.metadata().map_err(io_error(path))?;
    if !same_file(&seen, &opened) {
        return Err(KeyFileError::Kind(path.to_owned()));
    }
    if mode(&opened) & 0o077 != 0 {
        return Err(KeyFileError::Permissions(path.to_owned()));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES).read_to_end(&mut bytes).map_err(io_error(path))?;
    Ok(Some(Secret::new(bytes)))
}

#[cfg(unix)]
fn same_file(a: &fs::Metadata, b: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    a.dev() == b.dev() && a.ino() == b.ino()
}

#[cfg(not(unix))]
fn same_file(_: &fs::Metadata, _: &fs::Metadata) -> bool {
    true
}

/// Refuses a file that is a link, or that others than its owner can get at.
pub(crate) fn check_private(path: &Path) -> Result<(), KeyFileError> {
    let metadata = fs::symlink_metadata(path).map_err(io_error(path))?;
    match () {
        () if !metadata.is_file() => Err(KeyFileError::Kind(path.to_owned())),
        () if mode(&metadata) & 0o077 != 0 => Err(KeyFileError::Permissions(path.to_owned())),
        () => Ok(()),
    }
}

/// Writes a key file (0600) whole or not at all: beside, to the disk, then in place.
///
/// # Errors
/// The disk failed.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), KeyFileError> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(io_error(&beside)(e)),
        _ => {}
    }
    let mut file = create_private(&beside).map_err(io_error(&beside))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io_error(&beside))?;
    fs::rename(&beside, path).map_err(io_error(path))?;
    sync_folder_of(path)
}

/// Makes a new file that only its owner can read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Makes the names in a file's folder durable.
pub(crate) fn sync_folder_of(path: &Path) -> Result<(), KeyFileError> {
    let Some(dir) = path.parent() else { return Ok(()) };
    #[cfg(unix)]
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io_error(dir))?;
    let _ = dir;
    Ok(())
}

/// The bytes of a key of a fixed length, made from the system's random numbers if there is none yet.
///
/// # Errors
/// As for [`read`] and [`write`]; or the file does not hold 32 bytes.
pub fn read_or_generate(path: &Path) -> Result<[u8; 32], KeyFileError> {
    if let Some(bytes) = read(path)? {
        return bytes.expose().as_slice().try_into().map_err(|_| KeyFileError::Content(path.to_owned()));
    }
    let key = random().map_err(io_error(path))?;
    write(path, &key)?;
    Ok(key)
}

/// 256 bits from the system's random numbers.
pub(crate) fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| io::Error::other(e.to_string()))?;
    Ok(bytes)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_key_is_made_once_and_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.key");
        let key = read_or_generate(&path).unwrap();
        assert_eq!(read_or_generate(&path).unwrap(), key);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_key_that_others_could_touch_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("server.key");
        read_or_generate(&path).unwrap();
        for mode in [0o640, 0o604, 0o644, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(read_or_generate(&path), Err(KeyFileError::Permissions(_))), "{mode:o}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        let link = dir.path().join("linked.key");
        symlink(&path, &link).unwrap();
        assert!(matches!(read_or_generate(&link), Err(KeyFileError::Kind(_))));
        fs::write(&path, b"short").unwrap();
        assert!(matches!(read_or_generate(&path), Err(KeyFileError::Content(_))));
    }

    #[test]
    fn a_folder_that_others_can_write_into_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let state = dir.path().join("state");
        prepare_folder(&state).unwrap();
        assert_eq!(fs::metadata(&state).unwrap().permissions().mode() & 0o777, 0o700);
        for mode in [0o777, 0o770, 0o722] {
            fs::set_permissions(&state, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(prepare_folder(&state), Err(KeyFileError::Folder(_))), "{mode:o}");
        }
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).unwrap();
        let link = dir.path().join("link");
        symlink(&state, &link).unwrap();
        assert!(matches!(prepare_folder(&link), Err(KeyFileError::Kind(_))));
    }
}

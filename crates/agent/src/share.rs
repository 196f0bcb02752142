//! The only gate to the disk: opens places beneath a share's folder, and nothing else.
//!
//! A share is held as an open directory handle. Every open is one `openat2` beneath that handle, so the kernel
//! itself refuses `..`, absolute links, links that lead out and `/proc`-like magic links, also while somebody
//! swaps folders for links. Where the kernel has no such call, [`stepwise`] does the same name by name. What was opened is then looked at by its handle: only regular files and folders pass,
//! and `O_NONBLOCK` keeps a FIFO from holding the caller. No path is ever joined as a string.

mod stepwise;
pub mod write;

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use proto::RelPath;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::files::FilesError;

/// How often an open is repeated when the kernel says that a rename came between (`EAGAIN`).
const RENAME_RETRIES: usize = 16;

/// How a file is opened: a FIFO or terminal must not hold or take over the caller.
const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
/// How a share's own folder is held.
#[cfg(target_os = "linux")]
const ROOT: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const ROOT: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
/// How far a path may lead: not out, not through `/proc`-like links, not to another disk.
const BENEATH: ResolveFlags =
    ResolveFlags::BENEATH.union(ResolveFlags::NO_MAGICLINKS).union(ResolveFlags::NO_XDEV);
/// How many bytes of names are asked of the kernel at once.
const NAMES_BUFFER: usize = 256 << 10;

/// The same for a walk, which stays inside of many folders at once.
const SOME_NAMES_BUFFER: usize = 8 << 10;

/// What a handle or a name turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Node {
    /// A regular file.
    File,
    /// A folder.
    Folder,
    /// A symbolic link, not followed.
    Link,
    /// A device, FIFO or socket.
    Special,
}

/// What the file system says of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stat {
    /// What it is.
    pub node: Node,
    /// The file system it is on.
    pub dev: u64,
    /// Its number there.
    pub ino: u64,
    /// Its bytes.
    pub size: u64,
    /// When its content last changed: nanoseconds since 1970.
    pub mtime_ns: i64,
    /// When its content or attributes last changed: nanoseconds since 1970.
    pub ctime_ns: i64,
    /// True if its owner may run it.
    pub executable: bool,
}

/// The folder of a share, as an open handle.
pub struct ShareRoot {
    dir: OwnedFd,
    beneath: Beneath,
}

/// Who sees to it that an open stays beneath the share's folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Beneath {
    /// The kernel, by `openat2`.
    #[cfg(target_os = "linux")]
    Kernel,
    /// This program, name by name.
    Stepwise,
}

/// A regular file that was opened for reading, with what the handle said of it.
pub struct OpenFile {
    /// The handle.
    pub file: File,
    /// What the handle said when it was opened.
    pub stat: Stat,
}

/// A folder that was opened for reading.
pub struct OpenFolder {
    /// The handle, good for `getdents` and as the base of further opens.
    pub dir: OwnedFd,
    /// What the handle said when it was opened.
    pub stat: Stat,
}

impl Node {
    fn of_type(file_type: FileType) -> Option<Self> {
        match file_type {
            FileType::RegularFile => Some(Self::File),
            FileType::Directory => Some(Self::Folder),
            FileType::Symlink => Some(Self::Link),
            FileType::Unknown => None,
            _ => Some(Self::Special),
        }
    }
}

impl Stat {
    /// What the file system says of something open.
    ///
    /// # Errors
    /// The file system does not answer.
    pub fn of_handle(handle: impl AsFd) -> io::Result<Self> {
        Ok(fs::fstat(handle)?.into())
    }
}

impl From<fs::Stat> for Node {
    fn from(stat: fs::Stat) -> Self {
        Self::of_type(FileType::from_raw_mode(stat.st_mode)).unwrap_or(Self::Special)
    }
}

impl From<fs::Stat> for Stat {
    fn from(stat: fs::Stat) -> Self {
        Self {
            node: stat.into(),
            dev: stat.st_dev,
            ino: stat.st_ino,
            size: u64::try_from(stat.st_size).unwrap_or(0),
            mtime_ns: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
            ctime_ns: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
            executable: Mode::from_raw_mode(stat.st_mode).contains(Mode::XUSR),
        }
    }
}

/// Years that 64 bits of nanoseconds cannot hold (before 1678, after 2261) end at the nearest that they can.
fn nanoseconds(seconds: i64, nanoseconds: u64) -> i64 {
    seconds.saturating_mul(1_000_000_000).saturating_add_unsigned(nanoseconds)
}

impl ShareRoot {
    /// Opens a share's folder by its path on this machine.
    ///
    /// # Errors
    /// The folder is missing, is no folder, or may not be read.
    pub fn open(folder: &Path) -> io::Result<Self> {
        let dir = fs::open(folder, ROOT, Mode::empty())?;
        let beneath = Beneath::of(&dir);
        Ok(Self { dir, beneath })
    }

    /// Opens a regular file for reading.
    ///
    /// # Errors
    /// [`FilesError`]: nothing there, leads out, a folder, special, or not readable.
    pub fn open_file(&self, path: &RelPath) -> Result<OpenFile, FilesError> {
        // Merely opening a FIFO wakes who waits at its other end, and some devices act when they are opened.
        self.check_file(path)?;
        regular_file(self.open_beneath(path, FILE)?)
    }

    /// Looks whether a regular file is at a place.
    ///
    /// # Errors
    /// As [`Self::open_file`], but for what its user may not read.
    pub fn check_file(&self, path: &RelPath) -> Result<(), FilesError> {
        regular(self.stat(path)?.node)
    }

    /// Opens a regular file for reading if that needs no disk; `None` if it does, or if the kernel cannot say.
    ///
    /// # Errors
    /// As [`Self::open_file`].
    pub fn open_file_cached(&self, path: &RelPath) -> Result<Option<OpenFile>, FilesError> {
        if self.beneath == Beneath::Stepwise {
            return Ok(None);
        }
        let open = |flags| {
            fs::openat2(&self.dir, bytes_of(path), flags, Mode::empty(), BENEATH | ResolveFlags::CACHED)
        };
        let opened = open(OFlags::PATH | OFlags::CLOEXEC).and_then(|fd| {
            let node = Node::from(fs::fstat(&fd)?);
            if node == Node::File { open(FILE).map(Ok) } else { Ok(Err(node)) }
        });
        match opened {
            Ok(Ok(fd)) => regular_file(fd).map(Some),
            Ok(Err(node)) => regular(node).map(|()| None),
            Err(Errno::AGAIN | Errno::INTR | Errno::INVAL) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a folder for reading.
    ///
    /// # Errors
    /// [`FilesError`]: nothing there, leads out, not a folder, or not readable.
    pub fn open_folder(&self, path: &RelPath) -> Result<OpenFolder, FilesError> {
        let dir = self.open_beneath(path, OFlags::RDONLY | OFlags::DIRECTORY)?;
        let stat = Stat::of_handle(&dir)?;
        Ok(OpenFolder { dir, stat })
    }

    /// What is at a place, links followed as long as they stay inside. Opens nothing that could block or act.
    ///
    /// # Errors
    /// [`FilesError`]: nothing there or leads out.
    pub fn stat(&self, path: &RelPath) -> Result<Stat, FilesError> {
        self.stat_beneath(path, true)
    }

    /// What is at a place, the last link not followed.
    ///
    /// # Errors
    /// [`FilesError`]: nothing there or leads out.
    pub fn stat_link(&self, path: &RelPath) -> Result<Stat, FilesError> {
        self.stat_beneath(path, false)
    }

    /// Where the link at a place points, as it stands in it.
    ///
    /// # Errors
    /// [`FilesError`]: nothing there, or no link.
    pub fn read_link(&self, path: &RelPath) -> Result<Vec<u8>, FilesError> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(FilesError::IsFolder);
        };
        let folder = self.open_folder(&parent)?;
        let target = fs::readlinkat(&folder.dir, name, Vec::new())?;
        Ok(target.into_bytes())
    }

    fn stat_beneath(&self, path: &RelPath, follow: bool) -> Result<Stat, FilesError> {
        match self.beneath {
            #[cfg(target_os = "linux")]
            Beneath::Kernel => {
                let flags = if follow { OFlags::PATH } else { OFlags::PATH | OFlags::NOFOLLOW };
                Ok(Stat::of_handle(self.open_beneath(path, flags)?)?)
            }
            Beneath::Stepwise => retry(|| stepwise::stat(&self.dir, bytes_of(path), follow)),
        }
    }

    fn open_beneath(&self, path: &RelPath, flags: OFlags) -> Result<OwnedFd, FilesError> {
        let (name, flags) = (bytes_of(path), flags | OFlags::CLOEXEC);
        match self.beneath {
            #[cfg(target_os = "linux")]
            Beneath::Kernel => retry(|| fs::openat2(&self.dir, name, flags, Mode::empty(), BENEATH)),
            Beneath::Stepwise => retry(|| stepwise::open(&self.dir, name, flags)),
        }
    }
}

impl Beneath {
    #[cfg(target_os = "linux")]
    fn of(dir: &OwnedFd) -> Self {
        // A kernel before 5.6 does not know the call; a container's filter may forbid it.
        match fs::openat2(dir, ".", ROOT, Mode::empty(), BENEATH) {
            Err(Errno::NOSYS | Errno::PERM) => Self::Stepwise,
            _ => Self::Kernel,
        }
    }

    #[cfg(not(target_os = "linux"))]
    const fn of(_: &OwnedFd) -> Self {
        Self::Stepwise
    }
}

fn retry<T>(mut open: impl FnMut() -> Result<T, Errno>) -> Result<T, FilesError> {
    for _ in 0..RENAME_RETRIES {
        match open() {
            Err(Errno::AGAIN | Errno::INTR) => {}
            answer => return Ok(answer?),
        }
    }
    Err(FilesError::Busy)
}

impl OpenFolder {
    /// Calls `each` with some more names of the folder; false when there are no more.
    ///
    /// # Errors
    /// The disk's.
    pub fn read_some_names(&self, mut each: impl FnMut(&CStr)) -> Result<bool, FilesError> {
        let mut buffer = [MaybeUninit::uninit(); SOME_NAMES_BUFFER];
        let mut names = fs::RawDir::new(&self.dir, &mut buffer);
        let mut any = false;
        while let Some(name) = names.next() {
            any = true;
            let name = name?;
            if !matches!(name.file_name().to_bytes(), b"." | b"..") {
                each(name.file_name());
            }
            // The next batch is taken by the next call.
            if names.is_buffer_empty() {
                break;
            }
        }
        Ok(any)
    }
}

fn bytes_of(path: &RelPath) -> &[u8] {
    if path.is_root() { b"." } else { path.as_bytes() }
}

const fn regular(node: Node) -> Result<(), FilesError> {
    match node {
        Node::File => Ok(()),
        Node::Folder => Err(FilesError::IsFolder),
        Node::Link | Node::Special => Err(FilesError::Special),
    }
}

fn regular_file(fd: OwnedFd) -> Result<OpenFile, FilesError> {
    let stat = Stat::of_handle(&fd)?;
    regular(stat.node)?;
    Ok(OpenFile { file: File::from(fd), stat })
}

impl OpenFolder {
    /// Calls `each` with every name in the folder but `.` and `..`, and what it is where the file system says so
    /// by the way.
    ///
    /// # Errors
    /// The disk's.
    pub fn read_names(&self, mut each: impl FnMut(&CStr, Option<Node>)) -> Result<(), FilesError> {
        let mut buffer = Vec::<u8>::with_capacity(NAMES_BUFFER);
        let mut names = fs::RawDir::new(&self.dir, buffer.spare_capacity_mut());
        while let Some(name) = names.next() {
            let name = name?;
            if !matches!(name.file_name().to_bytes(), b"." | b"..") {
                each(name.file_name(), Node::of_type(name.file_type()));
            }
        }
        Ok(())
    }

    /// What a name in this folder is, a link not followed.
    ///
    /// # Errors
    /// [`FilesError`]: nothing there (any more).
    pub fn stat_name(&self, name: &CStr) -> Result<Stat, FilesError> {
        Ok(Stat::from(fs::statat(&self.dir, name, AtFlags::SYMLINK_NOFOLLOW)?))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// A share beside a secret, opened both ways.
    fn share() -> (tempfile::TempDir, [ShareRoot; 2]) {
        let home = tempfile::tempdir().unwrap();
        for folder in ["share/d/deep", "share/x", "private"] {
            std::fs::create_dir_all(home.path().join(folder)).unwrap();
        }
        std::fs::write(home.path().join("share/d/f"), "inside").unwrap();
        std::fs::write(home.path().join("share/d/deep/g"), "deeper").unwrap();
        std::fs::write(home.path().join("private/f"), "secret").unwrap();
        let root = || ShareRoot::open(&home.path().join("share")).unwrap();
        let kernel = root();
        assert_eq!(kernel.beneath, Beneath::Kernel, "these tests want a kernel with openat2");
        let stepwise = ShareRoot { beneath: Beneath::Stepwise, ..root() };
        (home, [kernel, stepwise])
    }

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    fn read(root: &ShareRoot, text: &str) -> Result<String, FilesError> {
        Ok(std::io::read_to_string(root.open_file(&path(text))?.file).unwrap())
    }

    #[test]
    fn links_inside_work_and_links_out_do_not() {
        let (home, roots) = share();
        let place = |name: &str| home.path().join("share").join(name);
        let absolute = home.path().join("private");
        let links = [
            ("d", "in"),
            ("d/f", "in-f"),
            ("../d/deep/../f", "x/up"),
            ("./in/./deep//g", "winding"),
            ("../private", "out"),
            (absolute.to_str().unwrap(), "absolute"),
            ("out", "chain"),
            ("b", "a"),
            ("a", "b"),
            ("../share/d", "out-and-in"),
            ("/proc/self/root", "proc"),
            ("x/../../private/f", "over"),
            ("gone", "gone-link"),
        ];
        for (target, name) in links {
            symlink(target, place(name)).unwrap();
        }
        for n in 0..50 {
            symlink(if n == 0 { "d/f".into() } else { format!("l{}", n - 1) }, place(&format!("l{n}")))
                .unwrap();
        }
        for root in &roots {
            for (text, content) in [
                ("d/f", "inside"),
                ("in/f", "inside"),
                ("in-f", "inside"),
                ("x/up", "inside"),
                ("winding", "deeper"),
                ("l39", "inside"),
            ] {
                assert_eq!(read(root, text).unwrap(), content, "{text} {:?}", root.beneath);
            }
            for text in [
                "out/f",
                "absolute/f",
                "chain/f",
                "a",
                "b/x",
                "out-and-in/f",
                "proc/etc/passwd",
                "over",
                "l40",
                "out",
            ] {
                let answers = [root.open_file(&path(text)).map(drop), root.stat(&path(text)).map(drop)];
                for answer in answers {
                    assert!(
                        matches!(answer, Err(FilesError::Outside)),
                        "{text} {:?} {answer:?}",
                        root.beneath
                    );
                }
                assert!(root.open_folder(&path(text)).is_err());
            }
            assert_eq!(root.stat_link(&path("out")).unwrap().node, Node::Link);
            assert!(matches!(read(root, "gone-link"), Err(FilesError::NotFound)));
            assert!(matches!(read(root, "nothing"), Err(FilesError::NotFound)));
            assert!(matches!(read(root, "d"), Err(FilesError::IsFolder)));
            assert!(matches!(read(root, "d/f/x"), Err(FilesError::NotFolder)));
            assert!(matches!(root.open_folder(&path("d/f")), Err(FilesError::NotFolder)));
            assert_eq!(root.stat(&RelPath::root()).unwrap().node, Node::Folder);
            assert!(root.open_folder(&RelPath::root()).is_ok());
        }
    }

    #[test]
    fn special_files_are_seen_and_not_opened() {
        let (home, roots) = share();
        let place = |name: &str| home.path().join("share").join(name);
        fs::mknodat(fs::CWD, place("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(place("socket")).unwrap();
        symlink("fifo", place("to-fifo")).unwrap();
        for root in &roots {
            for name in ["fifo", "socket", "to-fifo"] {
                assert_eq!(root.stat(&path(name)).unwrap().node, Node::Special);
                assert!(matches!(read(root, name), Err(FilesError::Special)), "{name} {:?}", root.beneath);
                assert!(matches!(root.open_file_cached(&path(name)), Err(FilesError::Special) | Ok(None)));
            }
        }
    }

    #[test]
    fn a_name_that_is_not_utf8_is_reached_by_its_escaped_text() {
        let (home, roots) = share();
        std::fs::write(home.path().join("share").join(std::ffi::OsStr::from_bytes(b"\xff\x01")), "odd")
            .unwrap();
        for root in &roots {
            assert_eq!(read(root, "\\xff\\x01").unwrap(), "odd");
        }
    }

    #[test]
    fn what_is_swapped_for_a_link_out_never_leads_out() {
        let (home, roots) = share();
        let place = |name: &str| home.path().join("share").join(name);
        symlink("../private", place("outward")).unwrap();
        symlink("../../private/f", place("x/f")).unwrap();
        let stop = AtomicBool::new(false);
        let swap = |a: &str, b: &str| {
            fs::renameat_with(fs::CWD, place(a), fs::CWD, place(b), fs::RenameFlags::EXCHANGE).unwrap();
        };
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    swap("d", "outward");
                    swap("d", "outward");
                    swap("d/f", "x/f");
                    swap("d/f", "x/f");
                }
            });
            let (mut inside, mut refused) = ([0; 2], 0);
            for round in 0..200_000 {
                let which = round % 2;
                match read(&roots[which], "d/f") {
                    Ok(content) => {
                        assert_eq!(content, "inside");
                        inside[which] += 1;
                    }
                    Err(_) => refused += 1,
                }
                if round >= 4000 && inside.iter().all(|n| *n > 100) && refused > 100 {
                    break;
                }
            }
            stop.store(true, Ordering::Relaxed);
            assert!(inside.iter().all(|n| *n > 0) && refused > 0, "{inside:?} {refused}: nothing was raced");
        });
    }
}

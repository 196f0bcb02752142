//! The gate's other half: changes what is beneath a share's folder.
//!
//! Every change is one name in one folder, and the folder was opened beneath the share like anything that is read: a
//! path that leads out cannot be changed either, also while somebody swaps folders for links. Nothing here follows a
//! link at the last name. Not known here: rights, conditions, what is kept of what was there.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use proto::RelPath;
use proto::path::RESERVED_PREFIX;
use rustix::fs::{
    self, AtFlags, FallocateFlags, FlockOperation, Mode, OFlags, RenameFlags, Timespec, Timestamps,
};
use rustix::io::Errno;

use super::{Beneath, OpenFolder, ShareRoot, Stat};
use crate::crash;
use crate::files::FilesError;
use crate::files::write::WriteError;

/// New files and folders: what the user's mask leaves of these.
const NEW_FILE: Mode = Mode::from_bits_retain(0o666);
const NEW_FOLDER: Mode = Mode::from_bits_retain(0o777);
const NEW_PROGRAM: Mode = Mode::from_bits_retain(0o777);
/// Our own folder is nobody else's.
const OWN_FOLDER: Mode = Mode::RWXU;
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// A name in a folder that is held open: where something is made, moved or removed.
#[derive(Clone)]
pub struct Spot {
    folder: Arc<OwnedFd>,
    name: CString,
}

impl ShareRoot {
    /// The place of a path: its folder, opened, and its name there. Whether something is there is not asked.
    ///
    /// # Errors
    /// [`WriteError`]: the root itself, or a folder on the way that is missing, leads out, or is none.
    pub fn spot(&self, path: &RelPath) -> Result<Spot, WriteError> {
        let (Some(parent), Some(name)) = (path.parent(), path.name()) else {
            return Err(FilesError::IsFolder.into());
        };
        Ok(Spot::of(Arc::new(self.open_folder(&parent)?.dir), name))
    }

    /// Makes a folder and the folders it is in, as far as they are missing. True if it was made now.
    ///
    /// # Errors
    /// [`WriteError`]: something else is in the way, or the disk's.
    pub fn make_folders(&self, path: &RelPath) -> Result<bool, WriteError> {
        match self.open_folder(path) {
            Ok(_) => return Ok(false),
            Err(FilesError::NotFound) => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(parent) = path.parent() {
            self.make_folders(&parent)?;
        }
        match self.spot(path)?.make_folder() {
            Err(WriteError::Exists) => Ok(false),
            made => made.map(|()| true),
        }
    }

    /// A folder of Lanthorn's own in the share's root, as a root of its own; made if missing.
    ///
    /// # Errors
    /// [`WriteError`]: the share cannot be written to.
    pub fn own_root(&self, name: &str) -> Result<Self, WriteError> {
        let home = Arc::new(self.open_folder(&RelPath::root())?.dir);
        Spot::own(home, name).own_root(self.beneath)
    }

    /// True if a folder of Lanthorn's own is in the share's root.
    ///
    /// # Errors
    /// The disk's.
    pub fn has_own(&self, name: &str) -> Result<bool, FilesError> {
        let home = Arc::new(self.open_folder(&RelPath::root())?.dir);
        match Spot::own(home, name).stat() {
            Ok(_) => Ok(true),
            Err(FilesError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A folder beneath this one as a root of its own; made if missing. For the inside of [`Self::own_root`].
    ///
    /// # Errors
    /// As there.
    pub fn inner_root(&self, name: &str) -> Result<Self, WriteError> {
        let home = Arc::new(self.open_folder(&RelPath::root())?.dir);
        Spot::of(home, name.as_bytes()).own_root(self.beneath)
    }

    /// Makes everything durable that was written to the disk of this share so far, by whomever.
    ///
    /// # Errors
    /// The disk's.
    pub fn sync_all(&self) -> Result<(), WriteError> {
        crash::step("sync disk")?;
        Ok(fs::syncfs(self.open_folder(&RelPath::root())?.dir)?)
    }

    /// How many bytes are free for this program's user on the disk of this share.
    ///
    /// # Errors
    /// The disk's.
    pub fn free_bytes(&self) -> Result<u64, WriteError> {
        let disk = fs::fstatvfs(self.open_folder(&RelPath::root())?.dir)?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// How many bytes the disk of this share has in all.
    ///
    /// # Errors
    /// The disk's.
    pub fn disk_bytes(&self) -> Result<u64, WriteError> {
        let disk = fs::fstatvfs(self.open_folder(&RelPath::root())?.dir)?;
        Ok(disk.f_blocks.saturating_mul(disk.f_frsize))
    }
}

impl OpenFolder {
    /// A name in this folder.
    #[must_use]
    pub fn into_folder(self) -> Arc<OwnedFd> {
        Arc::new(self.dir)
    }
}

impl Spot {
    /// A name of a path in a folder.
    #[must_use]
    pub fn of(folder: Arc<OwnedFd>, name: &[u8]) -> Self {
        // Names of paths hold no zero: what is behind one could not be named anyway.
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        Self { folder, name: CString::new(name).unwrap_or_default() }
    }

    /// A name of Lanthorn's own in a folder: no listing shows it and no path can name it.
    #[must_use]
    pub fn own(folder: Arc<OwnedFd>, name: &str) -> Self {
        Self::of(folder, format!("{RESERVED_PREFIX}{name}").as_bytes())
    }

    /// Another name in the same folder.
    #[must_use]
    pub fn beside(&self, name: &[u8]) -> Self {
        Self::of(Arc::clone(&self.folder), name)
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> Arc<OwnedFd> {
        Arc::clone(&self.folder)
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &CStr {
        &self.name
    }

    /// Which folder this is a name in: its file system, and its number there.
    ///
    /// # Errors
    /// The disk's.
    pub fn folder_id(&self) -> Result<(u64, u64), FilesError> {
        let stat = Stat::of_handle(&*self.folder)?;
        Ok((stat.dev, stat.ino))
    }

    /// True if something here has this very name: a disk that is blind to capitals finds others too.
    ///
    /// # Errors
    /// The disk's.
    pub fn is_spelled_so(&self) -> Result<bool, FilesError> {
        let dir = fs::openat(&*self.folder, c".", FOLDER, Mode::empty())?;
        let stat = Stat::of_handle(&dir)?;
        let mut found = false;
        OpenFolder { dir, stat }.read_names(|name, _| found |= name == self.name.as_c_str())?;
        Ok(found)
    }

    /// What is here, a link not followed.
    ///
    /// # Errors
    /// [`FilesError::NotFound`], or the disk's.
    pub fn stat(&self) -> Result<Stat, FilesError> {
        Ok(fs::statat(&*self.folder, &self.name, AtFlags::SYMLINK_NOFOLLOW)?.into())
    }

    /// Opens the regular file that is here for reading.
    ///
    /// # Errors
    /// Nothing here, or something else.
    pub fn open(&self) -> Result<super::OpenFile, FilesError> {
        super::regular(self.stat()?.node)?;
        let flags = super::FILE | OFlags::NOFOLLOW;
        super::regular_file(fs::openat(&*self.folder, &self.name, flags, Mode::empty())?)
    }

    /// Opens the regular file that is here to be written on.
    ///
    /// # Errors
    /// Nothing here, or something else.
    pub fn open_to_write(&self) -> Result<File, WriteError> {
        let flags = OFlags::RDWR | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = fs::openat(&*self.folder, &self.name, flags, Mode::empty())?;
        super::regular(Stat::of_handle(&file)?.node)?;
        Ok(File::from(file))
    }

    /// Makes a file, open for reading and writing, where nothing is.
    ///
    /// # Errors
    /// [`WriteError::Exists`], or the disk's.
    pub fn create(&self) -> Result<File, WriteError> {
        self.create_with(NEW_FILE)
    }

    /// [`Self::create`] of a program, which can be run.
    ///
    /// # Errors
    /// As there.
    pub fn create_executable(&self) -> Result<File, WriteError> {
        self.create_with(NEW_PROGRAM)
    }

    fn create_with(&self, mode: Mode) -> Result<File, WriteError> {
        crash::step("create")?;
        let flags = OFlags::CREATE | OFlags::EXCL | OFlags::RDWR | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(fs::openat(&*self.folder, &self.name, flags, mode)?))
    }

    /// Makes a folder where nothing is.
    ///
    /// # Errors
    /// [`WriteError::Exists`], or the disk's.
    pub fn make_folder(&self) -> Result<(), WriteError> {
        crash::step("mkdir")?;
        Ok(fs::mkdirat(&*self.folder, &self.name, NEW_FOLDER)?)
    }

    fn own_root(&self, beneath: Beneath) -> Result<ShareRoot, WriteError> {
        match fs::mkdirat(&*self.folder, &self.name, OWN_FOLDER) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno.into()),
        }
        let flags = super::ROOT | OFlags::NOFOLLOW;
        let dir = fs::openat(&*self.folder, &self.name, flags, Mode::empty())?;
        Ok(ShareRoot { dir, beneath })
    }

    /// Moves what is here to a name where nothing is.
    ///
    /// # Errors
    /// [`WriteError::Exists`], or the disk's.
    pub fn move_to(&self, to: &Self) -> Result<(), WriteError> {
        crash::step("move")?;
        match self.rename(to, RenameFlags::NOREPLACE) {
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => self.move_by_link(to),
            done => Ok(done?),
        }
    }

    /// [`Self::move_to`] on disks that cannot do it in one step. A folder can only be looked for first.
    fn move_by_link(&self, to: &Self) -> Result<(), WriteError> {
        match fs::linkat(&*self.folder, &self.name, &*to.folder, &to.name, AtFlags::empty()) {
            Ok(()) => Ok(fs::unlinkat(&*self.folder, &self.name, AtFlags::empty())?),
            Err(Errno::EXIST) => Err(WriteError::Exists),
            Err(_) if to.stat().is_ok() => Err(WriteError::Exists),
            Err(_) => Ok(self.rename(to, RenameFlags::empty())?),
        }
    }

    /// Changes places: what is here is there afterwards, and the other way round, in one step. False where the disk
    /// cannot do that, and then nothing was done.
    ///
    /// # Errors
    /// Nothing at one of the two, or the disk's.
    pub fn exchange(&self, with: &Self) -> Result<bool, WriteError> {
        crash::step("exchange")?;
        match self.rename(with, RenameFlags::EXCHANGE) {
            Ok(()) => Ok(true),
            Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }

    /// Moves a file here over whatever is there. Only for disks that cannot [`Self::exchange`], after what is there
    /// was kept.
    ///
    /// # Errors
    /// The disk's.
    pub fn move_over(&self, to: &Self) -> Result<(), WriteError> {
        crash::step("move over")?;
        Ok(self.rename(to, RenameFlags::empty())?)
    }

    fn rename(&self, to: &Self, flags: RenameFlags) -> Result<(), Errno> {
        if flags.is_empty() {
            return fs::renameat(&*self.folder, &self.name, &*to.folder, &to.name);
        }
        fs::renameat_with(&*self.folder, &self.name, &*to.folder, &to.name, flags)
    }

    /// Gives a file a second name.
    ///
    /// # Errors
    /// [`WriteError::Exists`], or the disk cannot do that.
    pub fn link_to(&self, to: &Self) -> Result<(), WriteError> {
        crash::step("link")?;
        Ok(fs::linkat(&*self.folder, &self.name, &*to.folder, &to.name, AtFlags::empty())?)
    }

    /// Makes a symbolic link here that says the same as another: it is copied, not followed.
    ///
    /// # Errors
    /// [`WriteError::Exists`], or the disk's.
    pub fn link_like(&self, other: &Self) -> Result<(), WriteError> {
        let target = fs::readlinkat(&*other.folder, &other.name, Vec::new())?;
        crash::step("symlink")?;
        Ok(fs::symlinkat(&*target, &*self.folder, &self.name)?)
    }

    /// Makes a symbolic link here. Whether it leads out is the caller's to know; nothing of ours follows one that does.
    ///
    /// # Errors
    /// [`WriteError::Exists`], or the disk's.
    pub fn make_link(&self, target: &[u8]) -> Result<(), WriteError> {
        crash::step("symlink")?;
        Ok(fs::symlinkat(target, &*self.folder, &self.name)?)
    }

    /// Removes a file or link. For what is Lanthorn's own, and for what the trash gives up.
    ///
    /// # Errors
    /// [`FilesError::NotFound`], or the disk's.
    pub fn remove_file(&self) -> Result<(), WriteError> {
        crash::step("unlink")?;
        Ok(fs::unlinkat(&*self.folder, &self.name, AtFlags::empty())?)
    }

    /// Removes a folder that is empty.
    ///
    /// # Errors
    /// [`WriteError::NotEmpty`], or the disk's.
    pub fn remove_folder(&self) -> Result<(), WriteError> {
        crash::step("rmdir")?;
        Ok(fs::unlinkat(&*self.folder, &self.name, AtFlags::REMOVEDIR)?)
    }

    /// Opens the folder that is here.
    ///
    /// # Errors
    /// Nothing here, or no folder.
    pub fn open_folder(&self) -> Result<OpenFolder, FilesError> {
        let dir = fs::openat(&*self.folder, &self.name, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        let stat = Stat::of_handle(&dir)?;
        Ok(OpenFolder { dir, stat })
    }

    /// Makes the names of this folder durable: what was made, moved and removed in it.
    ///
    /// # Errors
    /// The disk's. What was done may be undone by a power cut then.
    pub fn sync_folder(&self) -> Result<(), WriteError> {
        crash::step("sync folder")?;
        match fs::fsync(&*self.folder) {
            // Some network file systems cannot, and need not.
            Err(Errno::INVAL | Errno::NOTSUP) => Ok(()),
            done => Ok(done?),
        }
    }
}

/// Takes blocks for a file that will have this many bytes, so that a full disk is found out before the first byte.
///
/// # Errors
/// [`WriteError::NoSpace`].
pub fn reserve(file: &File, bytes: u64) -> Result<(), WriteError> {
    crash::step("reserve")?;
    match fs::fallocate(file, FallocateFlags::KEEP_SIZE, 0, bytes) {
        Ok(()) => Ok(()),
        Err(errno @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(errno.into()),
        // Not every disk can. The caller has looked at what is free.
        Err(_) => Ok(()),
    }
}

/// Copies a whole file into an empty one: by sharing its blocks where the disk can do that, and else in the kernel.
/// How many bytes were copied.
///
/// # Errors
/// The disk's.
pub fn copy_content(from: &File, to: &File) -> Result<u64, WriteError> {
    crash::step("copy")?;
    if fs::ioctl_ficlone(to, from).is_ok() {
        return Ok(Stat::of_handle(to)?.size);
    }
    // `io::copy` between two files is `copy_file_range`.
    Ok(std::io::copy(&mut &*from, &mut &*to)?)
}

/// Makes a file's bytes durable. An error is final: what the disk forgot is not asked for again.
///
/// # Errors
/// The disk's.
pub fn sync_file(file: &File) -> Result<(), WriteError> {
    crash::step("sync file")?;
    Ok(file.sync_data()?)
}

/// Sets when a file's content last changed: nanoseconds since 1970.
///
/// # Errors
/// The disk's.
pub fn set_modified(file: impl AsFd, mtime_ns: i64) -> Result<(), WriteError> {
    let time =
        Timespec { tv_sec: mtime_ns.div_euclid(1_000_000_000), tv_nsec: mtime_ns.rem_euclid(1_000_000_000) };
    Ok(fs::futimens(file, &Timestamps { last_access: time, last_modification: time })?)
}

/// Gives a copy the rights of what it is a copy of, but no bits that give more than a file's own rights.
///
/// # Errors
/// The disk's.
pub fn permit_like(copy: impl AsFd, model: &Spot) -> Result<(), WriteError> {
    let model = fs::statat(&*model.folder, &model.name, AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(fs::fchmod(copy, Mode::from_raw_mode(model.st_mode) & Mode::from_bits_retain(0o777))?)
}

/// Marks something as in use for as long as the handle is open, for every process on this machine. On disks that
/// cannot, nothing is marked.
pub fn mark_used(handle: impl AsFd) {
    let _ = fs::flock(handle, FlockOperation::NonBlockingLockShared);
}

/// True if somebody [marked](mark_used) it.
pub fn is_used(handle: impl AsFd) -> bool {
    matches!(fs::flock(handle, FlockOperation::NonBlockingLockExclusive), Err(Errno::WOULDBLOCK))
}

/// Lets a file that takes another's place belong to whom that one did, with the same rights: as far as this program
/// may. Bits that give more than a file's own rights are not taken over.
///
/// # Errors
/// The disk's.
pub fn behave_like(file: &File, other: &Spot) -> Result<(), WriteError> {
    let model = fs::statat(&*other.folder, &other.name, AtFlags::SYMLINK_NOFOLLOW)?;
    let own = fs::fstat(file)?;
    if (own.st_uid, own.st_gid) != (model.st_uid, model.st_gid) {
        let owner = Some(rustix::process::Uid::from_raw(model.st_uid));
        let group = Some(rustix::process::Gid::from_raw(model.st_gid));
        // Only root can: anybody else's file is their own.
        let _ = fs::fchown(file, owner, group);
    }
    let mode = Mode::from_raw_mode(model.st_mode) & Mode::from_bits_retain(0o777);
    Ok(fs::fchmod(file, mode)?)
}

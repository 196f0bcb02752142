//! Opening beneath a folder one name at a time, for systems whose kernel cannot do it in one call.
//!
//! Every step is taken from an open handle and never follows a link; links are read and their names walked likewise.
//! `..` goes back to the handle the walk came from, so a folder that is moved meanwhile cannot lead the walk out.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{self, AtFlags, Mode, OFlags};
use rustix::io::Errno;

use super::{Node, Stat};

/// Links followed on one way, as in the kernel.
const MAX_LINKS: usize = 40;
/// How a folder on the way is opened: with no more right than to go through it, where the system has that.
#[cfg(target_os = "linux")]
const STEP: OFlags = OFlags::PATH.union(OFlags::DIRECTORY);
#[cfg(not(target_os = "linux"))]
const STEP: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY);

/// Opens what is at a path beneath `root`. `NOFOLLOW` concerns the last name alone.
///
/// # Errors
/// As `openat2`: `XDEV` for what leads out, `AGAIN` when somebody renames on the way.
pub(super) fn open(root: &OwnedFd, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    let place = walk(root, path, !flags.contains(OFlags::NOFOLLOW))?;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match fs::openat(place.folder(root), &place.name[..], flags, Mode::empty()) {
        // It was no link a moment ago.
        Err(Errno::LOOP) if place.stat.node != Node::Link => Err(Errno::AGAIN),
        answer => answer,
    }
}

/// What is at a path beneath `root`, by its name alone: nothing is opened but the folders on the way.
///
/// # Errors
/// As [`open`].
pub(super) fn stat(root: &OwnedFd, path: &[u8], follow: bool) -> Result<Stat, Errno> {
    walk(root, path, follow).map(|place| place.stat)
}

/// Where a walk ended.
struct Place {
    /// The folders gone into, outermost first.
    way: Vec<OwnedFd>,
    /// The last name in the last of them.
    name: Vec<u8>,
    stat: Stat,
}

impl Place {
    fn folder<'a>(&'a self, root: &'a OwnedFd) -> BorrowedFd<'a> {
        self.way.last().map_or(root.as_fd(), AsFd::as_fd)
    }
}

fn walk(root: &OwnedFd, path: &[u8], follow: bool) -> Result<Place, Errno> {
    let home = Stat::from(fs::fstat(root)?);
    let mut place = Place { way: Vec::new(), name: b".".to_vec(), stat: home };
    let mut ahead = names(path);
    let mut links = 0;
    while let Some(name) = ahead.pop_front() {
        if name == b".." {
            place.way.pop().ok_or(Errno::XDEV)?;
            place.look(root, b".".to_vec())?;
            continue;
        }
        place.look(root, name)?;
        if place.stat.dev != home.dev {
            return Err(Errno::XDEV);
        }
        match place.stat.node {
            Node::Link if follow || !ahead.is_empty() => {
                links += 1;
                let target = place.target(root, links)?;
                target.into_iter().rev().for_each(|name| ahead.push_front(name));
                place.look(root, b".".to_vec())?;
            }
            Node::Folder if !ahead.is_empty() => place.enter(root)?,
            _ if !ahead.is_empty() => return Err(Errno::NOTDIR),
            _ => {}
        }
    }
    Ok(place)
}

impl Place {
    fn look(&mut self, root: &OwnedFd, name: Vec<u8>) -> Result<(), Errno> {
        self.stat = fs::statat(self.folder(root), &name[..], AtFlags::SYMLINK_NOFOLLOW)?.into();
        self.name = name;
        Ok(())
    }

    /// Goes into the folder that was looked at.
    fn enter(&mut self, root: &OwnedFd) -> Result<(), Errno> {
        let flags = STEP | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let folder = match fs::openat(self.folder(root), &self.name[..], flags, Mode::empty()) {
            // It was a folder a moment ago.
            Err(Errno::LOOP | Errno::NOTDIR) => return Err(Errno::AGAIN),
            answer => answer?,
        };
        let stat = Stat::from(fs::fstat(&folder)?);
        if (stat.dev, stat.ino) != (self.stat.dev, self.stat.ino) {
            return Err(Errno::AGAIN);
        }
        self.way.push(folder);
        Ok(())
    }

    /// The names that the link which was looked at leads over.
    fn target(&self, root: &OwnedFd, links: usize) -> Result<VecDeque<Vec<u8>>, Errno> {
        if links > MAX_LINKS {
            return Err(Errno::LOOP);
        }
        let target = match fs::readlinkat(self.folder(root), &self.name[..], Vec::new()) {
            // It was a link a moment ago.
            Err(Errno::INVAL) => return Err(Errno::AGAIN),
            answer => answer?,
        };
        if target.as_bytes().starts_with(b"/") { Err(Errno::XDEV) } else { Ok(names(target.as_bytes())) }
    }
}

fn names(path: &[u8]) -> VecDeque<Vec<u8>> {
    path.split(|b| *b == b'/').filter(|name| !matches!(*name, b"" | b".")).map(<[u8]>::to_vec).collect()
}

//! Puts whole content into its place, so that at every moment the old or the new is there, and nothing is lost.
//!
//! Where nothing was: a rename that replaces nothing. Where a file was: the content is first moved to where the file
//! will be kept as a version, then the two change places in one step; so what is kept is exactly what was there, also
//! if another program wrote it a moment ago.

use std::io::Read;

use proto::api::writing::{Clash, Conflict, Outcome};
use proto::{PrincipalId, RelPath, VersionId};
use ring::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use super::part::Content;
use super::{WriteError, names};
use crate::agent::Share;
use crate::files::versions::{self, Keeping};
use crate::files::{FilesError, entry};
use crate::share::write::{Spot, behave_like};
use crate::share::{Node, OpenFile, Stat};

/// Files up to this size are hashed to say what is there instead.
const HASHED_FOR_ANSWER: u64 = 256 << 20;
const READ_AT_ONCE: usize = 256 << 10;
/// How many numbers are tried for a free name.
const MOST_NUMBERS: u32 = 10_000;
/// How often somebody else may change the place between looking and doing.
const RACES: usize = 64;

/// What must be at the place for content to go there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expect {
    /// Anything: what is done about it is said.
    Clash(Clash),
    /// Nothing.
    Absent,
    /// One of these versions.
    Match(Vec<Tag>),
}

/// How a version is named by who wants to replace it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tag {
    /// Any, as long as there is one.
    Any,
    /// By [`entry::version`].
    Version(String),
    /// By the SHA-256 of its content, in small hexadecimal digits.
    Sha256(String),
}

/// Where content went.
#[derive(Debug)]
pub struct Published {
    /// Its place: another than asked for if it was [`Outcome::Renamed`].
    pub path: RelPath,
    /// What is there.
    pub stat: Stat,
    /// What became of it.
    pub outcome: Outcome,
    /// The version that was replaced.
    pub kept: Option<VersionId>,
}

/// Puts content into its place and makes that durable.
///
/// # Errors
/// [`WriteError`]: the place is not as expected, or the disk's. The content is where it was then.
pub fn publish(
    share: &Share,
    content: &Content,
    path: &RelPath,
    expect: &Expect,
    by: PrincipalId,
) -> Result<Published, WriteError> {
    let spot = share.root.spot(path)?;
    let published = place(share, content, path, &spot, expect, by)?;
    if published.outcome != Outcome::Skipped {
        spot.sync_folder()?;
    }
    Ok(published)
}

/// [`publish`] into a folder that is open already. Its names are not made durable.
///
/// # Errors
/// As there.
pub fn place(
    share: &Share,
    content: &Content,
    path: &RelPath,
    spot: &Spot,
    expect: &Expect,
    by: PrincipalId,
) -> Result<Published, WriteError> {
    let _held = share.store.hold(path);
    for _ in 0..RACES {
        let there = match spot.stat() {
            Ok(stat) => Some(stat),
            Err(FilesError::NotFound) => None,
            Err(error) => return Err(error.into()),
        };
        let tried = match there {
            None => fill(content, path, spot, expect),
            Some(stat) => meet(share, content, path, spot, &stat, expect, by),
        };
        match tried {
            Ok(Some(published)) => {
                share.watched.touch();
                return Ok(published);
            }
            Ok(None) => {}
            Err(error) => return Err(error),
        }
    }
    Err(FilesError::Busy.into())
}

/// Looks beforehand whether a version that is to be replaced is the one that is there.
///
/// # Errors
/// [`WriteError::Conflict`], or the disk's.
pub fn check(share: &Share, path: &RelPath, expect: &Expect, there: &Stat) -> Result<(), WriteError> {
    let Expect::Match(tags) = expect else { return Ok(()) };
    let spot = share.root.spot(path)?;
    // A content is not read for this: by its hash it is compared when all has come.
    if tags.iter().any(|tag| matches!(tag, Tag::Sha256(_))) || is_one_of(tags, &spot, there)? {
        return Ok(());
    }
    Err(WriteError::Conflict(Box::new(present(share, path, &spot, there))))
}

/// [`check`] where nothing is.
///
/// # Errors
/// [`WriteError::Conflict`].
pub fn check_gone(path: &RelPath, expect: &Expect) -> Result<(), WriteError> {
    match expect {
        Expect::Match(_) => Err(WriteError::Conflict(Box::new(gone(path)))),
        Expect::Clash(_) | Expect::Absent => Ok(()),
    }
}

/// Nothing is there. `None` if something came meanwhile.
fn fill(
    content: &Content,
    path: &RelPath,
    spot: &Spot,
    expect: &Expect,
) -> Result<Option<Published>, WriteError> {
    check_gone(path, expect)?;
    names::check_portable(path.name().unwrap_or_default())?;
    match content.spot.move_to(spot) {
        Err(WriteError::Exists) => Ok(None),
        Err(error) => Err(error),
        Ok(()) => Ok(Some(done(path.clone(), content, Outcome::Done, None)?)),
    }
}

/// Something is there. `None` if it changed meanwhile.
fn meet(
    share: &Share,
    content: &Content,
    path: &RelPath,
    spot: &Spot,
    there: &Stat,
    expect: &Expect,
    by: PrincipalId,
) -> Result<Option<Published>, WriteError> {
    match expect {
        Expect::Clash(Clash::Skip) => {
            let stat = *there;
            return Ok(Some(Published { path: path.clone(), stat, outcome: Outcome::Skipped, kept: None }));
        }
        Expect::Clash(Clash::Rename) => return beside(content, path, spot).map(Some),
        Expect::Clash(Clash::Ask) | Expect::Absent => return Err(WriteError::Exists),
        Expect::Clash(Clash::Replace) | Expect::Match(_) => {}
    }
    match there.node {
        Node::File => {}
        Node::Folder => return Err(FilesError::IsFolder.into()),
        Node::Link => return Err(WriteError::IsLink),
        Node::Special => return Err(FilesError::Special.into()),
    }
    if let Expect::Match(tags) = expect
        && !is_one_of(tags, spot, there)?
    {
        return Err(WriteError::Conflict(Box::new(present(share, path, spot, there))));
    }
    replace(share, content, path, spot, there, expect, by)
}

fn replace(
    share: &Share,
    content: &Content,
    path: &RelPath,
    spot: &Spot,
    there: &Stat,
    expect: &Expect,
    by: PrincipalId,
) -> Result<Option<Published>, WriteError> {
    behave_like(&content.file, spot)?;
    let keeping = Keeping::prepare(share, path, content, by)?;
    let replaced = match keeping.swap(spot) {
        Ok(replaced) => replaced,
        Err(error) => {
            keeping.abandon(&content.spot)?;
            // It was deleted just now.
            return if matches!(error, WriteError::Files(FilesError::NotFound)) {
                Ok(None)
            } else {
                Err(error)
            };
        }
    };
    let same = (replaced.ino, replaced.size, replaced.mtime_ns) == (there.ino, there.size, there.mtime_ns);
    if !same && matches!(expect, Expect::Match(_)) {
        // Another program was quicker. What it wrote goes back to its place, and is what the caller is told of.
        keeping.swap(spot)?;
        keeping.abandon(&content.spot)?;
        return Ok(None);
    }
    let kept = match keeping.make_durable() {
        Ok(kept) => kept,
        Err(error) => {
            // What was there would not be safe: it goes back to its place.
            keeping.swap(spot)?;
            keeping.abandon(&content.spot)?;
            return Err(error);
        }
    };
    if let Err(error) = versions::thin_out(share, path) {
        // The sweeper tries again.
        tracing::warn!(%path, %error, "old versions are left");
    }
    done(path.clone(), content, Outcome::Replaced, Some(kept)).map(Some)
}

/// Another name in the same folder.
fn beside(content: &Content, path: &RelPath, spot: &Spot) -> Result<Published, WriteError> {
    let (path, _) = numbered_beside(path, spot, |free| content.spot.move_to(free))?;
    done(path, content, Outcome::Renamed, None)
}

/// Tries the numbered names beside a place that is taken, until `take` finds one free: which it was.
///
/// # Errors
/// What `take` fails with, but for [`WriteError::Exists`] of every number.
pub fn numbered_beside(
    path: &RelPath,
    spot: &Spot,
    mut take: impl FnMut(&Spot) -> Result<(), WriteError>,
) -> Result<(RelPath, Spot), WriteError> {
    let (name, folder) = (path.name().unwrap_or_default(), path.parent().unwrap_or_default());
    for number in 1..MOST_NUMBERS {
        let name = names::numbered(name, number);
        let path = folder.join(&name).map_err(|_| WriteError::BadName("it is too long"))?;
        let spot = spot.beside(&name);
        match take(&spot) {
            Err(WriteError::Exists) => {}
            taken => return taken.map(|()| (path, spot)),
        }
    }
    Err(WriteError::Exists)
}

/// Where something went that was to go to this path: there, or to the numbered name beside it that it has.
#[must_use]
pub fn found_at(share: &Share, path: &RelPath, ino: u64) -> Option<RelPath> {
    let (name, folder) = (path.name()?, path.parent()?);
    let spot = share.root.spot(path).ok()?;
    let numbered = (1..MOST_NUMBERS).map(|number| names::numbered(name, number));
    for name in std::iter::once(name.to_vec()).chain(numbered) {
        match spot.beside(&name).stat() {
            Ok(stat) if stat.ino == ino => return folder.join(&name).ok(),
            Ok(_) => {}
            // Names are taken in this order: no later one was.
            Err(_) => return None,
        }
    }
    None
}

fn done(
    path: RelPath,
    content: &Content,
    outcome: Outcome,
    kept: Option<VersionId>,
) -> Result<Published, WriteError> {
    let stat = Stat::of_handle(&content.file)?;
    Ok(Published { path, stat, outcome, kept })
}

fn is_one_of(tags: &[Tag], spot: &Spot, there: &Stat) -> Result<bool, WriteError> {
    let version = entry::version(there);
    if tags.iter().any(|tag| *tag == Tag::Any || *tag == Tag::Version(version.clone())) {
        return Ok(true);
    }
    if !tags.iter().any(|tag| matches!(tag, Tag::Sha256(_))) {
        return Ok(false);
    }
    let hash = sha256(&spot.open()?)?;
    Ok(tags.contains(&Tag::Sha256(hash)))
}

/// The SHA-256 of a file as hexadecimal digits.
///
/// # Errors
/// The disk's.
pub fn sha256(open: &OpenFile) -> Result<String, WriteError> {
    let mut hash = Context::new(&SHA256);
    let mut buffer = vec![0; READ_AT_ONCE];
    loop {
        match (&open.file).read(&mut buffer)? {
            0 => return Ok(hex(hash.finish().as_ref())),
            read => hash.update(&buffer[..read]),
        }
    }
}

/// Bytes as small hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What is told of the file that is there instead.
fn present(share: &Share, path: &RelPath, spot: &Spot, there: &Stat) -> Conflict {
    let small = there.size <= HASHED_FOR_ANSWER;
    let version = entry::version(there);
    Conflict {
        sha256: spot.open().ok().filter(|_| small).and_then(|open| sha256(&open).ok()),
        size: there.size,
        modified: entry::modified(there),
        changed_by: versions::writer_of(share, path, &version),
        content: content_address(path),
        version,
    }
}

fn gone(path: &RelPath) -> Conflict {
    Conflict {
        version: String::new(),
        sha256: None,
        size: 0,
        modified: None,
        changed_by: None,
        content: content_address(path),
    }
}

fn content_address(path: &RelPath) -> String {
    let path = path.to_string();
    format!(
        "stream?path={}",
        percent_encoding::utf8_percent_encode(&path, percent_encoding::NON_ALPHANUMERIC)
    )
}

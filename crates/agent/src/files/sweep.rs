//! Keeps the stores of shares small: what is over its time, what takes too much room, and what a process left behind
//! that ended in the middle. Nothing that somebody could still want is removed before its time, but the oldest of it
//! where a disk would fill.

use std::sync::Weak;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::Duration;

use proto::RelPath;
use proto::api::transfers::TRANSFER_HOURS;
use proto::api::writing::UNDO_DAYS;

use super::acts::trash;
use super::undo::now_ms;
use super::write::WriteError;
use super::{FilesError, following, tree, versions};
use crate::agent::Share;
use crate::share::write::{Spot, is_used};
use crate::share::{Node, ShareRoot, Stat};

const EVERY: Duration = Duration::from_secs(3600);
/// What lies in the store for this long, and is in nobody's hands, was left behind.
const STRAY_MS: i64 = 10 * 60 * 1000;
const HOUR_MS: i64 = 3600 * 1000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// The trash may have this part of the disk, and the versions as much again.
const PART_OF_DISK: u64 = 10;

/// Sweeps a share's store when the share is offered, and then every hour, as long as this is kept.
pub struct Sweeper {
    /// Its end is how the thread learns of ours.
    _ours: Option<Sender<()>>,
}

impl Sweeper {
    /// Begins.
    #[must_use]
    pub fn start(share: Weak<Share>) -> Self {
        let (ours, theirs) = mpsc::channel();
        let started = std::thread::Builder::new().name("sweeper".into()).spawn(move || {
            let mut wait = Duration::ZERO;
            while theirs.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
                if let Some(share) = share.upgrade() {
                    sweep(&share, now_ms());
                }
                wait = EVERY;
            }
        });
        if let Err(error) = &started {
            tracing::warn!(%error, "what is left over in a share's store stays there");
        }
        Self { _ours: started.is_ok().then_some(ours) }
    }
}

/// Sweeps a share's store, as if it were this time.
pub fn sweep(share: &Share, now_ms: i64) {
    if !matches!(share.store.made(), Ok(Some(_))) {
        return;
    }
    let most = share.root.disk_bytes().unwrap_or(u64::MAX) / PART_OF_DISK;
    for (what, swept) in [
        // What moved takes its versions along before anything is decided about them.
        ("moves", following::sweep(share)),
        ("parts", sweep_parts(share, now_ms)),
        ("trash", sweep_trash(share, now_ms, most)),
        ("versions", versions::sweep(share, most, now_ms - STRAY_MS)),
        ("undo", sweep_undo(share, now_ms)),
        ("uploads", share.uploads.sweep(share, now_ms)),
        ("incoming", sweep_incoming(share, now_ms)),
    ] {
        if let Err(error) = swept {
            tracing::warn!(share = %share.id, what, %error, "a share's store could not be swept");
        }
    }
}

fn sweep_parts(share: &Share, now_ms: i64) -> Result<(), WriteError> {
    for spot in everything(&share.store.rooms()?.parts)? {
        let Ok(stat) = spot.stat() else { continue };
        if age_ms(&stat, now_ms) > STRAY_MS && !is_in_hands(&spot, &stat) {
            tree::remove(&spot)?;
        }
    }
    Ok(())
}

/// Transfers whose time is long over: their coordinator is gone, or never said that they ended.
fn sweep_incoming(share: &Share, now_ms: i64) -> Result<(), WriteError> {
    for spot in everything(&share.store.rooms()?.incoming)? {
        let Ok(stat) = spot.stat() else { continue };
        if age_ms(&stat, now_ms) > i64::from(2 * TRANSFER_HOURS) * HOUR_MS {
            tree::remove(&spot)?;
        }
    }
    Ok(())
}

fn is_in_hands(spot: &Spot, stat: &Stat) -> bool {
    match stat.node {
        Node::File => spot.open().is_ok_and(|open| is_used(open.file)),
        Node::Folder => spot.open_folder().is_ok_and(|open| is_used(open.dir)),
        Node::Link | Node::Special => false,
    }
}

fn sweep_trash(share: &Share, now_ms: i64, most_bytes: u64) -> Result<(), WriteError> {
    let mut kept = Vec::new();
    for place in trash::places(share)? {
        match place.read() {
            Ok(note) if now_ms - note.at_ms <= i64::from(trash::DAYS) * DAY_MS => {
                kept.push((note.at_ms, place))
            }
            Ok(_) => place.remove(share)?,
            Err(_) => sweep_place(share, &place, now_ms)?,
        }
    }
    // As they are listed: of those deleted in one millisecond the ids tell which came later.
    kept.sort_by_key(|(at_ms, place)| std::cmp::Reverse((*at_ms, place.id)));
    let mut left = most_bytes;
    for (_, place) in kept {
        match left.checked_sub(place.bytes()) {
            Some(rest) => left = rest,
            None => place.remove(share)?,
        }
    }
    Ok(())
}

/// A place where nothing came, or from where it came back: the process ended before the place was removed.
fn sweep_place(share: &Share, place: &trash::Place, now_ms: i64) -> Result<(), WriteError> {
    if place.holds_something() || age_ms(&place.stat()?, now_ms) <= STRAY_MS {
        return Ok(());
    }
    let given_back = place.noted().is_none_or(|note| place.give_back_versions(share, &note.path));
    if given_back { place.remove(share) } else { Ok(()) }
}

fn sweep_undo(share: &Share, now_ms: i64) -> Result<(), WriteError> {
    for spot in everything(&share.store.rooms()?.undo)? {
        let over = spot.stat().is_ok_and(|stat| age_ms(&stat, now_ms) > i64::from(UNDO_DAYS) * DAY_MS);
        if over {
            spot.remove_file()?;
        }
    }
    Ok(())
}

fn everything(room: &ShareRoot) -> Result<Vec<Spot>, FilesError> {
    tree::contents(room.open_folder(&RelPath::root())?)
}

/// How long ago something last changed, its name included.
const fn age_ms(stat: &Stat, now_ms: i64) -> i64 {
    now_ms - stat.ctime_ns / 1_000_000
}

#[cfg(test)]
mod tests {
    use proto::PrincipalId;
    use proto::api::writing::Clash;

    use super::*;
    use crate::files::acts::{self, Step};
    use crate::files::write::part::PartFile;
    use crate::files::write::tests::share;

    const LATER: i64 = 3_600_000;

    fn world() -> (tempfile::TempDir, Share, PrincipalId) {
        let home = tempfile::tempdir().unwrap();
        for name in ["a", "b", "c"] {
            std::fs::write(home.path().join(name), name.repeat(1000)).unwrap();
        }
        let share = share(home.path());
        (home, share, PrincipalId::generate())
    }

    fn delete(share: &Share, name: &str, by: PrincipalId) {
        trash::delete(share, vec![name.parse().unwrap()], by).unwrap();
    }

    fn trashed(share: &Share) -> Vec<String> {
        trash::list(share).unwrap().items.iter().map(|item| item.path.to_string()).collect()
    }

    fn count(home: &tempfile::TempDir, room: &str) -> usize {
        std::fs::read_dir(home.path().join(".lanthorn-store").join(room)).unwrap().count()
    }

    #[test]
    fn what_was_left_behind_goes_and_what_is_in_hands_stays() {
        let (home, share, _) = world();
        let part = PartFile::create(&share.store, None).unwrap();
        std::fs::write(home.path().join(".lanthorn-store/parts/left"), "left").unwrap();
        std::fs::create_dir_all(home.path().join(".lanthorn-store/parts/tree/copy")).unwrap();
        sweep(&share, now_ms());
        assert_eq!(count(&home, "parts"), 3, "it may be on its way");
        sweep(&share, now_ms() + LATER);
        assert_eq!(count(&home, "parts"), 1);
        drop(part);
        assert_eq!(count(&home, "parts"), 0);
    }

    #[test]
    fn the_trash_forgets_after_its_days_and_from_its_oldest_end() {
        let (_home, share, me) = world();
        ["a", "b", "c"].iter().for_each(|name| delete(&share, name, me));
        sweep(&share, now_ms() + 29 * DAY_MS);
        assert_eq!(trashed(&share), ["c", "b", "a"]);
        let room = 2 * trash::places(&share).unwrap()[0].bytes();
        sweep_trash(&share, now_ms(), room).unwrap();
        assert_eq!(trashed(&share), ["c", "b"], "there is room for two");
        sweep(&share, now_ms() + 31 * DAY_MS);
        assert_eq!(trashed(&share), Vec::<String>::new());
    }

    #[test]
    fn a_token_goes_after_its_days() {
        let (home, share, me) = world();
        delete(&share, "a", me);
        sweep(&share, now_ms() + 6 * DAY_MS);
        assert_eq!(count(&home, "undo"), 1);
        sweep(&share, now_ms() + 8 * DAY_MS);
        assert_eq!(count(&home, "undo"), 0);
    }

    #[test]
    fn a_place_that_something_came_back_from_gives_back_its_versions() {
        let (home, share, me) = world();
        let over = vec![Step { from: "a".parse().unwrap(), to: Ok("b".parse().unwrap()) }];
        acts::relocate(&share, over, Clash::Replace, me).unwrap();
        delete(&share, "b", me);
        let id = trash::list(&share).unwrap().items[0].id;
        let place = home.path().join(format!(".lanthorn-store/trash/{id}"));
        // As if the process had ended right after the file came back.
        std::fs::rename(place.join("item"), home.path().join("b")).unwrap();
        let versions = || versions::list(&share, &"b".parse().unwrap()).unwrap().len();
        assert_eq!(versions(), 0);
        sweep(&share, now_ms() + LATER);
        assert_eq!((versions(), place.exists()), (1, false));
    }

    #[test]
    fn of_too_many_versions_the_oldest_go() {
        let (home, share, me) = world();
        for content in ["1", "22", "333"] {
            std::fs::write(home.path().join("new"), content.repeat(1000)).unwrap();
            let over = vec![Step { from: "new".parse().unwrap(), to: Ok("b".parse().unwrap()) }];
            acts::relocate(&share, over, Clash::Replace, me).unwrap();
        }
        let sizes = || {
            let versions = versions::list(&share, &"b".parse().unwrap()).unwrap();
            versions.iter().map(|version| version.size).collect::<Vec<_>>()
        };
        assert_eq!(sizes(), [2000, 1000, 1000]);
        versions::sweep(&share, 3000, 0).unwrap();
        assert_eq!(sizes(), [2000, 1000]);
    }
}

//! The index against real folders: what it knows after any edits, after a restart, and after damage.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proto::ShareId;

use super::tree::{ROOT, Tree};
use super::*;

/// Far beyond what anything here takes; only a hang gets there.
const HANG: Duration = Duration::from_secs(30);
/// Compares all the time, and is told nothing by the kernel.
const UNWATCHED: Pace =
    Pace { watch: false, compare: Duration::from_millis(20), compare_unwatched: Duration::from_millis(20) };

fn start(home: &Path, share: ShareId, pace: Pace) -> Index {
    let gate = Arc::new(ShareRoot::open(&home.join("share")).unwrap());
    Index::start(gate, share, &home.join("cache"), pace)
}

fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("share")).unwrap();
    home
}

/// All paths that the tree knows, folders with a slash at the end.
fn known(tree: &Tree) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    for folder in tree.in_order() {
        for entry in tree.entries(folder) {
            let path = tree.path(folder).unwrap().join(&tree.names().name(entry).original()).unwrap();
            let is_folder = tree.names().node(entry) == Some(crate::share::Node::Folder);
            assert!(
                paths.insert(format!("{path}{}", if is_folder { "/" } else { "" })),
                "{path} is known twice"
            );
        }
    }
    paths
}

/// All paths that are on disk.
fn on_disk(root: &Path) -> BTreeSet<String> {
    let mut paths = BTreeSet::new();
    let mut rest = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = rest.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.file_type().unwrap().is_dir() {
                rest.push((entry.path(), format!("{path}/")));
                paths.insert(format!("{path}/"));
            } else {
                paths.insert(path);
            }
        }
    }
    paths
}

/// Waits until the index says what a condition wants.
fn wait(index: &Index, done: impl Fn(&Index) -> bool) -> bool {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let mut progress = index.follow();
    runtime.block_on(async {
        let wait = progress.wait_for(|p| p.phase == Phase::Current && done(index));
        tokio::time::timeout(HANG, wait).await.is_ok()
    })
}

#[track_caller]
fn agrees(index: &Index, home: &Path) {
    let wanted = on_disk(&home.join("share"));
    // While folders change places, some are counted that are not in the tree.
    let all_counted = |tree: &Tree| tree.len() == wanted.len() as u64;
    if !wait(index, |index| known(&index.tree()) == wanted && all_counted(&index.tree())) {
        assert_eq!(known(&index.tree()), wanted);
        assert!(all_counted(&index.tree()), "{} names are counted", index.len());
    }
}

#[test]
fn it_knows_odd_things_by_name_and_enters_none_of_them() {
    let home = home();
    let share = home.path().join("share");
    fs::create_dir_all(share.join("a/b")).unwrap();
    fs::create_dir(share.join(".lanthorn-trash")).unwrap();
    fs::write(share.join(".lanthorn-trash/x"), b"").unwrap();
    std::os::unix::fs::symlink("..", share.join("a/loop")).unwrap();
    std::os::unix::fs::symlink("/", share.join("out")).unwrap();
    let fifo = rustix::fs::mknodat(
        rustix::fs::CWD,
        share.join("fifo"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    );
    fifo.unwrap();
    fs::write(share.join(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(b"latin\xe9")), b"")
        .unwrap();
    let index = start(home.path(), ShareId::generate(), Pace::default());
    let wanted = ["a/", "a/b/", "a/loop", "fifo", "latin\\xe9", "out"].map(str::to_owned).into();
    assert!(wait(&index, |index| known(&index.tree()) == wanted), "{:?}", known(&index.tree()));
}

#[test]
fn changes_are_followed() {
    for pace in [Pace::default(), UNWATCHED] {
        let home = home();
        let share = home.path().join("share");
        let index = start(home.path(), ShareId::generate(), pace);
        fs::create_dir_all(share.join("a/b/c")).unwrap();
        fs::write(share.join("a/b/c/x"), b"").unwrap();
        agrees(&index, home.path());
        // A folder moves with all below it, and changes in it are seen in its new place.
        fs::rename(share.join("a/b"), share.join("moved")).unwrap();
        agrees(&index, home.path());
        fs::write(share.join("moved/c/y"), b"").unwrap();
        agrees(&index, home.path());
        // A file becomes a folder of the same name, and the other way about.
        fs::remove_file(share.join("moved/c/x")).unwrap();
        fs::create_dir(share.join("moved/c/x")).unwrap();
        fs::write(share.join("moved/c/x/in"), b"").unwrap();
        agrees(&index, home.path());
        fs::remove_dir_all(share.join("moved/c")).unwrap();
        fs::write(share.join("moved/c"), b"").unwrap();
        agrees(&index, home.path());
        // More at once than is looked at name by name.
        for i in 0..100 {
            fs::write(share.join(format!("file {i}")), b"").unwrap();
        }
        agrees(&index, home.path());
        // Another folder in the place of one.
        fs::create_dir_all(share.join("other/inside")).unwrap();
        fs::remove_dir_all(share.join("moved")).unwrap();
        fs::rename(share.join("other"), share.join("moved")).unwrap();
        agrees(&index, home.path());
        // Out of the share.
        fs::rename(share.join("moved"), home.path().join("out")).unwrap();
        fs::write(home.path().join("out/unseen"), b"").unwrap();
        agrees(&index, home.path());
    }
}

#[test]
fn a_moved_folder_is_not_read_again() {
    let home = home();
    let share = home.path().join("share");
    fs::create_dir_all(share.join("a/b/c")).unwrap();
    let index = start(home.path(), ShareId::generate(), Pace::default());
    agrees(&index, home.path());
    let path = "a/b/c".parse().unwrap();
    let before = index.tree().folder_at(&path).unwrap();
    fs::rename(share.join("a/b"), share.join("z")).unwrap();
    agrees(&index, home.path());
    assert_eq!(index.tree().folder_at(&"z/c".parse().unwrap()), Some(before));
}

#[test]
fn a_restart_is_warm() {
    let home = home();
    let share = home.path().join("share");
    fs::create_dir_all(share.join("a/b")).unwrap();
    fs::write(share.join("a/b/Kept.TXT"), b"").unwrap();
    fs::write(share.join("a/gone"), b"").unwrap();
    let id = ShareId::generate();
    drop({
        let index = start(home.path(), id, Pace::default());
        agrees(&index, home.path());
        index
    });
    let saved = save::read(id, &save::place(&home.path().join("cache"), id)).unwrap();
    assert_eq!(known(&saved), on_disk(&share));
    // What changed while nobody watched is found on the next start.
    fs::remove_file(share.join("a/gone")).unwrap();
    fs::write(share.join("new"), b"").unwrap();
    let index = start(home.path(), id, Pace::default());
    agrees(&index, home.path());
    assert!(save::read(ShareId::generate(), &save::place(&home.path().join("cache"), id)).is_none());
}

#[test]
fn a_damaged_file_is_as_good_as_none() {
    let home = home();
    fs::create_dir_all(home.path().join("share/a")).unwrap();
    fs::write(home.path().join("share/a/B"), b"").unwrap();
    let id = ShareId::generate();
    let index = start(home.path(), id, Pace::default());
    agrees(&index, home.path());
    drop(index);
    let place = save::place(&home.path().join("cache"), id);
    let whole = fs::read(&place).unwrap();
    assert!(save::read(id, &place).is_some());
    for len in 0..whole.len() {
        fs::write(&place, &whole[..len]).unwrap();
        assert!(save::read(id, &place).is_none(), "cut to {len}");
    }
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 0x10;
        fs::write(&place, flipped).unwrap();
        assert!(save::read(id, &place).is_none(), "flipped at {at}");
    }
    fs::write(&place, [&whole[..], b"more"].concat()).unwrap();
    assert!(save::read(id, &place).is_none());
    // And then the share is simply read again.
    let index = start(home.path(), id, Pace::default());
    agrees(&index, home.path());
}

#[test]
fn waste_is_given_back() {
    let mut tree = Tree::new();
    let name = |i: u32| format!("a rather long name, so that it wastes something {i}").into_bytes();
    for i in 0..3000 {
        tree.insert(ROOT, crate::share::Node::File, &name(i), 0);
    }
    assert!(!tree.is_wasteful());
    for i in 0..2000 {
        let entry = tree.find(ROOT, &name(i)).unwrap();
        tree.take(ROOT, entry);
    }
    assert!(tree.is_wasteful());
    let compacted = tree.compacted();
    assert!(!compacted.is_wasteful());
    assert!(compacted.names().bytes().len() * 2 < tree.names().bytes().len());
    assert_eq!(known(&compacted), known(&tree));
    assert_eq!(compacted.len(), 1000);
}

/// An edit of a small tree. Numbers choose names; what cannot be done is left out.
#[derive(Clone, Debug)]
enum Edit {
    File(u8, u8),
    Folder(u8, u8),
    Remove(u8),
    Move(u8, u8, u8),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = prop_oneof![
        (any::<u8>(), any::<u8>()).prop_map(|(at, name)| Edit::File(at, name)),
        (any::<u8>(), any::<u8>()).prop_map(|(at, name)| Edit::Folder(at, name)),
        any::<u8>().prop_map(Edit::Remove),
        (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(from, to, name)| Edit::Move(from, to, name)),
    ];
    prop::collection::vec(edit, 1..40)
}

const NAMES: [&str; 6] = ["a", "B", "Été", "long name.TXT", "x.y", "img_1.jpg"];

/// Does an edit, if it can be done.
fn apply(root: &Path, edit: &Edit) {
    let all: Vec<String> = on_disk(root).into_iter().collect();
    let folders: Vec<&str> =
        all.iter().filter(|p| p.ends_with('/')).map(String::as_str).chain([""]).collect();
    let folder = |n: u8| root.join(folders[n as usize % folders.len()]);
    let name = |n: u8| NAMES[n as usize % NAMES.len()];
    let any = |n: u8| (!all.is_empty()).then(|| root.join(all[n as usize % all.len()].trim_end_matches('/')));
    // Failures (a name that is taken, a folder into itself) are no edits.
    let _ = match edit {
        Edit::File(at, n) => fs::File::create_new(folder(*at).join(name(*n))).map(drop),
        Edit::Folder(at, n) => fs::create_dir(folder(*at).join(name(*n))),
        Edit::Remove(n) => match any(*n) {
            Some(path) if path.is_dir() => fs::remove_dir_all(path),
            Some(path) => fs::remove_file(path),
            None => Ok(()),
        },
        Edit::Move(n, to, as_name) => match any(*n) {
            Some(path) => fs::rename(path, folder(*to).join(name(*as_name))),
            None => Ok(()),
        },
    };
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    #[test]
    fn any_edits_are_followed(batches in prop::collection::vec(edits(), 1..4)) {
        let home = home();
        let id = ShareId::generate();
        let index = start(home.path(), id, Pace::default());
        for edits in batches {
            for edit in &edits {
                apply(&home.path().join("share"), edit);
            }
            agrees(&index, home.path());
        }
        drop(index);
        let place = save::place(&home.path().join("cache"), id);
        prop_assert_eq!(known(&save::read(id, &place).unwrap()), on_disk(&home.path().join("share")));
    }
}

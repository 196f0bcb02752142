//! The sweep and the walk against the plain definition of a match, over random trees and queries.

use std::collections::BTreeSet;
use std::fs;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proto::RelPath;

use super::query::Trail;
use super::sweep::{Sweep, match_type};
use super::*;
use crate::files::index::tree::{FolderId, ROOT, Tree};

const NAMES: [&[u8]; 11] = [
    b"a",
    b"ab",
    b"AB.txt",
    b"b a",
    "Été.JPG".as_bytes(),
    b"img_01.jpg",
    b"xaby",
    b"src",
    b"SRC",
    b"quite a long name.tar.gz",
    b"caf\xe9 AB",
];
const QUERIES: [&str; 26] = [
    "caf\\xe9",
    "a",
    "A",
    "ab",
    "AB",
    "a b",
    "b a",
    "txt ab",
    "été",
    "Été",
    "*.jpg",
    "*.JPG",
    "*",
    "?b",
    "img_[0-9]*",
    "src/a",
    "SRC/a",
    "/ab",
    "src/",
    "src/*",
    "src/**/*.jpg",
    "/src/*",
    "src jpg",
    "long tar quite",
    "zzz",
    "a*b src",
];

/// Folders and files, each in one of the folders before it. With `filling` between them, so that they come to lie in many
/// pages of the names; all names up to number `signed` are signed.
fn tree(steps: &[(u8, u8, bool)], filling: bool, signed: usize) -> Tree {
    let mut tree = Tree::new();
    let mut folders = vec![ROOT];
    for (i, (at, name, is_folder)) in steps.iter().enumerate() {
        let folder = folders[*at as usize % folders.len()];
        if filling {
            tree.insert(folder, Node::File, format!("{i:0200}").as_bytes(), 0);
        }
        let name = NAMES[*name as usize % NAMES.len()];
        let node = if *is_folder { Node::Folder } else { Node::File };
        if tree.find(folder, name).is_none() {
            folders.extend(tree.insert(folder, node, name, 0));
        }
        if i == signed {
            tree.sign();
        }
    }
    tree
}

/// What answers a query, found by looking at every name.
fn plainly(tree: &Tree, query: &Query, scope: &RelPath) -> BTreeSet<(String, MatchType)> {
    let mut found = BTreeSet::new();
    let Some(scope) = tree.folder_at(scope) else { return found };
    let mut rest = vec![(scope, 0, Trail::default())];
    while let Some((folder, above, trail)) = rest.pop() {
        for entry in tree.entries(folder) {
            let name = tree.names().name(entry);
            if let Some(grade) = query.grade(above, &trail, &name) {
                found.insert((path(tree, folder, entry), grade));
            }
            if let Some(child) = tree.folder_of(folder, entry) {
                let mut below = trail.clone();
                below.push(&name);
                rest.push((child, query.found_in_folder(above, &trail, &name), below));
            }
        }
    }
    found
}

fn path(tree: &Tree, folder: FolderId, entry: Offset) -> String {
    tree.path(folder).unwrap().join(&tree.names().name(entry).original()).unwrap().to_string()
}

/// What the sweep finds, broken off and gone on with after every so many.
fn swept(tree: &Tree, query: &Query, scope: &RelPath, handful: usize) -> BTreeSet<(String, MatchType)> {
    let mut found = BTreeSet::new();
    let Some(sweep) = Sweep::new(tree, query, scope) else { return found };
    let mut from = Some(0);
    while let Some(at) = from {
        let mut left = handful;
        from = sweep.matches(at, &mut |c| {
            assert!(found.insert((path(tree, c.folder, c.entry), match_type(c.rank))), "given twice");
            left -= 1;
            if left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        });
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_sweep_finds_what_fits_and_nothing_else(
        steps in prop::collection::vec((any::<u8>(), any::<u8>(), any::<bool>()), 1..60),
        gone in prop::collection::vec((any::<u8>(), any::<u8>()), 0..12),
        scope in prop_oneof![Just(""), Just("src"), Just("ab"), Just("a/src")],
        handful in 1usize..9,
        filling in any::<bool>(),
        signed in 0usize..60,
        random in "[abi ._/*?SA]{1,6}",
    ) {
        let mut tree = tree(&steps, filling, signed);
        for (folder, name) in gone {
            let folders = tree.in_order();
            let folder = folders[folder as usize % folders.len()];
            if let Some(entry) = tree.find(folder, NAMES[name as usize % NAMES.len()]) {
                // Some that lost their place stay for a while, as when a folder is about to turn up elsewhere.
                let lost = tree.take(folder, entry);
                if let Some(lost) = lost && name % 2 == 0 {
                    tree.remove(lost);
                }
                if tree.find(folder, b"Renamed since.jpg").is_none() {
                    let new = tree.insert(folder, Node::Folder, b"Renamed since.jpg", 0);
                    // What is below a folder comes along under its new name.
                    lost.zip(new).map(|(lost, new)| name % 2 == 1 && tree.adopt(new, lost));
                }
            }
        }
        let scope: RelPath = scope.parse().unwrap();
        for text in QUERIES.into_iter().chain(["renamed", "Renamed jpg", &random]) {
            let query = Query::parse(text).unwrap();
            let wanted = plainly(&tree, &query, &scope);
            prop_assert_eq!(&swept(&tree, &query, &scope, handful), &wanted, "{}", text);
            prop_assert_eq!(&swept(&tree.compacted(), &query, &scope, handful), &wanted, "{} compacted", text);
        }
    }

    #[test]
    fn a_page_is_the_head_of_all_results(
        steps in prop::collection::vec((any::<u8>(), any::<u8>(), any::<bool>()), 1..60),
        limit in 1usize..10,
    ) {
        let tree = tree(&steps, false, 0);
        for text in QUERIES.into_iter().chain(["abty", "imjpg"]) {
            let query = Arc::new(Query::parse(text).unwrap());
            let request = Request { query, scope: RelPath::root(), shallow: false, filter: Filter::default(), limit };
            let all = from_names(&tree, &Request { limit: usize::MAX / 2, ..request.clone() });
            let page = from_names(&tree, &request);
            prop_assert_eq!(page.total, all.hits.len() as u64);
            prop_assert!(all.hits.is_sorted_by_key(|hit| hit.rank));
            let paths = |outcome: &Outcome| outcome.hits.iter().map(|hit| hit.path.clone()).collect::<Vec<_>>();
            prop_assert_eq!(&paths(&page)[..], &paths(&all)[..limit.min(all.hits.len())]);
        }
    }
}

#[test]
fn a_walk_finds_the_same() {
    let home = tempfile::tempdir().unwrap();
    for (folder, name) in
        [("src", "a.JPG"), ("src/deep/er", "img_01.jpg"), ("Other", "src.txt"), ("ab", "SRC")]
    {
        fs::create_dir_all(home.path().join(folder)).unwrap();
        fs::write(home.path().join(folder).join(name), b"").unwrap();
    }
    std::os::unix::fs::symlink("..", home.path().join("src/deep/loop")).unwrap();
    let gate = Arc::new(ShareRoot::open(home.path()).unwrap());
    for (text, wanted) in [
        (
            "src",
            &[
                "Other/src.txt",
                "ab/SRC",
                "src",
                "src/a.JPG",
                "src/deep",
                "src/deep/er",
                "src/deep/er/img_01.jpg",
                "src/deep/loop",
            ][..],
        ),
        ("*.jpg", &["src/a.JPG", "src/deep/er/img_01.jpg"]),
        ("src/**/*.jpg", &["src/a.JPG", "src/deep/er/img_01.jpg"]),
        ("deep er", &["src/deep/er", "src/deep/er/img_01.jpg"]),
        ("loop", &["src/deep/loop"]),
    ] {
        let query = Arc::new(Query::parse(text).unwrap());
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut walk =
            Walk::new(Arc::clone(&gate), query, Filter::default(), (RelPath::root(), false), deadline);
        let mut found: Vec<String> = Vec::new();
        while let Some(hits) = walk.go_on() {
            let fit = hits.into_iter().filter(|hit| hit.match_type() != MatchType::Fuzzy);
            found.extend(fit.map(|hit| hit.path.to_string()));
        }
        found.sort();
        assert_eq!(found, wanted, "{text}");
        assert!(walk.complete);
    }
}

#[test]
fn a_walk_can_stay_in_its_folder() {
    let home = tempfile::tempdir().unwrap();
    for name in ["a", "in/a", "in/a2", "in/deeper/a"] {
        fs::create_dir_all(home.path().join(name).parent().unwrap()).unwrap();
        fs::write(home.path().join(name), b"").unwrap();
    }
    let gate = Arc::new(ShareRoot::open(home.path()).unwrap());
    let query = Arc::new(Query::parse("a").unwrap());
    let scope = "in".parse().unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut walk = Walk::new(gate, query, Filter::default(), (scope, true), deadline);
    let mut found: Vec<String> = walk.go_on().unwrap().into_iter().map(|hit| hit.path.to_string()).collect();
    found.sort();
    assert_eq!(found, ["in/a", "in/a2"]);
    assert!(walk.go_on().is_none() && walk.complete);
}

#[test]
fn a_walk_whose_time_is_over_says_so() {
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a"), b"").unwrap();
    let gate = Arc::new(ShareRoot::open(home.path()).unwrap());
    let query = Arc::new(Query::parse("a").unwrap());
    let mut walk = Walk::new(gate, query, Filter::default(), (RelPath::root(), false), Instant::now());
    assert!(walk.go_on().is_none());
    assert!(!walk.complete);
}

//! Acts at random, beside a model of what they should do; and while somebody swaps folders for links that lead out.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use proto::api::writing::{Acted, Clash, Outcome};
use proto::{PrincipalId, UndoToken};
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::tests::{list, path, steps};
use super::{copy, make_folder, relocate, trash, undo};
use crate::agent::Share;
use crate::files::write::tests::share;
use crate::testing::quick_home;

/// The names that things have. Two folders deep.
const NAMES: [&str; 6] = ["a", "b", "d", "d/a", "d/b", "d/d"];

#[derive(Clone, Debug)]
enum Do {
    Write(usize),
    Make(usize),
    Move(usize, usize),
    Copy(usize, usize),
    Delete(usize),
    Undo,
}

fn acts() -> impl Strategy<Value = Vec<Do>> {
    let name = || 0..NAMES.len();
    let one = prop_oneof![
        name().prop_map(Do::Write),
        name().prop_map(Do::Make),
        (name(), name()).prop_map(|(from, to)| Do::Move(from, to)),
        (name(), name()).prop_map(|(from, to)| Do::Copy(from, to)),
        name().prop_map(Do::Delete),
        Just(Do::Undo),
    ];
    prop::collection::vec(one, 1..24)
}

/// A file's content, or nothing for a folder.
type Tree = BTreeMap<String, Option<String>>;

/// What a tree is after a move or copy, if it can be done.
fn carried(tree: &Tree, from: &str, to: &str, moves: bool) -> Option<Tree> {
    let inside = |path: &str| path == from || path.starts_with(&format!("{from}/"));
    let parent_is_folder = to.rsplit_once('/').is_none_or(|(parent, _)| tree.get(parent) == Some(&None));
    if !tree.contains_key(from) || tree.contains_key(to) || inside(to) || !parent_is_folder {
        return None;
    }
    let kept = tree.iter().filter(|(path, _)| !moves || !inside(path));
    let mut new: Tree = kept.map(|(path, content)| (path.clone(), content.clone())).collect();
    for (path, content) in tree.iter().filter(|(path, _)| inside(path)) {
        new.insert(format!("{to}{}", &path[from.len()..]), content.clone());
    }
    Some(new)
}

fn seen(folder: &std::path::Path) -> Tree {
    let mut found = Vec::new();
    list(folder, "", &mut found);
    found
        .into_iter()
        .filter(|one| !one.starts_with(".lanthorn-"))
        .map(|one| match one.split_once('=') {
            Some((path, content)) => (path.to_owned(), Some(content.to_owned())),
            None => (one.trim_end_matches('/').to_owned(), None),
        })
        .collect()
}

/// A share, what should be in it, and everything that was ever written.
struct Pair {
    home: tempfile::TempDir,
    share: Share,
    me: PrincipalId,
    model: Tree,
    written: Vec<String>,
    /// How the last act is undone, and what should be there then.
    last: Option<(UndoToken, Tree)>,
}

impl Pair {
    fn new() -> Self {
        let home = quick_home();
        let share = share(home.path());
        let (model, written) = (Tree::new(), Vec::new());
        Self { home, share, me: PrincipalId::generate(), model, written, last: None }
    }

    fn act(&mut self, one: &Do) {
        match *one {
            Do::Write(at) => self.write(NAMES[at]),
            Do::Make(at) => {
                let acted = make_folder(&self.share, path(NAMES[at]), false, self.me).unwrap();
                let parent = NAMES[at].rsplit_once('/').map(|(parent, _)| parent);
                let can = parent.is_none_or(|parent| self.model.get(parent) == Some(&None));
                let expected = (can && !self.model.contains_key(NAMES[at])).then(|| {
                    let mut new = self.model.clone();
                    new.insert(NAMES[at].to_owned(), None);
                    new
                });
                self.acted(one, &acted, expected);
            }
            Do::Move(from, to) | Do::Copy(from, to) => {
                let (moves, (from, to)) = (matches!(one, Do::Move(..)), (NAMES[from], NAMES[to]));
                let work = if moves { relocate } else { copy };
                let acted = work(&self.share, steps(&[(from, to)]), Clash::Ask, self.me).unwrap();
                let expected = carried(&self.model, from, to, moves);
                self.acted(one, &acted, expected);
            }
            Do::Delete(at) => {
                let acted = trash::delete(&self.share, vec![path(NAMES[at])], self.me).unwrap();
                let inside = |path: &str| path == NAMES[at] || path.starts_with(&format!("{}/", NAMES[at]));
                let expected = self.model.contains_key(NAMES[at]).then(|| {
                    self.model
                        .iter()
                        .filter(|(path, _)| !inside(path))
                        .map(|(p, c)| (p.clone(), c.clone()))
                        .collect()
                });
                self.acted(one, &acted, expected);
            }
            Do::Undo => {
                let Some((token, before)) = self.last.take() else { return };
                let undone = undo(&self.share, token, self.me).unwrap();
                assert!(undone.items.iter().all(|item| item.outcome != Outcome::Failed), "{undone:?}");
                self.last = undone.undo.map(|token| (token, std::mem::replace(&mut self.model, before)));
            }
        }
    }

    /// Another program writes a file that nobody has seen before.
    fn write(&mut self, name: &str) {
        let place = self.home.path().join(name);
        let content = format!("content {}", self.written.len());
        if !self.model.contains_key(name) && std::fs::write(&place, &content).is_ok() {
            self.model.insert(name.to_owned(), Some(content.clone()));
            self.written.push(content);
            self.last = None;
        }
    }

    fn acted(&mut self, one: &Do, acted: &Acted, expected: Option<Tree>) {
        let done = !matches!(acted.items[0].outcome, Outcome::Failed | Outcome::Skipped);
        assert_eq!(done, expected.is_some(), "{one:?} {acted:?} {:?}", self.model);
        if let Some(expected) = expected {
            self.last = Some((acted.undo.unwrap(), std::mem::replace(&mut self.model, expected)));
        }
    }

    fn check(&self) {
        assert_eq!(seen(self.home.path()), self.model);
        let mut all = Vec::new();
        list(self.home.path(), "", &mut all);
        let store = self.home.path().join(".lanthorn-store");
        if store.is_dir() {
            list(&store, "", &mut all);
        }
        for content in &self.written {
            assert!(
                all.iter().any(|one| one.split_once('=').is_some_and(|(_, c)| c == content)),
                "{content} is lost"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn acts_do_what_they_should_and_lose_nothing(acts in acts()) {
        let mut pair = Pair::new();
        for act in &acts {
            pair.act(act);
            pair.check();
        }
    }
}

#[test]
fn nothing_outside_is_touched_while_folders_are_swapped_for_links() {
    let home = quick_home();
    let (outside, folder) = (home.path().join("private"), home.path().join("share"));
    let place = |name: &str| folder.join(name);
    [outside.join("s"), place("d/s")].iter().for_each(|it| std::fs::create_dir_all(it).unwrap());
    for name in ["f", "g", "s/f"] {
        std::fs::write(outside.join(name), format!("secret {name}")).unwrap();
    }
    let canaries = || {
        let mut found = Vec::new();
        list(&outside, "", &mut found);
        found.sort();
        found
    };
    let before = canaries();
    for name in ["d/f", "d/g", "d/s/f"] {
        std::fs::write(place(name), "inside").unwrap();
    }
    std::os::unix::fs::symlink("../private", place("l")).unwrap();
    let (share, me, over) = (share(&folder), PrincipalId::generate(), Arc::new(AtomicBool::new(false)));
    std::thread::scope(|threads| {
        let (one, other) = (place("d"), place("l"));
        let swapping = Arc::clone(&over);
        threads.spawn(move || {
            while !swapping.load(Ordering::Relaxed) {
                renameat_with(CWD, &one, CWD, &other, RenameFlags::EXCHANGE).unwrap();
            }
        });
        for round in 0..400 {
            let other = format!("x{round}");
            let moved =
                relocate(&share, steps(&[("d/f", "d/h"), ("d/s", "d/t")]), Clash::Replace, me).unwrap();
            copy(&share, steps(&[("d/g", &other), ("d/g", "d/copy")]), Clash::Rename, me).unwrap();
            let deleted = trash::delete(&share, vec![path("d/g"), path("d/s/f"), path(&other)], me).unwrap();
            make_folder(&share, path("d/new/er"), true, me).unwrap();
            for token in [deleted.undo, moved.undo].into_iter().flatten() {
                undo(&share, token, me).unwrap();
            }
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(canaries(), before);
}

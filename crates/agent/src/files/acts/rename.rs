//! Changes many names alike, by a rule. All of them change together, so that names may also be handed around: `a` and
//! `b` can change places.

use std::collections::{HashMap, HashSet};

use proto::api::writing::{ActItem, Acted, NameRule, Outcome};
use proto::{PrincipalId, RelPath};

use super::place::{check_way, shift};
use super::relocate::respell;
use super::{Act, Became, failed};
use crate::agent::Share;
use crate::files::following::Way;
use crate::files::undo::{Back, Inverse};
use crate::files::write::WriteError;
use crate::files::write::names::split_ending;
use crate::files::{FilesError, following, mirror};
use crate::share::{Node, Stat};

/// One name that changes.
pub(super) struct Change {
    pub(super) from: RelPath,
    pub(super) to: RelPath,
}

/// Changes names; with `preview` only says which they would be, and which of them are taken.
///
/// # Errors
/// The disk's, once something was renamed. Why one could not be is said of the item.
pub fn rename(
    share: &Share,
    paths: Vec<RelPath>,
    rule: &NameRule,
    preview: bool,
    by: PrincipalId,
) -> Result<Acted, WriteError> {
    let mut plan = Plan::new(share, paths, rule);
    plan.refuse_clashes(share);
    let mut act = Act::new(share, by);
    if !preview {
        plan.carry_out(&mut act);
    }
    act.items = plan.items;
    act.finish()
}

/// What becomes of each item, in the order asked.
struct Plan {
    items: Vec<ActItem>,
    /// The files and folders themselves: who else finds one of them by a name does not find it taken.
    ours: HashSet<(u64, u64)>,
}

impl Plan {
    fn new(share: &Share, paths: Vec<RelPath>, rule: &NameRule) -> Self {
        let (mut ours, mut seen) = (HashSet::new(), HashSet::new());
        let items = paths.into_iter().zip(0..).map(|(path, place)| {
            let stat = share.root.stat_link(&path).map_err(WriteError::from);
            let first = seen.insert(path.clone());
            let planned = stat.and_then(|stat| {
                ours.insert((stat.dev, stat.ino));
                if first { new_path(&path, &stat, rule, place) } else { Err(WriteError::Exists) }
            });
            match planned {
                Ok(to) if to == path => Became::skipped().of(path),
                Ok(to) => Became::at(to, Outcome::Done).of(path),
                Err(error) => failed(path, error),
            }
        });
        let items = items.collect();
        Self { items, ours }
    }

    /// Refuses names that are taken: by what is not renamed itself, or by another of the new names. What is refused
    /// keeps its name, which may be in the way of others in turn.
    fn refuse_clashes(&mut self, share: &Share) {
        loop {
            let mut taken: HashSet<RelPath> =
                self.items.iter().filter(|item| !changes(item)).map(|item| item.from.clone()).collect();
            let mut refused = false;
            for item in self.items.iter_mut().filter(|item| changes(item)) {
                let Some(to) = item.to.clone() else { continue };
                let there = share.root.stat_link(&to);
                let foreign = there.is_ok_and(|stat| !self.ours.contains(&(stat.dev, stat.ino)));
                if !taken.insert(to.clone()) || foreign {
                    // The name stays in the answer, to be shown.
                    *item = ActItem { to: Some(to), ..failed(item.from.clone(), WriteError::Exists) };
                    refused = true;
                }
            }
            if !refused {
                return;
            }
        }
    }

    fn carry_out(&mut self, act: &mut Act<'_>) {
        let (places, changes): (Vec<usize>, Vec<Change>) = self
            .items
            .iter()
            .enumerate()
            .filter(|(_, item)| changes(item))
            .filter_map(|(at, item)| Some((at, Change { from: item.from.clone(), to: item.to.clone()? })))
            .unzip();
        for (at, done) in places.into_iter().zip(act.change_names(&changes)) {
            if let Err(error) = done {
                self.items[at] = failed(self.items[at].from.clone(), error);
            }
        }
    }
}

impl Became {
    fn of(self, from: RelPath) -> ActItem {
        ActItem { from, to: self.to, outcome: self.outcome, error: None }
    }
}

fn changes(item: &ActItem) -> bool {
    item.outcome == Outcome::Done
}

impl Act<'_> {
    /// Changes names together. What became of each, in the same order. No two are alike before or after.
    pub(super) fn change_names(&mut self, changes: &[Change]) -> Vec<Result<(), WriteError>> {
        let by_name: HashMap<&RelPath, usize> =
            changes.iter().enumerate().map(|(at, change)| (&change.from, at)).collect();
        let mut done: Vec<Option<Result<(), WriteError>>> = changes.iter().map(|_| None).collect();
        let mut backs = Vec::new();
        for start in 0..changes.len() {
            // Each waits for who has its name now: a line, or a ring that comes back to its start.
            let (mut line, mut ring) = (Vec::new(), false);
            let mut at = Some(start).filter(|at| done[*at].is_none());
            while let Some(one) = at.filter(|_| line.len() < changes.len()) {
                line.push(one);
                at = by_name.get(&changes[one].to).copied().filter(|at| done[*at].is_none());
                ring = at == Some(start);
                at = at.filter(|_| !ring);
            }
            if ring && line.len() > 1 {
                self.turn(changes, &line, &mut done, &mut backs);
            } else {
                for one in line.into_iter().rev() {
                    done[one] = Some(self.change(&changes[one], &mut backs));
                }
            }
        }
        if !backs.is_empty() {
            self.steps.push(Inverse::RenameBack { moves: backs });
        }
        done.into_iter().map(|done| done.unwrap_or(Err(WriteError::Exists))).collect()
    }

    fn change(&mut self, Change { from, to }: &Change, backs: &mut Vec<Back>) -> Result<(), WriteError> {
        check_way(from, to)?;
        let (source, target) = (self.share.root.spot(from)?, self.share.root.spot(to)?);
        let announced = following::announce(self.share, from, Way::To(to.clone()))?;
        if !respell(&source, &target)? {
            shift(self.share, &source, &target)?;
        }
        let followed = mirror::carry(self.share, from, to);
        following::done(announced, followed);
        self.touched.add(&source)?;
        self.touched.add(&target)?;
        backs.push(Back { path: to.clone(), to: from.clone(), ino: target.stat()?.ino });
        Ok(())
    }

    /// Hands names around: whoever lies at the first name is exchanged for who has the name that it should have. At no
    /// moment is anything without a name.
    fn turn(
        &mut self,
        changes: &[Change],
        ring: &[usize],
        done: &mut [Option<Result<(), WriteError>>],
        backs: &mut Vec<Back>,
    ) {
        let first = &changes[ring[0]].from;
        for (nth, one) in ring.iter().enumerate() {
            let Change { from, to } = &changes[*one];
            let result = if nth + 1 == ring.len() { Ok(()) } else { self.exchange(first, to) };
            let result = result.and_then(|()| Ok(self.share.root.stat_link(to)?.ino));
            let failed = result.is_err();
            done[*one] = Some(result.map(|ino| backs.push(Back { path: to.clone(), to: from.clone(), ino })));
            if failed {
                // Who comes after is still where it was, but for the next, which lies at the first name by now.
                ring[nth + 1..].iter().for_each(|later| done[*later] = Some(Err(FilesError::Changed.into())));
                return;
            }
        }
    }

    fn exchange(&mut self, one: &RelPath, other: &RelPath) -> Result<(), WriteError> {
        let (here, there) = (self.share.root.spot(one)?, self.share.root.spot(other)?);
        let announced = following::announce(self.share, one, Way::Exchanged(other.clone()))?;
        if !here.exchange(&there)? {
            // This disk cannot.
            return Err(WriteError::Exists);
        }
        let followed = mirror::exchange(self.share, one, other);
        following::done(announced, followed);
        self.touched.add(&here)?;
        self.touched.add(&there)
    }
}

/// The path with the name that the rule gives it.
fn new_path(path: &RelPath, stat: &Stat, rule: &NameRule, place: u32) -> Result<RelPath, WriteError> {
    let (Some(name), Some(folder)) = (path.name(), path.parent()) else {
        return Err(FilesError::IsFolder.into());
    };
    let (stem, ending) = if stat.node == Node::Folder { (name, &b""[..]) } else { split_ending(name) };
    let stem = match rule {
        NameRule::Replace { find, with, match_case } => replaced(stem, find, plain(with)?, *match_case),
        NameRule::Number { text, start } => {
            plain(text)?.replace("{n}", &start.saturating_add(place).to_string()).into_bytes()
        }
    };
    if stem == name[..name.len() - ending.len()] {
        return Ok(path.clone());
    }
    let new = folder.join(&[&stem, ending].concat());
    let new = new.map_err(|_| WriteError::BadName("it is empty, too long, reserved, or has a '/' in it"))?;
    check_way(path, &new)?;
    Ok(new)
}

/// A text that may be in a name.
fn plain(text: &str) -> Result<&str, WriteError> {
    if text.chars().any(|c| c.is_control() || c == '/') {
        return Err(WriteError::BadName("it has a '/' or a control character in it"));
    }
    Ok(text)
}

fn replaced(stem: &[u8], find: &str, with: &str, match_case: bool) -> Vec<u8> {
    let folded: Vec<char> = fold(find, match_case).collect();
    let mut new = Vec::with_capacity(stem.len());
    for chunk in stem.utf8_chunks() {
        let mut rest = chunk.valid();
        while let Some(c) = rest.chars().next() {
            let matched = beginning(rest, &folded, match_case);
            new.extend_from_slice(if matched > 0 {
                with.as_bytes()
            } else {
                &rest.as_bytes()[..c.len_utf8()]
            });
            rest = &rest[matched.max(c.len_utf8() * usize::from(matched == 0))..];
        }
        new.extend_from_slice(chunk.invalid());
    }
    new
}

/// How many bytes at the beginning of a text are what is looked for; 0 if it is not there.
fn beginning(text: &str, folded: &[char], match_case: bool) -> usize {
    let mut left = folded;
    for (at, c) in text.char_indices() {
        if left.is_empty() {
            return at;
        }
        for folded in fold(c.encode_utf8(&mut [0; 4]), match_case) {
            match left.split_first() {
                Some((wanted, rest)) if *wanted == folded => left = rest,
                _ => return 0,
            }
        }
    }
    if left.is_empty() { text.len() * usize::from(!folded.is_empty()) } else { 0 }
}

fn fold(text: &str, match_case: bool) -> impl Iterator<Item = char> {
    text.chars().flat_map(move |c| {
        let kept = Some(c).filter(|_| match_case);
        let lowered = (!match_case).then(|| c.to_lowercase());
        kept.into_iter().chain(lowered.into_iter().flatten())
    })
}

//! What is left out when a tree is taken along: what the `.meshignore` files in it say, in the words of git's
//! `.gitignore`, and patterns that were typed. Knows nothing of where the tree goes.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use ignore::Match;
use ignore::gitignore::{Gitignore, GitignoreBuilder};
use proto::RelPath;

use crate::share::ShareRoot;

/// The file whose patterns hold for the folder it is in, and for all in it.
const FILE: &[u8] = b".meshignore";
/// Longer ones are read so far.
const MAX_BYTES: u64 = 1 << 20;

/// A pattern that cannot be understood.
#[derive(Debug, thiserror::Error)]
#[error("the pattern {pattern:?} cannot be understood: {why}")]
pub struct BadPattern {
    /// As it was typed.
    pattern: String,
    why: ignore::Error,
}

/// Patterns that were typed. They hold whatever the files in the tree say, and are anchored where the tree begins.
#[derive(Clone, Debug)]
pub struct Excludes(Gitignore);

impl Default for Excludes {
    fn default() -> Self {
        Self(Gitignore::empty())
    }
}

impl Excludes {
    /// Reads patterns, each in the words of a line of `.gitignore`.
    ///
    /// # Errors
    /// One of them cannot be understood.
    pub fn parse<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, BadPattern> {
        let mut builder = GitignoreBuilder::new("");
        for pattern in patterns {
            let bad = |why| BadPattern { pattern: pattern.into(), why };
            builder.add_line(None, pattern).map_err(bad)?;
        }
        builder.build().map(Self).map_err(|why| BadPattern { pattern: String::new(), why })
    }
}

/// What holds in the folder where a walk is.
pub struct Rules<'a> {
    typed: &'a Excludes,
    root: &'a ShareRoot,
    /// Those of the folders above, the outermost first; none where a folder has no file.
    above: Vec<Option<Gitignore>>,
}

impl<'a> Rules<'a> {
    /// At the beginning of a walk: what the folders above `start` say holds in it too. Blocks.
    #[must_use]
    pub fn above(root: &'a ShareRoot, start: &RelPath, typed: &'a Excludes) -> Self {
        let mut rules = Self { typed, root, above: Vec::new() };
        let mut folder = RelPath::root();
        for name in start.names() {
            rules.enter(&folder);
            folder = folder.join(name).unwrap_or_default();
        }
        rules
    }

    /// The walk goes into a folder. Blocks.
    pub fn enter(&mut self, folder: &RelPath) {
        self.above.push(read(self.root, folder));
    }

    /// The walk comes out of the folder it was in.
    pub fn leave(&mut self) {
        self.above.pop();
    }

    /// True if something is left out: its path from the root, and from where the walk began.
    #[must_use]
    pub fn leave_out(&self, path: &RelPath, inner: &[u8], is_folder: bool) -> bool {
        if self.typed.0.matched(as_path(inner), is_folder).is_ignore() {
            return true;
        }
        // The nearest file that says anything decides.
        let path = as_path(path.as_bytes());
        let said = self.above.iter().rev().flatten().map(|file| file.matched(path, is_folder));
        said.into_iter().find(|said| !said.is_none()).is_some_and(|said| matches!(said, Match::Ignore(_)))
    }
}

fn as_path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

/// The patterns in a folder. A line that cannot be understood is passed over, as git does.
fn read(root: &ShareRoot, folder: &RelPath) -> Option<Gitignore> {
    let open = root.open_file(&folder.join(FILE).ok()?).ok()?;
    let mut text = Vec::new();
    open.file.take(MAX_BYTES).read_to_end(&mut text).ok()?;
    let mut builder = GitignoreBuilder::new(as_path(folder.as_bytes()));
    for line in String::from_utf8_lossy(&text).lines() {
        if let Err(error) = builder.add_line(None, line) {
            tracing::debug!(%folder, %error, "a line of .meshignore is passed over");
        }
    }
    builder.build().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Which of these is left out, with `/` at the end of folders, as from the root of a tree with these files.
    fn left_out(files: &[(&str, &str)], typed: &[&str], asked: &[&str]) -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let root = ShareRoot::open(home.path()).unwrap();
        let excludes = Excludes::parse(typed.iter().copied()).unwrap();
        let is_out = |asked: &&str| {
            let path: RelPath = asked.trim_end_matches('/').parse().unwrap();
            Rules::above(&root, &path, &excludes).leave_out(&path, path.as_bytes(), asked.ends_with('/'))
        };
        asked.iter().filter(|asked| is_out(asked)).map(ToString::to_string).collect()
    }

    #[test]
    fn the_files_in_the_tree_speak_gits_language_and_the_nearest_decides() {
        let files = [
            (".meshignore", "# built things\n*.o\ntarget/\n/only-here\n!keep.o\n[broken\n"),
            ("deep/.meshignore", "!*.o\nsecret\n"),
        ];
        let asked = [
            "a.o",
            "keep.o",
            "target/",
            "target",
            "sub/target/",
            "only-here",
            "sub/only-here",
            "deep/a.o",
            "deep/secret",
            "secret",
            "deep/er/secret",
            ".meshignore",
            "a.c",
        ];
        let out = left_out(&files, &[], &asked);
        assert_eq!(out, ["a.o", "target/", "sub/target/", "only-here", "deep/secret", "deep/er/secret"]);
    }

    #[test]
    fn what_is_typed_holds_against_the_files() {
        let out = left_out(
            &[(".meshignore", "!a.log\n")],
            &["*.log", "/top"],
            &["a.log", "b/c.log", "top", "b/top"],
        );
        assert_eq!(out, ["a.log", "b/c.log", "top"]);
    }

    #[test]
    fn names_that_are_no_text_are_matched_too() {
        let home = tempfile::tempdir().unwrap();
        let root = ShareRoot::open(home.path()).unwrap();
        let excludes = Excludes::parse(["*.tmp"]).unwrap();
        let path = RelPath::root().join(b"\xff.tmp").unwrap();
        assert!(Rules::above(&root, &path, &excludes).leave_out(&path, path.as_bytes(), false));
    }

    #[test]
    fn a_pattern_that_makes_no_sense_is_told() {
        let error = Excludes::parse(["*.o", "[z-a]"]).unwrap_err();
        assert!(error.to_string().contains("[z-a]"), "{error}");
    }
}

//! What was chosen to be sent: files and folders of this machine, a piece of text, or standard input.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use agent::files::ignoring::Excludes;
use agent::share::ShareRoot;
use agent::transfer::outgoing::{Source, measure};
use anyhow::{Context, Result};
use clap::Args;
use proto::api::transfers::{ItemKind, MAX_ITEMS, MAX_PREVIEW, OfferedItem};
use proto::{ErrorCode, RelPath};
use tempfile::NamedTempFile;

use crate::report::failure;

/// Stands for standard input.
const STDIN: &str = "-";
/// What text is called at the receiver.
const TEXT_NAME: &str = "text.txt";
/// What standard input is called if nothing else is said.
const STDIN_NAME: &str = "stdin";

/// What was typed of what is to be sent.
#[derive(Clone, Debug, Args)]
pub struct Choice {
    /// Files and folders of this machine; `-` is what comes on standard input.
    #[arg(value_name = "PATH", required_unless_present = "text")]
    pub paths: Vec<PathBuf>,
    /// A piece of text.
    #[arg(long, value_name = "TEXT")]
    pub text: Option<String>,
    /// What standard input is called at the receiver.
    #[arg(long, value_name = "NAME", default_value = STDIN_NAME)]
    pub stdin_name: String,
    /// What to leave out of the folders, as a line of a .gitignore says it; may be repeated. What their `.meshignore`
    /// files say is left out anyway.
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
}

/// What is sent: each item as it lies here, and as it is offered.
pub struct Chosen {
    /// Where the items are.
    pub sources: Vec<Source>,
    /// How they are offered.
    pub offered: Vec<OfferedItem>,
    /// What is sent and is no file of this machine; it goes when this is dropped.
    _spooled: Vec<NamedTempFile>,
}

impl Choice {
    /// Looks at what was chosen; reads standard input to its end if that was. Blocks.
    ///
    /// # Errors
    /// It is not there, cannot be read, or is too much.
    pub fn look(&self) -> Result<Chosen> {
        if self.paths.len() + usize::from(self.text.is_some()) > MAX_ITEMS {
            return Err(failure(
                ErrorCode::BadParameter,
                format!("At most {MAX_ITEMS} files and folders are sent at once."),
                "Put them into a folder, and send that.",
            ));
        }
        let excludes = Arc::new(self.excludes()?);
        let mut chosen = Chosen { sources: Vec::new(), offered: Vec::new(), _spooled: Vec::new() };
        for path in &self.paths {
            if path.as_os_str() == STDIN {
                chosen.spool(&mut std::io::stdin().lock(), &self.stdin_name, ItemKind::File)?;
            } else {
                let (source, offered) = item(path, &excludes)?;
                chosen.add(source, offered);
            }
        }
        if let Some(text) = &self.text {
            chosen.spool(&mut text.as_bytes(), TEXT_NAME, ItemKind::Text)?;
        }
        Ok(chosen)
    }

    fn excludes(&self) -> Result<Excludes> {
        Excludes::parse(self.exclude.iter().map(String::as_str)).map_err(|error| {
            failure(
                ErrorCode::BadParameter,
                format!("{error}."),
                "Write it as in a .gitignore: *.tmp, target/, /only-here",
            )
        })
    }

    /// What the same choice would be another time; `None` if it cannot be made a second time.
    #[must_use]
    pub fn again(&self) -> Option<Vec<String>> {
        if self.text.is_some() || self.paths.iter().any(|path| path.as_os_str() == STDIN) {
            return None;
        }
        let whole = |path: &PathBuf| Some(std::fs::canonicalize(path).ok()?.to_string_lossy().into_owned());
        let excludes = self.exclude.iter().map(|pattern| Some(format!("!{pattern}")));
        self.paths.iter().map(whole).chain(excludes).collect()
    }
}

impl Chosen {
    fn add(&mut self, source: Source, offered: OfferedItem) {
        self.sources.push(source);
        self.offered.push(offered);
    }

    /// Keeps what has no end of its own, so that its size is known and it can be read again.
    fn spool(&mut self, from: &mut dyn Read, name: &str, kind: ItemKind) -> Result<()> {
        let mut file = NamedTempFile::new().context("no temporary file can be made")?;
        let size = std::io::copy(from, &mut file).context("what is to be sent cannot be kept")?;
        file.flush()?;
        self.add(source_of(file.path(), &Arc::default())?, OfferedItem::new(name, kind, size));
        self._spooled.push(file);
        Ok(())
    }
}

/// A file or folder, and how it is offered.
fn item(path: &Path, excludes: &Arc<Excludes>) -> Result<(Source, OfferedItem)> {
    let source = source_of(path, excludes)?;
    let size = measure(&source, MAX_PREVIEW).map_err(|error| unreadable(path, &error))?;
    let kind = if size.is_folder { ItemKind::Folder } else { ItemKind::File };
    let name = String::from_utf8_lossy(source.path.name().unwrap_or_default());
    let offered =
        OfferedItem { files: size.files, preview: size.preview, ..OfferedItem::new(name, kind, size.bytes) };
    Ok((source, offered))
}

fn source_of(path: &Path, excludes: &Arc<Excludes>) -> Result<Source> {
    // `.` and `..` have a name too, as folders that they are.
    let whole = std::fs::canonicalize(path).map_err(|error| unreadable(path, &error))?;
    let (Some(parent), Some(name)) = (whole.parent(), whole.file_name()) else {
        return Err(unreadable(path, &"it has no name"));
    };
    let root = Arc::new(ShareRoot::open(parent).map_err(|error| unreadable(path, &error))?);
    let path = RelPath::root().join(name.as_encoded_bytes())?;
    Ok(Source { root, path, excludes: Arc::clone(excludes) })
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> anyhow::Error {
    failure(
        ErrorCode::NotFound,
        format!("{} cannot be sent: {error}.", path.display()),
        "Name a file or folder of this machine.",
    )
}

//! `lanthorn edit`: a text file in one's own editor. Nobody else's change is lost, nor is one's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use clap::Args;
use proto::api::writing::Written;
use proto::{ErrorCode, VersionId};

use super::asking::Asking;
use crate::acting::{is, is_missing, say_undo};
use crate::address::Address;
use crate::cli::Typed;
use crate::content::{self, Content, There};
use crate::places::{Catalog, Place};
use crate::report::failure;
use crate::signed_in::SignedIn;
use crate::{config, paths, print};

/// What marks a place where both sides changed something.
const MARK: &[u8] = b"<<<<<<< ";

/// What was typed after `edit`.
///
/// Opens the file in $VISUAL or $EDITOR, and saves it when that ends. What somebody else changed meanwhile is merged.
#[derive(Debug, Args)]
pub struct Edit {
    /// The file, as DEVICE:SHARE/PATH. A new one, if there is none.
    #[arg(value_name = "ADDRESS")]
    address: String,
    #[command(flatten)]
    asking: Asking,
}

/// Edits.
pub fn run(command: &Edit, typed: &Typed) -> Result<()> {
    let address: Address = command.address.parse()?;
    let editor = editor()?;
    let drafts = config::resolve(&typed.settings)?.homes.state.join("drafts");
    command.asking.run(typed, async |at| {
        let place = Catalog::read(&at).await?.place(&address)?;
        let base = read(&at, &place).await?;
        let draft = Draft::begin(&drafts, &place, &base.bytes)?;
        let text = draft.edit(&editor).map_err(|error| draft.kept(error))?;
        if text == base.bytes {
            draft.end()?;
            print::remark("Nothing was changed.");
            return Ok(());
        }
        // From here on the draft stays until it is saved, however this ends.
        let saved = Saving { at: &at, place: &place, draft: &draft, editor: &editor }.save(base, text).await;
        let Written { entry, undo, .. } = saved.map_err(|error| draft.kept(error))?;
        draft.end()?;
        if command.asking.json {
            return print::json(
                &serde_json::json!({ "path": entry.path, "version": entry.version, "undo": undo }),
            );
        }
        print::line(&format!("{}: saved", place.address))?;
        undo.map_or(Ok(()), say_undo)
    })
}

/// The editor that was chosen, as a shell reads it.
fn editor() -> Result<String> {
    let set = |name| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    set("VISUAL").or_else(|| set("EDITOR")).ok_or_else(|| {
        let hint = "For example: EDITOR=nano lanthorn edit …";
        failure(ErrorCode::ToolMissing, "No editor is chosen.", hint)
    })
}

async fn read(at: &SignedIn, place: &Place) -> Result<Content> {
    match content::read(at, &place.url("stream", &[])).await {
        Err(error) if is_missing(&error) => Ok(Content { bytes: Vec::new(), tag: None }),
        read => read,
    }
}

/// The file on this machine that is edited.
struct Draft {
    folder: PathBuf,
    file: PathBuf,
}

impl Draft {
    /// In a folder of its own that nobody else can read, under the file's name: editors look at the ending.
    fn begin(drafts: &Path, place: &Place, text: &[u8]) -> Result<Self> {
        let folder = drafts.join(VersionId::generate().to_string());
        paths::make_private(&folder)?;
        let name = place.path.name().context("a share is no file")?;
        let name = String::from_utf8_lossy(name).replace(|c: char| c == '/' || c.is_control(), "_");
        let draft = Self { file: folder.join(name), folder };
        draft.put(text)?;
        Ok(draft)
    }

    fn put(&self, text: &[u8]) -> Result<()> {
        std::fs::write(&self.file, text).with_context(|| format!("cannot write {}", self.file.display()))
    }

    /// What it is after the editor has ended.
    fn edit(&self, editor: &str) -> Result<Vec<u8>> {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(format!("{editor} \"$1\"")).arg("sh").arg(&self.file);
        let ended = tokio::task::block_in_place(|| shell.status()).context("cannot start the editor")?;
        if !ended.success() {
            let message = format!("The editor ended with {ended}; nothing was saved.");
            return Err(failure(ErrorCode::Conflict, message, "Run the command again."));
        }
        std::fs::read(&self.file).with_context(|| format!("cannot read {}", self.file.display()))
    }

    /// The same error; and where what was written is.
    fn kept(&self, error: anyhow::Error) -> anyhow::Error {
        print::remark(&format!("What you wrote is kept in {}", self.file.display()));
        error
    }

    fn end(&self) -> Result<()> {
        Ok(std::fs::remove_dir_all(&self.folder)?)
    }
}

struct Saving<'a> {
    at: &'a SignedIn,
    place: &'a Place,
    draft: &'a Draft,
    editor: &'a str,
}

impl Saving<'_> {
    /// Saves a text that was made from `base`. Whenever somebody else was quicker, the two are merged.
    async fn save(&self, mut base: Content, mut text: Vec<u8>) -> Result<Written> {
        loop {
            let there = base.tag.as_ref().map_or(There::Nothing, There::Version);
            match content::write(self.at, self.place, &text, there).await {
                Err(error) if is(&error, ErrorCode::Conflict) || is(&error, ErrorCode::Exists) => {
                    let theirs = read(self.at, self.place).await?;
                    if theirs.tag.is_none() {
                        // It was deleted: whether it should be there again is not for a program to say.
                        return Err(error);
                    }
                    text = self.merge(&base, &theirs, &text)?;
                    base = theirs;
                }
                written => return written,
            }
        }
    }

    fn merge(&self, base: &Content, theirs: &Content, ours: &[u8]) -> Result<Vec<u8>> {
        if [&base.bytes, &theirs.bytes, ours].iter().any(|text| text.contains(&0)) {
            let message =
                "Somebody else changed this file meanwhile, and it is no text that could be merged.";
            return Err(failure(ErrorCode::Conflict, message, "Look at what is there now, then decide."));
        }
        match diffy::merge_bytes(&base.bytes, ours, &theirs.bytes) {
            Ok(merged) => {
                print::remark("Somebody else changed it meanwhile; both changes were merged.");
                self.draft.put(&merged)?;
                Ok(merged)
            }
            Err(marked) => {
                print::remark("Somebody else changed the same lines meanwhile; choose between the marks.");
                self.draft.put(&marked)?;
                let chosen = self.draft.edit(self.editor)?;
                if chosen.split(|byte| *byte == b'\n').any(|line| line.starts_with(MARK)) {
                    let message = "There are marks left; nothing was saved.";
                    return Err(failure(
                        ErrorCode::Conflict,
                        message,
                        "Choose between them, then save again.",
                    ));
                }
                Ok(chosen)
            }
        }
    }
}

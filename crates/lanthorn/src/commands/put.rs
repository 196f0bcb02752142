//! `lanthorn put`: files and folders of this machine into a share.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use proto::api::files::EntryType;
use proto::api::writing::{Clash, Outcome};
use proto::{ErrorCode, RelPath, VersionId};

use super::asking::Asking;
use super::ends::Ends;
use super::ls::stat;
use crate::acting::{clash, ended, is_missing, say_undo};
use crate::address::Address;
use crate::cli::Typed;
use crate::fetch::Progress;
use crate::places::{Catalog, Place};
use crate::report::failure;
use crate::sending::{Local, Sending, Sent, walk};
use crate::signed_in::SignedIn;
use crate::source::Source;
use crate::{config, paths, print};

/// What was typed after `put`.
///
/// What was broken off is gone on with when the same command is run again.
#[derive(Debug, Args)]
pub struct Put {
    /// Files and folders of this machine (`-` for standard input), and a place in a share.
    #[command(flatten)]
    ends: Ends,
    /// What standard input is called.
    #[arg(long = "as", value_name = "NAME")]
    called: Option<String>,
    /// What is done when a name is taken: ask (nothing, and say so), rename, replace (keeps a version), skip.
    #[arg(long, value_name = "HOW", value_parser = clash, default_value = "ask")]
    clash: Clash,
    #[command(flatten)]
    asking: Asking,
}

/// Sends them.
pub fn run(command: &Put, typed: &Typed) -> Result<()> {
    let dest: Address = command.ends.dest.parse()?;
    let state = config::resolve(&typed.settings)?.homes.state;
    command.asking.run(typed, async |at| {
        let dest = Catalog::read(&at).await?.place(&dest)?;
        let began = Instant::now();
        let input = Input::read(&command.ends.sources, &state)?;
        let base = command.base(&at, &dest).await?;
        let all = command.find(&input, &dest, base == dest.path)?;
        let (progress, base) = (Progress::shown(), dest.at(base));
        let notes = state.join("uploads");
        let sending = Sending { at: &at, base: &base, clash: command.clash, notes, progress: &progress };
        let sent = sending.run(all).await?;
        drop(progress);
        command.tell(&sent, &dest, began)
    })
}

impl Put {
    /// The folder that the target is in, or that it is.
    async fn base(&self, at: &SignedIn, dest: &Place) -> Result<RelPath> {
        match stat(&Source::around(at), dest).await {
            Ok(entry) if entry.entry_type == EntryType::Folder => Ok(dest.path.clone()),
            Ok(_) | Err(_) if self.ends.dest.ends_with('/') || self.ends.sources.len() > 1 => {
                let message = format!("\"{}\" is no folder.", dest.address);
                Err(failure(ErrorCode::NotFolder, message, "Name a folder that is there."))
            }
            Err(error) if !is_missing(&error) => Err(error),
            _ => dest.path.parent().context("a share is a folder"),
        }
    }

    /// Everything that is to be sent, and where it goes.
    fn find(&self, input: &Input, dest: &Place, into: bool) -> Result<Vec<Local>> {
        let mut all = Vec::new();
        for source in self.ends.sources.iter().map(Path::new) {
            let path = input.file.as_deref().filter(|_| is_input(source)).unwrap_or(source);
            let to = if into {
                dest.path.join(self.name_of(source)?.as_encoded_bytes())?
            } else {
                dest.path.clone()
            };
            all.extend(walk(path, to, &mut |path: &Path, why: &str| {
                print::remark(&format!("{}: left out: {why}", path.display()));
            })?);
        }
        Ok(all)
    }

    fn name_of(&self, source: &Path) -> Result<OsString> {
        if is_input(source) {
            let name = self.called.as_deref().ok_or_else(|| {
                let hint = "Give it one with: --as NAME";
                failure(ErrorCode::BadParameter, "Standard input has no name.", hint)
            })?;
            return Ok(name.into());
        }
        // `.` and `..` have one too, as folders that they are.
        let found = std::fs::canonicalize(source).map_err(|error| unreadable(source, &error))?;
        let named = source.file_name().or_else(|| found.file_name()).context("the root has no name")?;
        Ok(named.to_owned())
    }

    fn tell(&self, sent: &Sent, dest: &Place, began: Instant) -> Result<()> {
        if self.asking.json {
            print::json(sent)?;
        } else {
            for item in &sent.items {
                let address = dest.at(item.from.clone()).address;
                match (&item.outcome, &item.to) {
                    (Outcome::Skipped, _) => print::remark(&format!("{address}: left as it is")),
                    (Outcome::Renamed, Some(to)) => {
                        print::remark(&format!("{address}: now {}", dest.at(to.clone()).address));
                    }
                    _ => {}
                }
            }
            let (files, bytes) = (sent.files, print::size(sent.bytes));
            let many = if files == 1 { "file" } else { "files" };
            let seconds = began.elapsed().as_secs_f64();
            print::remark(&format!("{}: {files} {many}, {bytes} in {seconds:.1} s", dest.address));
            sent.undo.iter().filter(|_| sent.undo.len() == 1).try_for_each(|token| say_undo(*token))?;
        }
        ended(dest, &sent.items)
    }
}

/// Why something of this machine cannot be sent.
fn unreadable(source: &Path, error: &std::io::Error) -> anyhow::Error {
    let code = match error.kind() {
        std::io::ErrorKind::NotFound => ErrorCode::NotFound,
        std::io::ErrorKind::PermissionDenied => ErrorCode::AccessDenied,
        _ => ErrorCode::ReadFailed,
    };
    let message = format!("\"{}\" cannot be read on this machine: {error}.", source.display());
    failure(code, message, "Look at how it is spelled, and who may read it.")
}

fn is_input(source: &Path) -> bool {
    source == Path::new("-")
}

/// What came on standard input, in a file that goes away.
struct Input {
    file: Option<PathBuf>,
}

impl Input {
    fn read(sources: &[OsString], state: &Path) -> Result<Self> {
        if !sources.iter().any(|source| is_input(Path::new(source))) {
            return Ok(Self { file: None });
        }
        let folder = state.join("uploads");
        paths::make_private(&folder)?;
        let path = folder.join(format!("{}.input", VersionId::generate()));
        let input = Self { file: Some(path.clone()) };
        let mut file = std::fs::File::create_new(&path)?;
        std::io::copy(&mut std::io::stdin().lock(), &mut file)?;
        file.flush()?;
        Ok(input)
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(file) = &self.file {
            // It may be gone already.
            let _ = std::fs::remove_file(file);
        }
    }
}

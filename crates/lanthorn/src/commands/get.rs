//! `lanthorn get`: a copy of a file or folder on this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Args;
use proto::api::files::{Entry, EntryType};
use proto::{ErrorCode, RelPath};
use serde_json::json;

use super::asking::Asking;
use super::ls::stat;
use crate::address::Address;
use crate::cli::Typed;
use crate::fetch::{self, Progress, Summary, local_name};
use crate::places::{Catalog, Place};
use crate::print;
use crate::report::failure;
use crate::source::Source;

/// What was typed after `get`.
///
/// What was broken off is gone on with when the same command is run again.
#[derive(Debug, Args)]
pub struct Get {
    /// The file or folder, as DEVICE:SHARE/PATH.
    #[arg(value_name = "SOURCE")]
    source: String,
    /// What the copy is called, or with a slash at its end the folder it is put into; `-` for standard output. The
    /// source's own name in this folder, if absent.
    #[arg(value_name = "DEST")]
    dest: Option<PathBuf>,
    /// Write over files that are there.
    #[arg(short, long)]
    force: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Copies.
pub fn run(command: &Get, typed: &Typed) -> Result<()> {
    let address: Address = command.source.parse()?;
    command.asking.run(typed, async |at| {
        let place = Catalog::read(&at).await?.place(&address)?;
        let source = Source::straight(&at).await?;
        let progress = Progress::shown();
        if command.dest.as_deref() == Some(Path::new("-")) {
            return fetch::to_stdout(&source, &place, &progress).await.map(drop);
        }
        let began = Instant::now();
        let entry = stat(&source, &place).await?;
        let target = command.target(&place, &entry)?;
        let summary = command.copy(&source, &place, entry, &target, &progress).await?;
        drop(progress);
        command.tell(&summary, &target, began)?;
        summary.ended()
    })
}

impl Get {
    async fn copy(
        &self,
        source: &Source<'_>,
        place: &Place,
        entry: Entry,
        target: &Path,
        progress: &Progress,
    ) -> Result<Summary> {
        if entry.entry_type == EntryType::Folder {
            return fetch::folder(source, place, &entry, target, self.force, progress).await;
        }
        let bytes = entry.size;
        progress.expect(bytes);
        let resumed_bytes = fetch::file(source, place, entry, target, self.force, progress).await?;
        Ok(Summary { files: 1, bytes, resumed_bytes, ..Summary::default() })
    }

    /// Where the copy goes. A file goes into a folder that is there; a folder becomes what was named, so that the same
    /// command run again means the same place.
    fn target(&self, place: &Place, entry: &Entry) -> Result<PathBuf> {
        let Some(dest) = &self.dest else { return Ok(own_name(place)?.into()) };
        let into = dest.as_os_str().as_encoded_bytes().ends_with(b"/");
        if into && !dest.is_dir() {
            let message = format!("There is no folder {}.", dest.display());
            return Err(failure(
                ErrorCode::NotFound,
                message,
                "Make it first, or leave out the slash at the end.",
            ));
        }
        let into = into || (entry.entry_type != EntryType::Folder && dest.is_dir());
        if into { Ok(dest.join(own_name(place)?)) } else { Ok(dest.clone()) }
    }

    fn tell(&self, summary: &Summary, target: &Path, began: Instant) -> Result<()> {
        if self.asking.json {
            let mut document = serde_json::to_value(summary)?;
            document["target"] = json!(target.to_string_lossy());
            return print::json(&document);
        }
        for address in &summary.left_out {
            print::remark(&format!("{address}: left out, since it is no file or folder of the share itself"));
        }
        let unchanged = match summary.unchanged {
            0 => String::new(),
            count => format!(", {count} there already"),
        };
        let (files, bytes) = (summary.files, print::size(summary.bytes));
        let many = if files == 1 { "file" } else { "files" };
        let seconds = began.elapsed().as_secs_f64();
        print::remark(&format!("{}: {files} {many}, {bytes} in {seconds:.1} s{unchanged}", target.display()));
        Ok(())
    }
}

/// What the source is called: the share's name, for a whole share.
fn own_name(place: &Place) -> Result<OsString> {
    match place.path.name() {
        Some(name) => local_name(name),
        None => {
            let share = place.address.share.clone().unwrap_or_default();
            // A share's name can be no name of a file.
            let path = RelPath::root().join(share.as_bytes()).context("name the copy yourself")?;
            local_name(path.as_bytes())
        }
    }
}

//! `lanthorn receive`: takes what somebody gives by a code.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use proto::api::transfers::{Arrived, ItemKind, ItemState};
use proto::wire::by_code::Offer;
use proto::{ErrorCode, RelPath};

use crate::by_code::{self, Taker};
use crate::cli::Typed;
use crate::config;
use crate::print;
use crate::report::failure;
use crate::telemetry;

/// What was typed after `receive`.
///
/// Interrupted, it goes on where it stopped when it is typed again in the same folder while the sender still waits.
#[derive(Debug, Args)]
pub struct Receive {
    /// The code that the sender sees: 5-hamburger-endorse.
    #[arg(value_name = "CODE", required = true, num_args = 1..)]
    code: Vec<String>,
    /// The folder for what comes. This one, if absent.
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    into: PathBuf,
    /// A dash writes it to standard output: a text, or one file.
    #[arg(long, short, value_name = "-", conflicts_with = "into")]
    output: Option<String>,
    /// Take it without a question.
    #[arg(long, short)]
    yes: bool,
    /// Where the code is exchanged, as the sender sees it. All places that can be found, if absent.
    #[arg(long, value_name = "ADDRESS")]
    rendezvous: Option<String>,
    /// Say what happens as a JSON object a line.
    #[arg(long)]
    json: bool,
}

/// Takes it.
pub fn run(command: &Receive, typed: &Typed) -> Result<()> {
    telemetry::start_if_asked(&typed.output);
    let config = config::resolve(&typed.settings)?;
    if command.output.as_deref().is_some_and(|output| output != "-") {
        return Err(failure(
            ErrorCode::BadParameter,
            "--output takes a dash.",
            "For a folder: --into FOLDER",
        ));
    }
    if !command.yes && !std::io::stdin().is_terminal() {
        // Before the code is used.
        return Err(failure(
            ErrorCode::BadParameter,
            "Nobody can be asked whether to take it.",
            "Take it without a question: --yes",
        ));
    }
    let code = command.code.join("-");
    by_code::meet(&code, command.rendezvous.as_deref(), &config, command.json, async |taker| {
        command.take(taker).await
    })
}

impl Receive {
    async fn take(&self, mut taker: Taker<'_>) -> Result<()> {
        let offer = taker.offer().await?;
        if let Some(text) = &offer.text {
            self.tell_text(&taker, text)?;
            taker.has_text().await;
            return Ok(());
        }
        self.show(&taker, &offer);
        if let Err(error) = self.can_take(&offer).await {
            taker.decline().await;
            return Err(error);
        }
        let says = taker.says;
        if self.output.is_some() {
            let folder = tempfile::tempdir()?;
            let arrived = taker.take(offer, folder.path()).await?;
            return write_out(folder.path(), &arrived);
        }
        std::fs::create_dir_all(&self.into)
            .with_context(|| format!("cannot make {}", self.into.display()))?;
        let into = std::fs::canonicalize(&self.into)?;
        let arrived = taker.take(offer, &into).await?;
        tell(says, &arrived, &into)
    }

    fn tell_text(&self, taker: &Taker<'_>, text: &str) -> Result<()> {
        if self.json {
            taker.says.event("text", serde_json::json!({ "text": text }), "");
            return Ok(());
        }
        match self.output {
            // As it is, for a program.
            Some(_) => Ok(std::io::stdout().lock().write_all(text.as_bytes())?),
            None => text.lines().try_for_each(print::line),
        }
    }

    fn show(&self, taker: &Taker<'_>, offer: &Offer) {
        if self.json {
            return taker.says.event("offer", serde_json::json!({ "offer": offer }), "");
        }
        print::remark(&format!("From {}:", offer.from));
        if let Some(message) = &offer.message {
            print::remark(&format!("  \u{201c}{message}\u{201d}"));
        }
        for item in &offer.items {
            let offered = &item.offered;
            let files = match offered.kind {
                ItemKind::Folder => format!("/  {} files,", offered.files),
                ItemKind::File | ItemKind::Text => " ".into(),
            };
            print::remark(&format!("  {}{files} {}", offered.filename, print::size(offered.size)));
            for name in offered.preview.iter().take(5) {
                print::remark(&format!("      {name}"));
            }
        }
    }

    async fn can_take(&self, offer: &Offer) -> Result<()> {
        let is_file = |offer: &Offer| {
            offer.items.len() == 1 && offer.items.iter().all(|item| item.offered.kind != ItemKind::Folder)
        };
        if self.output.is_some() && !is_file(offer) {
            return Err(failure(
                ErrorCode::BadParameter,
                "Only one file can be written to standard output.",
                "Leave --output out; the code is still good.",
            ));
        }
        if self.yes {
            return Ok(());
        }
        let into = self.into.display().to_string();
        let answer = tokio::task::spawn_blocking(move || ask(&into)).await??;
        match answer {
            true => Ok(()),
            false => Err(failure(
                ErrorCode::Forbidden,
                "Not taken.",
                "The code is still good, should you want it later.",
            )),
        }
    }
}

fn ask(into: &str) -> Result<bool> {
    let mut err = std::io::stderr().lock();
    write!(err, "Take it into {into}? [y/N] ")?;
    err.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
}

/// Writes the one file that came to standard output.
fn write_out(folder: &Path, arrived: &Arrived) -> Result<()> {
    check(arrived)?;
    let path = arrived.items.first().and_then(|item| item.final_path.as_deref());
    let path: RelPath = path.context("nothing came")?.parse()?;
    let mut file = std::fs::File::open(folder.join(path.to_string()))?;
    std::io::copy(&mut file, &mut std::io::stdout().lock())?;
    Ok(())
}

fn tell(says: by_code::Says, arrived: &Arrived, into: &Path) -> Result<()> {
    for item in &arrived.items {
        if let Some(path) = &item.final_path
            && *path != item.filename
        {
            print::remark(&format!("{}: now {path}", item.filename));
        }
        for (before, now) in &item.renamed {
            print::remark(&format!("{before}: now {now}"));
        }
    }
    let bytes: u64 = arrived.items.iter().map(|item| item.received_size).sum();
    let sentence = format!("Received and verified: {} in {}", print::size(bytes), into.display());
    says.event("done", serde_json::json!({ "arrived": arrived, "into": into }), &sentence);
    check(arrived)
}

fn check(arrived: &Arrived) -> Result<()> {
    let lost = arrived.items.iter().find(|item| item.state != ItemState::Finalized);
    match lost {
        None => Ok(()),
        Some(item) => {
            let why = item.error.as_ref().map_or("it did not arrive", |error| error.message.as_str());
            Err(failure(ErrorCode::DeviceFailed, format!("{}: {why}", item.filename), "Ask for it again."))
        }
    }
}

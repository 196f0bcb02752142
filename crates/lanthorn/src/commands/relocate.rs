//! `lanthorn mv` and `lanthorn cp`: within a share in one step, across shares and machines by way of the coordinator.

use anyhow::Result;
use clap::Args;
use http::Request;
use http_body_util::{BodyExt, Full};
use proto::ErrorCode;
use proto::api::across::{CopyAcross, CopyEvent, CopySource, CopyTarget};
use proto::api::writing::{ActItem, Clash, Relocate, Step};

use super::asking::Asking;
use super::ends::Ends;
use crate::acting::{act, clash, ended, say_undo, targets, tell};
use crate::address::Address;
use crate::cli::Typed;
use crate::client::Refused;
use crate::places::{Catalog, Place};
use crate::print;
use crate::report::failure;
use crate::signed_in::SignedIn;

/// What was typed after `mv` or `cp`.
#[derive(Debug, Args)]
pub struct Relocation {
    #[command(flatten)]
    ends: Ends,
    /// What is done when a name is taken: ask (nothing, and say so), rename, replace (keeps a version), skip.
    #[arg(long, value_name = "HOW", value_parser = clash, default_value = "ask")]
    clash: Clash,
    #[command(flatten)]
    asking: Asking,
}

/// Moves.
pub fn run_move(command: &Relocation, typed: &Typed) -> Result<()> {
    command.run(typed, true)
}

/// Copies.
pub fn run_copy(command: &Relocation, typed: &Typed) -> Result<()> {
    command.run(typed, false)
}

impl Relocation {
    fn run(&self, typed: &Typed, moves: bool) -> Result<()> {
        let Ends { sources, dest } = &self.ends;
        let sources = sources.iter().map(|text| text.to_string_lossy().parse());
        let sources: Vec<Address> = sources.collect::<Result<_>>()?;
        let dest: Address = dest.parse()?;
        self.asking.run(typed, async |at| {
            let catalog = Catalog::read(&at).await?;
            let sources: Vec<Place> = sources.iter().map(|one| catalog.place(one)).collect::<Result<_>>()?;
            let dest = catalog.place(&dest)?;
            if sources.iter().all(|source| (source.device, source.share) == (dest.device, dest.share)) {
                self.within(&at, &sources, &dest, moves).await
            } else {
                self.across(&at, &sources, &dest, moves).await
            }
        })
    }

    async fn within(&self, at: &SignedIn, sources: &[Place], dest: &Place, moves: bool) -> Result<()> {
        let targets = targets(at, sources, dest, self.ends.dest.ends_with('/')).await?;
        let items = sources.iter().zip(targets);
        let items =
            items.map(|(from, to)| Step { from: from.path.to_string(), to: to.to_string() }).collect();
        let wish = Relocate { items, clash: self.clash };
        let acted = act(at, dest, if moves { "move" } else { "copy" }, &wish).await?;
        tell(dest, &acted, if moves { "moved" } else { "copied" }, self.asking.json)
    }

    async fn across(&self, at: &SignedIn, sources: &[Place], dest: &Place, moves: bool) -> Result<()> {
        targets(at, sources, dest, true).await?;
        let first = &sources[0];
        let folder = first.path.parent();
        let together = |one: &Place| {
            (one.device, one.share) == (first.device, first.share) && one.path.parent() == folder
        };
        if !sources.iter().all(together) {
            return Err(failure(
                ErrorCode::BadParameter,
                "What goes to another share together is in one folder.",
                "Give the command once for each folder.",
            ));
        }
        let paths = sources.iter().map(|one| one.path.to_string()).collect();
        let wish = CopyAcross {
            from: CopySource { device: first.device, share: first.share, paths },
            to: CopyTarget { device: dest.device, share: dest.share, path: dest.path.to_string() },
            moves,
            clash: self.clash,
        };
        let body = Full::new(serde_json::to_vec(&wish)?.into());
        let answer = at.send(Request::post("/api/v1/files/copy").body(body)?).await?;
        let events = read_events(answer.into_body().collect().await?.to_bytes().as_ref())?;
        self.tell_across(&events, dest)
    }

    fn tell_across(&self, events: &[CopyEvent], dest: &Place) -> Result<()> {
        if self.asking.json {
            print::json(&serde_json::json!({ "events": events }))?;
        }
        let items: Vec<ActItem> = events
            .iter()
            .filter_map(|event| if let CopyEvent::Item(item) = event { Some(item.clone()) } else { None })
            .collect();
        match events.last() {
            Some(CopyEvent::Done { files, bytes, moved, undo, undo_source, .. }) if !self.asking.json => {
                let done = if *moved { "moved" } else { "copied" };
                print::line(&format!("{files} files, {} {done}", print::size(*bytes)))?;
                undo.iter().chain(undo_source).try_for_each(|token| say_undo(*token))?;
                ended(dest, &items)
            }
            Some(CopyEvent::Done { .. }) => ended(dest, &items),
            Some(CopyEvent::Broken { error }) => Err(Refused(error.clone()).into()),
            _ => Err(failure(
                ErrorCode::DeviceFailed,
                "The answer broke off.",
                "Look at what has come, and copy the rest again.",
            )),
        }
    }
}

fn read_events(text: &[u8]) -> Result<Vec<CopyEvent>> {
    let lines = text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| Ok(serde_json::from_slice(line)?)).collect()
}

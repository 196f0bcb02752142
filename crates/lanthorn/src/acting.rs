//! Acts on files, asked of the machine that has them: sends them, and says what became of each thing.

use anyhow::Result;
use http::Method;
use proto::api::files::EntryType;
use proto::api::writing::{ActItem, Acted, Clash, Outcome};
use proto::{ErrorCode, RelPath, UndoToken};
use serde::Serialize;

use crate::client::Refused;
use crate::commands::ls::stat;
use crate::places::Place;
use crate::print;
use crate::report::{failure, hint};
use crate::signed_in::SignedIn;
use crate::source::Source;

/// Reads what shall be done when a name is taken.
pub fn clash(text: &str) -> Result<Clash, String> {
    match text {
        "ask" => Ok(Clash::Ask),
        "rename" => Ok(Clash::Rename),
        "replace" => Ok(Clash::Replace),
        "skip" => Ok(Clash::Skip),
        _ => Err("one of: ask (nothing, and say so), rename, replace (keeps a version), skip".into()),
    }
}

/// Has an act done in the share of a place.
pub async fn act(at: &SignedIn, place: &Place, route: &str, body: &impl Serialize) -> Result<Acted> {
    let url = format!("/api/v1/devices/{}/shares/{}/{route}", place.device, place.share);
    at.ask(Method::POST, &url, body).await
}

/// Says what became of each thing: what failed, what was left or has another name, and how it is undone.
pub fn tell(place: &Place, acted: &Acted, done: &str, as_json: bool) -> Result<()> {
    if as_json {
        print::json(acted)?;
    } else {
        say(place, acted, done)?;
    }
    ended(place, &acted.items)
}

fn say(place: &Place, acted: &Acted, done: &str) -> Result<()> {
    let address = |path: &RelPath| place.at(path.clone()).address.to_string();
    let mut count = 0;
    for item in &acted.items {
        count += usize::from(item.outcome != Outcome::Skipped && item.outcome != Outcome::Failed);
        match (item.outcome, &item.to) {
            (Outcome::Skipped, _) => print::remark(&format!("{}: left as it is", address(&item.from))),
            (Outcome::Renamed, Some(to)) => {
                print::remark(&format!("{}: now {}", address(&item.from), address(to)));
            }
            _ => {}
        }
    }
    if count > 0 {
        print::line(&format!("{count} {} {done}", if count == 1 { "thing" } else { "things" }))?;
    }
    acted.undo.map_or(Ok(()), say_undo)
}

/// Says how something is undone.
pub fn say_undo(token: UndoToken) -> Result<()> {
    print::line(&format!("Undo within seven days with: lanthorn undo {token}"))
}

/// Ends a command as its things ended.
pub fn ended(place: &Place, items: &[ActItem]) -> Result<()> {
    let failed: Vec<_> = items.iter().filter_map(|item| Some((item, item.error.as_ref()?))).collect();
    let Some((_, first)) = failed.first() else { return Ok(()) };
    if items.len() == 1 {
        return Err(Refused((*first).clone()).into());
    }
    for (item, error) in &failed {
        print::remark(&format!("{}: {} {}", place.at(item.from.clone()).address, error.message, hint(error)));
    }
    let message = format!("{} of {} things could not be done.", failed.len(), items.len());
    Err(failure(first.code, message, "Each is named above, with what to do."))
}

/// Where each of these goes: into a folder that is there, or, a single one, to the name itself.
pub async fn targets(at: &SignedIn, sources: &[Place], dest: &Place, folder: bool) -> Result<Vec<RelPath>> {
    let is_folder = match stat(&Source::around(at), dest).await {
        Ok(entry) => entry.entry_type == EntryType::Folder,
        Err(error) if is_missing(&error) && !folder && sources.len() == 1 => false,
        Err(error) => return Err(error),
    };
    if !is_folder && (folder || sources.len() > 1) {
        let message = format!("\"{}\" is no folder.", dest.address);
        return Err(failure(ErrorCode::NotFolder, message, "Name a folder that is there."));
    }
    let target = |source: &Place| -> Result<RelPath> {
        let name = source.path.name().filter(|_| is_folder);
        name.map_or_else(|| Ok(dest.path.clone()), |name| Ok(dest.path.join(name)?))
    };
    sources.iter().map(target).collect()
}

/// True if there is nothing of that name.
pub fn is_missing(error: &anyhow::Error) -> bool {
    is(error, ErrorCode::NotFound)
}

/// True for a refusal with this code.
pub fn is(error: &anyhow::Error, code: ErrorCode) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|Refused(error)| error.code == code)
}

//! `lanthorn find`: files and folders by name, on every machine at once, said as they are found.

use anyhow::{Context, Result};
use clap::Args;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use http::Request;
use http_body_util::{BodyExt, Full};
use proto::RelPath;
use proto::api::files::{Entry, EntryType, SearchEvent, SearchHit};
use serde_json::json;

use super::asking::Asking;
use crate::address::Address;
use crate::cli::Typed;
use crate::places::{Catalog, Place};
use crate::print;
use crate::report::failure;
use crate::signed_in::SignedIn;

/// Shares asked at once.
const SHARES_AT_ONCE: usize = 16;
/// The longest line of an answer.
const MAX_LINE_BYTES: usize = 1 << 20;

/// What was typed after `find`.
#[derive(Debug, Args)]
pub struct Find {
    /// Words in any order, each in the name or the path; `*` and `?` stand for anything.
    #[arg(value_name = "WORDS", required = true)]
    words: Vec<String>,
    /// Only here: a device (DEVICE:), a share or a folder (DEVICE:SHARE/PATH).
    #[arg(long, value_name = "ADDRESS")]
    within: Option<String>,
    /// Only of this kind: folder, image, video, audio, document, code, text, archive, other.
    #[arg(long, value_name = "KIND", value_parser = ["folder", "image", "video", "audio", "document", "code", "text", "archive", "other"])]
    kind: Option<String>,
    /// Results of each share, at most: 1 to 5000.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    limit: u32,
    /// With sizes and dates.
    #[arg(short, long)]
    long: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Searches.
pub fn run(command: &Find, typed: &Typed) -> Result<()> {
    let within = command.within.as_deref().map(str::parse::<Address>).transpose()?;
    command.asking.run(typed, async |at| {
        let catalog = Catalog::read(&at).await?;
        let places = places(&catalog, within.as_ref())?;
        command.search(&at, &catalog, places).await
    })
}

/// Where to look.
fn places(catalog: &Catalog, within: Option<&Address>) -> Result<Vec<Place>> {
    let whole = |share| catalog.within(share, RelPath::root());
    match within {
        None => Ok(catalog.shares.iter().map(whole).collect()),
        Some(address) if address.share.is_some() => Ok(vec![catalog.place(address)?]),
        Some(address) => {
            let device = catalog.device(address.device.as_deref())?;
            Ok(catalog.shares_of(device.id).map(whole).collect())
        }
    }
}

/// What one share found, and whether that is all.
struct Found {
    hits: Vec<SearchHit>,
    truncated: bool,
}

impl Find {
    async fn search(&self, at: &SignedIn, catalog: &Catalog, places: Vec<Place>) -> Result<()> {
        let is_online =
            |place: &Place| catalog.devices.iter().any(|device| device.id == place.device && device.online);
        let (places, offline): (Vec<_>, Vec<_>) = places.into_iter().partition(is_online);
        let mut offline: Vec<_> = offline.iter().map(|place| catalog.name_of(place.device)).collect();
        offline.dedup();
        let asked = places.len();
        let mut waiting = places.into_iter();
        let mut under_way = FuturesUnordered::new();
        let (mut results, mut problems, mut truncated, mut last) = (Vec::new(), Vec::new(), false, None);
        loop {
            while under_way.len() < SHARES_AT_ONCE
                && let Some(place) = waiting.next()
            {
                under_way.push(async move { (self.one(at, &place).await, place) });
            }
            let Some((found, place)) = under_way.next().await else { break };
            match found {
                Ok(found) => {
                    truncated |= found.truncated;
                    results.extend(found.hits.into_iter().map(|hit| located(&place, &hit)));
                }
                Err(error) if is_broken_pipe(&error) => return Err(error),
                Err(error) => {
                    problems
                        .push(json!({ "share": place.address.to_string(), "message": format!("{error:#}") }));
                    last = Some(error);
                }
            }
        }
        if self.asking.json {
            print::json(
                &json!({ "results": results, "truncated": truncated, "problems": problems, "offline": offline }),
            )?;
        } else {
            self.remark(truncated, &problems, &offline);
        }
        match last {
            Some(error) if problems.len() == asked => Err(error),
            _ if asked == 0 && !offline.is_empty() => Err(failure(
                proto::ErrorCode::DeviceOffline,
                "None of the devices is online.",
                "Try again when one is.",
            )),
            _ => Ok(()),
        }
    }

    fn remark(&self, truncated: bool, problems: &[serde_json::Value], offline: &[String]) {
        for problem in problems {
            let text = |key: &str| problem[key].as_str().unwrap_or_default().to_owned();
            print::remark(&format!("{}: {}", text("share"), text("message")));
        }
        for name in offline {
            print::remark(&format!("{name} is offline; it was not searched"));
        }
        if truncated {
            print::remark("There are more; a higher --limit shows them.");
        }
    }

    /// Asks one share and says each result as it comes.
    async fn one(&self, at: &SignedIn, place: &Place) -> Result<Found> {
        let (words, limit) = (self.words.join(" "), self.limit.to_string());
        let mut query = vec![("q", words.as_str()), ("limit", &limit), ("stream", "true")];
        query.extend(self.kind.as_deref().map(|kind| ("kind", kind)));
        let request = Request::get(place.url("search", &query)).body(Full::default())?;
        let mut body = at.send(request).await?.into_body();
        let (mut found, mut text) = (Found { hits: Vec::new(), truncated: false }, Vec::new());
        while let Some(frame) = body.frame().await {
            let Ok(bytes) = frame.context("the answer broke off")?.into_data() else { continue };
            text.extend_from_slice(&bytes);
            while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = text.drain(..=end).collect();
                match serde_json::from_slice(&line).context("the answer is not understood")? {
                    SearchEvent::Hit(hit) if self.asking.json => found.hits.push(hit),
                    SearchEvent::Hit(hit) => self.say(place, &hit.entry)?,
                    SearchEvent::Done { truncated, .. } => {
                        found.truncated = truncated;
                        return Ok(found);
                    }
                }
            }
            anyhow::ensure!(text.len() <= MAX_LINE_BYTES, "the answer is not understood");
        }
        anyhow::bail!("the answer broke off")
    }

    fn say(&self, place: &Place, entry: &Entry) -> Result<()> {
        let address = place.at(entry.path.clone()).address;
        let mark = if entry.entry_type == EntryType::Folder { "/" } else { "" };
        if !self.long {
            return print::line(&format!("{address}{mark}"));
        }
        // Columns of a fixed width: the next result is not known yet.
        let size = if entry.entry_type == EntryType::File { print::size(entry.size) } else { "-".into() };
        print::line(&format!("{size:>8}  {:16}  {address}{mark}", print::time(entry.modified)))
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<std::io::Error>().is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
}

fn located(place: &Place, hit: &SearchHit) -> serde_json::Value {
    let mut found = json!(hit);
    found["address"] = json!(place.at(hit.entry.path.clone()).address.to_string());
    found["device_id"] = json!(place.device);
    found["share_id"] = json!(place.share);
    found
}

//! `lanthorn find`: files and folders by name, on every machine at once, said as they are found.

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use http::Request;
use http::header::ACCEPT;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use proto::ErrorCode;
use proto::api::across::{FoundEntry, OfflineDevice, SearchAcrossEvent, SearchEnd, ShareError};
use proto::api::files::EntryType;
use serde_json::{Value, json};

use super::asking::Asking;
use crate::address::Address;
use crate::cli::Typed;
use crate::places::{Catalog, in_query};
use crate::print;
use crate::report::failure;

/// The longest line of an answer.
const MAX_LINE_BYTES: usize = 1 << 20;
/// How many results a coordinator sends of one share, at least and at most.
const OF_ONE_SHARE: (u32, u32) = (10, 1000);
/// How many results it sends in all, at least.
const IN_ALL: u32 = 20;

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
    /// Results, at most: 1 to 5000; of one share 1000.
    #[arg(long, value_name = "N", default_value_t = 800, value_parser = clap::value_parser!(u32).range(1..=5000))]
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
        let request =
            Request::get(command.url(&catalog, within.as_ref())?).header(ACCEPT, "application/x-ndjson");
        let answer = at.send(request.body(Full::default())?).await?;
        let search = Search { command, catalog: &catalog, found: Found::default() };
        search.follow(Lines::of(answer.into_body())).await
    })
}

impl Find {
    /// What is asked for.
    fn url(&self, catalog: &Catalog, within: Option<&Address>) -> Result<String> {
        let of_one = self.limit.clamp(OF_ONE_SHARE.0, OF_ONE_SHARE.1);
        let mut url = format!(
            "/api/v1/files/search?q={}&max_shares=200&timeout_budget_ms=20000&max_results_total={}&max_results_per_share={of_one}",
            in_query(&self.words.join(" ")),
            self.limit.max(IN_ALL),
        );
        if let Some(kind) = &self.kind {
            url.push_str(&format!("&kind={kind}"));
        }
        match within {
            None => {}
            Some(address) if address.share.is_some() => {
                let place = catalog.place(address)?;
                let (device, share, path) = (place.device, place.share, in_query(&place.path.to_string()));
                url.push_str(&format!("&device_id={device}&share_id={share}&path={path}"));
            }
            Some(address) => {
                url.push_str(&format!("&device_id={}", catalog.device(address.device.as_deref())?.id));
            }
        }
        Ok(url)
    }
}

/// What was found, and what was not looked into.
#[derive(Default)]
struct Found {
    said: u32,
    results: Vec<Value>,
    problems: Vec<ShareError>,
    offline: Vec<OfflineDevice>,
    /// Shares that answered to the end.
    answered: u32,
}

/// A search under way.
struct Search<'a> {
    command: &'a Find,
    catalog: &'a Catalog,
    found: Found,
}

impl Search<'_> {
    async fn follow(mut self, mut lines: Lines) -> Result<()> {
        while let Some(line) = lines.next().await? {
            match serde_json::from_slice(&line).context("the answer is not understood")? {
                SearchAcrossEvent::Hit(_) if self.found.said == self.command.limit => {
                    // More was asked for than is wanted: there is a least that can be asked for.
                    return self.end(&SearchEnd { truncated: true, ..SearchEnd::default() });
                }
                SearchAcrossEvent::Hit(hit) => self.say(&hit)?,
                SearchAcrossEvent::Offline(device) => self.found.offline.push(device),
                SearchAcrossEvent::Error(error) => self.found.problems.push(error),
                SearchAcrossEvent::Share(_) => self.found.answered += 1,
                SearchAcrossEvent::Done(end) => return self.end(&end),
            }
        }
        bail!("the answer broke off")
    }

    fn say(&mut self, hit: &FoundEntry) -> Result<()> {
        let FoundEntry { device_id, share_id, .. } = *hit;
        let entry = &hit.hit.entry;
        let address = match self.catalog.shares.iter().find(|share| share.id == share_id) {
            Some(share) => self.catalog.within(share, entry.path.clone()).address,
            // It came after the catalog was read.
            None => Address {
                device: Some(self.catalog.name_of(device_id)),
                share: Some(hit.share_name.clone()),
                path: entry.path.clone(),
            },
        };
        self.found.said += 1;
        if self.command.asking.json {
            let mut found = json!(hit);
            found["address"] = json!(address.to_string());
            self.found.results.push(found);
            return Ok(());
        }
        let mark = if entry.entry_type == EntryType::Folder { "/" } else { "" };
        if !self.command.long {
            return print::line(&format!("{address}{mark}"));
        }
        // Columns of a fixed width: the next result is not known yet.
        let size = if entry.entry_type == EntryType::File { print::size(entry.size) } else { "-".into() };
        print::line(&format!("{size:>8}  {:16}  {address}{mark}", print::time(entry.modified)))
    }

    fn end(self, end: &SearchEnd) -> Result<()> {
        let Found { said, results, problems, offline, answered } = self.found;
        if self.command.asking.json {
            print::json(&json!({
                "results": results,
                "truncated": end.truncated,
                "problems": problems,
                "unanswered": end.unanswered,
                "offline": offline,
            }))?;
        } else {
            remark(said, end, &problems, &offline);
        }
        match problems.into_iter().next() {
            Some(first) if answered == 0 => Err(failure(first.code, first.error, first.hint)),
            None if answered == 0 && said == 0 && !offline.is_empty() => Err(failure(
                ErrorCode::DeviceOffline,
                "None of the devices is online.",
                "Try again when one is.",
            )),
            _ => Ok(()),
        }
    }
}

fn remark(said: u32, end: &SearchEnd, problems: &[ShareError], offline: &[OfflineDevice]) {
    for problem in problems {
        print::remark(&format!("{}:{}: {}", problem.device_name, problem.share_name, problem.error));
    }
    for device in offline {
        print::remark(&format!("{} is offline; it was not searched", device.device_name));
    }
    if end.unanswered > 0 {
        print::remark(&format!("{} shares had not answered to the end.", end.unanswered));
    }
    match said {
        _ if end.truncated => print::remark("There may be more; more words or a higher --limit show them."),
        0 => print::remark("Nothing was found."),
        _ => {}
    }
}

/// An answer's lines, as they come.
struct Lines {
    body: Incoming,
    text: Vec<u8>,
}

impl Lines {
    fn of(body: Incoming) -> Self {
        Self { body, text: Vec::new() }
    }

    async fn next(&mut self) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = self.text.iter().position(|byte| *byte == b'\n') {
                return Ok(Some(self.text.drain(..=end).collect()));
            }
            ensure!(self.text.len() <= MAX_LINE_BYTES, "the answer is not understood");
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Ok(bytes) = frame.context("the answer broke off")?.into_data() {
                self.text.extend_from_slice(&bytes);
            }
        }
    }
}

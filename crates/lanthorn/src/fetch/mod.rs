//! Copies of files from a device: whole, of one version, resumed where a connection broke.
//!
//! ```text
//! mod         asks, asks again, and hands bytes to a sink: a partial file or standard output
//! part        the partial file beside the target, and how it becomes the target
//! folder      a whole tree, a few files at once
//! local_name  which names can be used on this system
//! progress    what is said meanwhile
//! ```

mod folder;
mod local_name;
mod part;
mod progress;

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use http::header::{CONTENT_RANGE, ETAG, IF_RANGE, InvalidHeaderValue, RANGE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Bytes;
use proto::ErrorCode;
use proto::api::files::{Entry, EntryType};
use tokio::io::AsyncWriteExt;

pub use folder::{Summary, folder};
pub use local_name::local_name;
pub use progress::{Counts, Progress};

use crate::client::Refused;
use crate::commands::ls::stat;
use crate::places::Place;
use crate::report::failure;
use crate::source::{Body, Source};

/// A connection on which nothing comes for so long is a broken one.
const STALL: Duration = Duration::from_secs(30);
/// How long is waited before the second attempt; twice as long before each further one.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// The longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(5);
/// How many attempts in a row may bring nothing.
const MAX_VAIN: u32 = 10;
/// How many times a file may change while it is copied.
const MAX_CHANGES: u32 = 5;

/// Where the bytes go.
trait Sink {
    /// Takes the next bytes.
    async fn take(&mut self, bytes: Bytes) -> Result<()>;
    /// Waits until what was taken is where it belongs, and says how many bytes of the file that are in all.
    async fn settle(&mut self) -> Result<u64>;
    /// Forgets all bytes: the file has become this one.
    async fn restart(&mut self, entry: &Entry) -> Result<()>;
}

/// How an attempt ended short of the file's end.
enum Broken {
    /// It may go better next time.
    Passing(anyhow::Error),
    /// The file is not the one it was.
    Changed,
    /// It will not go better.
    Final(anyhow::Error),
}

/// Copies one file to `target`. Returns what it is, and how many bytes were there from before.
pub async fn file(
    source: &Source<'_>,
    place: &Place,
    entry: Entry,
    target: &Path,
    force: bool,
    progress: &Progress,
) -> Result<u64> {
    must_be_file(&entry, place)?;
    part::refuse_existing(target, force)?;
    let mut entry = entry;
    let name = format!("{}/{}/{}", place.device, place.share, place.path);
    let (mut part, from) = part::Part::open(target, name, &entry).await?;
    progress.advance(from);
    let copied = async {
        copy(source, place, &mut entry, from, &mut part, progress).await?;
        part.commit(&entry, target, force).await
    };
    if let Err(error) = copied.await {
        part::forget_empty(target);
        return Err(error);
    }
    Ok(from)
}

/// Copies one file to standard output.
pub async fn to_stdout(source: &Source<'_>, place: &Place, progress: &Progress) -> Result<u64> {
    let mut entry = stat(source, place).await?;
    must_be_file(&entry, place)?;
    progress.expect(entry.size);
    let mut sink = Stdout { out: tokio::io::stdout(), sent: 0 };
    copy(source, place, &mut entry, 0, &mut sink, progress).await?;
    Ok(entry.size)
}

fn must_be_file(entry: &Entry, place: &Place) -> Result<()> {
    let (code, what, hint) = match entry.entry_type {
        EntryType::File => return Ok(()),
        EntryType::Folder => (ErrorCode::IsFolder, "a folder", "`lanthorn get` copies folders."),
        EntryType::LinkOut => (
            ErrorCode::OutsideShare,
            "a link that leads out of its share or nowhere",
            "It is never followed.",
        ),
        EntryType::Special => {
            (ErrorCode::OutsideShare, "neither a file nor a folder", "Only those can be read.")
        }
    };
    Err(failure(code, format!("\"{}\" is {what}.", place.address), hint))
}

/// Hands the file's bytes from `from` on to the sink, whatever happens to connections.
async fn copy(
    source: &Source<'_>,
    place: &Place,
    entry: &mut Entry,
    from: u64,
    sink: &mut impl Sink,
    progress: &Progress,
) -> Result<()> {
    let (mut have, mut vain, mut changes) = (from, 0, 0);
    loop {
        let ended = attempt(source, place, entry, have, sink, progress).await;
        if let Err(Broken::Final(error)) = ended {
            // First of all: a sink that takes no more has nothing to settle either.
            return Err(error);
        }
        let now = sink.settle().await?;
        if ended.is_ok() && now == entry.size {
            return Ok(());
        }
        if let Err(Broken::Passing(error)) = ended {
            vain = if now > have { 1 } else { vain + 1 };
            have = now;
            if vain > MAX_VAIN {
                return Err(error);
            }
            progress.remark(&format!("{}: {error:#}; trying again", place.address));
            tokio::time::sleep((FIRST_WAIT * 2_u32.pow(vain - 1)).min(LONGEST_WAIT)).await;
            continue;
        }
        changes += 1;
        if changes > MAX_CHANGES {
            let message = format!("\"{}\" changes all the time.", place.address);
            return Err(failure(ErrorCode::Conflict, message, "Try again when nobody writes to it."));
        }
        *entry = stat(source, place).await?;
        must_be_file(entry, place)?;
        sink.restart(entry).await?;
        progress.retreat(now);
        have = 0;
    }
}

/// One request, and as much of its answer as comes.
async fn attempt(
    source: &Source<'_>,
    place: &Place,
    entry: &Entry,
    have: u64,
    sink: &mut impl Sink,
    progress: &Progress,
) -> Result<(), Broken> {
    if have > 0 && have == entry.size {
        return Ok(());
    }
    let answer = ask(source, place, entry, have).await?;
    let mut body = answer.into_body();
    loop {
        let frame = tokio::time::timeout(STALL, body.frame()).await;
        let frame = frame.map_err(|_| Broken::Passing(anyhow::anyhow!("nothing came for a while")))?;
        match frame {
            None => return Ok(()),
            Some(Err(_)) => return Err(Broken::Passing(anyhow::anyhow!("the connection broke"))),
            Some(Ok(frame)) => {
                if let Ok(bytes) = frame.into_data() {
                    progress.advance(bytes.len() as u64);
                    sink.take(bytes).await.map_err(Broken::Final)?;
                }
            }
        }
    }
}

/// Asks for the rest of this version of the file.
async fn ask(source: &Source<'_>, place: &Place, entry: &Entry, have: u64) -> Result<Response<Body>, Broken> {
    let tag = format!("\"{}\"", entry.version);
    let headers = rest_of(&tag, have).map_err(|error| Broken::Final(error.into()))?;
    let asked = tokio::time::timeout(STALL, source.send(place, "download", &[], headers)).await;
    let asked = asked.map_err(|_| Broken::Passing(anyhow::anyhow!("no answer came for a while")))?;
    let answer = asked.map_err(refused)?;
    let is_same = answer.headers().get(ETAG).is_some_and(|found| found.as_bytes() == tag.as_bytes());
    let begins = answer.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
    let fits = match answer.status() {
        StatusCode::PARTIAL_CONTENT => {
            begins.is_some_and(|range| range.starts_with(&format!("bytes {have}-")))
        }
        status => status == StatusCode::OK && have == 0,
    };
    if is_same && fits { Ok(answer) } else { Err(Broken::Changed) }
}

/// The headers that ask for what follows the first bytes of this version.
fn rest_of(tag: &str, have: u64) -> Result<HeaderMap, InvalidHeaderValue> {
    let mut headers = HeaderMap::new();
    if have > 0 {
        headers.insert(RANGE, HeaderValue::try_from(format!("bytes={have}-"))?);
        headers.insert(IF_RANGE, HeaderValue::try_from(tag)?);
    }
    Ok(headers)
}

/// What a refusal means for the next attempt.
fn refused(error: anyhow::Error) -> Broken {
    match error.downcast_ref::<Refused>().map(|Refused(error)| error.code) {
        Some(ErrorCode::RangeNotSatisfiable | ErrorCode::PreconditionFailed) => Broken::Changed,
        Some(ErrorCode::DeviceFailed) | None => Broken::Passing(error),
        Some(code) if code.exit_code() == 5 => Broken::Passing(error),
        Some(_) => Broken::Final(error),
    }
}

/// Standard output: what was sent cannot be taken back.
struct Stdout {
    out: tokio::io::Stdout,
    sent: u64,
}

impl Sink for Stdout {
    async fn take(&mut self, bytes: Bytes) -> Result<()> {
        self.sent += bytes.len() as u64;
        Ok(self.out.write_all(&bytes).await?)
    }

    async fn settle(&mut self) -> Result<u64> {
        self.out.flush().await?;
        Ok(self.sent)
    }

    async fn restart(&mut self, _: &Entry) -> Result<()> {
        if self.sent == 0 {
            return Ok(());
        }
        Err(failure(
            ErrorCode::Conflict,
            "The file changed while it was read; what was written is of two versions.",
            "Start again, or use `lanthorn get`, which starts again by itself.",
        ))
    }
}

/// Runs work that waits for a disk.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work).await.context("a thread failed")?
}

//! Films converted while they are watched, into what every browser plays: H.264 and AAC in fragmented MP4.
//!
//! One process per viewer: a new wish of the same viewer ends the one before. The process lives as long as its
//! [`Converted`] is read: dropping it kills the process. Their number is bounded; one that nobody has read from for
//! [`STALLED`] makes room for a new one. Knows no transport.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use rustix::process::Pid;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::film::{Film, PROTOCOLS, VIDEO_FORMATS};
use super::media::Tools;
use super::tool::{self, Limits, Running, ToolError};
use crate::share::OpenFile;

/// A viewer who has read nothing for so long (a paused film, a browser that sleeps) gives way when all places are taken.
pub const STALLED: Duration = Duration::from_secs(60);
/// How much is read from the program at once.
const CHUNK: usize = 64 << 10;
/// How many chunks may wait for the viewer.
const WAITING: usize = 4;
/// The longer edge of a converted picture: what "1080p" has.
const MAX_EDGE: u32 = 1920;

/// Who watches: which session, and which of its players.
pub type Viewer = (String, String);

/// Why a film is not converted.
#[derive(Debug, thiserror::Error)]
pub enum TranscodeError {
    /// ffmpeg is not there.
    #[error("ffmpeg is missing")]
    ToolMissing,
    /// There is no picture track in it, or none that ffmpeg can read.
    #[error("not a film that can be converted")]
    NotFilm,
    /// As many films as may be are being converted.
    #[error("every place is taken")]
    Busy,
    /// The program could not be run.
    #[error("the conversion could not be started")]
    Run(#[source] ToolError),
}

/// Converts films.
pub struct Transcodes {
    tools: Tools,
    slots: Arc<Semaphore>,
    at_work: Arc<Mutex<AtWork>>,
}

#[derive(Default)]
struct AtWork {
    next: u64,
    jobs: HashMap<u64, Job>,
}

/// How a conversion is seen from outside.
#[derive(Clone)]
struct Job {
    viewer: Viewer,
    /// Once it was started.
    process: Arc<Mutex<Option<Pid>>>,
    stop: CancellationToken,
    ended: CancellationToken,
    /// Since when its viewer has not read.
    stalled: Arc<Mutex<Option<Instant>>>,
}

/// A place in the list. Dropped last, when the process is gone.
struct Place {
    number: u64,
    job: Job,
    at_work: Arc<Mutex<AtWork>>,
    slot: Option<OwnedSemaphorePermit>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.at_work.lock().jobs.remove(&self.number);
        drop(self.slot.take());
        self.job.ended.cancel();
    }
}

impl Transcodes {
    /// At most `most` films at once.
    #[must_use]
    pub fn new(most: usize, tools: Tools) -> Self {
        Self { tools, slots: Arc::new(Semaphore::new(most)), at_work: Arc::default() }
    }

    /// Converts a film from `start` seconds on. An empty name of the player shares with no other.
    ///
    /// # Errors
    /// [`TranscodeError`]. Whatever ffmpeg finds wrong with the film at its beginning is among them.
    pub async fn start(
        &self,
        viewer: Viewer,
        file: OpenFile,
        film: &Film,
        start: f64,
    ) -> Result<Converted, TranscodeError> {
        let ffmpeg = self.tools.ffmpeg().ok_or(TranscodeError::ToolMissing)?;
        if film.video.is_none() && self.tools.ffprobe().is_some() {
            return Err(TranscodeError::NotFilm);
        }
        let mut place = self.place(viewer).await;
        place.slot = Some(self.slot().await?);
        let running = tool::start(&ffmpeg, arguments(film, start), file.file, Limits::CONVERT)
            .map_err(TranscodeError::Run)?;
        *place.job.process.lock() = running.group();
        let (sender, chunks) = mpsc::channel(WAITING);
        tokio::spawn(pump(running, sender, place));
        let mut converted = Converted { chunks, first: None, ended: false };
        match converted.chunks.recv().await {
            Some(Ok(first)) if !first.is_empty() => converted.first = Some(first),
            _ => return Err(TranscodeError::NotFilm),
        }
        Ok(converted)
    }

    /// A place for this viewer, once whatever the same one had is gone.
    async fn place(&self, viewer: Viewer) -> Place {
        loop {
            let before = {
                let mut at_work = self.at_work.lock();
                let same = at_work.jobs.values().find(|job| !viewer.1.is_empty() && job.viewer == viewer);
                match same.cloned() {
                    Some(job) => job,
                    None => return at_work.enter(viewer, &self.at_work),
                }
            };
            before.end().await;
        }
    }

    async fn slot(&self) -> Result<OwnedSemaphorePermit, TranscodeError> {
        let free = || Arc::clone(&self.slots).try_acquire_owned();
        if let Ok(slot) = free() {
            return Ok(slot);
        }
        let longest = self.longest_stalled().ok_or(TranscodeError::Busy)?;
        longest.end().await;
        free().map_err(|_| TranscodeError::Busy)
    }

    #[cfg(test)]
    fn processes(&self) -> Vec<Pid> {
        self.at_work.lock().jobs.values().filter_map(|job| *job.process.lock()).collect()
    }

    fn longest_stalled(&self) -> Option<Job> {
        let at_work = self.at_work.lock();
        let stalled = at_work.jobs.values().filter_map(|job| Some(((*job.stalled.lock())?, job)));
        let (since, job) = stalled.min_by_key(|(since, _)| *since)?;
        (since.elapsed() >= STALLED).then(|| job.clone())
    }
}

impl AtWork {
    fn enter(&mut self, viewer: Viewer, list: &Arc<Mutex<Self>>) -> Place {
        let (stop, ended) = (CancellationToken::new(), CancellationToken::new());
        let job = Job { viewer, process: Arc::default(), stop, ended, stalled: Arc::default() };
        let number = self.next;
        self.next += 1;
        self.jobs.insert(number, job.clone());
        Place { number, job, at_work: Arc::clone(list), slot: None }
    }
}

impl Job {
    /// Ends it, and returns when it has ended.
    async fn end(&self) {
        tracing::debug!(process = ?*self.process.lock(), "a conversion gives way");
        self.stop.cancel();
        self.ended.cancelled().await;
    }
}

type Chunk = Result<Bytes, ToolError>;

/// Carries the program's output to the viewer, no faster than it is read. An empty chunk is the good end.
async fn pump(mut running: Running, sender: mpsc::Sender<Chunk>, place: Place) {
    tokio::select! {
        () = place.job.stop.cancelled() => {}
        () = sender.closed() => {}
        () = carry(&mut running, &sender, &place.job) => {}
    }
    // In this order: whoever waits for the place finds the process gone.
    drop(running);
    drop(place);
}

async fn carry(running: &mut Running, sender: &mpsc::Sender<Chunk>, job: &Job) {
    loop {
        *job.stalled.lock() = Some(Instant::now());
        let Ok(room) = sender.reserve().await else { return };
        *job.stalled.lock() = None;
        let chunk = match running.read(CHUNK).await {
            Ok(bytes) if bytes.is_empty() => running.finish().await.map(|()| Bytes::new()),
            read => read.map(Bytes::from),
        };
        let last = !matches!(&chunk, Ok(bytes) if !bytes.is_empty());
        room.send(chunk);
        if last {
            return;
        }
    }
}

/// A film as it is converted. Ends with an error unless the whole film came.
pub struct Converted {
    chunks: mpsc::Receiver<Chunk>,
    first: Option<Bytes>,
    ended: bool,
}

impl futures_util::Stream for Converted {
    type Item = Chunk;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Chunk>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        let chunk = match std::task::ready!(self.chunks.poll_recv(context)) {
            Some(Ok(bytes)) if !bytes.is_empty() => return Poll::Ready(Some(Ok(bytes))),
            Some(Ok(_)) => None,
            Some(Err(error)) => Some(Err(error)),
            // Ended from outside: never a short success.
            None => Some(Err(ToolError::Failed)),
        };
        self.ended = true;
        Poll::Ready(chunk)
    }
}

/// What ffmpeg is told.
fn arguments(film: &Film, start: f64) -> Vec<String> {
    let copy = can_copy_video(film);
    let start = format!("{:.3}", start_within(film, start));
    let scale = format!(
        "yadif=deint=interlaced,scale=w='min({MAX_EDGE},iw)':h='min({MAX_EDGE},ih)'\
         :force_original_aspect_ratio=decrease:force_divisible_by=2"
    );
    let input = format!("file:{}", tool::INPUT);
    let mut args = vec!["-nostdin", "-hide_banner", "-loglevel", "quiet"];
    args.extend(["-protocol_whitelist", PROTOCOLS, "-format_whitelist", VIDEO_FORMATS]);
    if copy {
        // The picture can begin only at a key frame; the sound has to begin there too.
        args.push("-noaccurate_seek");
    }
    args.extend(["-ss", &start, "-i", &input, "-map", "0:v:0", "-map", "0:a:0?", "-sn", "-dn"]);
    args.extend(["-map_metadata", "-1", "-map_chapters", "-1"]);
    if copy {
        args.extend(["-c:v", "copy"]);
    } else {
        args.extend(["-c:v", "libx264", "-preset", "veryfast", "-crf", "23", "-pix_fmt", "yuv420p"]);
        // A fragment ends at a key frame: with one every two seconds the film begins soon.
        args.extend(["-vf", &scale, "-force_key_frames", "expr:gte(t,n_forced*2)"]);
    }
    if copy && can_copy_audio(film) {
        args.extend(["-c:a", "copy"]);
    } else {
        args.extend(["-c:a", "aac", "-b:a", "160k", "-ac", "2"]);
    }
    args.extend(["-avoid_negative_ts", "make_zero", "-max_muxing_queue_size", "1024"]);
    args.extend(["-movflags", "frag_keyframe+empty_moov+default_base_moof", "-f", "mp4", "pipe:1"]);
    args.into_iter().map(str::to_owned).collect()
}

/// Not quite the end: a wish for the very end would get an empty film.
fn start_within(film: &Film, start: f64) -> f64 {
    film.duration.map_or(start, |duration| start.min(duration - 0.5)).max(0.0)
}

/// True if the pictures are already what browsers play, so that only the container has to change.
fn can_copy_video(film: &Film) -> bool {
    let container = ["matroska", "mov", "mpegts", "flv"].iter().any(|name| film.container.contains(name));
    let track = film.video.as_ref();
    container
        && track.is_some_and(|t| {
            t.codec == "h264" && t.progressive && matches!(t.pixels.as_str(), "yuv420p" | "yuvj420p")
        })
}

fn can_copy_audio(film: &Film) -> bool {
    film.audio.as_ref().is_some_and(|track| track.codec == "aac" && track.channels <= 2)
}

#[cfg(test)]
mod tests;

//! Small pictures of files: of images, of a film's first good frame, of a PDF's first page, of a text's first lines,
//! and a drawn tile for the rest. Knows no transport.
//!
//! [`Thumbnails::look`] says what would be drawn and under which name it may be kept; [`Thumbnails::draw`] finds it in
//! the [`cache`] or makes it when its turn comes in the [`queue`].

mod cache;
mod image;
mod queue;
mod source;
mod text;
mod tile;
mod video;

use std::path::Path;
use std::sync::{Arc, Once, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use proto::{RelPath, ShareId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use self::cache::{Cache, Kept};
use self::queue::{Queue, Work};
use self::source::Source;
use super::media::{MediaConfig, Tools};
use super::tool::ToolError;
use super::{FilesError, entry, off_thread};
use crate::agent::Share;
use crate::share::OpenFile;

/// The longer edge when the caller does not say.
pub const DEFAULT_EDGE: u32 = 320;
/// The longer edges that are made. Others are rounded up, so that the cache does not hold every picture many times.
const EDGES: [u32; 5] = [96, 160, 320, 640, 1024];
/// Changes whenever the same file would give another picture.
const RECIPE: u8 = 1;
/// All pictures being decoded together take about this much memory.
const MEMORY_MIB: u32 = 512;

/// Names a picture: what it was made from and how.
type Key = [u8; 32];

/// How a made picture is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For what has no transparent parts.
    Jpeg,
    /// For what has.
    Png,
}

impl Format {
    const fn ending(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }

    fn of_ending(ending: &str) -> Option<Self> {
        [Self::Jpeg, Self::Png].into_iter().find(|format| format.ending() == ending)
    }
}

/// A made picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// How it is coded.
    pub format: Format,
    /// The file.
    pub bytes: Bytes,
}

/// What is shown for a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thumbnail {
    /// A picture of its content.
    Picture(Encoded),
    /// The first lines of a text, as an SVG without anything active.
    Lines(String),
    /// A tile that tells only the kind, as an SVG.
    Tile(String),
}

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoPicture {
    /// Nothing can be made of this content, today or tomorrow: damaged, too large, of a coding nobody knows.
    #[error("nothing can be made of this content")]
    Never,
    /// Not this time: the tool is missing, or the disk failed.
    #[error("not now")]
    NotNow,
}

impl From<ToolError> for NoPicture {
    fn from(error: ToolError) -> Self {
        match error {
            ToolError::Run(_) => Self::NotNow,
            ToolError::Failed | ToolError::TimedOut | ToolError::TooMuch => Self::Never,
        }
    }
}

/// A file that was looked at, and what would be drawn of it.
pub struct Subject {
    file: Option<OpenFile>,
    source: Source,
    name: Vec<u8>,
    edge: u32,
    key: Key,
    version: String,
}

impl Subject {
    /// The name of the picture: the same for the same content, size and way of drawing.
    #[must_use]
    pub fn tag(&self) -> String {
        blake3::Hash::from_bytes(self.key).to_hex()[..32].to_owned()
    }

    /// The version of the file, as listings give it; empty for a folder.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    fn tile(&self) -> Thumbnail {
        Thumbnail::Tile(tile::draw(&self.name, self.file.is_none()))
    }
}

/// Draws small pictures and keeps them.
pub struct Thumbnails {
    cache: Arc<Cache>,
    queue: Queue<Result<Encoded, Arc<NoPicture>>>,
    studio: Studio,
    wait: Duration,
    pruning: Once,
}

/// What making a picture needs.
#[derive(Clone)]
struct Studio {
    tools: Tools,
    memory: Arc<Semaphore>,
    /// The least a job takes of `memory`, so that no more run at once than there may be workers.
    share: u32,
    films: bool,
}

impl Thumbnails {
    /// Pictures kept as the settings say, below `cache_dir` unless they name another place.
    #[must_use]
    pub fn new(config: &MediaConfig, cache_dir: &Path, tools: Tools) -> Self {
        let folder = config.thumbnail_dir.clone().unwrap_or_else(|| cache_dir.join("thumbnails"));
        let clock = Arc::new(SystemTime::now);
        let jobs = u32::try_from(config.thumbnail_jobs).unwrap_or(1).max(1);
        Self {
            cache: Arc::new(Cache::new(folder, config.thumbnail_bytes, config.thumbnail_unused, clock)),
            queue: Queue::new(config.thumbnail_jobs),
            studio: Studio {
                tools,
                memory: Arc::new(Semaphore::new(MEMORY_MIB as usize)),
                share: MEMORY_MIB / jobs,
                films: config.video_thumbnails,
            },
            wait: config.thumbnail_wait,
            pruning: Once::new(),
        }
    }

    /// Opens a file and says what would be drawn. `edge` is the longer edge in pixels, 64 to 1,024.
    ///
    /// # Errors
    /// [`FilesError`]: there is nothing to open. A folder is no error: it gets a tile.
    pub async fn look(&self, share: Arc<Share>, path: RelPath, edge: u32) -> Result<Subject, FilesError> {
        off_thread(move || {
            let name = path.name().unwrap_or_default().to_vec();
            let edge = step(edge);
            let (file, version) = match share.root.open_file(&path) {
                Ok(file) => {
                    let version = entry::version(&file.stat);
                    (Some(file), version)
                }
                Err(FilesError::IsFolder) => (None, String::new()),
                Err(error) => return Err(error),
            };
            let source = if file.is_some() { Source::of_name(&name) } else { Source::Nothing };
            let key = key(share.id, &path, &version, edge);
            Ok(Subject { file, source, name, edge, key, version })
        })
        .await
    }

    /// The picture, or what takes its place. Dropping the future gives it up.
    pub async fn draw(&self, mut subject: Subject) -> Thumbnail {
        let tile = subject.tile();
        let Some(file) = subject.file.take() else { return tile };
        match subject.source {
            Source::Nothing => return tile,
            Source::Text => return text::lines(file).await.map_or(tile, Thumbnail::Lines),
            Source::Film if !self.studio.films => return tile,
            _ => {}
        }
        self.keep_small();
        match self.kept(subject.key).await {
            Some(Kept::Picture(picture)) => return Thumbnail::Picture(picture),
            Some(Kept::Nothing) => return tile,
            None => {}
        }
        let work = || self.work(file, &subject);
        match self.queue.run(subject.key, self.wait, work).await {
            Some(Ok(picture)) => Thumbnail::Picture(picture),
            _ => tile,
        }
    }

    async fn kept(&self, key: Key) -> Option<Kept> {
        let cache = Arc::clone(&self.cache);
        tokio::task::spawn_blocking(move || cache.get(&key)).await.ok()?
    }

    /// The job: make it, then keep it.
    fn work(&self, file: OpenFile, subject: &Subject) -> Work<Result<Encoded, Arc<NoPicture>>> {
        let (studio, cache) = (self.studio.clone(), Arc::clone(&self.cache));
        let (source, edge, key) = (subject.source, subject.edge, subject.key);
        Box::pin(async move {
            let made = studio.make(file, source, edge).await;
            let keep = match &made {
                Ok(picture) => Some(Kept::Picture(picture.clone())),
                Err(NoPicture::Never) => Some(Kept::Nothing),
                Err(NoPicture::NotNow) => None,
            };
            if let Some(keep) = keep {
                // Not waited for: whoever asked has it sooner.
                drop(tokio::task::spawn_blocking(move || cache.put(&key, &keep)));
            }
            made.map_err(Arc::new)
        })
    }

    /// Sees to it, from the first picture on, that old ones go although nobody asks for new ones.
    fn keep_small(&self) {
        self.pruning.call_once(|| drop(tokio::spawn(prune_regularly(Arc::downgrade(&self.cache)))));
    }
}

/// Ends with the cache.
async fn prune_regularly(cache: Weak<Cache>) {
    loop {
        tokio::time::sleep(cache::PRUNE_EVERY).await;
        let Some(cache) = cache.upgrade() else { return };
        let _ = tokio::task::spawn_blocking(move || cache.prune()).await;
    }
}

impl Studio {
    async fn make(&self, file: OpenFile, source: Source, edge: u32) -> Result<Encoded, NoPicture> {
        match source {
            Source::Image(kind) => {
                let (file, kind, cost) = image::cost(file.file, kind).await?;
                let room = self.room(cost).await?;
                blocking(room, move || image::draw(file, kind, edge)).await
            }
            Source::Film | Source::Still => {
                let room = self.room(0).await?;
                let ffmpeg = self.tools.ffmpeg().ok_or(NoPicture::NotNow)?;
                let frame = video::frame(&ffmpeg, file.file, edge).await?;
                blocking(room, move || frame.encode()).await
            }
            Source::Page => {
                let room = self.room(0).await?;
                let pdftoppm = self.tools.pdftoppm().ok_or(NoPicture::NotNow)?;
                let page = video::page(&pdftoppm, file.file, edge).await?;
                blocking(room, move || page.encode()).await
            }
            Source::Text | Source::Nothing => Err(NoPicture::Never),
        }
    }

    /// Waits for room for a picture that takes this many bytes.
    async fn room(&self, bytes: u64) -> Result<OwnedSemaphorePermit, NoPicture> {
        let mib = u32::try_from(bytes >> 20).unwrap_or(MEMORY_MIB).clamp(self.share, MEMORY_MIB);
        Arc::clone(&self.memory).acquire_many_owned(mib).await.map_err(|_| NoPicture::NotNow)
    }
}

/// Works on the blocking pool. The room is given back when the work has ended, also if nobody waits for it.
async fn blocking<T: Send + 'static>(
    room: OwnedSemaphorePermit,
    work: impl FnOnce() -> Result<T, NoPicture> + Send + 'static,
) -> Result<T, NoPicture> {
    let done = tokio::task::spawn_blocking(move || {
        let made = work();
        drop(room);
        made
    });
    // A decoder that panics on odd content has shown that nothing can be made of it.
    done.await.unwrap_or(Err(NoPicture::Never))
}

fn step(edge: u32) -> u32 {
    EDGES.into_iter().find(|step| *step >= edge).unwrap_or(EDGES[EDGES.len() - 1])
}

fn key(share: ShareId, path: &RelPath, version: &str, edge: u32) -> Key {
    let mut hasher = blake3::Hasher::new();
    let share = share.to_string();
    for part in [&[RECIPE], share.as_bytes(), path.as_bytes(), version.as_bytes(), &edge.to_le_bytes()] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    *hasher.finalize().as_bytes()
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) use tests::playlists;

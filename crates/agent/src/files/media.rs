//! What pictures, films and the programs that read them have in common: settings, and where the programs are.
//! Knows no share and no request.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::film::Films;
use super::thumbnail::Thumbnails;
use super::transcode::Transcodes;

/// How pictures are made and kept, and how many films are converted at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaConfig {
    /// Where thumbnails are kept (`LANTHORN_THUMBNAIL_CACHE_DIR`); `None`: `thumbnails` in the agent's cache.
    pub thumbnail_dir: Option<PathBuf>,
    /// How long an unused thumbnail is kept (`LANTHORN_THUMBNAIL_CACHE_TTL_SECONDS`), 60 s to a day.
    pub thumbnail_unused: Duration,
    /// How much all thumbnails together may take on disk (`LANTHORN_THUMBNAIL_CACHE_MAX_MB`), 32 MiB to 4 GiB.
    pub thumbnail_bytes: u64,
    /// How many are made at once (`LANTHORN_THUMBNAIL_MAX_CONCURRENT`), 1 to 16.
    pub thumbnail_jobs: usize,
    /// How long a request waits for its picture before it gets the tile instead
    /// (`LANTHORN_THUMBNAIL_ACQUIRE_TIMEOUT_MS`), 20 ms to 60 s.
    pub thumbnail_wait: Duration,
    /// Whether films get a picture (`LANTHORN_ENABLE_VIDEO_THUMBNAILS`).
    pub video_thumbnails: bool,
    /// The ffmpeg to use (`LANTHORN_FFMPEG_BIN`); `None`: the one on the `PATH`. ffprobe is sought beside it.
    pub ffmpeg: Option<PathBuf>,
    /// How many films are converted at once (`LANTHORN_MAX_TRANSCODES`), 1 to 64.
    pub transcodes: usize,
}

impl Default for MediaConfig {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Self {
            thumbnail_dir: None,
            thumbnail_unused: Duration::from_secs(30 * 60),
            thumbnail_bytes: 256 << 20,
            thumbnail_jobs: cores.clamp(2, 6),
            thumbnail_wait: Duration::from_secs(20),
            video_thumbnails: true,
            ffmpeg: None,
            transcodes: cores,
        }
    }
}

impl MediaConfig {
    /// The same, with every number brought into its range.
    #[must_use]
    pub fn clamped(self) -> Self {
        Self {
            thumbnail_unused: self
                .thumbnail_unused
                .clamp(Duration::from_secs(60), Duration::from_secs(24 * 60 * 60)),
            thumbnail_bytes: self.thumbnail_bytes.clamp(32 << 20, 4096 << 20),
            thumbnail_jobs: self.thumbnail_jobs.clamp(1, 16),
            thumbnail_wait: self.thumbnail_wait.clamp(Duration::from_millis(20), Duration::from_secs(60)),
            transcodes: self.transcodes.clamp(1, 64),
            ..self
        }
    }
}

/// The rooms that need outside programs, as one agent has them.
pub struct Media {
    /// Small pictures of files.
    pub thumbnails: Thumbnails,
    /// What is inside films.
    pub films: Films,
    /// Films being converted.
    pub transcodes: Transcodes,
}

impl Media {
    /// The rooms with these settings. Touches no disk: the caches are made when first used.
    #[must_use]
    pub fn new(config: MediaConfig, cache_dir: &Path) -> Self {
        let config = config.clamped();
        let tools = Tools::new(config.ffmpeg.clone());
        Self {
            thumbnails: Thumbnails::new(&config, cache_dir, tools.clone()),
            films: Films::new(tools.clone()),
            transcodes: Transcodes::new(config.transcodes, tools),
        }
    }
}

/// Where the outside programs are. Sought at every use, so that one installed later is found without a restart.
#[derive(Clone, Debug)]
pub struct Tools {
    ffmpeg: Option<PathBuf>,
}

impl Tools {
    /// With this ffmpeg, or else the one on the `PATH`.
    #[must_use]
    pub const fn new(ffmpeg: Option<PathBuf>) -> Self {
        Self { ffmpeg }
    }

    /// The program that converts films and takes pictures out of them.
    #[must_use]
    pub fn ffmpeg(&self) -> Option<PathBuf> {
        match &self.ffmpeg {
            // A bare name is sought like any other program.
            Some(path) if path.components().count() == 1 => on_path(path),
            Some(path) => path.is_file().then(|| path.clone()),
            None => on_path(Path::new("ffmpeg")),
        }
    }

    /// The program that tells what is inside a film.
    #[must_use]
    pub fn ffprobe(&self) -> Option<PathBuf> {
        let beside = self.ffmpeg.as_ref().map(|ffmpeg| ffmpeg.with_file_name("ffprobe"));
        beside.filter(|path| path.is_file()).or_else(|| on_path(Path::new("ffprobe")))
    }

    /// The program that draws a page of a PDF.
    #[must_use]
    pub fn pdftoppm(&self) -> Option<PathBuf> {
        on_path(Path::new("pdftoppm"))
    }
}

fn on_path(name: &Path) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_out_of_range_are_brought_into_it() {
        let wild = MediaConfig {
            thumbnail_unused: Duration::ZERO,
            thumbnail_bytes: u64::MAX,
            thumbnail_jobs: 0,
            thumbnail_wait: Duration::MAX,
            transcodes: 1000,
            ..MediaConfig::default()
        };
        let tame = wild.clamped();
        assert_eq!(tame.thumbnail_unused, Duration::from_secs(60));
        assert_eq!(tame.thumbnail_bytes, 4 << 30);
        assert_eq!((tame.thumbnail_jobs, tame.transcodes), (1, 64));
        assert_eq!(tame.thumbnail_wait, Duration::from_secs(60));
        assert_eq!(MediaConfig::default().clamped(), MediaConfig::default());
    }

    #[test]
    fn a_named_ffmpeg_that_is_missing_is_missing() {
        assert_eq!(Tools::new(Some("/nowhere/ffmpeg".into())).ffmpeg(), None);
        assert_eq!(Tools::new(Some("no-such-program".into())).ffmpeg(), None);
        assert!(Tools::new(Some("sh".into())).ffmpeg().is_some());
    }
}

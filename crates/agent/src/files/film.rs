//! What is inside a film or a piece of music, as ffprobe tells it. Asked once per content, then remembered.

use std::collections::VecDeque;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use proto::api::files::{Kind, MediaInfo};
use proto::{RelPath, ShareId};
use serde::Deserialize;
use tokio::sync::Semaphore;

use super::media::Tools;
use super::tool::{self, Limits, ToolError};
use super::{FilesError, entry, kind, off_thread};
use crate::agent::Share;
use crate::share::OpenFile;

/// How ffmpeg and ffprobe may reach bytes: the opened file, and the pipe out. Never the network.
pub(crate) const PROTOCOLS: &str = "file,pipe";
/// The containers that may hold a picture. None of them can name another file: no playlists, no scripts, no devices.
pub(crate) const VIDEO_FORMATS: &str =
    "mov,matroska,webm,avi,flv,asf,mpegts,mpeg,mpegvideo,ogg,rm,dv,mxf,ivf,h264,hevc,m4v,wtv,nut";
/// The containers that may hold sound, besides [`VIDEO_FORMATS`].
const AUDIO_FORMATS: &str = "mp3,flac,wav,w64,aac,aiff,ac3,eac3,ape,wv,amr,caf,tta,opus";
/// How many films are remembered.
const REMEMBERED: usize = 256;
/// How many are looked at at once.
const AT_ONCE: usize = 2;
/// What ffprobe says at most.
const MAX_ANSWER: usize = 256 << 10;

/// What is inside.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Film {
    /// The containers it may be, as ffprobe names them.
    pub container: String,
    /// Seconds.
    pub duration: Option<f64>,
    /// The first real picture track; a cover is none.
    pub video: Option<VideoTrack>,
    /// The first sound track.
    pub audio: Option<AudioTrack>,
}

/// A picture track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VideoTrack {
    /// Its coding.
    pub codec: String,
    /// Pixels, as they are stored.
    pub width: Option<u32>,
    /// Pixels, as they are stored.
    pub height: Option<u32>,
    /// How its pixels are laid out.
    pub pixels: String,
    /// True if whole pictures follow each other, not every other line.
    pub progressive: bool,
}

/// A sound track.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AudioTrack {
    /// Its coding.
    pub codec: String,
    /// How many channels.
    pub channels: u32,
}

/// A content: whose, and its version.
type Content = (ShareId, String);

/// Looks into films.
pub struct Films {
    tools: Tools,
    seen: Mutex<VecDeque<(Content, Arc<Film>)>>,
    turns: Semaphore,
}

impl Films {
    /// With these programs.
    #[must_use]
    pub fn new(tools: Tools) -> Self {
        Self { tools, seen: Mutex::default(), turns: Semaphore::new(AT_ONCE) }
    }

    /// What the page is told of a file. Where ffprobe is missing or finds nothing, nothing is told.
    ///
    /// # Errors
    /// [`FilesError`]: there is no file to open.
    pub async fn info(&self, share: Arc<Share>, path: RelPath) -> Result<MediaInfo, FilesError> {
        let video_name = kind::of_name(path.name().unwrap_or_default()) == Kind::Video;
        let (_, film) = self.open(share, path).await?;
        let video = film.video.as_ref();
        Ok(MediaInfo {
            duration: film.duration,
            width: video.and_then(|track| track.width),
            height: video.and_then(|track| track.height),
            video_codec: video.map(|track| track.codec.clone()),
            audio_codec: film.audio.as_ref().map(|track| track.codec.clone()),
            can_transcode: (video.is_some() || (video_name && self.tools.ffprobe().is_none()))
                && self.tools.ffmpeg().is_some(),
        })
    }

    /// Opens a file and looks into it. A file that is no film is an empty one.
    ///
    /// # Errors
    /// [`FilesError`]: there is no file to open.
    pub async fn open(&self, share: Arc<Share>, path: RelPath) -> Result<(OpenFile, Arc<Film>), FilesError> {
        let id = share.id;
        let is_media = matches!(kind::of_name(path.name().unwrap_or_default()), Kind::Video | Kind::Audio);
        let (file, again) = off_thread(move || {
            let file = share.root.open_file(&path)?;
            let again = file.file.try_clone()?;
            Ok((file, again))
        })
        .await?;
        if !is_media {
            return Ok((file, Arc::default()));
        }
        let key = (id, entry::version(&file.stat));
        if let Some(film) = self.remembered(&key) {
            return Ok((file, film));
        }
        let film = match self.probe(again).await {
            Ok(film) => Arc::new(film),
            // Not remembered: a program may be installed, a busy machine become idle.
            Err(ToolError::Run(_)) => return Ok((file, Arc::default())),
            Err(_) => Arc::default(),
        };
        self.remember(key, Arc::clone(&film));
        Ok((file, film))
    }

    fn remembered(&self, key: &Content) -> Option<Arc<Film>> {
        let mut seen = self.seen.lock();
        let at = seen.iter().position(|(other, _)| other == key)?;
        let found = seen.remove(at)?;
        let film = Arc::clone(&found.1);
        seen.push_back(found);
        Some(film)
    }

    fn remember(&self, key: Content, film: Arc<Film>) {
        let mut seen = self.seen.lock();
        if seen.len() >= REMEMBERED {
            seen.pop_front();
        }
        seen.push_back((key, film));
    }

    async fn probe(&self, file: File) -> Result<Film, ToolError> {
        let missing = || ToolError::Run(std::io::ErrorKind::NotFound.into());
        let ffprobe = self.tools.ffprobe().ok_or_else(missing)?;
        let _turn = self.turns.acquire().await.map_err(|_| missing())?;
        probe(&ffprobe, file).await
    }
}

async fn probe(ffprobe: &Path, file: File) -> Result<Film, ToolError> {
    let input = format!("file:{}", tool::INPUT);
    let formats = format!("{VIDEO_FORMATS},{AUDIO_FORMATS}");
    let wanted = "format=format_name,duration:stream=codec_type,codec_name,width,height,pix_fmt,field_order,\
                  channels,duration:stream_disposition=attached_pic";
    let mut args = vec!["-v", "quiet", "-protocol_whitelist", PROTOCOLS, "-format_whitelist", &formats];
    args.extend(["-show_entries", wanted, "-of", "json=compact=1", &input]);
    let running = tool::start(ffprobe, args, file, Limits::GLANCE)?;
    let answer = running.read_to_end(MAX_ANSWER).await?;
    serde_json::from_slice::<Answer>(&answer).map(Film::from).map_err(|_| ToolError::Failed)
}

/// What ffprobe writes. It leaves out what it does not know.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Answer {
    streams: Vec<Stream>,
    format: Format,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Format {
    format_name: String,
    duration: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Stream {
    codec_type: String,
    codec_name: String,
    width: Option<u32>,
    height: Option<u32>,
    pix_fmt: String,
    field_order: String,
    channels: u32,
    duration: Option<String>,
    disposition: Disposition,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Disposition {
    attached_pic: u8,
}

impl From<Answer> for Film {
    fn from(answer: Answer) -> Self {
        let track =
            |kind| answer.streams.iter().find(|s| s.codec_type == kind && s.disposition.attached_pic == 0);
        let (video, audio) = (track("video"), track("audio"));
        let of_track = || video.or(audio).and_then(|stream| stream.duration.as_deref());
        let duration = answer.format.duration.as_deref().or_else(of_track);
        Self {
            duration: duration.and_then(|text| text.parse().ok()).filter(|seconds: &f64| *seconds > 0.0),
            video: video.map(|stream| VideoTrack {
                codec: stream.codec_name.clone(),
                width: stream.width.filter(|pixels| *pixels > 0),
                height: stream.height.filter(|pixels| *pixels > 0),
                pixels: stream.pix_fmt.clone(),
                progressive: matches!(stream.field_order.as_str(), "" | "unknown" | "progressive"),
            }),
            audio: audio
                .map(|stream| AudioTrack { codec: stream.codec_name.clone(), channels: stream.channels }),
            container: answer.format.format_name,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cover_is_no_film_and_what_is_left_out_is_unknown() {
        let answer = br#"{"streams":[{"codec_type":"video","codec_name":"mjpeg","disposition":{"attached_pic":1}},
            {"codec_type":"audio","codec_name":"mp3","channels":2,"duration":"1.5"}],"format":{"format_name":"mp3"}}"#;
        let film = Film::from(serde_json::from_slice::<Answer>(answer).unwrap());
        assert_eq!((film.video, film.duration), (None, Some(1.5)));
        assert_eq!(film.audio, Some(AudioTrack { codec: "mp3".into(), channels: 2 }));
        assert_eq!(Film::from(serde_json::from_slice::<Answer>(b"{}").unwrap()), Film::default());
    }
}

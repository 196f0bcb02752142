//! Shapes of the device API under `/agent/v1/shares/{share}/…`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::{IntoParams, ToSchema};

use crate::RelPath;

/// The most entries one page of a listing or search carries.
pub const MAX_PAGE: u32 = 5_000;
/// How many entries a page carries when the caller does not say.
pub const DEFAULT_PAGE: u32 = 500;

/// What an entry is, as far as opening it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryType {
    /// A folder (or a link to one inside the share).
    Folder,
    /// A regular file (or a link to one inside the share).
    File,
    /// A link that leads out of the share, or nowhere. It is shown and never opened.
    LinkOut,
    /// A device, FIFO or socket. It is shown and never opened.
    Special,
}

/// What a file is about, by its name's ending.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A folder.
    Folder,
    /// A picture.
    Image,
    /// A film.
    Video,
    /// Music or speech.
    Audio,
    /// Written pages: PDF, office documents, tables, e-books.
    Document,
    /// Source code, markup, configuration.
    Code,
    /// Plain text and notes.
    Text,
    /// An archive or disk image.
    Archive,
    /// Anything else.
    Other,
}

/// One file or folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Entry {
    /// The last name of the path, in its text form.
    pub name: String,
    /// The path from the share's root, in its text form. Empty for the root.
    #[schema(value_type = String)]
    pub path: RelPath,
    /// What it is.
    #[serde(rename = "type")]
    pub entry_type: EntryType,
    /// What it is about.
    pub kind: Kind,
    /// Bytes of a file; 0 for anything else.
    pub size: u64,
    /// When its content last changed.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(required)]
    pub modified: Option<OffsetDateTime>,
    /// Changes whenever the content does; the `ETag` of `stream` and `download`, without quotes. Empty for folders.
    pub version: String,
    /// True if it is reached through a symbolic link.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub link: bool,
}

/// A page of a folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listing {
    /// The folder.
    #[schema(value_type = String)]
    pub path: RelPath,
    /// The folder it is in; absent for the share's root.
    #[schema(value_type = Option<String>, required)]
    pub parent: Option<RelPath>,
    /// Number of entries in the whole folder (after the filter, where one was asked for).
    pub total: u64,
    /// Number of entries before this page.
    pub offset: u64,
    /// Names this state of the folder: pages with the same version fit together.
    pub version: String,
    /// The entries, in the order asked for.
    pub entries: Vec<Entry>,
}

/// What a listing is ordered by. Names are compared naturally: `a2` before `a10`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    /// By name.
    #[default]
    Name,
    /// By size, then name.
    Size,
    /// By time of the last change, then name.
    Modified,
    /// By kind, then name.
    Kind,
}

/// Which way a listing is ordered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SortOrder {
    /// Smallest, oldest, A first.
    #[default]
    Asc,
    /// Largest, newest, Z first.
    Desc,
}

/// The query of `list`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The folder, in text form; empty for the share's root.
    pub path: String,
    /// What to order by.
    #[param(inline)]
    pub sort: SortBy,
    /// Which way.
    #[param(inline)]
    pub order: SortOrder,
    /// Only entries whose name contains this (without case).
    pub filter: String,
    /// Only entries of this kind; folders are always shown.
    #[param(inline)]
    pub kind: Option<Kind>,
    /// How many entries to leave out before the page.
    pub offset: u64,
    /// How many entries the page may have: up to 5,000, or `all` for the whole folder as one streamed document.
    pub limit: String,
    /// Leave out names that begin with a dot.
    pub hide_dotfiles: bool,
}

/// The query of `search`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct SearchQuery {
    /// Words in any order, each in the name or the path; `*` and `?` make a word a pattern. Capitals in a word make it exact.
    pub q: String,
    /// Only below this folder.
    pub path: String,
    /// `false` to find only what is in that folder itself.
    pub recursive: Option<bool>,
    /// Only of this kind.
    #[param(inline)]
    pub kind: Option<Kind>,
    /// Only files of at least this many bytes.
    pub min_size: Option<u64>,
    /// Only files of at most this many bytes.
    pub max_size: Option<u64>,
    /// Only files changed at or after this time (RFC 3339).
    pub after: Option<String>,
    /// Only files changed before this time (RFC 3339).
    pub before: Option<String>,
    /// How many results at the most: up to 5,000.
    pub limit: Option<u32>,
    /// Answer with one JSON object a line as results come (`application/x-ndjson`): [`SearchEvent`].
    pub stream: bool,
}

/// A time of a query; none where nothing is said.
///
/// # Errors
/// What is wrong, as a sentence.
pub fn moment(name: &str, text: Option<&str>) -> Result<Option<OffsetDateTime>, String> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    let parsed = OffsetDateTime::parse(text, &Rfc3339);
    parsed.map(Some).map_err(|_| format!("'{name}' is not a time like 2026-01-31T12:00:00Z."))
}

/// How a result matched; better ones come first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum MatchType {
    /// The name is the query.
    Exact,
    /// The name begins with it.
    Prefix,
    /// Every word is in the name.
    Substring,
    /// A pattern fits.
    Wildcard,
    /// Some words are only in the path.
    Path,
    /// The letters come in this order, with others between.
    Fuzzy,
}

/// One result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchHit {
    /// The file or folder.
    #[serde(flatten)]
    pub entry: Entry,
    /// How it matched.
    pub match_type: MatchType,
}

/// The answer of `search`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SearchResult {
    /// The results, best first.
    pub entries: Vec<SearchHit>,
    /// How many matched in all (a lower bound where `complete` is false).
    pub total: u64,
    /// True if more matched than are listed.
    pub truncated: bool,
    /// False if the share was still being read or time ran out.
    pub complete: bool,
    /// Milliseconds it took.
    pub took_ms: u64,
}

/// One line of a streamed search.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum SearchEvent {
    /// A result.
    Hit(SearchHit),
    /// The end.
    Done {
        /// How many matched in all.
        total: u64,
        /// True if more matched than were sent.
        truncated: bool,
        /// False if the share was still being read or time ran out.
        complete: bool,
        /// Milliseconds it took.
        took_ms: u64,
    },
}

/// A query that names one place.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct PathQuery {
    /// The path, in text form; empty for the share's root.
    pub path: String,
}

/// What an archive is packed as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveFormat {
    /// Zip with Zip64 where needed.
    #[default]
    Zip,
    /// POSIX tar (pax headers), not compressed.
    Tar,
}

/// The query of `archive`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams, ToSchema)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ArchiveQuery {
    /// The folder whose content is packed, or the folder that holds what `names` lists.
    pub path: String,
    /// Names inside that folder, joined with `/`; empty for all of it.
    pub names: String,
    /// What it is packed as.
    #[param(inline)]
    pub format: ArchiveFormat,
    /// Break off at what cannot be packed, instead of listing it in a file at the end.
    pub whole: bool,
    /// Tar alone: names as they are, also those with a backslash or control character, for who unpacks with `unpack`.
    pub exact: bool,
}

/// The query of `thumbnail`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct ThumbnailQuery {
    /// The file, in text form.
    pub path: String,
    /// The longer edge in pixels, 64 to 1,024; 320 if absent.
    pub size: Option<u32>,
    /// The entry's `version`: lets the browser keep the answer for good.
    pub v: Option<String>,
}

/// The query of `transcode`.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub struct TranscodeQuery {
    /// The film, in text form.
    pub path: String,
    /// Seconds into the film at which to begin.
    pub start: f64,
    /// Names the viewer: a new request of the same viewer ends the one before.
    pub viewer: String,
}

/// What is inside a film or a piece of music.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct MediaInfo {
    /// Length in seconds, where the file tells.
    #[schema(required)]
    pub duration: Option<f64>,
    /// Picture width in pixels.
    #[schema(required)]
    pub width: Option<u32>,
    /// Picture height in pixels.
    #[schema(required)]
    pub height: Option<u32>,
    /// The picture's coding, as ffprobe names it.
    #[schema(required)]
    pub video_codec: Option<String>,
    /// The sound's coding, as ffprobe names it.
    #[schema(required)]
    pub audio_codec: Option<String>,
    /// True if ffmpeg is present, so that `transcode` can be asked for.
    pub can_transcode: bool,
}

/// What a device says of itself (`/agent/v1/info`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceInfo {
    /// Always `lanthorn-agent`.
    pub service: String,
    /// The program's version.
    pub version: String,
    /// The device.
    pub device: crate::DeviceId,
}

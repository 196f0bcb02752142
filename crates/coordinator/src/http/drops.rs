//! `/api/v1/drops`: links that any browser opens. Whoever makes one is signed in; whoever has one needs nothing else. Each
//! download asks anew whether its maker may still read what is behind it.

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::response::Response;
use peer::connection::Connection;
use proto::api::auth::Privacy;
use proto::api::drops::{
    DropItem, LIFETIME_SECONDS, MAX_PATHS, MadeDrop, MakeDrop, OpenedDrop, OwnDrop, OwnDrops, TakenDrop,
};
use proto::api::files::{Entry, EntryType};
use proto::id::DropId;
use proto::{ApiError, ErrorCode, Permission, RelPath};
use serde::Deserialize;
use serde_json::json;

use super::caller::{Anybody, PrivateCaller};
use super::devices;
use super::error::Refusal;
use super::json::JsonBody;
use super::pairing::Urls;
use super::trail::Trail;
use crate::access::{Caller, Client};
use crate::clock::from_ms;
use crate::coordinator::{Coordinator, Rooms};
use crate::files::{in_query, read_error, read_json};
use crate::settings::label;
use crate::store::drops::DropRow;

/// The longest word to whoever opens it.
const MAX_MESSAGE: usize = 500;
/// The longest answer about one file.
const MAX_STAT: usize = 64 * 1024;

/// What is asked for besides the address.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Wanted {
    /// A download that was taken.
    take: Option<String>,
}

/// Has something wait behind a link.
#[utoipa::path(post, path = "/api/v1/drops", tag = "drops", request_body = MakeDrop,
    responses((status = 201, body = MadeDrop), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)))]
pub(crate) async fn make(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    urls: Urls,
    JsonBody(asked): JsonBody<MakeDrop>,
) -> Result<(StatusCode, Json<MadeDrop>), Refusal> {
    let rooms = coordinator.rooms();
    let (message, lifetime_ms) = (message_in(&asked)?, lifetime_ms(&asked)?);
    let paths = paths_in(&asked.paths)?;
    for path in &paths {
        // Also whether it is there at all.
        look(rooms, &caller, &trail, &asked, path).await?;
    }
    let row = |now_ms: i64, secret_hash| DropRow {
        id: DropId::generate(),
        secret_hash,
        maker: caller.principal,
        share: asked.share_id,
        paths: paths.iter().map(ToString::to_string).collect(),
        message,
        created_ms: now_ms,
        expires_ms: now_ms + lifetime_ms,
        downloads: asked.downloads,
        taken: 0,
    };
    let (row, secret) = rooms.drops.make(row).await?.ok_or_else(too_many)?;
    let detail = json!({"drop": row.id, "paths": row.paths, "downloads": row.downloads});
    record(rooms, trail.done(Some(&caller), "drop.made", detail), &row).await;
    let link = format!("{}d/{secret}", urls.for_others().unwrap_or("/"));
    Ok((StatusCode::CREATED, Json(MadeDrop { made: own(row), secret, link })))
}

/// One's own drops.
#[utoipa::path(get, path = "/api/v1/drops", tag = "drops",
    responses((status = 200, body = OwnDrops), (status = 401, body = ApiError), (status = 403, body = ApiError)))]
pub(crate) async fn list(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
) -> Result<Json<OwnDrops>, Refusal> {
    let drops = coordinator.rooms().drops.of(caller.principal);
    Ok(Json(OwnDrops { drops: drops.into_iter().map(own).collect() }))
}

/// Ends a drop, and every download of it.
#[utoipa::path(delete, path = "/api/v1/drops/{drop}", tag = "drops",
    params(("drop" = String, Path, description = "the drop's id")),
    responses((status = 204), (status = 401, body = ApiError), (status = 403, body = ApiError),
        (status = 404, body = ApiError)))]
pub(crate) async fn end(
    State(coordinator): State<Coordinator>,
    PrivateCaller(caller): PrivateCaller,
    trail: Trail,
    Path(id): Path<String>,
) -> Result<StatusCode, Refusal> {
    let rooms = coordinator.rooms();
    let row = id.parse().ok().and_then(|id| rooms.drops.by_id(id));
    let row =
        row.filter(|row| row.maker == caller.principal || caller.is_owner()).ok_or_else(no_such_drop)?;
    rooms.drops.end(&row).await?;
    rooms.rights_moved();
    record(rooms, trail.done(Some(&caller), "drop.ended", json!({"drop": row.id})), &row).await;
    Ok(StatusCode::NO_CONTENT)
}

/// What is behind a link: names and sizes. Whoever has its secret is told.
#[utoipa::path(get, path = "/api/v1/drops/{drop}", tag = "drops",
    params(("drop" = String, Path, description = "the link's secret")),
    responses((status = 200, body = OpenedDrop), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)))]
pub(crate) async fn open(
    State(coordinator): State<Coordinator>,
    Anybody(connection): Anybody,
    trail: Trail,
    Path(secret): Path<String>,
) -> Result<Json<OpenedDrop>, Refusal> {
    let visit = Visit::begin(&coordinator, connection, trail, &secret)?;
    let mut items = Vec::with_capacity(visit.row.paths.len());
    for at in 0..visit.row.paths.len() {
        let entry = visit.look(at).await?;
        let is_folder = entry.entry_type == EntryType::Folder;
        items.push(DropItem {
            name: entry.name,
            is_folder,
            size: (!is_folder).then_some(entry.size),
            files: None,
        });
    }
    let row = visit.row;
    Ok(Json(OpenedDrop {
        from: coordinator.rooms().identity.principals().name(row.maker).unwrap_or_default(),
        expires_at: from_ms(row.expires_ms),
        downloads_left: row.left(),
        message: row.message,
        items,
    }))
}

/// Takes a download: what is answered opens the content as often as is wanted.
#[utoipa::path(post, path = "/api/v1/drops/{drop}/take", tag = "drops",
    params(("drop" = String, Path, description = "the link's secret")),
    responses((status = 200, body = TakenDrop), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)))]
pub(crate) async fn take(
    State(coordinator): State<Coordinator>,
    Anybody(connection): Anybody,
    trail: Trail,
    Path(secret): Path<String>,
) -> Result<Json<TakenDrop>, Refusal> {
    let visit = Visit::begin(&coordinator, connection, trail, &secret)?;
    visit.allowed()?;
    let (take, row) = visit.take().await?;
    Ok(Json(TakenDrop { take, downloads_left: row.left() }))
}

/// One file of a drop, with ranges; a folder as a zip archive.
#[utoipa::path(get, path = "/api/v1/drops/{drop}/files/{n}", tag = "drops",
    params(("drop" = String, Path, description = "the link's secret"),
        ("n" = usize, Path, description = "which of its items, from 0"),
        ("take" = Option<String>, Query, description = "a download that was taken; without it, this is one more")),
    responses((status = 200), (status = 206), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)))]
pub(crate) async fn file(
    State(coordinator): State<Coordinator>,
    Anybody(connection): Anybody,
    trail: Trail,
    Path((secret, n)): Path<(String, String)>,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Result<Response, Refusal> {
    let visit = Visit::begin(&coordinator, connection, trail, &secret)?;
    let at: usize = n.parse().map_err(|_| no_such_link())?;
    let tail = match visit.look(at).await?.entry_type {
        EntryType::Folder => archive_of(&visit.row.paths[at..=at])?,
        _ => format!("download?path={}", in_query(&visit.row.paths[at])),
    };
    visit.content(&wanted, &tail, request).await
}

/// Everything of a drop as one zip archive.
#[utoipa::path(get, path = "/api/v1/drops/{drop}/archive", tag = "drops",
    params(("drop" = String, Path, description = "the link's secret"),
        ("take" = Option<String>, Query, description = "a download that was taken; without it, this is one more")),
    responses((status = 200), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)))]
pub(crate) async fn archive(
    State(coordinator): State<Coordinator>,
    Anybody(connection): Anybody,
    trail: Trail,
    Path(secret): Path<String>,
    Query(wanted): Query<Wanted>,
    request: Request,
) -> Result<Response, Refusal> {
    let visit = Visit::begin(&coordinator, connection, trail, &secret)?;
    let tail = archive_of(&visit.row.paths)?;
    visit.content(&wanted, &tail, request).await
}

/// Somebody with a link, who asks in the name of whoever made it.
struct Visit<'a> {
    rooms: &'a Rooms,
    row: DropRow,
    caller: Caller,
    trail: Trail,
}

impl<'a> Visit<'a> {
    fn begin(
        coordinator: &'a Coordinator,
        connection: Connection,
        trail: Trail,
        secret: &str,
    ) -> Result<Self, Refusal> {
        let rooms = coordinator.rooms();
        let privacy = connection.privacy();
        if privacy == Privacy::Open && !rooms.settings.allow_open() {
            return Err(Refusal::not_private());
        }
        let row = rooms.drops.find(secret).ok_or_else(no_such_link)?;
        let owner = rooms.identity.owner_id().ok_or_else(Refusal::not_set_up)?;
        let caller =
            Caller { principal: row.maker, client: Client::Drop(row.id), privacy, owner, browser_id: None };
        Ok(Self { rooms, row, caller, trail })
    }

    /// Whether its maker may still read what is behind it.
    fn allowed(&self) -> Result<(), Refusal> {
        let share = self.rooms.share(self.row.share).ok_or_else(no_such_link)?;
        for permission in [Permission::Read, Permission::Download] {
            self.rooms
                .allow(&self.caller, share.place.device, self.row.share, permission)
                .map_err(|_| no_such_link())?;
        }
        devices::may_answer(self.rooms, share.place.device)
    }

    async fn take(&self) -> Result<(String, DropRow), Refusal> {
        let taken = self.rooms.drops.take(&self.row).await?.ok_or_else(all_taken)?;
        let detail = json!({"drop": self.row.id, "taken": taken.1.taken});
        record(self.rooms, self.trail.done(None, "drop.taken", detail), &self.row).await;
        Ok(taken)
    }

    async fn look(&self, at: usize) -> Result<Entry, Refusal> {
        self.allowed()?;
        let path = self.row.paths.get(at).ok_or_else(no_such_link)?;
        let answer = self.ask(&format!("stat?path={}", in_query(path)), Request::new(Body::empty())).await?;
        entry_in(answer).await
    }

    /// The bytes, if a download was taken for them, or one is left.
    async fn content(&self, wanted: &Wanted, tail: &str, request: Request) -> Result<Response, Refusal> {
        self.allowed()?;
        let taken = wanted.take.as_ref().is_some_and(|mark| self.rooms.drops.was_taken(&self.row, mark));
        if !taken && request.method() != Method::HEAD {
            self.take().await?;
        }
        let mut onward = Request::new(Body::empty());
        *onward.method_mut() = request.method().clone();
        *onward.headers_mut() = for_content(request.headers());
        self.ask(tail, onward).await
    }

    async fn ask(&self, tail: &str, request: Request) -> Result<Response, Refusal> {
        let device = self.rooms.share(self.row.share).ok_or_else(no_such_link)?.place.device;
        let tail = format!("/shares/{}/{tail}", self.row.share);
        devices::send(self.rooms, &self.caller, &self.trail, device, &tail, request).await
    }
}

/// What a request for content says of the content it wants.
fn for_content(headers: &HeaderMap) -> HeaderMap {
    let wanted = [
        header::RANGE,
        header::IF_RANGE,
        header::IF_NONE_MATCH,
        header::IF_MODIFIED_SINCE,
        header::ACCEPT_ENCODING,
    ];
    wanted.into_iter().filter_map(|name| Some((name.clone(), headers.get(&name)?.clone()))).collect()
}

/// How the archive of some names in one folder is asked for.
fn archive_of(paths: &[String]) -> Result<String, Refusal> {
    let paths: Vec<RelPath> = paths_in(paths)?;
    let folder = paths.first().and_then(RelPath::parent).unwrap_or_default();
    let names: Vec<String> =
        paths.iter().filter_map(|path| path.to_string().rsplit('/').next().map(str::to_owned)).collect();
    Ok(format!("archive?path={}&names={}", in_query(&folder.to_string()), in_query(&names.join("/"))))
}

fn paths_in(typed: &[String]) -> Result<Vec<RelPath>, Refusal> {
    if typed.is_empty() || typed.len() > MAX_PATHS {
        return Err(Refusal::parameter(format!("A link is for 1 to {MAX_PATHS} files and folders.")));
    }
    let parse = |text: &String| {
        text.parse::<RelPath>().map_err(|error| {
            let message = format!("This is not a path: {error}.");
            Refusal::new(ErrorCode::BadPath, message, "Write it as a listing does.")
        })
    };
    let paths: Vec<RelPath> = typed.iter().map(parse).collect::<Result<_, _>>()?;
    let folder = paths.first().and_then(RelPath::parent);
    let folder = folder.ok_or_else(|| Refusal::parameter("A whole share is not given away by a link."))?;
    if paths.iter().any(|path| path.parent().as_ref() != Some(&folder)) {
        return Err(Refusal::parameter("All that one link is for is in one folder."));
    }
    Ok(paths)
}

fn message_in(asked: &MakeDrop) -> Result<Option<String>, Refusal> {
    let Some(message) = asked.message.as_deref().filter(|message| !message.trim().is_empty()) else {
        return Ok(None);
    };
    let message = label(message, MAX_MESSAGE);
    message.map(Some).ok_or_else(|| Refusal::parameter("A word to the receiver has at most 500 characters."))
}

fn lifetime_ms(asked: &MakeDrop) -> Result<i64, Refusal> {
    if !LIFETIME_SECONDS.contains(&asked.lifetime_seconds) {
        return Err(Refusal::parameter("A link is good for one minute to 30 days."));
    }
    if asked.downloads == Some(0) {
        return Err(Refusal::parameter("A link can be taken at least once."));
    }
    i64::try_from(asked.lifetime_seconds * 1000).map_err(|_| Refusal::internal())
}

/// Whether somebody may give away what is at this path, and whether it is there.
async fn look(
    rooms: &Rooms,
    caller: &Caller,
    trail: &Trail,
    asked: &MakeDrop,
    path: &RelPath,
) -> Result<(), Refusal> {
    let none = || Refusal::not_found("There is no such share.");
    let device = rooms.share(asked.share_id).ok_or_else(none)?.place.device;
    rooms.allow(caller, device, asked.share_id, Permission::Download)?;
    let tail = format!("/shares/{}/stat?path={}", asked.share_id, in_query(&path.to_string()));
    let answer = devices::send(rooms, caller, trail, device, &tail, Request::new(Body::empty())).await?;
    entry_in(answer).await.map(drop)
}

/// What a device says of a file or folder.
async fn entry_in(answer: Response) -> Result<Entry, Refusal> {
    let body = read_error(answer).await.map_err(Refusal)?;
    read_json(body, MAX_STAT).await.map_err(Refusal)
}

fn own(row: DropRow) -> OwnDrop {
    let first = row.paths.first().and_then(|path| path.rsplit('/').next()).unwrap_or_default();
    let title = match row.paths.len() {
        0 | 1 => first.to_owned(),
        many => format!("{first} +{}", many - 1),
    };
    OwnDrop {
        id: row.id,
        title,
        share_id: Some(row.share),
        created_at: from_ms(row.created_ms),
        expires_at: from_ms(row.expires_ms),
        taken: row.taken,
        downloads_left: row.left(),
        paths: row.paths,
        message: row.message,
    }
}

async fn record(rooms: &Rooms, entry: crate::audit::Entry, row: &DropRow) {
    let entry = match rooms.share(row.share) {
        Some(share) => entry.about(row.share, &share.place),
        None => entry,
    };
    rooms.audit.record(entry).await;
}

fn no_such_drop() -> Refusal {
    Refusal::not_found("There is no such link.")
}

/// To whoever has a link that opens nothing. That it was good once is nobody's business.
fn no_such_link() -> Refusal {
    Refusal::new(
        ErrorCode::NotFound,
        "This link opens nothing, or not any more.",
        "Ask whoever gave it to you for another one.",
    )
}

fn all_taken() -> Refusal {
    Refusal::new(
        ErrorCode::Gone,
        "This link was taken as often as it may be.",
        "Ask whoever gave it to you for another one.",
    )
}

fn too_many() -> Refusal {
    Refusal::new(ErrorCode::TooMany, "There are too many links of yours.", "End some that are not needed.")
}

//! `/api/v1/files/…`: listing a share and searching them all, in one answer or as results come.
//! Every device is asked by the way that every request to a device takes: with the caller's rights and a ticket.

use std::collections::{BTreeSet, HashSet};
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse, Response};
use futures_util::future::BoxFuture;
use futures_util::{Stream, StreamExt};
use proto::api::across::{
    FoundAcross, FoundEntry, FoundItem, Item, ListAcrossQuery, ListingAcross, OfflineDevice,
    SearchAcrossEvent, SearchAcrossQuery, ShareError,
};
use proto::api::files::{Entry, EntryType, Listing, moment};
use proto::{ApiError, DeviceId, ErrorCode, Permission, Permissions, RelPath, ShareId};

use super::devices;
use super::error::Refusal;
use super::json::QueryOf;
use super::trail::Trail;
use crate::access::Caller;
use crate::catalog::Placed;
use crate::coordinator::{Coordinator, Rooms};
use crate::files::search::{Narrow, Scene, Wish, search as search_all};
use crate::files::{Ask, Place, in_query, read_listing};

/// The longest query, in characters.
const MAX_QUERY: usize = 120;
/// How long a device may take to list a folder.
const LIST_TIMEOUT: Duration = Duration::from_secs(12);

/// Asks devices in the name of the caller.
struct InTheNameOf {
    coordinator: Coordinator,
    caller: Caller,
    trail: Trail,
}

impl Ask for InTheNameOf {
    fn ask(&self, place: &Place, tail: String) -> BoxFuture<'_, Result<Response, ApiError>> {
        let device = place.device;
        Box::pin(async move {
            let (rooms, request) = (self.coordinator.rooms(), Request::new(Body::empty()));
            let sent = devices::send(rooms, &self.caller, &self.trail, device, &tail, request);
            sent.await.map_err(|refusal| refusal.0)
        })
    }

    fn still(&self, place: &Place) -> bool {
        let rooms = self.coordinator.rooms();
        rooms.still_lives(&self.caller)
            && rooms.allow(&self.caller, place.device, place.share, Permission::Read).is_ok()
    }
}

/// A folder of a share, on whichever machine, as older programs ask for it.
#[utoipa::path(get, path = "/api/v1/files/list", tag = "files", params(ListAcrossQuery),
    responses((status = 200, body = ListingAcross), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)))]
pub(crate) async fn list(
    State(coordinator): State<Coordinator>,
    caller: Caller,
    trail: Trail,
    QueryOf(query): QueryOf<ListAcrossQuery>,
) -> Result<Json<ListingAcross>, Refusal> {
    let limit = within("max_results", query.max_results, 300, 50..=5000)?;
    let path = parse_path(&query.path)?;
    let share = named(coordinator.rooms(), &caller, &query.device_id, &query.share_id)?;
    let permissions = coordinator.rooms().held(&caller, &share).permissions;
    let place = place_of(coordinator.rooms(), &share);
    let tail = format!("/shares/{}/list?path={}&limit={limit}", place.share, in_query(&path.to_string()));
    let asking = InTheNameOf { coordinator, caller, trail };
    let reading = async { read_listing(asking.ask(&place, tail).await?, &path, limit).await };
    let listing =
        tokio::time::timeout(LIST_TIMEOUT, reading).await.map_err(|_| too_slow())?.map_err(Refusal)?;
    Ok(Json(shown(&place, permissions, limit, listing)))
}

fn too_slow() -> Refusal {
    Refusal::new(ErrorCode::TimedOut, "The device took too long to answer.", "Try again.")
}

fn shown(place: &Place, permissions: Permissions, limit: u32, listing: Listing) -> ListingAcross {
    let may_copy = permissions.allows(Permission::Download);
    ListingAcross {
        device_id: place.device,
        share_id: place.share,
        permissions,
        parent_path: listing.path.parent(),
        current_path: listing.path,
        truncated: listing.total > listing.entries.len() as u64,
        items: listing
            .entries
            .into_iter()
            .map(|entry| item(place.device, place.share, may_copy, entry))
            .collect(),
        limit,
    }
}

/// An entry with what older programs look for.
fn item(device: DeviceId, share: ShareId, may_copy: bool, entry: Entry) -> Item {
    let base = format!("/api/v1/devices/{device}/shares/{share}");
    let path = in_query(&entry.path.to_string());
    let is_file = entry.entry_type == EntryType::File;
    Item {
        is_dir: entry.entry_type == EntryType::Folder,
        parent_path: entry.path.parent().unwrap_or_default().to_string(),
        stream_url: is_file.then(|| format!("{base}/stream?path={path}")),
        download_url: (is_file && may_copy).then(|| format!("{base}/download?path={path}")),
        entry,
    }
}

/// Files and folders by name, in all shares that the caller may look into, or in those named. With
/// `Accept: application/x-ndjson` or `text/event-stream` results come as each machine answers.
#[utoipa::path(get, path = "/api/v1/files/search", tag = "files", params(SearchAcrossQuery),
    responses(
        (status = 200, description = "One document, or a `SearchAcrossEvent` a line or event", content(
            (FoundAcross = "application/json"),
            (SearchAcrossEvent = "application/x-ndjson"),
            (SearchAcrossEvent = "text/event-stream"))),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)))]
pub(crate) async fn search(
    State(coordinator): State<Coordinator>,
    caller: Caller,
    trail: Trail,
    headers: HeaderMap,
    QueryOf(query): QueryOf<SearchAcrossQuery>,
) -> Result<Response, Refusal> {
    let wish = wish(&query)?;
    let field = Field::find(coordinator.rooms(), &caller, &query)?;
    let form = Form::wanted(&headers);
    let federated = field.federated;
    let copyable = field.copyable;
    let ask = Arc::new(InTheNameOf { coordinator, caller, trail });
    let events = search_all(wish.clone(), field.scene, ask);
    if let Some(form) = form {
        return Ok(streamed(form, events));
    }
    let found = gather(wish, federated, &copyable, events).await;
    // One share alone that fails is an error of the whole.
    match found.errors.first() {
        Some(error) if !federated => Err(Refusal::new(error.code, error.error.as_str(), error.hint.as_str())),
        _ => Ok(Json(found).into_response()),
    }
}

fn wish(query: &SearchAcrossQuery) -> Result<Wish, Refusal> {
    let q = query.q.trim();
    if q.is_empty() || q.chars().count() > MAX_QUERY || q.chars().any(char::is_control) {
        return Err(Refusal::parameter(format!("'q' has 1 to {MAX_QUERY} characters.")));
    }
    let count = |name, given, default, range| within(name, given, default, range).map(|n| n as usize);
    Ok(Wish {
        query: q.to_owned(),
        base: parse_path(&query.path)?,
        recursive: yes("recursive", query.recursive.as_deref(), true)?,
        narrow: Narrow {
            kind: query.kind,
            min_size: query.min_size,
            max_size: query.max_size,
            after: moment("after", query.after.as_deref()).map_err(Refusal::parameter)?,
            before: moment("before", query.before.as_deref()).map_err(Refusal::parameter)?,
        },
        max_shares: count("max_shares", query.max_shares, 30, 1..=200)?,
        max_per_share: count("max_results_per_share", query.max_results_per_share, 200, 10..=1000)?,
        max_total: count("max_results_total", query.max_results_total, 800, 20..=5000)?,
        budget: Duration::from_millis(
            within("timeout_budget_ms", query.timeout_budget_ms, 6000, 500..=20_000)?.into(),
        ),
    })
}

fn within(name: &str, given: Option<u32>, default: u32, range: RangeInclusive<u32>) -> Result<u32, Refusal> {
    let value = given.unwrap_or(default);
    if range.contains(&value) {
        return Ok(value);
    }
    Err(Refusal::parameter(format!("'{name}' is from {} to {}.", range.start(), range.end())))
}

/// A yes or no in any of the ways in which programs write it.
fn yes(name: &str, given: Option<&str>, default: bool) -> Result<bool, Refusal> {
    match given.map(str::to_ascii_lowercase).as_deref() {
        None | Some("") => Ok(default),
        Some("true" | "1" | "yes" | "on") => Ok(true),
        Some("false" | "0" | "no" | "off") => Ok(false),
        Some(_) => Err(Refusal::parameter(format!("'{name}' is true or false."))),
    }
}

fn parse_path(text: &str) -> Result<RelPath, Refusal> {
    text.parse().map_err(|error| {
        Refusal::new(
            ErrorCode::BadPath,
            format!("This is not a path: {error}."),
            "Write it as a listing does.",
        )
    })
}

/// Where a search looks.
struct Field {
    scene: Scene,
    /// False if one share of one machine was named.
    federated: bool,
    /// The shares from which the caller may save copies.
    copyable: HashSet<ShareId>,
}

impl Field {
    fn find(rooms: &Rooms, caller: &Caller, query: &SearchAcrossQuery) -> Result<Self, Refusal> {
        let device = query.device_id.as_deref().filter(|id| !id.is_empty());
        let share = query.share_id.as_deref().filter(|id| !id.is_empty());
        if let (Some(device), Some(share)) = (device, share) {
            let share = named(rooms, caller, device, share)?;
            return Ok(Self::of(rooms, caller, vec![share], false));
        }
        let mut shares: Vec<Placed> =
            rooms.shares_seen_by(caller.principal).into_iter().map(|(share, _)| share).collect();
        shares.retain(|share| rooms.held(caller, share).permissions.allows(Permission::Read));
        if let Some(text) = device {
            let id = text.parse().ok().filter(|id| rooms.sees_device(caller.principal, *id));
            let id: DeviceId = id.ok_or_else(devices::no_such_device)?;
            shares.retain(|share| share.place.device == id);
        }
        if let Some(text) = share {
            let id = text.parse::<ShareId>().ok();
            shares.retain(|share| Some(share.id) == id);
            if shares.is_empty() {
                return Err(no_such_share());
            }
        }
        Ok(Self::of(rooms, caller, shares, true))
    }

    fn of(rooms: &Rooms, caller: &Caller, shares: Vec<Placed>, federated: bool) -> Self {
        let mut field = Self { scene: Scene::default(), federated, copyable: HashSet::new() };
        let mut away = BTreeSet::new();
        for share in shares {
            let place = place_of(rooms, &share);
            if rooms.held(caller, &share).permissions.allows(Permission::Download) {
                field.copyable.insert(share.id);
            }
            match devices::may_answer(rooms, place.device) {
                Ok(()) => field.scene.places.push(place),
                Err(Refusal(error)) if error.code == ErrorCode::DeviceOffline => {
                    if away.insert(place.device.to_string()) {
                        field.scene.offline.push(offline(rooms, &place));
                    }
                }
                Err(Refusal(error)) => field.scene.errors.push(place.failed(error)),
            }
        }
        field
    }
}

fn offline(rooms: &Rooms, place: &Place) -> OfflineDevice {
    let (_, last_seen) = rooms.presence_of(place.device);
    OfflineDevice { device_id: place.device, device_name: place.device_name.as_ref().to_owned(), last_seen }
}

fn place_of(rooms: &Rooms, share: &Placed) -> Place {
    let device = share.place.device;
    let name = if device == rooms.device {
        rooms.settings.get().device_name
    } else {
        rooms.identity.devices().find(device).map(|row| row.name).unwrap_or_default()
    };
    Place { device, device_name: name.into(), share: share.id, share_name: share.name.as_str().into() }
}

/// The share that is named by both ids. What is looked at first is part of the promise: the share, whether it is on
/// this device, whether the device is there, whether the caller may look. Of what the caller may not know, nothing is
/// said but that it is not there.
fn named(rooms: &Rooms, caller: &Caller, device: &str, share: &str) -> Result<Placed, Refusal> {
    let share = share.parse().ok().and_then(|id| rooms.share(id)).ok_or_else(no_such_share)?;
    let held = rooms.held(caller, &share).permissions;
    if held.is_empty() {
        return Err(no_such_share());
    }
    let device: DeviceId = device.parse().map_err(|_| devices::no_such_device())?;
    if share.place.device != device {
        return Err(Refusal::parameter("That share is not on this device."));
    }
    devices::may_answer(rooms, device)?;
    // Whether the caller may look is decided, and written down, on the way to the device.
    Ok(share)
}

fn no_such_share() -> Refusal {
    Refusal::not_found("There is no such share.")
}

/// How results come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One JSON object a line.
    Lines,
    /// Server-sent events.
    Events,
}

impl Form {
    /// The first of the forms that the caller names; `None` for one document.
    fn wanted(headers: &HeaderMap) -> Option<Self> {
        let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut kinds = accepted
            .flat_map(|value| value.split(','))
            .map(|kind| kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase());
        kinds.find_map(|kind| match kind.as_str() {
            "application/x-ndjson" => Some(Some(Self::Lines)),
            "text/event-stream" => Some(Some(Self::Events)),
            "application/json" => Some(None),
            _ => None,
        })?
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Lines => "application/x-ndjson",
            Self::Events => "text/event-stream",
        }
    }

    fn write(self, events: &[SearchAcrossEvent]) -> Bytes {
        let mut text = Vec::new();
        for event in events {
            if self == Self::Events {
                text.extend_from_slice(b"data: ");
            }
            // Writing to memory does not fail, and these shapes have no keys that are not text.
            let _ = serde_json::to_writer(&mut text, event);
            text.extend_from_slice(if self == Self::Events { b"\n\n" } else { b"\n" });
        }
        text.into()
    }
}

fn streamed(form: Form, events: impl Stream<Item = Vec<SearchAcrossEvent>> + Send + 'static) -> Response {
    let pieces = events.map(move |events| Ok::<_, Infallible>(form.write(&events)));
    ([(header::CONTENT_TYPE, form.media_type())], Body::from_stream(pieces)).into_response()
}

/// All of it as one document.
async fn gather(
    wish: Wish,
    federated: bool,
    copyable: &HashSet<ShareId>,
    mut events: impl Stream<Item = Vec<SearchAcrossEvent>> + Unpin,
) -> FoundAcross {
    let (mut found, mut errors, mut offline, mut truncated) =
        (Vec::new(), Vec::<ShareError>::new(), Vec::new(), false);
    while let Some(some) = events.next().await {
        for event in some {
            match event {
                SearchAcrossEvent::Hit(hit) => found.push(*hit),
                SearchAcrossEvent::Error(error) => errors.push(error),
                SearchAcrossEvent::Offline(device) => offline.push(device),
                SearchAcrossEvent::Share(_) => {}
                SearchAcrossEvent::Done(end) => truncated = end.truncated,
            }
        }
    }
    found.sort_by_cached_key(|entry| {
        let path = entry.hit.entry.path.to_string();
        (
            entry.hit.entry.entry_type != EntryType::Folder,
            path.to_lowercase(),
            path,
            entry.device_id.to_string(),
            entry.share_id,
        )
    });
    FoundAcross {
        query: wish.query,
        base_path: wish.base,
        recursive: wish.recursive,
        federated,
        items: found.into_iter().map(|found| found_item(found, copyable)).collect(),
        truncated,
        errors,
        offline,
    }
}

fn found_item(found: FoundEntry, copyable: &HashSet<ShareId>) -> FoundItem {
    let (device, share) = (found.device_id, found.share_id);
    FoundItem {
        item: item(device, share, copyable.contains(&share), found.hit.entry),
        match_type: found.hit.match_type,
        device_id: device,
        device_name: found.device_name,
        share_id: share,
        share_name: found.share_name,
    }
}

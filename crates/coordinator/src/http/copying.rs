//! `POST /api/v1/files/copy`: files and folders from one share to another, on whichever machines. What the one packs the
//! other unpacks, as fast as the slower of the two; nothing of it is kept here. Each side is asked by the way that every
//! request to a device takes.

use std::convert::Infallible;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{Method, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use proto::api::across::{CopyAcross, CopyEvent};
use proto::api::writing::{Acted, Clash, Outcome, UnpackEvent};
use proto::{ApiError, DeviceId, ErrorCode, Permission, RelPath, ShareId, UndoToken};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::devices;
use super::error::Refusal;
use super::json::JsonBody;
use super::trail::Trail;
use crate::access::Caller;
use crate::coordinator::{Coordinator, Rooms};
use crate::files::{Lines, in_query, read_error, read_json};

/// The longest answer of a device that unpacks: a line for each of very many files.
const MAX_LINES: usize = 1 << 30;
/// The longest answer of a device that deletes.
const MAX_ACTED: usize = 32 << 20;
/// Lines that wait to be taken.
const LINES_AHEAD: usize = 64;

/// Copies or moves what is in one folder of a share into a folder of any share. The answer is a [`CopyEvent`] a line.
#[utoipa::path(post, path = "/api/v1/files/copy", tag = "files", request_body = CopyAcross,
    responses((status = 200, body = CopyEvent, content_type = "application/x-ndjson"),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)))]
pub(crate) async fn copy(
    State(coordinator): State<Coordinator>,
    caller: Caller,
    trail: Trail,
    JsonBody(wish): JsonBody<CopyAcross>,
) -> Result<Response, Refusal> {
    let plan = Plan::of(&wish)?;
    plan.authorize(coordinator.rooms(), &caller)?;
    let copying = Copying { coordinator, caller, trail, plan };
    copying.note().await;
    let (lines, mut taken) = mpsc::channel::<Bytes>(LINES_AHEAD);
    tokio::spawn(async move {
        tokio::select! {
            // Whoever asked has gone: with this both requests end.
            () = lines.closed() => {}
            () = copying.run(&lines) => {}
        }
    });
    let lines = stream::poll_fn(move |cx| taken.poll_recv(cx).map(|line| line.map(Ok::<_, Infallible>)));
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

/// A share of a machine.
type Side = (DeviceId, ShareId);

/// What goes where.
struct Plan {
    from: Side,
    to: Side,
    /// The folder that all of it is in.
    folder: RelPath,
    paths: Vec<RelPath>,
    into: RelPath,
    moves: bool,
    clash: Clash,
}

impl Plan {
    fn of(wish: &CopyAcross) -> Result<Self, Refusal> {
        let paths: Vec<RelPath> = wish.from.paths.iter().map(|text| parse(text)).collect::<Result<_, _>>()?;
        let folder = paths.first().and_then(RelPath::parent);
        let folder = folder.ok_or_else(|| Refusal::parameter("'from.paths' names files and folders."))?;
        if paths.iter().any(|path| path.parent().as_ref() != Some(&folder)) {
            return Err(Refusal::parameter("All of 'from.paths' are in one folder."));
        }
        let (from, to) = ((wish.from.device, wish.from.share), (wish.to.device, wish.to.share));
        let into = parse(&wish.to.path)?;
        if from == to && paths.iter().any(|path| *path == into || path.holds(&into)) {
            let message = "A folder cannot be put into itself.";
            return Err(Refusal::new(ErrorCode::BadPath, message, "Choose a folder outside of it."));
        }
        Ok(Self { from, to, folder, paths, into, moves: wish.moves, clash: wish.clash })
    }

    /// Everything that it needs is allowed, or nothing is begun. Each request is authorised once more when it is sent.
    fn authorize(&self, rooms: &Rooms, caller: &Caller) -> Result<(), Refusal> {
        let source =
            if self.moves { &[Permission::Download, Permission::Write][..] } else { &[Permission::Download] };
        for permission in source {
            rooms.allow(caller, self.from.0, self.from.1, *permission)?;
        }
        rooms.allow(caller, self.to.0, self.to.1, Permission::Write)?;
        devices::may_answer(rooms, self.from.0)?;
        devices::may_answer(rooms, self.to.0)
    }
}

fn parse(text: &str) -> Result<RelPath, Refusal> {
    text.parse().map_err(|error| {
        let message = format!("This is not a path: {error}.");
        Refusal::new(ErrorCode::BadPath, message, "Write it as a listing does.")
    })
}

/// A plan that is carried out in the name of somebody.
struct Copying {
    coordinator: Coordinator,
    caller: Caller,
    trail: Trail,
    plan: Plan,
}

/// How unpacking ended.
struct Unpacked {
    files: u64,
    folders: u64,
    bytes: u64,
    undo: Option<UndoToken>,
    /// True if everything is in a place, under whichever name.
    whole: bool,
}

type Lane = mpsc::Sender<Bytes>;

impl Copying {
    async fn note(&self) {
        let rooms = self.coordinator.rooms();
        let action = if self.plan.moves { "files.moved" } else { "files.copied" };
        for (side, share) in [("from", self.plan.from.1), ("to", self.plan.to.1)] {
            let Some(place) = rooms.share(share).map(|share| share.place) else { continue };
            let detail = json!({"side": side, "items": self.plan.paths.len()});
            rooms
                .audit
                .record(self.trail.done(Some(&self.caller), action, detail).about(share, &place))
                .await;
        }
    }

    async fn run(&self, lines: &Lane) {
        let ended = match self.carry(lines).await {
            Ok(ended) => ended,
            Err(error) => CopyEvent::Broken { error },
        };
        tell(lines, &ended).await;
    }

    async fn carry(&self, lines: &Lane) -> Result<CopyEvent, ApiError> {
        let unpacked = self.unpack(self.pack().await?, lines).await?;
        let deleted = if self.plan.moves && unpacked.whole { Some(self.delete(lines).await?) } else { None };
        let (moved, undo_source) = deleted.unwrap_or_default();
        let Unpacked { files, folders, bytes, undo, .. } = unpacked;
        Ok(CopyEvent::Done { files, folders, bytes, moved, undo, undo_source })
    }

    /// What is copied, as one stream. If it is deleted afterwards, nothing may be missing in it.
    async fn pack(&self) -> Result<Body, ApiError> {
        let names: Vec<String> =
            self.plan.paths.iter().filter_map(|path| path.name().map(proto::path::escape_name)).collect();
        let wish = json!({
            "path": self.plan.folder, "names": names.join("/"), "format": "tar", "whole": self.plan.moves, "exact": true,
        });
        read_error(self.ask(self.plan.from, "archive", json_body(&wish)).await?).await
    }

    async fn unpack(&self, packed: Body, lines: &Lane) -> Result<Unpacked, ApiError> {
        let clash = serde_json::to_value(self.plan.clash).unwrap_or_default();
        let into = in_query(&self.plan.into.to_string());
        let tail = format!("unpack?path={into}&clash={}", clash.as_str().unwrap_or("ask"));
        let answer = self.ask(self.plan.to, &tail, Request::new(packed)).await?;
        let mut events = Lines::new(read_error(answer).await?, MAX_LINES);
        let mut whole = true;
        while let Some(some) = events.next().await.map_err(|_| broken_off())? {
            for line in some {
                match serde_json::from_slice(&line).map_err(|_| broken_off())? {
                    UnpackEvent::Item(item) => {
                        whole &= matches!(item.outcome, Outcome::Done | Outcome::Replaced | Outcome::Renamed);
                        tell(lines, &CopyEvent::Item(item)).await;
                    }
                    UnpackEvent::Done { files, folders, bytes, undo } => {
                        return Ok(Unpacked { files, folders, bytes, undo, whole });
                    }
                    UnpackEvent::Broken { error } => return Err(error),
                }
            }
        }
        Err(broken_off())
    }

    /// Deletes what was copied where it was. True if all of it is.
    async fn delete(&self, lines: &Lane) -> Result<(bool, Option<UndoToken>), ApiError> {
        let wish = json!({"paths": self.plan.paths});
        let answer = self.ask(self.plan.from, "delete", json_body(&wish)).await?;
        let acted: Acted = read_json(read_error(answer).await?, MAX_ACTED).await?;
        let mut all = true;
        for item in acted.items.into_iter().filter(|item| item.outcome == Outcome::Failed) {
            all = false;
            tell(lines, &CopyEvent::Item(item)).await;
        }
        Ok((all, acted.undo))
    }

    async fn ask(
        &self,
        (device, share): Side,
        tail: &str,
        mut request: Request,
    ) -> Result<Response, ApiError> {
        *request.method_mut() = Method::POST;
        let tail = format!("/shares/{share}/{tail}");
        let rooms = self.coordinator.rooms();
        let sent = devices::send(rooms, &self.caller, &self.trail, device, &tail, request).await;
        sent.map_err(|refusal| refusal.0)
    }
}

fn json_body(wish: &Value) -> Request {
    let mut request = Request::new(Body::from(wish.to_string()));
    request.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/json"));
    request
}

async fn tell(lines: &Lane, event: &CopyEvent) {
    let mut line = serde_json::to_vec(event).unwrap_or_default();
    line.push(b'\n');
    // Whoever asked may have gone: then this ends too.
    let _ = lines.send(line.into()).await;
}

fn broken_off() -> ApiError {
    let message = "One of the two machines broke off before everything was copied.";
    ApiError::new(ErrorCode::DeviceFailed, message, "Look at what has come, and copy the rest again.")
}

//! The doors to what others send here, beside the stream that carries it ([`super::transfers`]): the coordinator says what
//! to expect, either side looks, holds, and gives up.

use std::convert::Infallible;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::{Json, RequestExt};
use futures_util::stream;
use proto::api::transfers::{Arrived, Expected, PausedBy};
use proto::{ApiError, ErrorCode, Permission};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::OnTransfer;
use super::error::Refusal;
use crate::agent::Agent;
use crate::files::write::off_thread;
use crate::transfer::incoming::Incoming;

/// How often those who watch are told at most.
const TELL_EVERY: std::time::Duration = std::time::Duration::from_millis(250);
/// The same is told again so often, so that a broken connection is noticed.
const TELL_AGAIN: std::time::Duration = std::time::Duration::from_secs(30);

/// The routes of this file.
pub fn routes() -> OpenApiRouter<Arc<Agent>> {
    OpenApiRouter::new()
        .routes(routes!(expect, give_up))
        .routes(routes!(status))
        .routes(routes!(watch))
        .routes(routes!(pause))
        .routes(routes!(resume))
}

/// Says what a transfer will bring, or that something of it changed: where it goes, or who holds it. For the coordinator.
#[utoipa::path(
    put, path = "/agent/v1/inbox/transfers/{transfer}", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer")),
    request_body = Expected,
    responses((status = 200, body = Arrived),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn expect(
    State(agent): State<Arc<Agent>>,
    on: OnTransfer,
    request: Request,
) -> Result<Json<Arrived>, Refusal> {
    on.require(Permission::AcceptIncoming)?;
    let Json(expected) =
        request.extract::<Json<Expected>, _>().await.map_err(|_| Refusal(not_understood()))?;
    if expected.receiver_share_id != on.share.id {
        return Err(Refusal(not_understood()));
    }
    let incoming = off_thread(move || agent.inbox().expect(&on.share, on.transfer, expected)).await?;
    Ok(Json(incoming.arrived()))
}

/// Gives a transfer up: what came of it goes, but for what is in its place already.
#[utoipa::path(
    delete, path = "/agent/v1/inbox/transfers/{transfer}", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer")),
    responses((status = 204), (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn give_up(State(agent): State<Arc<Agent>>, on: OnTransfer) -> Result<StatusCode, Refusal> {
    off_thread(move || agent.inbox().give_up(&on.share, on.transfer)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What has arrived of a transfer.
#[utoipa::path(
    get, path = "/agent/v1/inbox/transfers/{transfer}/status", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer")),
    responses((status = 200, body = Arrived),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn status(State(agent): State<Arc<Agent>>, on: OnTransfer) -> Result<Json<Arrived>, Refusal> {
    Ok(Json(find(agent, on).await?.arrived()))
}

/// What has arrived of a transfer: a line of JSON at once, and another whenever that changes, a few times a second.
#[utoipa::path(
    get, path = "/agent/v1/inbox/transfers/{transfer}/watch", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer")),
    responses((status = 200, body = Arrived, content_type = "application/x-ndjson"),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn watch(State(agent): State<Arc<Agent>>, on: OnTransfer) -> Result<Response, Refusal> {
    let incoming = find(agent, on).await?;
    let lines = stream::unfold((incoming, None::<Arrived>), |(incoming, told)| async move {
        let arrived = next(&incoming, told.as_ref()).await;
        Some((line(&arrived), (incoming, Some(arrived))))
    });
    let headers = [(CONTENT_TYPE, "application/x-ndjson"), (CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// What has arrived, once it is not what was told last.
async fn next(incoming: &Incoming, told: Option<&Arrived>) -> Arrived {
    let Some(told) = told else { return incoming.arrived() };
    let changed = async {
        let mut changes = incoming.changes();
        loop {
            // What changes in the meantime is told together; that everything is there, at once.
            tokio::select! {
                () = tokio::time::sleep(TELL_EVERY) => {}
                () = incoming.over() => {}
            }
            let arrived = incoming.arrived();
            if arrived != *told || changes.changed().await.is_err() {
                return arrived;
            }
        }
    };
    tokio::time::timeout(TELL_AGAIN, changed).await.unwrap_or_else(|_| incoming.arrived())
}

fn line(arrived: &Arrived) -> Result<Bytes, Infallible> {
    // Writing to memory cannot fail.
    let mut line = serde_json::to_vec(arrived).unwrap_or_default();
    line.push(b'\n');
    Ok(line.into())
}

/// Holds a transfer, with all its items, those that have not begun too.
#[utoipa::path(
    post, path = "/agent/v1/inbox/transfers/{transfer}/pause", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer")),
    responses((status = 200, body = Arrived),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn pause(State(agent): State<Arc<Agent>>, on: OnTransfer) -> Result<Json<Arrived>, Refusal> {
    let by =
        if on.require(Permission::AcceptIncoming).is_ok() { PausedBy::Receiver } else { PausedBy::Sender };
    let incoming = find(agent, on).await?;
    incoming.hold(Some(by));
    Ok(Json(incoming.arrived()))
}

/// Lets a transfer go on.
#[utoipa::path(
    post, path = "/agent/v1/inbox/transfers/{transfer}/resume", tag = "transfers",
    params(("transfer" = String, Path, description = "The transfer")),
    responses((status = 200, body = Arrived),
        (status = "4XX", body = ApiError), (status = "5XX", body = ApiError)),
)]
async fn resume(State(agent): State<Arc<Agent>>, on: OnTransfer) -> Result<Json<Arrived>, Refusal> {
    let is_receiver = on.require(Permission::AcceptIncoming).is_ok();
    let incoming = find(agent, on).await?;
    if incoming.arrived().paused_by == Some(PausedBy::Receiver) && !is_receiver {
        return Err(Refusal(held_by_receiver()));
    }
    incoming.hold(None);
    Ok(Json(incoming.arrived()))
}

pub(super) async fn find(agent: Arc<Agent>, on: OnTransfer) -> Result<Arc<Incoming>, Refusal> {
    let found = off_thread(move || agent.inbox().find(&on.share, on.transfer)).await?;
    found.ok_or_else(|| Refusal(super::transfers::not_expected()))
}

fn not_understood() -> ApiError {
    ApiError::new(
        ErrorCode::BadRequest,
        "What is to be expected was not understood.",
        "This is said by the coordinator; bring both machines to the same version of Lanthorn.",
    )
}

fn held_by_receiver() -> ApiError {
    ApiError::new(ErrorCode::Forbidden, "The receiver paused this transfer.", "It goes on when they let it.")
}

#[cfg(test)]
mod tests {
    use axum::http::Method;
    use axum::http::header::AUTHORIZATION;
    use http_body_util::BodyExt;
    use proto::api::transfers::{ExpectedItem, ItemKind, ItemState, OfferedItem};
    use proto::ticket::{Claims, Resource};
    use proto::{PrincipalId, TransferId, TransferItemId};
    use tower::ServiceExt;

    use super::*;
    use crate::serve::router::openapi;
    use crate::testing::{Answer, World};

    fn expected(world: &World) -> Expected {
        let offered = OfferedItem::new("letter.txt", ItemKind::File, 5);
        Expected {
            sender_principal_id: PrincipalId::generate(),
            sender_name: "Ada".into(),
            receiver_share_id: world.share,
            destination_path: String::new(),
            paused_by: None,
            items: vec![ExpectedItem { id: TransferItemId::generate(), offered }],
        }
    }

    fn request(world: &World, method: Method, tail: &str, claims: &Claims, body: String) -> Request {
        Request::builder()
            .method(method)
            .uri(format!("/agent/v1/inbox/transfers/{tail}"))
            .header(AUTHORIZATION, format!("Bearer {}", world.sign(claims).as_str()))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .unwrap()
    }

    fn claims(world: &World, transfer: TransferId, permission: Permission) -> Claims {
        let perm = [permission].into_iter().collect();
        Claims { res: Resource::Transfer(transfer, world.share), perm, ..world.claims() }
    }

    async fn ask(world: &World, method: Method, transfer: TransferId, word: &str, may: Permission) -> Answer {
        let body = if method == Method::PUT {
            serde_json::to_string(&expected(world)).unwrap()
        } else {
            String::new()
        };
        let claims = claims(world, transfer, may);
        world.send(request(world, method, &format!("{transfer}{word}"), &claims, body)).await
    }

    #[tokio::test]
    async fn what_is_expected_outlives_the_process_and_is_held_and_given_up() {
        let (world, transfer) = (World::new(), TransferId::generate());
        let (sends, takes) = (Permission::RequestSend, Permission::AcceptIncoming);
        assert_eq!(ask(&world, Method::GET, transfer, "/status", takes).await.code(), ErrorCode::NotFound);
        let arrived: Arrived = ask(&world, Method::PUT, transfer, "", takes).await.json();
        assert_eq!((arrived.items[0].state, arrived.items[0].expected_size), (ItemState::Pending, 5));
        world.restart();
        let again: Arrived = ask(&world, Method::GET, transfer, "/status", sends).await.json();
        assert_eq!(again, arrived);
        let held: Arrived = ask(&world, Method::POST, transfer, "/pause", takes).await.json();
        assert_eq!((held.paused_by, held.items[0].state), (Some(PausedBy::Receiver), ItemState::Paused));
        assert_eq!(ask(&world, Method::POST, transfer, "/resume", sends).await.code(), ErrorCode::Forbidden);
        let on: Arrived = ask(&world, Method::POST, transfer, "/resume", takes).await.json();
        assert_eq!(on, arrived);
        let held: Arrived = ask(&world, Method::POST, transfer, "/pause", sends).await.json();
        assert_eq!(held.paused_by, Some(PausedBy::Sender));
        assert!(ask(&world, Method::DELETE, transfer, "", takes).await.status.is_success());
        assert_eq!(ask(&world, Method::GET, transfer, "/status", takes).await.code(), ErrorCode::NotFound);
        let left = std::fs::read_dir(world.path(".lanthorn-store/incoming")).unwrap().count();
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn whoever_watches_is_told_of_changes() {
        let (world, transfer) = (World::new(), TransferId::generate());
        ask(&world, Method::PUT, transfer, "", Permission::AcceptIncoming).await.json::<Arrived>();
        let claims = claims(&world, transfer, Permission::RequestSend);
        let watch = request(&world, Method::GET, &format!("{transfer}/watch"), &claims, String::new());
        let mut body = world.router().oneshot(watch).await.unwrap().into_body();
        for paused_by in [None, Some(PausedBy::Sender), None] {
            let line = body.frame().await.unwrap().unwrap().into_data().unwrap();
            let arrived: Arrived = serde_json::from_slice(&line).unwrap();
            assert_eq!(arrived.paused_by, paused_by);
            let word = if paused_by.is_none() { "/pause" } else { "/resume" };
            ask(&world, Method::POST, transfer, word, Permission::RequestSend).await;
        }
    }

    #[tokio::test]
    async fn no_door_opens_without_the_right_ticket() {
        let (world, transfer) = (World::new(), TransferId::generate());
        ask(&world, Method::PUT, transfer, "", Permission::AcceptIncoming).await.json::<Arrived>();
        let description = serde_json::to_value(openapi()).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let doors = paths.iter().filter(|(path, _)| path.starts_with("/agent/v1/inbox/"));
        let mut tried = 0;
        for (path, item) in doors {
            for method in item.as_object().unwrap().keys() {
                let method: Method = method.to_uppercase().parse().unwrap();
                let word = path.trim_start_matches("/agent/v1/inbox/transfers/{transfer}");
                let tail = format!("{transfer}{word}");
                let send = |claims: Claims| {
                    let (world, method, tail) = (&world, method.clone(), tail.clone());
                    async move { world.send(request(world, method, &tail, &claims, "{}".into())).await }
                };
                for permission in Permission::ALL {
                    let answer = send(claims(&world, TransferId::generate(), permission)).await;
                    assert_eq!(answer.code(), ErrorCode::TicketResource, "{method} {path}");
                    let share =
                        Claims { res: Resource::Share(world.share), ..claims(&world, transfer, permission) };
                    assert_eq!(send(share).await.code(), ErrorCode::TicketResource, "{method} {path}");
                    let delivers = ["/chunk", "/commit", "/finalize"].contains(&word);
                    let may = match permission {
                        Permission::AcceptIncoming => !delivers,
                        Permission::RequestSend => method != Method::PUT,
                        _ => false,
                    };
                    if !may {
                        let answer = send(claims(&world, transfer, permission)).await;
                        assert_eq!(answer.code(), ErrorCode::TicketPermission, "{method} {path}");
                    }
                }
                tried += 1;
            }
        }
        assert_eq!(tried, 9);
    }
}

//! A machine that sends of its share, and one that receives: what the coordinator says to the first, and what becomes of it.

use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::http::header::AUTHORIZATION;
use http_body_util::BodyExt;
use proto::api::transfers::{ExpectedItem, ItemState, OfferedItem, OutboundState, PausedBy, Way};
use proto::ticket::{Claims, Resource};
use proto::wire::link::Revoked;
use proto::{Permission, Permissions, ShareId, TransferId, TransferItemId};
use time::OffsetDateTime;
use tower::ServiceExt;

use super::*;
use crate::serve::ended::Ended;
use crate::serve::router::openapi;
use crate::testing::{Answer, World};
use crate::transfer::outgoing::Sending;
use crate::transfer::tests::Two;

/// Both machines.
struct Play {
    two: Two,
    sender: World,
}

impl Play {
    async fn new() -> Self {
        let two = Two::new().await;
        let sender = World::of(two.sender.id());
        sender.agent.outbox().set_endpoint(two.sender.clone());
        sender.write("letter.txt", b"dear Ada");
        sender.write("album/one", &[1; 70_000]);
        sender.write("album/two", b"2");
        Self { two, sender }
    }

    /// What the coordinator may ask of the sender.
    fn claims(&self, transfer: TransferId) -> Claims {
        let perm = [Permission::Read, Permission::Download].into_iter().collect();
        Claims { res: Resource::Transfer(transfer, self.sender.share), perm, ..self.sender.claims() }
    }

    async fn ask(&self, method: Method, tail: &str, claims: &Claims, body: String) -> Answer {
        self.sender.send(self.request(method, tail, claims, body)).await
    }

    fn request(&self, method: Method, tail: &str, claims: &Claims, body: String) -> Request {
        Request::builder()
            .method(method)
            .uri(format!("/agent/v1/outbox/transfers/{tail}"))
            .header(AUTHORIZATION, format!("Bearer {}", self.sender.sign(claims).as_str()))
            .header(CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .unwrap()
    }

    async fn measured(&self, paths: &[&str]) -> Answer {
        let id = TransferId::generate();
        let wanted = Measure { paths: paths.iter().map(|path| (*path).to_owned()).collect() };
        let body = serde_json::to_string(&wanted).unwrap();
        self.ask(Method::POST, &format!("{id}/measure"), &self.claims(id), body).await
    }

    /// Has the receiver expect these, as the sender measured them.
    async fn expected(&self, paths: &[&str]) -> Sending {
        let measured: Measured = self.measured(paths).await.json();
        let items = measured.items.into_iter();
        let expected = items.map(|offered| ExpectedItem { id: TransferItemId::generate(), offered });
        self.two.expect(expected.collect(), Vec::new())
    }

    fn outbound(&self, sending: &Sending, paths: &[&str]) -> Outbound {
        Outbound {
            paths: paths.iter().map(|path| (*path).to_owned()).collect(),
            receiver_device_id: self.two.receiver.id(),
            addresses: self.two.direct(),
            ticket: sending.ticket.clone(),
            expires_at: OffsetDateTime::now_utc() + time::Duration::minutes(5),
        }
    }

    async fn put(&self, sending: &Sending, outbound: &Outbound, claims: &Claims) -> Carried {
        let body = serde_json::to_string(outbound).unwrap();
        self.ask(Method::PUT, &sending.transfer.to_string(), claims, body).await.json()
    }

    /// Has it sent; what is told of it from then on.
    async fn send(&self, sending: &Sending, paths: &[&str]) -> Told {
        self.put(sending, &self.outbound(sending, paths), &self.claims(sending.transfer)).await;
        self.watch(sending).await
    }

    async fn watch(&self, sending: &Sending) -> Told {
        let id = sending.transfer;
        let request = self.request(Method::GET, &format!("{id}/watch"), &self.claims(id), String::new());
        Told(self.sender.router().oneshot(request).await.unwrap().into_body())
    }
}

struct Told(Body);

impl Told {
    async fn until(&mut self, state: OutboundState) -> Carried {
        loop {
            let line = self.0.frame().await.unwrap().unwrap().into_data().unwrap();
            let carried: Carried = serde_json::from_slice(&line).unwrap();
            if carried.state == state {
                return carried;
            }
            let over = matches!(carried.state, OutboundState::Done | OutboundState::Failed);
            assert!(!over, "{carried:?} and not {state:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_asked_for_is_measured_and_sent() {
    let play = Play::new().await;
    let measured: Measured = play.measured(&["letter.txt", "album"]).await.json();
    let letter = OfferedItem::new("letter.txt", proto::api::transfers::ItemKind::File, 8);
    assert_eq!(measured.items[0], letter);
    let album = &measured.items[1];
    assert_eq!((&*album.filename, album.size, album.files), ("album", 70_001, 2));
    assert_eq!(album.preview, ["one", "two"]);
    assert_eq!(play.measured(&["gone"]).await.code(), ErrorCode::NotFound);
    assert_eq!(play.measured(&["../etc"]).await.code(), ErrorCode::BadPath);
    assert_eq!(play.measured(&[]).await.code(), ErrorCode::BadParameter);
    let sending = play.expected(&["letter.txt", "album"]).await;
    play.send(&sending, &["letter.txt", "album"]).await.until(OutboundState::Done).await;
    let received = |name: &str| std::fs::read(play.two.world.path("from Ada").join(name)).unwrap();
    assert_eq!(received("letter.txt"), b"dear Ada");
    assert_eq!(received("album/one"), [1; 70_000]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_gone_is_said_in_words_and_the_rest_arrives() {
    let play = Play::new().await;
    let sending = play.expected(&["letter.txt", "album"]).await;
    std::fs::remove_file(play.sender.path("letter.txt")).unwrap();
    play.send(&sending, &["letter.txt", "album"]).await.until(OutboundState::Done).await;
    let items = play.two.arrived(&sending).items;
    assert_eq!((items[0].state, items[1].state), (ItemState::Failed, ItemState::Finalized));
    assert_eq!(items[0].error.as_ref().unwrap().code, ErrorCode::NotFound, "{:?}", items[0].error);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_allowed_it_ends_it_at_once_unless_it_was_allowed_again() {
    let play = Play::new().await;
    let sending = play.expected(&["album"]).await;
    let incoming = play.two.world.agent.inbox().find(&play.two.world.shared(), sending.transfer).unwrap();
    let incoming = incoming.unwrap();
    incoming.hold(Some(PausedBy::Receiver));
    let revoke = |claims: &Claims| {
        let what = Revoked::Principal { id: claims.sub };
        let coordinator = Some(play.sender.coordinator());
        play.sender.agent.end(&Ended { coordinator, what, at: OffsetDateTime::now_utc() });
    };
    let (outbound, first) = (play.outbound(&sending, &["album"]), play.claims(sending.transfer));
    play.put(&sending, &outbound, &first).await;
    let mut told = play.watch(&sending).await;
    told.until(OutboundState::Sending).await;
    while incoming.arrived().way != Some(Way::Lan) {
        tokio::task::yield_now().await;
    }
    assert_eq!(incoming.arrived().limited_by, None, "nothing flows while it is held");
    let second = play.claims(sending.transfer);
    play.put(&sending, &outbound, &second).await;
    revoke(&first);
    let third = play.claims(sending.transfer);
    let goes_on = play.put(&sending, &outbound, &third).await;
    assert_eq!(goes_on.state, OutboundState::Sending, "it goes on: {goes_on:?}");
    revoke(&third);
    let ended = told.until(OutboundState::Failed).await;
    assert_eq!(ended.error.unwrap().code, ErrorCode::TicketRevoked);
    let again = play.put(&sending, &outbound, &play.claims(sending.transfer)).await;
    assert!(again.error.is_none(), "whoever may again begins anew: {again:?}");
    incoming.hold(None);
    play.watch(&sending).await.until(OutboundState::Done).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_longer_than_its_ticket_lives() {
    let play = Play::new().await;
    let sending = play.expected(&["album"]).await;
    let over = OffsetDateTime::now_utc() - time::Duration::minutes(2);
    let outbound = Outbound { expires_at: over, ..play.outbound(&sending, &["album"]) };
    let incoming = play.two.world.agent.inbox().find(&play.two.world.shared(), sending.transfer).unwrap();
    incoming.unwrap().hold(Some(PausedBy::Receiver));
    play.put(&sending, &outbound, &play.claims(sending.transfer)).await;
    let ended = play.watch(&sending).await.until(OutboundState::Failed).await;
    assert_eq!(ended.error.unwrap().code, ErrorCode::TicketExpired);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_does_not_answer_is_waited_for_and_one_that_refuses_is_not() {
    let play = Play::new().await;
    let sending = play.expected(&["letter.txt"]).await;
    let nowhere = proto::DeviceId::from_public_key([3; 32]);
    let away = Outbound {
        receiver_device_id: nowhere,
        addresses: proto::wire::link::Addresses::default(),
        ..play.outbound(&sending, &["letter.txt"])
    };
    play.put(&sending, &away, &play.claims(sending.transfer)).await;
    let mut told = play.watch(&sending).await;
    let waits = loop {
        let carried = told.until(OutboundState::Reaching).await;
        if carried.note.is_some() {
            break carried;
        }
    };
    assert_eq!(waits.note.unwrap(), "No address is known for the device.");
    let wrong = Outbound { ticket: "v4.public.x".into(), ..play.outbound(&sending, &["letter.txt"]) };
    play.put(&sending, &wrong, &play.claims(sending.transfer)).await;
    let refused = play.watch(&sending).await.until(OutboundState::Failed).await;
    assert_eq!(refused.error.unwrap().code, ErrorCode::TicketMalformed);
}

#[tokio::test]
async fn no_door_opens_without_the_right_ticket() {
    let world = World::new();
    let transfer = TransferId::generate();
    let description = serde_json::to_value(openapi()).unwrap();
    let paths = description["paths"].as_object().unwrap();
    let doors = paths.iter().filter(|(path, _)| path.starts_with("/agent/v1/outbox/"));
    let both: Permissions = [Permission::Read, Permission::Download].into_iter().collect();
    let mut tried = 0;
    for (path, item) in doors {
        for method in item.as_object().unwrap().keys() {
            let method: Method = method.to_uppercase().parse().unwrap();
            let path = path.replace("{transfer}", &transfer.to_string());
            let send = |res: Resource, perm: Permissions| {
                let claims = Claims { res, perm, ..world.claims() };
                let request = Request::builder()
                    .method(method.clone())
                    .uri(&path)
                    .header(AUTHORIZATION, format!("Bearer {}", world.sign(&claims).as_str()))
                    .body(Body::from("{}"))
                    .unwrap();
                world.send(request)
            };
            let of_it = Resource::Transfer(transfer, world.share);
            for resource in
                [Resource::Share(world.share), Resource::Transfer(TransferId::generate(), world.share)]
            {
                let code = send(resource, Permissions::all()).await.code();
                assert_eq!(code, ErrorCode::TicketResource, "{method} {path}");
            }
            for without in Permission::ALL {
                let code = send(of_it, Permissions::all().without(without)).await.code();
                let needed = both.allows(without);
                assert_eq!(code == ErrorCode::TicketPermission, needed, "{method} {path} {without:?}");
            }
            let elsewhere = Resource::Transfer(transfer, ShareId::generate());
            assert_eq!(send(elsewhere, both).await.code(), ErrorCode::NotFound, "{method} {path}");
            tried += 1;
        }
    }
    assert_eq!(tried, 3);
}

//! A share's machine sends by itself: what it is asked, in whose name, and when that ends. The machine is a small router
//! that stands in for one.

use axum::body::Bytes;
use proto::api::transfers::Outbound;
use tokio::sync::watch;

use super::*;

/// The owner's machine, which sends, and the guest's, which receives.
pub(super) struct Stage {
    pub(super) play: Play,
    sender: Sender,
    pub(super) laptop: DeviceId,
}

/// What the machine that sends was asked, and what it says of the sending.
type Now = (Vec<(String, Bytes)>, Value);

/// The machine that sends.
#[derive(Clone)]
struct Sender(Arc<watch::Sender<Now>>);

impl Sender {
    fn link(&self) -> RouterLink {
        let sender = self.clone();
        RouterLink::new(Router::new().fallback(move |request: Request| {
            let sender = sender.clone();
            async move { sender.answer(request).await }
        }))
    }

    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let rest = parts.uri.path().strip_prefix("/agent/v1/outbox/transfers/").unwrap();
        let word = rest.split_once('/').map_or_else(|| parts.method.to_string(), |(_, word)| word.to_owned());
        let body = body.collect().await.unwrap().to_bytes();
        self.0.send_modify(|(asked, _)| asked.push((word.clone(), body)));
        match &*word {
            "measure" => {
                let album =
                    json!({"filename": "album", "kind": "folder", "size": 7, "files": 2, "preview": ["a"]});
                let items = [album, json!({"filename": "letter.txt", "size": 3})];
                axum::Json(json!({"items": items})).into_response()
            }
            "watch" => {
                let told = self.0.subscribe();
                let lines =
                    futures_util::stream::unfold((told, Value::Null), |(mut told, before)| async move {
                        let fresh = |(_, says): &Now| *says != before;
                        let says = told.wait_for(fresh).await.ok()?.1.clone();
                        Some((Ok::<_, std::convert::Infallible>(says.to_string() + "\n"), (told, says)))
                    });
                Body::from_stream(lines).into_response()
            }
            _ => axum::Json(json!({"state": "reaching"})).into_response(),
        }
    }

    fn says(&self, carried: Value) {
        self.0.send_modify(|(_, says)| *says = carried);
    }

    /// What it was told last to send.
    async fn outbound(&self) -> Outbound {
        let put = |asked: &[(String, Bytes)]| asked.iter().rfind(|(word, _)| word == "PUT").cloned();
        let mut told = self.0.subscribe();
        let now = told.wait_for(|(asked, _)| put(asked).is_some()).await.unwrap();
        serde_json::from_slice(&put(&now.0).unwrap().1).unwrap()
    }

    fn asked(&self) -> Vec<String> {
        self.0.borrow().0.iter().map(|(word, _)| word.clone()).collect()
    }
}

impl Stage {
    pub(super) async fn new() -> Self {
        let mut play = Play::new().await;
        let me = play.machine.get(&play.world, "/api/v1/auth/me").await.body;
        let laptop: DeviceId = me["client_device"].as_str().unwrap().parse().unwrap();
        play.give(json!(["read", "download"])).await;
        let sender = Sender(Arc::new(watch::Sender::new((Vec::new(), json!({"state": "sending"})))));
        let stage = Self { play, sender, laptop };
        stage.links().await;
        stage
    }

    /// Both machines are there.
    pub(super) async fn links(&self) {
        let rooms = self.play.world.coordinator.rooms();
        self.play.world.coordinator.set_local_agent(self.sender.link());
        rooms.gateway.set_link(self.laptop, Arc::new(self.play.device.link()));
        let offered = |inbox| OfferedShare {
            id: ShareId::generate(),
            name: if inbox { "Inbox" } else { "Things" }.into(),
            read_only: false,
            inbox,
        };
        let offer = vec![offered(true), offered(false)];
        rooms
            .registry
            .register(self.laptop, Addresses::default(), offer, time::Duration::ZERO)
            .await
            .unwrap();
    }

    fn offer(&self) -> Value {
        let source = json!({"share_id": self.play.share, "paths": ["album", "in/letter.txt"]});
        json!({"receiver_device_id": self.laptop, "source": source})
    }
}

#[tokio::test]
async fn a_share_is_sent_by_its_machine_and_nobody_else_hears_from_where() {
    let mut stage = Stage::new().await;
    let offer = stage.offer();
    let offered = stage.play.offered_as(offer).await;
    assert_eq!((&offered["state"], &offered["incoming"]), (&json!("passcode_open"), &json!(true)));
    assert_eq!(offered["sender_device_id"], json!(stage.play.at));
    assert_eq!(
        (&offered["items"][0]["files"], &offered["items"][1]["filename"]),
        (&json!(2), &json!("letter.txt"))
    );
    assert_eq!(offered["source"]["paths"], json!(["album", "in/letter.txt"]));
    let outbound = stage.sender.outbound().await;
    assert_eq!(
        (outbound.receiver_device_id, &outbound.paths[..]),
        (stage.laptop, &["album".into(), "in/letter.txt".into()][..])
    );
    let rooms = stage.play.world.coordinator.rooms();
    let keys = rooms.tickets.announced().borrow().ticket_keys.clone();
    let ring = proto::ticket::KeyRing::new(stage.laptop, [proto::ticket::Issuer::own(keys)]);
    let ticket = proto::ticket::Ticket::from_text(&outbound.ticket);
    let now = crate::clock::Clock::wall(&*stage.play.world.clock);
    let verified = ring.verify(&ticket, Some(stage.play.at), now).unwrap();
    verified.permit_transfer(id(&offered), proto::Permission::RequestSend).unwrap();
    assert!(ring.verify(&ticket, Some(stage.laptop), now).is_err(), "it is the sending machine's alone");
    assert_eq!(
        stage.play.device.expected().await.items.len(),
        2,
        "the receiver knows before the sender comes"
    );
    let note = "No direct path was found yet.";
    stage.sender.says(json!({"state": "sending", "way": "relayed", "note": note}));
    while stage.play.seen(&offered).await["way_note"] != note {
        tokio::task::yield_now().await;
    }
    stage.play.device.says(&offered, &["finalized", "finalized"]);
    stage.play.comes_to(&offered, TransferState::Completed).await;
    let log = stage.play.owner.get(&stage.play.world, "/api/v1/audit").await.body.to_string();
    assert!(log.contains("transfer.completed") && !log.contains("letter.txt"), "{log}");
    assert_eq!(stage.sender.asked()[..2], ["measure", "PUT"]);
}

#[tokio::test]
async fn only_what_was_agreed_on_is_sent_and_only_the_sender_sees_its_source() {
    let mut stage = Stage::new().await;
    let share = stage.play.share;
    let source = json!({"share_id": share, "paths": ["album", "in/letter.txt"]});
    let offer = json!({"receiver_device_id": stage.laptop, "source": source});
    let made = stage.play.owner.post(&stage.play.world, "/api/v1/transfers", offer).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let transfer = made.body;
    let seen = stage.play.seen(&transfer).await;
    assert_eq!((&seen["incoming"], seen.get("source")), (&json!(true), None), "{seen}");
    assert_eq!(transfer["source"], source);
    assert_eq!(stage.sender.asked(), ["measure"], "nothing is sent before it was agreed on");
    let approve = json!({"items": [transfer["items"][1]["id"]], "always": {}});
    let approved = stage.play.guest_does(&transfer, "approve", approve).await;
    assert_eq!(approved.body["state"], "passcode_open", "{}", approved.body);
    assert_eq!(stage.sender.outbound().await.paths, ["in/letter.txt"]);
}

#[tokio::test]
async fn what_the_sender_may_not_read_any_more_is_not_sent_to_its_end() {
    let mut stage = Stage::new().await;
    let offer = stage.offer();
    let transfer = stage.play.offered_as(offer.clone()).await;
    stage.sender.outbound().await;
    let mut told = stage.play.world.coordinator.rooms().revoked.subscribe();
    stage.play.give(json!(["read"])).await;
    stage.play.comes_to(&transfer, TransferState::Failed).await;
    let seen = stage.play.seen(&transfer).await;
    assert_eq!(seen["reason"], "Whoever sends it may not do so any more.");
    let ended = std::iter::from_fn(|| told.try_recv().ok()).any(|what| {
        what == proto::wire::link::Revoked::Transfer { id: id(&transfer), share: stage.play.share }
    });
    assert!(ended, "the machine that sends is told");
    let refused = stage.play.guest.post(&stage.play.world, "/api/v1/transfers", offer).await;
    assert_eq!(refused.code(), "FORBIDDEN", "{}", refused.body);
}

#[tokio::test]
async fn a_sender_that_is_away_is_waited_for_and_told_again() {
    let mut stage = Stage::new().await;
    let offer = stage.offer();
    let transfer = stage.play.offered_as(offer).await;
    stage.sender.outbound().await;
    stage.sender.0.send_modify(|(asked, _)| asked.clear());
    stage.play.world = stage.play.world.restart().await;
    let waits = stage.play.seen(&transfer).await;
    let note = waits["way_note"].as_str().unwrap();
    assert!(note.contains("is not online"), "{waits}");
    stage.links().await;
    assert_eq!(stage.sender.outbound().await.paths.len(), 2, "a restart of the coordinator changes nothing");
    stage.sender.says(json!({"state": "reaching", "note": "No address is known."}));
    let transfers = &stage.play.world.coordinator.rooms().transfers;
    assert!(transfers.row(id(&transfer)).is_some());
    stage.sender.says(json!({"state": "failed", "error": {
        "code": "FORBIDDEN", "message": "No.", "hint": "", "request_id": "",
    }}));
    stage.play.comes_to(&transfer, TransferState::Failed).await;
    assert_eq!(stage.play.seen(&transfer).await["reason"], "No.");
}

#[tokio::test]
async fn an_offer_from_a_share_says_what_it_means() {
    let mut stage = Stage::new().await;
    let with = |key: &str, value: Value| {
        let mut offer = stage.offer();
        offer[key] = value;
        offer
    };
    let nothing = json!({"share_id": stage.play.share, "paths": []});
    let outside = json!({"share_id": stage.play.share, "paths": ["../etc"]});
    let elsewhere = json!({"share_id": ShareId::generate(), "paths": ["a"]});
    let someone = json!(proto::PrincipalId::generate());
    let offers = [
        (with("source", nothing), "BAD_PARAMETER"),
        (with("source", outside), "BAD_PARAMETER"),
        (with("source", elsewhere), "NOT_FOUND"),
        (with("receiver_device_id", json!(stage.play.at)), "FORBIDDEN"),
        (with("receiver_device_id", Value::Null), "BAD_PARAMETER"),
        (with("receiver_principal_id", someone), "BAD_PARAMETER"),
        (with("sender_device_id", json!(stage.laptop)), "BAD_PARAMETER"),
        (with("items", json!([{"filename": "one", "size": 1}])), "BAD_PARAMETER"),
    ];
    for (offer, code) in offers {
        let answer = stage.play.guest.post(&stage.play.world, "/api/v1/transfers", offer.clone()).await;
        assert_eq!(answer.code(), code, "{offer}: {}", answer.body);
    }
    assert!(stage.sender.asked().is_empty(), "refused before the machine is asked");
}

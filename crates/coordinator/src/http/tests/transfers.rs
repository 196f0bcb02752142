//! Transfers tried from outside: who may do what with one, what opens it and what ends it, and what the receiver's device is
//! told. The device is a small router that stands in for one.

mod device;
mod person;
mod rights;
mod source;

use proto::api::transfers::{Expected, TransferState, TrustLimits};
use proto::wire::link::{Addresses, OfferedShare};
use proto::{DeviceId, ShareId, TransferId};

use super::*;
use device::StandIn;

const PASSCODE: &str = "4711";

/// Somebody who may send to the owner's machine, and the machine.
struct Play {
    world: World,
    owner: Browser,
    /// Their browser and their machine.
    guest: Browser,
    machine: Browser,
    device: StandIn,
    /// The owner's machine, and its share to which the guest may send.
    at: DeviceId,
    share: ShareId,
}

impl Play {
    async fn new() -> Self {
        let (world, mut owner) = World::set_up().await;
        let (guest, machine) = joining::guest(&world, &mut owner).await;
        let rooms = world.coordinator.rooms();
        let (at, share) = (rooms.device, rooms.shares.borrow()[0].id);
        let device = StandIn::default();
        world.coordinator.set_local_agent(device.link());
        let mut play = Self { world, owner, guest, machine, device, at, share };
        play.give(json!(["request_send"])).await;
        play
    }

    /// Gives the guest these rights on the share.
    async fn give(&mut self, permissions: Value) {
        let me = self.guest.get(&self.world, "/api/v1/auth/me").await.body;
        let subject = json!({"kind": "principal", "id": me["principal"]});
        let grant = json!({"share": self.share, "subject": subject, "permissions": permissions});
        let given = self.owner.send(&self.world, Method::PUT, "/api/v1/grants", Some(grant)).await;
        assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    }

    /// An offer of two files to the inbox.
    fn offer(&self) -> Value {
        let items =
            [("a.txt", 10), ("b.txt", 20)].map(|(name, size)| json!({"filename": name, "size": size}));
        json!({"receiver_device_id": self.at, "items": items})
    }

    /// Offers as the guest; gives the transfer.
    async fn offered(&mut self) -> Value {
        let offer = self.offer();
        self.offered_as(offer).await
    }

    async fn offered_as(&mut self, offer: Value) -> Value {
        let answer = self.guest.post(&self.world, "/api/v1/transfers", offer).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
        answer.body
    }

    /// Something the owner does with a transfer.
    async fn owner_does(&mut self, transfer: &Value, word: &str, body: Value) -> Answer {
        self.owner.post(&self.world, &path(transfer, word), body).await
    }

    /// Something the guest does with a transfer.
    async fn guest_does(&mut self, transfer: &Value, word: &str, body: Value) -> Answer {
        self.guest.post(&self.world, &path(transfer, word), body).await
    }

    async fn approved(&mut self) -> Value {
        let offered = self.offered().await;
        let approved = self.owner_does(&offered, "approve", json!({"passcode": PASSCODE})).await;
        assert_eq!(approved.status, StatusCode::OK, "{}", approved.body);
        approved.body
    }

    /// One that is under way.
    async fn opened(&mut self) -> Value {
        let approved = self.approved().await;
        let opened = self.guest_does(&approved, "passcode/open", json!({"passcode": PASSCODE})).await;
        assert_eq!(opened.status, StatusCode::OK, "{}", opened.body);
        opened.body["transfer"].clone()
    }

    async fn seen(&mut self, transfer: &Value) -> Value {
        self.guest.get(&self.world, &path(transfer, "")).await.body
    }

    /// Waits until a transfer is in this state.
    async fn comes_to(&self, transfer: &Value, state: TransferState) {
        let transfers = &self.world.coordinator.rooms().transfers;
        let mut changes = transfers.changes();
        while transfers.row(id(transfer)).is_none_or(|row| row.state != state) {
            changes.changed().await.unwrap();
        }
    }
}

fn id(transfer: &Value) -> TransferId {
    transfer["id"].as_str().unwrap().parse().unwrap()
}

fn path(transfer: &Value, word: &str) -> String {
    let path = format!("/api/v1/transfers/{}/{word}", id(transfer));
    path.trim_end_matches('/').to_owned()
}

#[tokio::test]
async fn what_was_agreed_on_arrives() {
    let mut play = Play::new().await;
    let mut owners_ear = play.ear_of_owner();
    let offered = play.offered().await;
    assert_eq!(
        (&offered["state"], &offered["incoming"]),
        (&json!("pending_receiver_approval"), &json!(false))
    );
    assert_eq!(owners_ear.hear().await["type"], "transfer_requested");
    let listed = play.owner.get(&play.world, "/api/v1/transfers?role=incoming").await.body;
    assert_eq!(
        (&listed["transfers"][0]["id"], &listed["transfers"][0]["incoming"]),
        (&offered["id"], &json!(true))
    );
    let early = play.guest_does(&offered, "passcode/open", json!({"passcode": PASSCODE})).await;
    assert_eq!((early.status.as_u16(), early.code()), (409, "WRONG_STATE"));
    assert!(early.body["message"].as_str().unwrap().contains("pending_receiver_approval"), "{}", early.body);
    let approved = play.owner_does(&offered, "approve", json!({"passcode": PASSCODE})).await;
    assert_eq!(approved.body["state"], "approved_pending_sender_passcode");
    assert!(play.device.asked().is_empty(), "the device knows nothing before it may come");
    let opened = play.guest_does(&offered, "passcode/open", json!({"passcode": PASSCODE})).await.body;
    assert_eq!(opened["transfer"]["state"], "passcode_open");
    assert!(opened["upload_ticket"].as_str().unwrap().starts_with("v4.public."));
    assert_eq!(opened["addresses"]["direct"], json!([]), "a browser goes through here");
    let told: Expected = play.device.expected().await;
    assert_eq!(told.items.len(), 2);
    let rooms = play.world.coordinator.rooms();
    assert_eq!(Some(told.receiver_share_id), rooms.inbox_of(play.at));
    play.device.says(&offered, &["receiving", "pending"]);
    play.comes_to(&offered, TransferState::InProgress).await;
    let flows = play.seen(&offered).await;
    assert_eq!((&flows["way"], &flows["limited_by"]), (&json!("relayed"), &json!("network")));
    play.device.says(&offered, &["finalized", "finalized"]);
    play.comes_to(&offered, TransferState::Completed).await;
    let seen = play.seen(&offered).await;
    assert_eq!((seen.get("way"), seen.get("limited_by")), (None, None), "nothing flows any more");
    assert_eq!((&seen["state"], &seen["items"][1]["state"]), (&json!("completed"), &json!("finalized")));
    play.until_row(&offered, |row| !row.device_knows).await;
    let given_up = play.device.asked().iter().any(|asked| asked.method == Method::DELETE);
    assert!(!given_up, "what is finished is not given up");
    let log = play.owner.get(&play.world, "/api/v1/audit").await.body.to_string();
    for action in ["transfer.created", "transfer.approved", "transfer.passcode_opened"] {
        assert!(log.contains(action), "{action} is not in the log");
    }
    assert!(!log.contains(PASSCODE), "{log}");
}

#[tokio::test]
async fn five_wrong_passcodes_lock_for_a_while_whatever_happens_and_then_for_longer() {
    let mut play = Play::new().await;
    let transfer = play.approved().await;
    for _ in 0..5 {
        let wrong = play.guest_does(&transfer, "passcode/open", json!({"passcode": "0000"})).await;
        assert_eq!((wrong.status.as_u16(), wrong.code()), (401, "WRONG_PASSCODE"));
    }
    let right = json!({"passcode": PASSCODE});
    let locked = play.machine.post(&play.world, &path(&transfer, "passcode/open"), right.clone()).await;
    assert_eq!((locked.status.as_u16(), locked.code()), (429, "LOCKED"), "from wherever they ask");
    assert_eq!(locked.body["retry_after"], 60);
    play.world = play.world.restart().await;
    play.world.coordinator.set_local_agent(play.device.link());
    let locked = play.guest_does(&transfer, "passcode/open", right.clone()).await;
    assert_eq!(locked.code(), "LOCKED", "a restart helps nobody");
    play.world.clock.pass(61);
    for _ in 0..5 {
        let wrong = play.guest_does(&transfer, "passcode/open", json!({"passcode": "0000"})).await;
        assert_eq!(wrong.code(), "WRONG_PASSCODE");
    }
    let locked = play.guest_does(&transfer, "passcode/open", right.clone()).await;
    assert_eq!(locked.body["retry_after"], 600);
    let again = play.approved().await;
    let locked = play.guest_does(&again, "passcode/open", right.clone()).await;
    assert_eq!(locked.code(), "LOCKED", "another transfer to the machine is no way round");
    play.world.clock.pass(601);
    let late = play.guest_does(&transfer, "passcode/open", right.clone()).await;
    assert_eq!(late.code(), "WRONG_STATE", "the window is over");
    assert_eq!(
        play.seen(&transfer).await["state"],
        "pending_receiver_approval",
        "the receiver is asked again"
    );
    play.owner_does(&transfer, "approve", json!({"passcode": "1234"})).await;
    let old = play.guest_does(&transfer, "passcode/open", right).await;
    assert_eq!(old.code(), "WRONG_PASSCODE", "the old passcode is worth nothing");
    play.world.clock.pass(6 * 3600);
    let lapsed = play.seen(&transfer).await;
    assert_eq!(lapsed["state"], "approved_pending_sender_passcode");
    play.world.coordinator.rooms().sweep_transfers().await;
    assert_eq!(play.seen(&transfer).await["state"], "pending_receiver_approval", "by itself as well");
}

#[tokio::test]
async fn a_transfer_goes_on_where_it_was_after_whatever_breaks_off() {
    let mut play = Play::new().await;
    let transfer = play.opened().await;
    play.device.says(&transfer, &["receiving", "finalized"]);
    play.comes_to(&transfer, TransferState::InProgress).await;
    play.device.breaks_off();
    play.device.says(&transfer, &["staged", "finalized"]);
    play.until_item(&transfer, 0, "staged").await;
    play.world = play.world.restart().await;
    assert_eq!(play.seen(&transfer).await["items"][0]["state"], "staged", "what was told is kept");
    play.device.says(&transfer, &["finalized", "finalized"]);
    play.world.coordinator.set_local_agent(play.device.link());
    play.comes_to(&transfer, TransferState::Completed).await;
}

#[tokio::test]
async fn whoever_holds_a_transfer_lets_it_go_on_and_the_device_is_told() {
    let mut play = Play::new().await;
    let transfer = play.opened().await;
    play.device.says(&transfer, &["receiving", "pending"]);
    play.comes_to(&transfer, TransferState::InProgress).await;
    let held = play.owner_does(&transfer, "pause", json!({})).await.body;
    assert_eq!((&held["paused_by"], &held["state"]), (&json!("receiver"), &json!("in_progress")));
    play.device.is_told(json!("receiver")).await;
    let others = play.guest_does(&transfer, "resume", json!({})).await;
    assert_eq!((others.status.as_u16(), others.code()), (409, "WRONG_STATE"), "it is the receiver's to say");
    assert_eq!(play.owner_does(&transfer, "resume", json!({})).await.body["paused_by"], Value::Null);
    play.device.is_told(Value::Null).await;
    play.device.says_held(&transfer, &["receiving", "pending"], "no_space");
    play.until(&transfer, |seen| seen["paused_by"] == "no_space").await;
    play.device.says(&transfer, &["receiving", "pending"]);
    play.until(&transfer, |seen| seen["paused_by"].is_null()).await;
}

#[tokio::test]
async fn what_is_given_up_ends_at_the_device_also_when_that_was_away() {
    let mut play = Play::new().await;
    let transfer = play.opened().await;
    play.device.says(&transfer, &["receiving", "pending"]);
    play.comes_to(&transfer, TransferState::InProgress).await;
    play.device.refuses(true);
    let cancelled = play.guest_does(&transfer, "cancel", json!({"reason": "wrong one"})).await.body;
    assert_eq!((&cancelled["state"], &cancelled["reason"]), (&json!("cancelled"), &json!("wrong one")));
    assert_eq!(cancelled["items"][0]["state"], "cancelled");
    for word in ["cancel", "pause", "resume", "reject", "approve", "passcode/open"] {
        let by_owner =
            play.owner_does(&transfer, word, json!({"passcode": PASSCODE})).await.code().to_owned();
        let by_guest =
            play.guest_does(&transfer, word, json!({"passcode": PASSCODE})).await.code().to_owned();
        assert!(
            [&by_owner, &by_guest].iter().any(|code| *code == "WRONG_STATE"),
            "{word}: {by_owner} {by_guest}"
        );
        assert!(
            ["WRONG_STATE", "FORBIDDEN"].contains(&&*by_owner)
                && ["WRONG_STATE", "FORBIDDEN"].contains(&&*by_guest)
        );
    }
    play.world = play.world.restart().await;
    play.device.refuses(false);
    play.world.coordinator.set_local_agent(play.device.link());
    play.device.is_asked(Method::DELETE).await;
    play.until_row(&transfer, |row| !row.device_knows).await;
}

#[tokio::test]
async fn an_offer_that_nobody_answers_expires_and_history_is_cleared_by_each_side_for_itself() {
    let mut play = Play::new().await;
    let transfer = play.offered().await;
    play.world.clock.pass(24 * 3600 - 1);
    play.world.coordinator.rooms().sweep_transfers().await;
    assert_eq!(play.seen(&transfer).await["state"], "pending_receiver_approval");
    play.world.clock.pass(1);
    play.world.coordinator.rooms().sweep_transfers().await;
    let seen = play.seen(&transfer).await;
    assert_eq!((&seen["state"], &seen["items"][0]["state"]), (&json!("expired"), &json!("expired")));
    let second = play.offered().await;
    let cancelled = play.guest.post(&play.world, "/api/v1/transfers/pending/cancel", json!({})).await.body;
    assert_eq!(cancelled["cancelled"], 1);
    assert_eq!(play.seen(&second).await["state"], "cancelled");
    let cleared = play.guest.post(&play.world, "/api/v1/transfers/history/clear", json!({})).await.body;
    assert_eq!(cleared["deleted"], 2);
    let listed = async |browser: &mut Browser, world: &World| {
        browser.get(world, "/api/v1/transfers").await.body["transfers"].as_array().unwrap().len()
    };
    assert_eq!(listed(&mut play.guest, &play.world).await, 0);
    play.owner = on_machine().signed_in(&play.world).await;
    assert_eq!(listed(&mut play.owner, &play.world).await, 2, "the other side keeps its own");
    play.owner.post(&play.world, "/api/v1/transfers/history/clear", json!({})).await;
    assert!(play.world.coordinator.rooms().transfers.rows_where(|_| true).is_empty(), "then it is forgotten");
}

#[tokio::test]
async fn each_side_calls_a_transfer_what_it_likes_and_the_other_does_not_see_it() {
    let mut play = Play::new().await;
    let transfer = play.offered().await;
    let name = async |browser: &mut Browser, world: &World, name: Value| {
        let body = Some(json!({"label": name}));
        browser.send(world, Method::PUT, &path(&transfer, "label"), body).await
    };
    let labelled = name(&mut play.guest, &play.world, json!(" holiday ")).await.body;
    assert_eq!(labelled["label"], "holiday");
    assert_eq!(name(&mut play.owner, &play.world, json!("from Ada")).await.body["label"], "from Ada");
    for bad in ["two\nlines".to_owned(), "x".repeat(121)] {
        assert_eq!(name(&mut play.guest, &play.world, json!(bad)).await.code(), "BAD_PARAMETER");
    }
    play.world = play.world.restart().await;
    assert_eq!(play.seen(&transfer).await["label"], "holiday");
    assert_eq!(name(&mut play.guest, &play.world, json!("")).await.body.get("label"), None);
    let listed = play.owner.get(&play.world, "/api/v1/transfers").await.body;
    assert_eq!(listed["transfers"][0]["label"], "from Ada");
}

#[tokio::test]
async fn whoever_is_trusted_needs_no_passcode_as_far_as_that_goes() {
    let mut play = Play::new().await;
    let transfer = play.offered().await;
    let none = play.owner_does(&transfer, "approve", json!({})).await;
    assert_eq!(none.code(), "BAD_PARAMETER", "a stranger needs a passcode");
    let always = json!({"always": {"max_bytes": 30, "destination_path": "Ada"}});
    let approved = play.owner_does(&transfer, "approve", always).await.body;
    assert_eq!(approved["state"], "passcode_open");
    let next = play.offered().await;
    assert_eq!((&next["state"], &next["destination_path"]), (&json!("passcode_open"), &json!("Ada")));
    let mut large = play.offer();
    large["items"][0]["size"] = json!(11);
    assert_eq!(play.offered_as(large).await["state"], "pending_receiver_approval", "beyond what was said");
    play.world = play.world.restart().await;
    play.world.coordinator.set_local_agent(play.device.link());
    let trusted = play.owner.get(&play.world, "/api/v1/transfers/trusted").await.body["trusted"][0].clone();
    assert_eq!((&trusted["max_bytes"], &trusted["destination_path"]), (&json!(30), &json!("Ada")));
    let of_guest = play.guest.get(&play.world, "/api/v1/transfers/trusted").await.body;
    assert_eq!(of_guest["trusted"], json!([]), "it is the owner's own list");
    let entry =
        format!("/api/v1/transfers/trusted/{}/{}", play.at, trusted["sender_principal_id"].as_str().unwrap());
    let by_guest = play.guest.send(&play.world, Method::DELETE, &entry, None).await.status;
    assert_eq!(by_guest, StatusCode::NOT_FOUND);
    assert_eq!(
        play.owner.send(&play.world, Method::DELETE, &entry, None).await.status,
        StatusCode::NO_CONTENT
    );
    assert_eq!(play.offered().await["state"], "pending_receiver_approval");
    let limits = Some(json!({"max_bytes": 30}));
    let by_guest = play.guest.send(&play.world, Method::PUT, &entry, limits.clone()).await.status;
    assert_eq!(by_guest, StatusCode::NOT_FOUND, "nobody says so of a machine that is another's");
    let before = play.owner.send(&play.world, Method::PUT, &entry, limits).await;
    assert_eq!((before.status, &before.body["max_bytes"]), (StatusCode::OK, &json!(30)));
    assert_eq!(play.offered().await["state"], "passcode_open", "whoever is trusted beforehand need not ask");
    play.owner.send(&play.world, Method::DELETE, &entry, None).await;
    play.give(json!(["request_send", "accept_incoming"])).await;
    let mut to_share = play.offer();
    to_share["receiver_share_id"] = json!(play.share);
    assert_eq!(
        play.offered_as(to_share).await["state"],
        "passcode_open",
        "who may let things in may send them"
    );
    let own = play.owner.post(&play.world, "/api/v1/transfers", play.offer()).await.body;
    assert_eq!(
        (&own["state"], &own["incoming"]),
        (&json!("passcode_open"), &json!(true)),
        "from oneself to oneself"
    );
}

#[tokio::test]
async fn a_part_is_taken_and_goes_where_the_receiver_says() {
    let mut play = Play::new().await;
    let transfer = play.offered().await;
    for bad in [json!([]), json!([proto::TransferItemId::generate()])] {
        let approve = json!({"passcode": PASSCODE, "items": bad});
        assert_eq!(play.owner_does(&transfer, "approve", approve).await.code(), "BAD_PARAMETER");
    }
    let short = play.owner_does(&transfer, "approve", json!({"passcode": "471"})).await;
    assert_eq!(short.code(), "BAD_PARAMETER");
    let approve = json!({
        "passcode": PASSCODE, "items": [transfer["items"][1]["id"]],
        "receiver_share_id": play.share, "destination_path": "New/Ada",
    });
    let approved = play.owner_does(&transfer, "approve", approve).await.body;
    assert_eq!(
        (&approved["items"][0]["state"], &approved["items"][1]["state"]),
        (&json!("rejected"), &json!("pending"))
    );
    let opened = play.guest_does(&transfer, "passcode/open", json!({"passcode": PASSCODE})).await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.body);
    let told = play.device.expected().await;
    assert_eq!((told.receiver_share_id, told.destination_path.as_str()), (play.share, "New/Ada"));
    assert_eq!(told.items.iter().map(|item| &*item.offered.filename).collect::<Vec<_>>(), ["b.txt"]);
    play.device.says_of(&transfer, &[(1, "failed")]);
    play.comes_to(&transfer, TransferState::Failed).await;
}

#[tokio::test]
async fn a_machine_that_is_let_go_trusts_nobody_and_what_was_sent_to_it_fails() {
    let mut play = Play::new().await;
    let me = play.machine.get(&play.world, "/api/v1/auth/me").await.body;
    let laptop: DeviceId = me["client_device"].as_str().unwrap().parse().unwrap();
    let rooms = play.world.coordinator.rooms();
    let inbox = OfferedShare { id: ShareId::generate(), name: "Inbox".into(), read_only: false, inbox: true };
    let skew = time::Duration::ZERO;
    rooms.registry.register(laptop, Addresses::default(), vec![inbox], skew).await.unwrap();
    let mut offer = play.offer();
    offer["receiver_device_id"] = json!(laptop);
    let transfer = play.owner.post(&play.world, "/api/v1/transfers", offer.clone()).await;
    assert_eq!(transfer.code(), "FORBIDDEN", "to own the coordinator is no right to others' inboxes");
    let transfer = play.offered_as(offer).await;
    assert_eq!(transfer["state"], "passcode_open", "it is the guest's own machine");
    let rooms = play.world.coordinator.rooms();
    let sender = rooms.identity.owner_id().unwrap();
    rooms.trust_for_test((laptop, sender), &TrustLimits::default()).await;
    let trusted = play.guest.get(&play.world, "/api/v1/transfers/trusted").await.body;
    assert_eq!(trusted["trusted"].as_array().unwrap().len(), 1);
    let machine = format!("/api/v1/devices/{laptop}");
    assert_eq!(
        play.owner.send(&play.world, Method::DELETE, &machine, None).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(!play.world.coordinator.rooms().transfers.trusts_anybody(), "whoever pairs it again begins anew");
    play.world.coordinator.rooms().sweep_transfers().await;
    play.comes_to(&transfer, TransferState::Failed).await;
}

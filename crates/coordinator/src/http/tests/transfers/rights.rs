//! Who may do what with a transfer: each route for each side, and for those who have nothing to do with it.

use proto::wire::link::Revoked;

use super::*;

/// For each route with a transfer the status for a stranger, for the sender's browser and machine, and for the receiver. What is
/// allowed is refused for its state alone: the transfer has come to its end.
const ROUTES: [(&str, &str, [u16; 4]); 8] = [
    ("GET", "", [404, 200, 200, 200]),
    ("POST", "approve", [404, 403, 403, 409]),
    ("POST", "reject", [404, 403, 403, 409]),
    ("POST", "passcode/open", [404, 409, 409, 403]),
    ("POST", "cancel", [404, 409, 409, 409]),
    ("POST", "pause", [404, 409, 409, 409]),
    ("POST", "resume", [404, 409, 409, 409]),
    // What a side calls it is its own affair, also afterwards.
    ("PUT", "label", [404, 200, 200, 200]),
];

#[tokio::test]
async fn each_side_does_what_is_its_own_and_nobody_else_anything() {
    let mut play = Play::new().await;
    let made = joining::invite(&mut play.owner, &play.world, json!({})).await;
    let mut stranger = private(33);
    let took = joining::take(&mut stranger, &play.world, made["text"].as_str().unwrap()).await;
    assert_eq!(took.status, StatusCode::OK, "{}", took.body);
    let transfer = play.offered().await;
    play.guest_does(&transfer, "cancel", json!({})).await;
    let mut people = [stranger, play.guest.clone(), play.machine.clone(), play.owner.clone()];
    for (method, word, expected) in ROUTES {
        for (browser, expected) in people.iter_mut().zip(expected) {
            let body = (method != "GET").then(|| json!({"passcode": PASSCODE}));
            let answer =
                browser.send(&play.world, method.parse().unwrap(), &path(&transfer, word), body).await;
            assert_eq!(answer.status.as_u16(), expected, "{method} {word}: {}", answer.body);
        }
    }
    let none = people[0].get(&play.world, "/api/v1/transfers").await.body;
    assert_eq!(none["transfers"], json!([]));
}

#[tokio::test]
async fn only_who_may_send_offers_and_only_what_they_may_send_from() {
    let mut play = Play::new().await;
    let guests = play.machine.get(&play.world, "/api/v1/auth/me").await.body["client_device"].clone();
    let mut from_theirs = play.offer();
    from_theirs["sender_device_id"] = guests;
    play.offered_as(from_theirs).await;
    let mut from_ours = play.offer();
    from_ours["sender_device_id"] = json!(play.at);
    let refused = play.guest.post(&play.world, "/api/v1/transfers", from_ours.clone()).await;
    assert_eq!(refused.status.as_u16(), 403, "{}", refused.body);
    play.give(json!(["request_send", "read", "download"])).await;
    play.offered_as(from_ours).await;
    let mut into_folder = play.offer();
    into_folder["destination_path"] = json!("Secret");
    let refused = play.guest.post(&play.world, "/api/v1/transfers", into_folder).await;
    assert_eq!(refused.code(), "BAD_PARAMETER", "an inbox is its owner's to arrange");
    let mut elsewhere = play.offer();
    elsewhere["receiver_share_id"] = json!(ShareId::generate());
    assert_eq!(play.guest.post(&play.world, "/api/v1/transfers", elsewhere).await.code(), "NOT_FOUND");
    play.give(json!(["read"])).await;
    for share in [Value::Null, json!(play.share)] {
        let mut offer = play.offer();
        if !share.is_null() {
            offer["receiver_share_id"] = share;
        }
        assert_eq!(play.guest.post(&play.world, "/api/v1/transfers", offer).await.code(), "FORBIDDEN");
    }
    let hidden = format!("/api/v1/catalog/devices/{}/visibility", play.at);
    play.owner.post(&play.world, &hidden, json!({"visible": false})).await;
    let unseen = play.guest.post(&play.world, "/api/v1/transfers", play.offer()).await;
    assert_eq!((unseen.status.as_u16(), unseen.code()), (404, "NOT_FOUND"));
}

#[tokio::test]
async fn through_the_gateway_the_sender_delivers_and_the_receiver_looks() {
    let mut play = Play::new().await;
    let transfer = play.approved().await;
    let base = format!("/api/v1/devices/{}/inbox/transfers/{}", play.at, id(&transfer));
    let early = play.guest.post(&play.world, &format!("{base}/chunk"), json!({})).await;
    assert_eq!((early.status.as_u16(), early.code()), (409, "WRONG_STATE"));
    play.guest_does(&transfer, "passcode/open", json!({"passcode": PASSCODE})).await;
    let mut stranger = private(34).signed_in(&play.world).await;
    let other = format!("/api/v1/devices/{}/inbox/transfers/{}", play.at, TransferId::generate());
    for (word, method, sender, receiver) in [
        ("chunk", Method::POST, 200, 403),
        ("commit", Method::POST, 200, 403),
        ("finalize", Method::POST, 200, 403),
        ("status", Method::GET, 200, 200),
        ("pause", Method::POST, 200, 200),
        ("resume", Method::POST, 200, 200),
        ("cancel", Method::POST, 404, 404),
    ] {
        let body = (method == Method::POST).then(|| json!({}));
        let path = format!("{base}/{word}");
        for (browser, expected) in [(&mut play.guest, sender), (&mut play.owner, receiver)] {
            let answer = browser.send(&play.world, method.clone(), &path, body.clone()).await;
            assert_eq!(answer.status.as_u16(), expected, "{word}: {}", answer.body);
        }
        let path = format!("{other}/{word}");
        assert_eq!(stranger.send(&play.world, method, &path, body).await.status, StatusCode::NOT_FOUND);
    }
    let mut told = play.world.coordinator.rooms().revoked.subscribe();
    play.owner_does(&transfer, "cancel", json!({})).await;
    let ended = std::iter::from_fn(|| told.try_recv().ok())
        .any(|what| matches!(what, Revoked::Transfer { id: ended, .. } if ended == id(&transfer)));
    assert!(ended, "its tickets are worth nothing any more");
    let late = play.guest.post(&play.world, &format!("{base}/chunk"), json!({})).await;
    assert_eq!(late.code(), "WRONG_STATE");
}

#[tokio::test]
async fn what_a_ticket_opens_is_this_one_delivery_by_this_one_machine() {
    let mut play = Play::new().await;
    let transfer = play.opened().await;
    let opened = play.machine.post(&play.world, &path(&transfer, "passcode/open"), json!({})).await;
    assert_eq!(opened.status, StatusCode::OK, "without the passcode again: {}", opened.body);
    let rooms = play.world.coordinator.rooms();
    let keys = rooms.tickets.announced().borrow().ticket_keys.clone();
    let ring = proto::ticket::KeyRing::new(play.at, [proto::ticket::Issuer::own(keys)]);
    let ticket = proto::ticket::Ticket::from_text(opened.body["upload_ticket"].as_str().unwrap());
    let me = play.machine.get(&play.world, "/api/v1/auth/me").await.body;
    let key: DeviceId = me["client_device"].as_str().unwrap().parse().unwrap();
    let now = crate::clock::Clock::wall(&*play.world.clock);
    assert!(ring.verify(&ticket, None, now).is_err(), "it is nobody else's to present");
    let verified = ring.verify(&ticket, Some(key), now).unwrap();
    let inbox = rooms.inbox_of(play.at).unwrap();
    let may = |permission| verified.permit_transfer(id(&transfer), permission);
    assert_eq!(may(proto::Permission::RequestSend).unwrap(), inbox);
    assert!(may(proto::Permission::AcceptIncoming).is_err());
    assert!(
        verified.permit(inbox, proto::Permission::RequestSend).is_err(),
        "it opens nothing else in the inbox"
    );
    assert!(verified.permit_transfer(TransferId::generate(), proto::Permission::RequestSend).is_err());
    play.give(json!(["read"])).await;
    let renewed = play.machine.post(&play.world, &path(&transfer, "passcode/open"), json!({})).await;
    assert_eq!(renewed.status.as_u16(), 403, "renewed as long as they may send: {}", renewed.body);
}

#[tokio::test]
async fn the_inbox_waits_until_the_device_is_told() {
    let mut play = Play::new().await;
    let transfer = play.approved().await;
    play.device.refuses(true);
    let opened = play.guest_does(&transfer, "passcode/open", json!({"passcode": PASSCODE})).await;
    assert_eq!(opened.code(), "BUSY", "{}", opened.body);
    assert_eq!(play.seen(&transfer).await["state"], "passcode_open", "the passcode was right");
    play.device.refuses(false);
    let opened = play.guest_does(&transfer, "passcode/open", json!({})).await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.body);
    let asked = play.device.asked();
    assert!(asked.iter().all(|asked| asked.bearer.starts_with("Bearer v4.public.")));
}

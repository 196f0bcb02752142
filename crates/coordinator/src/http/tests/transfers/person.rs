//! Something is sent to a person: to one of their machines, and to another if they say so.

use super::source::Stage;
use super::*;

async fn to(stage: &mut Stage, person: &Value) -> Answer {
    let items = json!([{"filename": "a.txt", "size": 10}]);
    let offer = json!({"receiver_principal_id": person, "items": items});
    stage.play.owner.post(&stage.play.world, "/api/v1/transfers", offer).await
}

#[tokio::test]
async fn a_person_receives_on_the_machine_that_is_there_or_on_another_of_theirs() {
    let mut stage = Stage::new().await;
    let me = stage.play.guest.get(&stage.play.world, "/api/v1/auth/me").await.body["principal"].clone();
    let tablet = DeviceId::from_public_key([9; 32]);
    let row = crate::store::devices::DeviceRow {
        id: tablet,
        principal: me.as_str().unwrap().parse().unwrap(),
        name: "Tablet".into(),
        platform: "linux".into(),
        visible: true,
        paired_ms: 0,
        revoked_ms: None,
    };
    stage.play.world.coordinator.rooms().store.put_device_for_test(&row).await;
    stage.play.world = stage.play.world.restart().await;
    stage.links().await;
    let made = to(&mut stage, &me).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let transfer = made.body;
    assert_eq!(transfer["receiver_device_id"], json!(stage.laptop), "the tablet takes nothing");
    assert_eq!(transfer["receiver_principal_id"], me);
    let elsewhere = |device: &Value| json!({"passcode": PASSCODE, "receiver_device_id": device});
    let no_inbox = stage.play.guest_does(&transfer, "approve", elsewhere(&json!(tablet))).await;
    assert_eq!(no_inbox.code(), "NOT_FOUND", "{}", no_inbox.body);
    let rooms = stage.play.world.coordinator.rooms();
    let inbox = OfferedShare { id: ShareId::generate(), name: "Inbox".into(), read_only: false, inbox: true };
    let here = rooms.registry.register(tablet, Addresses::default(), vec![inbox], time::Duration::ZERO);
    here.await.unwrap();
    rooms.gateway.set_link(tablet, Arc::new(stage.play.device.link()));
    let theirs = stage.play.guest_does(&transfer, "approve", elsewhere(&json!(stage.play.at))).await;
    assert_eq!(theirs.code(), "NOT_FOUND", "it is not one of theirs");
    let approved = stage.play.guest_does(&transfer, "approve", elsewhere(&json!(tablet))).await.body;
    assert_eq!(
        (&approved["receiver_device_id"], &approved["receiver_name"]),
        (&json!(tablet), &json!("Tablet"))
    );
    let opened = stage.play.owner_does(&transfer, "passcode/open", json!({"passcode": PASSCODE})).await;
    assert_eq!(opened.status, StatusCode::OK, "{}", opened.body);
    assert_eq!(stage.play.device.expected().await.items.len(), 1);
}

#[tokio::test]
async fn nobody_without_a_machine_is_sent_to_and_no_machine_but_a_persons_own_is_chosen() {
    let mut stage = Stage::new().await;
    let none = to(&mut stage, &json!(proto::PrincipalId::generate())).await;
    assert_eq!(none.code(), "NOT_FOUND");
    assert!(none.body["hint"].as_str().unwrap().contains("link"), "{}", none.body);
    let items = json!([{"filename": "a.txt", "size": 10}]);
    let offer = json!({"receiver_device_id": stage.laptop, "items": items});
    let transfer = stage.play.owner.post(&stage.play.world, "/api/v1/transfers", offer).await.body;
    let approve = json!({"passcode": PASSCODE, "receiver_device_id": stage.play.at});
    let refused = stage.play.guest_does(&transfer, "approve", approve).await;
    assert_eq!(refused.code(), "BAD_PARAMETER", "{}", refused.body);
}

//! Ticket keys take each other's place, seen from outside: what stays good, what does not, and what restarts change.

use axum::http::{Method, StatusCode};
use proto::ticket::{Issuer, KeyRing, PublicKey, Ticket, TicketError};
use proto::wire::link::TicketKeys;
use serde_json::{Value, json};

use super::machines::Machine;
use super::{Answer, Browser, World, device_key, private};
use crate::clock::Clock;

async fn rotate(owner: &mut Browser, world: &World, at_once: bool) -> Answer {
    owner.post(world, "/api/v1/keys/rotate", json!({"at_once": at_once})).await
}

async fn keys(owner: &mut Browser, world: &World) -> Value {
    owner.get(world, "/api/v1/keys").await.body
}

fn told(world: &World) -> TicketKeys {
    world.coordinator.ticket_keys().borrow().clone()
}

/// The ticket that the gateway brings to a device for a request.
async fn ticket(owner: &mut Browser, world: &World) -> Ticket {
    let shares = owner.get(world, "/api/v1/catalog/shares").await.body;
    let share = shares["shares"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/devices/{}/shares/{share}/list", device_key().id());
    let answer = owner.get(world, &path).await.body;
    Ticket::from_text(answer["bearer"].as_str().unwrap().strip_prefix("Bearer ").unwrap())
}

/// Whether a device that honours these keys takes it.
fn honoured(world: &World, keys: &[PublicKey], ticket: &Ticket) -> Result<(), TicketError> {
    let ring = KeyRing::new(device_key().id(), [Issuer::own(keys.to_vec())]);
    ring.verify(ticket, None, world.clock.wall()).map(drop)
}

/// What the clock brings about after so many seconds.
async fn pass(world: &World, seconds: i64) {
    world.clock.pass(seconds);
    world.coordinator.rooms().rotate_when_due().await;
}

async fn machine(world: &World) -> Machine {
    Machine::new(private(4), device_key()).with_token(world).await
}

#[tokio::test]
async fn a_key_is_announced_then_signs_and_the_one_before_is_honoured_for_an_hour_whatever_restarts() {
    let (world, mut owner) = World::set_up().await;
    let id = world.coordinator.id().to_owned();
    let first = told(&world).ticket_keys[0];
    assert_eq!(first.id(), id);
    let begun = rotate(&mut owner, &world, false).await;
    assert_eq!((begun.status, &begun.body["present"]["id"]), (StatusCode::OK, &json!(id)));
    let next = told(&world).ticket_keys[1];
    assert_eq!(begun.body["next"], json!(next.id()));
    assert_eq!(rotate(&mut owner, &world, false).await.code(), "CONFLICT", "one at a time");
    pass(&world, 59).await;
    let world = world.restart().await;
    let mut owner = private(6).signed_in(&world).await;
    assert_eq!(told(&world).ticket_keys, [first, next], "a restart changes nothing");
    pass(&world, 59).await;
    assert_eq!(honoured(&world, &[first], &ticket(&mut owner, &world).await), Ok(()), "it is announced anew");
    let (mut before, with_first) = (machine(&world).await, ticket(&mut owner, &world).await);
    pass(&world, 1).await;
    let with_next = ticket(&mut owner, &world).await;
    for (keys, good) in [
        (vec![first], [Ok(()), Err(TicketError::Key)]),
        (vec![first, next], [Ok(()), Ok(())]),
        (told(&world).ticket_keys, [Ok(()), Ok(())]),
        (vec![next], [Err(TicketError::Key), Ok(())]),
    ] {
        assert_eq!([&with_first, &with_next].map(|ticket| honoured(&world, &keys, ticket)), good);
    }
    let world = world.restart().await;
    let mut owner = private(6).signed_in(&world).await;
    assert_eq!(told(&world).ticket_keys, [next, first]);
    let refused = rotate(&mut owner, &world, false).await;
    assert!(refused.code() == "CONFLICT" && refused.body["hint"].as_str().unwrap().contains("61 minutes"));
    pass(&world, 3598).await;
    assert_eq!(before.me(&world).await.status, StatusCode::OK, "a token lives its time");
    pass(&world, 61).await;
    assert_eq!(told(&world).ticket_keys, [next, first]);
    pass(&world, 1).await;
    assert_eq!(told(&world).ticket_keys, [next], "nothing that it signed is good any more");
    let world = world.restart().await;
    let mut owner = private(6).signed_in(&world).await;
    let now = keys(&mut owner, &world).await;
    assert_eq!((&now["coordinator"], &now["present"]["id"]), (&json!(id), &json!(next.id())));
    assert_eq!((&now["next"], &now["previous"]), (&Value::Null, &Value::Null));
    assert_eq!(machine(&world).await.me(&world).await.status, StatusCode::OK);
    assert!(told(&world).follow_from(&[first]), "whoever was away all the time can follow");
    let log = owner.get(&world, "/api/v1/audit?action=keys").await.body;
    let log: Vec<_> = log["entries"].as_array().unwrap().iter().map(|e| e["action"].clone()).collect();
    assert_eq!(log, ["keys.forgotten", "keys.changed", "keys.announced"]);
}

#[tokio::test]
async fn keys_take_each_other_s_place_by_themselves_in_time() {
    let (world, _) = World::set_up().await;
    let day = 86_400;
    pass(&world, 90 * day - 1).await;
    assert_eq!(told(&world).ticket_keys.len(), 1);
    pass(&world, 1).await;
    let [first, next] = told(&world).ticket_keys[..] else { panic!("{:?}", told(&world)) };
    pass(&world, 60).await;
    assert_eq!(told(&world).ticket_keys, [next, first]);
    pass(&world, 3660).await;
    assert_eq!(told(&world).ticket_keys, [next]);
}

#[tokio::test]
async fn a_stolen_key_is_good_for_nothing_at_once() {
    let (world, mut owner) = World::set_up().await;
    let (mut thief, with_stolen) = (machine(&world).await, ticket(&mut owner, &world).await);
    assert_eq!(thief.me(&world).await.status, StatusCode::OK);
    let stolen = told(&world).ticket_keys[0];
    let replaced = rotate(&mut owner, &world, true).await;
    assert_eq!((replaced.status, &replaced.body["next"]), (StatusCode::OK, &Value::Null));
    assert_eq!(thief.me(&world).await.code(), "TOKEN_INVALID");
    let now = told(&world);
    assert_eq!(now.dropped, [stolen.id()]);
    let fresh = ticket(&mut owner, &world).await;
    let good = [&with_stolen, &fresh].map(|ticket| honoured(&world, &now.ticket_keys, ticket).is_ok());
    assert_eq!(good, [false, true]);
    assert_eq!(machine(&world).await.me(&world).await.status, StatusCode::OK, "the machine itself goes on");
    let world = world.restart().await;
    assert_eq!(thief.me(&world).await.code(), "TOKEN_INVALID");
    assert_eq!(told(&world), now);
    let mut owner = private(6).signed_in(&world).await;
    let log = owner.get(&world, "/api/v1/audit?action=keys").await.body;
    let entry = &log["entries"][0];
    let me = owner.get(&world, "/api/v1/auth/me").await.body;
    assert_eq!((&entry["action"], &entry["actor"]), (&json!("keys.replaced"), &me["principal"]));
    assert_eq!(entry["detail"]["signs"], json!(now.ticket_keys[0].id()));
}

#[tokio::test]
async fn what_cannot_be_kept_does_not_count() {
    let (world, mut owner) = World::set_up().await;
    let (state, before) = (world.dir.path().join("state"), told(&world));
    let file = state.join("ticket-keys.json");
    let kept = std::fs::read(&file).unwrap();
    // A folder in its place: nothing can be written there.
    std::fs::remove_file(&file).unwrap();
    std::fs::create_dir(&file).unwrap();
    for at_once in [false, true] {
        let answer = rotate(&mut owner, &world, at_once).await;
        assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR, "{}", answer.body);
        assert_eq!(told(&world), before);
    }
    std::fs::remove_dir(&file).unwrap();
    crate::keyfile::write(&file, &kept).unwrap();
    assert_eq!(rotate(&mut owner, &world, false).await.status, StatusCode::OK);
    let refused = owner.send(&world, Method::POST, "/api/v1/keys/rotate", Some(json!({"now": 1}))).await;
    assert_eq!(refused.code(), "BAD_REQUEST");
}

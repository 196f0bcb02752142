//! What ends, ends here at once, is told to who passes it on, and does not come back by a restart.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use peer::DeviceKey;
use proto::wire::link::Revoked;
use serde_json::{Value, json};

use super::machines::Machine;
use super::{Browser, World, device_key, joining, private};

fn laptop() -> Machine {
    Machine::new(private(40), DeviceKey::from_seed([2; 32]).unwrap())
}

/// Begins to read something that never ends.
async fn reading(reader: &mut Browser, world: &World) -> Body {
    let shares = reader.get(world, "/api/v1/catalog/shares").await.body;
    let (share, device) = (&shares["shares"][0]["id"], &shares["shares"][0]["device_id"]);
    let path = format!(
        "/api/v1/devices/{}/shares/{}/stream?path=endless",
        device.as_str().unwrap(),
        share.as_str().unwrap()
    );
    let answer = reader.begin(world, Method::GET, &path, None).await;
    assert_eq!(answer.status(), StatusCode::OK);
    let mut body = answer.into_body();
    assert!(body.frame().await.unwrap().is_ok());
    body
}

async fn delete(owner: &mut Browser, world: &World, path: &str) -> StatusCode {
    owner.send(world, Method::DELETE, path, None).await.status
}

#[tokio::test]
async fn what_a_machine_has_ends_with_it() {
    let (world, mut owner) = World::set_up().await;
    let mut machine = laptop().paired(&world, &mut owner, json!({})).await.with_token(&world).await;
    let mut other = Machine::new(private(41), device_key()).with_token(&world).await;
    let mut told = world.coordinator.rooms().revoked.subscribe();
    let (mut guests, key) = (world.coordinator.guests(), machine.key.id());
    guests.wait_for(|guests| guests.contains(&key)).await.unwrap();
    let mut body = reading(&mut machine.at, &world).await;
    let mut goes_on = reading(&mut other.at, &world).await;
    let path = format!("/api/v1/devices/{}", machine.key.id());
    assert_eq!(delete(&mut owner, &world, &path).await, StatusCode::NO_CONTENT);
    assert!(body.frame().await.unwrap().is_err(), "its answer breaks off");
    assert!(goes_on.frame().await.unwrap().is_ok(), "another's does not");
    assert_eq!(told.try_recv().unwrap(), Revoked::Device { id: machine.key.id() });
    guests.wait_for(|guests| !guests.contains(&key)).await.unwrap();
    assert_eq!(delete(&mut owner, &world, &path).await, StatusCode::NOT_FOUND);
    let old = machine.token().to_owned();
    let world = world.restart().await;
    assert_eq!(machine.me(&world).await.code(), "TOKEN_INVALID");
    machine.at.headers.clear();
    assert_eq!(machine.ask_token(&world).await.code(), "WRONG_SIGNATURE");
    world.clock.pass(1);
    let mut again = laptop().paired(&world, &mut owner, json!({})).await;
    again.use_token(&old);
    assert_eq!(again.me(&world).await.code(), "TOKEN_INVALID", "what was ended stays so");
    again.at.headers.clear();
    let mut again = again.with_token(&world).await;
    assert_eq!(again.me(&world).await.status, StatusCode::OK);
    let own = format!("/api/v1/devices/{}", device_key().id());
    assert_eq!(delete(&mut owner, &world, &own).await, StatusCode::BAD_REQUEST, "not this machine itself");
}

#[tokio::test]
async fn what_a_person_has_ends_with_them() {
    let (world, mut owner) = World::set_up().await;
    let (mut guest, mut machine) = joining::guest(&world, &mut owner).await;
    let mut told = world.coordinator.rooms().revoked.subscribe();
    let me = guest.get(&world, "/api/v1/auth/me").await.body;
    let theirs = machine.get(&world, "/api/v1/devices").await.body["devices"][0]["id"].clone();
    let path = format!("/api/v1/people/{}", me["principal"].as_str().unwrap());
    assert_eq!(delete(&mut guest, &world, &path).await, StatusCode::FORBIDDEN, "only the owner does this");
    assert_eq!(delete(&mut owner, &world, &path).await, StatusCode::NO_CONTENT);
    let mut ended: Vec<Value> =
        std::iter::from_fn(|| told.try_recv().ok()).map(|what| serde_json::to_value(what).unwrap()).collect();
    ended.sort_by_key(|what| what["kind"].to_string());
    assert_eq!(
        ended,
        [
            json!({"kind": "device", "id": theirs}),
            json!({"kind": "principal", "id": me["principal"]}),
            json!({"kind": "session", "id": me["session"]}),
        ]
    );
    for world in [world.restart().await] {
        assert_eq!(guest.get(&world, "/api/v1/auth/me").await.code(), "NOT_SIGNED_IN");
        assert_eq!(machine.get(&world, "/api/v1/auth/me").await.code(), "TOKEN_INVALID");
        let left = owner.get(&world, "/api/v1/people").await.body;
        assert_eq!(left["people"].as_array().unwrap().len(), 1);
        assert_eq!(delete(&mut owner, &world, &path).await, StatusCode::NOT_FOUND);
        let own = owner.get(&world, "/api/v1/auth/me").await.body["principal"].as_str().unwrap().to_owned();
        let owners = format!("/api/v1/people/{own}");
        assert_eq!(delete(&mut owner, &world, &owners).await, StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_session_ended_from_afar_breaks_off_and_is_told() {
    let (world, mut owner) = World::set_up().await;
    let mut other = private(6).signed_in(&world).await;
    let id = other.get(&world, "/api/v1/auth/me").await.body["session"].as_str().unwrap().to_owned();
    let mut body = reading(&mut other, &world).await;
    let mut told = world.coordinator.rooms().revoked.subscribe();
    assert_eq!(delete(&mut owner, &world, &format!("/api/v1/sessions/{id}")).await, StatusCode::NO_CONTENT);
    assert!(body.frame().await.unwrap().is_err());
    assert_eq!(told.try_recv().unwrap(), Revoked::Session { id: id.parse().unwrap() });
}

#[tokio::test]
async fn nobody_reaches_what_is_another_s() {
    let (world, mut owner) = World::set_up().await;
    let (mut guest, _) = joining::guest(&world, &mut owner).await;
    let owners = owner.get(&world, "/api/v1/auth/me").await.body;
    let (person, session) = (owners["principal"].as_str().unwrap(), owners["session"].as_str().unwrap());
    let device = device_key().id();
    for (method, path) in [
        (Method::DELETE, format!("/api/v1/sessions/{session}")),
        (Method::PATCH, format!("/api/v1/sessions/{session}")),
        (Method::PATCH, format!("/api/v1/people/{person}")),
        (Method::DELETE, format!("/api/v1/devices/{device}")),
        (Method::PATCH, format!("/api/v1/devices/{device}")),
    ] {
        let answer = guest.send(&world, method.clone(), &path, Some(json!({"name": "Mine"}))).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
    }
    let people = guest.get(&world, "/api/v1/people").await.body;
    assert_eq!(people["people"].as_array().unwrap().len(), 2, "themselves and the owner");
    let sessions = guest.get(&world, "/api/v1/sessions").await.body;
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    let own = sessions["sessions"][0]["id"].as_str().unwrap();
    let path = format!("/api/v1/sessions/{own}");
    let named = guest.send(&world, Method::PATCH, &path, Some(json!({"name": "Phone"}))).await;
    assert_eq!((&named.body["browser"], &named.body["current"]), (&json!("Phone"), &json!(true)));
    let renamed = json!({"name": "Ada L."});
    let own = guest.get(&world, "/api/v1/auth/me").await.body["principal"].as_str().unwrap().to_owned();
    let answer = guest.send(&world, Method::PATCH, &format!("/api/v1/people/{own}"), Some(renamed)).await;
    assert_eq!(answer.body["display_name"], "Ada L.");
    let path = format!("/api/v1/devices/{device}");
    let answer = owner.send(&world, Method::PATCH, &path, Some(json!({"name": "Loft"}))).await;
    assert_eq!(answer.body["name"], "Loft");
    for (action, who, about) in [
        ("person.renamed", json!(own), ["/detail/person", own.as_str()]),
        ("device.renamed", owners["principal"].clone(), ["/device", &device.to_string()]),
    ] {
        let log = owner.get(&world, &format!("/api/v1/audit?action={action}")).await.body;
        let entry = &log["entries"][0];
        assert_eq!((&entry["actor"], entry.pointer(about[0])), (&who, Some(&json!(about[1]))), "{log}");
    }
}

#[tokio::test]
async fn a_forgotten_pin_is_replaced_by_the_machine_itself_alone() {
    let (world, mut owner) = World::set_up().await;
    let mut laptop = laptop().paired(&world, &mut owner, json!({})).await.with_token(&world).await;
    let new = || json!({"new_pin": "973164"});
    assert_eq!(laptop.at.post(&world, "/api/v1/auth/pin", new()).await.code(), "FORBIDDEN");
    assert_eq!(owner.post(&world, "/api/v1/auth/pin", new()).await.code(), "BAD_PARAMETER");
    let mut machine = Machine::new(private(41), device_key()).with_token(&world).await;
    let short = json!({"new_pin": "123"});
    assert_eq!(machine.at.post(&world, "/api/v1/auth/pin", short).await.code(), "BAD_PARAMETER");
    assert_eq!(owner.get(&world, "/api/v1/auth/me").await.status, StatusCode::OK, "nothing has changed yet");
    assert_eq!(machine.at.post(&world, "/api/v1/auth/pin", new()).await.status, StatusCode::NO_CONTENT);
    assert_eq!(owner.get(&world, "/api/v1/auth/me").await.code(), "NOT_SIGNED_IN");
    let old = json!({"pin": super::PIN});
    assert_eq!(owner.post(&world, "/api/v1/auth/login", old).await.code(), "WRONG_PIN");
    assert_eq!(
        owner.post(&world, "/api/v1/auth/login", json!({"pin": "973164"})).await.status,
        StatusCode::OK
    );
}

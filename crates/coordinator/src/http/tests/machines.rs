//! Machines at the doors: pairing, tokens, and what ends with them.

use axum::http::{Method, StatusCode};
use peer::DeviceKey;
use proto::api::pairing::{Nonce, token_text};
use proto::base64url;
use serde_json::{Value, json};

use super::{Browser, World, device_key, on_machine, open, private};
use crate::clock::Clock;

/// A program on a machine: it has no cookies, sends no marks of a page, and holds its key.
pub(super) struct Machine {
    pub(super) at: Browser,
    pub(super) key: DeviceKey,
}

impl Machine {
    pub(super) fn new(at: Browser, key: DeviceKey) -> Self {
        Self { at, key }
    }

    /// Asks for a token and sends it from now on.
    pub(super) async fn with_token(mut self, world: &World) -> Self {
        let answer = self.ask_token(world).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        self.use_token(answer.body["access_token"].as_str().unwrap());
        self
    }

    pub(super) async fn ask_token(&mut self, world: &World) -> super::Answer {
        let nonce = self.at.get(world, "/api/v1/auth/nonce").await.body;
        self.ask_token_for(world, nonce["coordinator"].as_str().unwrap(), nonce["nonce"].as_str().unwrap())
            .await
    }

    async fn ask_token_for(&mut self, world: &World, coordinator: &str, nonce: &str) -> super::Answer {
        let signature = base64url::encode(&self.key.sign(&token_text(coordinator, nonce)));
        let asked = json!({"client_device_id": self.key.id(), "nonce": nonce, "signature": signature});
        self.at.post(world, "/api/v1/auth/token", asked).await
    }

    /// An `Origin` that is none keeps the test's browser from adding a page's marks.
    pub(super) fn use_token(&mut self, token: &str) {
        self.at.headers = vec![("authorization", format!("Bearer {token}")), ("origin", "null".into())];
    }

    pub(super) fn token(&self) -> &str {
        self.at.headers[0].1.strip_prefix("Bearer ").unwrap()
    }

    pub(super) async fn me(&mut self, world: &World) -> super::Answer {
        self.at.get(world, "/api/v1/auth/me").await
    }
}

#[tokio::test]
async fn a_machine_proves_itself_and_asks_without_the_marks_of_a_page() {
    let (world, mut owner) = World::set_up().await;
    let mut machine = Machine::new(private(4), device_key()).with_token(&world).await;
    let me = machine.me(&world).await.body;
    let nonce = machine.at.get(&world, "/api/v1/auth/nonce").await.body;
    let nonce: Nonce = serde_json::from_value(nonce).unwrap();
    assert_eq!(nonce.time, Some(world.clock.wall()), "a machine can tell that its clock is wrong");
    assert_eq!(me["client_device"], json!(device_key().id()));
    assert_eq!((&me["session"], &me["owner"], &me["read_only"]), (&Value::Null, &json!(true), &json!(false)));
    assert_eq!(me["principal"], owner.get(&world, "/api/v1/auth/me").await.body["principal"]);
    let change = json!({"session_idle_seconds": 900});
    let answer = machine.at.send(&world, Method::PATCH, "/api/v1/settings", Some(change)).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let pin = json!({"current_pin": super::PIN, "new_pin": "973164"});
    assert_eq!(machine.at.post(&world, "/api/v1/auth/pin", pin).await.code(), "FORBIDDEN");
    world.clock.pass(3599);
    assert_eq!(machine.me(&world).await.status, StatusCode::OK);
    world.clock.pass(1);
    assert_eq!(machine.me(&world).await.code(), "TOKEN_INVALID");
}

#[tokio::test]
async fn only_a_paired_key_and_a_fresh_nonce_get_a_token() {
    let (world, _) = World::set_up().await;
    let mut stranger = Machine::new(private(4), DeviceKey::from_seed([9; 32]).unwrap());
    let refused = stranger.ask_token(&world).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::UNAUTHORIZED, "WRONG_SIGNATURE"));
    let mut machine = Machine::new(private(4), device_key());
    let nonce = machine.at.get(&world, "/api/v1/auth/nonce").await.body;
    let (coordinator, nonce) = (nonce["coordinator"].as_str().unwrap(), nonce["nonce"].as_str().unwrap());
    let mut elsewhere = machine.ask_token_for(&world, "another", nonce).await.body;
    elsewhere["request_id"] = refused.body["request_id"].clone();
    assert_eq!(elsewhere, refused.body, "which of the checks failed is not told");
    assert_eq!(machine.ask_token_for(&world, coordinator, nonce).await.status, StatusCode::OK);
    assert_eq!(
        machine.ask_token_for(&world, coordinator, nonce).await.code(),
        "WRONG_SIGNATURE",
        "used twice"
    );
    let world = world.restart().await;
    let late = machine.ask_token_for(&world, coordinator, nonce).await;
    assert_eq!(late.code(), "WRONG_SIGNATURE", "a nonce ends with the process that gave it");
}

#[tokio::test]
async fn a_token_counts_on_its_kind_of_connection_and_nothing_else_counts_beside_it() {
    let (world, mut owner) = World::set_up().await;
    let mut overheard = Machine::new(open(4), device_key()).with_token(&world).await;
    assert_eq!(overheard.me(&world).await.body["read_only"], true);
    let mut safe = Machine::new(private(4), device_key()).with_token(&world).await;
    let (open_token, safe_token) = (overheard.token().to_owned(), safe.token().to_owned());
    overheard.use_token(&safe_token);
    assert_eq!(overheard.me(&world).await.code(), "TOKEN_INVALID");
    safe.use_token(&open_token);
    assert_eq!(safe.me(&world).await.code(), "TOKEN_INVALID");
    for (header, status) in [
        ("Bearer nonsense".to_owned(), 401),
        ("bearer nonsense".to_owned(), 401),
        (format!("Bearer {safe_token}x"), 401),
        (format!("Basic {safe_token}"), 200),
        ("Negotiate".to_owned(), 200),
    ] {
        owner.headers = vec![("authorization", header.clone())];
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(owner.get(&world, "/api/v1/auth/me").await.status, status, "{header}, with a good cookie");
    }
    let mut forged = on_machine();
    forged.headers = vec![("x-remote-user", "owner".into()), ("x-forwarded-user", "owner".into())];
    assert_eq!(forged.get(&world, "/api/v1/auth/me").await.code(), "NOT_SIGNED_IN");
    let in_query = private(4).get(&world, &format!("/api/v1/auth/me?access_token={safe_token}")).await;
    assert_eq!(in_query.code(), "NOT_SIGNED_IN");
}

#[tokio::test]
async fn a_flood_for_tokens_is_turned_away_and_others_are_not() {
    let (world, _) = World::set_up().await;
    let mut flood = private(4);
    let mut refused = None;
    for _ in 0..200 {
        let answer = flood.get(&world, "/api/v1/auth/nonce").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!((refused.code(), &refused.headers["retry-after"]), ("TOO_MANY", &"1".parse().unwrap()));
    assert_eq!(private(5).get(&world, "/api/v1/auth/nonce").await.status, StatusCode::OK);
    world.clock.pass(1);
    assert_eq!(flood.get(&world, "/api/v1/auth/nonce").await.status, StatusCode::OK);
}

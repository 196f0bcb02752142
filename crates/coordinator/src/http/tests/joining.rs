//! A second machine and a guest come in: by a code, by an invitation, and how neither is forced.

use axum::http::{Method, StatusCode};
use http_body_util::BodyExt;
use peer::DeviceKey;
use proto::api::devices::{JoinedCoordinator, LinkStanding};
use proto::api::pairing::{PairingStarted, claim_text};
use proto::{ApiError, CertificatePin, ErrorCode, base64url, words};
use rustls::pki_types::{CertificateDer, pem};
use serde_json::{Value, json};

use super::machines::Machine;
use super::{Answer, Browser, World, device_key, on_machine, open, private};
use crate::clock::Clock;

/// A machine that is not paired yet.
fn stranger(seed: u8) -> Machine {
    Machine::new(private(100 + seed), DeviceKey::from_seed([seed; 32]).unwrap())
}

fn asking(machine: &Machine) -> Value {
    json!({"display_name": "Ada", "device_name": "Laptop", "platform": "linux", "public_key": machine.key.id()})
}

impl Machine {
    /// Begins a pairing, which must be let begin.
    async fn start(&mut self, world: &World) -> Value {
        let answer = self.at.post(world, "/api/v1/pairing/start", asking(self)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        answer.body
    }

    async fn start_with(&mut self, world: &World, invite: &str) -> Answer {
        let mut asking = asking(self);
        asking["invite"] = json!(invite);
        self.at.post(world, "/api/v1/pairing/start", asking).await
    }

    async fn claim(&mut self, world: &World, started: &Value) -> Answer {
        self.claim_with(world, started, None).await
    }

    async fn claim_with(&mut self, world: &World, started: &Value, invite: Option<&str>) -> Answer {
        let (id, challenge) = (str_of(started, "pending_pairing_id"), str_of(started, "challenge"));
        let signature = base64url::encode(&self.key.sign(&claim_text(id, challenge)));
        let mut asked = json!({"pending_pairing_id": id, "signature": signature});
        if let Some(invite) = invite {
            asked["invite"] = json!(invite);
        }
        self.at.post(world, "/api/v1/pairing/claim", asked).await
    }

    /// Joins by its code, as the owner's machine or as that of whom `whose` adds to the confirmation.
    pub(super) async fn paired(mut self, world: &World, owner: &mut Browser, whose: Value) -> Self {
        let started = self.start(world).await;
        let confirmed = confirm(owner, world, &started, whose).await;
        assert_eq!(confirmed.status, StatusCode::OK, "{}", confirmed.body);
        assert_eq!(self.claim(world, &started).await.body["state"], "paired");
        self
    }
}

fn str_of<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

async fn look(owner: &mut Browser, world: &World, code: &str) -> Answer {
    owner.post(world, "/api/v1/pairing/look", json!({"pairing_code": code})).await
}

async fn confirm(owner: &mut Browser, world: &World, started: &Value, whose: Value) -> Answer {
    let mut asked =
        json!({"pending_pairing_id": started["pending_pairing_id"], "pairing_code": started["pairing_code"]});
    asked.as_object_mut().unwrap().extend(whose.as_object().cloned().unwrap_or_default());
    owner.post(world, "/api/v1/pairing/confirm", asked).await
}

/// Another code than this.
fn other_code(code: &str) -> String {
    format!("{:06}", (code.parse::<u32>().unwrap() + 1) % 1_000_000)
}

#[tokio::test]
async fn a_machine_joins_by_one_act_on_each_side() {
    let (world, mut owner) = World::set_up().await;
    let mut machine = stranger(2);
    let started = machine.start(&world).await;
    let code = str_of(&started, "pairing_code");
    assert!(code.len() == 6 && code.bytes().all(|b| b.is_ascii_digit()), "{code}");
    let told: PairingStarted = serde_json::from_value(started.clone()).unwrap();
    assert_eq!(told.time, Some(world.clock.wall()), "a machine can tell that its clock is wrong");
    let keys = told.coordinator;
    let proof = told.proof.unwrap();
    assert!(proto::pairing_proof::holds(&keys, machine.key.id(), &told.pending_pairing_id, &proof));
    assert!(told.lineage.unwrap().proves(&keys.id, &keys.ticket_keys));
    assert_eq!(keys.urls[0], "https://192.168.1.7:7000/", "as the machine asked for it");
    let own = words::pairing_words(&keys, machine.key.id(), str_of(&started, "pending_pairing_id"));
    assert_eq!(started["words"], json!(own), "the machine can make the words itself");
    assert_eq!(machine.claim(&world, &started).await.body, json!({"state": "waiting"}));
    let spaced = format!("{} {}", &code[..3], &code[3..]);
    let seen = look(&mut owner, &world, &spaced).await.body;
    assert_eq!((&seen["device_name"], &seen["words"]), (&json!("Laptop"), &started["words"]));
    let waiting = owner.get(&world, "/api/v1/pairing/waiting").await.body;
    assert_eq!(waiting["waiting"], json!([seen]));
    assert!(!waiting.to_string().contains(code), "the code is on the machine's screen only");
    let confirmed = confirm(&mut owner, &world, &started, json!({})).await;
    assert_eq!(confirmed.status, StatusCode::OK);
    assert!(!confirmed.body.to_string().contains("ticket_keys"), "nothing goes through who confirms");
    let paired = machine.claim(&world, &started).await.body;
    assert_eq!((&paired["state"], &paired["display_name"]), (&json!("paired"), &json!("Owner")));
    assert_eq!(paired["client_device_id"], json!(machine.key.id()));
    assert_eq!(paired["coordinator"], started["coordinator"]);
    assert_eq!(machine.claim(&world, &started).await.body, paired, "an answer that was lost comes again");
    let mut machine = machine.with_token(&world).await;
    assert_eq!(machine.me(&world).await.body["owner"], true);
    let listed = owner.get(&world, "/api/v1/devices").await.body;
    let names: Vec<_> = listed["devices"].as_array().unwrap().iter().map(|d| str_of(d, "name")).collect();
    assert_eq!(names, ["Attic", "Laptop"]);
    assert_eq!(look(&mut owner, &world, code).await.code(), "WRONG_CODE", "a code is good once");
    assert_eq!(confirm(&mut owner, &world, &started, json!({})).await.code(), "WRONG_CODE");
    assert_eq!(owner.get(&world, "/api/v1/pairing/waiting").await.body["waiting"], json!([]));
}

#[tokio::test]
async fn a_machine_of_somebody_new_is_theirs_and_sees_nothing() {
    let (world, mut owner) = World::set_up().await;
    let machine = stranger(2).paired(&world, &mut owner, json!({"newcomer": "Ada"})).await;
    let mut machine = machine.with_token(&world).await;
    let me = machine.me(&world).await.body;
    assert_eq!((&me["owner"], &me["display_name"]), (&json!(false), &json!("Ada")));
    assert_eq!(machine.at.get(&world, "/api/v1/catalog/shares").await.body["shares"], json!([]));
    let second = stranger(3).paired(&world, &mut owner, json!({"principal": me["principal"]})).await;
    let mut second = second.with_token(&world).await;
    assert_eq!(second.me(&world).await.body["principal"], me["principal"]);
    let theirs = machine.at.get(&world, "/api/v1/devices").await.body;
    assert_eq!(theirs["devices"].as_array().unwrap().len(), 2, "its own, and not the owner's");
    let nobody = json!({"principal": proto::PrincipalId::generate()});
    let started = stranger(4).start(&world).await;
    assert_eq!(confirm(&mut owner, &world, &started, nobody).await.code(), "NOT_FOUND");
    let both = json!({"principal": me["principal"], "newcomer": "Bob"});
    assert_eq!(confirm(&mut owner, &world, &started, both).await.code(), "BAD_PARAMETER");
    let people = owner.get(&world, "/api/v1/people").await.body;
    let names: Vec<_> =
        people["people"].as_array().unwrap().iter().map(|p| str_of(p, "display_name")).collect();
    assert_eq!(names, ["Ada", "Owner"], "what was refused brought nobody");
}

#[tokio::test]
async fn a_wrong_code_for_a_named_pairing_burns_it() {
    let (world, mut owner) = World::set_up().await;
    let mut machine = stranger(2);
    let started = machine.start(&world).await;
    let mut wrong = started.clone();
    wrong["pairing_code"] = json!(other_code(str_of(&started, "pairing_code")));
    assert_eq!(confirm(&mut owner, &world, &wrong, json!({})).await.code(), "WRONG_CODE");
    assert_eq!(confirm(&mut owner, &world, &started, json!({})).await.code(), "WRONG_CODE", "burnt");
    assert_eq!(machine.claim(&world, &started).await.code(), "WRONG_CODE");
    let again = machine.start(&world).await;
    assert_eq!(confirm(&mut owner, &world, &again, json!({})).await.status, StatusCode::OK);
}

#[tokio::test]
async fn only_the_machine_that_began_can_claim() {
    let (world, mut owner) = World::set_up().await;
    let (mut machine, mut thief) = (stranger(2), stranger(3));
    let started = machine.start(&world).await;
    confirm(&mut owner, &world, &started, json!({})).await;
    assert_eq!(thief.claim(&world, &started).await.code(), "WRONG_SIGNATURE");
    let mut other = started.clone();
    other["challenge"] = json!("0".repeat(64));
    assert_eq!(machine.claim(&world, &other).await.code(), "WRONG_SIGNATURE");
    other["pending_pairing_id"] = json!("0".repeat(32));
    assert_eq!(machine.claim(&world, &other).await.code(), "WRONG_CODE");
    assert_eq!(thief.ask_token(&world).await.code(), "WRONG_SIGNATURE");
    assert_eq!(machine.ask_token(&world).await.code(), "WRONG_SIGNATURE", "confirmed is not claimed");
    assert_eq!(machine.claim(&world, &started).await.body["state"], "paired");
    let own = Machine::new(private(4), device_key());
    assert_eq!(private(4).post(&world, "/api/v1/pairing/start", asking(&own)).await.code(), "BAD_PARAMETER");
}

#[tokio::test]
async fn a_code_lives_ten_minutes_whatever_the_clock_or_a_restart_says() {
    let (world, mut owner) = World::set_up().await;
    let mut machine = stranger(2);
    let started = machine.start(&world).await;
    let code = str_of(&started, "pairing_code").to_owned();
    world.clock.pass(599);
    assert_eq!(look(&mut owner, &world, &code).await.status, StatusCode::OK);
    let world = world.restart().await;
    assert_eq!(look(&mut owner, &world, &code).await.status, StatusCode::OK, "a restart ends nothing");
    world.clock.step_wall(-3600);
    assert_eq!(look(&mut owner, &world, &code).await.status, StatusCode::OK);
    world.clock.pass(1);
    assert_eq!(look(&mut owner, &world, &code).await.code(), "WRONG_CODE", "the clock was set back");
    assert_eq!(machine.claim(&world, &started).await.code(), "WRONG_CODE");
}

#[tokio::test]
async fn wrong_codes_cost_more_and_more_time_and_a_restart_gains_nothing() {
    let (world, mut owner) = World::set_up().await;
    let started = stranger(2).start(&world).await;
    let code = str_of(&started, "pairing_code").to_owned();
    for _ in 0..3 {
        assert_eq!(look(&mut owner, &world, &other_code(&code)).await.code(), "WRONG_CODE");
    }
    let locked = look(&mut owner, &world, &code).await;
    assert_eq!((locked.status, locked.code()), (StatusCode::TOO_MANY_REQUESTS, "LOCKED"));
    assert_eq!(
        (&locked.body["retry_after"], &locked.headers["retry-after"]),
        (&json!(5), &"5".parse().unwrap())
    );
    assert_eq!(confirm(&mut owner, &world, &started, json!({})).await.code(), "LOCKED");
    let world = world.restart().await;
    assert_eq!(look(&mut owner, &world, &code).await.code(), "LOCKED", "after a restart");
    world.clock.pass(5);
    assert_eq!(look(&mut owner, &world, &other_code(&code)).await.code(), "WRONG_CODE");
    world.clock.pass(5);
    assert_eq!(look(&mut owner, &world, &code).await.body["retry_after"], 10, "it grows");
    world.clock.pass(10);
    assert_eq!(look(&mut owner, &world, &code).await.status, StatusCode::OK);
    assert_eq!(on_machine().login(&world, super::PIN).await.status, StatusCode::OK, "PINs are counted apart");
}

#[tokio::test]
async fn few_machines_wait_at_once_and_a_flood_is_turned_away() {
    let (world, mut owner) = World::set_up().await;
    let mut pushy = stranger(2);
    let first = pushy.start(&world).await;
    for _ in 0..3 {
        pushy.start(&world).await;
    }
    assert_eq!(
        look(&mut owner, &world, str_of(&first, "pairing_code")).await.code(),
        "WRONG_CODE",
        "its oldest went"
    );
    assert_eq!(pushy.claim(&world, &first).await.code(), "WRONG_CODE");
    for seed in 3..16 {
        stranger(seed).start(&world).await;
    }
    let mut late = stranger(16);
    let full = late.at.post(&world, "/api/v1/pairing/start", asking(&late)).await;
    assert_eq!((full.status, full.code()), (StatusCode::TOO_MANY_REQUESTS, "TOO_MANY"));
    assert_eq!(full.headers["retry-after"], "600");
    let waiting = owner.get(&world, "/api/v1/pairing/waiting").await.body;
    let id = str_of(&waiting["waiting"][0], "pending_pairing_id");
    let path = format!("/api/v1/pairing/waiting/{id}");
    assert_eq!(owner.send(&world, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(owner.send(&world, Method::DELETE, &path, None).await.status, StatusCode::NOT_FOUND);
    late.start(&world).await;
    let (world, _) = World::set_up().await;
    let mut passed = 0;
    let refused = loop {
        let answer = pushy.at.post(&world, "/api/v1/pairing/start", asking(&pushy)).await;
        if answer.status != StatusCode::OK {
            break answer;
        }
        passed += 1;
    };
    assert_eq!(
        (passed, refused.code(), &refused.headers["retry-after"]),
        (10, "TOO_MANY", &"10".parse().unwrap())
    );
}

#[tokio::test]
async fn what_a_machine_says_of_itself_is_checked() {
    let (world, _) = World::set_up().await;
    let mut machine = stranger(2);
    for (field, bad) in [
        ("display_name", json!("")),
        ("display_name", json!("x".repeat(81))),
        ("device_name", json!("a\u{202e}b")),
        ("device_name", json!("x".repeat(121))),
        ("platform", json!("a\nb")),
        ("platform", json!("x".repeat(61))),
    ] {
        let mut asked = asking(&machine);
        asked[field] = bad;
        let answer = machine.at.post(&world, "/api/v1/pairing/start", asked.clone()).await;
        assert_eq!(answer.code(), "BAD_PARAMETER", "{asked}");
    }
    let mut asked = asking(&machine);
    asked["public_key"] = json!("x");
    assert_eq!(machine.at.post(&world, "/api/v1/pairing/start", asked).await.code(), "BAD_REQUEST");
    let world = World::new().await;
    let early = machine.at.post(&world, "/api/v1/pairing/start", asking(&machine)).await;
    assert_eq!(early.code(), "NOT_SET_UP", "nobody joins before there is an owner");
}

pub(super) async fn invite(owner: &mut Browser, world: &World, more: Value) -> Value {
    let mut asked = json!({"name": "Ada", "lifetime_seconds": 3600});
    asked.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
    let made = owner.post(world, "/api/v1/invites", asked).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    made.body
}

pub(super) async fn take(guest: &mut Browser, world: &World, invite: &str) -> Answer {
    guest.post(world, "/api/v1/invites/use", json!({"invite": invite})).await
}

#[tokio::test]
async fn a_guest_comes_in_once_by_any_form_of_an_invitation_and_stays() {
    let (world, mut owner) = World::set_up().await;
    let shares = owner.get(&world, "/api/v1/catalog/shares").await.body;
    let grants = json!([{"share": shares["shares"][0]["id"], "permissions": ["read"]}]);
    for form in ["url", "text", "words"] {
        let made = invite(&mut owner, &world, json!({"grants": grants})).await;
        assert!(str_of(&made, "url").contains("/invite#"), "a secret stands behind the #");
        let mut guest = private(30);
        let me = take(&mut guest, &world, str_of(&made, form)).await;
        assert_eq!(me.status, StatusCode::OK, "{}", me.body);
        assert_eq!((&me.body["display_name"], &me.body["owner"]), (&json!("Ada"), &json!(false)));
        let again = take(&mut private(31), &world, str_of(&made, form)).await;
        assert_eq!((again.status, again.code()), (StatusCode::UNAUTHORIZED, "WRONG_CODE"));
        let listed = owner.get(&world, "/api/v1/invites").await.body;
        assert!(listed["invites"][0]["used_at"].is_string());
        assert!(!listed.to_string().contains(str_of(&made, "words")), "secrets are told once");
        world.clock.pass(24 * 3600);
        assert_eq!(guest.get(&world, "/api/v1/auth/me").await.status, StatusCode::OK, "a day later");
        let seen = guest.get(&world, "/api/v1/catalog/shares").await.body;
        assert_eq!(seen["shares"][0]["permissions"], json!(["read"]), "what the invitation carries");
        owner = owner.signed_in(&world).await;
    }
}

#[tokio::test]
async fn an_invitation_ends_by_time_by_hand_and_with_its_person() {
    let (world, mut owner) = World::set_up().await;
    let expired = invite(&mut owner, &world, json!({"lifetime_seconds": 60})).await;
    world.clock.pass(60);
    let taken_back = invite(&mut owner, &world, json!({})).await;
    let path = format!("/api/v1/invites/{}", str_of(&taken_back["invite"], "id"));
    assert_eq!(owner.send(&world, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(owner.send(&world, Method::DELETE, &path, None).await.status, StatusCode::NOT_FOUND);
    let mut guest = private(30);
    let first = invite(&mut owner, &world, json!({})).await;
    let me = take(&mut guest, &world, str_of(&first, "text")).await.body;
    let again = invite(&mut owner, &world, json!({"principal": me["principal"]})).await;
    let path = format!("/api/v1/people/{}", str_of(&me, "principal"));
    assert_eq!(owner.send(&world, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(guest.get(&world, "/api/v1/auth/me").await.code(), "NOT_SIGNED_IN");
    let owners = owner.get(&world, "/api/v1/auth/me").await.body;
    for (made, code) in [
        (str_of(&expired, "text"), "WRONG_CODE"),
        (str_of(&taken_back, "text"), "WRONG_CODE"),
        (str_of(&again, "text"), "WRONG_CODE"),
        ("", "WRONG_CODE"),
        ("zinc zinc zinc", "WRONG_CODE"),
    ] {
        assert_eq!(take(&mut private(31), &world, made).await.code(), code, "{made}");
        assert_eq!(stranger(2).start_with(&world, made).await.code(), code, "{made}");
    }
    let for_owner = invite(&mut owner, &world, json!({"principal": owners["principal"]})).await;
    let refused = take(&mut private(32), &world, str_of(&for_owner, "text")).await;
    assert_eq!(refused.code(), "FORBIDDEN", "no browser becomes the owner's without the PIN");
}

#[tokio::test]
async fn a_machine_joins_by_an_invitation_alone() {
    let (world, mut owner) = World::set_up().await;
    let owners = owner.get(&world, "/api/v1/auth/me").await.body;
    for (whose, owner_s, name) in
        [(json!({}), false, "Laptop"), (json!({"principal": owners["principal"]}), true, "Ada")]
    {
        let made = invite(&mut owner, &world, whose).await;
        let mut machine = stranger(if owner_s { 2 } else { 3 });
        let started = machine.start_with(&world, str_of(&made, "text")).await.body;
        assert!(started["pairing_code"].is_null());
        assert_eq!(owner.get(&world, "/api/v1/pairing/waiting").await.body["waiting"], json!([]));
        let mut rival = stranger(9);
        let rivals = rival.start_with(&world, str_of(&made, "text")).await.body;
        let paired = machine.claim(&world, &started).await.body;
        assert_eq!(paired["state"], "paired", "{paired}");
        assert_eq!(machine.claim(&world, &started).await.body, paired);
        assert_eq!(rival.claim(&world, &rivals).await.code(), "WRONG_CODE", "used up");
        let mut machine = machine.with_token(&world).await;
        assert_eq!(machine.me(&world).await.body["owner"], owner_s);
        let listed = machine.at.get(&world, "/api/v1/devices").await.body;
        let its = |d: &&Value| d["id"] == json!(machine.key.id());
        assert_eq!(listed["devices"].as_array().unwrap().iter().find(its).unwrap()["name"], name);
    }
}

#[tokio::test]
async fn an_invitation_can_be_shown_after_the_words_were_compared() {
    let (world, mut owner) = World::set_up().await;
    let made = invite(&mut owner, &world, json!({})).await;
    let mut machine = stranger(2);
    let started = machine.start(&world).await;
    let waiting = owner.get(&world, "/api/v1/pairing/waiting").await.body;
    assert_eq!(waiting["waiting"][0]["words"], started["words"], "both screens show them");
    let wrong = machine.claim_with(&world, &started, Some("zinc zinc zinc")).await;
    assert_eq!(wrong.code(), "WRONG_CODE");
    assert_eq!(machine.claim(&world, &started).await.body["state"], "waiting", "it can be typed again");
    let mut thief = stranger(3);
    let stolen = thief.claim_with(&world, &started, Some(str_of(&made, "words"))).await;
    assert_eq!(stolen.code(), "WRONG_SIGNATURE", "an invitation is used for who began");
    let paired = machine.claim_with(&world, &started, Some(str_of(&made, "words"))).await.body;
    assert_eq!(paired["state"], "paired", "{paired}");
    assert_eq!(machine.claim(&world, &started).await.body, paired, "an answer that was lost comes again");
    assert_eq!(owner.get(&world, "/api/v1/pairing/waiting").await.body["waiting"], json!([]));
    let late = confirm(&mut owner, &world, &started, json!({})).await;
    assert_eq!(late.code(), "WRONG_CODE", "its code went with it");
    let mut other = stranger(4);
    let started = other.start(&world).await;
    let used = other.claim_with(&world, &started, Some(str_of(&made, "words"))).await;
    assert_eq!(used.code(), "WRONG_CODE", "an invitation is good once");
}

#[tokio::test]
async fn an_invitation_says_by_which_certificate_its_coordinator_is_known() {
    let (world, mut owner) = World::set_up().await;
    let made = invite(&mut owner, &world, json!({})).await;
    let keys = stranger(2).start(&world).await["coordinator"].clone();
    let authority = pem::PemObject::from_pem_slice(str_of(&keys, "authority").as_bytes()).unwrap();
    let authority: CertificateDer<'_> = authority;
    let (_, pin) = CertificatePin::split(str_of(&made, "url"));
    assert_eq!(pin, Some(CertificatePin::of(&authority)));
    assert_eq!(made["url"], made["text"]);
    assert!(keys["certificate"].is_null(), "there is an authority");
}

#[tokio::test]
async fn what_an_invitation_says_is_checked() {
    let (world, mut owner) = World::set_up().await;
    for (bad, code) in [
        (json!({"name": "", "lifetime_seconds": 60}), "BAD_PARAMETER"),
        (json!({"name": "Ada", "lifetime_seconds": 59}), "BAD_PARAMETER"),
        (json!({"name": "Ada", "lifetime_seconds": 2_592_001}), "BAD_PARAMETER"),
        (json!({"name": "Ada", "lifetime_seconds": u64::MAX}), "BAD_PARAMETER"),
        (
            json!({"name": "Ada", "lifetime_seconds": 60, "principal": proto::PrincipalId::generate()}),
            "NOT_FOUND",
        ),
        (
            json!({"name": "Ada", "lifetime_seconds": 60,
                "grants": [{"share": proto::ShareId::generate(), "permissions": ["read"]}]}),
            "NOT_FOUND",
        ),
        (json!({"name": "Ada", "lifetime_seconds": 60, "secret": "mine"}), "BAD_REQUEST"),
    ] {
        assert_eq!(owner.post(&world, "/api/v1/invites", bad.clone()).await.code(), code, "{bad}");
    }
    let made = invite(&mut owner, &world, json!({})).await;
    let change = json!({"allow_open": false});
    owner.send(&world, Method::PATCH, "/api/v1/settings", Some(change)).await;
    let refused = take(&mut open(5), &world, str_of(&made, "text")).await;
    assert_eq!(refused.code(), "NOT_PRIVATE");
    assert_eq!(
        take(&mut private(5), &world, str_of(&made, "text")).await.status,
        StatusCode::OK,
        "not used up"
    );
}

#[tokio::test]
async fn a_guest_whose_session_ended_comes_back_as_the_same_person() {
    let (world, mut owner) = World::set_up().await;
    let share = owner.get(&world, "/api/v1/catalog/shares").await.body["shares"][0]["id"].clone();
    let carried = json!({"grants": [{"share": share, "permissions": ["read"]}]});
    let made = invite(&mut owner, &world, carried).await;
    let mut before = private(30);
    let me = take(&mut before, &world, str_of(&made, "text")).await.body;
    assert_eq!(before.post(&world, "/api/v1/auth/logout", json!({})).await.status, StatusCode::NO_CONTENT);
    let again = invite(&mut owner, &world, json!({"principal": me["principal"]})).await;
    let mut back = private(31);
    let now = take(&mut back, &world, str_of(&again, "text")).await.body;
    assert_eq!(now["principal"], me["principal"]);
    let seen = back.get(&world, "/api/v1/catalog/shares").await.body;
    assert_eq!(seen["shares"][0]["id"], share, "what was given before");
    let world = world.restart().await;
    let seen = back.get(&world, "/api/v1/catalog/shares").await.body;
    assert_eq!(seen["shares"][0]["id"], share, "also after a restart");
}

/// A guest's browser and machine, both signed in.
pub(super) async fn guest(world: &World, owner: &mut Browser) -> (Browser, Browser) {
    let made = invite(owner, world, json!({})).await;
    let mut browser = private(30);
    let me = take(&mut browser, world, str_of(&made, "text")).await.body;
    let machine = stranger(2).paired(world, owner, json!({"principal": me["principal"]})).await;
    (browser, machine.with_token(world).await.at)
}

#[tokio::test]
async fn what_happens_at_the_door_is_written_down_and_no_secret_with_it() {
    let (world, mut owner) = World::set_up().await;
    let made = invite(&mut owner, &world, json!({})).await;
    take(&mut private(30), &world, str_of(&made, "text")).await;
    take(&mut private(31), &world, str_of(&made, "text")).await;
    let mut machine = stranger(2);
    let started = machine.start(&world).await;
    look(&mut owner, &world, &other_code(str_of(&started, "pairing_code"))).await;
    confirm(&mut owner, &world, &started, json!({})).await;
    machine.claim(&world, &started).await;
    machine.claim(&world, &started).await;
    let world = world.restart().await;
    let log = owner.get(&world, "/api/v1/audit?limit=100").await.body;
    let entries = log["entries"].as_array().unwrap().iter().rev();
    let concerned =
        entries.filter(|e| ["invite", "pairing"].iter().any(|of| str_of(e, "action").starts_with(of)));
    let told: Vec<_> = concerned.map(|e| (str_of(e, "action"), e["allowed"].as_bool().unwrap())).collect();
    assert_eq!(
        told,
        [
            ("invite.made", true),
            ("invite.used", true),
            ("invite.used", false),
            ("pairing.begun", true),
            ("pairing.code", false),
            ("pairing.confirmed", true),
            ("pairing.claimed", true),
        ]
    );
    for (allowed, there, elsewhere) in
        [("false", "pairing.code", "pairing.claimed"), ("true", "pairing.claimed", "pairing.code")]
    {
        for path in ["/api/v1/audit", "/api/v1/audit/export"] {
            let answer = owner.begin(&world, Method::GET, &format!("{path}?allowed={allowed}"), None).await;
            let text = answer.into_body().collect().await.unwrap().to_bytes();
            let has = |action: &str| text.windows(action.len()).any(|part| part == action.as_bytes());
            assert_eq!(
                (has("invite.used"), has(there), has(elsewhere)),
                (true, true, false),
                "{path} {allowed}"
            );
        }
    }
    assert_eq!(owner.get(&world, "/api/v1/audit?allowed=perhaps").await.status, StatusCode::BAD_REQUEST);
    let secret = str_of(&made, "text").rsplit('#').next().unwrap();
    for secret in [secret, str_of(&started, "pairing_code"), str_of(&started, "challenge")] {
        assert!(!log.to_string().contains(&format!("\"{secret}")), "{secret}");
    }
}

#[tokio::test]
async fn where_this_machine_is_joined_is_its_owner_s_own_business() {
    let (world, mut owner) = World::set_up().await;
    let (mut guest, _) = guest(&world, &mut owner).await;
    let shares = owner.get(&world, "/api/v1/catalog/shares").await.body;
    let person = guest.get(&world, "/api/v1/auth/me").await.body["principal"].clone();
    let subject = json!({"kind": "principal", "id": person});
    let grant = json!({"share": shares["shares"][0]["id"], "subject": subject, "permissions": ["read"]});
    let given = owner.send(&world, Method::PUT, "/api/v1/grants", Some(grant)).await;
    assert!(given.status.is_success(), "the guest sees this machine: {}", given.body);
    let told = JoinedCoordinator {
        id: "0123".into(),
        name: "Barn".into(),
        url: Some("https://barn:7000".into()),
        standing: LinkStanding::Refused,
        since: time::OffsetDateTime::UNIX_EPOCH,
        trouble: Some(ApiError::new(ErrorCode::Forbidden, "Not any more.", "Pair it again.")),
        shares: Some(Vec::new()),
    };
    world.coordinator.set_joined(tokio::sync::watch::channel(vec![told]).1);
    let joined = async |browser: &mut Browser| {
        let devices = browser.get(&world, "/api/v1/catalog/devices").await.body;
        let local = devices["devices"].as_array().unwrap().iter().find(|device| device["local"] == true);
        local.unwrap()["joined"].clone()
    };
    let seen = joined(&mut owner).await;
    assert_eq!((&seen[0]["name"], &seen[0]["since"]), (&json!("Barn"), &json!("1970-01-01T00:00:00Z")));
    assert!(joined(&mut guest).await.is_null(), "a guest is told nothing of it");
}

//! The way straight to a device: who is told of it, what the ticket is good for, and what the log says.

use axum::http::{Method, StatusCode};
use peer::DeviceKey;
use proto::ticket::{Issuer, KeyRing, Ticket, TicketError};
use proto::wire::link::{FromAgent, FromCoordinator, Revoked};
use proto::{Permission, ShareId};
use serde_json::{Value, json};

use super::joining;
use super::links::{Line, Port, share};
use super::{Answer, Browser, device_key};
use crate::clock::Clock;

/// A machine that is there with a share, and a guest's machine that would like to read it.
struct Stage {
    port: Port,
    line: Line,
    share: ShareId,
    guest: Browser,
    person: Value,
}

impl Stage {
    async fn set() -> Self {
        let mut port = Port::open().await;
        let films = share("Films");
        let (line, _) = port.link(std::slice::from_ref(&films)).await;
        let (_, mut guest) = joining::guest(&port.world, &mut port.owner).await;
        let person = guest.get(&port.world, "/api/v1/auth/me").await.body["principal"].clone();
        Self { port, line, share: films.id, guest, person }
    }

    async fn give(&mut self, permissions: &[&str]) -> String {
        let subject = json!({"kind": "principal", "id": self.person});
        let grant = json!({"share": self.share, "subject": subject, "permissions": permissions});
        let given = self.port.owner.send(&self.port.world, Method::PUT, "/api/v1/grants", Some(grant)).await;
        assert!(given.status.is_success(), "{}", given.body);
        given.body["id"].as_str().unwrap().to_owned()
    }

    async fn ask(&mut self, permission: &str) -> Answer {
        let path = format!("/api/v1/devices/{}/ticket", self.port.machine.id());
        let wanted = json!({"share": self.share, "permission": permission});
        self.guest.post(&self.port.world, &path, wanted).await
    }

    /// What the device makes of a ticket that was given.
    fn verify(&self, given: &Answer, presenter: &DeviceKey) -> Result<(), TicketError> {
        let keys = self.port.world.coordinator.ticket_keys().borrow().ticket_keys.clone();
        let ring = KeyRing::new(self.port.machine.id(), [Issuer::own(keys)]);
        let ticket = Ticket::from_text(given.body["ticket"].as_str().unwrap());
        let now = self.port.world.clock.wall();
        ring.verify(&ticket, Some(presenter.id()), now)?.permit(self.share, Permission::Download)
    }
}

#[tokio::test]
async fn a_machine_with_a_right_is_told_the_way_and_given_a_ticket_of_its_own() {
    let mut stage = Stage::set().await;
    assert_eq!(stage.ask("download").await.status, StatusCode::NOT_FOUND, "nothing was given");
    stage.give(&["read"]).await;
    let lacks = stage.ask("download").await;
    assert_eq!((lacks.status, lacks.code()), (StatusCode::FORBIDDEN, "FORBIDDEN"));
    let looks = stage.ask("read").await;
    let (guest, other) = (DeviceKey::from_seed([2; 32]).unwrap(), DeviceKey::from_seed([3; 32]).unwrap());
    assert_eq!(stage.verify(&looks, &guest), Err(TicketError::Permission));
    stage.give(&["read", "download"]).await;
    let given = stage.ask("download").await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    assert_eq!(given.body["expires_in"], 120);
    assert_eq!(given.body["device"], json!(stage.port.machine.id()));
    assert_eq!(given.body["addresses"], json!(["192.0.2.7:7000"]), "not where only the coordinator finds it");
    assert_eq!(stage.verify(&given, &guest), Ok(()));
    assert_eq!(stage.verify(&given, &other), Err(TicketError::Presenter));
    stage.port.world.clock.pass(181);
    assert_eq!(stage.verify(&given, &guest), Err(TicketError::Expired));
    let again = stage.ask("download").await;
    assert_eq!(stage.verify(&again, &guest), Ok(()), "while the right stands there is another");
    assert_eq!(stage.ask("write").await.code(), "BAD_PARAMETER");
    // Afterwards all is written.
    stage.port.world.coordinator.rooms().audit.close().await;
    let log = stage.port.owner.get(&stage.port.world, "/api/v1/audit?limit=100").await.body;
    let entries = log["entries"].as_array().unwrap().iter();
    let told: Vec<_> = entries.filter(|e| e["action"].as_str().unwrap().starts_with("ticket.")).collect();
    let allowed: Vec<_> = told.iter().rev().map(|entry| entry["allowed"].as_bool().unwrap()).collect();
    assert_eq!(allowed, [false, false, true, true, true]);
    assert!(told.iter().all(|entry| entry["share"] == json!(stage.share) && entry["actor"] == stage.person));
}

#[tokio::test]
async fn a_ticket_ends_with_the_right_and_none_is_given_for_what_is_hidden_or_away() {
    let mut stage = Stage::set().await;
    let grant = stage.give(&["read", "download"]).await;
    assert_eq!(stage.ask("download").await.status, StatusCode::OK);
    let path = format!("/api/v1/grants/{grant}");
    stage.port.owner.send(&stage.port.world, Method::DELETE, &path, None).await;
    let told = stage.line.hear().await.unwrap();
    let is_it = matches!(&told, FromCoordinator::Revoked { what: Revoked::Grant { share, .. }, .. }
        if *share == stage.share);
    assert!(is_it, "the device ends what the ticket opened: {told:?}");
    assert_eq!(stage.ask("download").await.status, StatusCode::NOT_FOUND);
    stage.give(&["read", "download"]).await;
    let hidden = format!("/api/v1/catalog/devices/{}/visibility", stage.port.machine.id());
    for (visible, status) in [(false, 404), (true, 200)] {
        let set = stage.port.owner.post(&stage.port.world, &hidden, json!({"visible": visible})).await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.body);
        assert_eq!(stage.ask("download").await.status.as_u16(), status, "visible: {visible}");
    }
    stage.line.say(&FromAgent::Goodbye).await;
    while stage.line.hear().await.is_some() {}
    assert_eq!(stage.ask("download").await.code(), "DEVICE_OFFLINE");
}

#[tokio::test]
async fn a_flood_for_tickets_is_turned_away_and_other_machines_are_not() {
    let mut stage = Stage::set().await;
    stage.give(&["read", "download"]).await;
    let mut refused = None;
    for _ in 0..100 {
        let answer = stage.ask("download").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.unwrap();
    assert_eq!((refused.code(), &refused.headers["retry-after"]), ("TOO_MANY", &"1".parse().unwrap()));
    let world = &stage.port.world;
    let mut own = super::machines::Machine::new(super::private(4), device_key()).with_token(world).await;
    let path = format!("/api/v1/devices/{}/ticket", stage.port.machine.id());
    let wanted = json!({"share": stage.share, "permission": "read"});
    assert_eq!(own.at.post(world, &path, wanted.clone()).await.status, StatusCode::OK);
    let here = format!("/api/v1/devices/{}/ticket", device_key().id());
    let shares = own.at.get(world, "/api/v1/catalog/shares").await.body;
    let local = shares["shares"]
        .as_array()
        .unwrap()
        .iter()
        .find(|share| share["device_id"] == json!(device_key().id()));
    let wanted = json!({"share": local.unwrap()["id"], "permission": "read"});
    assert_eq!(own.at.post(world, &here, wanted).await.code(), "CONFLICT", "there is no straighter way");
}

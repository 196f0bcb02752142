//! The inbox tried from outside: its owner has it like any share, nobody else knows of it, and it cannot be given away.

use std::sync::Arc;

use proto::api::people::Subject;
use proto::wire::link::{Addresses, OfferedShare};
use proto::{DeviceId, Permissions, PrincipalId, ShareId};

use super::*;
use crate::access::grants::Wanted;
use crate::store::devices::DeviceRow;

/// Every word that follows a share in the device API, and how it is asked.
const WORDS: [(&str, &str); 14] = [
    ("GET", "list"),
    ("GET", "stat"),
    ("GET", "search"),
    ("GET", "stream"),
    ("GET", "download"),
    ("POST", "archive"),
    ("GET", "thumbnail"),
    ("GET", "watch"),
    ("PUT", "content"),
    ("POST", "unpack"),
    ("POST", "mkdir"),
    ("POST", "delete"),
    ("POST", "undo"),
    ("GET", "versions"),
];

/// Whether somebody may reach a share by any word of the device API, or by a list of shares.
async fn reaches(world: &World, browser: &mut Browser, device: DeviceId, share: ShareId) -> bool {
    let listed = async |browser: &mut Browser, path| {
        browser.get(world, path).await.body.to_string().contains(&share.to_string())
    };
    assert!(
        !listed(browser, "/api/v1/catalog/shares").await,
        "who does not ask for inboxes is not told of any"
    );
    let listed = listed(browser, "/api/v1/catalog/shares?inbox=true").await;
    for (method, word) in WORDS {
        let path = format!("/api/v1/devices/{device}/shares/{share}/{word}");
        let body = (method != "GET").then(|| json!({}));
        let answer = browser.begin(world, method.parse().unwrap(), &path, body).await;
        let found = answer.status() != StatusCode::NOT_FOUND;
        assert_eq!(found, listed, "{method} {word}: {}", answer.status());
    }
    let copy = json!({
        "from": {"device": device, "share": share, "paths": ["a"]},
        "to": {"device": device, "share": share, "path": "b"}, "move": false, "clash": "rename",
    });
    let copied = browser.begin(world, Method::POST, "/api/v1/files/copy", Some(copy)).await.status();
    assert_eq!(copied != StatusCode::NOT_FOUND, listed, "{copied}");
    listed
}

/// The inbox of the coordinator's own machine.
fn own_inbox(world: &World) -> (DeviceId, ShareId) {
    let rooms = world.coordinator.rooms();
    (rooms.device, rooms.inbox_of(rooms.device).unwrap())
}

/// A machine of somebody else, with an inbox that it offers here.
async fn other_inbox(world: &World, person: PrincipalId) -> (DeviceId, ShareId) {
    let rooms = world.coordinator.rooms();
    let (device, share) = (DeviceId::from_public_key([9; 32]), ShareId::generate());
    let row = DeviceRow {
        id: device,
        principal: person,
        name: "Barn".into(),
        platform: "linux".into(),
        visible: true,
        paired_ms: 0,
        revoked_ms: None,
    };
    rooms.identity.devices().learn_for_test(row).await;
    rooms.gateway.set_link(device, Arc::new(RouterLink::new(Router::new().fallback(|| async { "yes" }))));
    let offered = OfferedShare { id: share, name: "Inbox".into(), read_only: false, inbox: true };
    let skew = time::Duration::ZERO;
    rooms.registry.register(device, Addresses::default(), vec![offered], skew).await.unwrap();
    (device, share)
}

async fn person_of(world: &World, browser: &mut Browser) -> PrincipalId {
    let me = browser.get(world, "/api/v1/auth/me").await.body;
    me["principal"].as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn nobody_but_its_owner_knows_of_an_inbox_whatever_was_granted() {
    let (world, mut owner) = World::set_up().await;
    let (mut guest, mut machine) = joining::guest(&world, &mut owner).await;
    let person = person_of(&world, &mut guest).await;
    let own = own_inbox(&world);
    let theirs = other_inbox(&world, person).await;
    let rooms = world.coordinator.rooms();
    let me = rooms.identity.owner_id().unwrap();
    // Even a right that is in the book, however it came there, says nothing on an inbox.
    for (share, subject) in
        [(own.1, Subject::Everyone), (own.1, Subject::Principal(person)), (theirs.1, Subject::Principal(me))]
    {
        let wanted = Wanted { share, subject, permissions: Permissions::all(), expires_ms: None };
        rooms.rights.put(&wanted, me, 0).await.unwrap();
        rooms.rights_moved_on(share);
    }
    for (device, share, owners) in [(own.0, own.1, true), (theirs.0, theirs.1, false)] {
        assert_eq!(reaches(&world, &mut owner, device, share).await, owners);
        assert_eq!(reaches(&world, &mut guest, device, share).await, !owners);
        assert_eq!(reaches(&world, &mut machine, device, share).await, !owners);
    }
}

#[tokio::test]
async fn an_inbox_cannot_be_given_renamed_or_removed() {
    let (world, mut owner) = World::set_up().await;
    let (_, share) = own_inbox(&world);
    let grant = json!({"share": share, "subject": {"kind": "everyone"}, "permissions": ["read"]});
    for (method, path, body) in [
        (Method::PUT, "/api/v1/grants".to_owned(), grant.clone()),
        (Method::POST, "/api/v1/grants/dry-run".to_owned(), grant),
        (Method::GET, format!("/api/v1/shares/{share}/access"), Value::Null),
        (Method::PATCH, format!("/api/v1/catalog/shares/{share}"), json!({"name": "Mine"})),
        (Method::DELETE, format!("/api/v1/catalog/shares/{share}"), Value::Null),
    ] {
        let answer = owner.send(&world, method.clone(), &path, Some(body)).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (403, "FORBIDDEN"), "{method} {path}");
    }
    let carried = json!({"name": "Ada", "grants": [{"share": share, "permissions": ["read"]}]});
    assert!(!owner.post(&world, "/api/v1/invites", carried).await.status.is_success());
    let shares = owner.get(&world, "/api/v1/catalog/shares?inbox=true").await.body;
    let last = shares["shares"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["inbox"], &last["name"]), (&json!(true), &json!("Inbox")), "it stands last");
    let world = world.restart().await;
    assert_eq!(own_inbox(&world).1, share, "the same after a restart");
}

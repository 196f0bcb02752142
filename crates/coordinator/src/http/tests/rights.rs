//! Rights tried from outside: given, used, expired, taken back and hidden, and what the log says of it.

use axum::http::{Method, StatusCode};
use serde_json::json;

use super::{Browser, World, joining};

async fn status(browser: &mut Browser, world: &World, path: &str) -> u16 {
    browser.get(world, path).await.status.as_u16()
}

#[tokio::test]
async fn a_guest_has_what_was_given_until_it_ends() {
    let (world, mut owner) = World::set_up().await;
    let (mut guest, _) = joining::guest(&world, &mut owner).await;
    let shares = owner.get(&world, "/api/v1/catalog/shares").await.body;
    let share = shares["shares"][0]["id"].as_str().unwrap().to_owned();
    let device = shares["shares"][0]["device_id"].as_str().unwrap().to_owned();
    let person = guest.get(&world, "/api/v1/auth/me").await.body["principal"].clone();
    let base = format!("/api/v1/devices/{device}/shares/{share}");
    let (list, download) = (format!("{base}/list"), format!("{base}/download"));
    assert_eq!(status(&mut guest, &world, &list).await, 404, "nothing was given");
    let grant =
        json!({"share": share, "subject": {"kind": "principal", "id": person}, "permissions": ["read"]});
    let tried = owner.post(&world, "/api/v1/grants/dry-run", grant.clone()).await.body;
    assert_eq!(tried["rights"][0]["permissions"], json!(["read"]));
    assert_eq!(status(&mut guest, &world, &list).await, 404, "a trial gives nothing");
    let given = owner.send(&world, Method::PUT, "/api/v1/grants", Some(grant.clone())).await;
    assert_eq!(given.status, StatusCode::OK, "{}", given.body);
    assert_eq!(status(&mut guest, &world, &list).await, 200);
    assert_eq!(status(&mut guest, &world, &download).await, 403);
    let more = guest.send(&world, Method::PUT, "/api/v1/grants", Some(grant)).await;
    assert_eq!(more.status, StatusCode::FORBIDDEN, "who may look may not give");
    let access = owner.get(&world, &format!("/api/v1/shares/{share}/access")).await.body;
    assert_eq!(access["rights"].as_array().unwrap().len(), 2, "the owner and the guest: {access}");
    let hidden = format!("/api/v1/catalog/devices/{device}/visibility");
    for (visible, seen) in [(false, 404), (true, 200)] {
        let set = owner.post(&world, &hidden, json!({"visible": visible})).await;
        assert_eq!(set.status, StatusCode::OK, "{}", set.body);
        assert_eq!(status(&mut guest, &world, &list).await, seen);
        assert_eq!(status(&mut guest, &world, &format!("/api/v1/devices/{device}/info")).await, seen);
        let devices = guest.get(&world, "/api/v1/catalog/devices").await.body.to_string();
        assert_eq!(devices.contains(&device), visible);
        assert_eq!(status(&mut owner, &world, &list).await, 200, "its owner sees it");
    }
    let path = format!("/api/v1/grants/{}", given.body["id"].as_str().unwrap());
    assert_eq!(owner.send(&world, Method::DELETE, &path, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(status(&mut guest, &world, &list).await, 404);
    let log = owner.get(&world, "/api/v1/audit").await.body.to_string();
    for action in ["grant.put", "grant.ended", "share.read", "share.refused", "device.visibility"] {
        assert!(log.contains(action), "{action} is not in the log");
    }
    assert_eq!(owner.get(&world, "/api/v1/audit/verify").await.body["intact"], true);
}

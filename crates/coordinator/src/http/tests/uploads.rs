//! Uploads that go on after the login that began them has ended, by their key; and what a key is no good for.

use axum::http::{Method, StatusCode};
use proto::UploadId;
use serde_json::json;

use super::{Browser, World, joining, private};

/// Begins an upload. Its address, and its key.
async fn begin(browser: &mut Browser, world: &World, base: &str) -> (String, String) {
    let begun = browser.post(world, &format!("{base}/uploads"), json!({})).await;
    assert_eq!(begun.status, StatusCode::CREATED, "{}", begun.body);
    let header = |name: &str| begun.headers[name].to_str().unwrap().to_owned();
    (format!("{base}/{}", header("location")), header("lanthorn-upload-key"))
}

/// Asks with nothing but a key.
async fn with_key(world: &World, key: &str, method: Method, path: &str) -> u16 {
    let mut nobody = private(40);
    nobody.headers = vec![("lanthorn-upload-key", key.to_owned())];
    nobody.send(world, method, path, None).await.status.as_u16()
}

#[tokio::test]
async fn an_upload_outlives_its_login_but_not_the_right_to_write() {
    let (world, mut owner) = World::set_up().await;
    let (mut guest, _) = joining::guest(&world, &mut owner).await;
    let shares = owner.get(&world, "/api/v1/catalog/shares").await.body;
    let (device, share) = (&shares["shares"][0]["device_id"], &shares["shares"][0]["id"]);
    let base = format!("/api/v1/devices/{}/shares/{}", device.as_str().unwrap(), share.as_str().unwrap());
    let person = guest.get(&world, "/api/v1/auth/me").await.body["principal"].clone();
    let subject = json!({"kind": "principal", "id": person});
    let grant = json!({"share": share, "subject": subject, "permissions": ["read", "write"]});
    let given = owner.send(&world, Method::PUT, "/api/v1/grants", Some(grant)).await;
    let (upload, key) = begin(&mut guest, &world, &base).await;
    assert_eq!(guest.post(&world, "/api/v1/auth/logout", json!({})).await.status, StatusCode::NO_CONTENT);
    assert_eq!(guest.send(&world, Method::PATCH, &upload, None).await.status, StatusCode::UNAUTHORIZED);
    for method in [Method::HEAD, Method::PATCH, Method::DELETE] {
        assert_eq!(with_key(&world, &key, method, &upload).await, 200);
    }
    let other = format!("{base}/uploads/{}", UploadId::generate());
    for (method, path) in [
        (Method::PATCH, other.as_str()),
        (Method::GET, &format!("{base}/uploads")),
        (Method::POST, &format!("{base}/uploads")),
        (Method::PUT, &format!("{base}/content")),
        (Method::GET, &format!("{base}/list")),
        (Method::GET, "/api/v1/auth/me"),
    ] {
        assert_eq!(with_key(&world, &key, method, path).await, 401, "{path}");
    }
    assert_eq!(with_key(&world, &key[1..], Method::PATCH, &upload).await, 401);
    let mut overheard = super::open(5);
    overheard.headers = vec![("lanthorn-upload-key", key.clone())];
    let answer = overheard.send(&world, Method::PATCH, &upload, None).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "nothing is written where others can read along");
    let grant = format!("/api/v1/grants/{}", given.body["id"].as_str().unwrap());
    assert_eq!(owner.send(&world, Method::DELETE, &grant, None).await.status, StatusCode::NO_CONTENT);
    assert_eq!(with_key(&world, &key, Method::PATCH, &upload).await, 404, "the right has ended");
}

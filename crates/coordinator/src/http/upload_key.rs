//! Who asks a device: somebody signed in; or nobody, with the key of the upload that the request is about.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, header};
use axum::response::Response;
use proto::api::auth::Privacy;
use proto::{ShareId, UploadId};

use super::caller::connection;
use super::error::Refusal;
use crate::access::{Caller, Client};
use crate::clock::to_ms;
use crate::coordinator::{Coordinator, Rooms};

/// The header in which the key is given, and sent back with what goes on.
const UPLOAD_KEY: HeaderName = HeaderName::from_static("lanthorn-upload-key");

/// Who asks a device for something.
pub(crate) struct DeviceCaller(pub(crate) Caller);

impl FromRequestParts<Coordinator> for DeviceCaller {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, coordinator: &Coordinator) -> Result<Self, Refusal> {
        match Caller::from_request_parts(parts, coordinator).await {
            Ok(caller) => Ok(Self(caller)),
            Err(refusal) => by_key(parts, coordinator.rooms())?.map(Self).ok_or(refusal),
        }
    }
}

/// Whoever began the upload that the request is about, if it brings the upload's key. Nothing can be written on a
/// connection that others can read, and such a key says nothing there.
fn by_key(parts: &Parts, rooms: &Rooms) -> Result<Option<Caller>, Refusal> {
    let privacy = connection(parts)?.privacy();
    let Some(key) = parts.headers.get(UPLOAD_KEY).and_then(|value| value.to_str().ok()) else {
        return Ok(None);
    };
    let Some(owner) = rooms.identity.owner_id().filter(|_| privacy != Privacy::Open) else { return Ok(None) };
    let claims = rooms.identity.upload_keys().read(key, to_ms(rooms.clock.wall()));
    let about = upload_in(parts.uri.path());
    let good = claims.filter(|claims| {
        about == Some((claims.share, claims.upload)) && rooms.identity.principals().lives(claims.sub)
    });
    Ok(good.map(|claims| Caller {
        principal: claims.sub,
        client: Client::Upload(claims.upload),
        privacy,
        owner,
        browser_id: None,
    }))
}

/// The upload that an address is about: `…/shares/{share}/uploads/{upload}`.
fn upload_in(path: &str) -> Option<(ShareId, UploadId)> {
    let (share, upload) = path.split_once("/shares/")?.1.split_once("/uploads/")?;
    Some((share.parse().ok()?, upload.parse().ok()?))
}

/// Adds the key of an upload to the answer that says that it was begun.
pub(super) fn add(
    rooms: &Rooms,
    caller: &Caller,
    method: &Method,
    share: Option<ShareId>,
    answer: &mut Response,
) {
    let begun = *method == Method::POST && answer.status() == http::StatusCode::CREATED;
    let place =
        answer.headers().get(header::LOCATION).filter(|_| begun).and_then(|value| value.to_str().ok());
    let Some((share, upload)) = share.zip(place.and_then(|place| place.rsplit('/').next()?.parse().ok()))
    else {
        return;
    };
    let key = rooms.identity.upload_keys().give(caller.principal, share, upload, to_ms(rooms.clock.wall()));
    if let Ok(mut key) = HeaderValue::try_from(key) {
        key.set_sensitive(true);
        answer.headers_mut().insert(UPLOAD_KEY, key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_uploads_own_address_is_about_it() {
        let (share, upload) = (ShareId::generate(), UploadId::generate());
        let right = format!("/api/v1/devices/d/shares/{share}/uploads/{upload}");
        assert_eq!(upload_in(&right), Some((share, upload)));
        for other in [
            format!("/api/v1/devices/d/shares/{share}/uploads"),
            format!("/api/v1/devices/d/shares/{share}/uploads/{upload}/x"),
            format!("/api/v1/devices/d/shares/{share}/content"),
            format!("/api/v1/devices/d/shares/x/uploads/{upload}"),
        ] {
            assert_eq!(upload_in(&other), None, "{other}");
        }
    }
}

//! The content of one file, read and written whole: with the version that was read, so that nothing else is replaced.

use anyhow::{Context, Result};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{ETAG, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, Request};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use proto::api::writing::Written;

use crate::client::json_in;
use crate::places::Place;
use crate::signed_in::SignedIn;

/// The longest content that is read whole.
const MOST: usize = 256 << 20;

/// What was read.
pub struct Content {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// Which version of the file they are, as it stands in `ETag`.
    pub tag: Option<HeaderValue>,
}

/// What has to be there when a content is written.
pub enum There<'a> {
    /// Nothing.
    Nothing,
    /// This version.
    Version(&'a HeaderValue),
}

/// Reads a content.
pub async fn read(at: &SignedIn, url: &str) -> Result<Content> {
    let answer = at.send(Request::get(url).body(Full::default())?).await?;
    let tag = answer.headers().get(ETAG).cloned();
    let body = Limited::new(answer.into_body(), MOST).collect().await;
    let body =
        body.map_err(|error| anyhow::anyhow!(error)).context("the content broke off or is too long")?;
    Ok(Content { bytes: body.to_bytes().to_vec(), tag })
}

/// Writes a content in place of what has to be there.
pub async fn write(at: &SignedIn, place: &Place, bytes: &[u8], there: There<'_>) -> Result<Written> {
    let mut request =
        Request::put(place.url("content", &[])).body(Full::new(Bytes::copy_from_slice(bytes)))?;
    let (name, value) = match there {
        There::Nothing => (IF_NONE_MATCH, HeaderValue::from_static("*")),
        There::Version(tag) => (IF_MATCH, tag.clone()),
    };
    request.headers_mut().insert(name, value);
    let (name, value) = digest(bytes)?;
    request.headers_mut().insert(name, value);
    json_in(at.send(request).await?).await
}

/// The header by which whoever gets these bytes sees that they are these.
pub fn digest(bytes: &[u8]) -> Result<(HeaderName, HeaderValue)> {
    let sum = STANDARD.encode(blake3::hash(bytes).as_bytes());
    Ok((HeaderName::from_static("repr-digest"), HeaderValue::try_from(format!("blake3=:{sum}:"))?))
}

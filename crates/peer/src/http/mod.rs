//! HTTP/1.1 over a peer's stream: [`serve`] answers on one, [`connection`] asks on one, [`pool`] keeps those that
//! are free, [`answer`] is the body that gives its connection back. Knows no lane and no route.

pub(crate) mod answer;
pub(crate) mod connection;
pub(crate) mod pool;
pub(crate) mod serve;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;

/// Any error of a body.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// Any body that is sent.
pub(crate) type BoxBody = UnsyncBoxBody<Bytes, BoxError>;

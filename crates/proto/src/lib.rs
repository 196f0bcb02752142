//! WORDS: the types and messages that cross a wire, and the rules they carry.
//!
//! Data flow: [`id`] names things, [`path`] names places inside a share, [`access`] says what may be done,
//! [`ticket`] carries that to a device, [`error`] says why not, [`api`] holds the JSON shapes of the HTTP API,
//! [`wire`] what devices and coordinators say to each other besides, and [`words`] what people compare.
//! No tokio, no clock, no input or output: callers pass the time in and the bytes out.

pub mod access;
pub mod access_token;
pub mod api;
pub mod base64url;
pub mod error;
pub mod id;
pub mod path;
pub mod secret;
pub mod ticket;
pub mod wire;
pub mod words;

pub use access::{Permission, Permissions};
pub use error::{ApiError, ErrorCode};
pub use id::{DeviceId, PrincipalId, SessionId, ShareId};
pub use path::RelPath;
pub use secret::Secret;

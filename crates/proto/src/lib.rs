//! WORDS: the types and messages that cross a wire, and the rules they carry.
//!
//! Data flow: [`id`] names things, [`path`] names places inside a share, [`access`] says what may be done,
//! [`offered`] to whom it is offered at all, [`ticket`] carries that to a device, [`lineage`] says which keys sign tickets,
//! [`error`] says why not, [`clock`] that a clock is wrong, [`api`] holds the JSON shapes of the HTTP API,
//! [`wire`] what devices and coordinators say to each other besides, [`pin`] by which certificate they know each other, [`pairing_proof`] that they are who they say, and
//! [`words`] what people compare.
//! No tokio, no clock, no input or output: callers pass the time in and the bytes out.

pub mod access;
pub mod access_token;
pub mod api;
pub mod base64url;
pub mod clock;
pub mod error;
pub mod id;
pub mod lineage;
pub mod offered;
pub mod pairing_proof;
pub mod path;
pub mod pin;
pub mod secret;
pub mod ticket;
pub mod wire;
pub mod words;

pub use access::{Permission, Permissions};
pub use error::{ApiError, ErrorCode};
pub use id::{
    DeviceId, PrincipalId, SessionId, ShareId, TransferId, TransferItemId, TrashId, UndoToken, UploadId,
    VersionId,
};
pub use lineage::Lineage;
pub use offered::Offered;
pub use path::RelPath;
pub use pin::CertificatePin;
pub use secret::Secret;

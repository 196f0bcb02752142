//! What devices and coordinators say to each other outside the HTTP API, one file per protocol, with the names
//! (ALPN) by which a connection says which one it speaks.

pub mod by_code;
pub mod link;
pub mod transfer;

/// The device API over a stream between two devices: one HTTP/1.1 exchange per stream.
pub const ALPN_HTTP: &[u8] = b"lanthorn/http/1";
/// Verified bulk transfer.
pub const ALPN_TRANSFER: &[u8] = b"lanthorn/transfer/1";

/// The longest frame of the protocols that speak in frames.
pub const MAX_FRAME: usize = 1 << 20;

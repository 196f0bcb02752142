//! WIRE: how a stream reaches another device, and what runs over it. Knows neither coordinator nor agent.
//!
//! A byte comes in through [`edge`] (one port, HTTP and HTTPS, limits), which hands each request to a router
//! together with what is known of its connection ([`connection::Connection`]). File content goes out through
//! [`sendfile`], where the connection allows it, without passing through this process's memory.

pub mod connection;
pub mod edge;
#[cfg(target_os = "linux")]
mod lane_io;
pub mod sendfile;

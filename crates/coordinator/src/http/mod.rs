//! The doors of the control plane: HTTP in, rooms called, HTTP out. No rule is made here.

mod agents_link;
mod audit;
mod caller;
mod catalog;
mod cookie;
mod copying;
mod devices;
mod direct;
mod drops;
mod error;
mod events;
mod files;
mod folders;
mod grants;
mod greetings;
mod guard;
mod invites;
mod json;
mod keys;
mod paired;
mod pairing;
mod people;
mod relay;
pub(crate) mod rendezvous;
mod rooms;
mod routes;
mod sessions;
mod settings;
mod setup;
mod sign_in;
mod status;
#[cfg(test)]
mod tests;
mod tokens;
mod trail;
mod transfers;
mod trust;
mod trusted_senders;
mod upload_key;
mod watching;

pub(crate) use greetings::Greetings;
pub use guard::headers::with_security_headers;
pub use routes::openapi;

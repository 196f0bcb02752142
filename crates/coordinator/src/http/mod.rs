//! The doors of the control plane: HTTP in, rooms called, HTTP out. No rule is made here.

mod caller;
mod catalog;
mod cookie;
mod devices;
mod error;
mod folders;
mod guard;
mod json;
mod paired;
mod people;
mod routes;
mod sessions;
mod settings;
mod setup;
mod sign_in;
mod status;
#[cfg(test)]
mod tests;
mod trust;

pub use routes::openapi;

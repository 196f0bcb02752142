//! The JSON shapes of the HTTP API, one file per resource. OpenAPI and the web page's types are made from these.

pub mod across;
pub mod audit;
pub mod auth;
pub mod catalog;
pub mod delivery;
pub mod devices;
pub mod drops;
pub mod events;
pub mod files;
pub mod keys;
pub mod pairing;
pub mod people;
pub mod settings;
pub mod setup;
pub mod transfers;
pub mod writing;

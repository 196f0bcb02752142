//! CONTROL PLANE: who may do what, and the way there. Never opens a user's file; knows nothing of the agent.
//!
//! A request enters by a door (`http`), which learns who asks from a session (`identity`). A room decides
//! (`access`: [`access::Grant`]) and the `gateway` takes the request to the right device with a ticket for it.
//! What must outlast the process goes through the one gate to SQLite (`store`) or into key files (`keyfile`).
//! `authority` makes the machine's own certificates; `folders` lists folder names for the setup page.

mod access;
mod audit;
mod authority;
mod catalog;
mod clock;
mod coordinator;
mod drops;
mod events;
mod files;
mod folders;
mod gateway;
mod guests;
mod http;
mod identity;
mod inbox;
mod joined;
pub mod keyfile;
mod moved;
mod offered;
mod registry;
#[doc(hidden)]
pub mod rehearsal;
mod rendezvous;
mod rotation;
mod settings;
mod store;
mod transfers;

pub use access::ticket_keys::file::coordinator_id;
pub use authority::{AuthorityError, OwnCertificate, page_tls};
pub use clock::{Clock, SystemClock};
pub use coordinator::{Config, Coordinator, OpenError};
pub use gateway::{HttpLink, Link, LinkError, RouterLink};
pub use http::rendezvous::{PATH as RENDEZVOUS_PATH, router as rendezvous_router};
pub use http::{openapi, with_security_headers};
pub use keyfile::KeyFileError;
pub use offered::Taken;
pub use rendezvous::{Beside, Rendezvous};
pub use settings::{SaveError, SettingsStore};
pub use store::StoreError;
pub use store::shares::SharedFolder;

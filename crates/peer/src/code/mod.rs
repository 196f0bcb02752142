//! Codes: two programs that know the same few words find each other in a mailbox and share a key that nobody else has. The
//! protocol is magic-wormhole's, so any of its rendezvous serves, and its clients are understood.
//!
//! [`words`] is the code, [`seal`] what is made of it (SPAKE2, HKDF, XSalsa20-Poly1305), [`mailbox`] the words with a
//! rendezvous, and [`wormhole`] the way from a code to a [`Met`]. Who guesses has one guess: a code that was tried and was
//! wrong is over. Not known here: what is said through it, and where a rendezvous is found.

mod mailbox;
mod seal;
mod words;
mod wormhole;

pub use mailbox::{Mailbox, Offers};
pub use words::{BadCode, Code, unknown_word};
pub use wormhole::{Met, Waiting};

/// Why two do not find each other.
#[derive(Debug, thiserror::Error)]
pub enum CodeError {
    /// The rendezvous cannot be reached, or not any more.
    #[error("the connection to the rendezvous broke")]
    Lost(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It does not do what it was asked to.
    #[error("the rendezvous says: {0}")]
    Refused(String),
    /// Two are there already.
    #[error("somebody else uses this code")]
    Crowded,
    /// Nobody waits there.
    #[error("nobody waits with this code")]
    Nobody,
    /// The other side has another code: this one is over.
    #[error("the code was wrong")]
    WrongCode,
    /// It does not keep to the protocol.
    #[error("what answers is no rendezvous")]
    Strange,
    /// The other side was there, and said nothing in time.
    #[error("the other side does not answer")]
    Silent,
}

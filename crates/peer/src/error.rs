//! Why there is no way to a peer, in words for people.

use std::io;

/// Why no stream to a peer was opened, or no answer came on one.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Nobody has said where the peer is.
    #[error("no address is known for the device")]
    NoAddress,
    /// The hosts at the peer's addresses say that nothing listens there.
    #[error("nothing listens at {0}")]
    Closed(String),
    /// Nothing answers at the peer's addresses.
    #[error("the device does not answer: {0}")]
    Unreachable(String),
    /// Not even the system at the peer's addresses answers: no packet comes back.
    #[error("the device does not answer: {0}")]
    Silent(String),
    /// The peer answered and does not want this device: not paired, or no longer.
    #[error("the device refuses this one: it is not paired with it")]
    Refused,
    /// Somebody else answers at the peer's address.
    #[error("another device answers at that address")]
    WrongKey,
    /// Nothing came of it in time.
    #[error("the device did not answer in time: {0}")]
    TimedOut(String),
    /// The peer was told off while it was spoken to.
    #[error("the connection to the device was ended here")]
    Revoked,
    /// The stream broke after it had opened.
    #[error("the connection to the device broke")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl OpenError {
    /// Why neither of two ways works.
    pub(crate) fn both(one: Self, other: Self) -> Self {
        match (one, other) {
            (Self::NoAddress, error) | (error, Self::NoAddress) => error,
            (Self::Refused, _) | (_, Self::Refused) => Self::Refused,
            (Self::TimedOut(why), error) | (error, Self::TimedOut(why)) => {
                Self::TimedOut(format!("{}; {why}", error.reason()))
            }
            (one, other) => Self::Unreachable(format!("{}; {}", one.reason(), other.reason())),
        }
    }

    /// Why, without the words around it.
    fn reason(&self) -> String {
        match self {
            Self::Unreachable(why) | Self::Silent(why) | Self::TimedOut(why) => why.clone(),
            error => error.to_string(),
        }
    }
}

/// The input or output error at the root of an error, if there is one.
pub(crate) fn io_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return Some(io);
        }
        cause = error.source();
    }
    None
}

/// True of what the system says when a network no longer carries packets: the lane is dead, not the stream alone.
pub(crate) fn is_dead_network(error: &io::Error) -> bool {
    use io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable, TimedOut};
    matches!(error.kind(), TimedOut | HostUnreachable | NetworkUnreachable | NetworkDown)
}

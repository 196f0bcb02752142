//! The protocols that run between devices, by the names under which a stream is asked for. Knows none of their words.

/// A protocol's name: the ALPN of the connection that carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocol(&'static str);

impl Protocol {
    /// The device API: HTTP/1.1.
    pub const HTTP: Self = Self("lanthorn/http/1");

    /// Verified bulk transfer.
    pub const TRANSFER: Self = Self("lanthorn/transfer/1");

    /// Every protocol that is answered.
    pub(crate) const ALL: [Self; 2] = [Self::HTTP, Self::TRANSFER];

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.0
    }

    /// The protocol of that name, if it is answered.
    #[must_use]
    pub fn named(alpn: &[u8]) -> Option<Self> {
        Self::ALL.into_iter().find(|protocol| protocol.0.as_bytes() == alpn)
    }
}

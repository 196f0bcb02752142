//! Checksums: computed of bytes as they pass, compared with what was announced.

use ring::digest::{self, Context};
use serde::{Deserialize, Serialize};

use super::WriteError;

/// How a checksum is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Algorithm {
    /// SHA-1: against accidents alone. Other uploaders know no better.
    Sha1,
    /// SHA-256.
    Sha256,
    /// BLAKE3.
    Blake3,
}

/// What bytes must hash to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    /// How it is computed.
    pub algorithm: Algorithm,
    /// The digest.
    pub digest: Vec<u8>,
}

impl Algorithm {
    const fn digest_bytes(self) -> usize {
        if matches!(self, Self::Sha1) { 20 } else { 32 }
    }
}

impl Checksum {
    /// A checksum of this kind; `None` if no such digest has that many bytes.
    #[must_use]
    pub fn new(algorithm: Algorithm, digest: Vec<u8>) -> Option<Self> {
        (digest.len() == algorithm.digest_bytes()).then_some(Self { algorithm, digest })
    }
}

/// What is computed of the bytes as they pass.
#[derive(Clone)]
pub struct Sums(Vec<(Algorithm, Running)>);

#[derive(Clone)]
enum Running {
    Ring(Box<Context>),
    Blake3(Box<blake3::Hasher>),
}

/// What was computed.
#[derive(Debug, Default)]
pub struct Summed(Vec<(Algorithm, Vec<u8>)>);

impl Sums {
    /// Computes these of bytes to come.
    pub fn of(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        let mut sums = Self(Vec::new());
        for algorithm in algorithms {
            if !sums.0.iter().any(|(known, _)| *known == algorithm) {
                sums.0.push((algorithm, Running::begin(algorithm)));
            }
        }
        sums
    }

    /// Computes what these are compared with.
    #[must_use]
    pub fn wanted(checksums: &[Checksum]) -> Self {
        Self::of(checksums.iter().map(|checksum| checksum.algorithm))
    }

    /// Some more bytes.
    pub fn add(&mut self, bytes: &[u8]) {
        for (_, running) in &mut self.0 {
            match running {
                Running::Ring(context) => context.update(bytes),
                Running::Blake3(hasher) => _ = hasher.update(bytes),
            }
        }
    }

    /// There were no more.
    #[must_use]
    pub fn finish(self) -> Summed {
        let finish = |(algorithm, running): (_, Running)| (algorithm, running.finish());
        Summed(self.0.into_iter().map(finish).collect())
    }
}

impl Running {
    fn begin(algorithm: Algorithm) -> Self {
        match algorithm {
            Algorithm::Sha1 => Self::ring(&digest::SHA1_FOR_LEGACY_USE_ONLY),
            Algorithm::Sha256 => Self::ring(&digest::SHA256),
            Algorithm::Blake3 => Self::Blake3(Box::default()),
        }
    }

    fn ring(algorithm: &'static digest::Algorithm) -> Self {
        Self::Ring(Box::new(Context::new(algorithm)))
    }

    fn finish(self) -> Vec<u8> {
        match self {
            Self::Ring(context) => context.finish().as_ref().to_vec(),
            Self::Blake3(hasher) => hasher.finalize().as_bytes().to_vec(),
        }
    }
}

impl Summed {
    /// One of them, if it was computed.
    #[must_use]
    pub fn get(&self, algorithm: Algorithm) -> Option<&[u8]> {
        self.0.iter().find(|(known, _)| *known == algorithm).map(|(_, digest)| digest.as_slice())
    }

    /// Compares with what was announced.
    ///
    /// # Errors
    /// [`WriteError::Checksum`]: one differs, or was not computed.
    pub fn check(&self, wanted: &[Checksum]) -> Result<(), WriteError> {
        let fits = |wanted: &Checksum| self.get(wanted.algorithm) == Some(&wanted.digest);
        if wanted.iter().all(fits) { Ok(()) } else { Err(WriteError::Checksum) }
    }
}

#[cfg(test)]
mod tests {
    use super::super::publish::hex;
    use super::*;

    const ALL: [Algorithm; 3] = [Algorithm::Sha1, Algorithm::Sha256, Algorithm::Blake3];

    #[test]
    fn sums_are_those_of_the_books_however_the_bytes_come() {
        let (mut at_once, mut in_pieces) = (Sums::of(ALL), Sums::of(ALL));
        at_once.add(b"abc");
        [b"a", b"b"].into_iter().for_each(|bytes| in_pieces.add(bytes));
        let mut other = in_pieces.clone();
        in_pieces.add(b"c");
        other.add(b"d");
        let (at_once, in_pieces, other) = (at_once.finish(), in_pieces.finish(), other.finish());
        for (algorithm, expected) in [
            (Algorithm::Sha1, "a9993e364706816aba3e25717850c26c9cd0d89d"),
            (Algorithm::Sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
            (Algorithm::Blake3, "6437b3ac38465133ffb63b75273a8db548c558465d79db03fd359c6cd5bd9d85"),
        ] {
            assert_eq!(hex(at_once.get(algorithm).unwrap()), expected);
            let wanted = [Checksum::new(algorithm, at_once.get(algorithm).unwrap().to_vec()).unwrap()];
            in_pieces.check(&wanted).unwrap();
            other.check(&wanted).unwrap_err();
        }
    }

    #[test]
    fn what_was_not_computed_does_not_fit_and_a_digest_has_its_length() {
        assert_eq!(Checksum::new(Algorithm::Sha256, vec![0; 20]), None);
        let wanted = [Checksum::new(Algorithm::Sha256, vec![0; 32]).unwrap()];
        Sums::of([Algorithm::Sha1]).finish().check(&wanted).unwrap_err();
        Sums::of([]).finish().check(&[]).unwrap();
    }
}

//! The line of a coordinator's ticket keys: each is vouched for by the one before it, back to the first, whose id is the
//! coordinator's for good. Whoever has pinned one of them can tell whether another comes after it.

use pasetors::Public;
use pasetors::keys::AsymmetricPublicKey;
use pasetors::token::UntrustedToken;
use pasetors::version4::{PublicToken, V4};
use serde::{Deserialize, Serialize};

use crate::ticket::{InvalidKey, PublicKey, SigningKey};

/// Signed along with each key that takes another's place, and with nothing else.
const ASSERTION: &str = "lanthorn next ticket key 1";
/// Keys that may have come after the first. With one every three months these are sixty years.
pub const MAX_SUCCESSORS: usize = 256;

/// All ticket keys that a coordinator ever had, each but the first with the signature of the one before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Lineage {
    /// The first key.
    #[schema(value_type = String)]
    first: PublicKey,
    /// Those that came after it: each a PASETO v4.public of the key before, whose message is the key in base64url.
    #[serde(default)]
    #[schema(value_type = Vec<String>)]
    successors: Vec<Successor>,
}

/// A key, as text that the key before it signed. Proves nothing until that signature was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
struct Successor(String);

impl Successor {
    fn sign(by: &SigningKey, coordinator: &str, key: PublicKey) -> Result<Self, InvalidKey> {
        PublicToken::sign(by.secret(), key.to_string().as_bytes(), None, Some(&assertion(coordinator)))
            .map(Self)
            .map_err(|_| InvalidKey)
    }

    /// The key that is named, whoever signed it.
    fn named(&self) -> Option<PublicKey> {
        let token = UntrustedToken::<Public, V4>::try_from(self.0.as_str()).ok()?;
        std::str::from_utf8(token.untrusted_payload()).ok()?.parse().ok()
    }

    fn is_signed_by(&self, key: PublicKey, coordinator: &str) -> bool {
        let signed = || {
            let token = UntrustedToken::<Public, V4>::try_from(self.0.as_str()).ok()?;
            let key = AsymmetricPublicKey::<V4>::from(&key.to_bytes()).ok()?;
            PublicToken::verify(&key, &token, None, Some(&assertion(coordinator))).ok()
        };
        signed().is_some()
    }
}

/// Names the coordinator, so that no other one's line can be gone on with.
fn assertion(coordinator: &str) -> Vec<u8> {
    format!("{ASSERTION}\n{coordinator}").into_bytes()
}

impl Lineage {
    /// The line of a coordinator with its first key.
    #[must_use]
    pub const fn begin(first: PublicKey) -> Self {
        Self { first, successors: Vec::new() }
    }

    /// The coordinator's id: that of its first key.
    #[must_use]
    pub fn coordinator(&self) -> String {
        self.first.id()
    }

    /// How many keys came after the first.
    #[must_use]
    pub fn successors(&self) -> usize {
        self.successors.len()
    }

    /// The same line with one more key, for which `last` vouches.
    ///
    /// # Errors
    /// `last` is not the line's last key, or the line is full.
    pub fn with(&self, last: &SigningKey, new: PublicKey) -> Result<Self, InvalidKey> {
        let is_last = self.named().and_then(|keys| keys.last().copied()) == Some(last.public());
        if !is_last || self.successors.len() >= MAX_SUCCESSORS {
            return Err(InvalidKey);
        }
        let mut longer = self.clone();
        longer.successors.push(Successor::sign(last, &self.coordinator(), new)?);
        Ok(longer)
    }

    /// The keys from the earliest of `pinned` on, each vouched for by the one before. `None` if that is not so, or if
    /// one of `pinned` is not in the line: then it is not the line that they are from.
    #[must_use]
    pub fn from_pinned(&self, pinned: &[PublicKey]) -> Option<Vec<PublicKey>> {
        let mut keys = self.named()?;
        let places = pinned.iter().map(|pin| keys.iter().position(|key| key == pin));
        let earliest = places.collect::<Option<Vec<_>>>()?.into_iter().min()?;
        let coordinator = self.coordinator();
        let mut steps = self.successors.iter().zip(&keys).skip(earliest);
        let vouched = steps.all(|(next, before)| next.is_signed_by(*before, &coordinator));
        vouched.then(|| keys.split_off(earliest))
    }

    /// True if these are keys of the coordinator of this id.
    #[must_use]
    pub fn proves(&self, coordinator: &str, keys: &[PublicKey]) -> bool {
        let line = self.from_pinned(&[self.first]).unwrap_or_default();
        self.coordinator() == coordinator && keys.iter().all(|key| line.contains(key))
    }

    /// All keys, as they are named.
    fn named(&self) -> Option<Vec<PublicKey>> {
        if self.successors.len() > MAX_SUCCESSORS {
            return None;
        }
        std::iter::once(Some(self.first)).chain(self.successors.iter().map(Successor::named)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys<const N: usize>() -> [SigningKey; N] {
        std::array::from_fn(|_| SigningKey::generate().unwrap())
    }

    /// The line of these keys, each signed by the one before.
    fn line(keys: &[&SigningKey]) -> Lineage {
        let first = Lineage::begin(keys[0].public());
        keys.windows(2).fold(first, |line, pair| line.with(pair[0], pair[1].public()).unwrap())
    }

    fn public(keys: &[&SigningKey]) -> Vec<PublicKey> {
        keys.iter().map(|key| key.public()).collect()
    }

    #[test]
    fn whoever_pinned_one_key_knows_those_that_came_after() {
        let [a, b, c, stranger] = keys();
        let line = line(&[&a, &b, &c]);
        for (pinned, known) in [
            (vec![&a], Some(vec![&a, &b, &c])),
            (vec![&b], Some(vec![&b, &c])),
            (vec![&c], Some(vec![&c])),
            (vec![&c, &b], Some(vec![&b, &c])),
            (vec![&stranger], None),
            (vec![&a, &stranger], None),
            (vec![], None),
        ] {
            assert_eq!(line.from_pinned(&public(&pinned)), known.map(|keys| public(&keys)), "{pinned:?}");
        }
        assert!(line.proves(&a.public().id(), &public(&[&c, &b])));
        assert!(!line.proves(&b.public().id(), &public(&[&c])), "the id is the first key's");
        assert!(!line.proves(&a.public().id(), &public(&[&stranger])));
        let text = serde_json::to_string(&line).unwrap();
        assert_eq!(serde_json::from_str::<Lineage>(&text).unwrap(), line);
    }

    #[test]
    fn a_line_is_gone_on_with_by_its_last_key_alone() {
        let [a, b, thief] = keys();
        let line = line(&[&a, &b]);
        assert!(line.with(&a, thief.public()).is_err());
        assert!(line.with(&thief, thief.public()).is_err());
        assert_eq!(line.with(&b, thief.public()).unwrap().successors(), 2);
    }

    #[test]
    fn a_key_of_before_opens_nothing_to_who_knows_a_later_one() {
        let [first, stolen, present, thief] = keys();
        let id = first.public().id();
        let known = line(&[&first, &stolen, &present]);
        let theirs = line(&[&first, &stolen, &thief]);
        let pinned = public(&[&stolen, &present]);
        assert_eq!(theirs.from_pinned(&pinned), None, "the present key is not in it");
        let put_in = Successor::sign(&stolen, &id, thief.public()).unwrap();
        for at in 0..=known.successors.len() {
            let mut forged = known.clone();
            forged.successors.insert(at, put_in.clone());
            let found = forged.from_pinned(&pinned).unwrap_or_default();
            assert!(!found.contains(&thief.public()), "put in at {at}");
            let mut forged = theirs.clone();
            forged.successors.insert(at, known.successors[1].clone());
            let found = forged.from_pinned(&pinned).unwrap_or_default();
            assert!(!found.contains(&thief.public()), "the present key put in at {at}");
        }
    }

    #[test]
    fn what_was_signed_for_something_else_vouches_for_nothing() {
        let [a, b] = keys();
        let line = line(&[&a, &b]);
        let elsewhere = Successor::sign(&a, "0123456789abcdef", b.public()).unwrap();
        let as_token = PublicToken::sign(a.secret(), b.public().to_string().as_bytes(), None, None).unwrap();
        for forged in [elsewhere, Successor(as_token), Successor(String::new())] {
            let forged = Lineage { successors: vec![forged], ..line.clone() };
            assert_eq!(forged.from_pinned(&public(&[&a])), None);
        }
        let text = &line.successors[0].0;
        for i in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[i] ^= 1;
            let Ok(flipped) = String::from_utf8(bytes) else { continue };
            let forged = Lineage { successors: vec![Successor(flipped)], ..line.clone() };
            assert_eq!(forged.from_pinned(&public(&[&a])), None, "byte {i}");
        }
    }

    #[test]
    fn a_line_without_an_end_is_not_read() {
        let [a, b] = keys();
        let mut line = line(&[&a, &b]);
        line.successors.resize(MAX_SUCCESSORS + 1, line.successors[0].clone());
        assert_eq!(line.from_pinned(&public(&[&a])), None);
        line.successors.truncate(MAX_SUCCESSORS);
        assert!(line.with(&b, a.public()).is_err());
    }
}

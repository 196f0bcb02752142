//! The coordinator's ticket keys, and how one takes another's place: the next is announced for a while before it signs,
//! the one before is honoured for a while after. Pure: each step makes new keys, which somebody else keeps
//! ([`file`]) before they count.

pub(crate) mod file;

use std::sync::Arc;
use std::time::Duration;

use proto::Lineage;
use proto::ticket::{CLOCK_SKEW, InvalidKey, PublicKey, SigningKey};
use proto::wire::link::TicketKeys as Announcement;
use time::OffsetDateTime;

/// How long a key is announced, at the least, before anything is signed with it.
pub(crate) const ANNOUNCED: Duration = Duration::from_secs(60);
/// How long a key is honoured after the last thing was signed with it: an access token lives longest.
pub(crate) const HONOURED: time::Duration = proto::access_token::LIFETIME.saturating_add(CLOCK_SKEW);

/// The key that signs.
#[derive(Clone)]
pub(crate) struct Present {
    pub(crate) key: Arc<SigningKey>,
    /// Since when.
    pub(crate) since: OffsetDateTime,
}

/// The key that signed before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Previous {
    pub(crate) key: PublicKey,
    /// Until when it is honoured.
    pub(crate) until: OffsetDateTime,
}

/// All keys, at one moment.
#[derive(Clone)]
pub(crate) struct TicketKeys {
    lineage: Lineage,
    present: Present,
    next: Option<Arc<SigningKey>>,
    previous: Option<Previous>,
    /// The ids of those that were given up because somebody else may have them.
    dropped: Vec<String>,
}

/// Why no other key can take the present one's place now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotNow {
    /// The next one is announced already.
    Announced,
    /// The one before is still honoured, until then.
    Honoured(OffsetDateTime),
    /// There have been as many as anybody can follow.
    Exhausted,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// The present key is old: another is to be announced.
    Announce,
    /// The next key has been announced for long enough: it signs.
    Promote,
    /// Nothing that the previous key signed is good any more.
    Forget,
}

impl TicketKeys {
    /// A coordinator's first key.
    pub(crate) fn begin(key: SigningKey, now: OffsetDateTime) -> Self {
        let lineage = Lineage::begin(key.public());
        let present = Present { key: Arc::new(key), since: now };
        Self { lineage, present, next: None, previous: None, dropped: Vec::new() }
    }

    /// The coordinator's id, for good.
    pub(crate) fn coordinator(&self) -> String {
        self.lineage.coordinator()
    }

    pub(crate) const fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    pub(crate) const fn present(&self) -> &Present {
        &self.present
    }

    pub(crate) fn next(&self) -> Option<PublicKey> {
        self.next.as_ref().map(|next| next.public())
    }

    pub(crate) const fn previous(&self) -> Option<Previous> {
        self.previous
    }

    /// The keys with which something may be signed that is still good: nothing is with the next one yet.
    pub(crate) fn signed_with(&self) -> impl Iterator<Item = PublicKey> + Clone {
        std::iter::once(self.present.key.public()).chain(self.previous.map(|previous| previous.key))
    }

    /// What devices are told.
    pub(crate) fn announcement(&self) -> Announcement {
        let announced = self.signed_with().chain(self.next());
        Announcement {
            ticket_keys: announced.collect(),
            lineage: Some(self.lineage.clone()),
            dropped: self.dropped.clone(),
        }
    }

    /// The key that is due to vouch for another: the last in line.
    fn last(&self) -> &Arc<SigningKey> {
        self.next.as_ref().unwrap_or(&self.present.key)
    }

    fn longer_by(&self, new: &SigningKey) -> Result<Lineage, NotNow> {
        self.lineage.with(self.last(), new.public()).map_err(|InvalidKey| NotNow::Exhausted)
    }

    /// Announces the next key. One rotation at a time: no more than two keys sign what is good.
    pub(crate) fn announce(&self, next: SigningKey) -> Result<Self, NotNow> {
        if self.next.is_some() {
            return Err(NotNow::Announced);
        }
        if let Some(previous) = self.previous {
            return Err(NotNow::Honoured(previous.until));
        }
        Ok(Self { lineage: self.longer_by(&next)?, next: Some(Arc::new(next)), ..self.clone() })
    }

    /// From now on the next key signs, if there is one.
    fn promote(&self, now: OffsetDateTime) -> Self {
        let Some(next) = self.next.clone() else { return self.clone() };
        let previous = Previous { key: self.present.key.public(), until: now + HONOURED };
        Self {
            present: Present { key: next, since: now },
            next: None,
            previous: Some(previous),
            ..self.clone()
        }
    }

    /// Another key signs from now on, and no other counts: somebody else may have those that there were.
    pub(crate) fn replace(&self, new: SigningKey, now: OffsetDateTime) -> Result<Self, NotNow> {
        let lineage = self.longer_by(&new)?;
        let gone = self.announcement().ticket_keys;
        let dropped = self.dropped.iter().cloned().chain(gone.iter().map(PublicKey::id)).collect();
        let present = Present { key: Arc::new(new), since: now };
        Ok(Self { lineage, present, next: None, previous: None, dropped })
    }

    /// What is due, if the next key has been announced for so long, and a key is to sign for so long at most.
    pub(crate) fn due(
        &self,
        now: OffsetDateTime,
        announced: Duration,
        lifetime: Option<Duration>,
    ) -> Option<Step> {
        if self.next.is_some() {
            return (announced >= ANNOUNCED).then_some(Step::Promote);
        }
        if let Some(previous) = self.previous {
            // With the clock set back, what it signed is from the future, and good for nothing either.
            let from_the_future = now + CLOCK_SKEW < previous.until - HONOURED;
            return (previous.until <= now || from_the_future).then_some(Step::Forget);
        }
        let old = lifetime.is_some_and(|lifetime| now - self.present.since >= lifetime);
        old.then_some(Step::Announce)
    }

    /// The keys after a step that is due. Only announcing needs a new key.
    pub(crate) fn after(
        &self,
        step: Step,
        now: OffsetDateTime,
        new: impl FnOnce() -> Result<SigningKey, InvalidKey>,
    ) -> Result<Self, StepError> {
        Ok(match step {
            Step::Announce => self.announce(new()?)?,
            Step::Promote => self.promote(now),
            Step::Forget => Self { previous: None, ..self.clone() },
        })
    }
}

/// Why a step cannot be taken.
#[derive(Debug)]
pub(crate) enum StepError {
    NotNow(NotNow),
    NoKey(InvalidKey),
}

impl From<NotNow> for StepError {
    fn from(not_now: NotNow) -> Self {
        Self::NotNow(not_now)
    }
}

impl From<InvalidKey> for StepError {
    fn from(error: InvalidKey) -> Self {
        Self::NoKey(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);
    const QUARTER: Option<Duration> = Some(Duration::from_secs(90 * 86_400));

    fn key() -> SigningKey {
        SigningKey::generate().unwrap()
    }

    fn begun() -> TicketKeys {
        TicketKeys::begin(key(), NOW)
    }

    #[test]
    fn a_key_signs_only_after_it_was_announced_and_is_honoured_after_it_signed() {
        let keys = begun();
        let (first, minute) = (keys.present().key.public(), Duration::from_secs(60));
        let announced = keys.announce(key()).unwrap();
        let next = announced.next().unwrap();
        assert_eq!(announced.present().key.public(), first, "it does not sign yet");
        assert_eq!(announced.announcement().ticket_keys, [first, next]);
        assert_eq!(announced.due(NOW, minute - Duration::from_millis(1), None), None);
        assert_eq!(announced.due(NOW, minute, None), Some(Step::Promote));
        let promoted = announced.after(Step::Promote, NOW, || Err(InvalidKey)).unwrap();
        assert_eq!(promoted.announcement().ticket_keys, [next, first]);
        let until = NOW + time::Duration::seconds(3660);
        assert_eq!(promoted.previous(), Some(Previous { key: first, until }));
        assert_eq!(promoted.due(until - time::Duration::MILLISECOND, minute, QUARTER), None);
        assert_eq!(promoted.due(until, minute, QUARTER), Some(Step::Forget));
        let settled = promoted.after(Step::Forget, until, || Err(InvalidKey)).unwrap();
        assert_eq!(settled.announcement().ticket_keys, [next]);
        assert_eq!(settled.coordinator(), first.id(), "the id stays that of the first");
        assert!(settled.announcement().follow_from(&[first]), "whoever knows the first follows");
    }

    #[test]
    fn a_key_that_is_old_is_replaced_and_one_at_a_time() {
        let keys = begun();
        let day = time::Duration::DAY;
        for (now, lifetime, due) in [
            (NOW + 90 * day, QUARTER, Some(Step::Announce)),
            (NOW + 90 * day - time::Duration::SECOND, QUARTER, None),
            (NOW + 900 * day, None, None),
            (NOW - 900 * day, QUARTER, None),
        ] {
            assert_eq!(keys.due(now, Duration::MAX, lifetime), due, "{now}");
        }
        let announced = keys.announce(key()).unwrap();
        assert_eq!(announced.announce(key()).err(), Some(NotNow::Announced));
        let promoted = announced.promote(NOW);
        assert_eq!(promoted.announce(key()).err(), Some(NotNow::Honoured(NOW + HONOURED)));
        let long_ago = NOW - day;
        assert_eq!(
            promoted.due(long_ago, Duration::ZERO, None),
            Some(Step::Forget),
            "the clock was set back"
        );
        assert_eq!(promoted.due(NOW - CLOCK_SKEW, Duration::ZERO, None), None, "by a little");
    }

    #[test]
    fn a_stolen_key_is_dropped_at_once_in_every_state() {
        let settled = begun();
        let announced = settled.announce(key()).unwrap();
        let promoted = announced.promote(NOW);
        for before in [settled.clone(), announced, promoted] {
            let gone = before.announcement().ticket_keys;
            let after = before.replace(key(), NOW).unwrap();
            let told = after.announcement();
            assert_eq!(told.ticket_keys, [after.present().key.public()]);
            assert_eq!(told.dropped, gone.iter().map(PublicKey::id).collect::<Vec<_>>());
            for pinned in gone {
                assert!(told.follow_from(&[pinned]), "{pinned:?}");
            }
            let again = after.replace(key(), NOW).unwrap().announcement().dropped;
            assert_eq!(again.len(), told.dropped.len() + 1, "it stays dropped");
        }
        let keys =
            (0..proto::lineage::MAX_SUCCESSORS).fold(settled, |keys, _| keys.replace(key(), NOW).unwrap());
        assert_eq!(keys.replace(key(), NOW).err(), Some(NotNow::Exhausted));
    }
}

//! What a machine may offer, and what changed from one offer to the next. Pure.

use std::collections::{HashMap, HashSet};

use proto::ShareId;
use proto::wire::link::OfferedShare;

use crate::settings::parse_name;

/// Shares of one machine beside its inbox, at most.
pub(crate) const MAX_SHARES: usize = 200;

/// An offer that is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadOffer {
    #[error("it offers more than {MAX_SHARES} shares")]
    TooMany,
    #[error("it offers one share twice")]
    Twice,
    #[error("it offers more than one inbox")]
    Inboxes,
    #[error("a share's name is empty, too long, or has characters that cannot be shown")]
    Name,
    #[error("it offers a share that is another device's")]
    Taken,
}

/// Looks at an offer. `taken` says whether a share is another machine's.
pub(crate) fn check(shares: &[OfferedShare], taken: impl Fn(ShareId) -> bool) -> Result<(), BadOffer> {
    let inboxes = shares.iter().filter(|share| share.inbox).count();
    if shares.len() - inboxes > MAX_SHARES {
        return Err(BadOffer::TooMany);
    }
    if inboxes > 1 {
        return Err(BadOffer::Inboxes);
    }
    let mut seen = HashSet::new();
    for share in shares {
        if !seen.insert(share.id) {
            return Err(BadOffer::Twice);
        }
        if parse_name(&share.name).as_deref() != Ok(&share.name) {
            return Err(BadOffer::Name);
        }
        if taken(share.id) {
            return Err(BadOffer::Taken);
        }
    }
    Ok(())
}

/// The shares that came, went, or are not what they were.
pub(crate) fn difference(before: &[OfferedShare], after: &[OfferedShare]) -> Vec<ShareId> {
    let index = |shares: &[OfferedShare]| -> HashMap<ShareId, OfferedShare> {
        shares.iter().map(|share| (share.id, share.clone())).collect()
    };
    let (old, new) = (index(before), index(after));
    let mut changed: Vec<ShareId> =
        new.iter().filter(|(id, share)| old.get(id) != Some(share)).map(|(id, _)| *id).collect();
    changed.extend(old.keys().filter(|id| !new.contains_key(id)));
    changed.sort_unstable();
    changed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(name: &str) -> OfferedShare {
        OfferedShare { id: ShareId::generate(), name: name.into(), read_only: false, inbox: false }
    }

    #[test]
    fn an_offer_is_looked_at() {
        let (a, b) = (share("Films"), share("Music"));
        assert_eq!(check(&[a.clone(), b.clone()], |_| false), Ok(()));
        assert_eq!(check(&[a.clone(), a.clone()], |_| false), Err(BadOffer::Twice));
        assert_eq!(check(&[a.clone(), b.clone()], |id| id == b.id), Err(BadOffer::Taken));
        for name in ["", " padded", "a\u{202e}b", "a\nb", &"x".repeat(65)] {
            assert_eq!(check(&[share(name)], |_| false), Err(BadOffer::Name), "{name:?}");
        }
        let many: Vec<_> = (0..=MAX_SHARES).map(|i| share(&i.to_string())).collect();
        assert_eq!(check(&many, |_| false), Err(BadOffer::TooMany));
        assert_eq!(check(&many[1..], |_| false), Ok(()));
        let inbox = OfferedShare { inbox: true, ..share("Inbox") };
        let with_inbox = [&many[1..], std::slice::from_ref(&inbox)].concat();
        assert_eq!(check(&with_inbox, |_| false), Ok(()), "the inbox counts beside them");
        let second = OfferedShare { inbox: true, ..share("Another") };
        assert_eq!(check(&[inbox, second], |_| false), Err(BadOffer::Inboxes));
    }

    #[test]
    fn what_came_went_and_changed_is_named() {
        let (a, b, c) = (share("a"), share("b"), share("c"));
        let renamed = OfferedShare { name: "B".into(), ..b.clone() };
        let changed = difference(&[a.clone(), b.clone()], &[renamed, c.clone()]);
        let mut expected = vec![a.id, b.id, c.id];
        expected.sort_unstable();
        assert_eq!(changed, expected);
        assert!(difference(&[a.clone(), b.clone()], &[b, a]).is_empty(), "order is nothing");
    }
}

//! Which of a machine's shares a coordinator is offered. What it is not offered it neither sees nor can allow.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::ShareId;

/// Which of a machine's shares somebody is offered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offered {
    /// All, also those that are shared later.
    #[default]
    All,
    /// These and no others.
    Only(BTreeSet<ShareId>),
}

impl Offered {
    /// True if this share is.
    #[must_use]
    pub fn includes(&self, share: ShareId) -> bool {
        match self {
            Self::All => true,
            Self::Only(shares) => shares.contains(&share),
        }
    }

    /// The same with one more share.
    #[must_use]
    pub fn with(mut self, share: ShareId) -> Self {
        if let Self::Only(shares) = &mut self {
            shares.insert(share);
        }
        self
    }

    /// The same without one share. `all` are those there are: of all but one there is a list, to which nothing is added
    /// by itself.
    #[must_use]
    pub fn without(self, share: ShareId, all: impl IntoIterator<Item = ShareId>) -> Self {
        let mut shares = match self {
            Self::All => all.into_iter().collect(),
            Self::Only(shares) => shares,
        };
        shares.remove(&share);
        Self::Only(shares)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shared_later_is_offered_only_where_all_is() {
        let (first, second, later) = (ShareId::generate(), ShareId::generate(), ShareId::generate());
        let there = [first, second];
        let some = Offered::All.without(first, there);
        for (offered, first_is, second_is, later_is) in [
            (Offered::All, true, true, true),
            (Offered::All.with(first), true, true, true),
            (Offered::default(), true, true, true),
            (some.clone(), false, true, false),
            (some.clone().with(first), true, true, false),
            (some.without(second, there), false, false, false),
            (Offered::Only(BTreeSet::new()).with(second), false, true, false),
        ] {
            let is = there.into_iter().chain([later]).map(|share| offered.includes(share));
            assert_eq!(is.collect::<Vec<_>>(), [first_is, second_is, later_is], "{offered:?}");
            let text = serde_json::to_string(&offered).unwrap();
            assert_eq!(serde_json::from_str::<Offered>(&text).unwrap(), offered, "{text}");
        }
    }
}

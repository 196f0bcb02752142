//! What becomes of the items of a transfer, as the receiver's device tells it. Pure.

use proto::api::transfers::{Arrived, ArrivedItem, ItemState, TransferItem};

/// How the transfer ends whose items these are; `None` as long as anything may still come.
pub(crate) fn outcome(items: &[TransferItem]) -> Option<Outcome> {
    let mut wanted = items.iter().filter(|item| item.state != ItemState::Rejected).peekable();
    wanted.peek()?;
    let (mut arrived, mut why) = (false, None);
    for item in wanted {
        match item.state {
            ItemState::Finalized => arrived = true,
            ItemState::Failed => {
                why = why.or_else(|| item.error.as_ref().map(|error| error.message.clone()));
            }
            _ => return None,
        }
    }
    let none_came = || Outcome::Failed(why.unwrap_or_else(|| "Nothing of it could be taken.".to_owned()));
    Some(if arrived { Outcome::Completed } else { none_came() })
}

/// How a transfer ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Completed,
    Failed(String),
}

/// True for a state that an item does not leave any more.
pub(crate) const fn is_over(state: ItemState) -> bool {
    use ItemState::{Cancelled, Expired, Failed, Finalized, Rejected};
    matches!(state, Finalized | Rejected | Cancelled | Expired | Failed)
}

/// Takes over what has arrived; gives the places of the items whose state that changed.
pub(crate) fn follow(items: &mut [TransferItem], arrived: &Arrived) -> Vec<usize> {
    let mut changed = Vec::new();
    for told in &arrived.items {
        let found = items.iter_mut().enumerate().find(|(_, item)| item.id == told.item_id);
        let Some((place, item)) = found.filter(|(_, item)| !is_over(item.state)) else { continue };
        let before = item.state;
        take(item, told);
        if item.state != before {
            changed.push(place);
        }
    }
    changed
}

fn take(item: &mut TransferItem, told: &ArrivedItem) {
    // Whether it is wanted at all is not the device's to say.
    if matches!(told.state, ItemState::Rejected | ItemState::Cancelled | ItemState::Expired) {
        return;
    }
    item.state = told.state;
    item.received_size = told.received_size;
    item.final_path.clone_from(&told.final_path);
    item.error.clone_from(&told.error);
}

/// True once anything of any item has come.
pub(crate) fn has_begun(items: &[TransferItem]) -> bool {
    use ItemState::{Committed, Failed, Finalized, Receiving, Staged};
    let begun = |state| matches!(state, Receiving | Staged | Committed | Finalized | Failed);
    items.iter().any(|item| begun(item.state) || item.received_size > 0)
}

/// What has not come to an end has this one now.
pub(crate) fn end(items: &mut [TransferItem], end: ItemState) {
    items.iter_mut().filter(|item| !is_over(item.state)).for_each(|item| item.state = end);
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proto::api::transfers::{ItemKind, OfferedItem};
    use proto::{ApiError, ErrorCode, TransferId, TransferItemId};

    pub(crate) fn item(name: &str, state: ItemState) -> TransferItem {
        TransferItem {
            id: TransferItemId::generate(),
            offered: OfferedItem::new(name, ItemKind::File, 10),
            state,
            received_size: 0,
            final_path: None,
            error: None,
        }
    }

    pub(crate) fn arrived(items: &[TransferItem], states: &[ItemState]) -> Arrived {
        let items = items.iter().zip(states).map(|(item, state)| ArrivedItem {
            item_id: item.id,
            filename: item.offered.filename.clone(),
            expected_size: 10,
            received_size: 4,
            state: *state,
            final_path: None,
            blake3: None,
            renamed: Vec::new(),
            error: (*state == ItemState::Failed)
                .then(|| ApiError::new(ErrorCode::WriteFailed, "The disk broke.", "Look at it.")),
        });
        Arrived {
            transfer_id: TransferId::generate(),
            paused_by: None,
            connected: true,
            way: None,
            limited_by: None,
            items: items.collect(),
        }
    }

    #[test]
    fn a_transfer_ends_with_its_last_item() {
        use ItemState::{Committed, Failed, Finalized, Paused, Pending, Rejected};
        let failed = || Some(Outcome::Failed("Nothing of it could be taken.".into()));
        for (states, expected) in [
            (&[Pending][..], None),
            (&[Finalized, Paused], None),
            (&[Finalized, Committed], None),
            (&[Finalized], Some(Outcome::Completed)),
            (&[Finalized, Rejected], Some(Outcome::Completed)),
            (&[Finalized, Failed], Some(Outcome::Completed)),
            (&[Failed, Rejected], failed()),
            (&[Rejected], None),
        ] {
            let items: Vec<_> = states.iter().map(|state| item("a", *state)).collect();
            assert_eq!(outcome(&items), expected, "{states:?}");
        }
    }

    #[test]
    fn what_is_over_stays_and_what_was_not_wanted_does_not_come() {
        use ItemState::{Cancelled, Failed, Finalized, Pending, Receiving, Rejected};
        let mut items: Vec<_> =
            [Pending, Receiving, Rejected, Finalized, Pending].map(|s| item("a", s)).into();
        let told = arrived(&items, &[Receiving, Receiving, Receiving, Pending, Cancelled]);
        assert_eq!(follow(&mut items, &told), [0]);
        let states: Vec<_> = items.iter().map(|item| item.state).collect();
        assert_eq!(states, [Receiving, Receiving, Rejected, Finalized, Pending]);
        let sizes: Vec<_> = items.iter().map(|item| item.received_size).collect();
        assert_eq!(sizes, [4, 4, 0, 0, 0]);
        assert!(has_begun(&items));
        let told = arrived(&items, &[Failed, Finalized]);
        assert_eq!(follow(&mut items, &told), [0, 1]);
        assert_eq!(items[0].error.as_ref().unwrap().message, "The disk broke.");
        end(&mut items, Cancelled);
        let states: Vec<_> = items.iter().map(|item| item.state).collect();
        assert_eq!(states, [Failed, Finalized, Rejected, Finalized, Cancelled]);
    }
}

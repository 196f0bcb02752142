//! A share to be asked: where it is, and what both are called for people.

use std::sync::Arc;

use proto::api::across::{FoundEntry, ShareDone, ShareError};
use proto::api::files::SearchHit;
use proto::{ApiError, DeviceId, ShareId};

/// A share of a machine.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) device: DeviceId,
    pub(crate) device_name: Arc<str>,
    pub(crate) share: ShareId,
    pub(crate) share_name: Arc<str>,
}

impl Place {
    pub(crate) fn found(&self, hit: SearchHit) -> FoundEntry {
        FoundEntry {
            hit,
            device_id: self.device,
            device_name: self.device_name.as_ref().to_owned(),
            share_id: self.share,
            share_name: self.share_name.as_ref().to_owned(),
        }
    }

    pub(crate) fn failed(&self, error: ApiError) -> ShareError {
        ShareError {
            device_id: self.device,
            device_name: self.device_name.as_ref().to_owned(),
            share_id: self.share,
            share_name: self.share_name.as_ref().to_owned(),
            error: error.message,
            hint: error.hint,
            code: error.code,
        }
    }

    pub(crate) const fn done(&self, total: u64, truncated: bool, complete: bool) -> ShareDone {
        ShareDone { device_id: self.device, share_id: self.share, total, truncated, complete }
    }
}

/// The places in an order in which every machine has its turn: first one share of each, then another of each. Thus a
/// machine with very many shares keeps none of the others out.
pub(crate) fn in_turns(places: Vec<Place>) -> Vec<Place> {
    let mut seen = std::collections::HashMap::<DeviceId, usize>::new();
    let mut turns: Vec<(usize, Place)> = places
        .into_iter()
        .map(|place| {
            let turn = seen.entry(place.device).or_default();
            *turn += 1;
            (*turn, place)
        })
        .collect();
    turns.sort_by_key(|(turn, _)| *turn);
    turns.into_iter().map(|(_, place)| place).collect()
}

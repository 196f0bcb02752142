//! Whose transfers begin without a question: those of a machine's owner to it, of those who may let things into the share
//! to which they go, and of those whom the owner trusts, as far as they are trusted.

use proto::api::transfers::{TrustLimits, TrustedSender};
use proto::{DeviceId, PrincipalId, RelPath, ShareId};

use super::{TransferError, Transfers};
use crate::access::Caller;
use crate::clock::from_ms;
use crate::coordinator::Rooms;
use crate::store::StoreError;
use crate::store::trusted_senders::TrustedRow;

/// Where something goes on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Destination {
    /// The inbox if none.
    pub(super) share: Option<ShareId>,
    pub(super) folder: RelPath,
}

/// Where something goes that was asked to go to `wanted`, as far as this trust reaches; `None` if it does not.
fn within(trusted: &TrustedRow, wanted: &Destination, bytes: u64) -> Option<Destination> {
    if trusted.max_bytes.is_some_and(|most| bytes > most) {
        return None;
    }
    let folder: RelPath = trusted.destination.parse().ok()?;
    let nowhere = wanted.share.is_none() && wanted.folder.is_root();
    let inside = wanted.share == trusted.share && (wanted.folder == folder || folder.holds(&wanted.folder));
    match () {
        () if inside => Some(wanted.clone()),
        // Who names no place leaves it to the receiver.
        () if nowhere => Some(Destination { share: trusted.share, folder }),
        () => None,
    }
}

impl Transfers {
    fn trusts(&self, device: DeviceId, sender: PrincipalId) -> Option<TrustedRow> {
        self.trusted.read().get(&(device, sender)).cloned()
    }

    async fn trust(&self, row: TrustedRow) -> Result<(), StoreError> {
        let _turn = self.changing.lock().await;
        self.store.put_trusted_sender(&row).await?;
        self.trusted.write().insert((row.device, row.sender), row);
        Ok(())
    }

    /// A machine has been let go: whoever pairs it again has not trusted anybody.
    pub(crate) async fn distrust_all_on(&self, device: DeviceId) -> Result<(), StoreError> {
        let _turn = self.changing.lock().await;
        self.store.delete_trusted_on(device).await?;
        self.trusted.write().retain(|(on, _), _| *on != device);
        Ok(())
    }

    /// Trusts somebody no more; false if they were not.
    pub(crate) async fn distrust(&self, device: DeviceId, sender: PrincipalId) -> Result<bool, StoreError> {
        let _turn = self.changing.lock().await;
        let was = self.store.delete_trusted_sender(device, sender).await?;
        self.trusted.write().remove(&(device, sender));
        Ok(was)
    }
}

impl Rooms {
    /// Where something from this sender goes without a question, if it does.
    pub(super) fn trusted(
        &self,
        sender: PrincipalId,
        device: DeviceId,
        wanted: &Destination,
        bytes: u64,
    ) -> Option<Destination> {
        let owns = self.identity.devices().owner_of(device) == Some(sender);
        let lets_in = || wanted.share.is_some_and(|share| self.lets_into(sender, device, share));
        if owns || lets_in() {
            return Some(wanted.clone());
        }
        let place = within(&self.transfers.trusts(device, sender)?, wanted, bytes)?;
        // Where it went before may not be there any more.
        let is_there = |share| self.share(share).is_some_and(|share| share.place.device == device);
        place.share.is_none_or(is_there).then_some(place)
    }

    /// From now on this sender is trusted within these limits.
    pub(super) async fn trust(
        &self,
        (device, sender): (DeviceId, PrincipalId),
        limits: &TrustLimits,
        place: Destination,
    ) -> Result<(), TransferError> {
        let row = TrustedRow {
            device,
            sender,
            max_bytes: limits.max_bytes,
            share: place.share,
            destination: place.folder.to_string(),
            created_ms: self.now_ms(),
        };
        Ok(self.transfers.trust(row).await?)
    }

    /// Trusts a sender on a machine of the caller's, before anything was offered; within these limits, whatever they were.
    pub(crate) async fn trust_sender(
        &self,
        caller: &Caller,
        who: (DeviceId, PrincipalId),
        limits: &TrustLimits,
    ) -> Result<TrustedSender, TransferError> {
        let place = self.destination(who.0, limits.receiver_share_id, &limits.destination_path)?;
        if let Some(share) = place.share {
            self.may_let_into(caller, who.0, share)?;
        }
        self.trust(who, limits, place).await?;
        let trusted = self.trusted_by(caller.principal).into_iter();
        let fits = |one: &TrustedSender| (one.device_id, one.sender_principal_id) == who;
        trusted.into_iter().find(fits).ok_or(TransferError::Unknown)
    }

    /// Whom somebody trusts, on the machines that are theirs; the oldest trust first.
    pub(crate) fn trusted_by(&self, owner: PrincipalId) -> Vec<TrustedSender> {
        let devices = self.identity.devices();
        let mut rows: Vec<_> = self.transfers.trusted.read().values().cloned().collect();
        rows.retain(|row| devices.owner_of(row.device) == Some(owner));
        rows.sort_by_key(|row| (row.created_ms, row.sender));
        let shown = rows.into_iter().map(|row| TrustedSender {
            device_id: row.device,
            sender_principal_id: row.sender,
            sender_name: self.identity.principals().name(row.sender).unwrap_or_default(),
            limits: TrustLimits {
                max_bytes: row.max_bytes,
                receiver_share_id: row.share,
                destination_path: row.destination,
            },
            created_at: from_ms(row.created_ms),
        });
        shown.collect()
    }
}

#[cfg(test)]
impl Rooms {
    /// Trusts somebody with the inbox.
    pub(crate) async fn trust_for_test(&self, who: (DeviceId, PrincipalId), limits: &TrustLimits) {
        let place = Destination { share: None, folder: RelPath::root() };
        self.trust(who, limits, place).await.unwrap();
    }
}

#[cfg(test)]
impl Transfers {
    pub(crate) fn trusts_anybody(&self) -> bool {
        !self.trusted.read().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trust_reaches_as_far_as_was_said() {
        let (photos, other) = (ShareId::generate(), ShareId::generate());
        let place = |share, folder: &str| Destination { share, folder: folder.parse().unwrap() };
        let trusted = |share, folder: &str| TrustedRow {
            device: DeviceId::from_public_key([1; 32]),
            sender: PrincipalId::generate(),
            max_bytes: Some(10),
            share,
            destination: folder.into(),
            created_ms: 0,
        };
        for (trusted, wanted, bytes, goes) in [
            (trusted(None, ""), place(None, ""), 10, Some(place(None, ""))),
            (trusted(None, ""), place(None, ""), 11, None),
            (trusted(None, ""), place(Some(photos), ""), 1, None),
            (trusted(None, "Ada"), place(None, ""), 1, Some(place(None, "Ada"))),
            (trusted(Some(photos), "Ada"), place(None, ""), 1, Some(place(Some(photos), "Ada"))),
            (trusted(Some(photos), "Ada"), place(Some(photos), "Ada"), 1, Some(place(Some(photos), "Ada"))),
            (
                trusted(Some(photos), "Ada"),
                place(Some(photos), "Ada/x"),
                1,
                Some(place(Some(photos), "Ada/x")),
            ),
            (trusted(Some(photos), "Ada"), place(Some(photos), ""), 1, None),
            (trusted(Some(photos), "Ada"), place(Some(photos), "Adam"), 1, None),
            (trusted(Some(photos), "Ada"), place(Some(other), "Ada"), 1, None),
        ] {
            assert_eq!(within(&trusted, &wanted, bytes), goes, "{wanted:?} within {trusted:?}");
        }
    }
}

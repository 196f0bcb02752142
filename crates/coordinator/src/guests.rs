//! Tells machines which other machines may knock at their doors, and where those are. Whoever knocks still needs a
//! ticket for anything; this only spares them the way through the coordinator.

use std::sync::Weak;
use std::time::Duration;

use proto::DeviceId;
use proto::wire::link::{FromCoordinator, Peer};

use crate::coordinator::Rooms;
use crate::store::devices::DeviceRow;

/// Where there are more machines than this, they meet through the coordinator: lists would grow with the square.
const MAX_MACHINES: usize = 128;
/// Changes that come together are told together.
const GATHER: Duration = Duration::from_millis(200);

/// Tells at once, and whenever machines are paired, shown, hidden, revoked, or come from elsewhere. Ends with the rooms.
pub(crate) async fn keep_told(rooms: Weak<Rooms>) {
    let Some((mut devices, mut moves)) =
        rooms.upgrade().map(|rooms| (rooms.identity.devices().changes(), rooms.registry.moves()))
    else {
        return;
    };
    loop {
        let Some(strong) = rooms.upgrade() else { return };
        tell(&strong);
        drop(strong);
        let changed = tokio::select! {
            changed = devices.changed() => changed,
            changed = moves.changed() => changed,
        };
        if changed.is_err() {
            return;
        }
        tokio::time::sleep(GATHER).await;
        devices.mark_unchanged();
        moves.mark_unchanged();
    }
}

fn tell(rooms: &Rooms) {
    let all = rooms.identity.devices().list();
    if let Some(own) = all.iter().find(|row| row.id == rooms.device) {
        let guests = guests_of(&all, own).map(|guest| guest.id).collect();
        rooms.guests.send_if_modified(|known| {
            let changed = *known != guests;
            *known = guests;
            changed
        });
    }
    if all.len() > MAX_MACHINES {
        return;
    }
    for row in &all {
        let peers = guests_of(&all, row).map(|guest| peer(rooms, guest.id)).collect();
        rooms.registry.push(row.id, FromCoordinator::Peers { peers });
    }
}

/// Who may knock at a machine: every other one that its owner may know of.
fn guests_of<'a>(all: &'a [DeviceRow], host: &'a DeviceRow) -> impl Iterator<Item = &'a DeviceRow> {
    all.iter().filter(|guest| guest.id != host.id && (guest.visible || guest.principal == host.principal))
}

fn peer(rooms: &Rooms, device: DeviceId) -> Peer {
    Peer { device, addresses: rooms.registry.presence(device).addresses }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::PrincipalId;

    #[test]
    fn a_hidden_machine_knocks_at_its_owners_doors_only() {
        let (ada, ben) = (PrincipalId::generate(), PrincipalId::generate());
        let row = |n: u8, principal, visible| DeviceRow {
            id: DeviceId::from_public_key([n; 32]),
            principal,
            name: String::new(),
            platform: String::new(),
            visible,
            paired_ms: 0,
            revoked_ms: None,
        };
        let all = [row(1, ada, true), row(2, ada, false), row(3, ben, true)];
        let guests =
            |host: usize| -> Vec<DeviceId> { guests_of(&all, &all[host]).map(|row| row.id).collect() };
        assert_eq!(guests(0), [all[1].id, all[2].id]);
        assert_eq!(guests(1), [all[0].id, all[2].id]);
        assert_eq!(guests(2), [all[0].id], "ben does not know of ada's hidden machine");
    }
}

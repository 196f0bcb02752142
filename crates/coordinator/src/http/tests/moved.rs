//! A change at one share is looked at there alone: what is known after it is what a look at everything would find.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proto::api::auth::Privacy;
use proto::api::people::Subject;
use proto::wire::link::{Addresses, OfferedShare};
use proto::{DeviceId, Permission, PrincipalId, SessionId, ShareId};

use super::World;
use crate::access::grants::Wanted;
use crate::access::{Caller, Client};
use crate::coordinator::Rooms;
use crate::store::devices::DeviceRow;

const MACHINES: usize = 3;
const SHARES_EACH: usize = 3;

/// Something that happens to shares, rights or machines, by number.
#[derive(Clone, Debug)]
enum Step {
    Offer { machine: usize, shares: u8, name: u8 },
    Give { share: usize, to: usize, permissions: u8 },
    End { which: usize },
    Show { machine: usize, visible: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..MACHINES, any::<u8>(), 0..2u8)
            .prop_map(|(machine, shares, name)| Step::Offer { machine, shares, name }),
        4 => (0..MACHINES * SHARES_EACH, 0..4usize, 1..64u8)
            .prop_map(|(share, to, permissions)| Step::Give { share, to, permissions }),
        2 => (0..8usize).prop_map(|which| Step::End { which }),
        1 => (0..MACHINES, any::<bool>()).prop_map(|(machine, visible)| Step::Show { machine, visible }),
    ]
}

struct Cast {
    people: Vec<PrincipalId>,
    machines: Vec<DeviceId>,
    shares: Vec<ShareId>,
}

impl Cast {
    async fn play(&self, rooms: &Rooms, step: Step) {
        match step {
            Step::Offer { machine, shares, name } => {
                let own = &self.shares[machine * SHARES_EACH..][..SHARES_EACH];
                let offered = own.iter().enumerate().filter(|(i, _)| shares >> i & 1 == 1);
                let offered = offered.map(|(_, id)| OfferedShare {
                    id: *id,
                    name: format!("Share {name}"),
                    read_only: shares >> 7 == 1,
                    inbox: false,
                });
                let (device, skew) = (self.machines[machine], time::Duration::ZERO);
                let offer = offered.collect();
                rooms.registry.register(device, Addresses::default(), offer, skew).await.unwrap();
                rooms.shares_moved(own.iter().copied());
            }
            Step::Give { share, to, permissions } => {
                let subject = self.people.get(to).map_or(Subject::Everyone, |id| Subject::Principal(*id));
                let all = Permission::ALL.into_iter().filter(|p| permissions >> (*p as u8) & 1 == 1);
                let share = self.shares[share];
                let wanted = Wanted { share, subject, permissions: all.collect(), expires_ms: None };
                rooms.rights.put(&wanted, self.people[0], 0).await.unwrap();
                rooms.rights_moved_on(share);
            }
            Step::End { which } => {
                if let Some(grant) = rooms.rights.grants().get(which) {
                    rooms.rights.end(grant.id).await.unwrap();
                    rooms.rights_moved_on(grant.share);
                }
            }
            Step::Show { machine, visible } => {
                rooms.identity.devices().show(self.machines[machine], visible).await.unwrap();
                rooms.rights_moved();
            }
        }
    }
}

#[tokio::test]
async fn a_look_at_one_share_finds_what_a_look_at_everything_finds() {
    let (world, _) = World::set_up().await;
    let rooms = world.coordinator.rooms();
    let owner = rooms.identity.owner_id().unwrap();
    let cast = Cast {
        people: (0..3).map(|_| PrincipalId::generate()).collect(),
        machines: (1..=MACHINES).map(|n| DeviceId::from_public_key([n as u8 + 10; 32])).collect(),
        shares: (0..MACHINES * SHARES_EACH).map(|_| ShareId::generate()).collect(),
    };
    for person in &cast.people {
        rooms.store.add_person_for_test(*person).await;
    }
    for (machine, person) in cast.machines.iter().zip([cast.people[0], cast.people[1], owner]) {
        let row = DeviceRow {
            id: *machine,
            principal: person,
            name: "Cellar".into(),
            platform: "linux".into(),
            visible: true,
            paired_ms: 1,
            revoked_ms: None,
        };
        rooms.store.put_device_for_test(&row).await;
    }
    let world = world.restart().await;
    let rooms = world.coordinator.rooms();
    let mut ears = Vec::new();
    for person in cast.people.iter().chain([&owner]) {
        let client = Client::Session(SessionId::generate());
        let caller =
            Caller { principal: *person, client, privacy: Privacy::Private, owner, browser_id: None };
        rooms.begin_view(*person);
        ears.push(rooms.events.listen(&caller, None).unwrap());
    }
    let mut chance = proptest::test_runner::TestRunner::deterministic();
    for number in 0..300 {
        let step = step().new_tree(&mut chance).unwrap().current();
        cast.play(rooms, step.clone()).await;
        assert!(rooms.told_is_current(), "after step {number}: {step:?}");
    }
}

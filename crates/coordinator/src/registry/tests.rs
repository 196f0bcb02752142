//! Machines that come, speak, fall silent and go, with a clock that goes when told.

use super::*;
use crate::clock::test::ManualClock;
use proto::PrincipalId;
use proto::wire::link::TicketKeys;

struct World {
    _dir: tempfile::TempDir,
    store: Store,
    clock: Arc<ManualClock>,
    registry: Registry,
}

const OWN: DeviceId = DeviceId::from_public_key([9; 32]);

fn machine(n: u8) -> DeviceId {
    DeviceId::from_public_key([n; 32])
}

fn share(name: &str) -> OfferedShare {
    OfferedShare { id: ShareId::generate(), name: name.into(), read_only: false, inbox: false }
}

fn addresses() -> Addresses {
    Addresses { direct: vec!["192.0.2.1:7000".parse().unwrap()], ..Default::default() }
}

impl World {
    async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).await.unwrap();
        let owner = PrincipalId::generate();
        for n in [1, 2] {
            store.pair_for_test(machine(n), owner).await;
        }
        let clock = Arc::new(ManualClock::new());
        let registry = Registry::open(store.clone(), Arc::clone(&clock) as _, OWN).await.unwrap();
        Self { _dir: dir, store, clock, registry }
    }

    async fn restart(self) -> Self {
        let registry = Registry::open(self.store.clone(), Arc::clone(&self.clock) as _, OWN).await.unwrap();
        Self { registry, ..self }
    }

    async fn try_register(&self, n: u8, shares: &[OfferedShare]) -> Result<Link, RegisterError> {
        self.registry.register(machine(n), addresses(), shares.to_vec(), time::Duration::ZERO).await
    }

    async fn register(&self, n: u8, shares: &[OfferedShare]) -> Link {
        self.try_register(n, shares).await.unwrap()
    }

    fn online(&self, n: u8) -> bool {
        self.registry.presence(machine(n)).online
    }
}

#[tokio::test]
async fn silence_makes_a_machine_offline_and_a_word_keeps_it() {
    let world = World::new().await;
    let mut changes = world.registry.changes();
    let link = world.register(1, &[]).await;
    assert_eq!(changes.try_recv().unwrap(), Happening::DeviceOnline { device: machine(1) });
    world.clock.pass(89);
    world.registry.heard(&link, None);
    world.clock.pass(89);
    world.registry.sweep().await;
    assert!(world.online(1));
    world.clock.pass(2);
    world.registry.sweep().await;
    assert!(!world.online(1));
    assert!(link.ended.is_cancelled(), "a silent link is of no use");
    assert_eq!(changes.try_recv().unwrap(), Happening::DeviceOffline { device: machine(1) });
    let seen = world.registry.last_heard(machine(1)).1;
    let world = world.restart().await;
    assert_eq!(world.registry.last_heard(machine(1)).1, seen, "it is known when it was last seen");
}

#[tokio::test]
async fn heartbeats_are_written_down_together_now_and_then() {
    let world = World::new().await;
    let links = [world.register(1, &[]).await, world.register(2, &[]).await];
    let kept = async || {
        let rows = world.store.presences().await.unwrap().into_iter();
        rows.filter_map(|(_, row)| row.seen_ms).collect::<Vec<_>>()
    };
    let mut heard = None;
    for seconds in (20..=300).step_by(20) {
        world.registry.sweep().await;
        assert!(kept().await.is_empty(), "nothing is written for a heartbeat");
        world.clock.pass(20);
        links.iter().for_each(|link| world.registry.heard(link, None));
        heard = world.registry.last_heard(machine(1)).1;
        assert!(heard.is_some(), "{seconds}");
    }
    world.registry.sweep().await;
    assert_eq!(kept().await, [heard.unwrap(); 2]);
}

#[tokio::test]
async fn a_goodbye_counts_at_once_and_a_broken_link_does_not() {
    let world = World::new().await;
    let link = world.register(1, &[]).await;
    world.registry.left(&link, false).await;
    assert!(world.online(1), "it may be back in a moment");
    let link = world.register(1, &[]).await;
    world.registry.left(&link, true).await;
    assert!(!world.online(1));
}

#[tokio::test]
async fn a_newer_link_takes_the_place_of_an_older_one() {
    let world = World::new().await;
    let older = world.register(1, &[]).await;
    let newer = world.register(1, &[]).await;
    assert!(older.ended.is_cancelled() && !newer.ended.is_cancelled());
    world.registry.left(&older, true).await;
    assert!(world.online(1), "the goodbye of an older link says nothing");
}

#[tokio::test]
async fn what_is_offered_is_kept_and_a_share_stays_its_machines() {
    let world = World::new().await;
    let (films, music) = (share("Films"), share("Music"));
    let link = world.register(1, &[films.clone(), music.clone()]).await;
    world.registry.offered(&link, vec![music.clone()]).await.unwrap();
    world.registry.sweep().await;
    let world = world.restart().await;
    let known = world.registry.presence(machine(1));
    assert_eq!(&known.offer[..], std::slice::from_ref(&music));
    assert!(!known.online, "after a restart it has to say that it is there");
    assert_eq!(known.addresses, addresses());
    assert_eq!(world.registry.share(music.id).map(|(device, _)| device), Some(machine(1)));
    assert_eq!(world.registry.share(films.id).map(|(device, _)| device), None, "it was withdrawn");
    for stolen in [films, music] {
        let thief = world.try_register(2, std::slice::from_ref(&stolen));
        assert!(matches!(thief.await, Err(RegisterError::Offer(BadOffer::Taken))));
        let rows = world.store.remote_shares().await.unwrap();
        assert!(rows.iter().any(|row| row.id == stolen.id && row.device == machine(1)));
    }
}

#[tokio::test]
async fn of_machines_that_come_at_once_the_first_has_a_share_and_all_others_theirs() {
    let world = World::new().await;
    let (films, music) = (share("Films"), share("Music"));
    let (one, two) = (std::slice::from_ref(&films), [films.clone(), music.clone()]);
    let turn = world.registry.writing.lock().await;
    let (first, second, again, ()) = tokio::join!(
        world.try_register(1, one),
        world.try_register(2, &two),
        world.try_register(2, &two[1..]),
        async { drop(turn) }
    );
    assert!(first.is_ok() && again.is_ok());
    assert!(matches!(second, Err(RegisterError::Offer(BadOffer::Taken))));
    let world = world.restart().await;
    let owner = |id| world.registry.share(id).map(|(device, _)| device);
    assert_eq!((owner(films.id), owner(music.id)), (Some(machine(1)), Some(machine(2))));
}

#[tokio::test]
async fn who_is_shown_out_is_forgotten() {
    let world = World::new().await;
    let films = share("Films");
    let link = world.register(1, std::slice::from_ref(&films)).await;
    world.registry.remove(machine(1)).await.unwrap();
    assert!(link.ended.is_cancelled() && !world.online(1));
    assert_eq!(world.registry.share(films.id).map(|(device, _)| device), None);
    assert!(world.store.remote_shares().await.unwrap().is_empty());
}

#[tokio::test]
async fn what_ended_is_told_now_and_to_who_comes_later() {
    let world = World::new().await;
    let mut there = world.register(1, &[]).await;
    let what = Revoked::Device { id: machine(5) };
    world.registry.push_revoked(what.clone());
    let told =
        |message: &FromCoordinator| matches!(message, FromCoordinator::Revoked { what: w, .. } if *w == what);
    assert!(told(&there.messages.try_recv().unwrap()));
    let late = world.register(2, &[]).await;
    assert!(late.missed.iter().any(told));
}

#[tokio::test]
async fn a_right_that_ended_is_told_to_the_machine_with_the_share_alone() {
    let world = World::new().await;
    let films = share("Films");
    let mut with = world.register(1, std::slice::from_ref(&films)).await;
    let mut without = world.register(2, &[]).await;
    for share in [films.id, ShareId::generate()] {
        world.registry.push_revoked(Revoked::Grant { principal: PrincipalId::generate(), share });
    }
    assert!(with.messages.try_recv().is_ok());
    assert!(with.messages.try_recv().is_err() && without.messages.try_recv().is_err());
    assert_eq!(world.register(1, std::slice::from_ref(&films)).await.missed.len(), 1);
    assert!(world.register(2, &[]).await.missed.is_empty());
}

#[tokio::test]
async fn a_machine_that_takes_no_message_loses_its_link() {
    let world = World::new().await;
    let link = world.register(1, &[]).await;
    for n in 0..=LINK_QUEUE {
        assert!(!link.ended.is_cancelled(), "{n}");
        world.registry.push(machine(1), FromCoordinator::Keys { keys: TicketKeys::default() });
    }
    assert!(link.ended.is_cancelled());
}

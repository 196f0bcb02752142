//! The book of transfers tried with any moves in any order, and a restart after each: what was answered is on the disk, and
//! nothing else.

use std::sync::Arc;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use proto::api::transfers::ItemState;

use super::items::is_over;
use super::items::tests::item;
use super::state::State;
use super::state::tests::{Move, any_move};
use super::*;
use crate::clock::test::ManualClock;

async fn open(dir: &tempfile::TempDir) -> (Store, Transfers) {
    let store = Store::open(dir.path()).await.unwrap();
    let transfers = Transfers::open(store.clone(), Arc::new(ManualClock::new())).await.unwrap();
    (store, transfers)
}

fn offer(sender: PrincipalId) -> Transfer {
    let row = TransferRow {
        id: TransferId::generate(),
        sender,
        sender_device: None,
        device: DeviceId::from_public_key([1; 32]),
        share: None,
        destination: String::new(),
        person: None,
        source: None,
        message: Some("for you".into()),
        state: State::Pending.word(),
        state_data: serde_json::to_string(&State::Pending).unwrap(),
        created_ms: 1,
        expires_ms: 2,
        updated_ms: 3,
        device_knows: false,
        sender_cleared: false,
        receiver_cleared: false,
        sender_label: None,
        receiver_label: None,
    };
    Transfer::read(row, vec![item("a", ItemState::Pending), item("b", ItemState::Pending)]).unwrap()
}

/// Plays moves, with a restart after each.
async fn play(moves: Vec<Move>) {
    let dir = tempfile::tempdir().unwrap();
    let sender = PrincipalId::generate();
    let (store, transfers) = open(&dir).await;
    store.add_person_for_test(sender).await;
    let mut last = offer(sender);
    let id = last.row.id;
    transfers.insert(&last).await.unwrap();
    let mut open_now = (store, transfers);
    for next in moves {
        let made =
            open_now.1.change::<TransferError>(id, |transfer| Ok(transfer.go(|s| next.made(s))?)).await;
        let allowed = next.made(last.state().clone()).is_ok();
        assert_eq!(made.is_ok(), allowed, "{next:?} from {:?}", last.state());
        if let Ok(after) = made {
            last = after;
        }
        open_now.0.close().await;
        open_now = open(&dir).await;
        let kept = open_now.1.get(id).await.unwrap();
        assert_eq!(kept, last, "after {next:?}");
        assert_eq!(open_now.1.row(id), Some(last.row.clone()), "by heart as well");
        let over = last.row.state.is_over() && last.row.state != State::Completed.word();
        assert!(!over || last.items.iter().all(|item| is_over(item.state)), "{last:?}");
    }
}

#[tokio::test]
async fn whatever_was_answered_is_there_after_a_restart() {
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut chance = TestRunner::new_with_rng(Config::default(), rng);
    for _ in 0..12 {
        let moves = prop::collection::vec(any_move(), 8..20).new_tree(&mut chance).unwrap().current();
        play(moves).await;
    }
}

#[tokio::test]
async fn what_is_forgotten_is_gone_with_its_items() {
    let dir = tempfile::tempdir().unwrap();
    let (store, transfers) = open(&dir).await;
    let sender = PrincipalId::generate();
    store.add_person_for_test(sender).await;
    let (one, two) = (offer(sender), offer(sender));
    transfers.insert(&one).await.unwrap();
    transfers.insert(&two).await.unwrap();
    transfers.forget(one.row.id).await.unwrap();
    assert!(matches!(transfers.get(one.row.id).await, Err(TransferError::Unknown)));
    assert_eq!(transfers.get(two.row.id).await.unwrap(), two);
    assert_eq!(transfers.rows_where(|_| true), [two.row]);
}

//! A receiver whose disk is full: it says so, waits, and goes on by itself once there is room. By both ways.

use std::path::Path;

use parking_lot::Mutex;
use proto::api::transfers::{ItemState, PausedBy};

use super::outgoing::{Heard, send};
use super::tests::{Two, content};
use crate::mounts::Mounts;
use crate::testing::World;

const MIB: usize = 1 << 20;

/// Runs something on a receiver whose disk has 24 MiB, of which some are taken.
fn on_a_small_disk<F: Future<Output = ()>>(test: &str, taken: usize, run: impl FnOnce(Two) -> F) {
    let Some(mounts) = Mounts::own(test) else { return };
    let prepare = |folder: &Path| {
        mounts.memory(folder, "size=24m");
        std::fs::write(folder.join("ballast"), vec![7; taken]).unwrap();
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async { run(Two::on(|device| World::on_of(device, prepare)).await).await });
}

/// Sends, makes room as soon as the receiver says that there is none, and looks whether everything came.
async fn it_waits_for_room(two: Two, names: &[&str]) {
    let sending = two.offer(names);
    let heard = Mutex::new(Vec::new());
    let make_room = |word: Heard| {
        if let Heard::Held(why) = &word {
            assert!(why.contains("full"), "{why}");
            assert_eq!(two.arrived(&sending).paused_by, Some(PausedBy::NoSpace));
            assert!(!two.world.path("from Ada").exists(), "nothing of it is seen");
            std::fs::remove_file(two.world.path("ballast")).unwrap();
        }
        heard.lock().push(word);
    };
    send(sending.clone(), make_room).await.unwrap();
    let heard = heard.lock();
    assert!(heard.contains(&Heard::GoesOn), "{heard:?}");
    let arrived = two.arrived(&sending);
    assert!(arrived.items.iter().all(|item| item.state == ItemState::Finalized), "{arrived:?}");
    for name in names {
        let (here, there) = (two.world.path("from Ada").join(name), two.home.path().join(name));
        assert!(super::tests::tree(&here) == super::tests::tree(&there), "{name}");
    }
}

#[test]
fn a_large_file_waits_until_the_disk_has_room_for_it() {
    on_a_small_disk(
        "transfer::full::a_large_file_waits_until_the_disk_has_room_for_it",
        14 * MIB,
        |two| async move {
            two.write("folder/large", &content(12 * MIB, 1));
            it_waits_for_room(two, &["folder"]).await;
        },
    );
}

#[test]
fn many_small_files_wait_until_the_disk_has_room_for_them() {
    on_a_small_disk(
        "transfer::full::many_small_files_wait_until_the_disk_has_room_for_them",
        18 * MIB,
        |two| async move {
            for number in 0..100 {
                two.write(&format!("folder/{number}"), &content(100_000, number));
            }
            it_waits_for_room(two, &["folder"]).await;
        },
    );
}

//! A receiver cut off before every step by which something comes to its place, and on a disk that fails at every step:
//! what is seen is whole, and when it is sent again everything is there once.

use std::path::Path;
use std::sync::Arc;

use futures_util::FutureExt;
use proto::api::delivery::FinalizeItem;
use proto::api::transfers::{Expected, ExpectedItem, ItemKind, ItemState, OfferedItem};
use proto::{ApiError, ErrorCode, PrincipalId, TransferItemId};

use super::inbox::Inbox;
use super::incoming::{Chunk, ChunkError, Incoming};
use crate::crash::{self, Fault};
use crate::files::write::tests::share;

/// What is sent: item, path in it, content.
const FILES: [(usize, &str, &str); 4] =
    [(0, "", "AB"), (1, "empty", ""), (1, "in/x", "X"), (1, "in/y", "YY")];
/// What there is in the end, but for folders.
const DONE: [&str; 5] = ["a=old", "from/a=AB", "from/f/empty=", "from/f/in/x=X", "from/f/in/y=YY"];

fn world() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a"), "old").unwrap();
    home
}

fn items() -> [TransferItemId; 2] {
    ["01900000-0000-7000-8000-000000000001", "01900000-0000-7000-8000-000000000002"]
        .map(|id| id.parse().unwrap())
}

fn expected(share: proto::ShareId) -> Expected {
    let item = |(id, filename, kind, size, files): (_, &str, _, _, _)| {
        let (filename, unknown) = (filename.into(), (None, None, None));
        let (sha256, blake3, mime_type) = unknown;
        let offered =
            OfferedItem { filename, kind, size, files, sha256, blake3, mime_type, preview: Vec::new() };
        ExpectedItem { id, offered }
    };
    let [file, folder] = items();
    let both = [(file, "a", ItemKind::File, 2, 1), (folder, "f", ItemKind::Folder, 3, 3)];
    Expected {
        sender_principal_id: "01900000-0000-7000-8000-000000000003".parse::<PrincipalId>().unwrap(),
        sender_name: "Ada".into(),
        receiver_share_id: share,
        destination_path: "from".into(),
        paused_by: None,
        items: both.into_iter().map(item).collect(),
    }
}

/// Sends everything that is not there yet, to a receiver that was just started. Nothing runs beside it.
fn deliver(folder: &Path) -> Result<(), ApiError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let (share, inbox) = (Arc::new(share(folder)), Inbox::default());
    let transfer = "01900000-0000-7000-8000-000000000004".parse().unwrap();
    let incoming = inbox.expect(&share, transfer, expected(share.id))?;
    for (item, path, content) in FILES {
        let state = incoming.arrived().items[item].state;
        if !matches!(state, ItemState::Committed | ItemState::Finalized) {
            put(&incoming, items()[item], path, content)?;
        }
    }
    for item_id in items() {
        incoming.commit(item_id, false)?;
        incoming.finalize(&FinalizeItem { item_id, destination_path: String::new() })?;
    }
    Ok(())
}

/// A file, a byte at a time.
fn put(incoming: &Arc<Incoming>, item: TransferItemId, path: &str, content: &str) -> Result<(), ApiError> {
    let chunk = Chunk {
        item,
        filename: None,
        size: Some(content.len() as u64),
        sha256: None,
        path: path.into(),
        is_folder: false,
        modified_ns: Some(1),
    };
    let mut at = 0;
    while let Some(growing) = incoming.growing(&chunk)?.filter(|_| at < content.len()) {
        let ready = growing.take_chunk(Arc::clone(incoming), at as u64, Some(1)).now_or_never();
        let mut intake = match ready.expect("nobody else has it") {
            Ok((intake, _)) => intake,
            Err(ChunkError::Offset(expected)) => {
                at = usize::try_from(expected).unwrap();
                continue;
            }
            Err(ChunkError::Refused(error)) => return Err(error),
        };
        intake.take(&content.as_bytes()[at..=at]).map_err(|error| intake.refuse(error))?;
        at += 1;
        match intake.finish(item, at == content.len()) {
            Ok(_) => {}
            Err(ChunkError::Refused(error)) => return Err(error),
            Err(ChunkError::Offset(_)) => unreachable!("it was asked for before"),
        }
    }
    Ok(())
}

fn seen(folder: &Path) -> Vec<String> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            match path.is_dir() {
                _ if name.starts_with(".lanthorn-") => {}
                true => folders.push(path),
                false => found.push(format!("{name}={}", std::fs::read_to_string(&path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

/// What is seen is whole; and it can be gone on with, to its end.
fn what_is_left_is_whole_and_goes_on(folder: &Path, about: &str) {
    let found = seen(folder);
    assert!(found.iter().all(|one| DONE.contains(&&**one)), "{found:?} {about}");
    let of_folder = found.iter().filter(|one| one.starts_with("from/f/")).count();
    assert!(of_folder == 0 || of_folder == 3, "a part of a folder is seen: {found:?} {about}");
    deliver(folder).unwrap_or_else(|error| panic!("{error:?} {about}"));
    assert_eq!(seen(folder), DONE, "{about}");
    let left = std::fs::read_dir(folder.join(".lanthorn-store/incoming")).unwrap();
    for transfer in left {
        let tree = std::fs::read_dir(transfer.unwrap().path().join("tree")).unwrap();
        assert_eq!(tree.count(), 0, "something is left over {about}");
    }
}

#[test]
fn a_receiver_that_is_cut_off_goes_on() {
    crash::everywhere(
        "transfer::settle_trials::a_receiver_that_is_cut_off_goes_on",
        world,
        |folder| deliver(folder).unwrap(),
        |folder, finished| {
            assert!(!finished || seen(folder) == DONE, "{:?}", seen(folder));
            what_is_left_is_whole_and_goes_on(folder, "cut off");
        },
    );
}

#[test]
fn on_a_disk_that_fails_it_is_told_and_goes_on() {
    for (fault, code) in [(Fault::Once, ErrorCode::WriteFailed), (Fault::Full, ErrorCode::NoSpace)] {
        crash::failing(fault, world, deliver, |folder, about, told| {
            let told = told.map_err(|error| error.code);
            assert!(told.is_ok() || told == Err(code), "{told:?} {about}");
            assert!(told.is_err() || seen(folder) == DONE, "nobody was told: {about}");
            what_is_left_is_whole_and_goes_on(folder, about);
        });
    }
}

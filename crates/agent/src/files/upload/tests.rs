//! Uploads against a small model of what they are, and against the end of the process at every step.

use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use proto::api::writing::Clash;
use proto::{PrincipalId, RelPath, UploadId};

use super::append::Came;
use super::info::{End, Info, Purpose, Target};
use super::turn::Turn;
use super::{Stage, UploadError};
use crate::agent::Share;
use crate::crash;
use crate::files::versions;
use crate::files::write::WriteError;
use crate::files::write::publish::Expect;
use crate::files::write::sums::{Algorithm, Checksum, Sums};
use crate::files::write::tests::share;

fn somebody() -> PrincipalId {
    "00000000-0000-7000-8000-000000000001".parse().unwrap()
}

fn checksum(bytes: &[u8]) -> Checksum {
    let mut sums = Sums::of([Algorithm::Blake3]);
    sums.add(bytes);
    Checksum::new(Algorithm::Blake3, sums.finish().get(Algorithm::Blake3).unwrap().to_vec()).unwrap()
}

/// An upload of `content` to `file`.
fn info(content: &[u8]) -> Info {
    let target = Target {
        path: "file".parse().unwrap(),
        expect: Expect::Clash(Clash::Replace),
        modified: Some(1_700_000_000_000_000_000),
        checksums: vec![checksum(content)],
    };
    Info::new(somebody(), Some(content.len() as u64), Purpose::File(target), String::new())
}

fn turn(share: &Share, id: UploadId) -> Turn {
    share.uploads.find(share, id, somebody()).unwrap().take_over_blocking()
}

fn offset(share: &Share, id: UploadId) -> usize {
    usize::try_from(share.uploads.find(share, id, somebody()).unwrap().known().offset).unwrap()
}

/// Adds bytes in one request, of which perhaps not all come.
fn add(
    share: &Share,
    id: UploadId,
    at: usize,
    bytes: &[u8],
    announced: Option<Checksum>,
    came: Came,
) -> Result<(), UploadError> {
    let mut turn = turn(share, id);
    let mut appending = turn.append(share, at as u64, None, announced)?;
    let room = usize::try_from(turn.room()).unwrap();
    let came = if bytes.len() > room { Came::TooMany } else { came };
    for piece in bytes[..bytes.len().min(room)].chunks(3) {
        appending.write(piece)?;
    }
    Ok(turn.settle(appending, came)?)
}

/// Goes on with an upload to its end.
fn complete(share: &Share, id: UploadId, content: &[u8]) {
    let at = offset(share, id);
    if turn(share, id).end().is_none() {
        add(share, id, at, &content[at..], None, Came::Whole).unwrap();
        turn(share, id).finish(share, None).unwrap();
    }
}

/// One thing that happens to an upload.
#[derive(Clone, Debug)]
enum Event {
    /// So many bytes come, that far from where they should be.
    Bytes { count: usize, beside: isize, announced: Announced, came: Came },
    /// The process ends and another begins.
    Restart,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Announced {
    Not,
    Rightly,
    Wrongly,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let beside = prop_oneof![8 => Just(0), 1 => Just(1), 1 => Just(-1)];
    let announced = prop_oneof![Just(Announced::Not), Just(Announced::Rightly), Just(Announced::Wrongly)];
    let came = prop_oneof![2 => Just(Came::Whole), 1 => Just(Came::Partly)];
    let bytes = (0..40_usize, beside, announced, came)
        .prop_map(|(count, beside, announced, came)| Event::Bytes { count, beside, announced, came });
    proptest::collection::vec(prop_oneof![5 => bytes, 1 => Just(Event::Restart)], 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_upload_is_at_every_moment_what_the_model_says(events in events()) {
        let content: Vec<u8> = (0..100).collect();
        let folder = tempfile::tempdir().unwrap();
        let mut here = share(folder.path());
        let id = here.uploads.begin(&here, info(&content)).unwrap().id;
        let mut model = 0;
        for event in events {
            let Event::Bytes { count, beside, announced, came } = event else {
                here = share(folder.path());
                prop_assert_eq!(offset(&here, id), model);
                continue;
            };
            let at = model.saturating_add_signed(beside);
            // More than fits is zeros at the end.
            let bytes: Vec<u8> = (at..at + count).map(|n| content.get(n).copied().unwrap_or(0)).collect();
            let sum = match announced {
                Announced::Not => None,
                Announced::Rightly => Some(checksum(&bytes)),
                Announced::Wrongly => Some(checksum(b"something else")),
            };
            let answer = add(&here, id, at, &bytes, sum, came);
            if at != model {
                prop_assert!(matches!(answer, Err(UploadError::Offset(right)) if right == model as u64));
            } else if at + count > content.len() {
                prop_assert!(matches!(answer, Err(UploadError::Write(WriteError::TooLarge))));
            } else if announced == Announced::Wrongly && came == Came::Whole {
                prop_assert!(matches!(answer, Err(UploadError::Write(WriteError::Checksum))));
            } else if announced == Announced::Not || came == Came::Whole {
                prop_assert!(answer.is_ok());
                model += count;
            }
            prop_assert_eq!(offset(&here, id), model);
        }
        complete(&here, id, &content);
        prop_assert_eq!(std::fs::read(folder.path().join("file")).unwrap(), content);
    }
}

const CONTENT: &[u8] = b"abcdef";

/// What was told to who sends it: the upload, and how far it is. It is written without a step at which the process dies.
fn tell(folder: &Path, id: UploadId, offset: usize) {
    std::fs::write(folder.join("told"), format!("{id} {offset}")).unwrap();
}

fn told(folder: &Path) -> Option<(UploadId, usize)> {
    let text = std::fs::read_to_string(folder.join("told")).ok()?;
    let (id, offset) = text.split_once(' ').unwrap();
    Some((id.parse().unwrap(), offset.parse().unwrap()))
}

#[test]
fn wherever_the_process_ends_nothing_that_was_told_is_lost() {
    crash::everywhere(
        "files::upload::tests::wherever_the_process_ends_nothing_that_was_told_is_lost",
        || {
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("file"), "before").unwrap();
            folder
        },
        |folder| {
            let share = share(folder);
            let id = share.uploads.begin(&share, info(CONTENT)).unwrap().id;
            tell(folder, id, 0);
            add(&share, id, 0, b"ab", Some(checksum(b"ab")), Came::Whole).unwrap();
            tell(folder, id, 2);
            add(&share, id, 2, b"cX", Some(checksum(b"cd")), Came::Whole).unwrap_err();
            add(&share, id, 2, b"cd", None, Came::Partly).unwrap();
            tell(folder, id, 4);
            add(&share, id, 4, b"ef", Some(checksum(b"ef")), Came::Whole).unwrap();
            turn(&share, id).finish(&share, None).unwrap();
            tell(folder, id, 6);
        },
        |folder, _| {
            let content = std::fs::read(folder.join("file")).unwrap();
            assert!(content == b"before" || content == CONTENT, "{content:?}");
            let here = share(folder);
            let Some((id, told)) = told(folder) else {
                assert_eq!(content, b"before");
                return;
            };
            assert!(offset(&here, id) >= told);
            if told == CONTENT.len() {
                assert!(matches!(turn(&here, id).end(), Some(End::Published(_))));
            }
            complete(&here, id, CONTENT);
            assert_eq!(std::fs::read(folder.join("file")).unwrap(), CONTENT);
            let path: RelPath = "file".parse().unwrap();
            assert_eq!(versions::list(&here, &path).unwrap().len(), 1, "what was there is kept, once");
            // Asked again, it is finished.
            let upload = share(folder);
            let upload = upload.uploads.find(&upload, id, somebody()).unwrap();
            assert!(matches!(upload.known().stage, Stage::Ended(End::Published(_) | End::Finished)));
        },
    );
}

#[test]
fn joining_ends_with_the_whole_or_with_its_pieces() {
    let piece = |share: &Share, content: &[u8]| {
        let info = Info::new(somebody(), Some(content.len() as u64), Purpose::Piece, String::new());
        let id = share.uploads.begin(share, info).unwrap().id;
        add(share, id, 0, content, None, Came::Whole).unwrap();
        id
    };
    let join = |share: &Share, pieces: Vec<UploadId>| {
        let Purpose::File(target) = info(CONTENT).purpose else { unreachable!() };
        let join = super::join::Join { by: somebody(), target, pieces, metadata: String::new() };
        let joined = join.run(share)?;
        Arc::clone(&joined).take_over_blocking().finish(share, None).map(|()| joined.id)
    };
    let pieces_told = |folder: &Path| -> Vec<UploadId> {
        let text = std::fs::read_to_string(folder.join("told")).unwrap();
        text.split(' ').map(|id| id.parse().unwrap()).collect()
    };
    crash::everywhere(
        "files::upload::tests::joining_ends_with_the_whole_or_with_its_pieces",
        || {
            let folder = tempfile::tempdir().unwrap();
            let here = share(folder.path());
            let told = format!("{} {}", piece(&here, b"abc"), piece(&here, b"def"));
            std::fs::write(folder.path().join("told"), told).unwrap();
            folder
        },
        |folder| {
            let share = share(folder);
            join(&share, pieces_told(folder)).unwrap();
        },
        |folder, _| {
            let content = std::fs::read(folder.join("file"));
            assert!(content.is_err() || content.unwrap() == CONTENT);
            let here = share(folder);
            join(&here, pieces_told(folder)).unwrap();
            assert_eq!(std::fs::read(folder.join("file")).unwrap(), CONTENT);
        },
    );
}

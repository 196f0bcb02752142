//! The doors tried as a browser goes through them, and as one that does it wrong.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::{Method, StatusCode};
use proto::api::delivery::{ChunkTaken, ItemCommitted, ItemFinalized};
use proto::api::transfers::{
    Arrived, Expected, ExpectedItem, ItemKind, ItemState, MAX_CHUNK_BYTES, OfferedItem, PausedBy, Way,
};
use proto::ticket::{Claims, Resource};
use proto::wire::transfer::PIECE;
use proto::{ErrorCode, Permission, PrincipalId, TransferId, TransferItemId};

use crate::testing::{Announced, Answer, World};
use crate::transfer::incoming::Incoming;

const PIECE_BYTES: usize = PIECE as usize;

/// A transfer that is expected, and its sender.
struct Delivery {
    world: World,
    transfer: TransferId,
    items: Vec<TransferItemId>,
    ticket: String,
}

fn file(name: &str, size: usize) -> OfferedItem {
    OfferedItem {
        filename: name.into(),
        kind: ItemKind::File,
        size: size as u64,
        files: 1,
        sha256: None,
        blake3: None,
        mime_type: None,
        preview: Vec::new(),
    }
}

fn folder(name: &str, files: u64, size: usize) -> OfferedItem {
    OfferedItem { kind: ItemKind::Folder, files, ..file(name, size) }
}

fn content(size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(b"content").finalize_xof().fill(&mut bytes);
    bytes
}

fn sha256(bytes: &[u8]) -> String {
    crate::files::write::publish::hex(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref())
}

impl Delivery {
    fn of(offered: &[OfferedItem]) -> Self {
        let (world, transfer) = (World::quick(), TransferId::generate());
        let items = offered
            .iter()
            .map(|offered| ExpectedItem { id: TransferItemId::generate(), offered: offered.clone() })
            .collect::<Vec<_>>();
        let ids = items.iter().map(|item| item.id).collect();
        let expected = Expected {
            sender_principal_id: PrincipalId::generate(),
            sender_name: "Ada".into(),
            receiver_share_id: world.share,
            destination_path: "from Ada".into(),
            paused_by: None,
            items,
        };
        world.agent.inbox().expect(&world.shared(), transfer, expected).unwrap();
        let perm = [Permission::RequestSend].into_iter().collect();
        let claims = Claims { res: Resource::Transfer(transfer, world.share), perm, ..world.claims() };
        let ticket = world.sign(&claims).as_str().to_owned();
        Self { world, transfer, items: ids, ticket }
    }

    fn incoming(&self) -> Arc<Incoming> {
        self.world.agent.inbox().find(&self.world.shared(), self.transfer).unwrap().unwrap()
    }

    fn arrived(&self) -> Arrived {
        self.incoming().arrived()
    }

    fn state(&self, item: usize) -> ItemState {
        self.arrived().items[item].state
    }

    fn request(&self, tail: &str, headers: &[(&str, String)], body: Body) -> Request {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("/agent/v1/inbox/transfers/{}/{tail}", self.transfer))
            .header(AUTHORIZATION, format!("Bearer {}", self.ticket));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        request.body(body).unwrap()
    }

    /// Some bytes of an item from here on. `more` is added to the query.
    async fn chunk(&self, item: usize, offset: usize, bytes: &[u8], more: &str) -> Answer {
        let tail = format!("chunk?item_id={}{more}", self.items[item]);
        let body = Body::from(bytes.to_vec());
        self.world.send(self.request(&tail, &[("x-chunk-offset", offset.to_string())], body)).await
    }

    /// All of a file.
    async fn all(&self, item: usize, bytes: &[u8], more: &str) {
        for (number, chunk) in bytes.chunks(5 << 20).enumerate() {
            let taken: ChunkTaken = self.chunk(item, number * (5 << 20), chunk, more).await.json();
            assert_eq!(taken.received_size, (number * (5 << 20) + chunk.len()) as u64);
        }
    }

    async fn commit(&self, item: usize) -> Answer {
        self.commit_as(item, "").await
    }

    async fn commit_as(&self, item: usize, more: &str) -> Answer {
        let tail = format!("commit?item_id={}{more}", self.items[item]);
        self.world.send(self.request(&tail, &[], Body::empty())).await
    }

    async fn finalize(&self, item: usize) -> Answer {
        self.finalize_in(item, "").await
    }

    async fn finalize_in(&self, item: usize, folder: &str) -> Answer {
        let wish = format!(r#"{{"item_id":"{}","destination_path":"{folder}"}}"#, self.items[item]);
        let json = [(CONTENT_TYPE.as_str(), "application/json".to_owned())];
        self.world.send(self.request("finalize", &json, Body::from(wish))).await
    }

    fn read(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.world.path(path)).unwrap()
    }
}

#[tokio::test]
async fn a_file_comes_in_chunks_is_committed_and_finalized() {
    let bytes = content(2 * PIECE_BYTES + 12_345);
    let offered = OfferedItem { sha256: Some(sha256(&bytes)), ..file("film.mkv", bytes.len()) };
    let delivery = Delivery::of(&[offered, file("film.mkv", 3)]);
    assert_eq!(delivery.finalize(0).await.code(), ErrorCode::WrongState, "nothing of it is here");
    let mut at = 0;
    for length in [1, 1 << 20, PIECE_BYTES - (1 << 20) - 1, PIECE_BYTES + 5, 12_340] {
        let more = format!(
            "&filename=film.mkv&size={}&sha256={}&modified=2001-02-03T04:05:06Z",
            bytes.len(),
            "0".repeat(64)
        );
        let answer = delivery.chunk(0, at, &bytes[at..at + length], &more).await;
        let taken: ChunkTaken = answer.json();
        at += length;
        assert_eq!((taken.received_size, taken.expected_size), (at as u64, bytes.len() as u64));
        assert_eq!(delivery.arrived().items[0].received_size, at as u64);
        assert_eq!(taken.state == ItemState::Staged, at == bytes.len());
        assert_eq!(taken.blake3.is_some(), at == bytes.len());
    }
    let arrived = delivery.arrived();
    assert_eq!((arrived.connected, arrived.way), (true, Some(Way::ThroughCoordinator)));
    assert!(!delivery.world.path("from Ada").exists(), "nothing of it is seen");
    let committed: ItemCommitted = delivery.commit(0).await.json();
    let hash = blake3::hash(&bytes).to_hex().to_string();
    assert_eq!((committed.state, committed.blake3), (ItemState::Committed, Some(hash.clone())));
    assert_eq!(delivery.chunk(0, at, b"", "").await.code(), ErrorCode::WrongState);
    let done: ItemFinalized = delivery.finalize(0).await.json();
    assert_eq!((done.state, &*done.final_path), (ItemState::Finalized, "from Ada/film.mkv"));
    assert!(delivery.read("from Ada/film.mkv") == bytes);
    let modified = std::fs::metadata(delivery.world.path("from Ada/film.mkv")).unwrap().modified().unwrap();
    assert_eq!(modified.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs(), 981_173_106);
    assert_eq!(delivery.finalize(0).await.json::<ItemFinalized>(), done, "asked again");
    assert_eq!(delivery.commit(0).await.json::<ItemCommitted>().state, ItemState::Finalized);
    delivery.all(1, b"two", "").await;
    delivery.commit(1).await.json::<ItemCommitted>();
    let second: ItemFinalized = delivery.finalize_in(1, "from Ada/films/old").await.json();
    assert_eq!(second.final_path, "from Ada/films/old/film.mkv");
    assert!(delivery.incoming().is_over());
    assert_eq!(delivery.arrived().items[0].blake3, Some(hash));
}

#[tokio::test]
async fn a_name_that_is_taken_is_kept_beside() {
    let delivery = Delivery::of(&[file("a.txt", 1)]);
    delivery.world.write("from Ada/a.txt", b"old");
    delivery.all(0, b"n", "").await;
    delivery.commit(0).await.json::<ItemCommitted>();
    let done: ItemFinalized = delivery.finalize_in(0, "from Ada").await.json();
    assert_eq!(done.final_path, "from Ada/a (1).txt");
    assert_eq!(
        (delivery.read("from Ada/a.txt"), delivery.read("from Ada/a (1).txt")),
        (b"old".into(), b"n".into())
    );
}

#[tokio::test]
async fn a_file_without_bytes_needs_no_chunk_and_may_have_one() {
    let delivery = Delivery::of(&[file("none", 0), file("one", 0)]);
    let last = [("x-chunk-last", "1".to_owned())];
    let tail = format!("chunk?item_id={}&filename=one&size=0", delivery.items[1]);
    let taken: ChunkTaken = delivery.world.send(delivery.request(&tail, &last, Body::empty())).await.json();
    assert_eq!(taken.state, ItemState::Staged);
    for (item, name) in [(0, "none"), (1, "one")] {
        let committed: ItemCommitted = delivery.commit(item).await.json();
        assert_eq!(committed.blake3, Some(blake3::hash(b"").to_hex().to_string()));
        let done: ItemFinalized = delivery.finalize(item).await.json();
        assert_eq!(done.final_path, format!("from Ada/{name}"));
        assert_eq!(delivery.read(&done.final_path), b"");
    }
}

#[tokio::test]
async fn what_is_said_must_be_what_was_offered() {
    let bytes = content(100);
    let offered = OfferedItem { sha256: Some(sha256(&bytes)), ..file("a", 100) };
    let delivery = Delivery::of(&[offered, folder("f", 1, 100)]);
    for (item, more, code) in [
        (0, "&filename=b", ErrorCode::Conflict),
        (0, "&size=99", ErrorCode::Conflict),
        (0, &*format!("&sha256={}", "1".repeat(64)), ErrorCode::Conflict),
        (0, "&path=a", ErrorCode::Conflict),
        (0, "&folder=true", ErrorCode::Conflict),
        (0, "&modified=yesterday", ErrorCode::BadParameter),
        (1, "&size=100", ErrorCode::BadParameter),
        (1, "&path=x", ErrorCode::BadParameter),
        (1, "&path=../x&size=100", ErrorCode::BadName),
        (1, "&path=/x&size=100", ErrorCode::BadName),
        (1, "&path=a//x&size=100", ErrorCode::BadName),
        (1, "&path=x&size=99999999999", ErrorCode::Conflict),
    ] {
        assert_eq!(delivery.chunk(item, 0, &bytes, more).await.code(), code, "{item} {more}");
        assert_eq!(delivery.state(item), ItemState::Pending, "{item} {more}");
    }
    let other = TransferItemId::generate();
    for (tail, code) in [
        (format!("chunk?item_id={other}"), ErrorCode::NotFound),
        ("chunk".to_owned(), ErrorCode::BadParameter),
        ("chunk?item_id=x".to_owned(), ErrorCode::BadParameter),
        (format!("commit?item_id={other}"), ErrorCode::NotFound),
        ("commit".to_owned(), ErrorCode::BadParameter),
    ] {
        let answer = delivery.world.send(delivery.request(&tail, &[], Body::empty())).await;
        assert_eq!(answer.code(), code, "{tail}");
    }
}

#[tokio::test]
async fn a_chunk_begins_where_the_file_ends() {
    let bytes = content(PIECE_BYTES + 1000);
    let delivery = Delivery::of(&[file("a", bytes.len())]);
    let tail = format!("chunk?item_id={}", delivery.items[0]);
    for (header, value) in [("x-chunk-offset", "-1"), ("x-chunk-offset", "x"), ("x-chunk-last", "yes")] {
        let request = delivery.request(&tail, &[(header, value.to_owned())], Body::empty());
        assert_eq!(delivery.world.send(request).await.code(), ErrorCode::BadRequest, "{header}: {value}");
    }
    delivery.chunk(0, 0, &bytes[..500], "").await.json::<ChunkTaken>();
    for offset in [0, 499, 501, bytes.len(), usize::MAX] {
        let answer = delivery.chunk(0, offset, &bytes[..10], "").await;
        assert_eq!((answer.code(), answer.header("x-chunk-offset")), (ErrorCode::OffsetConflict, "500"));
        let error: proto::ApiError = serde_json::from_slice(&answer.body).unwrap();
        assert!(error.message.contains("500"), "{error:?}");
    }
    let short = [("x-chunk-offset", "500".to_owned()), ("x-chunk-last", "1".to_owned())];
    let request = delivery.request(&tail, &short, Body::from(bytes[500..600].to_vec()));
    assert_eq!(delivery.world.send(request).await.code(), ErrorCode::Conflict);
    assert_eq!(delivery.chunk(0, 500, &[7; PIECE_BYTES + 501], "").await.code(), ErrorCode::Conflict);
    let some = (0..70).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![7; 70_000])));
    let at = [("x-chunk-offset", "500".to_owned())];
    let request = delivery.request(&tail, &at, Body::from_stream(futures_util::stream::iter(some)));
    assert_eq!(delivery.world.send(request).await.code(), ErrorCode::Conflict, "more than was offered");
    assert_eq!(delivery.arrived().items[0].received_size, 500, "nothing of all that counts");
    delivery.chunk(0, 500, &bytes[500..], "").await.json::<ChunkTaken>();
    delivery.commit(0).await.json::<ItemCommitted>();
    delivery.finalize(0).await.json::<ItemFinalized>();
    assert!(delivery.read("from Ada/a") == bytes);
}

#[tokio::test]
async fn a_chunk_has_at_most_eight_mebibytes() {
    let size = 3 * usize::try_from(MAX_CHUNK_BYTES).unwrap();
    let delivery = Delivery::of(&[file("a", size)]);
    let tail = format!("chunk?item_id={}", delivery.items[0]);
    let announced = Announced { body: Body::empty(), length: MAX_CHUNK_BYTES + 1 };
    let answer = delivery.world.send(delivery.request(&tail, &[], Body::new(announced))).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    let some = (0..9).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![7; 1 << 20])));
    let streamed = Body::from_stream(futures_util::stream::iter(some));
    let answer = delivery.world.send(delivery.request(&tail, &[], streamed)).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(delivery.arrived().items[0].received_size, 0);
    let taken: ChunkTaken = delivery.chunk(0, 0, &vec![7; size / 3], "").await.json();
    assert_eq!(taken.received_size, MAX_CHUNK_BYTES);
}

#[tokio::test]
async fn a_body_that_breaks_off_counts_nothing() {
    let bytes = content(PIECE_BYTES + 100);
    let delivery = Delivery::of(&[OfferedItem { sha256: Some(sha256(&bytes)), ..file("a", bytes.len()) }]);
    delivery.chunk(0, 0, &bytes[..10], "").await.json::<ChunkTaken>();
    let tail = format!("chunk?item_id={}", delivery.items[0]);
    for sent in [1, PIECE_BYTES + 50] {
        let frames = [Ok(Bytes::from(vec![9; sent])), Err(std::io::Error::other("gone"))];
        let body = Body::from_stream(futures_util::stream::iter(frames));
        let at = [("x-chunk-offset", "10".to_owned())];
        let answer = delivery.world.send(delivery.request(&tail, &at, body)).await;
        assert_eq!(answer.code(), ErrorCode::BadRequest);
        assert_eq!(delivery.arrived().items[0].received_size, 10);
    }
    delivery.chunk(0, 10, &bytes[10..], "").await.json::<ChunkTaken>();
    delivery.commit(0).await.json::<ItemCommitted>();
    delivery.finalize(0).await.json::<ItemFinalized>();
    assert!(delivery.read("from Ada/a") == bytes);
}

#[tokio::test]
async fn what_is_something_else_is_thrown_away_and_may_come_again() {
    let bytes = content(PIECE_BYTES + 100);
    let mut other = bytes.clone();
    other[5] ^= 1;
    let by_sha = OfferedItem { sha256: Some(sha256(&bytes)), ..file("a", bytes.len()) };
    let by_blake =
        OfferedItem { blake3: Some(blake3::hash(&bytes).to_hex().to_string()), ..file("b", bytes.len()) };
    let delivery = Delivery::of(&[by_sha, by_blake, folder("f", 1, bytes.len())]);
    for item in [0, 1] {
        delivery.all(item, &other, "").await;
        assert_eq!(delivery.commit(item).await.status, StatusCode::CONFLICT);
        assert_eq!(delivery.state(item), ItemState::Receiving);
        assert_eq!(delivery.finalize(item).await.code(), ErrorCode::WrongState);
        assert_eq!(delivery.chunk(item, bytes.len(), b"", "").await.header("x-chunk-offset"), "0");
        if item == 1 {
            delivery.world.restart();
        }
        delivery.all(item, &bytes, "").await;
        delivery.commit(item).await.json::<ItemCommitted>();
        delivery.finalize(item).await.json::<ItemFinalized>();
    }
    assert!(delivery.read("from Ada/a") == bytes && delivery.read("from Ada/b") == bytes);
    let more = format!("&path=x&size={}&sha256={}", bytes.len(), sha256(&bytes));
    delivery.chunk(2, 0, &other[..PIECE_BYTES], &more).await.json::<ChunkTaken>();
    assert_eq!(
        delivery.chunk(2, PIECE_BYTES, &other[PIECE_BYTES..], &more).await.code(),
        ErrorCode::Conflict
    );
    assert_eq!(delivery.commit(2).await.code(), ErrorCode::WrongState);
    delivery.all(2, &bytes, &more).await;
    delivery.commit(2).await.json::<ItemCommitted>();
    delivery.finalize(2).await.json::<ItemFinalized>();
    assert!(delivery.read("from Ada/f/x") == bytes);
}

#[tokio::test]
async fn after_a_restart_it_goes_on_where_it_was_settled() {
    let bytes = content(3 * PIECE_BYTES);
    let delivery = Delivery::of(&[file("a", bytes.len()), folder("f", 3, PIECE_BYTES + 9)]);
    delivery.chunk(0, 0, &bytes[..PIECE_BYTES + 77], "").await.json::<ChunkTaken>();
    delivery.all(1, &bytes[..9], "&path=in/small&size=9").await;
    delivery.chunk(1, 0, b"", "&path=empty&size=0").await.json::<ChunkTaken>();
    let large = format!("&path=large&size={PIECE_BYTES}");
    delivery.chunk(1, 0, &bytes[..100], &large).await.json::<ChunkTaken>();
    // As far as it is whole.
    let incoming = delivery.incoming();
    crate::files::write::off_thread(move || Ok(incoming.settle_now())).await.unwrap().unwrap();
    delivery.world.restart();
    let items = delivery.arrived().items;
    assert_eq!((items[0].received_size, items[1].received_size), (PIECE as u64, 9));
    assert!(!delivery.arrived().connected);
    let answer = delivery.chunk(0, PIECE_BYTES + 77, b"", "").await;
    assert_eq!(answer.header("x-chunk-offset"), PIECE_BYTES.to_string());
    for at in [PIECE_BYTES, 2 * PIECE_BYTES] {
        delivery.chunk(0, at, &bytes[at..at + PIECE_BYTES], "").await.json::<ChunkTaken>();
    }
    delivery.commit(0).await.json::<ItemCommitted>();
    assert_eq!(delivery.commit(1).await.code(), ErrorCode::WrongState, "one is not whole");
    assert_eq!(
        delivery.chunk(1, 9, b"", "&path=in/small&size=9").await.json::<ChunkTaken>().received_size,
        9
    );
    delivery.world.restart();
    assert_eq!(delivery.state(0), ItemState::Committed, "what was answered holds");
    assert_eq!(delivery.finalize(0).await.json::<ItemFinalized>().final_path, "from Ada/a");
    assert!(delivery.read("from Ada/a") == bytes);
    delivery.all(1, &bytes[..PIECE_BYTES], &large).await;
    delivery.commit(1).await.json::<ItemCommitted>();
    delivery.finalize(1).await.json::<ItemFinalized>();
    assert_eq!(delivery.read("from Ada/f/in/small"), &bytes[..9]);
    assert_eq!(delivery.read("from Ada/f/empty"), b"");
    assert!(delivery.read("from Ada/f/large") == bytes[..PIECE_BYTES]);
}

#[tokio::test]
async fn a_tree_comes_with_its_empty_folders_and_names_that_trouble_are_changed() {
    let delivery = Delivery::of(&[folder("photos", 3, 9)]);
    delivery.chunk(0, 0, b"", "&path=nothing/in/it&folder=true").await.json::<ChunkTaken>();
    delivery.all(0, b"one", "&path=a/one&size=3").await;
    delivery.all(0, b"two", "&path=a/CON&size=3").await;
    assert_eq!(delivery.commit(0).await.code(), ErrorCode::WrongState, "one is missing");
    delivery.commit_as(0, "&partial=true").await.json::<ItemCommitted>();
    let done: ItemFinalized = delivery.finalize(0).await.json();
    assert_eq!(done.renamed, [("a/CON".to_owned(), "a/%43ON".to_owned())]);
    assert_eq!(delivery.read("from Ada/photos/a/one"), b"one");
    assert_eq!(delivery.read("from Ada/photos/a/%43ON"), b"two");
    assert!(delivery.world.path("from Ada/photos/nothing/in/it").is_dir());
    assert!(delivery.arrived().items[0].error.is_some(), "that one did not come is told");
}

#[tokio::test]
async fn while_it_is_held_nothing_is_taken_also_what_had_not_begun() {
    let delivery = Delivery::of(&[file("a", 2), file("b", 1)]);
    delivery.chunk(0, 0, b"a", "").await.json::<ChunkTaken>();
    delivery.incoming().hold(Some(PausedBy::Receiver));
    for item in [0, 1] {
        assert_eq!(delivery.chunk(item, 0, b"b", "").await.code(), ErrorCode::WrongState);
        assert_eq!(delivery.commit(item).await.code(), ErrorCode::WrongState);
        assert_eq!(delivery.state(item), ItemState::Paused);
    }
    delivery.incoming().hold(None);
    delivery.chunk(0, 1, b"a", "").await.json::<ChunkTaken>();
    delivery.commit(0).await.json::<ItemCommitted>();
    delivery.incoming().hold(Some(PausedBy::Sender));
    assert_eq!(delivery.finalize(0).await.code(), ErrorCode::WrongState);
    delivery.incoming().hold(None);
    delivery.finalize(0).await.json::<ItemFinalized>();
}

#[tokio::test]
async fn it_goes_only_where_the_receiver_approved() {
    let delivery = Delivery::of(&[file("a", 1)]);
    delivery.all(0, b"a", "").await;
    delivery.commit(0).await.json::<ItemCommitted>();
    for (folder, code) in [
        ("elsewhere", ErrorCode::Forbidden),
        ("from Ada2", ErrorCode::Forbidden),
        ("../x", ErrorCode::BadPath),
        ("/etc", ErrorCode::BadPath),
        (".lanthorn-store", ErrorCode::BadPath),
        (&"x".repeat(401), ErrorCode::BadParameter),
    ] {
        assert_eq!(delivery.finalize_in(0, folder).await.code(), code, "{folder}");
    }
    delivery.finalize_in(0, "from Ada/deep/er").await.json::<ItemFinalized>();
    assert_eq!(delivery.read("from Ada/deep/er/a"), b"a");
}

#[tokio::test]
async fn a_newer_chunk_takes_the_place_of_one_that_hangs() {
    let delivery = Arc::new(Delivery::of(&[file("a", 4)]));
    delivery.chunk(0, 0, b"a", "").await.json::<ChunkTaken>();
    let (began, begins) = tokio::sync::oneshot::channel();
    let mut began = Some(began);
    let hangs = futures_util::stream::poll_fn(move |_| match began.take() {
        Some(began) => {
            let _ = began.send(());
            std::task::Poll::Ready(Some(Ok::<_, std::io::Error>(Bytes::from_static(b"x"))))
        }
        None => std::task::Poll::Pending,
    });
    let tail = format!("chunk?item_id={}", delivery.items[0]);
    let at = [("x-chunk-offset", "1".to_owned())];
    let hanging = delivery.request(&tail, &at, Body::from_stream(hangs));
    let hung = {
        let delivery = Arc::clone(&delivery);
        tokio::spawn(async move { delivery.world.send(hanging).await.code() })
    };
    begins.await.unwrap();
    let taken: ChunkTaken = delivery.chunk(0, 1, b"bcd", "").await.json();
    assert_eq!((taken.received_size, hung.await.unwrap()), (4, ErrorCode::OffsetConflict));
    delivery.commit(0).await.json::<ItemCommitted>();
    delivery.finalize(0).await.json::<ItemFinalized>();
    assert_eq!(delivery.read("from Ada/a"), b"abcd");
}

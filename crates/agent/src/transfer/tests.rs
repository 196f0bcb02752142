//! Two devices on this machine: real endpoints, real tickets, real folders. What is between them can be cut or spoiled.

use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use parking_lot::Mutex;
use peer::{DeviceKey, Endpoint, Protocol, Stream, edge};
use proto::api::transfers::{Expected, ExpectedItem, ItemKind, ItemState, OfferedItem};
use proto::ticket::{Claims, Resource};
use proto::wire::link::Addresses;
use proto::wire::transfer::PIECE;
use proto::{Permission, PrincipalId, TransferId, TransferItemId};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::outgoing::{Heard, RateLimit, SendError, Sending, Source, measure, send};
use crate::files::ignoring::Excludes;
use crate::serve::transfers::answer;
use crate::share::ShareRoot;
use crate::testing::World;

pub(super) const PIECE_BYTES: usize = PIECE as usize;

/// A sender and a receiver.
pub(crate) struct Two {
    pub(crate) world: World,
    pub(super) home: tempfile::TempDir,
    pub(crate) sender: Endpoint,
    pub(crate) receiver: Endpoint,
    at: Addresses,
    pub(super) fate: Arc<Fate>,
}

/// What happens to the bytes on their way.
#[derive(Default)]
pub(super) struct Fate {
    /// After so many more bytes every stream breaks; never if it is none to begin with.
    left: Mutex<Option<i64>>,
    /// The byte after so many more is another; none if it is negative.
    spoil: Mutex<i64>,
    pub(super) written: AtomicU64,
    /// Called when the streams break.
    dies: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

struct Fated {
    stream: Stream,
    fate: Arc<Fate>,
}

impl Fate {
    /// After so many more bytes somebody dies, and every stream breaks.
    pub(super) fn cut_after(&self, bytes: u64, dies: impl FnOnce() + Send + 'static) {
        *self.dies.lock() = Some(Box::new(dies));
        *self.left.lock() = Some(i64::try_from(bytes).unwrap());
    }

    /// Nothing breaks any more.
    pub(super) fn mend(&self) {
        *self.dies.lock() = None;
        *self.left.lock() = None;
    }

    fn is_broken(&self) -> bool {
        self.left.lock().is_some_and(|left| left <= 0)
    }
}

impl AsyncRead for Fated {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        if self.fate.is_broken() {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Fated {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        if self.fate.is_broken() {
            return Poll::Ready(Err(std::io::ErrorKind::ConnectionReset.into()));
        }
        let fate = Arc::clone(&self.fate);
        // Held until it is known whether the byte has gone.
        let mut spoil = fate.spoil.lock();
        let mut bytes = buf.to_vec();
        if let Some(byte) = usize::try_from(*spoil).ok().and_then(|at| bytes.get_mut(at)) {
            *byte ^= 0x20;
        }
        let written = std::task::ready!(Pin::new(&mut self.stream).poll_write(cx, &bytes))?;
        let count = i64::try_from(written).unwrap();
        if *spoil >= 0 {
            *spoil -= count;
        }
        drop(spoil);
        if let Some(left) = &mut *fate.left.lock() {
            *left -= count;
        }
        if fate.is_broken()
            && let Some(dies) = fate.dies.lock().take()
        {
            dies();
        }
        fate.written.fetch_add(written as u64, Ordering::Relaxed);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Two {
    pub(crate) async fn new() -> Self {
        Self::on(World::of).await
    }

    /// A receiver of this key that is made so.
    pub(super) async fn on(make: impl FnOnce(proto::DeviceId) -> World) -> Self {
        let receiver_key = DeviceKey::from_seed([7; 32]).unwrap();
        let world = make(receiver_key.id());
        let config = |key| peer::Config { quic: false, ..peer::Config::new(key) };
        let receiver = Endpoint::bind(config(receiver_key)).await.unwrap();
        let sender = Endpoint::bind(config(DeviceKey::from_seed([8; 32]).unwrap())).await.unwrap();
        receiver.allow([sender.id()].into_iter().collect());
        let agent = Arc::clone(&world.agent);
        receiver.serve_streams(Protocol::TRANSFER, move |caller| answer(Arc::clone(&agent), caller));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let direct = vec![listener.local_addr().unwrap()];
        let at = Addresses { direct, ..Addresses::default() };
        sender.learn(receiver.id(), at.clone());
        let page = tower::service_fn(|_| async {
            Ok::<_, std::convert::Infallible>(http::Response::new(axum::body::Body::empty()))
        });
        tokio::spawn(edge::serve(listener, page, None, Some(receiver.clone()), CancellationToken::new()));
        let fate = Arc::new(Fate { spoil: Mutex::new(-1), ..Fate::default() });
        Self { world, home: tempfile::tempdir().unwrap(), sender, receiver, at, fate }
    }

    /// Where the receiver is.
    pub(crate) fn direct(&self) -> Addresses {
        self.at.clone()
    }

    pub(super) fn source(&self, name: &str) -> Source {
        let root = Arc::new(ShareRoot::open(self.home.path()).unwrap());
        Source::new(root, name.parse().unwrap())
    }

    pub(super) fn write(&self, name: &str, content: &[u8]) {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Has the receiver expect these, and makes the sender ready for them.
    pub(super) fn offer(&self, names: &[&str]) -> Sending {
        let items: Vec<Source> = names.iter().map(|name| self.source(name)).collect();
        let expected = names.iter().zip(&items).map(|(name, source)| {
            let size = measure(source, 10).unwrap();
            let kind = if size.is_folder { ItemKind::Folder } else { ItemKind::File };
            let filename = name.rsplit('/').next().unwrap();
            let offered = OfferedItem {
                files: size.files,
                preview: size.preview,
                ..OfferedItem::new(filename, kind, size.bytes)
            };
            ExpectedItem { id: TransferItemId::generate(), offered }
        });
        self.expect(expected.collect(), items)
    }

    pub(crate) fn expect(&self, expected: Vec<ExpectedItem>, items: Vec<Source>) -> Sending {
        let transfer = TransferId::generate();
        let expected = Expected {
            sender_principal_id: PrincipalId::generate(),
            sender_name: "Ada".into(),
            receiver_share_id: self.world.share,
            destination_path: "from Ada".into(),
            paused_by: None,
            items: expected,
        };
        self.world.agent.inbox().expect(&self.world.shared(), transfer, expected).unwrap();
        let claims = Claims {
            res: Resource::Transfer(transfer, self.world.share),
            perm: [Permission::RequestSend].into_iter().collect(),
            pky: Some(self.sender.id()),
            ..self.world.claims()
        };
        let ticket = self.world.sign(&claims).as_str().to_owned();
        let (endpoint, peer, fate) = (self.sender.clone(), self.receiver.id(), Arc::clone(&self.fate));
        let open = Arc::new(move || {
            let (endpoint, fate) = (endpoint.clone(), Arc::clone(&fate));
            async move {
                let stream = endpoint.open(peer, Protocol::TRANSFER).await?;
                Ok(Box::new(Fated { stream, fate }) as Stream)
            }
            .boxed()
        });
        Sending { transfer, ticket, items, open, rate_limit: None }
    }

    pub(crate) fn arrived(&self, sending: &Sending) -> proto::api::transfers::Arrived {
        let found = self.world.agent.inbox().find(&self.world.shared(), sending.transfer).unwrap();
        found.unwrap().arrived()
    }
}

/// Everything beneath a folder: what it is, when it changed, and what is in it.
pub(super) fn tree(folder: &Path) -> BTreeMap<String, (String, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let entry = entry.unwrap();
            let (path, meta) = (entry.path(), entry.metadata().unwrap());
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            let time = meta.mtime() * 1_000_000_000 + meta.mtime_nsec();
            let known = if meta.is_symlink() {
                let target = std::fs::read_link(&path).unwrap();
                ("link".into(), 0, target.as_os_str().as_encoded_bytes().to_vec())
            } else if meta.is_dir() {
                folders.push(path);
                ("folder".into(), time, Vec::new())
            } else {
                (format!("file {:o}", meta.permissions().mode() & 0o100), time, std::fs::read(&path).unwrap())
            };
            found.insert(name, known);
        }
    }
    found
}

pub(super) fn content(size: usize, seed: u8) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&[seed]).finalize_xof().fill(&mut bytes);
    bytes
}

/// A tree with something of everything.
fn fill(two: &Two) {
    for (name, size) in [
        ("photos/one", 1),
        ("photos/empty", 0),
        ("photos/piece", PIECE_BYTES),
        ("photos/in/more", PIECE_BYTES + 1),
        ("photos/in/large", 3 * PIECE_BYTES - 7),
        ("single", 2 * PIECE_BYTES + 5),
    ] {
        two.write(name, &content(size, name.len() as u8));
    }
    for number in 0..200 {
        two.write(&format!("photos/many/{number}"), &content(number * 7, number as u8));
    }
    let photos = two.home.path().join("photos");
    std::fs::create_dir(photos.join("nothing in it")).unwrap();
    symlink("../one", photos.join("in/link")).unwrap();
    std::fs::set_permissions(photos.join("one"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tree_arrives_as_it_is_and_a_second_one_beside_it() {
    let two = Two::new().await;
    fill(&two);
    for suffix in ["", " (1)"] {
        let sending = two.offer(&["photos", "single"]);
        let heard = Mutex::new(Vec::new());
        send(sending.clone(), |word| heard.lock().push(word)).await.unwrap();
        assert!(heard.lock().contains(&Heard::Begun { resumed: false }));
        assert!(!heard.lock().iter().any(|word| matches!(word, Heard::Failed { .. })), "{heard:?}");
        let here = two.world.path(&format!("from Ada/photos{suffix}"));
        assert_eq!(tree(&here), tree(&two.home.path().join("photos")));
        let single = content(2 * PIECE_BYTES + 5, 6);
        assert!(std::fs::read(two.world.path(&format!("from Ada/single{suffix}"))).unwrap() == single);
        let arrived = two.arrived(&sending);
        assert!(arrived.items.iter().all(|item| item.state == ItemState::Finalized), "{arrived:?}");
        assert_eq!(arrived.items[1].blake3, Some(blake3::hash(&single).to_hex().to_string()));
        assert_eq!(arrived.items[0].final_path, Some(format!("from Ada/photos{suffix}")));
        assert!(arrived.items.iter().all(|item| item.received_size == item.expected_size), "{arrived:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wherever_it_is_cut_it_goes_on_and_sends_little_twice() {
    let two = Two::new().await;
    fill(&two);
    let sending = two.offer(&["photos", "single"]);
    let payload: u64 =
        ["photos", "single"].iter().map(|name| measure(&two.source(name), 0).unwrap().bytes).sum();
    let mut cuts = 0;
    for runs in 1.. {
        // Far enough for a piece that was under way on each stream.
        *two.fate.left.lock() = Some(9_000_000 + 1_234_567 * runs);
        match send(sending.clone(), |_| ()).await {
            Ok(()) => break,
            Err(SendError::Broken(_) | SendError::Open(_)) => cuts += 1,
            Err(SendError::Refused(why)) => panic!("{why:?}"),
        }
        assert!(runs < 20, "it never ends");
        if let Ok(visible) = std::fs::read(two.world.path("from Ada/single")) {
            assert!(visible == content(2 * PIECE_BYTES + 5, 6), "what is seen is whole");
        }
        if runs % 2 == 0 {
            two.world.restart();
        }
    }
    assert!(cuts >= 2, "{cuts}");
    assert_eq!(tree(&two.world.path("from Ada/photos")), tree(&two.home.path().join("photos")));
    assert!(!two.world.path("from Ada/photos (1)").exists());
    let written = two.fate.written.load(Ordering::Relaxed);
    eprintln!("{cuts} cuts, {written} bytes for {payload}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_is_spoiled_is_asked_for_again() {
    let two = Two::new().await;
    two.write("file", &content(3 * PIECE_BYTES, 1));
    let sending = two.offer(&["file"]);
    *two.fate.spoil.lock() = 5_000_000;
    send(sending, |_| ()).await.unwrap();
    assert!(std::fs::read(two.world.path("from Ada/file")).unwrap() == content(3 * PIECE_BYTES, 1));
    assert!(two.fate.written.load(Ordering::Relaxed) > 4 * PIECE as u64, "a piece came twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changes_while_it_is_sent_comes_as_it_is_then() {
    let two = Two::new().await;
    two.write("folder/large", &content(6 * PIECE_BYTES, 1));
    let sending = two.offer(&["folder"]);
    let after = content(5 * PIECE_BYTES + 3, 2);
    let path = two.home.path().join("folder/large");
    let found = AtomicU64::new(0);
    // The file was looked at, and is told of and read only after this.
    let change = |word| {
        if matches!(word, Heard::Found { files: 1, .. }) && found.fetch_add(1, Ordering::Relaxed) == 0 {
            std::fs::write(&path, &after).unwrap();
        }
    };
    send(sending.clone(), change).await.unwrap();
    let here = std::fs::read(two.world.path("from Ada/folder/large")).unwrap();
    assert!(here == after, "{} bytes came", here.len());
    let item = &two.arrived(&sending).items[0];
    assert_eq!((item.state, item.received_size), (ItemState::Finalized, after.len() as u64));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_offered_is_not_taken() {
    let two = Two::new().await;
    two.write("letter", b"five!");
    two.write("other", b"seven..");
    let mut sending = two.offer(&["letter"]);
    sending.items = vec![two.source("other")];
    let heard = Mutex::new(Vec::new());
    send(sending.clone(), |word| heard.lock().push(word)).await.unwrap();
    assert!(heard.lock().iter().any(|word| matches!(word, Heard::Failed { .. })), "{heard:?}");
    assert_eq!(two.arrived(&sending).items[0].state, ItemState::Failed);
    assert!(!two.world.path("from Ada").exists());
    sending.items.push(two.source("letter"));
    let refused = send(sending, |_| ()).await;
    assert!(matches!(refused, Err(SendError::Refused(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_sender_with_the_ticket_gets_in() {
    let two = Two::new().await;
    two.write("letter", b"five!");
    let sending = two.offer(&["letter"]);
    let other = two.offer(&["letter"]);
    for ticket in ["nonsense".to_owned(), other.ticket] {
        let refused = send(Sending { ticket, ..sending.clone() }, |_| ()).await;
        assert!(matches!(refused, Err(SendError::Refused(_))), "{refused:?}");
    }
    two.world.agent.inbox().give_up(&two.world.shared(), sending.transfer).unwrap();
    let refused = send(sending, |_| ()).await;
    assert!(
        matches!(&refused, Err(SendError::Refused(why)) if why.code == proto::ErrorCode::NotFound),
        "{refused:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_held_nothing_comes_and_then_it_goes_on() {
    let two = Two::new().await;
    two.write("file", &content(4 * PIECE_BYTES, 1));
    let sending = two.offer(&["file"]);
    let incoming = two.world.agent.inbox().find(&two.world.shared(), sending.transfer).unwrap().unwrap();
    incoming.hold(Some(proto::api::transfers::PausedBy::Receiver));
    let held = tokio::sync::Notify::new();
    let sent = send(sending.clone(), |word| {
        if matches!(word, Heard::Held(_)) {
            held.notify_one();
        }
    });
    let go_on = async {
        held.notified().await;
        let arrived = two.arrived(&sending);
        assert_eq!((arrived.items[0].state, arrived.items[0].received_size), (ItemState::Paused, 0));
        incoming.hold(None);
    };
    tokio::join!(async { sent.await.unwrap() }, go_on);
    assert!(std::fs::read(two.world.path("from Ada/file")).unwrap() == content(4 * PIECE_BYTES, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rules_leave_out_is_neither_counted_nor_sent() {
    let two = Two::new().await;
    for (name, text) in [
        (".meshignore", "*.o\n"),
        ("tree/.meshignore", "cache/\n"),
        ("tree/a.c", "source"),
        ("tree/a.o", "built"),
        ("tree/cache/big", "again"),
        ("tree/draft.tmp", "draft"),
        ("tree/in/cache/small", "again"),
        ("single.o", "named"),
    ] {
        two.write(name, text.as_bytes());
    }
    let mut sending = two.offer(&["tree", "single.o"]);
    let excludes = Arc::new(Excludes::parse(["*.tmp"]).unwrap());
    sending.items.iter_mut().for_each(|item| item.excludes = Arc::clone(&excludes));
    let size = measure(&sending.items[0], 10).unwrap();
    assert_eq!((size.files, size.preview.len()), (2, 3), "{size:?}");
    send(sending, |_| ()).await.unwrap();
    let here = tree(&two.world.path("from Ada"));
    let names: Vec<_> = here.keys().map(String::as_str).collect();
    // What is named is sent, whatever the rules say.
    assert_eq!(names, ["single.o", "tree", "tree/.meshignore", "tree/a.c", "tree/in"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_of_speed_is_kept() {
    let two = Two::new().await;
    two.write("file", &content(60_000, 1));
    let mut sending = two.offer(&["file"]);
    sending.rate_limit = Some(Arc::new(RateLimit::new(200_000)));
    let began = std::time::Instant::now();
    send(sending, |_| ()).await.unwrap();
    // The first portion of a twentieth of a second is free, and a tenth may have been saved.
    assert!(began.elapsed() > Duration::from_millis(140), "{:?}", began.elapsed());
    assert!(std::fs::read(two.world.path("from Ada/file")).unwrap() == content(60_000, 1));
}

//! A sender that keeps to no order and to no rule: pieces twice, late, cut off and spoiled, and names that lead out.

use peer::{Stream, frame};
use proto::api::transfers::ItemState;
use proto::wire::transfer::{
    Entry, FileFacts, FromReceiver, FromSender, Have, Hello, PieceHead, StreamKind, VERSION, Welcomed, What,
};
use tokio::io::AsyncWriteExt;

use super::outgoing::{Sending, send};
use super::pieces::PieceHasher;
use super::tests::{PIECE_BYTES, Two, content, tree};

/// The sender's ends of a transfer, said by hand.
struct ByHand<'a> {
    sending: &'a Sending,
    control: Stream,
    run: u64,
}

impl<'a> ByHand<'a> {
    async fn begin(sending: &'a Sending) -> Self {
        let (control, welcomed) = Self::open(sending, StreamKind::Control).await;
        let Welcomed::Control { run, .. } = welcomed else { panic!("{welcomed:?}") };
        Self { sending, control, run }
    }

    async fn open(sending: &Sending, stream: StreamKind) -> (Stream, Welcomed) {
        let mut opened = (sending.open)().await.unwrap();
        let hello =
            Hello { version: VERSION, ticket: sending.ticket.clone(), transfer: sending.transfer, stream };
        frame::write(&mut opened, &hello).await.unwrap();
        let welcomed = frame::read(&mut opened).await.unwrap().unwrap();
        (opened, welcomed)
    }

    async fn pieces(&self) -> Stream {
        let (stream, welcomed) = Self::open(self.sending, StreamKind::Pieces { run: self.run }).await;
        assert_eq!(welcomed, Welcomed::Pieces);
        stream
    }

    /// Tells of entries; what the receiver says of them.
    async fn tell(&mut self, entries: Vec<Entry>) -> Vec<Have> {
        frame::write(&mut self.control, &FromSender::Entries(entries)).await.unwrap();
        loop {
            if let FromReceiver::Have(have) = self.hear().await {
                return have;
            }
        }
    }

    async fn hear(&mut self) -> FromReceiver {
        frame::read(&mut self.control).await.unwrap().unwrap()
    }
}

fn file(item: u16, path: &[u8], size: usize) -> Entry {
    let facts = FileFacts { size: size as u64, modified_ns: 1_000_000_000, executable: false };
    Entry { item, path: path.to_vec(), what: What::File(facts), replaces: None }
}

/// A piece as it is on the wire.
fn piece(entry: u32, bytes: &[u8], number: u32) -> Vec<u8> {
    let at = number as usize * PIECE_BYTES;
    let some = &bytes[at..bytes.len().min(at + PIECE_BYTES)];
    let mut hasher = PieceHasher::new(bytes.len() as u64, number);
    hasher.update(some);
    let head = PieceHead { entry, piece: number, len: some.len() as u32, chaining: hasher.finish() };
    [&head.to_bytes()[..], some].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_come_in_any_order_twice_cut_off_and_spoiled_and_the_file_is_right() {
    let two = Two::new().await;
    let bytes = content(2 * PIECE_BYTES + 5, 3);
    two.write("file", &bytes);
    let sending = two.offer(&["file"]);
    let mut sender = ByHand::begin(&sending).await;
    assert_eq!(sender.tell(vec![file(0, b"", bytes.len())]).await, [Have::Nothing]);
    frame::write(&mut sender.control, &FromSender::AllEntries).await.unwrap();
    let mut first = sender.pieces().await;
    let mut spoiled = piece(0, &bytes, 1);
    spoiled[PieceHead::BYTES + 7] ^= 1;
    for part in [piece(0, &bytes, 2), spoiled, piece(0, &bytes, 2)] {
        first.write_all(&part).await.unwrap();
    }
    first.flush().await.unwrap();
    let again = loop {
        match sender.hear().await {
            FromReceiver::Again { entry, piece } => break (entry, piece),
            FromReceiver::Got { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(again, (0, 1));
    // Cut off in the middle of one: that ends the run, and what was under way counts nothing.
    first.write_all(&piece(0, &bytes, 0)[..1000]).await.unwrap();
    drop(first);
    while frame::read::<FromReceiver>(&mut sender.control).await.is_ok_and(|word| word.is_some()) {}
    let mut sender = ByHand::begin(&sending).await;
    let have = sender.tell(vec![file(0, b"", bytes.len())]).await;
    assert_eq!(have, [Have::Some(vec![0b100])]);
    frame::write(&mut sender.control, &FromSender::AllEntries).await.unwrap();
    assert!(!two.world.path("from Ada/file").exists());
    let (mut one, mut other) = (sender.pieces().await, sender.pieces().await);
    for number in [1, 0, 1] {
        one.write_all(&piece(0, &bytes, number)).await.unwrap();
        other.write_all(&piece(0, &bytes, number)).await.unwrap();
    }
    one.flush().await.and(other.flush().await).unwrap();
    while sender.hear().await != FromReceiver::Finished {}
    assert!(std::fs::read(two.world.path("from Ada/file")).unwrap() == bytes);
    let arrived = two.arrived(&sending);
    assert_eq!(arrived.items[0].blake3, Some(blake3::hash(&bytes).to_hex().to_string()));
    assert_eq!(arrived.items[0].received_size, bytes.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_that_do_not_fit_end_the_run_and_harm_nothing() {
    let two = Two::new().await;
    two.write("file", b"hello");
    let sending = two.offer(&["file"]);
    let head = |entry, piece, len| PieceHead { entry, piece, len, chaining: [0; 32] };
    for strange in [head(0, 1, 5), head(0, 0, 4), head(0, 0, u32::MAX), head(0, u32::MAX, 5)] {
        let mut sender = ByHand::begin(&sending).await;
        sender.tell(vec![file(0, b"", 5)]).await;
        let mut stream = sender.pieces().await;
        stream.write_all(&strange.to_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        let ended = frame::read::<FromReceiver>(&mut stream).await;
        assert!(!matches!(ended, Ok(Some(_))), "{strange:?}: {ended:?}");
    }
    assert!(two.arrived(&sending).items[0].received_size == 0);
    send(sending, |_| ()).await.unwrap();
    assert_eq!(std::fs::read(two.world.path("from Ada/file")).unwrap(), b"hello");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_name_leads_out_of_its_item_and_those_that_trouble_are_changed() {
    let two = Two::new().await;
    two.write("tree/ordinary", b"x");
    let sending = two.offer(&["tree"]);
    let long = vec![b'n'; 300];
    let refused: [&[u8]; 9] =
        [b"..", b"../out", b"a/../../out", b"/etc/out", b"a//b", b"./a", b"a\0b", &[b'/'; 10], b"a/.."];
    let taken: [&[u8]; 7] = [b"C:\\out", b"CON", b"nul.txt", b"dot.", b"blank ", b"\x01\x1b[2J", &long];
    let mut sender = ByHand::begin(&sending).await;
    let folder = Entry { item: 0, path: Vec::new(), what: What::Folder { modified_ns: 0 }, replaces: None };
    let entries = [folder].into_iter().chain(refused.iter().chain(&taken).map(|name| file(0, name, 1)));
    let have = sender.tell(entries.collect()).await;
    for (name, have) in refused.iter().zip(&have[1..]) {
        assert!(matches!(have, Have::Refused(_)), "{:?}: {have:?}", String::from_utf8_lossy(name));
    }
    assert_eq!(have[1 + refused.len()..], [const { Have::Nothing }; 7]);
    frame::write(&mut sender.control, &FromSender::AllEntries).await.unwrap();
    let mut stream = sender.pieces().await;
    for number in 0..taken.len() {
        let entry = (1 + refused.len() + number) as u32;
        stream.write_all(&piece(entry, b"x", 0)).await.unwrap();
    }
    stream.flush().await.unwrap();
    while sender.hear().await != FromReceiver::Finished {}
    let here = tree(&two.world.path("from Ada/tree"));
    assert_eq!(here.len(), taken.len(), "{here:?}");
    assert!(here.keys().all(|name| name.len() <= 255 && !name.contains(['\x01', '/'])), "{here:?}");
    assert!(!two.world.path("out").exists() && !two.world.path("from Ada/out").exists());
    assert_eq!(two.arrived(&sending).items[0].renamed.len(), 6, "all but C:\\out, which is a name here");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_transfers_to_one_name_at_once_end_beside_each_other() {
    let two = Two::new().await;
    two.write("one/same", &content(PIECE_BYTES + 1, 1));
    two.write("other/same", &content(PIECE_BYTES + 2, 2));
    let (one, other) = (two.offer(&["one/same"]), two.offer(&["other/same"]));
    let (first, second) = tokio::join!(send(one.clone(), |_| ()), send(other.clone(), |_| ()));
    first.and(second).unwrap();
    let mut places = Vec::new();
    for (sending, source) in [(&one, "one/same"), (&other, "other/same")] {
        let item = two.arrived(sending).items.remove(0);
        assert_eq!(item.state, ItemState::Finalized);
        let place = item.final_path.unwrap();
        let sent = std::fs::read(two.home.path().join(source)).unwrap();
        assert!(std::fs::read(two.world.path(&place)).unwrap() == sent, "{place}");
        places.push(place);
    }
    places.sort();
    assert_eq!(places, ["from Ada/same", "from Ada/same (1)"]);
}

//! What must hold whoever is killed, and whenever: two thousand files, a sender, a network and a receiver that end at random. What is
//! seen at the receiver is whole, in the end everything is there, and little was sent twice.
//!
//! `LANTHORN_TRIALS=200` runs so many seeds instead of a few; the one that fails is in its message and is run alone by
//! `LANTHORN_TRIAL=…`.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use proto::wire::transfer::{PIECE, pieces};

use super::incoming::Incoming;
use super::journal::Journal;
use super::outgoing::{SendError, Sending, measure, send};
use super::tests::Two;
use crate::share::ShareRoot;

/// Folders, each with so many files, and files beside them: two thousand in all.
const FOLDERS: usize = 20;
const IN_EACH: usize = 95;
const SINGLE: usize = 100;
/// How much may be sent, of what there is.
const MOST_SENT: f64 = 1.1;
/// Runs where nobody says how many.
const FEW: u64 = 6;

/// Numbers that are the same for the same seed.
struct Dice(blake3::OutputReader);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof())
    }

    fn below(&mut self, most: u64) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes) % most.max(1)
    }
}

/// What ends in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kill {
    /// Every stream: the network, or the process that sends.
    Streams,
    /// The process that receives: what it had in memory is gone.
    Receiver,
    /// The machine that receives: what was not durable is something else afterwards.
    Machine,
}

/// Sizes from nothing to 64 MiB: most are small. Only the beginning of a large one is not zeros.
fn size(dice: &mut Dice, number: usize) -> u64 {
    match number % 100 {
        0 => 0,
        1..=85 => dice.below(16 << 10),
        86..=97 => dice.below(1 << 20),
        98 => dice.below(8 << 20),
        _ if number == 99 => 64 << 20,
        _ => dice.below(24 << 20),
    }
}

fn write(folder: &Path, name: &str, dice: &mut Dice, number: usize) {
    use std::os::unix::fs::FileExt;
    let size = size(dice, number);
    let file = std::fs::File::create(folder.join(name)).unwrap();
    file.set_len(size).unwrap();
    let mut at = 0;
    while at < size {
        let mut some = vec![0; usize::try_from((size - at).min(4 << 10)).unwrap()];
        dice.0.fill(&mut some);
        file.write_all_at(&some, at).unwrap();
        at += u64::from(PIECE) / 3;
    }
}

/// The names of what is sent.
fn fill(home: &Path) -> Vec<String> {
    let (mut dice, mut names) = (Dice::new(u64::MAX), Vec::new());
    for folder in 0..FOLDERS {
        let name = format!("folder {folder}");
        std::fs::create_dir(home.join(&name)).unwrap();
        for file in 0..IN_EACH {
            write(&home.join(&name), &format!("file {file}"), &mut dice, folder * IN_EACH + file);
        }
        names.push(name);
    }
    for file in 0..SINGLE {
        write(home, &format!("single {file}"), &mut dice, FOLDERS * IN_EACH + file);
        names.push(format!("single {file}"));
    }
    names
}

/// A print of something and all that is in it.
fn print(path: &Path) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new();
    let meta = std::fs::symlink_metadata(path).unwrap();
    if !meta.is_dir() {
        return hasher.update_reader(std::fs::File::open(path).unwrap()).unwrap().finalize();
    }
    let mut names: Vec<_> =
        std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    for name in names {
        hasher.update(name.as_encoded_bytes()).update(print(&path.join(&name)).as_bytes());
    }
    hasher.finalize()
}

/// Everything there is at the receiver is what it is at the sender.
fn all_seen_is_whole(two: &Two, known: &[(String, blake3::Hash)], about: &str) -> usize {
    let Ok(seen) = std::fs::read_dir(two.world.path("from Ada")) else { return 0 };
    let mut count = 0;
    for entry in seen {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let (_, wanted) = known.iter().find(|(known, _)| *known == name).expect("nothing else is there");
        assert_eq!(print(&entry.path()), *wanted, "{name} {about}");
        count += 1;
    }
    count
}

/// The receiver's side of a transfer, as it runs.
fn receiving(two: &Two, sending: &Sending) -> Arc<Incoming> {
    two.world.agent.inbox().find(&two.world.shared(), sending.transfer).unwrap().unwrap()
}

async fn nothing_of_it_runs(two: &Two, incoming: Arc<Incoming>) {
    two.world.agent.inbox().forget(incoming.id());
    two.world.restart();
    while Arc::strong_count(&incoming) > 1 {
        tokio::task::yield_now().await;
    }
}

/// Has every byte that was not durable be another: what a machine without power forgets.
fn forget_what_was_not_durable(two: &Two, sending: &Sending) {
    use std::os::unix::fs::FileExt;
    let home = two.world.path(&format!(".lanthorn-store/incoming/{}", sending.transfer));
    let home = ShareRoot::open(&home).unwrap();
    let (_, known) = Journal::open(&home.spot(&"journal".parse().unwrap()).unwrap()).unwrap();
    for (path, on_disk) in
        files(&two.world.path(&format!(".lanthorn-store/incoming/{}/tree", sending.transfer)))
    {
        let (item, inner) = path.split_once('/').unwrap_or((&path, ""));
        let (item, inner) = (item.parse::<u16>().unwrap(), inner.as_bytes().to_vec());
        let progress = known.files.get(&(item, inner.clone()));
        let file = std::fs::OpenOptions::new().write(true).open(&on_disk).unwrap();
        let size = file.metadata().unwrap().len();
        for piece in 0..u32::try_from(pieces(size)).unwrap() {
            let is_durable = progress.is_some_and(|progress| progress.has(piece))
                && !known.unsure.contains(&(item, inner.clone(), piece));
            if !is_durable {
                let at = u64::from(piece) * u64::from(PIECE);
                let some = (size - at).min(u64::from(PIECE));
                file.write_all_at(&vec![0xEE; usize::try_from(some).unwrap()], at).unwrap();
            }
        }
    }
}

/// All files beneath a folder, by their paths in it.
fn files(folder: &Path) -> Vec<(String, PathBuf)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(at) = folders.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.push((path.strip_prefix(folder).unwrap().display().to_string(), path)),
            }
        }
    }
    found
}

/// One transfer with some kills.
async fn try_one(two: &Two, names: &[String], known: &[(String, blake3::Hash)], seed: u64) {
    let mut dice = Dice::new(seed);
    let items: Vec<&str> = names.iter().map(String::as_str).collect();
    let sending = two.offer(&items);
    let payload: u64 = names.iter().map(|name| measure(&two.source(name), 0).unwrap().bytes).sum();
    two.fate.written.store(0, Ordering::Relaxed);
    let (kills, mut story) = (1 + dice.below(2), Vec::new());
    for _ in 0..kills {
        let kill = [Kill::Streams, Kill::Receiver, Kill::Machine][usize::try_from(dice.below(3)).unwrap()];
        let after = dice.below(payload / 2);
        story.push((kill, after));
        let dying = Arc::new(parking_lot::Mutex::new(None));
        let dies = {
            let (dying, incoming) = (Arc::clone(&dying), receiving(two, &sending));
            move || {
                if kill != Kill::Streams {
                    incoming.stop();
                    *dying.lock() = Some(Arc::clone(&incoming));
                }
            }
        };
        two.fate.cut_after(after, dies);
        let sent = send(sending.clone(), |_| ()).await;
        let about = format!("seed {seed}: {story:?}");
        match sent {
            Ok(()) => break,
            Err(SendError::Refused(why)) => panic!("{why:?} {about}"),
            Err(SendError::Broken(_) | SendError::Open(_)) => {}
        }
        let dead = dying.lock().take();
        if let Some(dead) = dead {
            nothing_of_it_runs(two, dead).await;
            if kill == Kill::Machine {
                forget_what_was_not_durable(two, &sending);
            }
        }
        all_seen_is_whole(two, known, &about);
    }
    two.fate.mend();
    while let Err(error) = send(sending.clone(), |_| ()).await {
        assert!(matches!(error, SendError::Broken(_)), "{error:?}, seed {seed}: {story:?}");
    }
    let about = format!("seed {seed}: {story:?}");
    assert_eq!(all_seen_is_whole(two, known, &about), names.len(), "{about}");
    let sent = two.fate.written.load(Ordering::Relaxed) as f64 / payload as f64;
    eprintln!("{sent:.3} of {payload} bytes; {about}");
    let only_processes = !story.iter().any(|(kill, _)| *kill == Kill::Machine);
    assert!(!only_processes || sent <= MOST_SENT, "{sent:.3} times what there is; {about}");
    std::fs::remove_dir_all(two.world.path("from Ada")).unwrap();
    two.world.agent.inbox().give_up(&two.world.shared(), sending.transfer).unwrap();
}

fn seeds() -> Range<u64> {
    let said = |name| std::env::var(name).ok().map(|said: String| said.parse::<u64>().unwrap());
    match said("LANTHORN_TRIAL") {
        Some(seed) => seed..seed + 1,
        None => 0..said("LANTHORN_TRIALS").unwrap_or(FEW),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_killed_and_whenever_it_arrives_as_it_was() {
    let two = Two::new().await;
    let names = fill(two.home.path());
    let known: Vec<_> = names.iter().map(|name| (name.clone(), print(&two.home.path().join(name)))).collect();
    for seed in seeds() {
        try_one(&two, &names, &known, seed).await;
    }
}

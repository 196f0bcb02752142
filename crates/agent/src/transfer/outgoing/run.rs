//! One run of a transfer, from the sender's side: a control stream and some for pieces, until everything is in its place
//! or a stream breaks. Begun anew, it goes on where it stopped.

use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use peer::{OpenError, Stream, frame};
use proto::TransferId;
use proto::api::transfers::Limit;
use proto::wire::MAX_FRAME;
use proto::wire::transfer::{
    Entry, FileFacts, FromReceiver, FromSender, Have, Hello, Problem, StreamKind, VERSION, Welcomed, What,
    pieces,
};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::queue::{Job, Queue};
use super::rate_limit::{Limited, RateLimit};
use super::read::{self, Trouble};
use super::walk::{self, Found as Met};
use super::{Outgoing, SendError, Source};
use crate::files::write::off_thread;
use crate::transfer::blocking::Blocking;
use crate::transfer::flow::Flow;
use crate::transfer::pieces::is_in;
use crate::transfer::problem;

/// How many entries are told of at once.
const BATCH: usize = 512;
/// How many may have been found and not told of.
const FOUND: usize = 4 * BATCH;
/// The receiver hears something at least so often.
const PULSE: Duration = Duration::from_secs(10);
/// How often it is looked what limits this side.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long the receiver may take to answer a hello.
const GREETING: Duration = Duration::from_secs(10);

/// How streams to the receiver are opened.
pub type Opener = Arc<dyn Fn() -> BoxFuture<'static, Result<Stream, OpenError>> + Send + Sync>;

/// What is sent, and by what right.
#[derive(Clone)]
pub struct Sending {
    /// The transfer.
    pub transfer: TransferId,
    /// Opens the receiver's inbox for it.
    pub ticket: String,
    /// Its items, in order; none for those that were not approved.
    pub items: Vec<Source>,
    /// Opens streams.
    pub open: Opener,
    /// How fast, at most.
    pub rate_limit: Option<Arc<RateLimit>>,
}

/// What the sender is told on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The receiver welcomed it; true if it goes on with something that was begun.
    Begun {
        /// Something of it was there.
        resumed: bool,
    },
    /// So much was found: bytes and files. Last when the walk is over.
    Found {
        /// Bytes of all files.
        bytes: u64,
        /// How many files.
        files: u64,
    },
    /// So many bytes are there and verified.
    Got(u64),
    /// The receiver holds it.
    Held(String),
    /// It goes on.
    GoesOn,
    /// A file did not arrive.
    Failed {
        /// From its item, in text form.
        path: String,
        /// Which item.
        item: u16,
        /// Why.
        why: Problem,
    },
}

/// One run's shared state.
struct Run {
    sending: Sending,
    queue: Queue,
    /// Files that were told of, by the number of their entry; gone when the receiver has all of them.
    told: Mutex<HashMap<u32, Arc<Outgoing>>>,
    /// Batches whose answer is outstanding.
    asked: Mutex<VecDeque<Vec<Told>>>,
    fresh: bool,
    flow: Arc<Flow>,
}

/// An entry's number, and the file that it is.
type Told = (u32, Option<Arc<Outgoing>>);

/// What is to be told of.
enum Word {
    Found(u16, Met),
    Changed(Job, FileFacts),
    Lost(u32, Problem),
    LostItem(u16, Problem),
    /// The walk is over.
    All,
}

/// Sends, until everything is in its place. `hear` is called on the way.
///
/// # Errors
/// [`SendError`]: after [`SendError::Broken`] and [`SendError::Open`] it is worth beginning anew.
pub async fn send(sending: Sending, hear: impl Fn(Heard) + Send + Sync) -> Result<(), SendError> {
    let mut stream = (sending.open)().await?;
    let welcomed = greet(&mut stream, &sending, StreamKind::Control).await?;
    let Welcomed::Control { run: number, streams, fresh } = welcomed else {
        return Err(strange().into());
    };
    hear(Heard::Begun { resumed: !fresh });
    let run = Arc::new(Run {
        sending,
        queue: Queue::new(),
        told: Mutex::default(),
        asked: Mutex::default(),
        fresh,
        flow: Arc::default(),
    });
    let over = CancellationToken::new();
    let _ends = Ends { run: Arc::clone(&run), over: over.clone() };
    let (words, said) = mpsc::channel(FOUND);
    let walking = walk_all(Arc::clone(&run), words.clone(), over.clone());
    let (reading, writing) = tokio::io::split(stream);
    tokio::select! {
        heard = listen(&run, reading, &hear) => heard,
        told = tell(&run, said, writing, &hear) => told.and(Err(strange().into())),
        fed = feed_all(&run, number, streams, words, &over) => fed.and(Err(strange().into())),
        walked = walking => walked.and(Err(strange().into())),
    }
}

/// Ends the threads of a run with it, also when whoever sends has it dropped half way.
struct Ends {
    run: Arc<Run>,
    over: CancellationToken,
}

impl Drop for Ends {
    fn drop(&mut self) {
        self.over.cancel();
        self.run.queue.close();
    }
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the receiver does not keep to the protocol")
}

async fn greet(stream: &mut Stream, sending: &Sending, kind: StreamKind) -> Result<Welcomed, SendError> {
    let hello =
        Hello { version: VERSION, ticket: sending.ticket.clone(), transfer: sending.transfer, stream: kind };
    frame::write(stream, &hello).await?;
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    match timeout(GREETING, frame::read(stream)).await.map_err(late)?? {
        None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        Some(Welcomed::Refused(why)) => Err(SendError::Refused(why)),
        Some(welcomed) => Ok(welcomed),
    }
}

/// Walks all items, and then waits for the end.
async fn walk_all(
    run: Arc<Run>,
    words: mpsc::Sender<Word>,
    over: CancellationToken,
) -> Result<(), SendError> {
    let ended = over.clone();
    let walked = off_thread(move || {
        for (item, source) in (0..).zip(&run.sending.items) {
            let mut each = |met| !ended.is_cancelled() && words.blocking_send(Word::Found(item, met)).is_ok();
            if let Err(error) = walk::walk(source, &mut each) {
                let _ = words.blocking_send(Word::LostItem(item, problem(error.into())));
            }
        }
        let _ = words.blocking_send(Word::All);
        Ok(())
    });
    walked.await.map_err(io::Error::other)?;
    over.cancelled().await;
    Ok(())
}

/// Keeps streams for pieces until the end.
async fn feed_all(
    run: &Arc<Run>,
    number: u64,
    streams: u8,
    words: mpsc::Sender<Word>,
    over: &CancellationToken,
) -> Result<(), SendError> {
    let mut feeding = JoinSet::new();
    for _ in 0..streams {
        feeding.spawn(feed_one(Arc::clone(run), number, words.clone(), over.clone()));
    }
    while let Some(fed) = feeding.join_next().await {
        fed.map_err(io::Error::other)??;
    }
    Ok(())
}

async fn feed_one(
    run: Arc<Run>,
    number: u64,
    words: mpsc::Sender<Word>,
    over: CancellationToken,
) -> Result<(), SendError> {
    let mut stream = (run.sending.open)().await?;
    greet(&mut stream, &run.sending, StreamKind::Pieces { run: number }).await?;
    let stream = Limited {
        stream: Blocking::new(stream, &run.flow, over),
        rate_limit: run.sending.rate_limit.clone(),
    };
    let fed = off_thread(move || {
        let troubled = |job: Job, trouble: Trouble| {
            let word = match trouble {
                Trouble::Changed(facts) => Word::Changed(job, facts),
                Trouble::Lost(error) => Word::Lost(job.entry, problem(error)),
            };
            let _ = words.blocking_send(word);
        };
        Ok(read::feed(&run.queue, stream, troubled))
    });
    Ok(fed.await.map_err(io::Error::other)??)
}

/// Tells the receiver of what is found.
async fn tell(
    run: &Run,
    mut said: mpsc::Receiver<Word>,
    mut stream: impl AsyncWrite + Unpin,
    hear: &impl Fn(Heard),
) -> Result<(), SendError> {
    let (mut words, mut found) = (Vec::with_capacity(BATCH), Found::default());
    let mut pace = Pace { told: None, at: Instant::now() };
    loop {
        if timeout(LOOK_EVERY, said.recv_many(&mut words, BATCH)).await == Ok(0) {
            return Ok(());
        }
        pace.tell(run, &mut stream).await?;
        if words.is_empty() {
            continue;
        }
        let batches = batches(run, &mut found, &mut words);
        hear(Heard::Found { bytes: found.bytes, files: found.files });
        for batch in batches {
            run.tell_of(batch, &mut stream).await?;
        }
    }
}

/// What the receiver was told last of what limits this side, and when it heard anything of that.
struct Pace {
    told: Option<Limit>,
    at: Instant,
}

impl Pace {
    /// Tells the receiver what is news, or that this side is still there.
    async fn tell(&mut self, run: &Run, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let word = match run.flow.limit_of_sender() {
            Some(limit) if self.told != Some(limit) => {
                self.told = Some(limit);
                FromSender::Pace(limit)
            }
            _ if self.at.elapsed() >= PULSE => FromSender::Pulse,
            _ => return Ok(()),
        };
        self.at = Instant::now();
        frame::write(stream, &word).await
    }
}

/// How much was found, and how many entries were made of it.
#[derive(Default)]
struct Found {
    entries: u32,
    bytes: u64,
    files: u64,
}

/// Entries that are told of in one frame, each with its number and the file that it is; and what is said after them.
#[derive(Default)]
struct Batch {
    entries: Vec<Entry>,
    files: Vec<Told>,
    after: Vec<FromSender>,
    path_bytes: usize,
}

/// Makes frames of words: not longer than a frame may be.
fn batches(run: &Run, found: &mut Found, words: &mut Vec<Word>) -> Vec<Batch> {
    let mut batches = vec![Batch::default()];
    for word in words.drain(..) {
        let full = batches.last().is_none_or(|batch| batch.path_bytes > MAX_FRAME / 4);
        if full {
            batches.push(Batch::default());
        }
        let Some(batch) = batches.last_mut() else { continue };
        let (entry, file) = match word {
            Word::All => {
                batch.after.push(FromSender::AllEntries);
                continue;
            }
            Word::Lost(entry, why) => {
                batch.after.push(FromSender::Lost { entry, why });
                continue;
            }
            Word::LostItem(item, why) => {
                batch.after.push(FromSender::LostItem { item, why });
                continue;
            }
            Word::Found(item, met) => run.entry_of(item, met),
            Word::Changed(job, facts) => entry_again(&job, facts),
        };
        if let (What::File(facts), None) = (&entry.what, entry.replaces) {
            (found.bytes, found.files) = (found.bytes.saturating_add(facts.size), found.files + 1);
        }
        batch.path_bytes += entry.path.len();
        batch.entries.push(entry);
        batch.files.push((found.entries, file));
        found.entries += 1;
    }
    batches
}

/// A changed file, as another entry.
fn entry_again(job: &Job, facts: FileFacts) -> (Entry, Option<Arc<Outgoing>>) {
    let Outgoing { source, inner, item, path, .. } = &*job.file;
    let again = Outgoing {
        source: source.clone(),
        inner: inner.clone(),
        item: *item,
        path: path.clone(),
        facts,
        void: AtomicBool::new(false),
        open: Mutex::default(),
    };
    let entry =
        Entry { item: *item, path: inner.clone(), what: What::File(facts), replaces: Some(job.entry) };
    (entry, Some(Arc::new(again)))
}

impl Run {
    fn entry_of(&self, item: u16, met: Met) -> (Entry, Option<Arc<Outgoing>>) {
        let source = self.sending.items.get(usize::from(item));
        let file = match (&met.what, source) {
            (What::File(facts), Some(source)) => Some(Arc::new(Outgoing {
                source: source.clone(),
                inner: met.inner.clone(),
                item,
                path: met.path,
                facts: *facts,
                void: AtomicBool::new(false),
                open: Mutex::default(),
            })),
            _ => None,
        };
        (Entry { item, path: met.inner, what: met.what, replaces: None }, file)
    }

    /// Tells of some entries. Of a transfer that begins, all is wanted.
    async fn tell_of(&self, batch: Batch, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let Batch { entries, files, after, .. } = batch;
        if !entries.is_empty() {
            self.told.lock().extend(files.iter().filter_map(|(at, file)| Some((*at, file.clone()?))));
            self.asked.lock().push_back(files.clone());
            frame::write(stream, &FromSender::Entries(entries)).await?;
        }
        for word in after {
            frame::write(stream, &word).await?;
        }
        if self.fresh {
            for (entry, file) in files {
                self.want(entry, file, |_| true).await;
            }
        }
        Ok(())
    }

    async fn want(&self, entry: u32, file: Option<Arc<Outgoing>>, is_wanted: impl Fn(u32) -> bool) {
        let Some(file) = file else { return };
        let all = u32::try_from(pieces(file.facts.size)).unwrap_or(u32::MAX);
        for piece in (0..all).filter(|piece| is_wanted(*piece)) {
            self.queue.push(Job { entry, piece, file: Arc::clone(&file) }).await;
        }
    }

    /// The receiver has said what is there of some entries.
    async fn answered(&self, have: Vec<Have>, hear: &impl Fn(Heard)) -> Result<(), SendError> {
        let asked = self.asked.lock().pop_front().ok_or_else(strange)?;
        if asked.len() != have.len() {
            return Err(strange().into());
        }
        for ((entry, file), have) in asked.into_iter().zip(have) {
            match have {
                Have::Refused(why) => self.failed(entry, why, hear),
                _ if self.fresh => {}
                Have::Nothing => self.want(entry, file, |_| true).await,
                Have::All => {
                    self.told.lock().remove(&entry);
                }
                Have::Some(bits) => self.want(entry, file, |piece| !is_in(&bits, piece)).await,
            }
        }
        Ok(())
    }

    fn failed(&self, entry: u32, why: Problem, hear: &impl Fn(Heard)) {
        let Some(file) = self.told.lock().remove(&entry) else { return };
        let path = String::from_utf8_lossy(&file.inner).into_owned();
        hear(Heard::Failed { item: file.item, path, why });
    }

    /// A piece came there as another.
    fn again(&self, entry: u32, piece: u32) {
        let file = self.told.lock().get(&entry).cloned();
        if let Some(file) = file {
            self.queue.push_again(Job { entry, piece, file });
        }
    }
}

/// Hears what the receiver says, until everything is in its place.
async fn listen(
    run: &Run,
    mut stream: impl AsyncRead + Unpin,
    hear: &impl Fn(Heard),
) -> Result<(), SendError> {
    loop {
        match frame::read(&mut stream).await? {
            None => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Some(FromReceiver::Have(have)) => run.answered(have, hear).await?,
            Some(FromReceiver::Got { bytes }) => hear(Heard::Got(bytes)),
            Some(FromReceiver::Again { entry, piece }) => run.again(entry, piece),
            Some(FromReceiver::Failed { entry, why }) => run.failed(entry, why, hear),
            Some(FromReceiver::Hold { why }) => hear(Heard::Held(why)),
            Some(FromReceiver::GoOn) => hear(Heard::GoesOn),
            Some(FromReceiver::Finished) => return Ok(()),
            Some(FromReceiver::Ended(why)) => return Err(SendError::Refused(why)),
        }
    }
}

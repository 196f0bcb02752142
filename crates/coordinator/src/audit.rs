//! The log of who did what: append-only, each entry sealed with the hash of the one before, the last one with a keyed
//! hash of its own, so that a changed, removed or added line is found. Holds ids and words, never contents or paths.
//!
//! Entries come by a bounded queue and are written many at a time. A full queue holds its callers up for a moment at
//! most; what then finds no place is counted, and the count is written as an entry.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use proto::{DeviceId, PrincipalId, ShareId};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::access::{Caller, Client};
use crate::clock::{Clock, to_ms};
use crate::store::audit::{AuditRow, Head};
use crate::store::{Store, StoreError};

/// Entries that wait to be written, at most.
const QUEUE: usize = 1024;
/// Entries written by one commit, at most.
const BATCH: usize = 256;
/// How long a full queue holds a caller up.
const PATIENCE: Duration = Duration::from_millis(250);
/// How long to wait before a failed write is tried again.
const RETRY: Duration = Duration::from_secs(1);
/// How long somebody who needs to know waits for the disk.
const DURABLE_WITHIN: Duration = Duration::from_secs(5);
/// What repeats itself is written once in so long: the life of a ticket.
const ONCE_IN_MS: i64 = 120_000;
/// What was written lately, remembered at most.
const MAX_LATELY: usize = 4096;
/// Entries read at once while the log is checked.
const PAGE: u32 = 1000;
/// The hash before the first entry.
const BEGINNING: [u8; 32] = [0; 32];

/// Something that happened, as whoever saw it describes it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Entry {
    pub(crate) actor: Option<PrincipalId>,
    pub(crate) action: &'static str,
    pub(crate) allowed: bool,
    pub(crate) device: Option<DeviceId>,
    pub(crate) share: Option<ShareId>,
    pub(crate) address: Option<String>,
    pub(crate) request_id: String,
    /// More, in words for programs.
    pub(crate) detail: Value,
}

/// What an entry's hash is made of, beside the hash before: this JSON, with the fields in this order.
#[derive(Serialize)]
struct Canonical<'a> {
    seq: i64,
    time_ms: i64,
    actor: &'a Option<String>,
    action: &'a str,
    allowed: bool,
    device: &'a Option<String>,
    share: &'a Option<String>,
    address: &'a Option<String>,
    request_id: &'a str,
    /// As text, so that not a space of it can change.
    detail: &'a str,
}

/// BLAKE3 over the hash before and the entry.
fn seal(before: &[u8; 32], row: &AuditRow) -> Result<[u8; 32], serde_json::Error> {
    let canonical = serde_json::to_vec(&Canonical {
        seq: row.seq,
        time_ms: row.time_ms,
        actor: &row.actor,
        action: &row.action,
        allowed: row.allowed,
        device: &row.device,
        share: &row.share,
        address: &row.address,
        request_id: &row.request_id,
        detail: &row.detail,
    })?;
    let mut hasher = blake3::Hasher::new();
    hasher.update(before).update(&canonical);
    Ok(*hasher.finalize().as_bytes())
}

/// Where the log ends, and the proof that this program wrote it.
#[derive(Clone, Copy)]
struct End {
    seq: i64,
    hash: [u8; 32],
}

impl End {
    fn head(self, key: &[u8; 32]) -> Head {
        let mut hasher = blake3::Hasher::new_keyed(key);
        hasher.update(&self.seq.to_le_bytes()).update(&self.hash);
        Head { seq: self.seq, hash: self.hash, mac: *hasher.finalize().as_bytes() }
    }
}

/// The key for the end of the log, made from the server's.
fn head_key(server_key: &[u8; 32]) -> [u8; 32] {
    blake3::derive_key("lanthorn 2026-11 the end of the audit log", server_key)
}

/// What a check of the log found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// So many entries, and each as it was written.
    Intact(u64),
    /// The first place at which something was changed, removed or added.
    Broken(i64, &'static str),
}

struct Queued {
    row: AuditRow,
    done: Option<oneshot::Sender<()>>,
}

/// The log.
pub(crate) struct Audit {
    store: Store,
    clock: Arc<dyn Clock>,
    key: [u8; 32],
    queue: Mutex<Option<mpsc::Sender<Queued>>>,
    lost: Arc<AtomicU64>,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// What was written lately that need not be written each time.
    lately: Mutex<HashMap<Repeated, i64>>,
}

/// Something that happens again and again: who asks, with what, for which share, and what.
type Repeated = (PrincipalId, Client, ShareId, &'static str);

impl Audit {
    pub(crate) async fn open(
        store: Store,
        clock: Arc<dyn Clock>,
        server_key: &[u8; 32],
    ) -> Result<Self, StoreError> {
        let key = head_key(server_key);
        let (end, doubt) = find_end(&store, &key).await?;
        let (queue, waiting) = mpsc::channel(QUEUE);
        let lost = Arc::<AtomicU64>::default();
        let writer =
            Writer { store: store.clone(), clock: Arc::clone(&clock), key, end, lost: Arc::clone(&lost) };
        let writer = tokio::spawn(writer.run(waiting));
        let audit = Self {
            store,
            clock,
            key,
            queue: Mutex::new(Some(queue)),
            lost,
            writer: Mutex::new(Some(writer)),
            lately: Mutex::default(),
        };
        if let Some(doubt) = doubt {
            tracing::error!(doubt, "the audit log is not as it was left");
            audit
                .record(Entry { action: "audit.doubt", detail: json!({"why": doubt}), ..Entry::default() })
                .await;
        }
        Ok(audit)
    }

    /// True for the first of its kind in a while: a film is one read and not a thousand.
    pub(crate) fn is_news(&self, who: &Caller, share: ShareId, action: &'static str) -> bool {
        let now = self.clock.steady_ms();
        let mut lately = self.lately.lock();
        if lately.len() >= MAX_LATELY {
            lately.retain(|_, at| now - *at < ONCE_IN_MS);
        }
        if lately.len() >= MAX_LATELY {
            lately.clear();
        }
        let key = (who.principal, who.client, share, action);
        let news = lately.get(&key).is_none_or(|at| now - at >= ONCE_IN_MS);
        if news {
            lately.insert(key, now);
        }
        news
    }

    /// Takes an entry. Waits only while the queue is full, and not for long.
    pub(crate) async fn record(&self, entry: Entry) {
        self.send(entry, None).await;
    }

    /// Takes an entry and waits until it is on the disk: for what changes who may do what.
    pub(crate) async fn record_durably(&self, entry: Entry) {
        let (done, written) = oneshot::channel();
        self.send(entry, Some(done)).await;
        if tokio::time::timeout(DURABLE_WITHIN, written).await.is_err() {
            tracing::error!("the audit log is slow: an entry is not on the disk yet");
        }
    }

    async fn send(&self, entry: Entry, done: Option<oneshot::Sender<()>>) {
        let queued = Queued { row: self.row(entry), done };
        let Some(queue) = self.queue.lock().clone() else { return self.lose() };
        if queue.send_timeout(queued, PATIENCE).await.is_err() {
            self.lose();
        }
    }

    fn lose(&self) {
        self.lost.fetch_add(1, Ordering::Relaxed);
        tracing::error!("the audit log could not take an entry");
    }

    /// The place and the hash are given by the writer.
    fn row(&self, entry: Entry) -> AuditRow {
        AuditRow {
            seq: 0,
            time_ms: to_ms(self.clock.wall()),
            actor: entry.actor.map(|id| id.to_string()),
            action: entry.action.to_owned(),
            allowed: entry.allowed,
            device: entry.device.map(|id| id.to_string()),
            share: entry.share.map(|id| id.to_string()),
            address: entry.address,
            request_id: entry.request_id,
            detail: if entry.detail.is_null() { "{}".to_owned() } else { entry.detail.to_string() },
            hash: BEGINNING,
        }
    }

    /// Writes what waits and ends. What comes later is lost, and says so in the process's own log.
    pub(crate) async fn close(&self) {
        self.queue.lock().take();
        let writer = self.writer.lock().take();
        if let Some(writer) = writer {
            // A writer that panicked has said so.
            let _ = writer.await;
        }
    }

    /// Reads the whole log and compares every seal.
    pub(crate) async fn verify(&self) -> Result<Verdict, StoreError> {
        let Some(head) = self.store.audit_head().await? else {
            let empty = self.store.audit_after(0, 1).await?.is_empty();
            return Ok(if empty {
                Verdict::Intact(0)
            } else {
                Verdict::Broken(1, "the end of the log is not marked")
            });
        };
        let mut end = End { seq: 0, hash: BEGINNING };
        while end.seq < head.seq {
            let rows = self.store.audit_after(end.seq, PAGE).await?;
            if rows.is_empty() {
                return Ok(Verdict::Broken(end.seq + 1, "entries are missing at the end"));
            }
            for row in &rows {
                if end.seq == head.seq {
                    break;
                }
                if row.seq != end.seq + 1 {
                    return Ok(Verdict::Broken(end.seq + 1, "an entry is missing"));
                }
                end = match seal(&end.hash, row) {
                    Ok(hash) if hash == row.hash => End { seq: row.seq, hash },
                    _ => return Ok(Verdict::Broken(row.seq, "an entry is not as it was written")),
                };
            }
        }
        if end.head(&self.key) != head {
            return Ok(Verdict::Broken(end.seq, "the end of the log is not as it was written"));
        }
        // Written between the look at the head and now, or put there by somebody else: the next head says.
        let later = self.store.audit_after(end.seq, 1).await?;
        let head_moved = self.store.audit_head().await?.is_some_and(|now| now.seq > head.seq);
        if !later.is_empty() && !head_moved {
            return Ok(Verdict::Broken(end.seq + 1, "an entry was added"));
        }
        Ok(Verdict::Intact(u64::try_from(end.seq).unwrap_or_default()))
    }
}

/// Where to go on, and what is wrong with it, if anything. A log whose end was cut off goes on after the place where
/// it ended, so that the gap stays to be seen.
async fn find_end(store: &Store, key: &[u8; 32]) -> Result<(End, Option<&'static str>), StoreError> {
    let last = store.audit_last().await?.map(|row| End { seq: row.seq, hash: row.hash });
    let head = store.audit_head().await?;
    Ok(match (last, head) {
        (None, None) => (End { seq: 0, hash: BEGINNING }, None),
        (Some(last), None) => (last, Some("the end is not marked")),
        (last, Some(head)) => {
            let marked = End { seq: head.seq, hash: head.hash };
            let ours = marked.head(key) == head;
            let same = last.is_some_and(|last| last.seq == head.seq && last.hash == head.hash);
            let doubt = match (ours, same) {
                (true, true) => None,
                (false, _) => Some("the end is marked by somebody else"),
                (true, false) => Some("the last entry is not the one that was marked"),
            };
            // After whichever is later: no two entries may have one place.
            let end = last.filter(|last| last.seq > marked.seq).unwrap_or(marked);
            (end, doubt)
        }
    })
}

/// Writes what comes, many at a time.
struct Writer {
    store: Store,
    clock: Arc<dyn Clock>,
    key: [u8; 32],
    end: End,
    lost: Arc<AtomicU64>,
}

impl Writer {
    async fn run(mut self, mut waiting: mpsc::Receiver<Queued>) {
        let mut batch = Vec::with_capacity(BATCH);
        while waiting.recv_many(&mut batch, BATCH).await > 0 {
            let (mut rows, done): (Vec<_>, Vec<_>) =
                batch.drain(..).map(|queued| (queued.row, queued.done)).unzip();
            rows.extend(self.losses());
            while let Err(error) = self.write(&mut rows).await {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot write the audit log");
                if waiting.is_closed() {
                    return;
                }
                tokio::time::sleep(RETRY).await;
            }
            for done in done.into_iter().flatten() {
                // Whoever waited may have gone.
                let _ = done.send(());
            }
        }
    }

    fn losses(&self) -> Option<AuditRow> {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        (lost > 0).then(|| AuditRow {
            time_ms: to_ms(self.clock.wall()),
            action: "audit.lost".to_owned(),
            detail: json!({"entries": lost}).to_string(),
            ..AuditRow::default()
        })
    }

    async fn write(&mut self, rows: &mut [AuditRow]) -> Result<(), StoreError> {
        let mut end = self.end;
        for row in rows.iter_mut() {
            row.seq = end.seq + 1;
            row.hash = seal(&end.hash, row).map_err(|_| StoreError::Row("audit entry"))?;
            end = End { seq: row.seq, hash: row.hash };
        }
        self.store.append_audit(rows, end.head(&self.key)).await?;
        self.end = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test::ManualClock;

    const KEY: [u8; 32] = [7; 32];

    struct World {
        _dir: tempfile::TempDir,
        store: Store,
        clock: Arc<ManualClock>,
    }

    impl World {
        async fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let store = Store::open(dir.path()).await.unwrap();
            Self { store, clock: Arc::new(ManualClock::new()), _dir: dir }
        }

        async fn audit(&self) -> Audit {
            Audit::open(self.store.clone(), Arc::<ManualClock>::clone(&self.clock), &KEY).await.unwrap()
        }

        /// A log of so many entries, closed.
        async fn with_entries(count: u64) -> Self {
            let world = Self::new().await;
            let audit = world.audit().await;
            for number in 0..count {
                audit.record(entry("test.done", json!({"number": number}))).await;
                world.clock.pass(1);
            }
            audit.close().await;
            assert_eq!(audit.verify().await.unwrap(), Verdict::Intact(count));
            world
        }

        async fn actions(&self) -> Vec<String> {
            let rows = self.store.audit_after(0, 10_000).await.unwrap();
            rows.into_iter().map(|row| row.action).collect()
        }
    }

    fn entry(action: &'static str, detail: Value) -> Entry {
        Entry { actor: Some(PrincipalId::generate()), action, allowed: true, detail, ..Entry::default() }
    }

    #[tokio::test]
    async fn any_line_that_was_changed_removed_or_added_is_found() {
        for (tampering, found_at) in [
            ("UPDATE audit SET action = 'test.undone' WHERE seq = 3", 3),
            ("UPDATE audit SET time_ms = time_ms + 1 WHERE seq = 1", 1),
            ("UPDATE audit SET actor = NULL WHERE seq = 5", 5),
            ("UPDATE audit SET allowed = 0 WHERE seq = 2", 2),
            ("UPDATE audit SET device = 'x' WHERE seq = 2", 2),
            ("UPDATE audit SET share = 'x' WHERE seq = 2", 2),
            ("UPDATE audit SET address = 'x' WHERE seq = 2", 2),
            ("UPDATE audit SET request_id = 'x' WHERE seq = 2", 2),
            ("UPDATE audit SET detail = '{\"number\": 1}' WHERE seq = 2", 2),
            ("UPDATE audit SET hash = x'00' WHERE seq = 4", 4),
            ("DELETE FROM audit WHERE seq = 1", 1),
            ("DELETE FROM audit WHERE seq = 3", 3),
            ("DELETE FROM audit WHERE seq = 5", 5),
            ("DELETE FROM audit", 1),
            ("UPDATE audit SET seq = 9 WHERE seq = 5", 5),
            (
                "INSERT INTO audit SELECT 6, time_ms, actor, action, allowed, device, share, address, request_id,
                 detail, hash FROM audit WHERE seq = 5",
                6,
            ),
            ("DELETE FROM audit_head", 1),
            ("UPDATE audit_head SET seq = 4, hash = (SELECT hash FROM audit WHERE seq = 4)", 4),
            ("UPDATE audit_head SET mac = x'00'", 5),
        ] {
            let world = World::with_entries(5).await;
            world.store.tamper(tampering).await;
            let audit = Audit { queue: Mutex::new(None), ..idle(&world) };
            match audit.verify().await.unwrap() {
                Verdict::Broken(at, _) => assert_eq!(at, found_at, "{tampering}"),
                Verdict::Intact(_) => panic!("not found: {tampering}"),
            }
        }
    }

    /// A log that nobody writes to, as a check by itself has it.
    fn idle(world: &World) -> Audit {
        Audit {
            store: world.store.clone(),
            clock: Arc::<ManualClock>::clone(&world.clock),
            key: head_key(&KEY),
            queue: Mutex::default(),
            lost: Arc::default(),
            writer: Mutex::default(),
            lately: Mutex::default(),
        }
    }

    #[tokio::test]
    async fn a_chain_made_anew_by_somebody_without_the_key_is_found() {
        let world = World::with_entries(3).await;
        let forger = Audit::open(world.store.clone(), Arc::<ManualClock>::clone(&world.clock), &[8; 32])
            .await
            .unwrap();
        forger.record(entry("test.forged", Value::Null)).await;
        forger.close().await;
        assert!(matches!(idle(&world).verify().await.unwrap(), Verdict::Broken(..)));
    }

    #[tokio::test]
    async fn a_log_that_was_tampered_with_says_so_at_the_next_start_and_keeps_the_gap() {
        for (tampering, doubt) in [
            ("DELETE FROM audit WHERE seq = 3", true),
            ("DELETE FROM audit_head", true),
            ("UPDATE audit_head SET mac = x'00'", true),
            ("UPDATE audit SET seq = seq", false),
        ] {
            let world = World::with_entries(3).await;
            world.store.tamper(tampering).await;
            let audit = world.audit().await;
            audit.record(entry("test.later", Value::Null)).await;
            audit.close().await;
            assert_eq!(world.actions().await.contains(&"audit.doubt".to_owned()), doubt, "{tampering}");
            let gap = tampering.starts_with("DELETE FROM audit WHERE");
            assert_eq!(matches!(audit.verify().await.unwrap(), Verdict::Broken(3, _)), gap, "{tampering}");
        }
    }

    #[tokio::test]
    async fn the_log_goes_on_after_a_restart_and_many_writers_at_once_make_one_chain() {
        let world = World::with_entries(2).await;
        let audit = Arc::new(world.audit().await);
        let writers = (0..QUEUE).map(|number| {
            let audit = Arc::clone(&audit);
            async move { audit.record(entry("test.many", json!({"number": number}))).await }
        });
        futures_util::future::join_all(writers).await;
        audit.close().await;
        assert_eq!(audit.verify().await.unwrap(), Verdict::Intact(2 + QUEUE as u64));
    }

    #[tokio::test]
    async fn what_repeats_itself_is_news_once_in_two_minutes() {
        let world = World::new().await;
        let audit = idle(&world);
        let person = PrincipalId::generate();
        let client = Client::Device(DeviceId::from_public_key([1; 32]));
        let privacy = proto::api::auth::Privacy::Private;
        let caller = Caller { principal: person, client, privacy, owner: person, browser_id: None };
        let share = ShareId::generate();
        assert!(audit.is_news(&caller, share, "share.read"));
        assert!(!audit.is_news(&caller, share, "share.read"));
        assert!(audit.is_news(&caller, share, "share.download"), "something else");
        assert!(audit.is_news(&caller, ShareId::generate(), "share.read"), "from elsewhere");
        let other = Caller { client: Client::Device(DeviceId::from_public_key([2; 32])), ..caller };
        assert!(audit.is_news(&other, share, "share.read"), "with something else");
        world.clock.pass(119);
        assert!(!audit.is_news(&caller, share, "share.read"));
        world.clock.pass(1);
        assert!(audit.is_news(&caller, share, "share.read"));
        for _ in 0..2 * MAX_LATELY {
            audit.is_news(&caller, ShareId::generate(), "share.read");
        }
        assert!(audit.lately.lock().len() <= MAX_LATELY);
    }

    #[tokio::test]
    async fn what_must_be_on_the_disk_is_there() {
        let world = World::new().await;
        let audit = world.audit().await;
        audit.record_durably(entry("grant.put", json!({"a": 1}))).await;
        assert_eq!(world.actions().await, ["grant.put"]);
    }

    #[tokio::test]
    async fn a_full_queue_loses_nothing_in_silence() {
        let world = World::new().await;
        let (queue, mut waiting) = mpsc::channel(2);
        let audit = Audit { queue: Mutex::new(Some(queue)), ..idle(&world) };
        for _ in 0..5 {
            audit.record(entry("test.done", Value::Null)).await;
        }
        assert_eq!(audit.lost.load(Ordering::Relaxed), 3, "nobody is held up for ever");
        waiting.close();
        let end = End { seq: 0, hash: BEGINNING };
        let lost = Arc::clone(&audit.lost);
        let clock: Arc<dyn Clock> = Arc::<ManualClock>::clone(&world.clock);
        Writer { store: world.store.clone(), clock, key: head_key(&KEY), end, lost }.run(waiting).await;
        assert_eq!(world.actions().await, ["test.done", "test.done", "audit.lost"]);
        assert_eq!(world.store.audit_last().await.unwrap().unwrap().detail, r#"{"entries":3}"#);
        assert_eq!(audit.verify().await.unwrap(), Verdict::Intact(3));
    }
}

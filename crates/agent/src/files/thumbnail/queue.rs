//! Who is next: the newest wish first, the same wish once, and a wish that nobody waits for any more not at all.
//! Knows keys and work, not what the work makes.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::Key;

/// What a job does.
pub(super) type Work<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A queue of jobs that each make a `T`.
pub(super) struct Queue<T> {
    shared: Arc<Shared<T>>,
}

struct Shared<T> {
    workers: usize,
    state: Mutex<State<T>>,
}

struct State<T> {
    /// Jobs not yet begun, the next one last.
    waiting: Vec<(Key, Work<T>)>,
    /// Every job that has not ended, begun or not.
    results: HashMap<Key, watch::Sender<Option<T>>>,
    /// How many workers there are.
    busy: usize,
}

impl<T: Clone + Send + Sync + 'static> Queue<T> {
    pub(super) fn new(workers: usize) -> Self {
        let state = State { waiting: Vec::new(), results: HashMap::new(), busy: 0 };
        Self { shared: Arc::new(Shared { workers, state: Mutex::new(state) }) }
    }

    /// What the job of this key makes. `work` is begun unless the same job is there already.
    ///
    /// `None`: its turn did not come within `wait`, or it was given up just now. Dropping the future takes the wish
    /// back: a job not yet begun is forgotten, one under way is dropped, unless others wait for it.
    pub(super) async fn run(&self, key: Key, wait: Duration, work: impl FnOnce() -> Work<T>) -> Option<T> {
        let mut wish = Wish { result: self.wish(key, work), key, shared: Arc::clone(&self.shared) };
        let made = tokio::time::timeout(wait, wish.result.wait_for(Option::is_some)).await.ok()?;
        made.ok()?.clone()
    }

    fn wish(&self, key: Key, work: impl FnOnce() -> Work<T>) -> watch::Receiver<Option<T>> {
        let mut state = self.shared.state.lock();
        if let Some(result) = state.results.get(&key) {
            let result = result.subscribe();
            // Wished for again, so it is in view now.
            if let Some(at) = state.waiting.iter().position(|(other, _)| *other == key) {
                let job = state.waiting.remove(at);
                state.waiting.push(job);
            }
            return result;
        }
        let (sender, result) = watch::channel(None);
        state.results.insert(key, sender);
        state.waiting.push((key, work()));
        if state.busy < self.shared.workers {
            state.busy += 1;
            tokio::spawn(Arc::clone(&self.shared).serve());
        }
        result
    }

    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.shared.state.lock().waiting.len()
    }
}

impl<T: Clone + Send + Sync + 'static> Shared<T> {
    /// One worker: takes jobs until there are none.
    async fn serve(self: Arc<Self>) {
        while let Some((key, work, result)) = self.next() {
            // In a task of its own, so that a panic ends this job and not the worker.
            let mut job = tokio::spawn(work);
            tokio::select! {
                made = &mut job => self.finish(&key, made.ok()),
                () = self.given_up(&key, &result) => job.abort(),
            }
        }
    }

    fn next(&self) -> Option<(Key, Work<T>, watch::Sender<Option<T>>)> {
        let mut state = self.state.lock();
        while let Some((key, work)) = state.waiting.pop() {
            match state.results.get(&key) {
                Some(result) if result.receiver_count() > 0 => {
                    let result = result.clone();
                    return Some((key, work, result));
                }
                _ => drop(state.results.remove(&key)),
            }
        }
        state.busy -= 1;
        None
    }

    fn finish(&self, key: &Key, made: Option<T>) {
        if let Some(result) = self.state.lock().results.remove(key)
            && made.is_some()
        {
            result.send_replace(made);
        }
    }

    /// Ends when nobody waits for the job any more, having forgotten it.
    async fn given_up(&self, key: &Key, result: &watch::Sender<Option<T>>) {
        loop {
            result.closed().await;
            let mut state = self.state.lock();
            // Looked at again under the lock: somebody may have joined just now.
            if result.receiver_count() == 0 {
                state.results.remove(key);
                return;
            }
        }
    }
}

/// Somebody who waits.
struct Wish<T> {
    key: Key,
    result: watch::Receiver<Option<T>>,
    shared: Arc<Shared<T>>,
}

impl<T> Drop for Wish<T> {
    fn drop(&mut self) {
        let mut state = self.shared.state.lock();
        let last = state.results.get(&self.key).is_some_and(|result| result.receiver_count() == 1);
        let at = state.waiting.iter().position(|(key, _)| *key == self.key);
        if let (true, Some(at)) = (last, at) {
            let job = state.waiting.remove(at);
            state.results.remove(&self.key);
            drop(state);
            // The work may own files: closed without holding the others up.
            drop(job);
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::{mpsc, oneshot};

    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    /// Jobs that say that they began, and end when told.
    struct Rig {
        queue: Arc<Queue<u8>>,
        begun: mpsc::UnboundedReceiver<(u8, oneshot::Sender<u8>)>,
        begin: mpsc::UnboundedSender<(u8, oneshot::Sender<u8>)>,
    }

    impl Rig {
        fn new(workers: usize) -> Self {
            let (begin, begun) = mpsc::unbounded_channel();
            Self { queue: Arc::new(Queue::new(workers)), begun, begin }
        }

        /// Wishes for `n`, and returns once the wish is in the queue.
        async fn wish(&self, n: u8, wait: Duration) -> tokio::task::JoinHandle<Option<u8>> {
            let (queue, begin) = (Arc::clone(&self.queue), self.begin.clone());
            let work = move || -> Work<u8> {
                Box::pin(async move {
                    let (end, ended) = oneshot::channel();
                    begin.send((n, end)).unwrap();
                    ended.await.unwrap()
                })
            };
            let mut wish = Box::pin(async move { queue.run([n; 32], wait, work).await });
            assert!(futures_util::poll!(&mut wish).is_pending());
            tokio::spawn(wish)
        }
    }

    #[tokio::test]
    async fn the_newest_comes_first_and_no_more_at_once_than_workers() {
        let mut rig = Rig::new(1);
        let first = rig.wish(0, LONG).await;
        let (n, end) = rig.begun.recv().await.unwrap();
        assert_eq!(n, 0);
        let mut wishes = Vec::new();
        for n in 1..=3 {
            wishes.push(rig.wish(n, LONG).await);
        }
        // 1 is wished for again: it is in view.
        wishes.push(rig.wish(1, LONG).await);
        assert!(rig.begun.try_recv().is_err());
        end.send(100).unwrap();
        assert_eq!(first.await.unwrap(), Some(100));
        for expected in [1, 3, 2] {
            let (n, end) = rig.begun.recv().await.unwrap();
            assert_eq!(n, expected);
            end.send(n + 100).unwrap();
        }
        for (wish, made) in wishes.into_iter().zip([101, 102, 103, 101]) {
            assert_eq!(wish.await.unwrap(), Some(made));
        }
        assert!(rig.begun.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_wish_taken_back_is_forgotten_or_stopped() {
        let mut rig = Rig::new(1);
        let (running, other) = (rig.wish(0, LONG).await, rig.wish(0, LONG).await);
        let (_, mut end) = rig.begun.recv().await.unwrap();
        let waiting = rig.wish(1, LONG).await;
        assert_eq!(rig.queue.waiting(), 1);
        waiting.abort();
        assert!(waiting.await.unwrap_err().is_cancelled());
        assert_eq!(rig.queue.waiting(), 0);
        running.abort();
        assert!(running.await.unwrap_err().is_cancelled());
        assert!(!end.is_closed());
        other.abort();
        end.closed().await;
        // Asked for again, it begins anew.
        let again = rig.wish(0, LONG).await;
        let (n, end) = rig.begun.recv().await.unwrap();
        end.send(7).unwrap();
        assert_eq!((n, again.await.unwrap()), (0, Some(7)));
    }

    #[tokio::test]
    async fn who_waits_too_long_gets_nothing_and_a_panic_ends_one_job_only() {
        let mut rig = Rig::new(1);
        let first = rig.wish(0, LONG).await;
        let (_, end) = rig.begun.recv().await.unwrap();
        let late = rig.wish(1, Duration::from_millis(1)).await;
        assert_eq!(late.await.unwrap(), None);
        drop(end); // the job panics
        assert_eq!(first.await.unwrap(), None);
        let next = rig.wish(2, LONG).await;
        rig.begun.recv().await.unwrap().1.send(9).unwrap();
        assert_eq!(next.await.unwrap(), Some(9));
    }
}

//! What is said while something is copied: one line on standard error that is written over, and only on a terminal.

use std::io::{self, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use tokio::task::AbortHandle;

use crate::print;

/// How often the line is written.
const EVERY: Duration = Duration::from_millis(200);

/// How far it is. The line goes when this is dropped.
pub struct Progress {
    counts: Arc<Counts>,
    line: Option<AbortHandle>,
}

/// What is counted, for those who count on another thread.
#[derive(Default)]
pub struct Counts {
    done: AtomicU64,
    expected: AtomicU64,
    files: AtomicU64,
    /// What is going on, where it is not one thing alone.
    phase: Mutex<String>,
}

impl Counts {
    /// So many bytes have come.
    pub fn advance(&self, bytes: u64) {
        self.done.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Progress {
    /// Counts and says nothing.
    pub fn silent() -> Self {
        Self { counts: Arc::default(), line: None }
    }

    /// Says how far it is if standard error is a terminal.
    pub fn shown() -> Self {
        let counts = Arc::<Counts>::default();
        // What cannot take a line back gets none.
        let can_write_over =
            io::stderr().is_terminal() && std::env::var_os("TERM").is_none_or(|it| it != "dumb");
        let line = can_write_over.then(|| tokio::spawn(write_over(Arc::clone(&counts))).abort_handle());
        Self { counts, line }
    }

    /// So many bytes more will come.
    pub fn expect(&self, bytes: u64) {
        self.counts.expected.fetch_add(bytes, Ordering::Relaxed);
    }

    /// So many bytes have come.
    pub fn advance(&self, bytes: u64) {
        self.counts.advance(bytes);
    }

    /// Where it is counted.
    pub fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// So many bytes came in vain.
    pub fn retreat(&self, bytes: u64) {
        self.counts.done.fetch_sub(bytes, Ordering::Relaxed);
    }

    /// Says what is going on now.
    pub fn phase(&self, now: &str) {
        now.clone_into(&mut self.counts.phase.lock());
    }

    /// One file more is whole.
    pub fn finish_file(&self) {
        self.counts.files.fetch_add(1, Ordering::Relaxed);
    }

    /// Says something that stays.
    pub fn remark(&self, text: &str) {
        if self.line.is_some() {
            clear();
        }
        print::remark(text);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            line.abort();
            clear();
        }
    }
}

async fn write_over(counts: Arc<Counts>) {
    let began = Instant::now();
    let mut clock = tokio::time::interval(EVERY);
    loop {
        clock.tick().await;
        let (done, expected) = (counts.done.load(Ordering::Relaxed), counts.expected.load(Ordering::Relaxed));
        let phase = counts.phase.lock().clone();
        match (expected, &*phase) {
            (0, "") => {}
            (0, _) => say(&phase),
            _ => {
                let line = line(done, expected, counts.files.load(Ordering::Relaxed), began.elapsed());
                say(&if phase.is_empty() { line } else { format!("{line}  {phase}") });
            }
        }
    }
}

fn line(done: u64, expected: u64, files: u64, elapsed: Duration) -> String {
    let percent = (u128::from(done) * 100).checked_div(u128::from(expected)).unwrap_or_default().min(100);
    let rate = print::size((done as f64 / elapsed.as_secs_f64().max(0.1)) as u64);
    let files = if files > 0 { format!(", {files} files done") } else { String::new() };
    format!("{percent:3} %  {} of {}, {rate}/s{files}", print::size(done), print::size(expected))
}

fn clear() {
    say("");
}

fn say(text: &str) {
    // A terminal that is gone needs no progress.
    let _ = write!(io::stderr().lock(), "\r\x1b[K{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_how_far_and_how_fast() {
        let second = Duration::from_secs(1);
        assert_eq!(line(500, 1000, 0, second), " 50 %  500 B of 1.00 kB, 500 B/s");
        assert_eq!(line(0, 0, 3, second), "  0 %  0 B of 0 B, 0 B/s, 3 files done");
    }
}

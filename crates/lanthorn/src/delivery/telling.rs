//! What whoever sends is told on the way: a line that names the phase, on a terminal; or an event a line, as JSON.

use std::sync::atomic::{AtomicU64, Ordering};

use agent::transfer::outgoing::Heard;
use anyhow::Result;
use proto::api::transfers::{Transfer, Way};
use serde_json::{Value, json};

use crate::fetch::Progress;
use crate::print;

/// How it is told.
pub struct Telling {
    progress: Progress,
    events: bool,
    /// Bytes the receiver has, as it last said; and bytes that were found.
    got: AtomicU64,
    found: AtomicU64,
}

impl Telling {
    /// As events, a line of JSON each, on standard output; or for people.
    pub fn new(events: bool) -> Self {
        let progress = if events { Progress::silent() } else { Progress::shown() };
        Self { progress, events, got: AtomicU64::new(0), found: AtomicU64::new(0) }
    }

    /// It was offered, or is gone on with.
    pub fn offered(&self, transfer: &Transfer, again: bool) -> Result<()> {
        if again && !self.events {
            self.progress.remark("Goes on with what was begun before.");
        }
        self.event("offered", || json!({"transfer": transfer, "again": again}))
    }

    /// The receiver has not answered yet.
    pub fn waits(&self, transfer: &Transfer) -> Result<()> {
        self.progress.phase(&format!("waiting for {}", transfer.receiver_name));
        if !self.events {
            self.progress.remark(&format!("Asked {}; waiting for the answer.", transfer.receiver_name));
        }
        self.event("waiting", || json!({"receiver": transfer.receiver_name}))
    }

    /// A way to the receiver is looked for.
    pub fn connects(&self) -> Result<()> {
        self.progress.phase("connecting");
        self.event("connecting", || json!({}))
    }

    /// A connection broke, or none was had.
    pub fn broke(&self, why: &dyn std::error::Error) -> Result<()> {
        // Said anew by the receiver.
        self.progress.retreat(self.got.swap(0, Ordering::Relaxed));
        self.progress.phase(&format!("connecting again: {why}"));
        self.event("broken", || json!({"why": why.to_string()}))
    }

    /// Everything was sent.
    pub fn ends(&self) {
        self.progress.phase("waiting for the last word");
    }

    /// It is over.
    pub fn ended(&self, transfer: &Transfer) -> Result<()> {
        self.event("ended", || json!({"transfer": transfer}))
    }

    /// The receiver has got something since the last break.
    pub fn has_got_something(&self) -> bool {
        self.got.load(Ordering::Relaxed) > 0
    }

    /// What is heard while it is sent, on which way.
    pub fn hear(&self, word: &Heard, way: Option<Way>) {
        let (progress, relaxed) = (&self.progress, Ordering::Relaxed);
        match word {
            Heard::Begun { .. } => progress.phase(&format!("sending {}", in_words(way))),
            Heard::Found { bytes, .. } => {
                progress.expect(bytes.saturating_sub(self.found.fetch_max(*bytes, relaxed)));
            }
            Heard::Got(bytes) => progress.advance(bytes.saturating_sub(self.got.fetch_max(*bytes, relaxed))),
            Heard::Held(why) if !self.events => progress.remark(why),
            Heard::GoesOn if !self.events => progress.remark("It goes on."),
            Heard::Failed { path, why, .. } if !self.events => {
                progress.remark(&format!("{path}: {}", why.message));
            }
            Heard::Held(_) | Heard::GoesOn | Heard::Failed { .. } => {}
        }
        // That standard output is gone is noticed at the end.
        let _ = match word {
            Heard::Begun { resumed } => self.event("begun", || json!({"resumed": resumed, "way": way})),
            Heard::Found { bytes, files } => self.event("found", || json!({"bytes": bytes, "files": files})),
            Heard::Got(bytes) => self.event("got", || json!({"bytes": bytes})),
            Heard::Held(why) => self.event("held", || json!({"why": why})),
            Heard::GoesOn => self.event("goes_on", || json!({})),
            Heard::Failed { path, item, why } => self.event(
                "failed",
                || json!({"path": path, "item": item, "code": why.code, "why": why.message}),
            ),
        };
    }

    fn event(&self, name: &str, more: impl FnOnce() -> Value) -> Result<()> {
        if !self.events {
            return Ok(());
        }
        let mut event = json!({"event": name});
        if let (Value::Object(event), Value::Object(more)) = (&mut event, more()) {
            event.extend(more);
        }
        print::line(&event.to_string())
    }
}

/// On which way, for people.
pub const fn in_words(way: Option<Way>) -> &'static str {
    match way {
        None => "",
        Some(Way::Lan) => "over the local network",
        Some(Way::Direct) => "directly",
        Some(Way::Relayed) => "through the relay",
        Some(Way::ThroughCoordinator) => "through the coordinator",
    }
}

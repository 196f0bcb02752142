//! One ticket key takes another's place: by itself after a while, when the owner says so, or at once because a key was
//! stolen. Each step is on the disk before it counts, and is told to every machine that is there; the others are
//! told when they come. Which step is due is [`ticket_keys`]' to say.

use std::path::PathBuf;
use std::time::Duration;

use proto::ticket::{InvalidKey, SigningKey};
use proto::wire::link::FromCoordinator;
use serde_json::json;
use tokio::sync::Mutex;

use crate::access::ticket_keys::{self, NotNow, Step, StepError, TicketKeys};
use crate::audit::Entry;
use crate::clock::Clock;
use crate::coordinator::Rooms;
use crate::keyfile::KeyFileError;

/// What goes with the keys, beside the desk that signs with them.
pub(crate) struct Rotation {
    state_dir: PathBuf,
    lifetime: Option<Duration>,
    /// Held while a step is taken.
    turn: Mutex<Turn>,
}

/// Since when, on the steady clock, this process has announced the keys as they are. A process that starts begins anew: it
/// tells every machine as it comes back.
struct Turn {
    announced_ms: i64,
}

/// Why keys stay as they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RotationError {
    #[error("another key cannot take its place now: {0:?}")]
    NotNow(NotNow),
    #[error("no key could be made")]
    NoKey(#[source] InvalidKey),
    #[error("the keys cannot be kept")]
    File(#[from] KeyFileError),
    #[error("the step was interrupted")]
    Interrupted,
}

impl From<StepError> for RotationError {
    fn from(error: StepError) -> Self {
        match error {
            StepError::NotNow(not_now) => Self::NotNow(not_now),
            StepError::NoKey(error) => Self::NoKey(error),
        }
    }
}

impl Rotation {
    pub(crate) fn new(state_dir: PathBuf, lifetime: Option<Duration>, clock: &dyn Clock) -> Self {
        Self { state_dir, lifetime, turn: Mutex::new(Turn { announced_ms: clock.steady_ms() }) }
    }

    /// After how long another key takes the place of the present one.
    pub(crate) const fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    async fn keep(&self, keys: &TicketKeys) -> Result<(), RotationError> {
        let (state, keys) = (self.state_dir.clone(), keys.clone());
        let written = tokio::task::spawn_blocking(move || ticket_keys::file::write(&state, &keys));
        Ok(written.await.map_err(|_| RotationError::Interrupted)??)
    }
}

impl Rooms {
    /// Takes the step that is due, if one is.
    pub(crate) async fn rotate_when_due(&self) {
        let mut turn = self.rotation.turn.lock().await;
        let (keys, now) = (self.tickets.keys(), self.clock.wall());
        let announced = self.clock.steady_ms() - turn.announced_ms;
        let announced = Duration::from_millis(announced.try_into().unwrap_or_default());
        let Some(step) = keys.due(now, announced, self.rotation.lifetime) else { return };
        let taken = match keys.after(step, now, SigningKey::generate) {
            Ok(after) => self.go_on_with(&mut turn, after).await,
            Err(error) => Err(error.into()),
        };
        match taken {
            Ok(()) => {
                let entry = Entry { action: action_of(step), allowed: true, ..Entry::default() };
                self.record_rotation(entry).await;
            }
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "ticket keys stay as they are");
            }
        }
    }

    /// Announces another key, which signs after a while.
    pub(crate) async fn announce_key(&self, entry: Entry) -> Result<(), RotationError> {
        let mut turn = self.rotation.turn.lock().await;
        let new = SigningKey::generate().map_err(RotationError::NoKey)?;
        let after = self.tickets.keys().announce(new).map_err(RotationError::NotNow)?;
        self.go_on_with(&mut turn, after).await?;
        self.record_rotation(Entry { action: action_of(Step::Announce), ..entry }).await;
        Ok(())
    }

    /// Gives up every key there is: from now on another signs, and nothing that these signed is good.
    pub(crate) async fn replace_keys(&self, entry: Entry) -> Result<(), RotationError> {
        let mut turn = self.rotation.turn.lock().await;
        let new = SigningKey::generate().map_err(RotationError::NoKey)?;
        let after = self.tickets.keys().replace(new, self.clock.wall()).map_err(RotationError::NotNow)?;
        self.go_on_with(&mut turn, after).await?;
        self.record_rotation(Entry { action: "keys.replaced", ..entry }).await;
        Ok(())
    }

    async fn go_on_with(&self, turn: &mut Turn, keys: TicketKeys) -> Result<(), RotationError> {
        self.rotation.keep(&keys).await?;
        let announcement = keys.announcement();
        self.tickets.use_keys(keys);
        self.registry.push_to_all(&FromCoordinator::Keys { keys: announcement });
        turn.announced_ms = self.clock.steady_ms();
        Ok(())
    }

    async fn record_rotation(&self, entry: Entry) {
        let keys = self.tickets.keys();
        let detail =
            json!({"signs": keys.present().key.public().id(), "next": keys.next().map(|key| key.id())});
        tracing::info!(action = entry.action, %detail, "ticket keys");
        self.audit.record_durably(Entry { detail, ..entry }).await;
    }
}

const fn action_of(step: Step) -> &'static str {
    match step {
        Step::Announce => "keys.announced",
        Step::Promote => "keys.changed",
        Step::Forget => "keys.forgotten",
    }
}

//! Carries transfers out at the receivers' devices: tells each device what to expect, follows what arrives there, and tells
//! it what ended. One task for each transfer; each comes back after whatever broke off, so that nothing is missed. Beside
//! it, `dispatch` has those machines send that send by themselves.

mod device;
mod dispatch;

use std::collections::{HashMap, HashSet};
use std::sync::Weak;
use std::time::Duration;

use proto::api::events::Happening;
use proto::api::transfers::{Arrived, Expected, ItemState, PausedBy, TransferState};
use proto::{TransferId, TransferItemId};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::AbortOnDropHandle;

use super::items::{self, Outcome};
use super::parties::is_under_way;
use super::state::{Held, State};
use super::{Transfer, TransferError};
use crate::coordinator::Rooms;
use crate::files::Lines;
use crate::store::transfers::TransferRow;

/// How long it takes until a device is asked again that did not answer; longer each time.
const FIRST_WAIT: Duration = Duration::from_millis(250);
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// How much time lies between two looks at what a device says: however much that is, it costs no more.
const LOOK_PERIOD: Duration = Duration::from_millis(100);
/// How often listeners are told how far a transfer is.
const PROGRESS_PERIOD: Duration = Duration::from_secs(1);
/// How much is left of a transfer's time when what comes prolongs it: a write now and then, not with every byte.
const RENEW_BEFORE_MS: i64 = 23 * 3_600_000;

/// True while a device has to do with a transfer: bytes may come, or it has to be told that none will.
fn is_driven(row: &TransferRow) -> bool {
    is_under_way(row.state) || row.state.is_over() && row.device_knows
}

/// Keeps a task for every transfer that needs one. Ends with the rooms.
pub(crate) async fn drive_forever(rooms: Weak<Rooms>) {
    let Some(mut changes) = rooms.upgrade().map(|rooms| rooms.transfers.changes()) else { return };
    let (mut receivers, mut senders) = (Tasks::default(), Tasks::default());
    loop {
        let Some(strong) = rooms.upgrade() else { return };
        receivers.keep(strong.transfers.rows_where(is_driven), |id| Driver::new(rooms.clone(), id).run());
        let sends = strong.transfers.rows_where(dispatch::is_dispatched);
        senders.keep(sends, |id| dispatch::run(rooms.clone(), id));
        drop(strong);
        if changes.changed().await.is_err() {
            return;
        }
    }
}

/// A task for each of some transfers.
#[derive(Default)]
struct Tasks(HashMap<TransferId, AbortOnDropHandle<()>>);

impl Tasks {
    /// From now on those of these have one, and no others.
    fn keep<F>(&mut self, rows: Vec<TransferRow>, run: impl Fn(TransferId) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let wanted: HashSet<_> = rows.into_iter().map(|row| row.id).collect();
        self.0.retain(|id, task| wanted.contains(id) && !task.is_finished());
        for id in wanted {
            self.0.entry(id).or_insert_with(|| AbortOnDropHandle::new(tokio::spawn(run(id))));
        }
    }
}

/// What is known of one transfer while it is driven.
struct Driver {
    rooms: Weak<Rooms>,
    id: TransferId,
    /// What the device was told last, and of which row.
    told: Option<(TransferRow, Expected)>,
    /// What the device said last of each item.
    states: Vec<(TransferItemId, ItemState)>,
    /// Who held it when the device last said so.
    held: Option<PausedBy>,
    progress: Progress,
}

/// How far a transfer is, and when that was last said.
#[derive(Default)]
struct Progress {
    received: u64,
    total: u64,
    said: Option<Instant>,
}

impl Driver {
    fn new(rooms: Weak<Rooms>, id: TransferId) -> Self {
        Self { rooms, id, told: None, states: Vec::new(), held: None, progress: Progress::default() }
    }

    /// Again and again until there is nothing more to do.
    async fn run(mut self) {
        let mut wait = FIRST_WAIT;
        loop {
            let Some(rooms) = self.rooms.upgrade() else { return };
            let Some(row) = rooms.transfers.row(self.id).filter(is_driven) else { return };
            let (mut moves, begun) = (rooms.registry.moves(), Instant::now());
            let gone_on = if row.state.is_over() {
                rooms.settle(&row).await
            } else {
                drop(rooms);
                self.follow().await
            };
            if let Err(error) = gone_on {
                let error = &error as &dyn std::error::Error;
                tracing::debug!(transfer = %self.id, error, "a device is asked again");
            }
            wait = if begun.elapsed() > LONGEST_WAIT { FIRST_WAIT } else { wait };
            // A machine that comes is asked at once.
            let _ = tokio::time::timeout(wait, moves.changed()).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    /// Tells the device what to expect and follows what arrives, until that breaks off.
    async fn follow(&mut self) -> Result<(), TransferError> {
        (self.told, self.states) = (None, Vec::new());
        let Some((mut changes, mut lines)) = self.begin().await? else { return Ok(()) };
        let mut looks = tokio::time::interval(LOOK_PERIOD);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = async {
                looks.tick().await;
                lines.next().await
            };
            tokio::select! {
                some = told => {
                    let Ok(Some(some)) = some else { return Ok(()) };
                    // Only the last of several counts.
                    let Some(arrived) = some.back().and_then(|line| serde_json::from_slice(line).ok()) else { return Ok(()) };
                    if !self.take(&arrived).await? {
                        return Ok(());
                    }
                }
                changed = changes.changed() => {
                    if changed.is_err() || !self.tell().await? {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn begin(&mut self) -> Result<Option<(watch::Receiver<u64>, Lines)>, TransferError> {
        let Some(rooms) = self.rooms.upgrade() else { return Ok(None) };
        let changes = rooms.transfers.changes();
        if !self.tell().await? {
            return Ok(None);
        }
        let Some(row) = rooms.transfers.row(self.id) else { return Ok(None) };
        Ok(Some((changes, rooms.watch_device(&row).await?)))
    }

    /// Tells the device what to expect, if that is not what it was told last. False if nothing more is to come.
    async fn tell(&mut self) -> Result<bool, TransferError> {
        let Some(rooms) = self.rooms.upgrade() else { return Ok(false) };
        let Some(row) = rooms.transfers.row(self.id).filter(|row| is_under_way(row.state)) else {
            return Ok(false);
        };
        if self.told.as_ref().is_some_and(|(of, _)| *of == row) {
            return Ok(true);
        }
        let transfer = rooms.transfers.get(self.id).await?;
        self.progress.total = transfer.wanted_bytes();
        let expected = rooms.expected(&transfer)?;
        if self.told.as_ref().is_none_or(|(_, told)| *told != expected) {
            rooms.tell_device(&transfer, &expected).await?;
        }
        self.told = Some((row, expected));
        Ok(true)
    }

    /// Takes over what has arrived. False once nothing more is to come.
    async fn take(&mut self, arrived: &Arrived) -> Result<bool, TransferError> {
        let Some(rooms) = self.rooms.upgrade() else { return Ok(false) };
        let before = std::mem::replace(&mut self.held, arrived.paused_by);
        let told = self.told.as_ref().map(|(_, told)| told);
        rooms.follow_holder(self.id, told, (before, self.held)).await?;
        let moved = rooms.transfers.put_live(self.id, arrived);
        let states: Vec<_> = arrived.items.iter().map(|item| (item.item_id, item.state)).collect();
        let Some(row) = rooms.transfers.row(self.id) else { return Ok(false) };
        let due = moved && row.expires_ms - rooms.now_ms() < RENEW_BEFORE_MS;
        // Sizes alone are not worth a look at the disk.
        let state = if due || states != self.states {
            rooms.take_arrived(self.id, arrived, due).await?
        } else {
            row.state
        };
        self.states = states;
        self.progress.say(&rooms, self.id, arrived);
        Ok(is_under_way(state))
    }
}

impl Progress {
    /// Tells listeners how far a transfer is, if that is news, and not too often.
    fn say(&mut self, rooms: &Rooms, transfer: TransferId, arrived: &Arrived) {
        let received = arrived.items.iter().map(|item| item.received_size).fold(0, u64::saturating_add);
        let lately = self.said.is_some_and(|said| said.elapsed() < PROGRESS_PERIOD);
        if received == self.received || lately {
            return;
        }
        let total = self.total;
        *self = Self { received, total, said: Some(Instant::now()) };
        let (way, limited_by) = (arrived.way, arrived.limited_by);
        rooms.tell(&Happening::TransferProgress { transfer, received, total, way, limited_by });
    }
}

impl Rooms {
    /// Writes down what a device says of a transfer, and goes on to the state that follows from it. `due` if the transfer's time
    /// has to be prolonged.
    async fn take_arrived(
        &self,
        id: TransferId,
        arrived: &Arrived,
        due: bool,
    ) -> Result<TransferState, TransferError> {
        let (mut changed, now_ms) = (Vec::new(), self.now_ms());
        let take = |transfer: &mut Transfer| {
            if !is_under_way(transfer.row.state) {
                return Ok(());
            }
            changed = items::follow(&mut transfer.items, arrived);
            if due || !changed.is_empty() {
                transfer.wait_from(now_ms);
            }
            go_on(transfer)
        };
        let before = self.transfers.row(id).map(|row| row.state);
        let transfer = self.transfers.change::<TransferError>(id, take).await?;
        self.tell_arrived(&transfer, before, &changed).await;
        Ok(transfer.row.state)
    }

    async fn tell_arrived(&self, transfer: &Transfer, before: Option<TransferState>, changed: &[usize]) {
        for place in changed {
            let item = &transfer.items[*place];
            let (item, item_state) = (item.id, item.state);
            self.tell_transfer(transfer, |transfer, state| Happening::TransferItemState {
                transfer,
                state,
                item,
                item_state,
            });
        }
        if before != Some(transfer.row.state) && transfer.row.state.is_over() {
            self.transfer_over(transfer).await;
        }
    }

    /// A side that holds a transfer at the device itself holds it here, too; and lets go likewise. `told` is what the device
    /// was told last: as long as that is not what counts here, what it says is older.
    async fn follow_holder(
        &self,
        id: TransferId,
        told: Option<&Expected>,
        (before, now): (Option<PausedBy>, Option<PausedBy>),
    ) -> Result<(), TransferError> {
        if before == now {
            return Ok(());
        }
        let Some(held) = self.transfers.get(id).await?.state().held() else { return Ok(()) };
        if told.is_none_or(|told| told.paused_by != holder(Some(held))) {
            return Ok(());
        }
        if let Some(by) = before.filter(|by| held.holds(*by)) {
            self.set_held(id, by, false).await?;
        }
        if let Some(by) = now.filter(|by| !held.holds(*by)) {
            self.set_held(id, by, true).await?;
        }
        Ok(())
    }
}

/// Goes on to the state in which a transfer is by what has arrived of it.
fn go_on(transfer: &mut Transfer) -> Result<(), TransferError> {
    if items::has_begun(&transfer.items) && transfer.row.state == TransferState::PasscodeOpen {
        transfer.go(State::begin)?;
    }
    match items::outcome(&transfer.items) {
        Some(Outcome::Completed) => transfer.go(State::complete)?,
        Some(Outcome::Failed(why)) => transfer.go(|state| state.fail(why))?,
        None => {}
    }
    Ok(())
}

impl super::Transfers {
    /// Keeps by heart what is there, and how it flows; true if that is more than before.
    fn put_live(&self, id: TransferId, arrived: &Arrived) -> bool {
        let now = arrived.items.iter().map(|item| (item.item_id, item.received_size)).collect();
        self.live.note(id, |live| {
            (live.way, live.limited_by) = (arrived.way, arrived.limited_by);
            let moved = live.sizes != now;
            live.sizes = now;
            moved
        })
    }
}

/// Which side holds a transfer, as its device is told: that there is no room it says itself.
fn holder(held: Option<Held>) -> Option<PausedBy> {
    held.and_then(Held::by).filter(|by| *by != PausedBy::NoSpace)
}

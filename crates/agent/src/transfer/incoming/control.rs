//! The control stream, from the receiver's side: hears what the sender tells, says what is here, and has what came
//! settled beside it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use peer::{Stream, frame};
use proto::ApiError;
use proto::wire::transfer::{FromReceiver, FromSender, PIECE, Problem, Welcomed};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::CancellationToken;

use super::Incoming;
use super::run::Run;
use crate::files::write::{WriteError, off_thread};
use crate::transfer::problem;

/// How many streams a sender may use for pieces.
const STREAMS: u8 = 4;
/// A sender that says nothing for so long is gone: it says something every ten seconds.
const SILENCE: Duration = Duration::from_secs(30);
/// How often the sender is told how much is here.
const TELL_EVERY: Duration = Duration::from_millis(200);
/// What came is made durable at least so often.
pub(super) const SETTLE_EVERY: Duration = Duration::from_secs(2);
/// How long a sender may take to hear that it is finished.
const FAREWELL: Duration = Duration::from_secs(5);

/// Answers a control stream until it ends.
///
/// # Errors
/// The stream broke, or the sender says what it must not.
pub async fn converse(
    incoming: Arc<Incoming>,
    mut stream: Stream,
    ended: CancellationToken,
) -> io::Result<()> {
    let (say, said) = mpsc::unbounded_channel();
    let begun = {
        let incoming = Arc::clone(&incoming);
        off_thread(move || incoming.begin(say)).await
    };
    let (run, fresh) = match begun {
        Ok(begun) => begun,
        Err(error) => return frame::write(&mut stream, &Welcomed::Refused(problem(error.into()))).await,
    };
    let over = run.ended().clone();
    let welcome = Welcomed::Control { run: run.number(), streams: STREAMS, fresh };
    frame::write(&mut stream, &welcome).await?;
    if let Some(by) = *incoming.held.borrow() {
        run.tell_of_hold(Some(by));
    }
    let (reading, writing) = tokio::io::split(stream);
    let conversation = async {
        tokio::select! {
            heard = hear(&incoming, &run, reading) => heard,
            told = tell(&run, said, writing) => told,
            settled = settle(&incoming, &run) => settled,
        }
    };
    let result = tokio::select! {
        result = conversation => result,
        () = over.cancelled() => Ok(()),
        () = ended.cancelled() => Ok(()),
    };
    over.cancel();
    let settled = off_thread(move || {
        incoming.settle(&run)?;
        incoming.changed();
        Ok(())
    });
    settled.await.map_err(io::Error::other)?;
    result
}

/// Takes what the sender tells, until it hangs up.
async fn hear(
    incoming: &Arc<Incoming>,
    run: &Arc<Run>,
    mut stream: impl AsyncRead + Unpin,
) -> io::Result<()> {
    loop {
        match timeout(SILENCE, frame::read(&mut stream)).await?? {
            None => return Ok(()),
            Some(FromSender::Pulse) => {}
            Some(FromSender::AllEntries) => run.tell_all(),
            Some(FromSender::Lost { entry, why }) => {
                incoming.lost(run, entry, why);
            }
            Some(FromSender::Pace(limit)) => run.flow().tell(limit),
            Some(FromSender::LostItem { item, why }) => incoming.lost_item(item, why),
            Some(FromSender::Entries(entries)) => {
                let (incoming, taking) = (Arc::clone(incoming), Arc::clone(run));
                let taken = off_thread(move || Ok(incoming.take_entries(&taking, entries)));
                if let Err(error) = taken.await.map_err(io::Error::other)? {
                    return end(run, error).await;
                }
            }
        }
    }
}

/// Ends the transfer's run with a word, and leaves the sender some time to hear it.
async fn end(run: &Run, error: ApiError) -> io::Result<()> {
    run.say(FromReceiver::Ended(problem(error)));
    tokio::time::sleep(FAREWELL).await;
    Ok(())
}

/// Says what there is to say.
async fn tell(
    run: &Run,
    mut said: mpsc::UnboundedReceiver<FromReceiver>,
    mut stream: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let mut every = interval(TELL_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = 0;
    loop {
        let word = tokio::select! {
            word = said.recv() => match word {
                Some(word) => word,
                None => return Ok(()),
            },
            _ = every.tick() => match run.got() {
                bytes if bytes == told => continue,
                bytes => {
                    told = bytes;
                    FromReceiver::Got { bytes }
                }
            },
        };
        frame::write(&mut stream, &word).await?;
    }
}

/// Settles what came, whenever it is worth it, until everything is in its place and the sender was told.
async fn settle(incoming: &Arc<Incoming>, run: &Arc<Run>) -> io::Result<()> {
    let mut every = interval(SETTLE_EVERY);
    every.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = run.wake.notified() => {}
            _ = every.tick() => {}
        }
        let (settling, of) = (Arc::clone(incoming), Arc::clone(run));
        match off_thread(move || settling.settle(&of)).await {
            Ok(()) if run.is_done() => {
                run.say(FromReceiver::Finished);
                tokio::time::sleep(FAREWELL).await;
                return Ok(());
            }
            Ok(()) => {}
            Err(error @ WriteError::NoSpace) => {
                incoming.hold_for_room(u64::from(PIECE));
                return end(run, error.into()).await;
            }
            Err(error) => return end(run, error.into()).await,
        }
    }
}

impl Incoming {
    /// The sender cannot send an entry: the rest of its item comes.
    fn lost(&self, run: &Run, entry: u32, why: Problem) {
        let Some(slot) = run.told_of(entry) else { return };
        self.with_item(slot.entry.item, |item| item.error = Some(crate::transfer::error(why)));
        run.withdraw(&slot);
        self.changed();
    }

    /// The sender cannot send an item. That it is not whole is found when it is settled; why, is told here.
    fn lost_item(&self, item: u16, why: Problem) {
        self.with_item(item, |item| item.error = Some(crate::transfer::error(why)));
        self.changed();
    }
}

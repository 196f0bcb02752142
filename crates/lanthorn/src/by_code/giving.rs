//! The giver: shows a code, waits, and hands over to whoever comes with it, as often as was said. A code stays the same from
//! one taker to the next; a wrong guess burns it, and another is shown.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent::transfer::outgoing::{RateLimit, Source};
use anyhow::Result;
use peer::code::{Code, CodeError, Met, Waiting};
use peer::{DeviceKey, Endpoint};
use proto::wire::by_code::Offer;
use proto::{ApiError, ErrorCode};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::handing::{Ended, Handing};
use super::places::Place;
use super::says::Says;
use crate::report::{Interrupted, failure};

/// How many wrong guesses are taken before somebody has to look into it.
const MAX_GUESSES: u32 = 5;
/// How long the rendezvous may be away.
const PATIENCE: u32 = 30;
const RETRY_EVERY: Duration = Duration::from_secs(2);
/// How long takers have to hear that it is over.
const FAREWELL: Duration = Duration::from_secs(2);

/// What is given, and to how many.
pub struct Giver {
    pub key: DeviceKey,
    pub endpoint: Endpoint,
    pub place: Place,
    pub offer: Offer,
    pub sources: Vec<Source>,
    pub rate_limit: Option<Arc<RateLimit>>,
    pub downloads: u32,
    pub until: Instant,
    pub link: Option<String>,
    pub says: Says,
    /// It is over for everybody.
    pub revoked: CancellationToken,
}

/// How many have it, and who is taking it.
struct Book {
    left: u32,
    takers: JoinSet<Ended>,
    /// Of each that takes: whether bytes can flow now, and how to end it.
    slots: Vec<(Arc<AtomicBool>, tokio::task::AbortHandle)>,
    guesses: u32,
    tries: u32,
}

impl Giver {
    /// Waits until all have it. Whoever is taking it when it ends before is told so.
    pub async fn run(self) -> Result<()> {
        let giver = Arc::new(self);
        let mut book =
            Book { left: giver.downloads, takers: JoinSet::new(), slots: Vec::new(), guesses: 0, tries: 0 };
        let ended = giver.give(&mut book).await;
        giver.revoked.cancel();
        let takers = async { while book.takers.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(FAREWELL, takers).await;
        ended
    }

    async fn give(self: &Arc<Self>, book: &mut Book) -> Result<()> {
        let giver = self;
        let mut code = None;
        while book.left > 0 {
            let waiting = match giver.publish(code.as_ref()).await {
                Ok(waiting) => waiting,
                Err(CodeError::Crowded) => {
                    code = None;
                    giver.retry(book, &CodeError::Crowded).await?;
                    continue;
                }
                Err(error) => {
                    giver.retry(book, &error).await?;
                    continue;
                }
            };
            book.tries = 0;
            if code.as_ref() != Some(waiting.code()) {
                giver.says.code(&waiting.code().to_string(), giver.link.as_deref(), &giver.place)?;
            }
            code = Some(waiting.code().clone());
            match giver.wait(waiting, book).await? {
                None => return Ok(()),
                Some(Ok(met)) => giver.begin(met, book).await,
                // Nobody had come yet.
                Some(Err(CodeError::Lost(error))) => {
                    giver.retry(book, &CodeError::Lost(error)).await?;
                }
                Some(Err(error)) => {
                    code = None;
                    giver.burnt(book, &error)?;
                }
            }
        }
        Ok(())
    }

    async fn publish(&self, before: Option<&Code>) -> Result<Waiting, CodeError> {
        Waiting::offer(self.place.enter().await?, before).await
    }

    /// Waits for somebody with the code; none once all have it.
    async fn wait(&self, waiting: Waiting, book: &mut Book) -> Result<Option<Result<Met, CodeError>>> {
        let closer = waiting.closer();
        let mut meeting = Box::pin(waiting.meet());
        let mut recheck = self.until;
        let end = loop {
            tokio::select! {
                met = &mut meeting => return Ok(Some(met)),
                Some(ended) = book.takers.join_next(), if !book.takers.is_empty() => {
                    book.tidy();
                    if self.ended(ended.unwrap_or(Ended::Away), book) {
                        break Ok(None);
                    }
                }
                // Whoever is at it by then may finish.
                () = tokio::time::sleep_until(recheck) => match book.busy() {
                    0 => break Err(over()),
                    _ => recheck = Instant::now() + RETRY_EVERY,
                },
                told = tokio::signal::ctrl_c() => break told.map_err(Into::into).and(Err(Interrupted.into())),
            }
        };
        // Nobody need come any more, and whoever comes hears so at once.
        closer.cancel();
        let _ = meeting.await;
        end
    }

    /// Hands over to somebody who came, if there is some left.
    async fn begin(self: &Arc<Self>, met: Met, book: &mut Book) {
        book.tidy();
        // Who was interrupted comes again: what is not connected makes room.
        let (giver, connected) = (Arc::clone(self), Arc::<AtomicBool>::default());
        let refusal = match () {
            () if Instant::now() > self.until => Some(expired()),
            () if book.busy() >= book.left as usize => Some(taken()),
            () => None,
        };
        if let Some(refusal) = refusal {
            book.takers.spawn(async move { giver.handing(met, connected).refuse(refusal).await });
            return;
        }
        if book.slots.len() >= book.left as usize {
            book.slots.retain(|(connected, task)| {
                let stays = connected.load(Ordering::Relaxed);
                if !stays {
                    task.abort();
                }
                stays
            });
        }
        self.says.event("met", json!({}), "Somebody came with the code.");
        let handing = giver.handing(met, Arc::clone(&connected));
        let task = book.takers.spawn(handing.run(Arc::clone(self)));
        book.slots.push((connected, task));
    }

    fn handing(&self, met: Met, connected: Arc<AtomicBool>) -> Handing {
        Handing { met, connected, mailbox_is_there: true }
    }

    /// True once all have it.
    fn ended(&self, ended: Ended, book: &mut Book) -> bool {
        match ended {
            Ended::Delivered => {
                book.left -= 1;
                book.left == 0
            }
            Ended::Declined => {
                self.says.event(
                    "declined",
                    json!({}),
                    "The receiver does not want it. The code is still good.",
                );
                false
            }
            Ended::Failed(error) => {
                let sentence = format!("{} {} The code is still good.", error.message, error.hint);
                self.says.event("failed", json!({ "error": error }), &sentence);
                false
            }
            Ended::Away => {
                self.says.event("away", json!({}), "The receiver is away. The code is still good.");
                false
            }
            Ended::Refused => false,
        }
    }

    /// Somebody had another code, or did not prove to have this one.
    fn burnt(&self, book: &mut Book, error: &CodeError) -> Result<()> {
        book.guesses += 1;
        if book.guesses >= MAX_GUESSES {
            return Err(failure(
                ErrorCode::WrongCode,
                "Wrong codes were tried again and again: nothing was sent.",
                "Somebody may be guessing. Use another rendezvous (--rendezvous), or name the machine: --to DEVICE",
            ));
        }
        tracing::debug!(%error, "burnt");
        self.says.event(
            "burnt",
            json!({ "guesses": book.guesses }),
            "Somebody came with a wrong code. The code is burnt; here is another.",
        );
        Ok(())
    }

    async fn retry(&self, book: &mut Book, error: &CodeError) -> Result<()> {
        book.tries += 1;
        if book.tries > PATIENCE {
            return Err(unreachable(&self.place, error));
        }
        if book.tries == 1 && !matches!(error, CodeError::Crowded) {
            let sentence = format!("The rendezvous is away ({error}); trying again.");
            self.says.event("rendezvous_away", json!({}), &sentence);
        }
        tokio::select! {
            () = tokio::time::sleep(RETRY_EVERY) => Ok(()),
            told = tokio::signal::ctrl_c() => told.map_err(Into::into).and(Err(Interrupted.into())),
        }
    }
}

impl Book {
    /// How many take it now.
    fn busy(&self) -> usize {
        self.slots.iter().filter(|(connected, _)| connected.load(Ordering::Relaxed)).count()
    }

    fn tidy(&mut self) {
        self.slots.retain(|(_, task)| !task.is_finished());
    }
}

/// A rendezvous that does not serve.
pub fn unreachable(place: &Place, error: &CodeError) -> anyhow::Error {
    let why = std::error::Error::source(error).map_or_else(String::new, |why| format!(" ({why})"));
    failure(
        ErrorCode::DeviceUnreachable,
        format!("{} cannot be used as a rendezvous: {error}{why}.", place.name),
        "See that Lanthorn runs there, or name another: --rendezvous ADDRESS",
    )
}

fn over() -> anyhow::Error {
    failure(
        ErrorCode::Gone,
        "Nobody took it in time: the code is over.",
        "Send it again, with a longer --expires.",
    )
}

fn expired() -> ApiError {
    ApiError::new(ErrorCode::Gone, "The code is over.", "Ask for another one.")
}

fn taken() -> ApiError {
    ApiError::new(
        ErrorCode::TooMany,
        "Somebody else is taking it, and no more downloads are left.",
        "If that was you, try again in half a minute; or ask for a code with more --downloads.",
    )
}

//! Where somebody waits with a code: the taker looks in all places at once. A number may be in use at two of them, and to try
//! it at the wrong one would burn somebody else's code: then the taker is asked which one is meant.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use peer::code::{Code, CodeError, Mailbox};
use proto::ErrorCode;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

use super::giving::unreachable;
use super::places::{self, Place};
use crate::config::Config;
use crate::report::failure;

/// Whoever is on this network has answered by then …
const LOOK: Duration = Duration::from_millis(1200);
/// … or to the next question.
const LOOK_LONGER: Duration = Duration::from_secs(4);
/// Places that were found and not looked at.
const QUEUE: usize = 32;

/// A place where somebody waits under the number.
struct Candidate {
    place: Place,
    mailbox: Mailbox,
}

/// Goes to the place where somebody waits with this code.
pub async fn find(config: &Config, typed: Option<&str>, code: &Code) -> Result<(Place, Mailbox)> {
    if let Some(typed) = typed {
        let place = Place::typed(typed)?;
        return match place.enter().await {
            Ok(mailbox) => Ok((place, mailbox)),
            Err(error) => Err(unreachable(&place, &error)),
        };
    }
    let mut found = look(config, code.nameplate().to_owned());
    let begun = Instant::now();
    let (mut candidates, mut seen) = (Vec::new(), HashSet::new());
    loop {
        let until = begun + if candidates.is_empty() { LOOK_LONGER } else { LOOK };
        let Ok(Some(candidate)) = timeout_at(until, found.recv()).await else { break };
        let id = candidate.mailbox.offers().map(|offers| offers.id.clone());
        // The same one is found in several ways.
        if id.is_none_or(|id| seen.insert(id)) {
            candidates.push(candidate);
        }
    }
    match candidates.len() {
        0 => Err(nobody(code)),
        1 => candidates.pop().map(|one| (one.place, one.mailbox)).ok_or_else(|| nobody(code)),
        _ => Err(ambiguous(code, &candidates)),
    }
}

fn look(config: &Config, nameplate: String) -> mpsc::Receiver<Candidate> {
    let (sender, receiver) = mpsc::channel(QUEUE);
    for place in places::remembered(config) {
        tokio::spawn(look_at(place, nameplate.clone(), sender.clone()));
    }
    if config.discovery
        && let Ok(mut around) = peer::discovery::discover()
    {
        tokio::spawn(async move {
            while let Some(one) = around.recv().await {
                for place in places::found(&one) {
                    tokio::spawn(look_at(place, nameplate.clone(), sender.clone()));
                }
            }
        });
    }
    receiver
}

async fn look_at(place: Place, nameplate: String, found: mpsc::Sender<Candidate>) {
    let looked = async {
        let mut mailbox = place.enter().await?;
        let is_there = mailbox.list().await?.contains(&nameplate);
        Ok::<_, CodeError>(is_there.then_some(mailbox))
    };
    match looked.await {
        Ok(Some(mailbox)) => {
            let _ = found.send(Candidate { place, mailbox }).await;
        }
        Ok(None) => {}
        Err(error) => tracing::debug!(?place, %error, "no rendezvous"),
    }
}

/// Nobody waits with it anywhere.
pub fn nobody(code: &Code) -> anyhow::Error {
    failure(
        ErrorCode::NotFound,
        format!("Nobody waits with a code that begins with {}.", code.nameplate()),
        "See that `lanthorn send` still runs there, on the same network; or name where it waits: --rendezvous ADDRESS",
    )
}

fn ambiguous(code: &Code, candidates: &[Candidate]) -> anyhow::Error {
    let names: Vec<&str> = candidates.iter().map(|one| one.place.name.as_str()).collect();
    failure(
        ErrorCode::Conflict,
        format!("Codes that begin with {} wait at {}.", code.nameplate(), names.join(" and ")),
        "Say which one is meant, as `lanthorn send` shows it: --rendezvous ADDRESS. Nothing was tried.",
    )
}

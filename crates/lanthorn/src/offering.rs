//! Which of this machine's shares a coordinator is offered: as it is typed, asked and kept. What is kept a running Lanthorn
//! follows.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, Result};
use proto::api::catalog::{Share, Shares};
use proto::{ErrorCode, Offered, ShareId};

use crate::config::Config;
use crate::places::choose;
use crate::report::failure;
use crate::signed_in::SignedIn;

/// How often it is asked again what was not understood.
const MAX_TRIES: u32 = 3;

/// The shares of this machine, which its own coordinator knows.
pub async fn own_shares(config: &Config) -> Result<Vec<Share>> {
    let at = SignedIn::open(config, None).await?;
    let shares: Shares =
        at.get(&format!("/api/v1/catalog/shares?inbox=true&device_id={}", at.device())).await?;
    Ok(shares.shares)
}

/// The share of this machine that was typed.
pub fn own_share<'a>(all: &'a [Share], typed: &str) -> Result<&'a Share> {
    choose("share of this machine", typed, all, |share| &share.name, |share| share.id.to_string())
}

/// These shares and no others.
pub fn only<'a>(all: &[Share], typed: impl IntoIterator<Item = &'a str>) -> Result<Offered> {
    let ids: Result<BTreeSet<ShareId>> = typed.into_iter().map(|name| Ok(own_share(all, name)?.id)).collect();
    ids.map(Offered::Only)
}

/// What was answered to the question what to offer.
fn answered(all: &[Share], answer: &str) -> Result<Offered> {
    match answer.trim() {
        "" | "a" | "all" => Ok(Offered::All),
        "n" | "none" => Ok(Offered::Only(BTreeSet::new())),
        names => only(all, names.split(',').map(str::trim)),
    }
}

/// True if somebody sits in front of this.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks what a coordinator shall be offered.
pub async fn ask(coordinator: &str, all: &[Share]) -> Result<Offered> {
    let names: Vec<_> = all.iter().map(|share| share.name.as_str()).collect();
    let question = format!(
        "This machine shares: {}\nWhoever owns {coordinator} can look into what it is offered, and let others.\n\
         Offer it [a]ll, also what is shared later, [n]one, or names with commas between? [a] ",
        names.join(", "),
    );
    for _ in 1..MAX_TRIES {
        match answered(all, &line(question.clone()).await?) {
            Ok(offered) => return Ok(offered),
            Err(error) => crate::print::remark(&format!("{error:#}")),
        }
    }
    answered(all, &line(question).await?)
}

/// Asks and reads one line. On a thread of its own, which nobody waits for when Ctrl-C ends the command.
pub async fn line(question: String) -> Result<String> {
    let (told, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let read = || {
            let mut err = io::stderr().lock();
            err.write_all(question.as_bytes()).and_then(|()| err.flush())?;
            let mut text = String::new();
            io::stdin().lock().read_line(&mut text).map(|read| (read, text))
        };
        // Nobody listens any more where the command was ended.
        let _ = told.send(read());
    });
    match answer.await.context("the question was not put")?? {
        (0, _) => Err(failure(
            ErrorCode::BadRequest,
            "The question was not answered.",
            "Say it on the command line; `lanthorn pair --help` tells how.",
        )),
        (_, text) => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::{DeviceId, Permissions};

    fn share(name: &str) -> Share {
        Share {
            id: ShareId::generate(),
            device_id: DeviceId::from_public_key([1; 32]),
            name: name.into(),
            read_only: false,
            inbox: false,
            device_online: true,
            permissions: Permissions::all(),
            folder: None,
        }
    }

    #[test]
    fn an_answer_is_all_none_or_names() {
        let all = [share("Films"), share("Old music"), share("Diary")];
        let only = |which: &[usize]| Offered::Only(which.iter().map(|at| all[*at].id).collect());
        for (answer, offered) in [
            ("\n", Offered::All),
            ("a\n", Offered::All),
            ("all", Offered::All),
            ("n\n", only(&[])),
            ("none", only(&[])),
            ("films", only(&[0])),
            (" Films , Old music\n", only(&[0, 1])),
        ] {
            assert_eq!(answered(&all, answer).unwrap(), offered, "{answer:?}");
        }
        for answer in ["Film", "Films,", "Films;Diary", "yes"] {
            assert!(answered(&all, answer).is_err(), "{answer:?} is not what somebody meant by all");
        }
    }
}

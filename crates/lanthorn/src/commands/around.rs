//! `lanthorn pair` without an address: the coordinators that there are, and which of them is meant.

use std::io::{IsTerminal, Write};
use std::path::Path;

use anyhow::{Context, Result};
use proto::ErrorCode;
use serde::Serialize;
use serde_json::json;

use crate::config::Config;
use crate::membership::Memberships;
use crate::nearby;
use crate::print::{self, Align, Table};
use crate::report::failure;

/// A coordinator that could be joined, or was.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Known {
    id: String,
    name: String,
    url: String,
    /// It has just answered on this network.
    found: bool,
    /// Whose machine this is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    joined_as: Option<String>,
}

/// Shows the coordinators there are and asks which one is meant. Nobody is asked where nobody could answer.
pub async fn choose(config: &Config, json: bool) -> Result<Option<String>> {
    let mut all = remembered(&config.homes.state)?;
    if config.discovery {
        let own = coordinator::coordinator_id(&config.homes.state)?;
        match nearby::look().await {
            Ok(found) => add(&mut all, found, own.as_deref()),
            Err(_) => {
                print::remark("This machine is on no network on which coordinators could be looked for.")
            }
        }
    }
    if json {
        return print::json(&json!({ "coordinators": all })).map(|()| None);
    }
    if all.is_empty() {
        return Err(failure(
            ErrorCode::NotFound,
            "No coordinator was found on this network, and this machine has joined none.",
            "Name its address, as its terminal or page shows it: lanthorn pair ADDRESS",
        ));
    }
    show(&all)?;
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        return tokio::task::spawn_blocking(move || ask(&all)).await?;
    }
    print::remark("Join one with: lanthorn pair ADDRESS");
    Ok(None)
}

/// Those that this machine has joined.
fn remembered(state: &Path) -> Result<Vec<Known>> {
    let joined = Memberships::read(state)?.memberships.into_iter();
    let known = joined.map(|joined| Known {
        url: joined.coordinator.urls.first().cloned().unwrap_or_default(),
        id: joined.coordinator.id,
        name: joined.coordinator.name,
        found: false,
        joined_as: Some(joined.display_name),
    });
    Ok(known.collect())
}

/// Adds those that were found, but this machine's own.
fn add(all: &mut Vec<Known>, found: Vec<peer::discovery::Found>, own: Option<&str>) {
    for one in found {
        let Some(url) = one.urls().next() else { continue };
        let (id, name) = (one.said.coordinator, one.said.name);
        if own == Some(id.as_str()) {
            continue;
        }
        match all.iter_mut().find(|known| known.id == id) {
            Some(known) => (known.url, known.found) = (url, true),
            None => all.push(Known { id, name, url, found: true, joined_as: None }),
        }
    }
}

fn show(all: &[Known]) -> Result<()> {
    let columns = [("", Align::Right), ("NAME", Align::Left), ("ADDRESS", Align::Left), ("", Align::Left)];
    let mut table = Table::new(&columns);
    for (number, known) in (1..).zip(all) {
        table.row([format!("{number}"), known.name.clone(), known.url.clone(), state(known)]);
    }
    table.print()
}

fn state(known: &Known) -> String {
    match (&known.joined_as, known.found) {
        (Some(owner), true) => format!("joined, as {owner}'s machine"),
        (Some(owner), false) => format!("joined, as {owner}'s machine; does not answer on this network"),
        (None, _) => "on this network".into(),
    }
}

/// Asks on the terminal. No answer is one too.
#[expect(clippy::print_stdout, reason = "this is a question")]
fn ask(all: &[Known]) -> Result<Option<String>> {
    print!("\nWhich one? (1 to {}, or an address; nothing joins none) ", all.len());
    std::io::stdout().flush()?;
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed).context("nobody can be asked")?;
    chosen(typed.trim(), all)
}

fn chosen(typed: &str, all: &[Known]) -> Result<Option<String>> {
    match typed.parse::<usize>() {
        _ if typed.is_empty() => Ok(None),
        Ok(number) => match number.checked_sub(1).and_then(|at| all.get(at)) {
            Some(known) => Ok(Some(known.url.clone())),
            None => Err(failure(
                ErrorCode::BadParameter,
                format!("There is no number {number}."),
                format!("Choose from 1 to {}.", all.len()),
            )),
        },
        Err(_) => Ok(Some(typed.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use peer::discovery::{Found, Said, Serves};

    fn found(id: &str, name: &str, address: &str) -> Found {
        let said =
            Said { coordinator: id.into(), name: name.into(), https: true, serves: Serves::Coordinator };
        Found { said, addresses: vec![address.parse().unwrap()] }
    }

    fn known() -> Vec<Known> {
        let joined_as = Some("Ada".to_owned());
        let url = "https://10.0.0.2:7000".to_owned();
        let mut all = vec![Known { id: "a".into(), name: "Attic".into(), url, found: false, joined_as }];
        let around =
            [("a", "Attic", "10.0.0.9:7000"), ("b", "Barn", "10.0.0.3:7000"), ("own", "", "10.0.0.4:7000")];
        let around = around.map(|(id, name, address)| found(id, name, address));
        add(&mut all, around.into(), Some("own"));
        all
    }

    #[test]
    fn one_that_was_joined_and_is_found_is_one_and_this_machine_is_none() {
        let all = known();
        let shown: Vec<_> = all.iter().map(|known| (known.url.as_str(), state(known))).collect();
        assert_eq!(
            shown,
            [
                ("https://10.0.0.9:7000", "joined, as Ada's machine".into()),
                ("https://10.0.0.3:7000", "on this network".into())
            ]
        );
    }

    #[test]
    fn a_number_or_an_address_is_an_answer() {
        let all = known();
        for (typed, target) in [
            ("", Some(None)),
            ("2", Some(Some("https://10.0.0.3:7000"))),
            ("attic:7010", Some(Some("attic:7010"))),
            ("0", None),
            ("3", None),
        ] {
            let expected = target.map(|target| target.map(str::to_owned));
            assert_eq!(chosen(typed, &all).ok(), expected, "{typed:?}");
        }
    }
}

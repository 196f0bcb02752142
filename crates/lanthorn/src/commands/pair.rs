//! `lanthorn pair`: this machine joins a coordinator, or tells which ones it has joined.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use peer::DeviceKey;
use proto::api::pairing::{Claim, ClaimPairing, PairingStarted, StartPairing, claim_text};
use proto::{base64url, words};
use time::OffsetDateTime;

use super::around;
use crate::client::{Address, Client, Connector, Trusted};
use crate::config::{self, Config};
use crate::device;
use crate::membership::{Membership, Memberships};
use crate::settings::Settings;

/// How often it is asked whether somebody has confirmed.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// How many times in a row the coordinator may not answer.
const MAX_FAILURES: u32 = 10;

/// What was typed after `pair`.
#[derive(Debug, Args)]
pub struct Pair {
    /// The coordinator's address, as its terminal or page shows it, or an invitation. Without it, the coordinators on the
    /// local network and those that this machine has joined are shown to choose from.
    #[arg(value_name = "ADDRESS")]
    target: Option<String>,
    /// Only list the coordinators, as one JSON document.
    #[arg(long, conflicts_with = "target")]
    json: bool,
    /// Who uses this machine, as a proposal to whoever confirms.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
}

/// Joins the coordinator that was named, or is chosen from those that there are.
pub fn run(pair: &Pair, settings: &Settings) -> Result<()> {
    let config = config::resolve(settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        tokio::select! {
            joined = choose_and_join(&config, pair) => joined,
            _ = tokio::signal::ctrl_c() => bail!("cancelled; nothing was joined"),
        }
    });
    // A question on the terminal that nobody answers any more is not waited for.
    runtime.shutdown_background();
    ended
}

async fn choose_and_join(config: &Config, pair: &Pair) -> Result<()> {
    let target = match &pair.target {
        Some(target) => Some(target.clone()),
        None => around::choose(config, pair.json).await?,
    };
    match target {
        Some(target) => join(config, &target, pair.user.clone()).await,
        None => Ok(()),
    }
}

/// From the first question to the membership on disk.
async fn join(config: &Config, target: &str, user: Option<String>) -> Result<()> {
    let address = Address::parse(target)?;
    let key = device::load_or_make(&config.homes.state)?;
    let started = start(config, &address, &key, target, user).await?;
    // What is shown is made here, from what this machine saw. Somebody in between cannot make it the same.
    let shown = words::pairing_words(&started.coordinator, key.id(), &started.pending_pairing_id);
    show(&started, &shown);
    let membership = claim(&address, &key, &started).await?;
    let name = membership.coordinator.name.clone();
    let owner = membership.display_name.clone();
    let mut all = Memberships::read(&config.homes.state)?;
    all.add(membership);
    all.write(&config.homes.state)?;
    say_joined(&config.device_name, &name, &owner);
    Ok(())
}

async fn start(
    config: &Config,
    address: &Address,
    key: &DeviceKey,
    target: &str,
    user: Option<String>,
) -> Result<PairingStarted> {
    let client = Client::new(&Connector::new(address.clone(), &Trusted::AnyoneYet)?);
    let invite = target.split_once('#').map(|_| target.to_owned());
    let asked = StartPairing {
        display_name: user.unwrap_or_else(user_name),
        device_name: config.device_name.clone(),
        platform: std::env::consts::OS.into(),
        public_key: key.id(),
        invite,
    };
    let started: PairingStarted = client.post("/api/v1/pairing/start", &asked).await?;
    let keys = &started.coordinator;
    let pinned = keys.ticket_keys.iter().any(|text| {
        let key = base64url::decode_exactly(text).map(proto::ticket::PublicKey::from_bytes);
        key.is_some_and(|key| key.id() == keys.id)
    });
    ensure!(pinned, "the coordinator's id is not that of its key");
    Ok(started)
}

/// Whoever is signed in on this machine.
fn user_name() -> String {
    let named = ["USER", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "Somebody".into())
}

#[expect(clippy::print_stdout, reason = "this is what the user compares and types")]
fn show(started: &PairingStarted, words: &[&str]) {
    let name = &started.coordinator.name;
    println!("Joining {name}\n");
    if let Some(code) = &started.pairing_code {
        println!("  Code    {code}");
    }
    println!("  Words   {}\n", words.join("  "));
    match started.pairing_code {
        Some(_) => println!("Type the code into the page of {name}, see the same words there, and confirm."),
        None => println!("The invitation lets this machine in."),
    }
    let minutes = (started.expires_at - OffsetDateTime::now_utc()).whole_minutes().clamp(1, 60);
    println!("The code is good for {minutes} minutes. Ctrl-C cancels.");
}

#[expect(clippy::print_stdout, reason = "this is what the user waits for")]
fn say_joined(device: &str, coordinator: &str, owner: &str) {
    println!("\n{device} has joined {coordinator}, as {owner}'s machine.");
    println!("What it shares is seen there as long as Lanthorn runs here.");
}

/// Asks until somebody has confirmed. From here on the coordinator has to prove itself by what it said it was.
async fn claim(address: &Address, key: &DeviceKey, started: &PairingStarted) -> Result<Membership> {
    let authority = started.coordinator.authority.as_deref().context(
        "this coordinator shows a certificate of its owner's own, which cannot be pinned; \
         start it without --certificate to let machines join",
    )?;
    let client = Client::new(&Connector::new(address.clone(), &Trusted::Authority(authority))?);
    let text = claim_text(&started.pending_pairing_id, &started.challenge);
    let question = ClaimPairing {
        pending_pairing_id: started.pending_pairing_id.clone(),
        signature: base64url::encode(&key.sign(&text)),
    };
    let mut failures = 0;
    loop {
        match client.post::<Claim>("/api/v1/pairing/claim", &question).await {
            Ok(Claim::Waiting) => failures = 0,
            Ok(paired @ Claim::Paired { .. }) => return keep(paired, address, key, started),
            Err(error) if error.is::<crate::client::Refused>() => return Err(error),
            Err(error) if failures == MAX_FAILURES => return Err(error),
            Err(_) => failures += 1,
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// What is kept: exactly the coordinator whose words were compared, and first the address at which it was found.
fn keep(claim: Claim, address: &Address, key: &DeviceKey, started: &PairingStarted) -> Result<Membership> {
    let Claim::Paired { principal_id, display_name, client_device_id, coordinator } = claim else {
        bail!("nobody has confirmed");
    };
    let before = &started.coordinator;
    let same = coordinator.id == before.id
        && coordinator.ticket_keys == before.ticket_keys
        && coordinator.authority == before.authority;
    ensure!(same && client_device_id == key.id(), "the coordinator is not the one whose words were compared");
    let mut coordinator = coordinator;
    coordinator.urls.retain(|url| Address::parse(url).is_ok_and(|known| known != *address));
    coordinator.urls.insert(0, address.url());
    let joined = OffsetDateTime::now_utc();
    Ok(Membership { coordinator, principal_id, display_name, client_device_id, joined })
}

//! `lanthorn pair`: this machine joins a coordinator, or tells which ones it has joined.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use peer::DeviceKey;
use proto::api::auth::Status;
use proto::api::pairing::{Claim, ClaimPairing, CoordinatorKeys, PairingStarted, StartPairing, claim_text};
use proto::{CertificatePin, DeviceId, ErrorCode, Offered, base64url, pairing_proof, words};
use serde_json::json;
use time::OffsetDateTime;

use super::around;
use crate::cli::Typed;
use crate::client::{Address, Client, Connector, Refused};
use crate::config::{self, Config};
use crate::membership::{Membership, Memberships, Proof};
use crate::print;
use crate::report::{Interrupted, failure};
use crate::trusted::{Trusted, pin_of_first};
use crate::{device, offering, signed_in};

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
    /// The words of an invitation that was read out. The link is safer: it says whom to believe.
    #[arg(long, value_name = "WORDS", requires = "target")]
    invite: Option<String>,
    /// Who uses this machine, as a proposal to whoever confirms.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Offer this share of this machine there; repeat for more. Asked on a terminal; all, if nothing is said.
    #[arg(long = "share", value_name = "NAME", conflicts_with_all = ["no_shares", "all_shares"])]
    shares: Vec<String>,
    /// Offer no share of this machine there.
    #[arg(long, conflicts_with = "all_shares")]
    no_shares: bool,
    /// Offer all shares of this machine there, also those that come later.
    #[arg(long)]
    all_shares: bool,
    /// Believe a certificate that the coordinator's owner brought, if one of these authorities (PEM) vouches for it.
    #[arg(long, value_name = "FILE")]
    roots: Option<PathBuf>,
    /// Answer with one JSON document.
    #[arg(long)]
    json: bool,
}

/// Joins the coordinator that was named, or is chosen from those that there are.
pub fn run(pair: &Pair, typed: &Typed) -> Result<()> {
    let config = config::resolve(&typed.settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        tokio::select! {
            joined = pair.choose_and_join(&config) => joined,
            told = tokio::signal::ctrl_c() => told.map_err(Into::into).and(Err(Interrupted.into())),
        }
    });
    // A question on the terminal that nobody answers any more is not waited for.
    runtime.shutdown_background();
    ended
}

/// An invitation: what lets the machine in, and by which certificate its coordinator is known.
#[derive(Debug, PartialEq, Eq)]
struct Invitation {
    text: String,
    pin: Option<CertificatePin>,
}

impl Invitation {
    /// The one in a link, or the one that was typed beside the address.
    fn of(target: &str, typed: Option<&str>) -> Option<Self> {
        let text = typed.or(target.split_once('#').map(|(_, secret)| secret))?;
        let (_, pin) = CertificatePin::split(text);
        Some(Self { text: text.to_owned(), pin })
    }
}

impl Pair {
    async fn choose_and_join(&self, config: &Config) -> Result<()> {
        let target = match &self.target {
            Some(target) => Some(target.clone()),
            None => around::choose(config, self.json).await?,
        };
        match target {
            Some(target) => self.join(config, &target).await,
            None => Ok(()),
        }
    }

    /// From the first question to the membership on disk.
    async fn join(&self, config: &Config, target: &str) -> Result<()> {
        let address = Address::parse(target).map_err(|error| {
            failure(ErrorCode::BadParameter, format!("{error:#}."), "Write it as its page shows it.")
        })?;
        let key = device::load_or_make(&config.homes.state)?;
        let invitation = Invitation::of(target, self.invite.as_deref());
        let name = device_name(config).await;
        let started = self.start(&name, &address, &key, invitation.as_ref()).await?;
        print::remark_on_clock(started.time);
        let proof = self.proof(&address, &started.coordinator).await?;
        let offered = self.offered(config, &started.coordinator.name).await?;
        // What is shown is made here, from what this machine saw. Somebody in between cannot make it the same.
        let words = words::pairing_words(&started.coordinator, key.id(), &started.pending_pairing_id);
        let said_later =
            invitation.filter(|invitation| invitation.pin.is_none()).map(|invitation| invitation.text);
        self.show(&started, &words, said_later.is_some())?;
        if said_later.is_some() {
            compared().await?;
        }
        let mut membership = claim(&address, &key, &started, &proof, said_later).await?;
        (membership.proof, membership.offered) = (proof, offered);
        Memberships::change(&config.homes.state, |all| all.add(membership.clone()))?;
        self.say_joined(&name, &membership)
    }

    /// Begins. An invitation is said only to who has proved to be the one that it is from.
    async fn start(
        &self,
        name: &str,
        address: &Address,
        key: &DeviceKey,
        invitation: Option<&Invitation>,
    ) -> Result<PairingStarted> {
        let pin = invitation.and_then(|invitation| invitation.pin);
        let trusted = pin.map_or(Trusted::AnyoneYet, Trusted::Pinned);
        let client = Client::new(&Connector::new(address.clone(), trusted)?);
        let asked = StartPairing {
            display_name: self.user.clone().unwrap_or_else(user_name),
            device_name: name.to_owned(),
            platform: std::env::consts::OS.into(),
            public_key: key.id(),
            invite: invitation.filter(|_| pin.is_some()).map(|invitation| invitation.text.clone()),
        };
        let started: PairingStarted = client.post("/api/v1/pairing/start", &asked).await?;
        check_keys(&started, key.id(), pin)?;
        Ok(started)
    }

    /// What has to stand behind the coordinator's certificate from now on.
    async fn proof(&self, address: &Address, keys: &CoordinatorKeys) -> Result<Proof> {
        if let Some(path) = &self.roots {
            let pem =
                std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
            // Whoever names authorities means them and nothing else.
            answers(address, Trusted::Authority(&pem)).await?;
            return Ok(Proof::Roots { pem });
        }
        match keys.certificate {
            None => Ok(Proof::Authority),
            Some(_) if answers(address, Trusted::SystemRoots).await.is_ok() => Ok(Proof::System),
            Some(_) => Ok(Proof::Certificate),
        }
    }

    /// What the coordinator shall be offered.
    async fn offered(&self, config: &Config, coordinator: &str) -> Result<Offered> {
        match () {
            () if self.no_shares => Ok(Offered::Only([].into())),
            () if !self.shares.is_empty() => {
                offering::only(&offering::own_shares(config).await?, self.shares.iter().map(String::as_str))
            }
            () if self.all_shares || !offering::can_ask() => Ok(Offered::All),
            () => match offering::own_shares(config).await {
                Ok(shares) if !shares.is_empty() => offering::ask(coordinator, &shares).await,
                _ => Ok(Offered::All),
            },
        }
    }

    fn show(&self, started: &PairingStarted, words: &[&str], to_be_answered: bool) -> Result<()> {
        let name = &started.coordinator.name;
        let code = started.pairing_code.as_ref().filter(|_| !to_be_answered);
        let mut lines = vec![format!("Joining {name}"), String::new()];
        lines.extend(code.map(|code| format!("  Code    {code}")));
        lines.push(format!("  Words   {}", words.join("  ")));
        lines.push(String::new());
        lines.push(match code {
            Some(_) => {
                format!("Type the code into the page of {name}, see the same words there, and confirm.")
            }
            None if to_be_answered => {
                format!("Have somebody look at the page of {name}: it shows four words too.")
            }
            None => "The invitation lets this machine in.".into(),
        });
        let minutes = (started.expires_at - started.time.unwrap_or_else(OffsetDateTime::now_utc))
            .whole_minutes()
            .clamp(1, 60);
        lines.push(format!("There are {minutes} minutes for it. Ctrl-C cancels."));
        lines.iter().try_for_each(|line| self.say(line))
    }

    fn say_joined(&self, device: &str, membership: &Membership) -> Result<()> {
        if self.json {
            return print::json(&document(membership));
        }
        let (name, owner) = (&membership.coordinator.name, &membership.display_name);
        self.say("")?;
        self.say(&format!("{device} has joined {name}, as {owner}'s machine."))?;
        self.say(match &membership.offered {
            Offered::All => "What it shares is seen there as long as Lanthorn runs here.",
            Offered::Only(shares) if shares.is_empty() => "None of its shares is offered there.",
            Offered::Only(_) => "The shares that were named are seen there as long as Lanthorn runs here.",
        })?;
        self.say(&format!("Change that with: lanthorn shares offer|withhold SHARE --to \"{name}\""))
    }

    /// To people: beside the document, where one is wanted.
    fn say(&self, text: &str) -> Result<()> {
        if self.json {
            print::remark(text);
            return Ok(());
        }
        print::line(text)
    }
}

/// What is told of a membership: not the keys.
fn document(membership: &Membership) -> serde_json::Value {
    let Membership { coordinator, principal_id, display_name, joined, offered, .. } = membership;
    json!({
        "id": coordinator.id,
        "name": coordinator.name,
        "urls": coordinator.urls,
        "principal": principal_id,
        "display_name": display_name,
        "joined": joined.format(&time::format_description::well_known::Rfc3339).unwrap_or_default(),
        "offered": offered,
    })
}

/// What this machine is called: as it is typed here, else by what runs on it, else by the settings.
async fn device_name(config: &Config) -> String {
    let running = async {
        let own = signed_in::own(config).ok()?;
        Client::new(&own).get::<Status>("/api/v1/status").await.ok()
    };
    let typed = config.typed.device_name.is_some();
    let running = if typed { None } else { running.await };
    running.map_or_else(|| config.device_name.clone(), |status| status.device_name)
}

/// Whoever is signed in on this machine.
fn user_name() -> String {
    let named = ["USER", "USERNAME"].iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "Somebody".into())
}

/// The coordinator holds the key by which it goes, its keys follow from the one that its id is made of, and it has the
/// certificate that the invitation says.
fn check_keys(started: &PairingStarted, device: DeviceId, pin: Option<CertificatePin>) -> Result<()> {
    let keys = &started.coordinator;
    let (Some(lineage), Some(proof)) = (&started.lineage, &started.proof) else {
        bail!("the coordinator does not prove its keys; it may need an update");
    };
    ensure!(lineage.proves(&keys.id, &keys.ticket_keys), "the coordinator's id is not that of its keys");
    let holds = pairing_proof::holds(keys, device, &started.pending_pairing_id, proof);
    ensure!(holds, "the coordinator does not hold the key by which it goes");
    let its = match &keys.authority {
        Some(pem) => Some(pin_of_first(pem)?),
        None => keys.certificate,
    };
    ensure!(
        its.is_some(),
        "the coordinator does not say by which certificate it is known; it may need an update"
    );
    ensure!(
        pin.is_none() || pin == its,
        "the coordinator goes by another certificate than the invitation says"
    );
    Ok(())
}

/// Fails unless the coordinator proves itself so. Asks for nothing that depends on who asks.
async fn answers(address: &Address, trusted: Trusted<'_>) -> Result<()> {
    let client = Client::new(&Connector::new(address.clone(), trusted)?);
    client.get::<serde_json::Value>("/health").await.map(drop)
}

/// Asks whether the words are the same on both screens. Before that, nobody is told an invitation.
async fn compared() -> Result<()> {
    if !offering::can_ask() {
        return Err(failure(
            ErrorCode::BadParameter,
            "Words of an invitation do not say whom to believe, and nobody is here to compare the four words.",
            "Run this on a terminal, or use the link of the invitation.",
        ));
    }
    let answer = offering::line("Are they the same words there? [y/N] ".into()).await?;
    if matches!(answer.trim(), "y" | "yes" | "Y") {
        return Ok(());
    }
    Err(failure(
        ErrorCode::WrongSignature,
        "The words were not the same: somebody may be in between. Nothing was told to them.",
        "Ask at that machine itself for its address.",
    ))
}

/// Asks until somebody has confirmed. From here on the coordinator has to prove itself by what it said it was.
async fn claim(
    address: &Address,
    key: &DeviceKey,
    started: &PairingStarted,
    proof: &Proof,
    invite: Option<String>,
) -> Result<Membership> {
    let client = Client::new(&Connector::new(address.clone(), proof.of(&started.coordinator)?)?);
    let text = claim_text(&started.pending_pairing_id, &started.challenge);
    let question = ClaimPairing {
        pending_pairing_id: started.pending_pairing_id.clone(),
        signature: base64url::encode(&key.sign(&text)),
        invite,
    };
    let mut failures = 0;
    loop {
        match client.post::<Claim>("/api/v1/pairing/claim", &question).await {
            Ok(Claim::Waiting) => failures = 0,
            Ok(paired @ Claim::Paired { .. }) => return keep(paired, address, key, started),
            Err(error) if error.is::<Refused>() => return Err(error),
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
    // Another key may have been announced meanwhile: the link brings it, and its line.
    let same = coordinator.id == before.id
        && coordinator.authority == before.authority
        && coordinator.certificate == before.certificate;
    ensure!(same && client_device_id == key.id(), "the coordinator is not the one whose words were compared");
    let mut coordinator = CoordinatorKeys { ticket_keys: before.ticket_keys.clone(), ..*coordinator };
    coordinator.urls.retain(|url| Address::parse(url).is_ok_and(|known| known != *address));
    coordinator.urls.insert(0, address.url());
    Ok(Membership {
        coordinator,
        principal_id,
        display_name,
        client_device_id,
        proof: Proof::default(),
        offered: Offered::default(),
        joined: OffsetDateTime::now_utc(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proto::Lineage;
    use proto::ticket::SigningKey;

    #[test]
    fn a_coordinator_goes_by_a_key_that_it_holds() {
        let [attic, other] = std::array::from_fn(|_| SigningKey::generate().unwrap());
        let device = DeviceId::from_public_key([1; 32]);
        let started = |by: &SigningKey, id: &SigningKey, pin: CertificatePin| {
            let coordinator = CoordinatorKeys {
                id: id.public().id(),
                name: "Attic".into(),
                ticket_keys: vec![attic.public()],
                authority: None,
                certificate: Some(pin),
                urls: Vec::new(),
            };
            PairingStarted {
                pending_pairing_id: "p".into(),
                pairing_code: None,
                words: Vec::new(),
                challenge: String::new(),
                lineage: Some(Lineage::begin(id.public())),
                proof: Some(pairing_proof::sign(by, &coordinator, device, "p").unwrap()),
                coordinator,
                expires_at: OffsetDateTime::UNIX_EPOCH,
                time: None,
            }
        };
        let [its, a_liars] = [b"c", b"d"].map(|bytes| CertificatePin::of(bytes));
        let good = started(&attic, &attic, its);
        check_keys(&good, device, Some(its)).unwrap();
        let passed_on = PairingStarted { proof: good.proof.clone(), ..started(&attic, &attic, a_liars) };
        for (bad, why) in [
            (started(&other, &attic, its), "does not hold"),
            (started(&attic, &other, its), "id is not that"),
            (passed_on, "does not hold"),
            (PairingStarted { proof: None, ..good.clone() }, "does not prove"),
            (PairingStarted { lineage: None, ..good.clone() }, "does not prove"),
        ] {
            let error = check_keys(&bad, device, None).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
        assert!(check_keys(&good, device, Some(a_liars)).is_err(), "the invitation says another certificate");
    }

    #[test]
    fn an_invitation_is_in_the_link_or_beside_the_address() {
        let pin = CertificatePin::of(b"c");
        let link = format!("https://attic:7000/invite#{}", pin.behind("s3cret"));
        for (target, typed, text, its) in [
            (link.as_str(), None, pin.behind("s3cret"), Some(pin)),
            ("https://attic:7000/invite#s3cret", None, "s3cret".into(), None),
            ("attic", Some("zinc apple"), "zinc apple".into(), None),
        ] {
            assert_eq!(Invitation::of(target, typed), Some(Invitation { text, pin: its }), "{target}");
        }
        assert_eq!(Invitation::of("attic:7000", None), None);
    }
}

//! Codes without pairing: what this machine gives to whoever has the code, and how that is taken. No account, no pairing, and
//! keys that live as long as the programs.
//!
//! [`places`] is where two meet, [`finding`] how the taker finds it; [`giving`] shows the code and [`handing`] serves one taker;
//! [`taking`] receives. What is said is `proto::wire::by_code`, the bytes go over `lanthorn/transfer/1`, as between machines
//! that are paired.

mod finding;
mod giving;
mod handing;
mod link;
mod places;
mod says;
mod taking;

use anyhow::Result;
use clap::Args;
use peer::code::{Code, CodeError, Waiting, unknown_word};
use peer::{Endpoint, LaneKind};
use proto::api::transfers::{ExpectedItem, Way};
use proto::wire::by_code::{MAX_TEXT_BYTES, Offer};
use proto::{ErrorCode, TransferId, TransferItemId};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::delivery::Choice;
use crate::report::{Interrupted, failure};
use crate::subjects;

pub use places::Place;
pub use says::Says;
pub use taking::Taker;

/// How long a code is good at most.
const LONGEST: time::Duration = time::Duration::hours(24);
/// Twice as much, in hexadecimal digits, is below what a rendezvous takes.
const MAX_OFFER_BYTES: usize = 200 << 10;
/// How alike a word must be to be proposed in another's place, of 1000.
const LIKE: f64 = 0.6;

/// How something is given to whoever has the code.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Without --to")]
pub struct ByCode {
    /// How long the code is good: 1m to 24h.
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = subjects::lifetime, conflicts_with = "to")]
    pub expires: time::Duration,
    /// How many may take it.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000), conflicts_with = "to")]
    pub downloads: u32,
    /// Where the code is exchanged: a coordinator's address, or any magic-wormhole rendezvous (ws://…). This machine's
    /// coordinator, one that it has joined, one on the network, or this program itself, if absent.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "to")]
    pub rendezvous: Option<String>,
}

/// Gives to whoever has the code, until all have it.
pub fn give(
    how: &ByCode,
    choice: &Choice,
    (message, json): (Option<String>, bool),
    config: &Config,
) -> Result<()> {
    if how.expires > LONGEST {
        return Err(failure(
            ErrorCode::BadParameter,
            "A code is good for 24 hours at most.",
            "--expires 24h",
        ));
    }
    // A text alone goes with the offer itself.
    let text = choice.text.clone().filter(|text| choice.paths.is_empty() && text.len() <= MAX_TEXT_BYTES);
    let chosen = if text.is_some() { None } else { Some(choice.look()?) };
    let (sources, offered) =
        chosen.as_ref().map(|chosen| (chosen.sources.clone(), chosen.offered.clone())).unwrap_or_default();
    runtime()?.block_on(async {
        let giving = async {
            let (place, hosted) = places::for_giver(config, how.rendezvous.as_deref()).await?;
            let link = link::Link::make(how, choice, message.as_ref(), config).await;
            let key = taking::ephemeral()?;
            let endpoint = Endpoint::bind(config.lanes(key.clone())).await?;
            let numbered = |offered| ExpectedItem { id: TransferItemId::generate(), offered };
            let offer = Offer {
                transfer: TransferId::generate(),
                from: config.device_name.clone(),
                giver: key.id(),
                message,
                text,
                items: offered.into_iter().map(numbered).collect(),
            };
            let offer = fitting(offer);
            let giver = giving::Giver {
                key,
                endpoint: endpoint.clone(),
                place,
                offer,
                sources,
                rate_limit: config.rate_limit(),
                downloads: how.downloads,
                until: Instant::now() + how.expires.unsigned_abs(),
                link: link.as_ref().map(|link| link.url.clone()),
                says: Says { json },
                revoked: CancellationToken::new(),
            };
            let ended = giver.run().await;
            endpoint.close().await;
            if let Some(link) = link {
                link.end().await;
            }
            drop(hosted);
            ended
        };
        giving.await
    })
}

/// The same offer, in one word of the rendezvous: without a look into folders, if that is too much.
fn fitting(mut offer: Offer) -> Offer {
    if serde_json::to_vec(&offer).is_ok_and(|text| text.len() > MAX_OFFER_BYTES) {
        offer.items.iter_mut().for_each(|item| item.offered.preview.clear());
    }
    offer
}

/// Meets whoever waits with a code, and does the rest.
pub fn meet<R>(
    typed: &str,
    rendezvous: Option<&str>,
    config: &Config,
    json: bool,
    then: impl AsyncFnOnce(Taker<'_>) -> Result<R>,
) -> Result<R> {
    let code = read(typed)?;
    let says = Says { json };
    runtime()?.block_on(async {
        let taking = async {
            let (place, mailbox) = finding::find(config, rendezvous, &code).await?;
            says.event(
                "found",
                serde_json::json!({ "rendezvous": place.name }),
                &format!("Found at {}.", place.name),
            );
            let waiting = Waiting::join(mailbox, code.clone()).await;
            let met = match waiting {
                Ok(waiting) => waiting.meet_soon().await,
                Err(error) => Err(error),
            };
            let met = met.map_err(|error| not_met(error, &code, &place))?;
            then(Taker { config, place: &place, met, says }).await
        };
        tokio::select! {
            ended = taking => ended,
            told = tokio::signal::ctrl_c() => told.map_err(Into::into).and(Err(Interrupted.into())),
        }
    })
}

/// Reads a code. There is one guess: a word that no code has is asked back, and not tried.
fn read(typed: &str) -> Result<Code> {
    let code: Code = typed.parse().map_err(|error: peer::code::BadCode| {
        failure(ErrorCode::BadParameter, format!("{typed:?} is no code: {error}."), "Type it as it is shown.")
    })?;
    let Some((unknown, known)) = unknown_word(&code) else { return Ok(code) };
    let like = |word: &&str| strsim::jaro_winkler(word, unknown);
    let nearest = known.max_by(|a, b| like(a).total_cmp(&like(b))).filter(|word| like(word) > LIKE);
    let hint = match nearest {
        Some(word) => format!("Did you mean {word}? Nothing was tried: the code is still good."),
        None => "Type it as it is shown. Nothing was tried: the code is still good.".into(),
    };
    Err(failure(ErrorCode::WrongCode, format!("No code has the word {unknown} there."), hint))
}

fn not_met(error: CodeError, code: &Code, place: &Place) -> anyhow::Error {
    match error {
        CodeError::Nobody => finding::nobody(code),
        CodeError::WrongCode => failure(
            ErrorCode::WrongCode,
            "The code is wrong, and burnt by it.",
            "The other side shows another one now: ask for it.",
        ),
        CodeError::Crowded => failure(
            ErrorCode::Conflict,
            "Somebody else uses this code now.",
            "Try again in a moment, or ask for another one.",
        ),
        CodeError::Silent => failure(
            ErrorCode::DeviceUnreachable,
            "The other side does not answer.",
            "See that `lanthorn send` still runs there, and ask for the code it shows.",
        ),
        error => giving::unreachable(place, &error),
    }
}

/// How bytes flow.
const fn way(lane: LaneKind) -> Way {
    match lane {
        LaneKind::Lan => Way::Lan,
        LaneKind::Direct => Way::Direct,
        LaneKind::Relayed => Way::Relayed,
    }
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

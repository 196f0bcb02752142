//! `lanthorn inbox trust|distrust|trusted`: who need not ask before they send to this machine, and how far.

use anyhow::Result;
use clap::Args;
use http::Method;
use proto::ErrorCode;
use proto::api::people::People;
use proto::api::transfers::{TrustLimits, TrustedSender, TrustedSenders};

use super::asking::Asking;
use crate::cli::Typed;
use crate::places::Catalog;
use crate::print::{self, Align, Table};
use crate::rate::Size;
use crate::report::failure;
use crate::signed_in::SignedIn;
use crate::subjects;

/// What was typed after `inbox trust`.
#[derive(Debug, Args)]
pub struct Trust {
    /// Who: a name, or an id.
    #[arg(value_name = "PERSON")]
    person: String,
    /// The most bytes of one transfer, like 500M or 2G; any if absent.
    #[arg(long, value_name = "SIZE")]
    max: Option<Size>,
    /// Where it goes: DEVICE:SHARE/FOLDER of this machine. Its inbox, if absent.
    #[arg(long, value_name = "DEVICE:SHARE/FOLDER")]
    into: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

impl Trust {
    /// Trusts them.
    pub fn run(&self, typed: &Typed) -> Result<()> {
        self.asking.run(typed, async |at| {
            let limits = self.limits(&at).await?;
            let url = url(&at, &self.person).await?;
            let trusted: TrustedSender = at.ask(Method::PUT, &url, &limits).await?;
            if self.asking.json {
                return print::json(&trusted);
            }
            print::remark(&format!("{} need not ask before they send to this machine.", trusted.sender_name));
            Ok(())
        })
    }

    async fn limits(&self, at: &SignedIn) -> Result<TrustLimits> {
        let mut limits = TrustLimits { max_bytes: self.max.map(Size::bytes), ..TrustLimits::default() };
        if let Some(into) = &self.into {
            let place = Catalog::read(at).await?.place(&into.parse()?)?;
            if place.device != at.device() {
                return Err(failure(
                    ErrorCode::BadParameter,
                    "That is a share of another machine.",
                    "Name a share of this machine, or trust them there.",
                ));
            }
            limits.receiver_share_id = Some(place.share);
            limits.destination_path = place.path.to_string();
        }
        Ok(limits)
    }
}

/// Trusts somebody no more.
pub async fn distrust(at: &SignedIn, person: &str) -> Result<()> {
    at.delete(&url(at, person).await?).await?;
    print::remark(&format!("{person} is asked for again."));
    Ok(())
}

/// Lists who is trusted, on all machines of this person.
pub async fn list(at: &SignedIn, json: bool) -> Result<()> {
    let all: TrustedSenders = at.get("/api/v1/transfers/trusted").await?;
    if json {
        return print::json(&all);
    }
    if all.trusted.is_empty() {
        print::remark("Nobody.");
        return Ok(());
    }
    let catalog = Catalog::read(at).await?;
    let mut table = Table::new(&[
        ("WHO", Align::Left),
        ("SENDS TO", Align::Left),
        ("AT MOST", Align::Right),
        ("INTO", Align::Left),
    ]);
    for one in all.trusted {
        let at_most = one.limits.max_bytes.map_or_else(|| "any size".into(), print::size);
        let into = match one.limits.receiver_share_id {
            None => "inbox".to_owned(),
            Some(share) => {
                let path = one.limits.destination_path.parse().unwrap_or_default();
                let there = catalog.shares_of(one.device_id).find(|it| it.id == share);
                there.map_or_else(|| "-".into(), |share| catalog.within(share, path).address.to_string())
            }
        };
        table.row([one.sender_name, catalog.name_of(one.device_id), at_most, into]);
    }
    table.print()
}

/// Where somebody's trust on this machine is.
async fn url(at: &SignedIn, person: &str) -> Result<String> {
    let People { people } = at.get("/api/v1/people").await?;
    let person = subjects::person(person, &people)?.id;
    Ok(format!("/api/v1/transfers/trusted/{}/{person}", at.device()))
}

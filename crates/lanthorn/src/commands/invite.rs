//! `lanthorn invite`: one string that lets somebody in, once.

use anyhow::Result;
use clap::Args;
use http::Method;
use proto::api::people::{InviteGrant, MadeInvite, MakeInvite, People};
use time::Duration;

use super::asking::Asking;
use crate::address::Address;
use crate::cli::Typed;
use crate::places::Catalog;
use crate::print;
use crate::signed_in::SignedIn;
use crate::subjects;

/// What was typed after `invite`.
#[derive(Debug, Args)]
pub struct Invite {
    /// What the guest or the machine will be called.
    #[arg(value_name = "GUEST")]
    guest: String,
    /// What they may look into, as DEVICE:SHARE; repeat for more.
    #[arg(long = "share", value_name = "ADDRESS")]
    shares: Vec<String>,
    /// What they may do there, with commas between.
    #[arg(long = "may", value_name = "PERMISSIONS", default_value = "read,download")]
    may: String,
    /// How long the invitation is good: 1m to 30d.
    #[arg(long = "for", value_name = "TIME", default_value = "7d", value_parser = subjects::lifetime)]
    lasting: Duration,
    /// Let this person in again, or pair a machine of theirs, in place of letting in somebody new.
    #[arg(long, value_name = "NAME")]
    person: Option<String>,
    #[command(flatten)]
    asking: Asking,
}

/// Makes one.
pub fn run(command: &Invite, typed: &Typed) -> Result<()> {
    command.asking.run(typed, async |at| {
        let asked = command.asked(&at).await?;
        let made: MadeInvite = at.ask(Method::POST, "/api/v1/invites", &asked).await?;
        if command.asking.json { print::json(&made) } else { tell(&made) }
    })
}

impl Invite {
    async fn asked(&self, at: &SignedIn) -> Result<MakeInvite> {
        let permissions = subjects::permissions(&self.may)?;
        let mut grants = Vec::new();
        if !self.shares.is_empty() {
            let catalog = Catalog::read(at).await?;
            for typed in &self.shares {
                let share = catalog.place(&typed.parse::<Address>()?)?.share;
                grants.push(InviteGrant { share, permissions, expires_at: None });
            }
        }
        let principal = match &self.person {
            None => None,
            Some(typed) => {
                let people: People = at.get("/api/v1/people").await?;
                Some(subjects::person(typed, &people.people)?.id)
            }
        };
        let lifetime_seconds = self.lasting.whole_seconds().unsigned_abs();
        Ok(MakeInvite { name: self.guest.clone(), principal, grants, lifetime_seconds })
    }
}

fn tell(made: &MadeInvite) -> Result<()> {
    print::line(&made.url)?;
    print::remark(&format!(
        "Good once, until {} UTC. It is shown only now.",
        print::time(Some(made.invite.expires_at))
    ));
    print::remark(&format!("On a machine: lanthorn pair '{}'", made.text));
    let is_terminal = std::io::IsTerminal::is_terminal(&std::io::stdout());
    if is_terminal { print::qr(&made.url) } else { Ok(()) }
}

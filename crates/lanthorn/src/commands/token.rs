//! `lanthorn token`: lets another program ask as this machine for a while: curl, a tus client, a script.

use anyhow::Result;
use clap::Args;
use serde_json::json;

use super::asking::Asking;
use crate::address::Address;
use crate::cli::Typed;
use crate::places::Catalog;
use crate::print;

/// What was typed after `token`.
#[derive(Debug, Args)]
pub struct GiveToken {
    /// Say where the doors of this share are too: DEVICE:SHARE.
    #[arg(value_name = "ADDRESS")]
    address: Option<String>,
    /// Write it as the line of a request, for: curl -H @<(lanthorn token --header)
    #[arg(long, conflicts_with = "json")]
    header: bool,
    #[command(flatten)]
    asking: Asking,
}

/// Gets one and writes it to standard output; what is to be known of it goes to standard error.
pub fn run(command: &GiveToken, typed: &Typed) -> Result<()> {
    let address = command.address.as_deref().map(str::parse::<Address>).transpose()?;
    command.asking.run(typed, async |at| {
        let share = match &address {
            None => None,
            Some(address) => {
                let place = Catalog::read(&at).await?.place(address)?;
                Some(format!("{}/api/v1/devices/{}/shares/{}", at.url(), place.device, place.share))
            }
        };
        let token = at.token().await?;
        if command.asking.json {
            return print::json(&json!({
                "access_token": token.access_token,
                "token_type": token.token_type,
                "expires_in": token.expires_in,
                "principal_id": token.principal_id,
                "client_device_id": token.client_device_id,
                "url": at.url(),
                "share_url": share,
            }));
        }
        let minutes = token.expires_in / 60;
        print::remark(&format!(
            "Good for {minutes} minutes at {}, for all that this machine may do there. Whoever has it needs nothing else: keep it out \
             of command lines and logs. 'lanthorn revoke' of this machine, or 'lanthorn keys rotate --at-once', ends it at once.",
            at.url()
        ));
        share.iter().for_each(|url| print::remark(&format!("The share is at {url}")));
        let before = if command.header { "Authorization: Bearer " } else { "" };
        print::line(&format!("{before}{}", token.access_token))
    })
}

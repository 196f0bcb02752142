//! What commands that ask a coordinator have in common: which one, in what form the answer, and how they run.

use anyhow::Result;
use clap::Args;

use crate::cli::Typed;
use crate::config::{self, Config};
use crate::signed_in::SignedIn;
use crate::telemetry;

/// What is typed to any of them.
#[derive(Clone, Debug, Args)]
pub struct Asking {
    /// Ask a coordinator that this machine has joined: its name or address. This machine's own, if absent.
    #[arg(long, value_name = "NAME|URL")]
    pub on: Option<String>,
    /// Answer with one JSON document.
    #[arg(long)]
    pub json: bool,
}

impl Asking {
    /// Signs in and runs a command.
    pub fn run<F, R>(&self, typed: &Typed, command: F) -> Result<()>
    where
        F: FnOnce(SignedIn) -> R,
        R: Future<Output = Result<()>>,
    {
        telemetry::start_if_asked(&typed.output);
        let config = config::resolve(&typed.settings)?;
        block_on(async { command(self.sign_in(&config).await?).await })
    }

    /// Signs in.
    pub async fn sign_in(&self, config: &Config) -> Result<SignedIn> {
        SignedIn::open(config, self.on.as_deref()).await
    }
}

/// Runs to the end, or until Ctrl-C.
pub fn block_on(command: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        tokio::select! {
            ended = command => ended,
            told = tokio::signal::ctrl_c() => told.map_err(Into::into).and(Err(crate::report::Interrupted.into())),
        }
    })
}

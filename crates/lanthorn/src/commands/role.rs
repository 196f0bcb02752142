//! What starting a role has in common: settings, log, port, announcement, and ending within five seconds.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use agent::control::Control;
use anyhow::{Context, Result};
use axum::Router;
use peer::Endpoint;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::announce::{self, Announcement, Words};
use crate::cli::Typed;
use crate::config::{self, Config};
use crate::listen::{self, Listening};
use crate::report::StartupFailed;
use crate::running::RunningFile;
use crate::sole::Sole;
use crate::{lanes, telemetry};

pub use crate::config::Role;

/// Threads for work that waits for a disk. Each costs memory only while it is used.
const MAX_BLOCKING_THREADS: usize = 64;
/// Work that is still on a thread this long after everything else has ended is abandoned.
const ABANDON_AFTER: Duration = Duration::from_millis(500);

/// A role that answers.
pub struct Running {
    bound: SocketAddr,
    shutdown: CancellationToken,
    served: JoinHandle<()>,
    /// Closed last, so that peers need not find out for themselves.
    lanes: Option<Endpoint>,
    /// Tells commands on this machine where to ask.
    file: Option<RunningFile>,
    /// Told goodbye first.
    links: Option<Arc<Control>>,
    /// Done once nothing is served any more.
    at_end: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// What answers on a role's port besides plain HTTP.
pub struct Doors {
    /// The page's TLS.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// Other devices, by their keys.
    pub lanes: Option<Endpoint>,
}

/// Starts a role and keeps it running until Ctrl-C (or the system's polite request to end).
pub fn start<F, R>(typed: &Typed, role: Role, run: F) -> Result<()>
where
    F: FnOnce(Config) -> R,
    R: Future<Output = Result<Running>>,
{
    telemetry::start(&typed.output);
    raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .max_blocking_threads(MAX_BLOCKING_THREADS)
        .build()
        .context(StartupFailed)?;
    let ended = runtime.block_on(async {
        let config = config::resolve(&typed.settings).context(StartupFailed)?;
        let _sole = Sole::take(&config.homes.state, role).context(StartupFailed)?;
        let running = run(config).await.context(StartupFailed)?;
        running.until_told_to_end().await
    });
    runtime.shutdown_timeout(ABANDON_AFTER);
    ended
}

/// Every connection, link and file takes a descriptor, and what a process may have at first is seldom enough for
/// thousands of machines. Without permission it stays as it is.
fn raise_open_files() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
            tracing::debug!(%error, ?current, ?maximum, "the limit of open files stays");
        }
    }
}

impl Running {
    /// Listens, says where, and serves the router.
    pub fn begin(config: &Config, role: Role, router: Router, doors: Doors, words: Words) -> Result<Self> {
        let Listening { listener, notice } = listen::listen(config, role)?;
        let bound = listener.local_addr()?;
        let lanes = doors.lanes.clone();
        if let Some(lanes) = &lanes {
            lanes.listens_at(bound);
        }
        let shutdown = CancellationToken::new();
        if let Some(lanes) = &lanes
            && matches!(role, Role::All | Role::Agent)
        {
            lanes::lend(&config.homes.state, lanes, shutdown.clone());
        }
        let answers_commands = matches!(role, Role::All | Role::Coordinator);
        let file = answers_commands.then(|| RunningFile::write(&config.homes.state, bound)).transpose()?;
        let served =
            tokio::spawn(peer::edge::serve(listener, router, doors.tls, doors.lanes, shutdown.clone()));
        let announcement = Announcement { device_name: &config.device_name, bound, words, notice };
        announcement.print();
        if config.open_browser && role != Role::Agent && role != Role::Coordinator {
            announce::open_browser(&announcement.local_url());
        }
        Ok(Self { bound, shutdown, served, lanes, file, links: None, at_end: None })
    }

    /// Where it listens.
    pub fn bound(&self) -> SocketAddr {
        self.bound
    }

    /// Has these links say goodbye before anything else ends.
    #[must_use]
    pub fn with_links(mut self, links: Arc<Control>) -> Self {
        self.links = Some(links);
        self
    }

    /// Has something done once nothing is served any more.
    #[must_use]
    pub fn at_end(mut self, last: impl Future<Output = ()> + Send + 'static) -> Self {
        self.at_end = Some(Box::pin(last));
        self
    }

    async fn until_told_to_end(self) -> Result<()> {
        told_to_end().await?;
        tracing::debug!("ending: waiting for what is under way");
        self.shutdown.cancel();
        drop(self.file);
        if let Some(links) = self.links {
            links.leave().await;
        }
        tokio::select! {
            served = self.served => served.context("the server failed")?,
            // A second Ctrl-C does not wait.
            told = told_to_end() => told?,
        }
        if let Some(lanes) = self.lanes {
            lanes.close().await;
        }
        if let Some(last) = self.at_end {
            last.await;
        }
        Ok(())
    }
}

/// Waits for Ctrl-C, or for `SIGTERM` where there is one.
async fn told_to_end() -> Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        tokio::select! {
            told = tokio::signal::ctrl_c() => told?,
            _ = terminate.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

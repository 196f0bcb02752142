//! The coordinator that a command asks, signed in as this machine: which one it is, and how the machine proves itself.
//! The access token is kept in memory only.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use http::{Method, Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use proto::api::pairing::{AccessToken, Nonce, TokenRequest, token_text};
use proto::{DeviceId, ErrorCode, base64url};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::client::{Address, Client, Connector, Outgoing, Refused, Unreachable, json_in, outgoing};
use crate::config::Config;
use crate::membership::Memberships;
use crate::report::failure;
use crate::trusted::{Trusted, pin_of_first};
use crate::{device, print, running};

/// How often it is waited for a turn.
const MAX_TURNS: u32 = 5;
/// The longest wait for a turn, in seconds: who is told to wait for longer is told so.
const LONGEST_TURN: u64 = 10;

/// A coordinator, asked as this machine.
pub struct SignedIn {
    stranger: Client,
    known: Mutex<Client>,
    /// This machine among others: its key, and where it looks for them.
    lanes: peer::Config,
    state: PathBuf,
    /// The coordinator's id; any, for this machine's own.
    id: Option<String>,
    clock_was_compared: AtomicBool,
}

impl SignedIn {
    /// Signs in at the coordinator that `on` names, or at this machine's own.
    pub async fn open(config: &Config, on: Option<&str>) -> Result<Self> {
        let state = &config.homes.state;
        let lanes = config.lanes(device::load_or_make(state)?);
        match on {
            None => Self::at(vec![own(config)?], (lanes, state), None).await,
            Some(typed) => {
                let all = Memberships::read(state)?;
                let joined = all.find(typed)?;
                Self::at(joined.connectors()?, (lanes, state), Some(joined.coordinator.id.clone())).await
            }
        }
    }

    /// Takes the first of these ways that leads there.
    async fn at(
        ways: Vec<Connector>,
        (lanes, state): (peer::Config, &Path),
        id: Option<String>,
    ) -> Result<Self> {
        let mut failed = None;
        for way in ways {
            let stranger = Client::new(&way);
            let signed_in = Self {
                known: Mutex::new(stranger.clone()),
                stranger,
                lanes: lanes.clone(),
                state: state.to_owned(),
                id: id.clone(),
                clock_was_compared: AtomicBool::new(false),
            };
            match signed_in.renew().await {
                Ok(()) => return Ok(signed_in),
                Err(error) if error.is::<Refused>() => return Err(error),
                // Also another way may lead there; of all that is wrong, somebody else who answers is the worst.
                Err(error) if is_another(&error) || failed.is_none() => failed = Some(error),
                Err(_) => {}
            }
        }
        let error = failed.context("this coordinator has no address; pair again")?;
        if is_another(&error) {
            return Err(error);
        }
        let hint = match id {
            None => "Start it with: lanthorn",
            Some(_) => "See that it runs and is on this network, then try again.",
        };
        Err(failure(
            ErrorCode::DeviceUnreachable,
            format!("The coordinator does not answer: {error:#}."),
            hint,
        ))
    }

    async fn renew(&self) -> Result<()> {
        let known = self.stranger.clone().with_token(&self.token().await?.access_token)?;
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// Gets a new access token. Scripts ask more often than a coordinator gives tokens: they wait their turn.
    pub async fn token(&self) -> Result<AccessToken> {
        for _ in 0..MAX_TURNS {
            match self.ask_token().await {
                Err(error) => tokio::time::sleep(its_turn(&error).ok_or(error)?).await,
                done => return done,
            }
        }
        self.ask_token().await
    }

    async fn ask_token(&self) -> Result<AccessToken> {
        let Nonce { nonce, coordinator, time } = self.stranger.get("/api/v1/auth/nonce").await?;
        // A signature for another coordinator would open that one to whoever answers here.
        if self.id.as_ref().is_some_and(|id| *id != coordinator) {
            return Err(failure(
                ErrorCode::WrongSignature,
                "This is not the coordinator that this machine has joined.",
                "If it was set up anew, join it again with: lanthorn pair",
            ));
        }
        if !self.clock_was_compared.swap(true, Ordering::Relaxed) {
            print::remark_on_clock(time);
        }
        let signature = base64url::encode(&self.lanes.key.sign(&token_text(&coordinator, &nonce)));
        let asked = TokenRequest { client_device_id: self.device(), nonce, signature };
        self.stranger.post("/api/v1/auth/token", &asked).await
    }

    fn client(&self) -> Client {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Where the coordinator is.
    pub fn url(&self) -> String {
        self.stranger.url()
    }

    /// This machine.
    pub fn device(&self) -> DeviceId {
        self.lanes.key.id()
    }

    /// How this command dials others: while another process answers them with the same key, on the local network alone.
    pub fn dialling(&self, beside_another: bool) -> peer::Config {
        peer::Config { quic: self.lanes.quic && !beside_another, ..self.lanes.clone() }
    }

    /// The coordinator's id; that of this machine's own stands for any.
    pub fn coordinator(&self) -> &str {
        self.id.as_deref().unwrap_or("own")
    }

    /// The folder of this machine's keys.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Sends a request whose address is a path; once more with a new token if the old one is over.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
        self.send_made(|| Ok(request.clone().map(outgoing))).await
    }

    /// The same with a request that is made anew for the second time: what it carries is gone after the first.
    pub async fn send_made(
        &self,
        mut make: impl FnMut() -> Result<Request<Outgoing>>,
    ) -> Result<Response<Incoming>> {
        match self.client().send(make()?).await {
            Err(error) if is_token_over(&error) => {
                self.renew().await?;
                self.client().send(make()?).await
            }
            answer => answer,
        }
    }

    /// `GET`s JSON.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        match self.client().get(path).await {
            Err(error) if is_token_over(&error) => {
                self.renew().await?;
                self.client().get(path).await
            }
            answer => answer,
        }
    }

    /// Sends JSON and reads JSON.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let body = Full::new(serde_json::to_vec(body)?.into());
        json_in(self.send(Request::builder().method(method).uri(path).body(body)?).await?).await
    }

    /// Sends JSON where nothing comes back.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Result<()> {
        let body = Full::new(serde_json::to_vec(body)?.into());
        self.send(Request::post(path).body(body)?).await.map(drop)
    }

    /// Ends something.
    pub async fn delete(&self, path: &str) -> Result<()> {
        self.send(Request::delete(path).body(Full::default())?).await.map(drop)
    }
}

fn is_another(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Unreachable>().is_some_and(|unreachable| unreachable.another)
}

/// When to ask again, if that is soon.
fn its_turn(error: &anyhow::Error) -> Option<Duration> {
    let Refused(error) = error.downcast_ref::<Refused>()?;
    let wait = error.retry_after.filter(|_| error.code == ErrorCode::TooMany)?;
    (wait <= LONGEST_TURN).then(|| Duration::from_secs(wait))
}

fn is_token_over(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refused>().is_some_and(|Refused(error)| error.code == ErrorCode::TokenInvalid)
}

/// The way to this machine's own coordinator.
pub fn own(config: &Config) -> Result<Connector> {
    let state = &config.homes.state;
    let bound = running::read(state)?.ok_or_else(|| {
        failure(
            ErrorCode::DeviceOffline,
            "Lanthorn does not run on this machine.",
            "Start it with `lanthorn`, or name a coordinator that was joined: --on NAME.",
        )
    })?;
    let address = Address::parse(&bound.to_string())?;
    match &config.settings.certificate {
        Some(chain) => Connector::new(address, Trusted::Pinned(pin_of_first(&read(chain)?)?)),
        None => Connector::new(address, Trusted::Authority(&read(&state.join("authority.pem"))?)),
    }
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

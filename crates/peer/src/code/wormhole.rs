//! From a code to a [`Met`]: both sides say their part of the exchange, and know by the first thing that they unseal that the
//! other has the same code.

use std::collections::HashMap;
use std::time::Duration;

use proto::DeviceId;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::mailbox::{Heard, Mailbox, from_hex, to_hex};
use super::seal::{Pake, SharedKey};
use super::{Code, CodeError};

/// The phase in which the exchange is made.
const EXCHANGE: &str = "pake";
/// The phase that shows that both have the same key.
const PROOF: &str = "version";
/// How long the other side may take to prove its key once it is there.
const PATIENCE: Duration = Duration::from_secs(30);
/// What is kept that came out of turn.
const MAX_HELD: usize = 64;

/// One side, at its nameplate, that waits for the other.
pub struct Waiting {
    mailbox: Mailbox,
    code: Code,
    exchange: Pake,
    ended: CancellationToken,
}

/// The two have met: what one says, the other hears, and nobody else.
pub struct Met {
    mailbox: Mailbox,
    key: SharedKey,
    said: u64,
    heard: u64,
    /// Came before its turn.
    held: HashMap<String, Vec<u8>>,
}

#[derive(Serialize, Deserialize)]
struct Exchange {
    pake_v1: String,
}

impl Waiting {
    /// Waits with a new code; with the one before, if it is said and still free.
    ///
    /// # Errors
    /// The rendezvous cannot be asked, or somebody else has the code.
    pub async fn offer(mut mailbox: Mailbox, before: Option<&Code>) -> Result<Self, CodeError> {
        let code = match before {
            Some(code) => code.clone(),
            None => {
                let nameplate = mailbox.allocate().await?;
                Code::random(nameplate).map_err(|error| CodeError::Lost(error.into()))?
            }
        };
        Self::at(mailbox, code).await
    }

    /// Comes to somebody who waits with this code.
    ///
    /// # Errors
    /// Nobody waits, or the rendezvous cannot be asked.
    pub async fn join(mut mailbox: Mailbox, code: Code) -> Result<Self, CodeError> {
        // Others may keep their list to themselves; ours says who is there.
        let known = mailbox.list().await?;
        let tells = mailbox.offers().is_some() || !known.is_empty();
        if tells && !known.iter().any(|known| known == code.nameplate()) {
            return Err(CodeError::Nobody);
        }
        Self::at(mailbox, code).await
    }

    async fn at(mut mailbox: Mailbox, code: Code) -> Result<Self, CodeError> {
        mailbox.claim(code.nameplate()).await?;
        let (exchange, said) = Pake::start(&code, mailbox.app());
        let body = serde_json::to_vec(&Exchange { pake_v1: to_hex(&said) });
        mailbox.add(EXCHANGE, &body.map_err(|_| CodeError::Strange)?).await?;
        Ok(Self { mailbox, code, exchange, ended: CancellationToken::new() })
    }

    /// The code.
    #[must_use]
    pub fn code(&self) -> &Code {
        &self.code
    }

    /// Takes the code back when it is cancelled: [`Self::meet`] ends with [`CodeError::Nobody`].
    #[must_use]
    pub fn closer(&self) -> CancellationToken {
        self.ended.clone()
    }

    /// Waits for the other side, however long it takes.
    ///
    /// # Errors
    /// [`CodeError::Lost`]: the rendezvous is gone, and nobody had come. Any other: the code is over.
    pub async fn meet(mut self) -> Result<Met, CodeError> {
        let ended = self.ended.clone();
        tokio::select! {
            heard = self.mailbox.next() => self.prove(heard?).await,
            () = ended.cancelled() => {
                self.mailbox.close("lonely").await;
                Err(CodeError::Nobody)
            }
        }
    }

    /// The same, for whoever expects the other side to be there.
    ///
    /// # Errors
    /// As [`Self::meet`], and [`CodeError::Silent`].
    pub async fn meet_soon(mut self) -> Result<Met, CodeError> {
        match timeout(PATIENCE, self.mailbox.next()).await {
            Ok(heard) => self.prove(heard?).await,
            Err(_) => {
                self.mailbox.close("lonely").await;
                Err(CodeError::Silent)
            }
        }
    }

    /// Makes the key, and sees whether it is the other's too. Once that has begun the other side has had its guess.
    async fn prove(self, first: Heard) -> Result<Met, CodeError> {
        self.try_prove(first).await.map_err(|error| match error {
            CodeError::Lost(_) => CodeError::Silent,
            error => error,
        })
    }

    async fn try_prove(self, first: Heard) -> Result<Met, CodeError> {
        let Self { mut mailbox, exchange, .. } = self;
        // Nobody else need come here any more, and the number is free for another code.
        mailbox.release().await?;
        let Some(key) = made(exchange, &first) else {
            mailbox.close("errory").await;
            return Err(CodeError::Strange);
        };
        let proof = key.seal(mailbox.side(), PROOF, br#"{"app_versions": {}}"#);
        mailbox.add(PROOF, &proof.map_err(|error| CodeError::Lost(error.into()))?).await?;
        let mut met = Met { mailbox, key, said: 0, heard: 0, held: HashMap::new() };
        match timeout(PATIENCE, met.wait_for(PROOF)).await {
            Ok(Ok(_)) => Ok(met),
            Ok(Err(CodeError::WrongCode)) => {
                met.mailbox.close("scary").await;
                Err(CodeError::WrongCode)
            }
            Ok(Err(error)) => Err(error),
            Err(_) => {
                met.mailbox.close("lonely").await;
                Err(CodeError::Silent)
            }
        }
    }
}

fn made(exchange: Pake, first: &Heard) -> Option<SharedKey> {
    let body = from_hex(&first.body).filter(|_| first.phase == EXCHANGE)?;
    let Exchange { pake_v1 } = serde_json::from_slice(&body).ok()?;
    exchange.finish(&from_hex(&pake_v1)?)
}

impl Met {
    /// Says something.
    ///
    /// # Errors
    /// The rendezvous is gone.
    pub async fn say(&mut self, plain: &[u8]) -> Result<(), CodeError> {
        let phase = self.said.to_string();
        let sealed = self.key.seal(self.mailbox.side(), &phase, plain);
        self.mailbox.add(&phase, &sealed.map_err(|error| CodeError::Lost(error.into()))?).await?;
        self.said += 1;
        Ok(())
    }

    /// Hears the next thing that the other side says. A call that is dropped loses nothing.
    ///
    /// # Errors
    /// The rendezvous is gone, or what came was not sealed by the other side.
    pub async fn hear(&mut self) -> Result<Vec<u8>, CodeError> {
        let phase = self.heard.to_string();
        let plain = self.wait_for(&phase).await?;
        self.heard += 1;
        Ok(plain)
    }

    async fn wait_for(&mut self, phase: &str) -> Result<Vec<u8>, CodeError> {
        loop {
            if let Some(plain) = self.held.remove(phase) {
                return Ok(plain);
            }
            let heard = self.mailbox.next().await?;
            let sealed = from_hex(&heard.body).ok_or(CodeError::Strange)?;
            let plain = self.key.open(&heard.side, &heard.phase, &sealed).ok_or(CodeError::WrongCode)?;
            if self.held.len() >= MAX_HELD {
                return Err(CodeError::Strange);
            }
            self.held.insert(heard.phase, plain);
        }
    }

    /// Says with which key this side comes to the rendezvous's relay, if it has one.
    ///
    /// # Errors
    /// The rendezvous is gone.
    pub async fn meet_at_relay(&mut self, key: DeviceId) -> Result<(), CodeError> {
        if self.has_relay() { self.mailbox.meet(key).await } else { Ok(()) }
    }

    /// True if the rendezvous has a relay for those who met.
    #[must_use]
    pub fn has_relay(&self) -> bool {
        self.mailbox.offers().is_some_and(|offers| offers.relay)
    }

    /// Ends in good order.
    pub async fn close(self) {
        self.mailbox.close("happy").await;
    }
}

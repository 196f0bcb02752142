//! The words with a rendezvous: JSON in a WebSocket. Knows no secret.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use proto::DeviceId;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;

use super::CodeError;
use crate::lane::Stream;

/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(15);
/// After so long without a word, the rendezvous is asked whether it is there.
const QUIET: Duration = Duration::from_secs(40);
/// The longest word.
const MAX_WORD_BYTES: usize = 1 << 20;

/// A connection to a rendezvous.
pub struct Mailbox {
    socket: WebSocketStream<Stream>,
    app: String,
    side: String,
    offers: Option<Offers>,
    /// Heard while something else was waited for.
    heard: VecDeque<Heard>,
    /// Asked whether it is there, and not answered yet.
    asked: bool,
}

/// What a rendezvous of ours has besides mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Offers {
    /// Which one it is, whichever way leads there.
    pub id: String,
    /// What it is called.
    pub name: String,
    /// A relay, at the same address, for those who meet.
    pub relay: bool,
    /// Links for browsers.
    pub drops: bool,
}

/// Something that the other side put into the mailbox.
#[derive(Debug, Deserialize)]
pub(super) struct Heard {
    pub(super) side: String,
    pub(super) phase: String,
    pub(super) body: String,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Said {
    Welcome {
        welcome: Welcome,
    },
    Nameplates {
        nameplates: Vec<Listed>,
    },
    Allocated {
        nameplate: String,
    },
    Claimed {
        mailbox: String,
    },
    Released,
    Closed,
    Met,
    Message(Heard),
    Error {
        error: String,
    },
    // Acknowledgements, and what later versions say.
    #[serde(other)]
    Else,
}

#[derive(Debug, Deserialize)]
struct Welcome {
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    lanthorn: Option<Offers>,
}

#[derive(Debug, Deserialize)]
struct Listed {
    id: String,
}

fn lost(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> CodeError {
    CodeError::Lost(error.into())
}

impl Mailbox {
    /// Greets the rendezvous at the other end of a connection, for the programs of this name.
    ///
    /// # Errors
    /// What answers is no rendezvous, or takes nobody.
    pub async fn enter(stream: Stream, host: &str, path: &str, app: &str) -> Result<Self, CodeError> {
        let request = format!("ws://{host}{path}").into_client_request().map_err(lost)?;
        let limits = WebSocketConfig::default()
            .max_message_size(Some(MAX_WORD_BYTES))
            .max_frame_size(Some(MAX_WORD_BYTES));
        let opened = tokio_tungstenite::client_async_with_config(request, stream, Some(limits));
        let (socket, _) = timeout(ANSWER, opened).await.map_err(lost)?.map_err(lost)?;
        let mut side = [0; 5];
        getrandom::fill(&mut side).map_err(lost)?;
        let side = to_hex(&side);
        let heard = VecDeque::new();
        let mut mailbox = Self { socket, app: app.into(), side, offers: None, heard, asked: false };
        let Said::Welcome { welcome } = mailbox.answer().await? else { return Err(CodeError::Strange) };
        if let Some(error) = welcome.error {
            return Err(CodeError::Refused(error));
        }
        mailbox.offers = welcome.lanthorn;
        let bind = json!({"type": "bind", "appid": app, "side": mailbox.side,
            "client_version": ["lanthorn", env!("CARGO_PKG_VERSION")]});
        mailbox.say(&bind).await?;
        Ok(mailbox)
    }

    /// What there is besides mailboxes, if it is a rendezvous of ours.
    #[must_use]
    pub fn offers(&self) -> Option<&Offers> {
        self.offers.as_ref()
    }

    pub(super) fn app(&self) -> &str {
        &self.app
    }

    pub(super) fn side(&self) -> &str {
        &self.side
    }

    /// The nameplates there are. Some rendezvous do not tell.
    ///
    /// # Errors
    /// The connection broke.
    pub async fn list(&mut self) -> Result<Vec<String>, CodeError> {
        self.say(&json!({"type": "list"})).await?;
        let Said::Nameplates { nameplates } = self.answer().await? else { return Err(CodeError::Strange) };
        Ok(nameplates.into_iter().map(|listed| listed.id).collect())
    }

    /// A nameplate that was free.
    pub(super) async fn allocate(&mut self) -> Result<String, CodeError> {
        self.say(&json!({"type": "allocate"})).await?;
        let Said::Allocated { nameplate } = self.answer().await? else { return Err(CodeError::Strange) };
        Ok(nameplate)
    }

    /// Goes to the mailbox behind a nameplate.
    pub(super) async fn claim(&mut self, nameplate: &str) -> Result<(), CodeError> {
        self.say(&json!({"type": "claim", "nameplate": nameplate})).await?;
        let Said::Claimed { mailbox } = self.answer().await? else { return Err(CodeError::Strange) };
        self.say(&json!({"type": "open", "mailbox": mailbox})).await
    }

    pub(super) async fn release(&mut self) -> Result<(), CodeError> {
        self.say(&json!({"type": "release"})).await?;
        match self.answer().await? {
            Said::Released => Ok(()),
            _ => Err(CodeError::Strange),
        }
    }

    /// Says with which key this side comes to the relay.
    pub(super) async fn meet(&mut self, key: DeviceId) -> Result<(), CodeError> {
        self.say(&json!({"type": "meet", "key": key})).await?;
        match self.answer().await? {
            Said::Met => Ok(()),
            _ => Err(CodeError::Strange),
        }
    }

    pub(super) async fn add(&mut self, phase: &str, body: &[u8]) -> Result<(), CodeError> {
        self.say(&json!({"type": "add", "phase": phase, "body": to_hex(body)})).await
    }

    /// Is done with the mailbox, in good order where that is possible.
    pub(super) async fn close(mut self, mood: &str) {
        let closed = async {
            self.say(&json!({"type": "close", "mood": mood})).await?;
            while !matches!(self.answer().await?, Said::Closed) {}
            self.socket.close(None).await.map_err(lost)
        };
        if let Ok(Err(error)) = timeout(ANSWER, closed).await {
            tracing::debug!(%error, "left without a word");
        }
    }

    /// The next thing that the other side put there.
    pub(super) async fn next(&mut self) -> Result<Heard, CodeError> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Ok(heard);
            }
            match timeout(QUIET, self.read()).await {
                Ok(said) => self.take(said?)?,
                Err(_) if self.asked => return Err(lost("it does not answer any more")),
                Err(_) => {
                    self.asked = true;
                    self.say(&json!({"type": "ping", "ping": 0})).await?;
                }
            }
        }
    }

    /// The answer to what was just asked.
    async fn answer(&mut self) -> Result<Said, CodeError> {
        let answered = async {
            loop {
                match self.read().await? {
                    Said::Error { error } if error == "crowded" => return Err(CodeError::Crowded),
                    Said::Error { error } => return Err(CodeError::Refused(error)),
                    said @ (Said::Message(_) | Said::Else) => self.take(said)?,
                    said => return Ok(said),
                }
            }
        };
        timeout(ANSWER, answered).await.map_err(lost)?
    }

    /// Takes what was not asked for.
    fn take(&mut self, said: Said) -> Result<(), CodeError> {
        match said {
            Said::Message(heard) if heard.side != self.side => self.heard.push_back(heard),
            Said::Error { error } => return Err(CodeError::Refused(error)),
            _ => {}
        }
        Ok(())
    }

    async fn read(&mut self) -> Result<Said, CodeError> {
        loop {
            let message = self.socket.next().await.ok_or_else(|| lost("it ended"))?.map_err(lost)?;
            self.asked = false;
            match message {
                Message::Text(text) => return parse(text.as_bytes()),
                Message::Binary(bytes) => return parse(&bytes),
                Message::Close(_) => return Err(lost("it ended")),
                _ => {}
            }
        }
    }

    async fn say(&mut self, word: &Value) -> Result<(), CodeError> {
        let sent = self.socket.send(Message::Text(word.to_string().into()));
        timeout(ANSWER, sent).await.map_err(lost)?.map_err(lost)
    }
}

fn parse(word: &[u8]) -> Result<Said, CodeError> {
    serde_json::from_slice(word).map_err(|_| CodeError::Strange)
}

/// Bytes as the rendezvous takes them.
pub(super) fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// And back.
pub(super) fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = text.chars().map(|c| c.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| pairs.map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_their_digits() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(from_hex(&to_hex(&bytes)).unwrap(), bytes);
        assert_eq!(to_hex(&[0, 0xab]), "00ab");
        for bad in ["0", "0g", "é0"] {
            assert_eq!(from_hex(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_is_not_known_is_passed_over() {
        let said = |text: &str| parse(text.as_bytes()).unwrap();
        assert!(matches!(said(r#"{"type": "ack", "id": "a"}"#), Said::Else));
        assert!(matches!(said(r#"{"type": "pong", "pong": 0}"#), Said::Else));
        let welcome = said(r#"{"type": "welcome", "welcome": {"motd": "x", "your-address": {}}}"#);
        assert!(matches!(welcome, Said::Welcome { welcome: Welcome { error: None, lanthorn: None } }));
    }
}

//! A router that stands in for the receiver's device: it writes down what it is asked, and says what the test has it say.

use std::collections::VecDeque;

use axum::body::Bytes;
use axum::http::Uri;
use futures_util::stream;
use proto::ApiError;
use proto::ErrorCode;
use proto::PrincipalId;
use proto::api::transfers::{ItemState, PausedBy};
use tokio::sync::watch;

use super::*;
use crate::events::Listener;
use crate::store::transfers::TransferRow;

/// A request to the device.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// What follows the transfer.
    pub(super) word: String,
    pub(super) bearer: String,
    pub(super) body: Bytes,
}

#[derive(Default)]
struct Now {
    asked: Vec<Asked>,
    refuses: bool,
    /// Counts up when what is watched breaks off.
    broken: u64,
    transfer: Value,
    /// What it says of the transfer: states by place, and who holds it.
    says: Vec<(usize, String)>,
    held: Option<String>,
}

/// The device.
#[derive(Clone)]
pub(super) struct StandIn(Arc<watch::Sender<Now>>);

impl Default for StandIn {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(Now::default())))
    }
}

impl StandIn {
    pub(super) fn link(&self) -> RouterLink {
        let device = self.clone();
        RouterLink::new(Router::new().fallback(move |request: Request| {
            let device = device.clone();
            async move { device.answer(request).await }
        }))
    }

    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let word = word(&parts.uri);
        let body = body.collect().await.unwrap().to_bytes();
        let bearer = parts.headers["authorization"].to_str().unwrap().to_owned();
        let refuses = self.0.borrow().refuses;
        self.0.send_modify(|now| {
            now.asked.push(Asked { method: parts.method.clone(), word: word.clone(), bearer, body });
        });
        match &*word {
            _ if refuses => ApiError::new(ErrorCode::Busy, "Not now.", "Later.").into_response(),
            "watch" => self.watched().into_response(),
            _ => axum::Json(json!({})).into_response(),
        }
    }

    fn watched(&self) -> Body {
        let (changes, broken) = (self.0.subscribe(), self.0.borrow().broken);
        let lines = stream::unfold((changes, None), move |(mut changes, before)| async move {
            loop {
                let (line, gone) = {
                    let now = changes.borrow_and_update();
                    (now.line(), now.broken != broken)
                };
                if gone {
                    return None;
                }
                if line.is_some() && line != before {
                    return Some((Ok::<_, std::convert::Infallible>(line.clone().unwrap()), (changes, line)));
                }
                changes.changed().await.ok()?;
            }
        });
        Body::from_stream(lines)
    }

    pub(super) fn asked(&self) -> Vec<Asked> {
        self.0.borrow().asked.clone()
    }

    /// What it was told last to expect.
    pub(super) async fn expected(&self) -> Expected {
        self.is_asked(Method::PUT).await;
        let puts = self.asked().into_iter().filter(|asked| asked.method == Method::PUT);
        serde_json::from_slice(&puts.last().unwrap().body).unwrap()
    }

    /// Waits until it is asked this of the transfer itself.
    pub(super) async fn is_asked(&self, method: Method) {
        let asked = |now: &Now| now.asked.iter().any(|asked| asked.method == method && asked.word.is_empty());
        self.0.subscribe().wait_for(asked).await.unwrap();
    }

    /// Waits until it was told last that this one holds the transfer, or nobody.
    pub(super) async fn is_told(&self, holder: Value) {
        let told = |now: &Now| {
            let last = now.asked.iter().rfind(|asked| asked.method == Method::PUT);
            let last: Option<Value> = last.and_then(|asked| serde_json::from_slice(&asked.body).ok());
            last.is_some_and(|last| last["paused_by"] == holder)
        };
        self.0.subscribe().wait_for(told).await.unwrap();
    }

    /// From now on it says that its items are in these states.
    pub(super) fn says(&self, transfer: &Value, states: &[&str]) {
        self.says_of(transfer, &states.iter().copied().enumerate().collect::<Vec<_>>());
    }

    pub(super) fn says_held(&self, transfer: &Value, states: &[&str], by: &str) {
        let by = Some(by.to_owned());
        self.0.send_modify(|now| now.held.clone_from(&by));
        self.says_all(transfer, states.iter().copied().enumerate(), by);
    }

    pub(super) fn says_of(&self, transfer: &Value, states: &[(usize, &str)]) {
        self.says_all(transfer, states.iter().copied(), None);
    }

    fn says_all<'a>(
        &self,
        transfer: &Value,
        states: impl Iterator<Item = (usize, &'a str)>,
        held: Option<String>,
    ) {
        let lines = states.map(|(place, state)| {
            let item = &transfer["items"][place];
            let told = json!({
                "item_id": item["id"], "filename": item["filename"], "expected_size": item["size"],
                "received_size": 5, "state": state,
            });
            (place, told.to_string())
        });
        let says = lines.collect();
        self.0.send_modify(|now| {
            now.transfer = transfer["id"].clone();
            now.says = says;
            now.held = held;
        });
    }

    /// Whoever watches is hung up on.
    pub(super) fn breaks_off(&self) {
        self.0.send_modify(|now| now.broken += 1);
    }

    pub(super) fn refuses(&self, refuses: bool) {
        self.0.send_modify(|now| now.refuses = refuses);
    }
}

impl Now {
    /// One line about everything; nothing before there is anything to say.
    fn line(&self) -> Option<String> {
        if self.says.is_empty() {
            return None;
        }
        let items: Vec<Value> =
            self.says.iter().map(|(_, item)| serde_json::from_str(item).unwrap()).collect();
        let arrived = json!({
            "transfer_id": self.transfer, "connected": true, "items": items, "paused_by": self.held,
            "way": "relayed", "limited_by": "network",
        });
        Some(arrived.to_string() + "\n")
    }
}

fn word(uri: &Uri) -> String {
    let rest = uri.path().strip_prefix("/agent/v1/inbox/transfers/").unwrap();
    rest.split_once('/').map_or_else(String::new, |(_, word)| word.to_owned())
}

/// What somebody hears.
pub(super) struct Ear {
    listener: Listener,
    waiting: VecDeque<Value>,
}

impl Ear {
    pub(super) async fn hear(&mut self) -> Value {
        while self.waiting.is_empty() {
            let events = self.listener.hear(|_| true).await.unwrap();
            self.waiting.extend(events.into_iter().map(|event| serde_json::to_value(event).unwrap()));
        }
        self.waiting.pop_front().unwrap()
    }
}

impl Play {
    pub(super) fn ear_of_owner(&self) -> Ear {
        self.ear_of(self.world.coordinator.rooms().identity.owner_id().unwrap())
    }

    pub(super) fn ear_of(&self, person: PrincipalId) -> Ear {
        let rooms = self.world.coordinator.rooms();
        let client = crate::access::Client::Session(proto::SessionId::generate());
        let privacy = proto::api::auth::Privacy::Private;
        let caller =
            crate::access::Caller { principal: person, client, privacy, owner: person, browser_id: None };
        Ear { listener: rooms.events.listen(&caller, None).unwrap(), waiting: VecDeque::new() }
    }

    /// Waits until a transfer looks like this.
    pub(super) async fn until(&mut self, transfer: &Value, looks: impl Fn(&Value) -> bool) {
        let mut changes = self.world.coordinator.rooms().transfers.changes();
        while !looks(&self.seen(transfer).await) {
            changes.changed().await.unwrap();
        }
    }

    pub(super) async fn until_item(&mut self, transfer: &Value, place: usize, state: &str) {
        self.until(transfer, |seen| seen["items"][place]["state"] == state).await;
    }

    pub(super) async fn until_row(&self, transfer: &Value, fits: impl Fn(&TransferRow) -> bool) {
        let transfers = &self.world.coordinator.rooms().transfers;
        let mut changes = transfers.changes();
        while !transfers.row(id(transfer)).is_some_and(|row| fits(&row)) {
            changes.changed().await.unwrap();
        }
    }
}

#[test]
fn words_are_those_of_the_wire() {
    let of = |value: &Value| serde_json::from_value::<ItemState>(value.clone()).is_ok();
    assert!(of(&json!("receiving")) && of(&json!("staged")) && of(&json!("finalized")));
    assert!(serde_json::from_value::<PausedBy>(json!("no_space")).is_ok());
}

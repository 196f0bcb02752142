//! One connection's words: what may be said when, and what is answered. Knows no socket.

use proto::DeviceId;
use serde_json::Value;
use tokio::sync::mpsc;

use super::mailboxes::{self, Mailboxes, No, Place};
use super::words::{Asked, Listed, Message, Said, Welcome};
use super::{Outbox, Rendezvous};

/// What is put into a mailbox faster than a connection reads.
const QUEUE: usize = 64;

/// One connection.
pub(crate) struct Conversation {
    rendezvous: Rendezvous,
    place: Place,
    bound: Option<Bound>,
    outbox: Option<Outbox>,
    inbox: mpsc::Receiver<Message>,
}

/// Who speaks.
struct Bound {
    app: String,
    side: String,
    allocated: bool,
    /// The nameplate.
    claimed: Option<String>,
    released: bool,
    /// The mailbox.
    opened: Option<String>,
    closed: bool,
}

/// Why a word is not answered as it hoped to be.
enum Wrong {
    Order(&'static str),
    No(No),
}

impl From<No> for Wrong {
    fn from(no: No) -> Self {
        Self::No(no)
    }
}

impl Wrong {
    fn text(&self) -> String {
        match self {
            Self::Order(text) => (*text).into(),
            Self::No(no) => no.to_string(),
        }
    }
}

impl Conversation {
    pub(super) fn new(rendezvous: Rendezvous, place: Place) -> Self {
        let (outbox, inbox) = mpsc::channel(QUEUE);
        Self { rendezvous, place, bound: None, outbox: Some(outbox), inbox }
    }

    /// The first word.
    pub(crate) fn welcome(&self) -> Said {
        Said::Welcome { welcome: Welcome { lanthorn: self.rendezvous.0.offers.clone() } }
    }

    /// What somebody put into the mailbox; none if it came faster than it was fetched.
    pub(crate) async fn next(&mut self) -> Option<Said> {
        if self.bound.as_ref().is_some_and(|bound| bound.closed) {
            // Nothing comes any more; what it says still counts.
            return std::future::pending().await;
        }
        self.inbox.recv().await.map(Said::Message)
    }

    /// Hears a word, and answers it.
    pub(crate) fn hear(&mut self, text: &str) -> Vec<Said> {
        let Ok(orig) = serde_json::from_str::<Value>(text) else {
            return vec![Said::Error { error: "that is no JSON".into(), orig: Value::Null }];
        };
        let mut answers = vec![Said::Ack { id: orig.get("id").cloned() }];
        let asked = serde_json::from_value(orig.clone());
        let answered = asked.map_err(|_| Wrong::Order("not understood")).and_then(|asked| {
            let id = orig.get("id").cloned();
            self.answer(asked, id)
        });
        match answered {
            Ok(answered) => answers.extend(answered),
            Err(wrong) => answers.push(Said::Error { error: wrong.text(), orig }),
        }
        answers
    }

    fn answer(&mut self, asked: Asked, id: Option<Value>) -> Result<Vec<Said>, Wrong> {
        let rendezvous = self.rendezvous.clone();
        let mut all = rendezvous.0.mailboxes.lock();
        match asked {
            Asked::Ping { ping } => return Ok(vec![Said::Pong { pong: ping }]),
            Asked::Bind { appid, side } => return self.bind(appid, side).map(|()| Vec::new()),
            Asked::Open { mailbox } => return self.open(&mut all, mailbox),
            _ => {}
        }
        let address = self.place.address;
        let number = self.place.number;
        let bound = self.bound.as_mut().ok_or(Wrong::Order("must bind first"))?;
        match asked {
            Asked::List => Ok(vec![bound.list(&all)]),
            Asked::Allocate => {
                if std::mem::replace(&mut bound.allocated, true) {
                    return Err(Wrong::Order("you already allocated one, don't be greedy"));
                }
                Ok(vec![Said::Allocated { nameplate: all.allocate(&bound.app, &bound.side, address)? }])
            }
            Asked::Claim { nameplate } => {
                if bound.claimed.is_some() {
                    return Err(Wrong::Order("only one claim per connection"));
                }
                let mailbox = all.claim(&bound.app, &nameplate, &bound.side, address)?;
                bound.claimed = Some(nameplate);
                Ok(vec![Said::Claimed { mailbox }])
            }
            Asked::Release { nameplate } => bound.release(&mut all, nameplate),
            Asked::Add { phase, body } => bound.add(&mut all, phase, body, id),
            Asked::Close { mailbox, mood } => bound.close(&mut all, mailbox, mood, number),
            Asked::Meet { key } => bound.meet(&mut all, key),
            Asked::Ping { .. } | Asked::Bind { .. } | Asked::Open { .. } => Ok(Vec::new()),
        }
    }

    fn bind(&mut self, app: String, side: String) -> Result<(), Wrong> {
        if self.bound.is_some() {
            return Err(Wrong::Order("already bound"));
        }
        if !mailboxes::is_name(&app) || !mailboxes::is_name(&side) {
            return Err(No::BadName.into());
        }
        self.bound = Some(Bound {
            app,
            side,
            allocated: false,
            claimed: None,
            released: false,
            opened: None,
            closed: false,
        });
        Ok(())
    }

    fn open(&mut self, all: &mut Mailboxes, mailbox: String) -> Result<Vec<Said>, Wrong> {
        let bound = self.bound.as_mut().ok_or(Wrong::Order("must bind first"))?;
        let outbox = self.outbox.take().ok_or(Wrong::Order("only one open per connection"))?;
        let before = all.open(&bound.app, &mailbox, &bound.side, &self.place, outbox)?;
        bound.opened = Some(mailbox);
        Ok(before.into_iter().map(Said::Message).collect())
    }
}

impl Bound {
    fn list(&self, all: &Mailboxes) -> Said {
        Said::Nameplates { nameplates: all.list(&self.app).into_iter().map(|id| Listed { id }).collect() }
    }

    fn release(&mut self, all: &mut Mailboxes, named: Option<String>) -> Result<Vec<Said>, Wrong> {
        if std::mem::replace(&mut self.released, true) {
            return Err(Wrong::Order("only one release per connection"));
        }
        let nameplate = same(self.claimed.as_deref(), named)
            .ok_or(Wrong::Order("release and claim must use same nameplate"))?;
        all.release(&self.app, &nameplate, &self.side);
        Ok(vec![Said::Released])
    }

    fn add(
        &self,
        all: &mut Mailboxes,
        phase: String,
        body: String,
        id: Option<Value>,
    ) -> Result<Vec<Said>, Wrong> {
        let open = self.opened.as_deref().filter(|_| !self.closed);
        let mailbox = open.ok_or(Wrong::Order("must open mailbox before adding"))?;
        all.add(&self.app, mailbox, Message { side: self.side.clone(), phase, body, id })?;
        Ok(Vec::new())
    }

    fn close(
        &mut self,
        all: &mut Mailboxes,
        named: Option<String>,
        mood: Option<String>,
        place: u64,
    ) -> Result<Vec<Said>, Wrong> {
        if std::mem::replace(&mut self.closed, true) {
            return Err(Wrong::Order("only one close per connection"));
        }
        let mailbox = same(self.opened.as_deref(), named)
            .ok_or(Wrong::Order("open and close must use same mailbox"))?;
        tracing::debug!(mood, "a side is done with its mailbox");
        all.leave(&self.app, &mailbox, place);
        all.close(&self.app, &mailbox, &self.side);
        Ok(vec![Said::Closed])
    }

    fn meet(&self, all: &mut Mailboxes, key: DeviceId) -> Result<Vec<Said>, Wrong> {
        let mailbox = self.opened.as_deref().ok_or(Wrong::Order("must open mailbox before meeting"))?;
        all.meet(&self.app, mailbox, &self.side, key)?;
        Ok(vec![Said::Met])
    }
}

/// What this connection has, if what is named is nothing else; without it, what is named.
fn same(had: Option<&str>, named: Option<String>) -> Option<String> {
    match (had, named) {
        (Some(had), Some(named)) => (had == named).then_some(named),
        (Some(had), None) => Some(had.to_owned()),
        (None, named) => named,
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let Some(Bound { app, opened: Some(mailbox), .. }) = &self.bound else { return };
        self.rendezvous.0.mailboxes.lock().leave(app, mailbox, self.place.number);
    }
}

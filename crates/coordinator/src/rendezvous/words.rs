//! The words of the mailbox protocol, in JSON. `welcome.lanthorn` and `meet` are ours: others pass over them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use proto::DeviceId;

/// What is said to the rendezvous. Further fields are passed over.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Asked {
    /// Who speaks, and which program.
    Bind { appid: String, side: String },
    /// Which nameplates are there?
    List,
    /// A nameplate that is free.
    Allocate,
    /// This nameplate.
    Claim { nameplate: String },
    /// Not any more.
    Release {
        #[serde(default)]
        nameplate: Option<String>,
    },
    /// Listens to a mailbox.
    Open { mailbox: String },
    /// Puts something into it.
    Add { phase: String, body: String },
    /// Is done with it.
    Close {
        #[serde(default)]
        mailbox: Option<String>,
        #[serde(default)]
        mood: Option<String>,
    },
    /// Is anybody there?
    Ping { ping: Value },
    /// Ours: the device key with which this side will come to the relay.
    Meet { key: DeviceId },
}

/// What the rendezvous says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(crate) enum Said {
    Welcome {
        welcome: Welcome,
    },
    Ack {
        #[serde(skip_serializing_if = "Option::is_none")]
        id: Option<Value>,
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
    Message(Message),
    Closed,
    Pong {
        pong: Value,
    },
    Met,
    Error {
        error: String,
        orig: Value,
    },
}

/// The first word.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Welcome {
    pub(crate) lanthorn: Offers,
}

/// What there is at this rendezvous besides mailboxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Offers {
    /// Which one it is, whichever way leads there: another after each start.
    pub(crate) id: String,
    /// What it is called.
    pub(crate) name: String,
    /// A relay for those who met.
    pub(crate) relay: bool,
    /// Links for browsers.
    pub(crate) drops: bool,
}

/// A nameplate in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Listed {
    pub(crate) id: String,
}

/// Something in a mailbox.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Message {
    /// Who put it there.
    pub(crate) side: String,
    pub(crate) phase: String,
    pub(crate) body: String,
    /// What its sender called it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<Value>,
}

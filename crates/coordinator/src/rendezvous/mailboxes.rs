//! Nameplates and mailboxes, in memory. Nothing here is kept for long: what nobody listens to goes after some minutes, and
//! everything after a day.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use proto::DeviceId;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::words::Message;
use crate::rendezvous::Shared;

/// The longest word.
pub(crate) const MAX_MESSAGE_BYTES: usize = 512 << 10;
/// What is in one mailbox.
const MAX_MAILBOX_BYTES: usize = 2 << 20;
/// The same in messages.
const MAX_MESSAGES: usize = 256;
/// What is in all.
const MAX_BYTES: usize = 64 << 20;
/// How many mailboxes there are.
const MAX_MAILBOXES: usize = 4096;
/// How many of them were made from one address.
const MAX_MAILBOXES_OF_ONE: usize = 64;
/// How many connections there are, in all and from one address.
const MAX_CONNECTIONS: usize = 1024;
const MAX_CONNECTIONS_OF_ONE: usize = 64;
/// The longest name of an app, a side, a mailbox or a phase.
const MAX_NAME_BYTES: usize = 128;
/// The longest nameplate.
const MAX_NAMEPLATE_DIGITS: usize = 9;
/// How long a mailbox that nobody listens to is kept.
const UNHEARD: Duration = Duration::from_secs(600);
/// How long a mailbox, with its nameplate, is kept at all.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Sides of a mailbox.
const SIDES: usize = 2;

/// Where a connection hears what is put into its mailbox. One that does not read loses its place.
pub(crate) type Outbox = mpsc::Sender<Message>;

/// Whose nameplate or mailbox: the program's, by its name.
type Name = (String, String);

/// Why something cannot be done, as the protocol says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum No {
    #[error("crowded")]
    Crowded,
    #[error("reclaimed")]
    Reclaimed,
    #[error("that is no nameplate")]
    BadNameplate,
    #[error("a name is too long")]
    BadName,
    #[error("there is no such mailbox")]
    Gone,
    #[error("the mailbox is full")]
    Full,
    #[error("too many mailboxes; try again in some minutes")]
    TooMany,
}

/// All that is there.
pub(super) struct Mailboxes {
    nameplates: HashMap<Name, Nameplate>,
    mailboxes: HashMap<Name, Mailbox>,
    connections: HashMap<IpAddr, usize>,
    bytes: usize,
    /// How many digits the shortest nameplates have that are allocated.
    shortest: u32,
}

struct Nameplate {
    mailbox: String,
    /// Each side that came, and whether it still wants it.
    sides: HashMap<String, bool>,
}

struct Mailbox {
    /// Each side that came, and whether it is still there.
    sides: HashMap<String, bool>,
    messages: Vec<Message>,
    listeners: HashMap<u64, Outbox>,
    /// The device key of each side that said it.
    keys: HashMap<String, DeviceId>,
    by: IpAddr,
    made: Instant,
    touched: Instant,
}

impl Mailbox {
    fn bytes(&self) -> usize {
        self.messages.iter().map(|message| message.body.len()).sum()
    }

    fn is_over(&self, now: Instant) -> bool {
        let unheard = self.listeners.is_empty() && now - self.touched > UNHEARD;
        unheard || now - self.made > LONGEST
    }
}

/// A connection's place. Given back when it is dropped.
pub(crate) struct Place {
    all: Weak<Shared>,
    pub(super) address: IpAddr,
    /// What it is known by to mailboxes.
    pub(super) number: u64,
}

impl Place {
    pub(super) fn enter(all: &Arc<Shared>, address: IpAddr) -> Option<Self> {
        let mut mailboxes = all.mailboxes.lock();
        let connections = &mut mailboxes.connections;
        let (of_all, of_one) =
            (connections.values().sum::<usize>(), connections.get(&address).copied().unwrap_or_default());
        if of_all >= MAX_CONNECTIONS || of_one >= MAX_CONNECTIONS_OF_ONE {
            return None;
        }
        connections.insert(address, of_one + 1);
        let number = random();
        Some(Self { all: Arc::downgrade(all), address, number })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(all) = self.all.upgrade() else { return };
        let mut mailboxes = all.mailboxes.lock();
        if let Some(count) = mailboxes.connections.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                mailboxes.connections.remove(&self.address);
            }
        }
    }
}

impl Mailboxes {
    pub(super) fn new(shortest: u32) -> Self {
        Self {
            nameplates: HashMap::new(),
            mailboxes: HashMap::new(),
            connections: HashMap::new(),
            bytes: 0,
            shortest,
        }
    }

    /// The nameplates of a program.
    pub(super) fn list(&self, app: &str) -> Vec<String> {
        let mut ids: Vec<String> =
            self.nameplates.keys().filter(|(of, _)| of == app).map(|(_, id)| id.clone()).collect();
        ids.sort();
        ids
    }

    /// A nameplate that was free: short ones first, any of those that are as long.
    pub(super) fn allocate(&mut self, app: &str, side: &str, by: IpAddr) -> Result<String, No> {
        let taken: HashSet<String> = self.list(app).into_iter().collect();
        for digits in self.shortest..=9 {
            let (first, end) = (10_u32.pow(digits - 1), 10_u32.pow(digits));
            let free = || (first..end).map(|number| number.to_string()).filter(|id| !taken.contains(id));
            let count = free().count();
            if let Some(id) = free().nth(random() as usize % count.max(1)) {
                self.claim(app, &id, side, by)?;
                return Ok(id);
            }
        }
        Err(No::TooMany)
    }

    /// The mailbox behind a nameplate, which is made if it is not there.
    pub(super) fn claim(&mut self, app: &str, id: &str, side: &str, by: IpAddr) -> Result<String, No> {
        self.tidy(Instant::now());
        if id.is_empty() || id.len() > MAX_NAMEPLATE_DIGITS || !id.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(No::BadNameplate);
        }
        let name = (app.to_owned(), id.to_owned());
        match self.nameplates.get_mut(&name) {
            Some(nameplate) if nameplate.sides.get(side) == Some(&false) => return Err(No::Reclaimed),
            Some(nameplate) if nameplate.sides.len() >= SIDES && !nameplate.sides.contains_key(side) => {
                return Err(No::Crowded);
            }
            Some(nameplate) => {
                nameplate.sides.insert(side.to_owned(), true);
                let mailbox = nameplate.mailbox.clone();
                return self.enter(app, &mailbox, side, by).map(|()| mailbox);
            }
            None => {}
        }
        let mailbox = format!("{:016x}{:016x}", random(), random());
        self.enter(app, &mailbox, side, by)?;
        let sides = HashMap::from([(side.to_owned(), true)]);
        self.nameplates.insert(name, Nameplate { mailbox: mailbox.clone(), sides });
        Ok(mailbox)
    }

    /// A side does not need a nameplate any more. It goes with the last.
    pub(super) fn release(&mut self, app: &str, id: &str, side: &str) {
        let name = (app.to_owned(), id.to_owned());
        let Some(nameplate) = self.nameplates.get_mut(&name) else { return };
        if let Some(wanted) = nameplate.sides.get_mut(side) {
            *wanted = false;
        }
        if nameplate.sides.values().all(|wanted| !wanted) {
            self.nameplates.remove(&name);
        }
    }

    /// A side comes to a mailbox.
    fn enter(&mut self, app: &str, id: &str, side: &str, by: IpAddr) -> Result<(), No> {
        if id.is_empty() || id.len() > MAX_NAME_BYTES {
            return Err(No::BadName);
        }
        let name = (app.to_owned(), id.to_owned());
        let now = Instant::now();
        if !self.mailboxes.contains_key(&name) {
            let of_one = self.mailboxes.values().filter(|mailbox| mailbox.by == by).count();
            if self.mailboxes.len() >= MAX_MAILBOXES || of_one >= MAX_MAILBOXES_OF_ONE {
                return Err(No::TooMany);
            }
        }
        let mailbox = self.mailboxes.entry(name).or_insert_with(|| Mailbox {
            sides: HashMap::new(),
            messages: Vec::new(),
            listeners: HashMap::new(),
            keys: HashMap::new(),
            by,
            made: now,
            touched: now,
        });
        if mailbox.sides.len() >= SIDES && !mailbox.sides.contains_key(side) {
            return Err(No::Crowded);
        }
        mailbox.sides.insert(side.to_owned(), true);
        mailbox.touched = now;
        Ok(())
    }

    /// A side listens from now on. What is in the mailbox already.
    pub(super) fn open(
        &mut self,
        app: &str,
        id: &str,
        side: &str,
        place: &Place,
        outbox: Outbox,
    ) -> Result<Vec<Message>, No> {
        self.tidy(Instant::now());
        self.enter(app, id, side, place.address)?;
        let mailbox = self.mailboxes.get_mut(&(app.to_owned(), id.to_owned())).ok_or(No::Gone)?;
        mailbox.listeners.insert(place.number, outbox);
        Ok(mailbox.messages.clone())
    }

    /// A connection does not listen any more. The side may come back.
    pub(super) fn leave(&mut self, app: &str, id: &str, place: u64) {
        if let Some(mailbox) = self.mailboxes.get_mut(&(app.to_owned(), id.to_owned())) {
            mailbox.listeners.remove(&place);
            mailbox.touched = Instant::now();
        }
    }

    /// Puts something into a mailbox, and tells all who listen.
    pub(super) fn add(&mut self, app: &str, id: &str, message: Message) -> Result<(), No> {
        let bytes = message.body.len();
        let all = self.bytes;
        let mailbox = self.mailboxes.get_mut(&(app.to_owned(), id.to_owned())).ok_or(No::Gone)?;
        if message.phase.len() > MAX_NAME_BYTES {
            return Err(No::BadName);
        }
        let is_full = mailbox.messages.len() >= MAX_MESSAGES || mailbox.bytes() + bytes > MAX_MAILBOX_BYTES;
        if is_full || all + bytes > MAX_BYTES {
            return Err(No::Full);
        }
        mailbox.touched = Instant::now();
        mailbox.listeners.retain(|_, outbox| outbox.try_send(message.clone()).is_ok());
        mailbox.messages.push(message);
        self.bytes += bytes;
        Ok(())
    }

    /// A side is done with a mailbox. It goes with the last, and its nameplate with it.
    pub(super) fn close(&mut self, app: &str, id: &str, side: &str) {
        let name = (app.to_owned(), id.to_owned());
        let Some(mailbox) = self.mailboxes.get_mut(&name) else { return };
        if let Some(is_there) = mailbox.sides.get_mut(side) {
            *is_there = false;
        }
        if mailbox.sides.values().all(|is_there| !is_there) {
            self.remove(&name);
        }
    }

    /// A side says with which key it comes to the relay.
    pub(super) fn meet(&mut self, app: &str, id: &str, side: &str, key: DeviceId) -> Result<(), No> {
        let mailbox = self.mailboxes.get_mut(&(app.to_owned(), id.to_owned())).ok_or(No::Gone)?;
        mailbox.keys.insert(side.to_owned(), key);
        Ok(())
    }

    pub(super) fn has_met(&self, device: DeviceId) -> bool {
        let two = |mailbox: &&Mailbox| mailbox.sides.len() == SIDES;
        self.mailboxes.values().filter(two).any(|mailbox| mailbox.keys.values().any(|key| *key == device))
    }

    /// Lets go what is over.
    pub(super) fn tidy(&mut self, now: Instant) {
        let over: Vec<Name> = self
            .mailboxes
            .iter()
            .filter(|(_, mailbox)| mailbox.is_over(now))
            .map(|(name, _)| name.clone())
            .collect();
        over.iter().for_each(|name| self.remove(name));
    }

    fn remove(&mut self, name: &Name) {
        let Some(mailbox) = self.mailboxes.remove(name) else { return };
        self.bytes -= mailbox.bytes();
        self.nameplates.retain(|(app, _), nameplate| *app != name.0 || nameplate.mailbox != name.1);
    }

    /// What holds at any time.
    #[cfg(test)]
    pub(super) fn check(&self) {
        assert_eq!(self.bytes, self.mailboxes.values().map(Mailbox::bytes).sum::<usize>());
        assert!(self.mailboxes.values().all(|mailbox| mailbox.sides.len() <= SIDES));
        for ((app, _), nameplate) in &self.nameplates {
            assert!(self.mailboxes.contains_key(&(app.clone(), nameplate.mailbox.clone())));
            assert!(nameplate.sides.len() <= SIDES && nameplate.sides.values().any(|wanted| *wanted));
        }
    }

    /// How many nameplates, mailboxes and bytes there are.
    #[cfg(test)]
    pub(super) fn count(&self) -> (usize, usize, usize) {
        (self.nameplates.len(), self.mailboxes.len(), self.bytes)
    }
}

/// A number that nobody can guess. Without any, codes are predictable, which the words in them make up for.
pub(super) fn random() -> u64 {
    getrandom::u64().unwrap_or_default()
}

/// True for what may be the name of a program or a side.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= MAX_NAME_BYTES
}

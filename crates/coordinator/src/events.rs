//! What happened, as each person is told of it: a numbered feed per person, kept for five minutes so that a socket
//! that broke off can go on where it was. Who may hear what is asked twice: when it happens, and again when it is
//! sent. Knows no sockets and no rights; both are handed in.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use proto::api::events::{Event, Happening};
use proto::{PrincipalId, Secret};
use time::OffsetDateTime;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::access::{Caller, Client};
use crate::clock::{Clock, to_ms};
use crate::identity::token::Token;

/// For how long a token opens the socket.
pub(crate) const TOKEN_SECONDS: u64 = 90;
/// For how long what happened is told again.
const REPLAY_MS: i64 = 5 * 60 * 1000;
/// Events of one person that are remembered, at most.
const REPLAY_EVENTS: usize = 1024;
/// Tokens that wait to be used, at most, and of one client.
const MAX_TOKENS: usize = 4096;
const MAX_TOKENS_OF_ONE: usize = 16;
/// Sockets open at once, at most, and of one client.
const MAX_SOCKETS: usize = 4096;
const MAX_SOCKETS_OF_ONE: usize = 16;
/// How long the end of the process waits for sockets to close.
const CLOSE_WITHIN: Duration = Duration::from_secs(1);
/// Events handed to a socket at once.
const BATCH: usize = 64;

/// Something that happened to somebody's knowledge.
#[derive(Clone, Debug)]
struct Told {
    at_ms: i64,
    time: OffsetDateTime,
    what: Happening,
}

/// What one person was told lately. Numbers go on from `first` without a gap.
struct Feed {
    /// The number of the oldest event that is remembered, or the next one's if none is.
    first: u64,
    told: VecDeque<Told>,
    /// The number that the next event will have.
    next: watch::Sender<u64>,
    /// When somebody last listened.
    heard_ms: i64,
}

impl Feed {
    fn new(first: u64, now_ms: i64) -> Self {
        Self { first, told: VecDeque::new(), next: watch::Sender::new(first), heard_ms: now_ms }
    }

    fn next(&self) -> u64 {
        self.first + self.told.len() as u64
    }

    fn push(&mut self, told: Told) {
        self.forget(told.at_ms);
        if self.told.len() >= REPLAY_EVENTS {
            self.told.pop_front();
            self.first += 1;
        }
        self.told.push_back(told);
        self.next.send_replace(self.next());
    }

    fn forget(&mut self, now_ms: i64) {
        while self.told.front().is_some_and(|oldest| now_ms - oldest.at_ms > REPLAY_MS) {
            self.told.pop_front();
            self.first += 1;
        }
    }

    /// The events after a number, or word that some of them are not remembered any more.
    fn after(&self, after: u64, now: OffsetDateTime) -> Vec<Event> {
        let next = self.next();
        if after >= next || after + 1 < self.first {
            // The number is that of the last event, so that the listener can go on from here.
            return vec![Event { seq: next - 1, time: now, what: Happening::EventsLost }];
        }
        let skip = usize::try_from(after + 1 - self.first).unwrap_or(usize::MAX);
        let numbered = (after + 1..).zip(self.told.iter().skip(skip).take(BATCH));
        numbered.map(|(seq, told)| Event { seq, time: told.time, what: told.what.clone() }).collect()
    }
}

/// A token that waits to be used.
struct Waiting {
    caller: Caller,
    until_ms: i64,
}

/// An open socket.
struct Open {
    principal: PrincipalId,
    client: Client,
    ended: CancellationToken,
}

/// Why a socket or a token is not given.
#[derive(Debug, thiserror::Error)]
pub(crate) enum EventsError {
    #[error("there are too many")]
    TooMany,
    #[error("no random numbers")]
    Random(#[from] io::Error),
}

/// The room of events.
pub(crate) struct Events {
    clock: Arc<dyn Clock>,
    feeds: Mutex<HashMap<PrincipalId, Feed>>,
    tokens: Mutex<HashMap<[u8; 32], Waiting>>,
    sockets: Mutex<HashMap<u64, Open>>,
    /// Cancelled when the process ends.
    closing: CancellationToken,
    /// Told whenever a socket has closed.
    closed: Notify,
}

impl Events {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            feeds: Mutex::default(),
            tokens: Mutex::default(),
            sockets: Mutex::default(),
            closing: CancellationToken::new(),
            closed: Notify::new(),
        }
    }

    /// A token for the caller's client, good once.
    pub(crate) fn token(&self, caller: &Caller) -> Result<Secret<String>, EventsError> {
        let now = self.clock.steady_ms();
        let token = Token::generate()?;
        let mut tokens = self.tokens.lock();
        tokens.retain(|_, waiting| waiting.until_ms > now);
        let of_this = tokens.values().filter(|waiting| waiting.caller.client == caller.client).count();
        if tokens.len() >= MAX_TOKENS || of_this >= MAX_TOKENS_OF_ONE {
            return Err(EventsError::TooMany);
        }
        let until_ms = now + i64::try_from(TOKEN_SECONDS * 1000).unwrap_or(i64::MAX);
        tokens.insert(token.hash(), Waiting { caller: *caller, until_ms });
        Ok(Secret::new(token.text()))
    }

    /// Whom a token is for, if it is one, in time, and used for the first time.
    pub(crate) fn redeem(&self, token: &str) -> Option<Caller> {
        let token = Token::parse(token)?;
        let waiting = self.tokens.lock().remove(&token.hash())?;
        (self.clock.steady_ms() < waiting.until_ms).then_some(waiting.caller)
    }

    /// Opens somebody's ear. It closes when dropped.
    pub(crate) fn listen(
        self: &Arc<Self>,
        caller: &Caller,
        after: Option<u64>,
    ) -> Result<Listener, EventsError> {
        let ended = self.closing.child_token();
        let id = {
            let mut sockets = self.sockets.lock();
            let of_this = sockets.values().filter(|open| open.client == caller.client).count();
            if sockets.len() >= MAX_SOCKETS || of_this >= MAX_SOCKETS_OF_ONE {
                return Err(EventsError::TooMany);
            }
            let id = (0..).find(|id| !sockets.contains_key(id)).unwrap_or_default();
            let open = Open { principal: caller.principal, client: caller.client, ended: ended.clone() };
            sockets.insert(id, open);
            id
        };
        let mut feeds = self.feeds.lock();
        let feed = self.feed(&mut feeds, caller.principal);
        let after = after.unwrap_or(feed.next() - 1);
        let next = feed.next.subscribe();
        Ok(Listener { events: Arc::clone(self), id, principal: caller.principal, after, next, ended })
    }

    /// A person's feed, begun now if there is none. Numbers begin with the time of day in milliseconds: what an
    /// earlier feed of the same person counted lies below, and is found to be too old.
    fn feed<'a>(&self, feeds: &'a mut HashMap<PrincipalId, Feed>, person: PrincipalId) -> &'a mut Feed {
        let now = self.clock.steady_ms();
        let feed = feeds.entry(person).or_insert_with(|| {
            Feed::new(u64::try_from(to_ms(self.clock.wall())).unwrap_or_default().max(1), now)
        });
        feed.heard_ms = now;
        feed
    }

    /// Tells everybody who may hear it and has listened lately.
    pub(crate) fn tell(&self, what: &Happening, may_hear: impl Fn(PrincipalId) -> bool) {
        let listeners: Vec<_> = self.feeds.lock().keys().copied().collect();
        // Asked without the lock: whoever answers may ask other rooms.
        let hearers: Vec<_> = listeners.into_iter().filter(|person| may_hear(*person)).collect();
        let (at_ms, time) = (self.clock.steady_ms(), self.clock.wall());
        let mut feeds = self.feeds.lock();
        for person in hearers {
            if let Some(feed) = feeds.get_mut(&person) {
                feed.push(Told { at_ms, time, what: what.clone() });
            }
        }
    }

    /// Those who have listened lately.
    pub(crate) fn people(&self) -> HashSet<PrincipalId> {
        self.feeds.lock().keys().copied().collect()
    }

    /// Closes the sockets of a client.
    pub(crate) fn end_client(&self, ended: Client) {
        self.end(|open| open.client == ended);
        self.tokens.lock().retain(|_, waiting| waiting.caller.client != ended);
    }

    /// Closes all sockets of somebody.
    pub(crate) fn end_principal(&self, ended: PrincipalId) {
        self.end(|open| open.principal == ended);
        self.tokens.lock().retain(|_, waiting| waiting.caller.principal != ended);
        self.feeds.lock().remove(&ended);
    }

    fn end(&self, which: impl Fn(&Open) -> bool) {
        self.sockets.lock().values().filter(|open| which(open)).for_each(|open| open.ended.cancel());
    }

    /// Tells every socket that the process ends, and gives each a moment to pass it on.
    pub(crate) async fn close(&self) {
        self.closing.cancel();
        let all_closed = async {
            while !self.sockets.lock().is_empty() {
                self.closed.notified().await;
            }
        };
        // A socket that takes nothing any more is left behind.
        let _ = tokio::time::timeout(CLOSE_WITHIN, all_closed).await;
    }

    /// True once [`close`](Self::close) was called.
    pub(crate) fn is_closing(&self) -> bool {
        self.closing.is_cancelled()
    }

    /// Once a minute: what is too old is forgotten, and so are the feeds to which nobody listens any more.
    pub(crate) fn tidy(&self) {
        let now = self.clock.steady_ms();
        let listening: Vec<_> = self.sockets.lock().values().map(|open| open.principal).collect();
        self.tokens.lock().retain(|_, waiting| waiting.until_ms > now);
        self.feeds.lock().retain(|person, feed| {
            if listening.contains(person) {
                feed.heard_ms = now;
            }
            feed.forget(now);
            now - feed.heard_ms <= REPLAY_MS
        });
    }
}

/// Somebody's ear at their feed.
pub(crate) struct Listener {
    events: Arc<Events>,
    id: u64,
    principal: PrincipalId,
    /// The last number that was handed out.
    after: u64,
    next: watch::Receiver<u64>,
    ended: CancellationToken,
}

impl Listener {
    /// What happened since the last call, or waits for it. `None` when the feed has gone with its person.
    ///
    /// What the person may not hear any more is replaced by the word that something changed: numbers have no gaps, and
    /// nothing is told by them.
    pub(crate) async fn hear(&mut self, may_hear: impl Fn(&Happening) -> bool) -> Option<Vec<Event>> {
        loop {
            self.next.borrow_and_update();
            let mut events =
                self.events.feeds.lock().get(&self.principal)?.after(self.after, self.events.clock.wall());
            if let Some(last) = events.last() {
                self.after = last.seq;
                for event in &mut events {
                    if !may_hear(&event.what) {
                        event.what = Happening::CatalogChanged;
                    }
                }
                return Some(events);
            }
            self.next.changed().await.ok()?;
        }
    }

    /// Cancelled when the client has ended or the process ends.
    pub(crate) fn ended(&self) -> CancellationToken {
        self.ended.clone()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.events.sockets.lock().remove(&self.id);
        self.events.closed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test::ManualClock;
    use proto::api::auth::Privacy;
    use proto::{DeviceId, SessionId, ShareId};

    fn caller(principal: PrincipalId) -> Caller {
        Caller {
            principal,
            client: Client::Session(SessionId::generate()),
            privacy: Privacy::Private,
            owner: principal,
            browser_id: None,
        }
    }

    fn events() -> (Arc<ManualClock>, Arc<Events>) {
        let clock = Arc::new(ManualClock::new());
        (Arc::clone(&clock), Arc::new(Events::new(clock)))
    }

    fn online(number: u8) -> Happening {
        Happening::DeviceOnline { device: DeviceId::from_public_key([number; 32]) }
    }

    async fn heard(listener: &mut Listener) -> Vec<(u64, Happening)> {
        let events = listener.hear(|_| true).await.unwrap();
        events.into_iter().map(|event| (event.seq, event.what)).collect()
    }

    #[test]
    fn a_token_is_good_once_and_for_ninety_seconds() {
        let (clock, events) = events();
        let caller = caller(PrincipalId::generate());
        let token = events.token(&caller).unwrap();
        assert_eq!(events.redeem(token.expose()).unwrap().client, caller.client);
        assert!(events.redeem(token.expose()).is_none(), "used");
        for (seconds, good) in [(89, true), (90, false)] {
            let token = events.token(&caller).unwrap();
            clock.pass(seconds);
            assert_eq!(events.redeem(token.expose()).is_some(), good, "after {seconds} s");
        }
        assert!(events.redeem("").is_none() && events.redeem(&"0".repeat(64)).is_none());
        let token = events.token(&caller).unwrap();
        events.end_client(caller.client);
        assert!(events.redeem(token.expose()).is_none(), "its client has ended");
        for _ in 0..MAX_TOKENS_OF_ONE {
            events.token(&caller).unwrap();
        }
        assert!(matches!(events.token(&caller), Err(EventsError::TooMany)));
        clock.pass(90);
        assert!(events.token(&caller).is_ok(), "the old ones make room");
    }

    #[tokio::test]
    async fn each_person_is_told_in_order_what_they_may_hear() {
        let (_, events) = events();
        let (mine, other) = (caller(PrincipalId::generate()), caller(PrincipalId::generate()));
        let mut ear = events.listen(&mine, None).unwrap();
        let mut other_ear = events.listen(&other, None).unwrap();
        events.tell(&online(1), |person| person == mine.principal);
        events.tell(&online(2), |_| true);
        events.tell(&online(3), |person| person == mine.principal);
        let first = heard(&mut ear).await;
        let start = first[0].0;
        assert_eq!(first, [(start, online(1)), (start + 1, online(2)), (start + 2, online(3))]);
        let others = heard(&mut other_ear).await;
        assert_eq!(others.len(), 1, "no gap tells of what was not for them");
        assert_eq!((others[0].0, &others[0].1), (other_ear.after, &online(2)));
    }

    #[tokio::test]
    async fn what_may_not_be_heard_any_more_when_it_is_sent_is_not_sent() {
        let (_, events) = events();
        let mine = caller(PrincipalId::generate());
        let mut ear = events.listen(&mine, None).unwrap();
        events.tell(&online(1), |_| true);
        events.tell(&online(2), |_| true);
        let told = ear.hear(|what| *what == online(2)).await.unwrap();
        assert_eq!(told[0].what, Happening::CatalogChanged);
        assert_eq!(told[1].what, online(2));
    }

    #[tokio::test]
    async fn a_broken_socket_goes_on_where_it_was_for_five_minutes() {
        let (clock, events) = events();
        let mine = caller(PrincipalId::generate());
        let mut ear = events.listen(&mine, None).unwrap();
        events.tell(&online(1), |_| true);
        let seen = heard(&mut ear).await[0].0;
        drop(ear);
        events.tell(&online(2), |_| true);
        clock.pass(300);
        events.tell(&online(3), |_| true);
        let mut again = events.listen(&mine, Some(seen)).unwrap();
        assert_eq!(heard(&mut again).await, [(seen + 1, online(2)), (seen + 2, online(3))]);
        clock.pass(1);
        events.tell(&online(4), |_| true);
        let mut late = events.listen(&mine, Some(seen)).unwrap();
        assert_eq!(heard(&mut late).await, [(seen + 3, Happening::EventsLost)], "number 2 is too old");
        events.tell(&online(5), |_| true);
        assert_eq!(heard(&mut late).await, [(seen + 4, online(5))], "and from there it goes on");
        for wrong in [0, seen + 400, u64::MAX] {
            let mut ear = events.listen(&mine, Some(wrong)).unwrap();
            assert_eq!(heard(&mut ear).await[0].1, Happening::EventsLost, "after {wrong}");
        }
    }

    #[tokio::test]
    async fn a_feed_that_began_anew_does_not_take_old_numbers_for_its_own() {
        let (clock, events) = events();
        let mine = caller(PrincipalId::generate());
        let mut ear = events.listen(&mine, None).unwrap();
        for number in 0..50 {
            events.tell(&online(number), |_| true);
        }
        let seen = heard(&mut ear).await.last().unwrap().0;
        clock.pass(1);
        let restarted = Arc::new(Events::new(clock));
        drop(restarted.listen(&mine, None).unwrap());
        for number in 0..100 {
            restarted.tell(&online(number), |_| true);
        }
        let mut ear = restarted.listen(&mine, Some(seen)).unwrap();
        assert_eq!(heard(&mut ear).await[0].1, Happening::EventsLost);
    }

    #[tokio::test]
    async fn a_listener_that_is_too_slow_is_told_so_and_holds_nothing_up() {
        let (_, events) = events();
        let mine = caller(PrincipalId::generate());
        let mut ear = events.listen(&mine, None).unwrap();
        for _ in 0..REPLAY_EVENTS + 1 {
            events.tell(&Happening::CatalogChanged, |_| true);
        }
        assert_eq!(events.feeds.lock()[&mine.principal].told.len(), REPLAY_EVENTS);
        assert_eq!(heard(&mut ear).await[0].1, Happening::EventsLost);
    }

    #[tokio::test]
    async fn a_socket_ends_with_its_client_its_person_or_the_process() {
        for end in 0..3 {
            let (_, events) = events();
            let mine = caller(PrincipalId::generate());
            let other = Caller { client: Client::Session(SessionId::generate()), ..mine };
            let (ear, spared) = (events.listen(&mine, None).unwrap(), events.listen(&other, None).unwrap());
            events.end_client(Client::Session(SessionId::generate()));
            events.end_principal(PrincipalId::generate());
            assert!(!ear.ended().is_cancelled());
            match end {
                0 => events.end_client(mine.client),
                1 => events.end_principal(mine.principal),
                _ => events.closing.cancel(),
            }
            assert!(ear.ended().is_cancelled());
            assert_eq!(spared.ended().is_cancelled(), end > 0);
        }
    }

    #[tokio::test]
    async fn sockets_and_feeds_are_counted_and_let_go() {
        let (clock, events) = events();
        let mine = caller(PrincipalId::generate());
        let mut ears: Vec<_> = (0..MAX_SOCKETS_OF_ONE).map(|_| events.listen(&mine, None).unwrap()).collect();
        assert!(matches!(events.listen(&mine, None), Err(EventsError::TooMany)));
        ears.pop();
        ears.push(events.listen(&mine, None).unwrap());
        clock.pass(600);
        events.tidy();
        assert_eq!(events.feeds.lock().len(), 1, "somebody listens");
        drop(ears);
        clock.pass(300);
        events.tidy();
        assert_eq!(events.feeds.lock().len(), 1);
        clock.pass(1);
        events.tidy();
        assert!(events.feeds.lock().is_empty() && events.sockets.lock().is_empty());
        let changed = Happening::ShareChanged {
            device: DeviceId::from_public_key([1; 32]),
            share: ShareId::generate(),
        };
        events.tell(&changed, |_| true);
        assert!(events.feeds.lock().is_empty(), "nobody to tell");
    }
}

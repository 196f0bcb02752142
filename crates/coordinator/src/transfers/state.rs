//! Where a transfer stands, and how it goes on from there. Pure: a move takes the state and gives the next one, or says
//! why there is none. Who may make a move is asked elsewhere.

use std::fmt;

use proto::api::transfers::{PausedBy, TransferState};
use serde::{Deserialize, Serialize};

/// A state, with what belongs to it and to no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub(crate) enum State {
    /// The receiver has not answered yet, or has to answer again.
    Pending,
    /// The receiver agreed; the sender has to say the passcode.
    Approved(Window),
    /// It may begin.
    Open(Held),
    /// Something has come.
    InProgress(Held),
    /// Everything that could be taken is in its place.
    Completed,
    /// The receiver did not want it.
    Rejected { reason: Option<String> },
    /// One of the two gave it up.
    Cancelled { reason: Option<String> },
    /// Its time was over.
    Expired,
    /// It cannot be finished.
    Failed { reason: String },
}

/// The passcode, and until when it opens the transfer.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window {
    /// What is kept of the passcode: a slow, keyed hash.
    pub(crate) hash: String,
    pub(crate) until_ms: i64,
}

impl fmt::Debug for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Window(until {})", self.until_ms)
    }
}

/// Who holds a transfer: each lets go for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Held {
    sender: bool,
    receiver: bool,
    no_space: bool,
}

impl Held {
    /// Who holds it; of several the one that is hardest to miss.
    pub(crate) const fn by(self) -> Option<PausedBy> {
        match self {
            Self { receiver: true, .. } => Some(PausedBy::Receiver),
            Self { sender: true, .. } => Some(PausedBy::Sender),
            Self { no_space: true, .. } => Some(PausedBy::NoSpace),
            _ => None,
        }
    }

    pub(crate) const fn holds(self, who: PausedBy) -> bool {
        match who {
            PausedBy::Sender => self.sender,
            PausedBy::Receiver => self.receiver,
            PausedBy::NoSpace => self.no_space,
        }
    }

    const fn with(mut self, who: PausedBy, holds: bool) -> Self {
        match who {
            PausedBy::Sender => self.sender = holds,
            PausedBy::Receiver => self.receiver = holds,
            PausedBy::NoSpace => self.no_space = holds,
        }
        self
    }
}

/// A move that is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotMoved {
    /// From this state there is no such move.
    #[error("from {0:?} it cannot be {1}")]
    WrongState(TransferState, &'static str),
    /// Somebody else holds it.
    #[error("it is held by {0:?}")]
    HeldBy(PausedBy),
}

type Moved = Result<State, NotMoved>;

/// How an approved transfer is opened.
#[derive(Clone, Debug)]
pub(crate) enum Opening {
    /// The sender is trusted: at once.
    AtOnce,
    /// By the passcode.
    Passcode(Window),
}

impl State {
    /// The state by its word.
    pub(crate) const fn word(&self) -> TransferState {
        match self {
            Self::Pending => TransferState::PendingReceiverApproval,
            Self::Approved(_) => TransferState::ApprovedPendingSenderPasscode,
            Self::Open(_) => TransferState::PasscodeOpen,
            Self::InProgress(_) => TransferState::InProgress,
            Self::Completed => TransferState::Completed,
            Self::Rejected { .. } => TransferState::Rejected,
            Self::Cancelled { .. } => TransferState::Cancelled,
            Self::Expired => TransferState::Expired,
            Self::Failed { .. } => TransferState::Failed,
        }
    }

    /// Who holds it, while it is held.
    pub(crate) const fn held(&self) -> Option<Held> {
        match self {
            Self::Open(held) | Self::InProgress(held) => Some(*held),
            _ => None,
        }
    }

    /// Why it ended.
    pub(crate) fn reason(&self) -> Option<&str> {
        match self {
            Self::Rejected { reason } | Self::Cancelled { reason } => reason.as_deref(),
            Self::Failed { reason } => Some(reason),
            _ => None,
        }
    }

    const fn refuse(&self, wanted: &'static str) -> Moved {
        Err(NotMoved::WrongState(self.word(), wanted))
    }

    /// The receiver agrees.
    pub(crate) fn approve(self, opening: Opening) -> Moved {
        match (self, opening) {
            (Self::Pending, Opening::AtOnce) => Ok(Self::Open(Held::default())),
            (Self::Pending, Opening::Passcode(window)) => Ok(Self::Approved(window)),
            (other, _) => other.refuse("approved"),
        }
    }

    /// The receiver does not want it.
    pub(crate) fn reject(self, reason: Option<String>) -> Moved {
        match self {
            Self::Pending => Ok(Self::Rejected { reason }),
            other => other.refuse("rejected"),
        }
    }

    /// The passcode was right that belongs to this window.
    pub(crate) fn open(self, proved: &Window, now_ms: i64) -> Moved {
        match self {
            Self::Approved(window) if window == *proved && now_ms < window.until_ms => {
                Ok(Self::Open(Held::default()))
            }
            other => other.refuse("opened"),
        }
    }

    /// The passcode was not said in time: the receiver has to answer again.
    pub(crate) fn lapse(self, now_ms: i64) -> Moved {
        match self {
            Self::Approved(window) if now_ms >= window.until_ms => Ok(Self::Pending),
            other => other.refuse("left without a passcode"),
        }
    }

    /// Something has come.
    pub(crate) fn begin(self) -> Moved {
        match self {
            Self::Open(held) | Self::InProgress(held) => Ok(Self::InProgress(held)),
            other => other.refuse("begun"),
        }
    }

    /// Nothing more is to come until whoever holds it lets go.
    pub(crate) fn hold(self, by: PausedBy) -> Moved {
        match self {
            Self::Open(held) => Ok(Self::Open(held.with(by, true))),
            Self::InProgress(held) => Ok(Self::InProgress(held.with(by, true))),
            other => other.refuse("paused"),
        }
    }

    /// Whoever held it lets go. Nobody lets go for another.
    pub(crate) fn release(self, by: PausedBy) -> Moved {
        match (self.held().and_then(Held::by), self) {
            (Some(other), Self::Open(held) | Self::InProgress(held)) if !held.holds(by) => {
                Err(NotMoved::HeldBy(other))
            }
            (_, Self::Open(held)) => Ok(Self::Open(held.with(by, false))),
            (_, Self::InProgress(held)) => Ok(Self::InProgress(held.with(by, false))),
            (_, other) => other.refuse("resumed"),
        }
    }

    /// Everything that could be taken is in its place.
    pub(crate) fn complete(self) -> Moved {
        match self {
            Self::Open(_) | Self::InProgress(_) => Ok(Self::Completed),
            other => other.refuse("completed"),
        }
    }

    /// It cannot be finished.
    pub(crate) fn fail(self, reason: String) -> Moved {
        if self.word().is_over() { self.refuse("failed") } else { Ok(Self::Failed { reason }) }
    }

    /// One of the two gives it up.
    pub(crate) fn cancel(self, reason: Option<String>) -> Moved {
        if self.word().is_over() { self.refuse("cancelled") } else { Ok(Self::Cancelled { reason }) }
    }

    /// Its time is over.
    pub(crate) fn expire(self) -> Moved {
        if self.word().is_over() { self.refuse("expired") } else { Ok(Self::Expired) }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn window(until_ms: i64) -> Window {
        Window { hash: "hash".into(), until_ms }
    }

    /// A move, as data.
    #[derive(Clone, Debug)]
    pub(crate) enum Move {
        ApproveAtOnce,
        ApproveBy(i64),
        Reject,
        /// By the passcode of the window until then, at that time.
        Open(i64, i64),
        Lapse(i64),
        Begin,
        Hold(PausedBy),
        Release(PausedBy),
        Complete,
        Fail,
        Cancel,
        Expire,
    }

    impl Move {
        pub(crate) fn made(&self, state: State) -> Moved {
            match self {
                Self::ApproveAtOnce => state.approve(Opening::AtOnce),
                Self::ApproveBy(until) => state.approve(Opening::Passcode(window(*until))),
                Self::Reject => state.reject(None),
                Self::Open(until, now) => state.open(&window(*until), *now),
                Self::Lapse(now) => state.lapse(*now),
                Self::Begin => state.begin(),
                Self::Hold(who) => state.hold(*who),
                Self::Release(who) => state.release(*who),
                Self::Complete => state.complete(),
                Self::Fail => state.fail("no".into()),
                Self::Cancel => state.cancel(None),
                Self::Expire => state.expire(),
            }
        }

        /// The table of moves: from where this one leads, and where to.
        fn leads(&self, from: TransferState) -> Option<TransferState> {
            use TransferState::{
                ApprovedPendingSenderPasscode as Approved, Cancelled, Completed, Expired, Failed, InProgress,
                PasscodeOpen as Open, PendingReceiverApproval as Pending, Rejected,
            };
            let live = [Pending, Approved, Open, InProgress].contains(&from);
            match (self, from) {
                (Self::ApproveAtOnce, Pending) => Some(Open),
                (Self::ApproveBy(_), Pending) => Some(Approved),
                (Self::Reject, Pending) => Some(Rejected),
                (Self::Open(..), Approved) => Some(Open),
                (Self::Lapse(_), Approved) => Some(Pending),
                (Self::Begin, Open | InProgress) => Some(InProgress),
                (Self::Hold(_) | Self::Release(_), Open | InProgress) => Some(from),
                (Self::Complete, Open | InProgress) => Some(Completed),
                (Self::Fail, _) if live => Some(Failed),
                (Self::Cancel, _) if live => Some(Cancelled),
                (Self::Expire, _) if live => Some(Expired),
                _ => None,
            }
        }
    }

    fn holder() -> impl Strategy<Value = PausedBy> {
        prop::sample::select(vec![PausedBy::Sender, PausedBy::Receiver, PausedBy::NoSpace])
    }

    pub(crate) fn any_move() -> impl Strategy<Value = Move> {
        prop_oneof![
            Just(Move::ApproveAtOnce),
            (0..10i64).prop_map(Move::ApproveBy),
            Just(Move::Reject),
            (0..10i64, 0..10i64).prop_map(|(until, now)| Move::Open(until, now)),
            (0..10i64).prop_map(Move::Lapse),
            Just(Move::Begin),
            holder().prop_map(Move::Hold),
            holder().prop_map(Move::Release),
            Just(Move::Complete),
            Just(Move::Fail),
            Just(Move::Cancel),
            Just(Move::Expire),
        ]
    }

    proptest! {
        #[test]
        fn only_the_moves_of_the_table_are_made_and_an_end_is_one(moves in prop::collection::vec(any_move(), 1..40)) {
            let mut state = State::Pending;
            let mut ended = None;
            for next in moves {
                let before = state.clone();
                let in_time = match (&next, &before) {
                    (Move::Open(until, now), State::Approved(window)) => {
                        *until == window.until_ms && now < until
                    }
                    (Move::Lapse(now), State::Approved(window)) => *now >= window.until_ms,
                    _ => true,
                };
                match next.made(state) {
                    Ok(after) => {
                        prop_assert_eq!(next.leads(before.word()), Some(after.word()), "{:?} from {:?}", next, before);
                        prop_assert!(in_time, "{:?} from {:?}", next, before);
                        prop_assert!(ended.is_none(), "{:?} after an end", next);
                        ended = after.word().is_over().then(|| after.clone());
                        state = after;
                    }
                    Err(NotMoved::WrongState(word, _)) => {
                        prop_assert_eq!(word, before.word());
                        prop_assert!(!in_time || next.leads(word).is_none(), "{:?} from {:?}", next, before);
                        state = before;
                    }
                    Err(NotMoved::HeldBy(other)) => {
                        let Move::Release(who) = next else { panic!("{next:?}") };
                        let held = before.held().unwrap();
                        prop_assert!(!held.holds(who) && held.holds(other));
                        state = before;
                    }
                }
            }
            prop_assert!(ended.is_none_or(|end| end == state));
        }

        #[test]
        fn whoever_holds_it_lets_go_for_itself_alone(moves in prop::collection::vec((holder(), any::<bool>()), 0..20)) {
            let mut state = State::Open(Held::default());
            let mut holders = std::collections::HashSet::new();
            for (who, holds) in moves {
                let next = if holds { state.clone().hold(who) } else { state.clone().release(who) };
                let others = !holds && !holders.contains(&who) && !holders.is_empty();
                prop_assert_eq!(next.is_err(), others);
                state = next.unwrap_or(state);
                if holds { holders.insert(who); } else { holders.remove(&who); }
                prop_assert_eq!(state.held().unwrap().by().is_some(), !holders.is_empty());
            }
        }
    }

    #[test]
    fn a_state_reads_back_and_shows_no_hash() {
        let states = [
            State::Pending,
            State::Approved(window(7)),
            State::Open(Held::default()),
            State::InProgress(Held::default().with(PausedBy::Sender, true)),
            State::Completed,
            State::Rejected { reason: Some("no".into()) },
            State::Cancelled { reason: None },
            State::Expired,
            State::Failed { reason: "gone".into() },
        ];
        for state in states {
            let text = serde_json::to_string(&state).unwrap();
            assert_eq!(serde_json::from_str::<State>(&text).unwrap(), state);
            assert!(!format!("{state:?}").contains("hash"));
        }
    }
}

//! Why not, in sentences.

use proto::ErrorCode;
use proto::api::transfers::{PausedBy, TransferState};
use proto::clock::spoken;

use super::super::error::Refusal;
use crate::identity::passcode::PasscodeError;
use crate::transfers::state::NotMoved;
use crate::transfers::{Side, TransferError};

pub(super) fn of(error: TransferError) -> Refusal {
    match error {
        TransferError::Unknown => Refusal::not_found("There is no such transfer."),
        TransferError::UnknownDevice => Refusal::not_found("There is no such device."),
        TransferError::Only(side) => only(side),
        TransferError::OwnerOnly => Refusal::new(
            ErrorCode::Forbidden,
            "Only the owner of the receiving machine may do this.",
            "Ask its owner, or leave out what only they may choose.",
        ),
        TransferError::NoMachine => Refusal::new(
            ErrorCode::NotFound,
            "They have no machine here that takes what you send.",
            "Make a link instead, and give it to them; or ask them to let you send to one of their machines.",
        ),
        TransferError::NoInbox => Refusal::new(
            ErrorCode::NotFound,
            "That machine has no inbox here.",
            "Send to one of its shares, or have its owner offer its inbox to this coordinator.",
        ),
        TransferError::MayNotSend => Refusal::new(
            ErrorCode::Forbidden,
            "You may send nothing to this machine.",
            "Ask its owner to let you: on any of its shares, 'offer files to the inbox'.",
        ),
        TransferError::Denied(denied) => denied.into(),
        TransferError::NotMoved(not) => not_moved(not),
        TransferError::Invalid(why) => Refusal::parameter(why),
        TransferError::TooMany => Refusal::new(
            ErrorCode::TooMany,
            "Too many of your transfers wait already.",
            "Cancel some, or wait until they are answered.",
        ),
        TransferError::Passcode(error) => passcode(error),
        TransferError::Gateway(error) => error.into(),
        TransferError::Device(error) => Refusal(error),
        TransferError::Store(error) => error.into(),
    }
}

fn only(side: Side) -> Refusal {
    let (who, hint) = match side {
        Side::Sender => ("sender", "Ask whoever sends it."),
        Side::Receiver => ("receiver", "Ask whoever it is for."),
    };
    Refusal::new(ErrorCode::Forbidden, format!("Only the {who} may do this."), hint)
}

fn not_moved(not: NotMoved) -> Refusal {
    match not {
        NotMoved::WrongState(state, wanted) => Refusal::new(
            ErrorCode::WrongState,
            format!("The transfer is {}: it cannot be {wanted}.", word(state)),
            next_step(state),
        ),
        NotMoved::HeldBy(by) => {
            let (who, hint) = match by {
                PausedBy::Sender => ("the sender holds it", "Ask them to let it go on."),
                PausedBy::Receiver => ("the receiver holds it", "Ask them to let it go on."),
                PausedBy::NoSpace => {
                    ("the receiver's disk is full", "It goes on by itself once there is room.")
                }
            };
            Refusal::new(ErrorCode::WrongState, format!("The transfer does not go on: {who}."), hint)
        }
    }
}

/// The state by its word on the wire.
fn word(state: TransferState) -> String {
    serde_json::to_value(state).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}

const fn next_step(state: TransferState) -> &'static str {
    match state {
        TransferState::PendingReceiverApproval => "The receiver has to answer first.",
        TransferState::ApprovedPendingSenderPasscode => "The sender has to say the passcode first.",
        TransferState::PasscodeOpen | TransferState::InProgress => "It is under way; pause or cancel it.",
        _ => "It has come to its end; offer it again.",
    }
}

fn passcode(error: PasscodeError) -> Refusal {
    match error {
        PasscodeError::Form => Refusal::parameter("A passcode has four digits."),
        PasscodeError::Wrong => Refusal::new(
            ErrorCode::WrongPasscode,
            "That is not the passcode.",
            "Ask the receiver for the four digits, and type them again.",
        ),
        PasscodeError::Locked(wait) => {
            let hint = format!("Wait {} and try again.", spoken(wait.seconds));
            let refusal = Refusal::new(ErrorCode::Locked, "Too many wrong passcodes.", hint);
            Refusal(refusal.0.retry_after(wait.seconds))
        }
        PasscodeError::Busy => {
            let refusal = Refusal::new(ErrorCode::Busy, "Too much is looked at already.", "Try again.");
            Refusal(refusal.0.retry_after(3))
        }
        PasscodeError::Hash(error) => {
            tracing::error!(%error, "cannot look at a passcode");
            Refusal::internal()
        }
        PasscodeError::Store(error) => error.into(),
    }
}

//! Transfers at this machine: what others send to it and what it sends, over `proto::wire::transfer`.
//!
//! A file goes in [`pieces`], each verified by itself. [`incoming`] takes them to a place out of sight in the share that
//! they are for, writes down in a [`journal`] what counts, and puts whole items into their place; [`inbox`] knows all
//! that is expected. [`outgoing`] walks what is to be sent, and reads and hashes it on several streams at once; [`outbox`]
//! has it done for what the coordinator wants sent of this machine's shares. Not known
//! here: who may send what to whom, which the coordinator decides and a ticket says.

pub mod blocking;
pub mod flow;
#[cfg(test)]
mod full;
pub mod inbox;
pub mod incoming;
mod journal;
mod names;
pub mod outbox;
pub mod outgoing;
pub mod pieces;
#[cfg(test)]
mod settle_trials;
#[cfg(test)]
mod strange;
#[cfg(test)]
pub(crate) mod tests;
#[cfg(test)]
mod trials;

use proto::ApiError;
use proto::wire::transfer::Problem;

/// As it is said between devices.
#[must_use]
pub fn problem(error: ApiError) -> Problem {
    Problem { code: error.code, message: error.message, hint: error.hint }
}

/// As it is said over HTTP.
#[must_use]
pub fn error(problem: Problem) -> ApiError {
    ApiError::new(problem.code, problem.message, problem.hint)
}

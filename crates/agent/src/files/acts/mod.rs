//! Acts: what is done to files and folders that are there. Each is done to many things in one request; what fails for
//! one does not stop the others; all of it is durable when the answer comes, and one token undoes it.
//!
//! Not known here: transports and who may.

mod copy;
mod folders;
#[cfg(test)]
mod model;
mod over;
mod place;
mod relocate;
pub mod rename;
mod reverse;
#[cfg(test)]
pub(super) mod tests;
mod touched;
pub mod trash;

use proto::api::writing::{ActItem, Acted, Outcome};
use proto::{ApiError, PrincipalId, RelPath};

pub use copy::copy;
pub use folders::make_folder;
pub use relocate::relocate;
pub use rename::rename;
pub use reverse::undo;

use self::touched::Touched;
use super::undo::{Inverse, write_down};
use super::write::WriteError;
use crate::agent::Share;

/// How many things are prepared before one wait for the disk makes all of them durable.
const BATCH: usize = 256;
/// Up to so many are made durable one by one: the whole disk may have much to write that is not ours.
const FEW: usize = 32;

/// An act on its way.
struct Act<'a> {
    share: &'a Share,
    by: PrincipalId,
    items: Vec<ActItem>,
    /// How to undo what was done so far, in the order in which it was done.
    steps: Vec<Inverse>,
    touched: Touched,
}

/// What became of one item.
struct Became {
    to: Option<RelPath>,
    outcome: Outcome,
}

/// What goes where. A place that is no path is the one item's mistake.
pub struct Step {
    /// Where it is.
    pub from: RelPath,
    /// Where it shall be.
    pub to: Result<RelPath, ApiError>,
}

impl<'a> Act<'a> {
    fn new(share: &'a Share, by: PrincipalId) -> Self {
        Self { share, by, items: Vec::new(), steps: Vec::new(), touched: Touched::default() }
    }

    /// Notes what became of an item.
    fn note(&mut self, from: RelPath, became: Result<Became, WriteError>) {
        self.items.push(match became {
            Ok(Became { to, outcome }) => ActItem { from, to, outcome, error: None },
            Err(error) => failed(from, error),
        });
    }

    /// Makes everything durable, and writes down how to undo it.
    fn finish(mut self) -> Result<Acted, WriteError> {
        self.touched.sync(&self.share.root)?;
        self.steps.reverse();
        let undo = write_down(self.share, self.by, self.steps);
        Ok(Acted { items: self.items, undo })
    }
}

impl Became {
    const fn skipped() -> Self {
        Self { to: None, outcome: Outcome::Skipped }
    }

    const fn at(to: RelPath, outcome: Outcome) -> Self {
        Self { to: Some(to), outcome }
    }
}

fn failed(from: RelPath, error: WriteError) -> ActItem {
    refused(from, told(error))
}

/// An error as it is told; the disk's own words are for the log of this machine.
fn told(error: WriteError) -> ApiError {
    if let WriteError::Io(cause) = &error {
        tracing::warn!(error = %cause, "disk error");
    }
    error.into()
}

const fn refused(from: RelPath, error: ApiError) -> ActItem {
    ActItem { from, to: None, outcome: Outcome::Failed, error: Some(error) }
}

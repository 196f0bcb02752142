//! Notes of what was begun to be sent and is not over: the same command, typed again after it was stopped, goes on with it.

use std::path::{Path, PathBuf};

use anyhow::Result;
use coordinator::keyfile;
use proto::TransferId;
use serde::{Deserialize, Serialize};

/// What was begun. It is a private file of the state folder, named after what was chosen and for whom.
pub struct Note(PathBuf);

#[derive(Serialize, Deserialize)]
struct Begun {
    transfer: TransferId,
}

impl Note {
    /// The note for sending these things (as words that stand for them) to somebody by way of a coordinator.
    pub fn about(state: &Path, coordinator: &str, to: &str, chosen: &[String]) -> Result<Self> {
        let words = serde_json::to_vec(&(coordinator, to, chosen))?;
        let notes = state.join("outgoing");
        crate::paths::make_private(&notes)?;
        Ok(Self(notes.join(format!("{}.json", blake3::hash(&words).to_hex()))))
    }

    /// The transfer that was begun, if one was.
    pub fn read(&self) -> Option<TransferId> {
        let bytes = keyfile::read(&self.0).ok()??;
        Some(serde_json::from_slice::<Begun>(bytes.expose()).ok()?.transfer)
    }

    /// One was begun.
    pub fn write(&self, transfer: TransferId) -> Result<()> {
        Ok(keyfile::write(&self.0, &serde_json::to_vec(&Begun { transfer })?)?)
    }

    /// It is over.
    pub fn remove(&self) {
        // One that stays is seen to be over the next time.
        let _ = std::fs::remove_file(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_begun_is_found_by_the_same_words_alone() {
        let home = tempfile::tempdir().unwrap();
        let about = |to: &str, chosen: &[&str]| {
            let chosen: Vec<_> = chosen.iter().map(ToString::to_string).collect();
            Note::about(home.path(), "here", to, &chosen).unwrap()
        };
        let transfer = TransferId::generate();
        about("attic", &["/a", "/b"]).write(transfer).unwrap();
        assert_eq!(about("attic", &["/a", "/b"]).read(), Some(transfer));
        for (to, chosen) in [("cellar", ["/a", "/b"]), ("attic", ["/a", "/c"])] {
            assert_eq!(about(to, &chosen).read(), None);
        }
        about("attic", &["/a", "/b"]).remove();
        assert_eq!(about("attic", &["/a", "/b"]).read(), None);
    }
}

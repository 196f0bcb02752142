//! The link beside a code: for a browser that has nothing else. There is one where this machine's own coordinator runs and
//! the files are in one of its shares; it ends with the code.

use std::path::{Path, PathBuf};

use anyhow::Result;
use http::Method;
use proto::RelPath;
use proto::api::catalog::Share;
use proto::api::drops::{MadeDrop, MakeDrop};
use proto::id::DropId;

use super::ByCode;
use crate::config::Config;
use crate::delivery::Choice;
use crate::offering::own_shares;
use crate::signed_in::SignedIn;

/// A link that somebody may open.
pub struct Link {
    at: SignedIn,
    id: DropId,
    /// What to give away.
    pub url: String,
}

impl Link {
    /// Makes one, where that is possible.
    pub async fn make(
        how: &ByCode,
        choice: &Choice,
        message: Option<&String>,
        config: &Config,
    ) -> Option<Self> {
        match Self::try_make(how, choice, message, config).await {
            Ok(link) => link,
            Err(error) => {
                tracing::debug!(error = format!("{error:#}"), "no link");
                None
            }
        }
    }

    async fn try_make(
        how: &ByCode,
        choice: &Choice,
        message: Option<&String>,
        config: &Config,
    ) -> Result<Option<Self>> {
        // What is left out of a folder would be in the archive that a browser gets.
        let files: Vec<PathBuf> =
            choice.paths.iter().map(std::fs::canonicalize).collect::<Result<_, _>>().unwrap_or_default();
        if files.is_empty() || choice.text.is_some() || !files.iter().all(|file| file.is_file()) {
            return Ok(None);
        }
        let shares = own_shares(config).await?;
        let Some((share, paths)) = shares.iter().find_map(|share| Some((share, within(share, &files)?)))
        else {
            return Ok(None);
        };
        let asked = MakeDrop {
            share_id: share.id,
            paths,
            lifetime_seconds: how.expires.whole_seconds().unsigned_abs().max(60),
            downloads: Some(how.downloads),
            message: message.cloned(),
        };
        let at = SignedIn::open(config, None).await?;
        let made: MadeDrop = at.ask(Method::POST, "/api/v1/drops", &asked).await?;
        Ok(Some(Self { at, id: made.made.id, url: made.link }))
    }

    /// Ends it.
    pub async fn end(self) {
        if let Err(error) = self.at.delete(&format!("/api/v1/drops/{}", self.id)).await {
            tracing::debug!(error = format!("{error:#}"), "the link ends by its time");
        }
    }
}

/// These files as paths in a share, if all are in one folder of it.
fn within(share: &Share, files: &[PathBuf]) -> Option<Vec<String>> {
    let root = std::fs::canonicalize(share.folder.as_ref()?).ok()?;
    let folder = files.first()?.parent()?;
    if share.inbox || files.iter().any(|file| file.parent() != Some(folder)) {
        return None;
    }
    files.iter().map(|file| path_in(&root, file)).collect()
}

fn path_in(root: &Path, file: &Path) -> Option<String> {
    let names = file.strip_prefix(root).ok()?.components();
    let path = names
        .into_iter()
        .try_fold(RelPath::root(), |path, name| path.join(name.as_os_str().as_encoded_bytes()).ok())?;
    Some(path.to_string())
}

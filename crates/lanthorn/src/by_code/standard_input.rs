//! Standard input as a file: how long it is has to be known before it is offered, and it may be wanted more than once.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// What is typed for it.
const DASH: &str = "-";
/// What it is called at the other end.
const NAME: &str = "stdin";

/// The same paths with standard input, where it was named, as a file; it goes with what else is given.
pub fn spooled(paths: &[PathBuf]) -> Result<(Vec<PathBuf>, Option<tempfile::TempDir>)> {
    if !paths.iter().any(|path| path == Path::new(DASH)) {
        return Ok((paths.to_vec(), None));
    }
    let folder = tempfile::tempdir().context("there is no room for standard input")?;
    let place = folder.path().join(NAME);
    let mut file = std::fs::File::create_new(&place)?;
    std::io::copy(&mut std::io::stdin().lock(), &mut file).context("standard input cannot be kept")?;
    let replaced =
        paths.iter().map(|path| if path == Path::new(DASH) { place.clone() } else { path.clone() });
    Ok((replaced.collect(), Some(folder)))
}

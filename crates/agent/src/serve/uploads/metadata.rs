//! `Upload-Metadata`: what is said of the file. Besides our own words those of tus-js-client and Uppy are understood.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::RelPath;
use proto::api::files::moment;
use proto::api::writing::Clash;
use proto::path::InvalidPath;

use super::words;
use crate::files::upload::info::Target;
use crate::files::write::publish::Expect;
use crate::files::write::sums::{Algorithm, Checksum};
use crate::serve::error::Refusal;
use crate::serve::etag::tag;

/// What was said, by its key.
struct Said(HashMap<String, Vec<u8>>);

/// Where the file shall be, and on what conditions.
pub(super) fn target(metadata: &str) -> Result<Target, Refusal> {
    let said = Said::read(metadata)?;
    let path = said.path()?;
    if path.is_root() {
        return Err(Refusal::parameter(
            "'Upload-Metadata' has 'path', or 'filename' and the 'folder' it goes to.",
        ));
    }
    Ok(Target { path, expect: said.expect()?, modified: said.modified()?, checksums: said.checksums()? })
}

impl Said {
    /// Keys and values as `key base64,key base64`; a value may be missing.
    fn read(metadata: &str) -> Result<Self, Refusal> {
        let wrong =
            || Refusal::parameter("'Upload-Metadata' is keys with values in base64, parted by commas.");
        let mut said = HashMap::new();
        for pair in metadata.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            let value = STANDARD.decode(value.trim()).map_err(|_| wrong())?;
            if said.insert(key.to_owned(), value).is_some() {
                return Err(wrong());
            }
        }
        Ok(Self(said))
    }

    /// The bytes of a key that says something.
    fn bytes(&self, key: &str) -> Option<&[u8]> {
        self.0.get(key).map(Vec::as_slice).filter(|value| !value.is_empty())
    }

    fn text(&self, key: &str) -> Result<Option<&str>, Refusal> {
        let read =
            |value| str::from_utf8(value).map_err(|_| Refusal::parameter(format!("'{key}' is not UTF-8.")));
        self.bytes(key).map(read).transpose()
    }

    /// Our own `path` and `folder` are in text form. Other uploaders' names are the names themselves.
    fn path(&self) -> Result<RelPath, Refusal> {
        if let Some(path) = self.text("path")? {
            return Ok(path.parse()?);
        }
        let folder: RelPath = self.text("folder")?.unwrap_or_default().parse()?;
        // Uploaders write "null" where a file was chosen by itself.
        let relative = self.bytes("relativePath").filter(|path| path.contains(&b'/'));
        let names = match relative {
            Some(path) => path.split(|byte| *byte == b'/').collect(),
            None => Vec::from_iter(self.bytes("filename").or_else(|| self.bytes("name"))),
        };
        if names.is_empty() {
            return Ok(RelPath::root());
        }
        let joined: Result<_, InvalidPath> = names.into_iter().try_fold(folder, |path, name| path.join(name));
        Ok(joined?)
    }

    fn expect(&self) -> Result<Expect, Refusal> {
        match (self.text("if_match")?, self.text("clash")?) {
            (None, None) => Ok(Expect::Clash(Clash::default())),
            (None, Some(clash)) => words::clash(clash).map(Expect::Clash),
            (Some(version), _) if version == "*" || version.starts_with('"') => {
                Ok(Expect::Match(vec![tag(version)?]))
            }
            (Some(version), _) => Ok(Expect::Match(vec![tag(&format!("\"{version}\""))?])),
        }
    }

    /// Nanoseconds since 1970.
    fn modified(&self) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text("modified")? else { return Ok(None) };
        if let Ok(milliseconds) = text.parse::<i64>() {
            return Ok(milliseconds.checked_mul(1_000_000));
        }
        let time = moment("modified", Some(text)).map_err(Refusal::parameter)?;
        Ok(time.and_then(|time| i64::try_from(time.unix_timestamp_nanos()).ok()))
    }

    fn checksums(&self) -> Result<Vec<Checksum>, Refusal> {
        let mut checksums = Vec::new();
        for (key, algorithm) in [("sha256", Algorithm::Sha256), ("blake3", Algorithm::Blake3)] {
            let Some(text) = self.text(key)? else { continue };
            let checksum = unhex(text).and_then(|digest| Checksum::new(algorithm, digest));
            checksums.push(
                checksum.ok_or_else(|| Refusal::parameter(format!("'{key}' is 64 hexadecimal digits.")))?,
            );
        }
        Ok(checksums)
    }
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

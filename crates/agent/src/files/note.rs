//! Notes: small files of JSON in a share's store that say what the things beside them are.

use std::fs::File;
use std::io::Write;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::write::WriteError;
use crate::crash;
use crate::share::write::Spot;

/// Writes a note where nothing is. It is not made durable, and not there at all if it could not be written whole.
///
/// # Errors
/// The disk's.
pub(crate) fn write(spot: &Spot, note: &impl Serialize) -> Result<File, WriteError> {
    let text = serde_json::to_vec(note).map_err(std::io::Error::from)?;
    let mut file = spot.create()?;
    let written = crash::step("write").map_err(WriteError::from).and_then(|()| Ok(file.write_all(&text)?));
    if written.is_err() {
        let _ = spot.remove_file();
    }
    written.map(|()| file)
}

/// Reads a note; none if it is not there, or was cut short by the end of the process.
pub(crate) fn read<T: DeserializeOwned>(spot: &Spot) -> Option<T> {
    let text = std::io::read_to_string(spot.open().ok()?.file).ok()?;
    serde_json::from_str(&text).ok()
}

//! Which names can be used here. What comes from another system can be a device, a stream or nothing at all on this one.

use std::ffi::OsString;

use anyhow::Result;
use proto::ErrorCode;
use proto::path::escape_name;

use crate::report::failure;

/// Names that Windows keeps for devices, with any ending.
const DEVICES: [&str; 4] = ["CON", "PRN", "AUX", "NUL"];

/// A name as this system takes it.
pub fn local_name(name: &[u8]) -> Result<OsString> {
    let why = if cfg!(windows) { unfit_for_windows(name) } else { unfit_for_unix(name) };
    let made = if why.is_none() { made(name) } else { None };
    made.ok_or_else(|| {
        let why = why.unwrap_or("it is not written in Unicode");
        let message = format!("\"{}\" cannot be a name on this machine: {why}.", escape_name(name));
        failure(ErrorCode::Unsupported, message, "Copy the file on its own and name the target yourself.")
    })
}

#[cfg(unix)]
fn made(name: &[u8]) -> Option<OsString> {
    // An Apple file system refuses what is no UTF-8 with an error that says little.
    let fits = !cfg!(target_vendor = "apple") || std::str::from_utf8(name).is_ok();
    fits.then(|| std::os::unix::ffi::OsStringExt::from_vec(name.to_vec()))
}

#[cfg(not(unix))]
fn made(name: &[u8]) -> Option<OsString> {
    String::from_utf8(name.to_vec()).ok().map(OsString::from)
}

fn unfit_for_unix(name: &[u8]) -> Option<&'static str> {
    match name {
        b"" | b"." | b".." => Some("it names a folder above or none"),
        _ if name.contains(&b'/') || name.contains(&0) => Some("it has a character that no name has"),
        // A terminal that shows such a name does what it says.
        _ if name.iter().any(u8::is_ascii_control) => Some("it has control characters"),
        _ => None,
    }
}

fn unfit_for_windows(name: &[u8]) -> Option<&'static str> {
    let stem =
        name.split(|byte| *byte == b'.').next().unwrap_or_default().trim_ascii_end().to_ascii_uppercase();
    let numbered = matches!(&stem[..], [b'C', b'O', b'M', b'0'..=b'9'] | [b'L', b'P', b'T', b'0'..=b'9']);
    match unfit_for_unix(name) {
        Some(why) => Some(why),
        None if name.iter().any(|byte| b"<>:\"|?*\\".contains(byte)) => {
            Some("it has one of < > : \" | ? * \\")
        }
        None if name.ends_with(b".") || name.ends_with(b" ") => Some("it ends with a dot or a space"),
        None if numbered || DEVICES.iter().any(|device| device.as_bytes() == stem) => {
            Some("it names a device")
        }
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_cannot_be_used_are_told_from_those_that_can() {
        for (name, unix, windows) in [
            (&b"film.mkv"[..], true, true),
            (b"a b.txt", true, true),
            (b".hidden", true, true),
            (b"console.txt", true, true),
            (b"com10", true, true),
            (b"latin\xe9", true, true),
            (b"12:30", true, false),
            (b"what?", true, false),
            (b"back\\slash", true, false),
            (b"dot.", true, false),
            (b"space ", true, false),
            (b"CON", true, false),
            (b"nul.txt", true, false),
            (b"com1.log", true, false),
            (b"AUX .x", true, false),
            (b"new\nline", false, false),
            (b"esc\x1b[31m", false, false),
            (b"", false, false),
            (b"..", false, false),
            (b"a/b", false, false),
            (b"a\0", false, false),
        ] {
            let shown = escape_name(name);
            assert_eq!(unfit_for_unix(name).is_none(), unix, "{shown}");
            assert_eq!(unfit_for_windows(name).is_none(), windows, "{shown}");
        }
    }
}

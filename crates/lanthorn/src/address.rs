//! `device:share/path`: how a place is written on the command line, and nothing of what is there.
//!
//! The device stands before the first colon, the share before the first slash, the rest is a path in its text form.
//! Without a device it is this machine. In the names of devices and shares, a colon, slash or backslash that is part of the
//! name is written `\xHH`, as in paths.

use std::fmt;
use std::str::FromStr;

use proto::{ErrorCode, RelPath};

use crate::report::failure;

/// A place, as it was typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// The device: its name or the beginning of its id. This machine, if absent.
    pub device: Option<String>,
    /// The share's name or id. All shares of the device, if absent.
    pub share: Option<String>,
    /// The place in the share.
    pub path: RelPath,
}

impl FromStr for Address {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (head, path) = text.split_once('/').unwrap_or((text, ""));
        let (device, share) = head.split_once(':').unwrap_or(("", head));
        let named = |name: &str| (!name.is_empty()).then(|| unescape(name).ok_or(())).transpose();
        let read = || -> Result<(Option<String>, Option<String>), ()> { Ok((named(device)?, named(share)?)) };
        let (device, share) = read().map_err(|()| {
            wrong(
                text,
                "it has a backslash that is not part of \\xHH",
                "Write a backslash in a name as \\x5c.",
            )
        })?;
        if share.is_none() && head.len() < text.len() {
            return Err(wrong(
                text,
                "it names no share",
                "Write DEVICE:SHARE/PATH, or SHARE/PATH for this machine.",
            ));
        }
        let path = path.strip_suffix('/').unwrap_or(path).parse::<RelPath>();
        let path = path.map_err(|error| {
            wrong(text, &error.to_string(), "`lanthorn ls` prints every path as it has to be written.")
        })?;
        Ok(Self { device, share, path })
    }
}

fn wrong(text: &str, why: &str, hint: &str) -> anyhow::Error {
    failure(ErrorCode::BadPath, format!("{text:?} is no address: {why}."), hint)
}

/// A name with its `\xHH` as the bytes they stand for.
fn unescape(text: &str) -> Option<String> {
    let mut name = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        name.extend_from_slice(&rest.as_bytes()[..at]);
        let digits = rest[at..].strip_prefix("\\x")?.get(..2)?;
        name.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &rest[at + 4..];
    }
    name.extend_from_slice(rest.as_bytes());
    String::from_utf8(name).ok()
}

fn escape(name: &str, colons: bool) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '/' => text.push_str("\\x2f"),
            '\\' => text.push_str("\\x5c"),
            ':' if colons => text.push_str("\\x3a"),
            c => text.push(c),
        }
    }
    text
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(device) = &self.device {
            write!(f, "{}:", escape(device, true))?;
        }
        if let Some(share) = &self.share {
            f.write_str(&escape(share, self.device.is_none()))?;
        }
        if self.path.is_root() { Ok(()) } else { write!(f, "/{}", self.path) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(text: &str) -> (Option<String>, Option<String>, String) {
        let Address { device, share, path } = text.parse().unwrap();
        (device, share, path.to_string())
    }

    #[test]
    fn an_address_is_a_device_a_share_and_a_path() {
        for (text, device, share, path) in [
            ("", None, None, ""),
            (":", None, None, ""),
            ("Films", None, Some("Films"), ""),
            ("Films/", None, Some("Films"), ""),
            (":Films", None, Some("Films"), ""),
            ("Attic:", Some("Attic"), None, ""),
            ("Attic:Films", Some("Attic"), Some("Films"), ""),
            ("Attic:Films/2024/été.mkv", Some("Attic"), Some("Films"), "2024/été.mkv"),
            ("Attic:Films/2024/", Some("Attic"), Some("Films"), "2024"),
            ("Films/12:30.txt", None, Some("Films"), "12:30.txt"),
            ("Attic:Films/12:30.txt", Some("Attic"), Some("Films"), "12:30.txt"),
            ("Attic:Backup: old/x", Some("Attic"), Some("Backup: old"), "x"),
            (":Backup: old/x", None, Some("Backup: old"), "x"),
            ("Backup\\x3a old/x", None, Some("Backup: old"), "x"),
            ("Old\\x3aPC:a\\x2fb/c", Some("Old:PC"), Some("a/b"), "c"),
            ("caf\\xc3\\xa9:x", Some("café"), Some("x"), ""),
            ("x/C\\x3anotes", None, Some("x"), "C\\x3anotes"),
            ("x/latin\\xe9", None, Some("x"), "latin\\xe9"),
            ("My PC:My files/a b", Some("My PC"), Some("My files"), "a b"),
            ("-:-/-", Some("-"), Some("-"), "-"),
        ] {
            let wanted = (device.map(str::to_owned), share.map(str::to_owned), path.to_owned());
            assert_eq!(parts(text), wanted, "{text}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in [
            "/",
            "/etc/passwd",
            "Attic:/x",
            ":/x",
            "x/..",
            "x/../y",
            "x/./y",
            "x//y",
            "x/C:notes",
            "x/a\\b",
            "x/\\x41",
            "a\\b/c",
            "a\\x/c",
            "a\\xff:b",
            "\\x4g:b",
            "x/new\nline",
            "x/.lanthorn-part",
        ] {
            assert!(text.parse::<Address>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_address_reads_back_as_it_is_written() {
        for (device, share, path, text) in [
            (Some("Attic"), Some("Films"), "a/b", "Attic:Films/a/b"),
            (Some("Old:PC"), Some("a/b"), "", "Old\\x3aPC:a\\x2fb"),
            (Some("Attic"), Some("Backup: old"), "x", "Attic:Backup: old/x"),
            (None, Some("Backup: old"), "x", "Backup\\x3a old/x"),
            (Some("back\\slash"), None, "", "back\\x5cslash:"),
        ] {
            let address = Address {
                device: device.map(str::to_owned),
                share: share.map(str::to_owned),
                path: path.parse().unwrap(),
            };
            assert_eq!(address.to_string(), text);
            assert_eq!(text.parse::<Address>().unwrap(), address);
        }
    }
}

//! Names: which ones are free, and which ones would be trouble elsewhere.

use super::WriteError;

/// The longest name file systems take, in bytes.
const MAX_NAME: usize = 255;
/// Names that Windows keeps for devices, whatever ending they have.
const DEVICES: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// The name with a number before its ending: `name (1).ext`. Names too long for it lose their end.
#[must_use]
pub fn numbered(name: &[u8], number: u32) -> Vec<u8> {
    let (stem, ending) = split_ending(name);
    let mark = format!(" ({number})");
    let room = MAX_NAME.saturating_sub(mark.len() + ending.len());
    [shortened(stem, room), mark.as_bytes(), ending].concat()
}

/// A name and its ending with the dot. A dot at the beginning begins no ending; `.tar.gz` and the like are one.
#[must_use]
pub fn split_ending(name: &[u8]) -> (&[u8], &[u8]) {
    let dot = |name: &[u8]| name.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
    let Some(mut at) = dot(name) else { return (name, b"") };
    if let Some(before) = dot(&name[..at])
        && name[before..at].eq_ignore_ascii_case(b".tar")
    {
        at = before;
    }
    // What is longer is no ending but a name with a dot in it.
    if name.len() - at > 32 { (name, b"") } else { name.split_at(at) }
}

/// The beginning of a name, not cut within a character.
fn shortened(name: &[u8], room: usize) -> &[u8] {
    if name.len() <= room {
        return name;
    }
    let mut end = room;
    while end > 0 && name[end] & 0b1100_0000 == 0b1000_0000 {
        end -= 1;
    }
    &name[..end]
}

/// Refuses new names that another system would take for something else. Characters that only others dislike may stay:
/// the disk itself says what it does not take.
///
/// # Errors
/// [`WriteError::BadName`] with why.
pub fn check_portable(name: &[u8]) -> Result<(), WriteError> {
    let stem = name.split(|byte| *byte == b'.').next().unwrap_or_default();
    let stem = String::from_utf8_lossy(stem).trim_end().to_ascii_lowercase();
    if DEVICES.contains(&stem.as_str()) {
        return Err(WriteError::BadName("Windows keeps it for a device"));
    }
    if matches!(name.last(), Some(b'.' | b' ')) {
        return Err(WriteError::BadName("Windows takes away a dot or space at its end"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_goes_before_the_ending() {
        for (name, expected) in [
            ("a.txt", "a (1).txt"),
            ("a", "a (1)"),
            (".bashrc", ".bashrc (1)"),
            ("a.tar.gz", "a (1).tar.gz"),
            ("a.b.c", "a.b (1).c"),
            ("a (1).txt", "a (1) (1).txt"),
        ] {
            assert_eq!(String::from_utf8(numbered(name.as_bytes(), 1)).unwrap(), expected);
        }
        for name in ["n".repeat(255), "é".repeat(127), format!("{}.txt", "é".repeat(125))] {
            let long = numbered(name.as_bytes(), 12);
            assert!(long.len() <= MAX_NAME && std::str::from_utf8(&long).is_ok(), "{name}");
            assert!(String::from_utf8(long).unwrap().contains(" (12)"));
        }
    }

    #[test]
    fn names_that_are_trouble_elsewhere_are_refused() {
        for name in ["CON", "nul.txt", "Com1.tar.gz", "a.", "a ", "lpt9 .x"] {
            assert!(check_portable(name.as_bytes()).is_err(), "{name}");
        }
        for name in ["console", "a.b", ".git", "naïve.txt", "com10", "What?.mp3"] {
            assert!(check_portable(name.as_bytes()).is_ok(), "{name}");
        }
    }
}

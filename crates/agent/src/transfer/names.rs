//! What a sender calls things, read with no trust in it: where it goes in the tree that comes together here, and under
//! which name, where this or another system could not hold the one it has.

use std::borrow::Cow;

use proto::RelPath;
use proto::path::is_reserved;

use crate::files::write::{WriteError, names};

/// The longest name file systems take, in bytes.
const MAX_NAME: usize = 255;
/// What tells names apart that were cut.
const MARK: usize = 8;

/// Where an entry goes, and which of its names had to be changed.
pub(super) struct Received {
    pub(super) path: RelPath,
    /// As the sender has it and as it is here; none if they are the same.
    pub(super) renamed: Option<(String, String)>,
}

/// Where an entry of an item goes.
///
/// # Errors
/// [`WriteError::BadName`]: the path leads out, is not one, or is too long.
pub(super) fn place(item: u16, path: &[u8]) -> Result<Received, WriteError> {
    let mut place = RelPath::root().join(item.to_string().as_bytes()).map_err(|_| BAD)?;
    let mut changed = false;
    for name in path.split(|byte| *byte == b'/').filter(|_| !path.is_empty()) {
        if matches!(name, b"" | b"." | b"..") || name.contains(&0) {
            return Err(BAD);
        }
        let name = receivable(name);
        changed |= matches!(name, Cow::Owned(_));
        place = place.join(&name).map_err(|_| BAD)?;
    }
    let renamed = || {
        let here = place.names().skip(1).map(String::from_utf8_lossy).collect::<Vec<_>>().join("/");
        (String::from_utf8_lossy(path).into_owned(), here)
    };
    Ok(Received { renamed: changed.then(renamed), path: place })
}

const BAD: WriteError = WriteError::BadName("it leads out of what is sent, or is too long");

/// A name that this and other systems can hold: the name itself, or one made of it. In a name that is changed, what
/// troubles and every `%` stand as `%` and two hexadecimal digits, so that the name can be had back; one that is too long
/// is cut, and marked with some digits of its hash.
pub(super) fn receivable(name: &[u8]) -> Cow<'_, [u8]> {
    let troubles = |byte: u8| byte < 0x20 || byte == 0x7f || byte == b'/';
    let is_fine = |name: &[u8]| {
        names::check_portable(name).is_ok() && !is_reserved(name) && !name.iter().any(|byte| troubles(*byte))
    };
    if is_fine(name) && name.len() <= MAX_NAME {
        return Cow::Borrowed(name);
    }
    let escaped: Vec<u8> = if is_fine(name) {
        name.to_vec()
    } else {
        let (first, last) = (0, name.len() - 1);
        let ends = |at: usize| {
            at == first && (is_device(name) || is_reserved(name)) || at == last && is_blank(name[at])
        };
        let spell = |(at, byte): (usize, &u8)| match *byte {
            byte if byte == b'%' || troubles(byte) || ends(at) => format!("%{byte:02X}").into_bytes(),
            byte => vec![byte],
        };
        name.iter().enumerate().flat_map(spell).collect()
    };
    Cow::Owned(if escaped.len() > MAX_NAME { cut(name, &escaped) } else { escaped })
}

const fn is_blank(byte: u8) -> bool {
    matches!(byte, b'.' | b' ')
}

/// True of what Windows keeps for devices.
fn is_device(name: &[u8]) -> bool {
    let end = name.iter().rposition(|byte| !is_blank(*byte)).map_or(0, |at| at + 1);
    names::check_portable(&name[..end]).is_err()
}

/// The beginning of a name and its ending, with some digits of the whole name's hash between them.
fn cut(name: &[u8], escaped: &[u8]) -> Vec<u8> {
    let mark = &blake3::hash(name).to_hex()[..MARK];
    let (stem, ending) = names::split_ending(escaped);
    let mut room = MAX_NAME - MARK - 1 - ending.len();
    while room > 0 && (stem[room] & 0b1100_0000 == 0b1000_0000 || stem[room - 1] == b'%') {
        room -= 1;
    }
    [&stem[..room], b"~", mark.as_bytes(), ending].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_trouble_are_changed_so_that_they_can_be_had_back() {
        for (name, expected) in [
            ("a.txt", "a.txt"),
            ("100%.txt", "100%.txt"),
            (".hidden", ".hidden"),
            ("C:", "C:"),
            ("CON", "%43ON"),
            ("nul.txt", "%6Eul.txt"),
            ("COM1 ", "%43OM1%20"),
            ("end.", "end%2E"),
            ("end ", "end%20"),
            ("a\\b", "a\\b"),
            ("5%\n", "5%25%0A"),
            (".lanthorn-store", "%2Elanthorn-store"),
            (".LANTHORN-x", "%2ELANTHORN-x"),
        ] {
            let here = receivable(name.as_bytes());
            assert_eq!(String::from_utf8_lossy(&here), expected, "{name:?}");
            assert!(names::check_portable(&here).is_ok() && !is_reserved(&here));
        }
    }

    #[test]
    fn names_that_are_too_long_are_cut_and_stay_apart() {
        let long = |letter: &str| format!("{}{letter}.tar.gz", "ü".repeat(150));
        let (one, other) =
            (receivable(long("a").as_bytes()).into_owned(), receivable(long("b").as_bytes()).into_owned());
        assert!(one.len() <= MAX_NAME && one.ends_with(b".tar.gz") && one != other);
        assert!(String::from_utf8(one).is_ok(), "no character is cut");
        let controls = vec![1_u8; 255];
        assert!(receivable(&controls).len() <= MAX_NAME);
        assert_eq!(receivable(&[b'x'; 255]).len(), 255);
    }

    #[test]
    fn a_path_stays_in_its_item() {
        for (path, expected) in [
            ("", Some("3")),
            ("a/b", Some("3/a/b")),
            ("a/CON", Some("3/a/%43ON")),
            ("a\\..\\b", Some("3/a\\x5c..\\x5cb")),
            ("..", None),
            ("../x", None),
            ("a/../../x", None),
            ("/etc/passwd", None),
            ("a//b", None),
            ("a/", None),
            ("./a", None),
            ("a\0b", None),
        ] {
            let place = place(3, path.as_bytes()).ok();
            assert_eq!(place.map(|place| place.path.to_string()).as_deref(), expected, "{path:?}");
        }
        let renamed = place(0, b"x/nul").unwrap().renamed;
        assert_eq!(renamed, Some(("x/nul".into(), "x/%6Eul".into())));
    }
}

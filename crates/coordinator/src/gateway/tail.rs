//! What follows the device in an address: which share it is about and which right it needs. One table, and the
//! device checks again.

use proto::{Permission, ShareId, TransferId};

/// Words of the device API that save a copy.
const COPYING: [&str; 2] = ["download", "archive"];
/// Words that change something, or show what only those see who may change it. Every other word looks.
const WRITING: [&str; 12] = [
    "content", "uploads", "unpack", "mkdir", "move", "copy", "rename", "delete", "trash", "restore", "undo",
    "versions",
];

/// What a request to a device is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// The device itself: `/info`.
    Device,
    /// A share: `/shares/{share}/{word}…`.
    Share(ShareId, Permission),
    /// A transfer to the device: `/inbox/transfers/{transfer}/{word}`.
    Transfer(TransferId, Part),
}

/// What somebody does with a transfer at its receiver's device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    /// Looks how far it is, holds it, lets it go on: either side.
    Follows,
    /// Delivers: the sender.
    Delivers,
}

/// Words of a transfer that its sender says.
const DELIVERING: [&str; 3] = ["chunk", "commit", "finalize"];
/// Words of a transfer that either side says. To give it up they ask the coordinator, which tells the device.
const FOLLOWING: [&str; 4] = ["status", "watch", "pause", "resume"];

fn parse_transfer(rest: &str) -> Option<Target> {
    let (transfer, word) = rest.split_once('/')?;
    let part = match () {
        () if DELIVERING.contains(&word) => Part::Delivers,
        () if FOLLOWING.contains(&word) => Part::Follows,
        () => return None,
    };
    Some(Target::Transfer(transfer.parse().ok()?, part))
}

/// Reads a path as it stands in the address, undecoded; `None` if it is none of the device API.
/// Escapes, dots and empty parts are refused here, so that both sides read the same path.
pub(crate) fn parse(tail: &str) -> Option<Target> {
    if tail == "/info" {
        return Some(Target::Device);
    }
    if let Some(rest) = tail.strip_prefix("/inbox/transfers/") {
        return parse_transfer(rest);
    }
    let (share, rest) = tail.strip_prefix("/shares/")?.split_once('/')?;
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    if !rest.split('/').all(plain) {
        return None;
    }
    let word = rest.split('/').next()?;
    let permission = match () {
        () if COPYING.contains(&word) => Permission::Download,
        () if WRITING.contains(&word) => Permission::Write,
        () => Permission::Read,
    };
    Some(Target::Share(share.parse().ok()?, permission))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_three_forms_pass() {
        let (share, transfer) = (ShareId::generate(), TransferId::generate());
        for (tail, expected) in [
            ("/info".to_owned(), Some(Target::Device)),
            (format!("/shares/{share}/list"), Some(Target::Share(share, Permission::Read))),
            (format!("/shares/{share}/stream"), Some(Target::Share(share, Permission::Read))),
            (format!("/shares/{share}/thumbnail"), Some(Target::Share(share, Permission::Read))),
            (format!("/shares/{share}/download"), Some(Target::Share(share, Permission::Download))),
            (format!("/shares/{share}/archive"), Some(Target::Share(share, Permission::Download))),
            (format!("/shares/{share}/archive/x"), Some(Target::Share(share, Permission::Download))),
            (format!("/shares/{share}/content"), Some(Target::Share(share, Permission::Write))),
            (format!("/shares/{share}/uploads/1-a"), Some(Target::Share(share, Permission::Write))),
            (format!("/shares/{share}/trash"), Some(Target::Share(share, Permission::Write))),
            (format!("/shares/{share}/versions/content"), Some(Target::Share(share, Permission::Write))),
            (format!("/shares/{share}/watch"), Some(Target::Share(share, Permission::Read))),
            (format!("/shares/{share}"), None),
            (format!("/shares/{share}/"), None),
            (format!("/shares/{share}//download"), None),
            (format!("/shares/{share}/../x"), None),
            (format!("/shares/{share}/%64ownload"), None),
            (format!("/shares/{share}/list%2fx"), None),
            ("/shares/x/list".to_owned(), None),
            ("/info/".to_owned(), None),
            (format!("/inbox/transfers/{transfer}/chunk"), Some(Target::Transfer(transfer, Part::Delivers))),
            (format!("/inbox/transfers/{transfer}/commit"), Some(Target::Transfer(transfer, Part::Delivers))),
            (
                format!("/inbox/transfers/{transfer}/finalize"),
                Some(Target::Transfer(transfer, Part::Delivers)),
            ),
            (format!("/inbox/transfers/{transfer}/status"), Some(Target::Transfer(transfer, Part::Follows))),
            (format!("/inbox/transfers/{transfer}/watch"), Some(Target::Transfer(transfer, Part::Follows))),
            (format!("/inbox/transfers/{transfer}/pause"), Some(Target::Transfer(transfer, Part::Follows))),
            (format!("/inbox/transfers/{transfer}/cancel"), None),
            (format!("/inbox/transfers/{transfer}/chunk/x"), None),
            (format!("/inbox/transfers/{transfer}/"), None),
            (format!("/inbox/transfers/{transfer}"), None),
            (format!("/inbox/transfers/{transfer}/../x"), None),
            ("/inbox".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(parse(&tail), expected, "{tail}");
        }
    }
}

//! What may be done. This file knows the words of permission, not who holds them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that a grant or a ticket allows.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// List, search, preview and stream.
    Read,
    /// Save a copy: downloads and archives.
    Download,
    /// Create, change and delete.
    Write,
    /// Offer files to the owner's inbox.
    RequestSend,
    /// Deliver without being asked each time.
    AcceptIncoming,
    /// Rename the share, grant it to others, stop sharing.
    ManageShare,
}

impl Permission {
    /// Every permission on a share, in the order they are shown.
    pub const ALL: [Self; 6] =
        [Self::Read, Self::Download, Self::Write, Self::RequestSend, Self::AcceptIncoming, Self::ManageShare];

    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The permission's word, as on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Download => "download",
            Self::Write => "write",
            Self::RequestSend => "request_send",
            Self::AcceptIncoming => "accept_incoming",
            Self::ManageShare => "manage_share",
        }
    }

    /// The permission of this word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == word)
    }
}

/// A set of permissions. On the wire it is a sorted list of words.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Permissions(u8);

impl Permissions {
    /// Nothing at all: what everybody has by default.
    pub const NONE: Self = Self(0);

    /// What the owner of a device has on its shares.
    pub const ALL: Self = Self((1 << Permission::ALL.len()) - 1);

    /// What the owner of a device has on its shares.
    #[must_use]
    pub const fn all() -> Self {
        Self::ALL
    }

    /// What a session may do that began on a connection others can read: look and copy, not change.
    #[must_use]
    pub fn without_privacy() -> Self {
        [Permission::Read, Permission::Download].into_iter().collect()
    }

    /// What everybody gets who is let in to look around: look and save copies.
    #[must_use]
    pub fn for_everyone() -> Self {
        [Permission::Read, Permission::Download].into_iter().collect()
    }

    /// What can be done with a share into which nothing can be written.
    #[must_use]
    pub fn without_writing(self) -> Self {
        let writing = [Permission::Write, Permission::RequestSend, Permission::AcceptIncoming];
        self.iter().filter(|permission| !writing.contains(permission)).collect()
    }

    /// All of them but this one.
    #[must_use]
    pub const fn without(self, permission: Permission) -> Self {
        Self(self.0 & !permission.bit())
    }

    /// True if nothing is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// True if the permission is in the set.
    #[must_use]
    pub const fn allows(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// What either set allows.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What both sets allow.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// The members, in the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |p| self.allows(*p))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(members: I) -> Self {
        Self(members.into_iter().fold(0, |set, p| set | p.bit()))
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl Serialize for Permissions {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Vec::<Permission>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_reads_back_from_its_words() {
        let set: Permissions = [Permission::Download, Permission::Read].into_iter().collect();
        let text = serde_json::to_string(&set).unwrap();
        assert_eq!(text, r#"["read","download"]"#);
        assert_eq!(serde_json::from_str::<Permissions>(&text).unwrap(), set);
        assert!(!set.allows(Permission::Write));
        assert_eq!(Permissions::ALL, Permission::ALL.into_iter().collect());
        assert_eq!(set.intersection(Permissions::NONE), Permissions::NONE);
    }

    #[test]
    fn a_word_is_the_same_in_code_and_on_the_wire() {
        for permission in Permission::ALL {
            assert_eq!(serde_json::to_value(permission).unwrap(), permission.as_str());
            assert_eq!(Permission::from_word(permission.as_str()), Some(permission));
        }
        assert_eq!(Permission::from_word("all"), None);
    }

    #[test]
    fn nothing_is_written_where_nothing_can_be() {
        let left = Permissions::all().without_writing();
        assert_eq!(
            left,
            [Permission::Read, Permission::Download, Permission::ManageShare].into_iter().collect()
        );
    }
}

//! Whom a right is for, and for how long, as it is typed: a person, a room, everybody; `90m`, `7d`.

use anyhow::Result;
use proto::api::people::{People, Person, Room, Rooms, Subject};
use proto::{ErrorCode, Permission, Permissions, PrincipalId};
use time::Duration;

use crate::places::choose;
use crate::report::failure;
use crate::signed_in::SignedIn;

/// What stands before a room's name.
const ROOM: &str = "room:";
/// Everybody who is paired.
const EVERYONE: &str = "everyone";

/// The people and rooms of a coordinator.
pub struct Subjects {
    /// By name.
    pub people: Vec<Person>,
    /// By name.
    pub rooms: Vec<Room>,
}

impl Subjects {
    /// Asks the coordinator.
    pub async fn read(at: &SignedIn) -> Result<Self> {
        let people: People = at.get("/api/v1/people").await?;
        let rooms: Rooms = at.get("/api/v1/rooms").await?;
        Ok(Self { people: people.people, rooms: rooms.rooms })
    }

    /// The one that was typed: a person's name, `room:NAME` or `everyone`.
    pub fn find(&self, typed: &str) -> Result<Subject> {
        match typed.strip_prefix(ROOM) {
            _ if typed == EVERYONE => Ok(Subject::Everyone),
            Some(name) => choose("room", name, &self.rooms, |room| &room.name, |room| room.id.to_string())
                .map(|r| Subject::Room(r.id)),
            None => person(typed, &self.people).map(|person| Subject::Principal(person.id)),
        }
    }

    /// As it is typed.
    pub fn name(&self, subject: Subject) -> String {
        match subject {
            Subject::Everyone => EVERYONE.into(),
            Subject::Principal(id) => self.person(id),
            Subject::Room(id) => {
                let room = self.rooms.iter().find(|room| room.id == id);
                format!("{ROOM}{}", room.map_or_else(|| id.to_string(), |room| room.name.clone()))
            }
        }
    }

    fn person(&self, id: PrincipalId) -> String {
        let person = self.people.iter().find(|person| person.id == id);
        person.map_or_else(|| id.to_string(), |person| person.display_name.clone())
    }
}

/// The person that was typed.
pub fn person<'a>(typed: &str, people: &'a [Person]) -> Result<&'a Person> {
    choose("person", typed, people, |person| &person.display_name, |person| person.id.to_string())
}

/// Permissions as they are typed: words with commas between them, or `all`.
pub fn permissions(typed: &str) -> Result<Permissions> {
    if typed == "all" {
        return Ok(Permissions::all());
    }
    typed.split(',').map(permission).collect()
}

fn permission(word: &str) -> Result<Permission> {
    Permission::from_word(word.trim()).ok_or_else(|| {
        let hint = format!(
            "There are {}; `all` is all of them.",
            Permission::ALL.map(Permission::as_str).join(", ")
        );
        failure(ErrorCode::BadParameter, format!("\"{word}\" is no permission."), hint)
    })
}

/// Permissions as they are typed.
pub fn words(permissions: Permissions) -> String {
    if permissions == Permissions::all() {
        return "all".into();
    }
    permissions.iter().map(Permission::as_str).collect::<Vec<_>>().join(",")
}

/// A length of time: a number and one of `s`, `m`, `h`, `d`, `w`.
pub fn lifetime(typed: &str) -> Result<Duration, String> {
    let wrong = || format!("{typed:?} is no length of time; write a number and s, m, h, d or w: 90m, 7d");
    let (at, unit) = typed.char_indices().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return Err(wrong()),
    };
    let count: u32 = typed[..at].parse().map_err(|_| wrong())?;
    if count == 0 { Err(wrong()) } else { Ok(Duration::seconds(i64::from(count) * seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_is_a_number_and_a_unit() {
        for (typed, seconds) in [("90s", 90), ("5m", 300), ("2h", 7200), ("7d", 604_800), ("1w", 604_800)] {
            assert_eq!(lifetime(typed).unwrap().whole_seconds(), seconds, "{typed}");
        }
        for typed in ["", "7", "d", "-1d", "0d", "1.5h", "7 d", "7é", "99999999999d"] {
            assert!(lifetime(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn permissions_read_back() {
        for typed in ["read", "read,download", "read,write,manage_share", "all"] {
            assert_eq!(words(permissions(typed).unwrap()), typed);
        }
        assert_eq!(permissions("download, read").unwrap(), permissions("read,download").unwrap());
        assert_eq!(permissions("all").unwrap(), Permissions::all());
        for typed in ["", "reed", "read,,write", "READ"] {
            assert!(permissions(typed).is_err(), "{typed}");
        }
    }
}

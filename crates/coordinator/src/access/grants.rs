//! All rights, rooms and members, known by heart: every request asks here and none waits for the disk. What changes is
//! written to the store first. Knows no devices: who owns what, and who sees it, is `super::authorize`'s part.

use std::collections::{BTreeSet, HashMap, HashSet};

use parking_lot::RwLock;
use proto::api::people::Subject;
use proto::id::{GrantId, RoomId};
use proto::{Permissions, PrincipalId, ShareId};

use crate::store::grants::GrantRow;
use crate::store::rooms::RoomRow;
use crate::store::{Store, StoreError};

/// Rights at most; a household has dozens.
const MAX_GRANTS: usize = 20_000;
/// Rooms at most.
const MAX_ROOMS: usize = 500;

/// What somebody holds on a share.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) permissions: Permissions,
    /// When the first of the rights that make it up ends: until then it stays what it is.
    pub(crate) until_ms: Option<i64>,
}

impl Held {
    /// What an owner holds.
    pub(crate) const ALL: Self = Self { permissions: Permissions::ALL, until_ms: None };
}

/// Why a change was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    #[error("there are too many already")]
    TooMany,
    #[error("there is none of that id")]
    Unknown,
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A right that is to be given.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) share: ShareId,
    pub(crate) subject: Subject,
    pub(crate) permissions: Permissions,
    pub(crate) expires_ms: Option<i64>,
}

/// Rights and rooms as they stand: the pure part.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    by_share: HashMap<ShareId, Vec<GrantRow>>,
    rooms: HashMap<RoomId, RoomRow>,
}

/// A right counts until the moment it ends, and not in it.
const fn counts(grant: &GrantRow, now_ms: i64) -> bool {
    match grant.expires_ms {
        Some(expires) => now_ms < expires,
        None => true,
    }
}

impl Known {
    pub(crate) fn is_for(&self, subject: Subject, person: PrincipalId) -> bool {
        match subject {
            Subject::Everyone => true,
            Subject::Principal(id) => id == person,
            Subject::Room(id) => self.rooms.get(&id).is_some_and(|room| room.members.contains(&person)),
        }
    }

    /// The rights that make up what somebody holds on a share.
    pub(crate) fn because(
        &self,
        person: PrincipalId,
        share: ShareId,
        now_ms: i64,
    ) -> impl Iterator<Item = &GrantRow> {
        let on_share = self.by_share.get(&share).into_iter().flatten();
        on_share.filter(move |grant| counts(grant, now_ms) && self.is_for(grant.subject, person))
    }

    /// Those of `everybody` to whom any right on a share is given, those whose time is over too.
    pub(crate) fn people_on(&self, share: ShareId, everybody: &HashSet<PrincipalId>) -> HashSet<PrincipalId> {
        let mut people = HashSet::new();
        for grant in self.by_share.get(&share).into_iter().flatten() {
            match grant.subject {
                Subject::Everyone => return everybody.clone(),
                Subject::Principal(id) => people.extend([id]),
                Subject::Room(id) => people.extend(self.rooms.get(&id).iter().flat_map(|room| &room.members)),
            }
        }
        people.retain(|person| everybody.contains(person));
        people
    }

    /// What somebody holds on a share.
    pub(crate) fn held(&self, person: PrincipalId, share: ShareId, now_ms: i64) -> Held {
        self.because(person, share, now_ms).fold(Held::default(), |held, grant| Held {
            permissions: held.permissions.union(grant.permissions),
            until_ms: [held.until_ms, grant.expires_ms].into_iter().flatten().min(),
        })
    }

    fn put(&mut self, grant: GrantRow) {
        let on_share = self.by_share.entry(grant.share).or_default();
        match on_share.iter_mut().find(|old| old.subject == grant.subject) {
            Some(old) => *old = grant,
            None => on_share.push(grant),
        }
    }

    fn same(&self, wanted: &Wanted) -> Option<&GrantRow> {
        self.by_share.get(&wanted.share)?.iter().find(|grant| grant.subject == wanted.subject)
    }

    fn retain(&mut self, keep: impl Fn(&GrantRow) -> bool) {
        self.by_share.retain(|_, grants| {
            grants.retain(&keep);
            !grants.is_empty()
        });
    }

    fn count(&self) -> usize {
        self.by_share.values().map(Vec::len).sum()
    }

    /// As it would be with this right: nothing is kept.
    pub(crate) fn with(&self, wanted: &Wanted, by: PrincipalId, now_ms: i64) -> Self {
        let mut then = Self {
            by_share: self
                .by_share
                .get(&wanted.share)
                .map(|g| (wanted.share, g.clone()))
                .into_iter()
                .collect(),
            rooms: self.rooms.clone(),
        };
        then.put(row(wanted, self.same(wanted), by, now_ms));
        then
    }
}

fn row(wanted: &Wanted, same: Option<&GrantRow>, granted_by: PrincipalId, now_ms: i64) -> GrantRow {
    let Wanted { share, subject, permissions, expires_ms } = *wanted;
    let (id, created_ms) = same.map_or_else(|| (GrantId::generate(), now_ms), |old| (old.id, old.created_ms));
    GrantRow { id, share, subject, permissions, expires_ms, granted_by, created_ms }
}

/// The room of rights.
pub(crate) struct Rights {
    store: Store,
    known: RwLock<Known>,
    /// One change at a time: each starts from what the one before left, in memory and in the store.
    changing: tokio::sync::Mutex<()>,
}

/// Rights on their way to the store. Nothing else changes meanwhile.
pub(crate) struct Giving<'a> {
    rights: &'a Rights,
    _turn: tokio::sync::MutexGuard<'a, ()>,
    rows: Vec<GrantRow>,
}

impl Giving<'_> {
    /// What is to be written.
    pub(crate) fn rows(&self) -> &[GrantRow] {
        &self.rows
    }

    /// It is written, and counts.
    pub(crate) fn given(self) {
        let mut known = self.rights.known.write();
        self.rows.into_iter().for_each(|grant| known.put(grant));
    }
}

impl Rights {
    pub(crate) async fn open(store: Store) -> Result<Self, StoreError> {
        let mut known = Known::default();
        for grant in store.grants().await? {
            known.put(grant);
        }
        known.rooms = store.rooms().await?.into_iter().map(|room| (room.id, room)).collect();
        Ok(Self { store, known: RwLock::new(known), changing: tokio::sync::Mutex::default() })
    }

    /// What somebody holds on a share by the rights given to them.
    pub(crate) fn held(&self, person: PrincipalId, share: ShareId, now_ms: i64) -> Held {
        self.known.read().held(person, share, now_ms)
    }

    /// Looks at everything as it stands. No waiting in `look`.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Known) -> T) -> T {
        look(&self.known.read())
    }

    /// Every right, by share and age, those that have ended by their time too.
    pub(crate) fn grants(&self) -> Vec<GrantRow> {
        let mut all: Vec<_> = self.known.read().by_share.values().flatten().cloned().collect();
        all.sort_by_key(|grant| (grant.share, grant.created_ms, grant.id));
        all
    }

    /// The shares on which anybody was given anything.
    pub(crate) fn shares_with_rights(&self) -> Vec<ShareId> {
        self.known.read().by_share.keys().copied().collect()
    }

    /// The shares on which a right's time came to its end after `since_ms` and not after `now_ms`.
    pub(crate) fn ended_within(&self, since_ms: i64, now_ms: i64) -> Vec<ShareId> {
        let known = self.known.read();
        let ended = |grant: &&GrantRow| grant.expires_ms.is_some_and(|end| since_ms < end && end <= now_ms);
        known.by_share.values().flatten().filter(ended).map(|grant| grant.share).collect()
    }

    pub(crate) fn grant(&self, id: GrantId) -> Option<GrantRow> {
        self.known.read().by_share.values().flatten().find(|grant| grant.id == id).cloned()
    }

    /// Gives a right, or puts it in place of the one that the subject has on the share.
    pub(crate) async fn put(
        &self,
        wanted: &Wanted,
        by: PrincipalId,
        now_ms: i64,
    ) -> Result<GrantRow, ChangeError> {
        let giving = self.begin_giving(&[*wanted], by, now_ms).await?;
        let grant = giving.rows.first().cloned().ok_or(ChangeError::Unknown)?;
        self.store.put_grant(&grant).await?;
        giving.given();
        Ok(grant)
    }

    /// Rights that somebody else writes to the store, together with what brings them. Each puts itself in place of the
    /// one that the subject has on the share.
    pub(crate) async fn begin_giving(
        &self,
        wanted: &[Wanted],
        by: PrincipalId,
        now_ms: i64,
    ) -> Result<Giving<'_>, ChangeError> {
        let turn = self.changing.lock().await;
        let known = self.known.read();
        let new = wanted.iter().filter(|wanted| known.same(wanted).is_none()).count();
        if new > 0 && known.count() + new > MAX_GRANTS {
            return Err(ChangeError::TooMany);
        }
        let no_such_room = |wanted: &Wanted| match wanted.subject {
            Subject::Room(room) => !known.rooms.contains_key(&room),
            Subject::Principal(_) | Subject::Everyone => false,
        };
        if wanted.iter().any(no_such_room) {
            return Err(ChangeError::Unknown);
        }
        let rows = wanted.iter().map(|wanted| row(wanted, known.same(wanted), by, now_ms)).collect();
        drop(known);
        Ok(Giving { rights: self, _turn: turn, rows })
    }

    /// Ends a right; gives what it was.
    pub(crate) async fn end(&self, id: GrantId) -> Result<GrantRow, ChangeError> {
        let _turn = self.changing.lock().await;
        let grant = self.grant(id).ok_or(ChangeError::Unknown)?;
        self.store.delete_grant(id).await?;
        self.known.write().retain(|grant| grant.id != id);
        Ok(grant)
    }

    /// Ends every right on a share that does not exist any more.
    pub(crate) async fn forget_share(&self, share: ShareId) -> Result<(), StoreError> {
        let _turn = self.changing.lock().await;
        self.store.delete_grants_on(share).await?;
        self.known.write().by_share.remove(&share);
        Ok(())
    }

    /// Ends every right and membership of somebody who has left.
    pub(crate) async fn forget_person(&self, person: PrincipalId) -> Result<(), StoreError> {
        let _turn = self.changing.lock().await;
        self.store.delete_grants_of(Subject::Principal(person)).await?;
        self.store.delete_memberships(person).await?;
        let mut known = self.known.write();
        known.retain(|grant| grant.subject != Subject::Principal(person));
        for room in known.rooms.values_mut() {
            room.members.remove(&person);
        }
        Ok(())
    }

    /// The rooms, by name.
    pub(crate) fn rooms(&self) -> Vec<RoomRow> {
        let mut rooms: Vec<_> = self.known.read().rooms.values().cloned().collect();
        rooms.sort_by_key(|room| (room.name.to_lowercase(), room.id));
        rooms
    }

    pub(crate) fn room(&self, id: RoomId) -> Option<RoomRow> {
        self.known.read().rooms.get(&id).cloned()
    }

    pub(crate) async fn make_room(&self, name: &str, now_ms: i64) -> Result<RoomRow, ChangeError> {
        let _turn = self.changing.lock().await;
        if self.known.read().rooms.len() >= MAX_ROOMS {
            return Err(ChangeError::TooMany);
        }
        let room = RoomRow { id: RoomId::generate(), name: name.to_owned(), members: BTreeSet::new() };
        self.store.insert_room(room.id, name, now_ms).await?;
        self.known.write().rooms.insert(room.id, room.clone());
        Ok(room)
    }

    pub(crate) async fn rename_room(&self, id: RoomId, name: &str) -> Result<RoomRow, ChangeError> {
        let _turn = self.changing.lock().await;
        self.room(id).ok_or(ChangeError::Unknown)?;
        self.store.rename_room(id, name).await?;
        self.alter_room(id, |room| name.clone_into(&mut room.name))
    }

    /// Ends a room, with the rights it has; gives what it was.
    pub(crate) async fn end_room(&self, id: RoomId) -> Result<RoomRow, ChangeError> {
        let _turn = self.changing.lock().await;
        self.room(id).ok_or(ChangeError::Unknown)?;
        self.store.delete_room(id).await?;
        let mut known = self.known.write();
        known.retain(|grant| grant.subject != Subject::Room(id));
        known.rooms.remove(&id).ok_or(ChangeError::Unknown)
    }

    /// Takes somebody into a room.
    pub(crate) async fn join(&self, id: RoomId, person: PrincipalId) -> Result<RoomRow, ChangeError> {
        let _turn = self.changing.lock().await;
        self.room(id).ok_or(ChangeError::Unknown)?;
        self.store.insert_member(id, person).await?;
        self.alter_room(id, |room| {
            room.members.insert(person);
        })
    }

    /// Takes somebody out of a room.
    pub(crate) async fn leave(&self, id: RoomId, person: PrincipalId) -> Result<RoomRow, ChangeError> {
        let _turn = self.changing.lock().await;
        self.room(id).ok_or(ChangeError::Unknown)?;
        self.store.delete_member(id, person).await?;
        self.alter_room(id, |room| {
            room.members.remove(&person);
        })
    }

    fn alter_room(&self, id: RoomId, change: impl FnOnce(&mut RoomRow)) -> Result<RoomRow, ChangeError> {
        let mut known = self.known.write();
        let room = known.rooms.get_mut(&id).ok_or(ChangeError::Unknown)?;
        change(room);
        Ok(room.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proto::Permission;

    fn people() -> Vec<PrincipalId> {
        (0..4).map(|_| PrincipalId::generate()).collect()
    }

    fn grant(share: ShareId, subject: Subject, permission: Permission, expires_ms: Option<i64>) -> GrantRow {
        let wanted = Wanted { share, subject, permissions: [permission].into_iter().collect(), expires_ms };
        row(&wanted, None, PrincipalId::generate(), 0)
    }

    #[test]
    fn nobody_has_anything_until_it_is_given() {
        let known = Known::default();
        assert_eq!(known.held(PrincipalId::generate(), ShareId::generate(), 0), Held::default());
    }

    #[test]
    fn rights_add_up_and_end_each_at_its_time() {
        let (share, people) = (ShareId::generate(), people());
        let room = RoomRow { id: RoomId::generate(), name: "R".into(), members: [people[1]].into() };
        let mut known = Known::default();
        known.put(grant(share, Subject::Everyone, Permission::Read, None));
        known.put(grant(share, Subject::Room(room.id), Permission::Download, Some(20)));
        known.put(grant(share, Subject::Principal(people[1]), Permission::Write, Some(10)));
        known.put(grant(share, Subject::Principal(people[2]), Permission::ManageShare, None));
        known.rooms.insert(room.id, room);
        for (person, now, words, until) in [
            (0, 0, "read", None),
            (1, 0, "read download write", Some(10)),
            (1, 9, "read download write", Some(10)),
            (1, 10, "read download", Some(20)),
            (1, 20, "read", None),
            (2, 99, "read manage_share", None),
        ] {
            let held = known.held(people[person], share, now);
            let is: Vec<_> = held.permissions.iter().map(Permission::as_str).collect();
            assert_eq!((is.join(" ").as_str(), held.until_ms), (words, until), "person {person} at {now}");
            assert_eq!(known.held(people[person], ShareId::generate(), now), Held::default());
        }
    }

    #[test]
    fn a_trial_of_a_right_changes_nothing() {
        let (share, person) = (ShareId::generate(), PrincipalId::generate());
        let mut known = Known::default();
        known.put(grant(share, Subject::Everyone, Permission::Read, None));
        let wanted = Wanted {
            share,
            subject: Subject::Everyone,
            permissions: [Permission::Download].into_iter().collect(),
            expires_ms: None,
        };
        let then = known.with(&wanted, person, 0);
        assert_eq!(then.held(person, share, 0).permissions, wanted.permissions, "it replaces");
        assert!(known.held(person, share, 0).permissions.allows(Permission::Read));
    }

    /// One step of a history, over small numbers of people, rooms and shares.
    #[derive(Clone, Debug)]
    enum Step {
        Put { share: usize, subject: usize, permissions: u8, expires: Option<i64> },
        End(usize),
        Join(usize, usize),
        Leave(usize, usize),
        EndRoom(usize),
        ForgetShare(usize),
        ForgetPerson(usize),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            6 => (0..3usize, 0..7usize, 0..64u8, prop::option::of(1..30i64)).prop_map(
                |(share, subject, permissions, expires)| Step::Put { share, subject, permissions, expires }
            ),
            2 => any::<prop::sample::Index>().prop_map(|which| Step::End(which.index(8))),
            3 => (0..2usize, 0..4usize).prop_map(|(room, person)| Step::Join(room, person)),
            2 => (0..2usize, 0..4usize).prop_map(|(room, person)| Step::Leave(room, person)),
            1 => (0..2usize).prop_map(Step::EndRoom),
            1 => (0..3usize).prop_map(Step::ForgetShare),
            1 => (0..4usize).prop_map(Step::ForgetPerson),
        ]
    }

    /// The same rules said in the plainest way: lists that are walked.
    #[derive(Default)]
    struct Naive {
        grants: Vec<(GrantId, ShareId, Subject, Permissions, Option<i64>)>,
        members: Vec<(RoomId, PrincipalId)>,
    }

    impl Naive {
        fn may(&self, person: PrincipalId, share: ShareId, permission: Permission, now: i64) -> bool {
            self.grants.iter().any(|(_, on, subject, permissions, expires)| {
                let mine = match subject {
                    Subject::Everyone => true,
                    Subject::Principal(id) => *id == person,
                    Subject::Room(id) => self.members.contains(&(*id, person)),
                };
                *on == share && mine && permissions.allows(permission) && expires.is_none_or(|end| end > now)
            })
        }
    }

    struct Cast {
        people: Vec<PrincipalId>,
        rooms: Vec<RoomId>,
        shares: Vec<ShareId>,
    }

    impl Cast {
        fn subject(&self, number: usize) -> Subject {
            match number {
                0..4 => Subject::Principal(self.people[number]),
                4 | 5 => Subject::Room(self.rooms[number - 4]),
                _ => Subject::Everyone,
            }
        }
    }

    async fn play(step: Step, cast: &Cast, rights: &Rights, naive: &mut Naive) {
        match step {
            Step::Put { share, subject, permissions, expires } => {
                let wanted = Wanted {
                    share: cast.shares[share],
                    subject: cast.subject(subject),
                    permissions: Permission::ALL
                        .into_iter()
                        .filter(|p| permissions >> (*p as u8) & 1 == 1)
                        .collect(),
                    expires_ms: expires,
                };
                if let Ok(made) = rights.put(&wanted, cast.people[0], 0).await {
                    naive.grants.retain(|(_, on, of, ..)| (*on, *of) != (wanted.share, wanted.subject));
                    naive.grants.push((made.id, made.share, made.subject, made.permissions, made.expires_ms));
                }
            }
            Step::End(which) => {
                if let Some((id, ..)) = naive.grants.get(which).copied() {
                    rights.end(id).await.unwrap();
                    naive.grants.remove(which);
                }
            }
            Step::Join(room, person) => {
                let (room, person) = (cast.rooms[room], cast.people[person]);
                if rights.join(room, person).await.is_ok() {
                    naive.members.push((room, person));
                }
            }
            Step::Leave(room, person) => {
                let (room, person) = (cast.rooms[room], cast.people[person]);
                let _ = rights.leave(room, person).await;
                naive.members.retain(|member| *member != (room, person));
            }
            Step::EndRoom(room) => {
                let room = cast.rooms[room];
                let _ = rights.end_room(room).await;
                naive.grants.retain(|(_, _, subject, ..)| *subject != Subject::Room(room));
                naive.members.retain(|(of, _)| *of != room);
            }
            Step::ForgetShare(share) => {
                rights.forget_share(cast.shares[share]).await.unwrap();
                naive.grants.retain(|(_, on, ..)| *on != cast.shares[share]);
            }
            Step::ForgetPerson(person) => {
                let person = cast.people[person];
                rights.forget_person(person).await.unwrap();
                naive.grants.retain(|(_, _, subject, ..)| *subject != Subject::Principal(person));
                naive.members.retain(|(_, of)| *of != person);
            }
        }
    }

    fn agree(cast: &Cast, rights: &Rights, naive: &Naive) -> Result<(), TestCaseError> {
        for now in [0, 1, 7, 15, 29, 30] {
            for person in &cast.people {
                for share in &cast.shares {
                    let held = rights.held(*person, *share, now);
                    for permission in Permission::ALL {
                        let may = naive.may(*person, *share, permission, now);
                        prop_assert_eq!(
                            held.permissions.allows(permission),
                            may,
                            "{:?} at {}",
                            permission,
                            now
                        );
                    }
                    if let Some(until) = held.until_ms {
                        prop_assert!(until > now);
                        prop_assert_eq!(rights.held(*person, *share, until - 1), held, "it stays until then");
                    }
                }
            }
        }
        Ok(())
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        #[test]
        fn every_history_of_rights_agrees_with_the_plain_rules_also_after_a_restart(
            steps in prop::collection::vec(step(), 1..30)
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let dir = tempfile::tempdir().unwrap();
                let store = Store::open(dir.path()).await.unwrap();
                let people = people();
                for person in &people {
                    store.add_person_for_test(*person).await;
                }
                let rights = Rights::open(store.clone()).await.unwrap();
                let mut rooms = Vec::new();
                for name in ["A", "B"] {
                    rooms.push(rights.make_room(name, 0).await.unwrap().id);
                }
                let shares = (0..3).map(|_| ShareId::generate()).collect();
                let cast = Cast { people, rooms, shares };
                let mut naive = Naive::default();
                for step in steps {
                    play(step, &cast, &rights, &mut naive).await;
                }
                agree(&cast, &rights, &naive)?;
                agree(&cast, &Rights::open(store).await.unwrap(), &naive)
            })?;
        }
    }
}

//! What a user has chosen: own status, DND status and flags.
//!
//! An untimed own status and the timed one above it are parts of their own, so that both stay
//! if they are chosen on two sides of a partition. A timed status counts while it is later
//! than the untimed one and has not ended. Its end is no change: every node ends it by itself,
//! and its version stays, so that it cannot return.

use super::registers::{OwnPart, Part, PersonRegister, TimedPart, json};
use super::{Gathered, SharedEntry, Version};
use crate::directory::UserId;
use crate::model::dnd::DndStatus;
use crate::model::flags::Flag;
use crate::model::status::Statuses;
use crate::model::time::Time;
use crate::world::stored::OwnRow;
use crate::world::{Before, Ending, Own, World};

use super::keys::SharedKey;

impl World {
    /// A user has chosen a status here.
    pub(in crate::world) fn note_chosen(&mut self, user: UserId, timed: bool, at: Time) {
        let version = self.version(at);
        let Some(replica) = &mut self.replica else {
            return;
        };
        let versions = &mut replica.users[user.index()];
        match timed {
            true => versions.timed = version,
            false => versions.own = version,
        }
        replica.wait(SharedKey::Person(user));
    }

    /// The user's DND status was set here.
    pub(in crate::world) fn note_dnd(&mut self, user: UserId, now: Time) {
        if self.replica.is_none() {
            return;
        }
        let at = self.stamp(now);
        let version = self.version(at);
        if let Some(replica) = &mut self.replica {
            replica.users[user.index()].dnd = version;
            replica.wait(SharedKey::Person(user));
        }
    }

    /// A flag of the user was set here.
    pub(in crate::world) fn note_flag(&mut self, user: UserId, flag: Flag, now: Time) {
        if self.replica.is_none() {
            return;
        }
        let at = self.stamp(now);
        let version = self.version(at);
        if let Some(replica) = &mut self.replica {
            replica.users[user.index()].flags[flag as usize] = version;
            replica.wait(SharedKey::Person(user));
        }
    }

    pub(super) fn take_person(
        &mut self,
        user: UserId,
        entry: &SharedEntry,
        taken: &mut Gathered,
        now: Time,
    ) {
        let Some(replica) = &mut self.replica else {
            return;
        };
        let known = &mut replica.users[user.index()].person_revision;
        if entry.value.is_some() && entry.revision <= *known {
            return;
        }
        *known = entry.value.map_or(0, |_| entry.revision);
        let text = entry.value.unwrap_or("{}");
        let Ok(mut register) = serde_json::from_str::<PersonRegister>(text) else {
            // A later release may have written it.
            return;
        };
        let is_right = self.latest(now).check_person(&mut register);
        self.join_person(user, &register, taken, now);
        if is_right {
            self.compare_person(user, &register);
        } else if let Some(replica) = &mut self.replica {
            // It stays there until the user changes something.
            replica.doubt(entry.path);
        }
    }

    /// Has the user's register written if this node has later parts.
    pub(super) fn compare_person(&mut self, user: UserId, register: &PersonRegister) {
        let ahead = self.is_ahead_of(user, register);
        if let Some(replica) = &mut self.replica {
            let key = SharedKey::Person(user);
            replica.wait_if(ahead, key);
        }
    }

    fn is_ahead_of(&self, user: UserId, register: &PersonRegister) -> bool {
        let Some(replica) = &self.replica else {
            return false;
        };
        let versions = &replica.users[user.index()];
        let own = register.own.as_ref().map(|part| part.version);
        let timed = register.timed.as_ref().map(|part| part.version);
        let dnd = register.dnd.as_ref().map(|part| part.version);
        let counts = versions.timed > versions.own;
        let flags = Flag::ALL.into_iter();
        let mut flags = flags.map(|flag| {
            let there = register.flags.get(flag.name()).map(|part| part.version);
            versions.flags[flag as usize] > there.unwrap_or_default()
        });
        versions.own > own.unwrap_or_default()
            || (counts && versions.timed > timed.unwrap_or_default())
            || versions.dnd > dnd.unwrap_or_default()
            || flags.any(|ahead| ahead)
    }

    fn join_person(
        &mut self,
        user: UserId,
        register: &PersonRegister,
        taken: &mut Gathered,
        now: Time,
    ) {
        self.join_own(user, register, taken, now);
        let Some(versions) = self.user_versions(user) else {
            return;
        };
        let dnd = register.dnd.as_ref();
        if let Some(part) = dnd.filter(|part| part.version > versions.dnd) {
            versions.dnd = part.version;
            self.saw(part.version);
            if let Ok(dnd_status) = DndStatus::parse(&part.value) {
                self.put_dnd(user, dnd_status, now, &mut taken.effects);
            }
        }
        for flag in Flag::ALL {
            let Some(versions) = self.user_versions(user) else {
                return;
            };
            let known = &mut versions.flags[flag as usize];
            let part = register.flags.get(flag.name());
            if let Some(part) = part.filter(|part| part.version > *known) {
                *known = part.version;
                self.saw(part.version);
                self.put_flag(user, flag, part.value, now, &mut taken.effects);
            }
        }
    }

    fn user_versions(&mut self, user: UserId) -> Option<&mut super::UserVersions> {
        let replica = self.replica.as_deref_mut()?;
        Some(&mut replica.users[user.index()])
    }

    fn join_own(
        &mut self,
        user: UserId,
        register: &PersonRegister,
        taken: &mut Gathered,
        now: Time,
    ) {
        let Some(versions) = self.user_versions(user) else {
            return;
        };
        let own = register.own.as_ref();
        let own = own.filter(|part| part.version > versions.own);
        let timed = register.timed.as_ref();
        let timed = timed.filter(|part| part.version > versions.timed);
        if own.is_none() && timed.is_none() {
            return;
        }
        versions.own = own.map_or(versions.own, |part| part.version);
        versions.timed = timed.map_or(versions.timed, |part| part.version);
        let counts = versions.timed > versions.own;
        let is_bare = !versions.own.is_some();
        let directory = self.directory.clone();
        let statuses = directory.settings.statuses();
        let (mut below, before) = self.take_apart(user);
        let was_timed = before.is_some();
        if let Some(part) = own {
            self.saw(part.version);
            below = untimed(part, statuses);
        }
        let now_timed = match timed {
            Some(part) => {
                self.saw(part.version);
                if is_bare {
                    let status = part.below.as_ref();
                    below.status = status.and_then(|name| statuses.find(name)).cloned();
                }
                part.value.as_ref().map(|row| row.restore(statuses))
            }
            None => before,
        };
        // One that has ended in the meantime is never seen here.
        let now_timed = now_timed.filter(|own| counts && own.until > now);
        let new = match now_timed {
            Some(mut own) => {
                self.ends.insert((own.until, Ending::Own(user)));
                own.before = Some(Box::new(below));
                Some(Box::new(own))
            }
            None => {
                if own.is_some() || was_timed {
                    taken.ended.push((user, below.status.clone()));
                }
                below.own
            }
        };
        self.users[user.index()].own = new;
        self.mark_user(user);
        self.touch(user, &mut taken.touched);
    }

    /// Removes a user's own status and returns the untimed one and the timed one above it.
    fn take_apart(&mut self, user: UserId) -> (Before, Option<Own>) {
        let state = &mut self.users[user.index()];
        let status = state.status.clone();
        match state.own.take() {
            Some(mut own) if own.is_timed() => {
                self.ends.remove(&(own.until, Ending::Own(user)));
                let below = own.before.take().map(|before| *before);
                (below.unwrap_or_default(), Some(*own))
            }
            own => (Before::of(own, status), None),
        }
    }

    /// Gives versions to what was set before anything was shared: the time of a status is known;
    /// anything else is older than all that the cluster has.
    /// Returns whether there was anything.
    pub(super) fn give_versions_to_person(&mut self, user: UserId) -> bool {
        let state = &self.users[user.index()];
        let (below, timed) = match state.own.as_deref() {
            Some(own) if own.is_timed() => {
                let below = own.before.as_deref();
                (below.and_then(|before| before.own.as_deref()), Some(own))
            }
            own => (own, None),
        };
        let version = |own: Option<&Own>| own.map(|own| self.version(own.chosen));
        let (below, timed) = (version(below), version(timed));
        let first = self.version(Time::NEVER);
        let dnd = (state.dnd_status != DndStatus::default()).then_some(first);
        let flags = Flag::ALL.map(|flag| {
            let changed = state.flags.get(flag) != crate::model::flags::Flags::default().get(flag);
            changed.then_some(first)
        });
        let Some(versions) = self.user_versions(user) else {
            return false;
        };
        let mut given = false;
        let mut give = |to: &mut Version, version: Option<Version>| {
            if let Some(version) = version.filter(|_| !to.is_some()) {
                (*to, given) = (version, true);
            }
        };
        give(&mut versions.own, below);
        give(&mut versions.timed, timed);
        give(&mut versions.dnd, dnd);
        for (to, version) in versions.flags.iter_mut().zip(flags) {
            give(to, version);
        }
        given
    }

    /// The user's register; `None` if nothing was ever chosen.
    pub(super) fn person_register(&self, user: UserId) -> Option<String> {
        let versions = &self.replica.as_deref()?.users[user.index()];
        let state = &self.users[user.index()];
        let named = |status: Option<&std::sync::Arc<crate::model::status::StatusType>>| {
            status.map(|status| status.name.to_string())
        };
        let part = |own: Option<&Own>| OwnPart {
            value: own.map(OwnRow::new),
            version: versions.own,
        };
        let (own, timed) = match state.own.as_deref() {
            Some(own) if own.is_timed() => {
                let below = own.before.as_deref();
                let status = below.and_then(|before| before.status.as_ref());
                let below = below.and_then(|before| before.own.as_deref());
                let timed = TimedPart {
                    value: Some(OwnRow::new(own).without_before()),
                    below: named(status.filter(|_| !versions.own.is_some())),
                    version: versions.timed,
                };
                (part(below), timed)
            }
            own => {
                let ended = TimedPart {
                    value: None,
                    below: None,
                    version: versions.timed,
                };
                (part(own), ended)
            }
        };
        let dnd = Part {
            value: state.dnd_status.name().to_owned(),
            version: versions.dnd,
        };
        let flags = Flag::ALL.into_iter().filter_map(|flag| {
            let version = versions.flags[flag as usize];
            let value = state.flags.get(flag);
            let part = Part { value, version };
            version.is_some().then(|| (flag.name().to_owned(), part))
        });
        let register = PersonRegister {
            own: versions.own.is_some().then_some(own),
            timed: (versions.timed > versions.own).then_some(timed),
            dnd: versions.dnd.is_some().then_some(dnd),
            flags: flags.collect(),
        };
        (register != PersonRegister::default()).then(|| json(&register))
    }
}

fn untimed(part: &OwnPart, statuses: &Statuses) -> Before {
    let own = part.value.as_ref().map(|row| {
        let mut own = row.restore(statuses);
        // An untimed status has nothing below it.
        (own.until, own.before) = (Time::NEVER, None);
        Box::new(own)
    });
    Before::of(own, None)
}

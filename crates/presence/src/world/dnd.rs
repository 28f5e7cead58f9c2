//! What do not disturb has replaced, so that it can return: see [`crate::calls::follow_dnd`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::World;
use super::chosen::UserBefore;
use crate::directory::UserId;
use crate::model::assignment::Choice;
use crate::model::state::{Presence, State};
use crate::model::status::StatusType;
use crate::model::stored_presence::StoredPresence;
use crate::model::time::Time;

/// How a user came into the state `dnd`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct DndEntry {
    /// The status before; `None` if it is not known.
    before: Option<Replaced>,
    /// The extension whose do not disturb was switched on in FreePBX; `None` if the status was
    /// set otherwise.
    from: Option<Box<str>>,
}

/// A status that was replaced.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Replaced {
    /// The name of the status type; empty without one.
    status: Box<str>,
    presence: Presence,
    /// When it ends; [`Time::NEVER`] without an end.
    until: Time,
}

/// A [`DndEntry`] as it is stored.
#[derive(Serialize, Deserialize, Clone, PartialEq, Eq, Debug, Default)]
pub struct DndRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<StoredPresence>,
    #[serde(default, skip_serializing_if = "str::is_empty")]
    status: Box<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    from: Option<Box<str>>,
}

impl From<&DndEntry> for DndRow {
    fn from(entry: &DndEntry) -> Self {
        let before = entry.before.as_ref();
        let presence = |it: &Replaced| StoredPresence::new(&it.presence, Time::NEVER, it.until);
        DndRow {
            before: before.map(presence),
            status: before.map_or_else(Box::default, |it| it.status.clone()),
            from: entry.from.clone(),
        }
    }
}

impl From<&DndRow> for DndEntry {
    fn from(row: &DndRow) -> Self {
        let before = row.before.as_ref().map(|before| {
            let (presence, _, until) = before.restore();
            Replaced {
                status: row.status.clone(),
                presence,
                until,
            }
        });
        DndEntry {
            before,
            from: row.from.clone(),
        }
    }
}

impl World {
    /// How the user came into the state `dnd`; `None` for a user in another state, for one
    /// without `follow_dnd`, and where it is not known.
    pub fn dnd_entry(&self, user: UserId) -> Option<&DndEntry> {
        self.users[user.index()].dnd_entry.as_deref()
    }

    /// The extension at which the user's do not disturb was switched on in FreePBX.
    pub fn dnd_from(&self, user: UserId) -> Option<&str> {
        self.dnd_entry(user)?.from.as_deref()
    }

    /// Records the extension at which do not disturb was switched on.
    pub(crate) fn note_dnd_from(&mut self, user: UserId, extension: &str) {
        if self.is_in_dnd(user) {
            let entry = &mut self.users[user.index()].dnd_entry;
            entry.get_or_insert_default().from = Some(extension.into());
        }
    }

    /// Takes over what an earlier run knew of a user who is in the state `dnd` still.
    pub fn restore_dnd(&mut self, user: UserId, row: &DndRow) {
        let in_dnd = self.is_in_dnd(user);
        let entry = &mut self.users[user.index()].dnd_entry;
        if in_dnd && entry.is_none() {
            *entry = Some(Box::new(row.into()));
        }
    }

    fn is_in_dnd(&self, user: UserId) -> bool {
        self.chosen(user).presence.state() == State::Dnd
    }

    /// Keeps the status that `dnd` replaces.
    pub(super) fn note_dnd_entry(&mut self, user: UserId, was: &UserBefore) {
        let follows = self.directory.get(user).rule.follow_dnd;
        let before = was.chosen.state() == State::Dnd;
        match (before, self.is_in_dnd(user) && follows) {
            (true, true) => {}
            (_, false) => self.users[user.index()].dnd_entry = None,
            (false, true) => {
                let status = was.status.as_ref();
                let replaced = Replaced {
                    status: status.map_or_else(Box::default, |status| status.name.clone()),
                    presence: was.chosen.clone(),
                    until: was.chosen_until,
                };
                self.users[user.index()].dnd_entry = Some(Box::new(DndEntry {
                    before: Some(replaced),
                    from: None,
                }));
            }
        }
    }

    /// The choice that brings back what `dnd` has replaced; `None` if that is not known, or has
    /// ended since.
    pub(crate) fn before_dnd(&self, user: UserId, now: Time) -> Option<Choice> {
        let before = self.dnd_entry(user)?.before.as_ref()?;
        let timed = before.until != Time::NEVER;
        if timed && before.until <= now {
            return None;
        }
        let statuses = self.directory.settings.statuses();
        let (presence, state) = (&before.presence, before.presence.state());
        let fits = |status: &&Arc<StatusType>| {
            let mapped = status.maps_to.as_ref();
            mapped.is_none_or(|mapped| mapped.state() == state)
        };
        let status = statuses.find(&before.status).filter(fits);
        let status = status.or_else(|| statuses.meaning(presence));
        let status = status.or_else(|| statuses.find(state.name()))?;
        Some(Choice {
            status: status.clone(),
            presence: Some(presence.clone()),
            until: timed.then_some(before.until),
            takes_note: false,
        })
    }
}

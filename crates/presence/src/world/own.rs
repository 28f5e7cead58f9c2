//! A user's own status: setting it and ending it.
//!
//! A timed status covers the last untimed one, which returns when the timed one ends. At
//! each extension that it is written to, a timed status is a layer: see [`super::layers`].

use std::sync::Arc;

use super::chosen::OwnChange;
use super::{Effect, Ending, Layer, Layers, Touched, Value, Version, World};
use crate::directory::{SourceId, UserId};
use crate::model::assignment::Choice;
use crate::model::state::Presence;
use crate::model::status::StatusType;
use crate::model::time::Time;

/// The origin of a status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum ChosenBy {
    /// A person, through one of the interfaces.
    #[default]
    Hand,
    /// A login, a logout, a registration or its end.
    Login,
}

/// A user's own status: the one chosen through this module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Own {
    /// The chosen status type; `None` if it is no longer configured.
    pub status: Option<Arc<StatusType>>,
    /// The chosen presence; for a type that is mapped to no state, the presence before.
    pub presence: Presence,
    /// When the presence was chosen.
    pub since: Time,
    /// When the type was chosen; later than `since` if the type is mapped to no state.
    pub chosen: Time,
    /// For a type that is mapped to no state, the chosen presence at that time: the type stays
    /// the status type as long as this presence does not change.
    pub beside: Option<Presence>,
    /// When it ends; [`Time::NEVER`] without an end.
    pub until: Time,
    /// The origin of the status.
    pub by: ChosenBy,
    /// The status that returns when this one ends; only for timed statuses.
    pub before: Option<Box<Before>>,
}

/// The status below a timed one.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Before {
    /// The untimed own status; `None` if no status was chosen.
    pub own: Option<Box<Own>>,
    /// The user's status type.
    pub status: Option<Arc<StatusType>>,
}

impl Before {
    /// An untimed status. Where nodes share it, its type is the one that was chosen: a type that
    /// was derived meanwhile may differ from node to node.
    pub(super) fn of(own: Option<Box<Own>>, derived: Option<Arc<StatusType>>) -> Self {
        let chosen = own.as_ref().and_then(|own| own.status.clone());
        let status = chosen.or(derived);
        Before { own, status }
    }
}

impl Own {
    /// Whether the status has an end.
    pub(super) fn is_timed(&self) -> bool {
        self.until != Time::NEVER
    }
}

impl World {
    /// Sets a user's status.
    pub(super) fn choose(
        &mut self,
        user: UserId,
        choice: &Choice,
        by: ChosenBy,
        at: Time,
    ) -> Vec<Effect> {
        let mut touched = Touched::new();
        let choice = &*self.with_own_note(user, choice);
        let before = choice.until.map(|_| Box::new(self.before(user)));
        let beside = match choice.presence {
            Some(_) => None,
            None => Some(self.chosen(user).presence.clone()),
        };
        let old = self.users[user.index()].own.take();
        if let Some(old) = &old {
            self.ends.remove(&(old.until, Ending::Own(user)));
        }
        let (presence, since) = match (&choice.presence, old) {
            (Some(presence), _) => (presence.clone(), at),
            (None, Some(old)) => (old.presence, old.since),
            (None, None) => (Presence::default(), at),
        };
        if let Some(until) = choice.until {
            self.ends.insert((until, Ending::Own(user)));
        }
        self.users[user.index()].own = Some(Box::new(Own {
            status: Some(choice.status.clone()),
            presence,
            since,
            chosen: at,
            beside,
            until: choice.until.unwrap_or(Time::NEVER),
            by,
            before,
        }));
        self.mark_user(user);
        self.note_chosen(user, choice.until.is_some(), at);
        self.touch(user, &mut touched);
        self.write_choice(user, choice, at, &mut touched);
        let mut effects = Vec::new();
        self.recombine(touched, &OwnChange::Chosen(user), at, &mut effects);
        effects
    }

    /// Writes a choice to the user's extensions. A choice without a presence is not written: it
    /// only moves the end of the user's timed status there.
    fn write_choice(&mut self, user: UserId, choice: &Choice, at: Time, touched: &mut Touched) {
        let directory = self.directory.clone();
        let spec = directory.get(user);
        for source in directory.written(spec, self.default_of(user)) {
            let value = choice.presence.as_ref().map(|presence| Value {
                presence: presence.clone(),
                since: at,
            });
            let owner = spec.name.clone();
            self.change_layers(source, touched, |layers| match (value, choice.until) {
                (Some(value), Some(until)) => layers.put(Layer {
                    owner,
                    value,
                    until,
                    version: Version::NONE,
                }),
                (Some(value), None) => {
                    layers.base = value;
                    layers.timed.clear();
                }
                (None, until) => layers.end_at(&owner, until),
            });
            if let Some(presence) = &choice.presence {
                self.queue_write(source, presence);
            }
        }
    }

    /// The status below a new timed one: the last untimed status, never a timed one.
    fn before(&self, user: UserId) -> Before {
        let state = &self.users[user.index()];
        match state.own.as_ref().and_then(|own| own.before.as_deref()) {
            Some(earlier) => earlier.clone(),
            None if self.is_sharing() => Before::of(state.own.clone(), state.status.clone()),
            None => Before {
                own: state.own.clone(),
                status: state.status.clone(),
            },
        }
    }

    /// Ends the timed statuses that are due. Returns the effects, and when the next status
    /// ends.
    pub fn end_due_statuses(&mut self, now: Time) -> (Vec<Effect>, Option<Time>) {
        self.made_by_all(|world| world.end_due(now))
    }

    fn end_due(&mut self, now: Time) -> (Vec<Effect>, Option<Time>) {
        let (mut touched, mut set) = (Touched::new(), Vec::new());
        while let Some(&(until, ending)) = self.ends.first() {
            if until > now {
                break;
            }
            self.ends.pop_first();
            match ending {
                Ending::Own(user) => set.extend(self.end_own(user, &mut touched)),
                Ending::Source(source) => {
                    let ended = |layers: &mut Layers| layers.remove_ended(now);
                    if self.change_layers(source, &mut touched, ended) {
                        self.write_again(source);
                    }
                }
            }
        }
        let mut effects = Vec::new();
        self.recombine(touched, &OwnChange::Ended(set), now, &mut effects);
        self.next_look = self.ends.first().map(|(until, _)| *until);
        (effects, self.next_look)
    }

    /// Restores the own status below the timed one. Returns the status type to restore if the
    /// chosen presence means no type.
    pub(super) fn end_own(
        &mut self,
        user: UserId,
        touched: &mut Touched,
    ) -> Option<(UserId, Option<Arc<StatusType>>)> {
        let own = self.users[user.index()].own.take()?;
        let before = own.before.map(|before| *before).unwrap_or_default();
        self.users[user.index()].own = before.own;
        self.mark_user(user);
        self.touch(user, touched);
        Some((user, before.status))
    }

    /// Writes the presence of an extension after one of its timed statuses has ended.
    pub(super) fn write_again(&mut self, source: SourceId) {
        let presence = self.source(source).presence.clone();
        self.queue_write(source, &presence);
    }

    /// Whether a timed status ends before the worker looks next.
    pub(super) fn ends_earlier(&self) -> bool {
        let first = self.ends.first().map(|(until, _)| *until);
        first.is_some_and(|first| self.next_look.is_none_or(|looked| first < looked))
    }
}

//! A user's own status: setting it, and its end where it is timed.
//!
//! A timed status remembers what it took the place of. When it ends, own status and
//! each extension it was written to return to that, except what somebody changed in
//! the meantime; a timed status over a timed one remembers what was before both.

use std::sync::Arc;

use super::chosen::OwnChange;
use super::{Effect, Touched, World};
use crate::presence::assignment::Choice;
use crate::presence::directory::{SourceId, UserId};
use crate::presence::state::Presence;
use crate::presence::status::StatusType;
use crate::presence::time::Time;

/// Who chose a status.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum By {
    /// Somebody, through one of the interfaces.
    #[default]
    Hand,
    /// A login or a logout.
    Login,
}

/// What a user chose through this module.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Own {
    /// The type that was chosen; `None` where it is configured no more.
    pub status: Option<Arc<StatusType>>,
    /// The chosen presence; for a type that is mapped to nothing, the one before.
    pub presence: Presence,
    /// When the presence was chosen.
    pub since: Time,
    /// When the type was chosen: later, where it is mapped to nothing.
    pub chosen: Time,
    /// For a type that is mapped to nothing, what was chosen otherwise: it is the status
    /// type as long as that is so.
    pub beside: Option<Presence>,
    /// When it ends; [`Time::NEVER`] without an end.
    pub until: Time,
    /// Who chose it.
    pub by: By,
    /// What it returns to when it ends.
    pub before: Option<Box<Before>>,
}

/// What a timed status took the place of.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Before {
    /// Own status, untimed.
    pub own: Option<Box<Own>>,
    /// The user's status type.
    pub status: Option<Arc<StatusType>>,
    /// Each extension that was written, by its address.
    pub sources: Vec<(Arc<str>, Said)>,
}

/// What an extension said.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Said {
    /// What.
    pub presence: Presence,
    /// Since when.
    pub since: Time,
    /// When that ends: it may be another user's timed status; [`Time::NEVER`] without an
    /// end.
    pub until: Time,
}

impl World {
    /// Sets a user's status.
    pub(super) fn choose(
        &mut self,
        user: UserId,
        choice: &Choice,
        by: By,
        at: Time,
    ) -> Vec<Effect> {
        let mut touched = Touched::new();
        let until = choice.until.unwrap_or(Time::NEVER);
        let before = choice.until.map(|_| Box::new(self.before(user)));
        let beside = match choice.presence {
            Some(_) => None,
            None => Some(self.chosen(user).presence.clone()),
        };
        let old = self.users[user.index()].own.take();
        if let Some(old) = &old {
            self.ends.remove(&(old.until, user));
        }
        let (presence, since) = match (&choice.presence, old) {
            (Some(presence), _) => (presence.clone(), at),
            (None, Some(old)) => {
                self.end_at(user, &old, until);
                (old.presence, old.since)
            }
            (None, None) => (Presence::default(), at),
        };
        self.users[user.index()].own = Some(Box::new(Own {
            status: Some(choice.status.clone()),
            presence,
            since,
            chosen: at,
            beside,
            until,
            by,
            before,
        }));
        if until != Time::NEVER {
            self.ends.insert((until, user));
        }
        self.mark_user(user);
        self.touch(user, &mut touched);
        let directory = self.directory.clone();
        if let Some(presence) = &choice.presence {
            for source in directory.written(directory.get(user)) {
                self.store(source, presence.clone(), at);
                self.sources[source.index()].until = until;
                self.queue_write(source, presence);
                self.touch_readers(source, &mut touched);
            }
        }
        let mut effects = Vec::new();
        self.recombine(touched, &OwnChange::Chosen(user), at, &mut effects);
        effects
    }

    /// A status that is written nowhere takes over when one that was written ends.
    fn end_at(&mut self, user: UserId, old: &Own, until: Time) {
        if old.until == Time::NEVER {
            return;
        }
        let directory = self.directory.clone();
        for source in directory.written(directory.get(user)) {
            let known = &mut self.sources[source.index()];
            if known.until == old.until && known.presence == old.presence {
                known.until = until;
                self.mark_source(source);
            }
        }
    }

    /// What a timed status of the user takes the place of.
    fn before(&self, user: UserId) -> Before {
        let state = &self.users[user.index()];
        let timed = state.own.as_ref().filter(|own| own.before.is_some());
        let earlier = timed.and_then(|own| own.before.as_deref());
        let spec = self.directory.get(user);
        let source = |source| {
            let (address, known) = (
                &self.directory.get_source(source).address,
                self.source(source),
            );
            let remembered = earlier.filter(|_| {
                // Changed by somebody since: that is what it returns to.
                timed.is_some_and(|own| own.until == known.until && own.presence == known.presence)
            });
            let mut remembered = remembered.into_iter().flat_map(|before| &before.sources);
            match remembered.find(|(of, ..)| of == address) {
                Some(remembered) => remembered.clone(),
                None => {
                    let said = Said {
                        presence: known.presence.clone(),
                        since: known.since,
                        until: known.until,
                    };
                    (address.clone(), said)
                }
            }
        };
        Before {
            own: match earlier {
                Some(earlier) => earlier.own.clone(),
                None => state.own.clone(),
            },
            status: match earlier {
                Some(earlier) => earlier.status.clone(),
                None => state.status.clone(),
            },
            sources: self.directory.written(spec).map(source).collect(),
        }
    }

    /// Ends the timed statuses that are due, and says when the next one ends.
    pub fn ended(&mut self, now: Time) -> (Vec<Effect>, Option<Time>) {
        let mut effects = Vec::new();
        while let Some(&(until, user)) = self.ends.first() {
            if until > now {
                self.looked_for = Some(until);
                return (effects, self.looked_for);
            }
            self.ends.pop_first();
            self.end(user, now, &mut effects);
        }
        self.looked_for = None;
        (effects, None)
    }

    pub(super) fn end(&mut self, user: UserId, now: Time, effects: &mut Vec<Effect>) {
        let Some(mut own) = self.users[user.index()].own.take() else {
            return;
        };
        let before = own.before.take().unwrap_or_default();
        let mut touched = Touched::new();
        for (address, said) in &before.sources {
            let Some(source) = self.directory.source(address) else {
                continue;
            };
            let known = self.source(source);
            if known.presence != own.presence || known.until != own.until {
                self.pass_on(source, &own, said);
                continue;
            }
            self.store(source, said.presence.clone(), said.since);
            self.sources[source.index()].until = said.until;
            self.queue_write(source, &said.presence);
            self.touch_readers(source, &mut touched);
        }
        self.users[user.index()].own = before.own;
        self.mark_user(user);
        self.touch(user, &mut touched);
        let change = OwnChange::Ended(user, before.status);
        self.recombine(touched, &change, now, effects);
    }

    /// Where another user's timed status took the place of the one that ends, it returns
    /// to what was before both.
    fn pass_on(&mut self, source: SourceId, ended: &Own, said: &Said) {
        let directory = self.directory.clone();
        let address = &directory.get_source(source).address;
        for &user in directory.readers(source) {
            let own = self.users[user.index()].own.as_deref_mut();
            let before = own.and_then(|own| own.before.as_deref_mut());
            let kept = before.into_iter().flat_map(|before| &mut before.sources);
            let mut passed = false;
            for (_, kept) in kept.filter(|(of, _)| of == address) {
                if kept.presence == ended.presence && kept.since == ended.since {
                    *kept = said.clone();
                    passed = true;
                }
            }
            if passed {
                self.mark_user(user);
            }
        }
    }

    /// Whether one ends before the worker looks next.
    pub(super) fn ends_earlier(&self) -> bool {
        let first = self.ends.first().map(|(until, _)| *until);
        first.is_some_and(|first| self.looked_for.is_none_or(|looked| first < looked))
    }

    /// When each timed status ends, gathered anew.
    pub(super) fn gather_ends(&mut self) {
        let users = self.directory.users();
        self.ends = users
            .filter_map(|(id, _)| {
                let until = self.own(id)?.until;
                (until != Time::NEVER).then_some((until, id))
            })
            .collect();
    }
}

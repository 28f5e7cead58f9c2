//! Timed statuses as layers over what an extension is without them.
//!
//! ```text
//!            dnd    bob, until 14:30      <- what the extension is now
//!            away   alice, until 15:00
//!  base      available                    <- the last untimed choice or outside change
//! ```
//! Each layer has an owner and an end of its own. An end removes its layer wherever in
//! the stack that is, so it needs to know nothing of other layers, and when the last one
//! has ended the base is left. An untimed choice and a change from outside are the new
//! base, and no layer remains.

use std::sync::Arc;

use super::{SourceState, Touched, World};
use crate::directory::SourceId;
use crate::model::state::Presence;
use crate::model::time::Time;

/// A presence, and since when it is so.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Value {
    /// The presence.
    pub presence: Presence,
    /// Since when; [`Time::NEVER`] where nothing was ever known.
    pub since: Time,
}

/// One timed status of a user at an extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// The name of the user who chose it.
    pub owner: Arc<str>,
    /// What was chosen.
    pub value: Value,
    /// When it ends.
    pub until: Time,
}

/// An extension under timed statuses.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layers {
    /// What the extension is without them.
    pub base: Value,
    /// The timed statuses, the one set last at the end.
    pub timed: Vec<Layer>,
}

impl Layers {
    /// What the extension is now, and when that ends.
    fn top(&self) -> (&Value, Time) {
        match self.timed.last() {
            Some(layer) => (&layer.value, layer.until),
            None => (&self.base, Time::NEVER),
        }
    }

    fn next_end(&self) -> Option<Time> {
        self.timed.iter().map(|layer| layer.until).min()
    }

    /// Puts a user's timed status on top; an earlier one of theirs is replaced.
    pub(super) fn put(&mut self, layer: Layer) {
        self.remove(&layer.owner);
        self.timed.push(layer);
    }

    pub(super) fn remove(&mut self, owner: &str) {
        self.timed
            .retain(|layer| !layer.owner.eq_ignore_ascii_case(owner));
    }

    pub(super) fn remove_ended(&mut self, now: Time) {
        self.timed.retain(|layer| layer.until > now);
    }

    /// Gives the user's timed status another end. Without one it is the base from now
    /// on: what it covered is over.
    pub(super) fn end_at(&mut self, owner: &str, until: Option<Time>) {
        let mut layers = self.timed.iter();
        let Some(at) = layers.position(|layer| layer.owner.eq_ignore_ascii_case(owner)) else {
            return;
        };
        match until {
            Some(until) => self.timed[at].until = until,
            None => {
                let above = self.timed.split_off(at + 1);
                let ended = std::mem::replace(&mut self.timed, above).pop();
                self.base = ended.map(|layer| layer.value).unwrap_or_default();
            }
        }
    }

    /// Every value of the stack, for changes of their times.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let timed = self.timed.iter_mut().map(|layer| &mut layer.value);
        std::iter::once(&mut self.base).chain(timed)
    }
}

impl SourceState {
    /// When what it is now ends, because it is a timed status; [`Time::NEVER`] without an
    /// end.
    pub fn until(&self) -> Time {
        let top = self.layers.as_ref().map(|layers| layers.top().1);
        top.unwrap_or(Time::NEVER)
    }

    /// As stored: the base, and the timed statuses over it.
    pub fn layers(&self) -> Layers {
        match &self.layers {
            Some(layers) => (**layers).clone(),
            None => Layers {
                base: self.value(),
                timed: Vec::new(),
            },
        }
    }

    fn value(&self) -> Value {
        Value {
            presence: self.presence.clone(),
            since: self.since,
        }
    }

    pub(super) fn set_layers(&mut self, layers: Layers) {
        let (top, _) = layers.top();
        (self.presence, self.since, self.known) = (top.presence.clone(), top.since, true);
        self.layers = (!layers.timed.is_empty()).then(|| Box::new(layers));
    }
}

/// What has an end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Ending {
    /// The own status of a user.
    Own(crate::directory::UserId),
    /// A layer of a source, the first that ends.
    Source(SourceId),
}

impl World {
    /// Changes the layers of a source. Says whether the source is something else now.
    pub(super) fn change_layers(
        &mut self,
        source: SourceId,
        touched: &mut Touched,
        change: impl FnOnce(&mut Layers),
    ) -> bool {
        let state = &mut self.sources[source.index()];
        let mut layers = state.layers();
        let before = layers.clone();
        change(&mut layers);
        if layers == before {
            return false;
        }
        let ends = (before.next_end(), layers.next_end());
        let differs = before.top().0.presence != layers.top().0.presence;
        state.set_layers(layers);
        self.reschedule(source, ends);
        self.mark_source(source);
        self.touch_readers(source, touched);
        differs
    }

    /// The base of a source is that, and no timed status is left.
    pub(super) fn set_base(&mut self, source: SourceId, presence: Presence, at: Time) {
        let state = &mut self.sources[source.index()];
        let before = state.layers.take().and_then(|layers| layers.next_end());
        (state.presence, state.since, state.known) = (presence, at, true);
        if before.is_some() {
            self.reschedule(source, (before, None));
        }
        self.mark_source(source);
    }

    /// Whether the source is what it would be after the ends that have come, which is then
    /// no news: they came, and the rows that say so did not, when Asterisk was killed.
    pub(super) fn has_ended_as(
        &mut self,
        source: SourceId,
        presence: &Presence,
        now: Time,
    ) -> bool {
        let state = &mut self.sources[source.index()];
        let Some(layers) = &state.layers else {
            return false;
        };
        let mut rest = (**layers).clone();
        rest.remove_ended(now);
        if rest.timed.len() == layers.timed.len() || rest.top().0.presence != *presence {
            return false;
        }
        let ends = (layers.next_end(), rest.next_end());
        state.set_layers(rest);
        self.reschedule(source, ends);
        self.mark_source(source);
        true
    }

    fn reschedule(&mut self, source: SourceId, (before, after): (Option<Time>, Option<Time>)) {
        if before == after {
            return;
        }
        if let Some(before) = before {
            self.ends.remove(&(before, Ending::Source(source)));
        }
        if let Some(after) = after {
            self.ends.insert((after, Ending::Source(source)));
        }
    }

    /// When each timed status ends, gathered anew.
    pub(super) fn gather_ends(&mut self) {
        let users = self.directory.users();
        let own = users.filter_map(|(id, _)| {
            let until = self.own(id)?.until;
            (until != Time::NEVER).then_some((until, Ending::Own(id)))
        });
        let layers = self.sources.iter().enumerate();
        let layers = layers.filter_map(|(at, state)| {
            let end = state.layers.as_ref()?.next_end()?;
            Some((end, Ending::Source(SourceId::new(at))))
        });
        self.ends = own.chain(layers).collect();
    }
}

//! Timed statuses as layers above the presence that an extension has without them.
//!
//! ```text
//!            dnd    bob, until 14:30      <- the extension's presence now
//!            away   alice, until 15:00
//!  base      available                    <- the last untimed choice or outside change
//! ```
//! Each layer has an owner and an end of its own. An end removes its layer from any position
//! in the stack without regard to other layers; after the last end the base is left. An
//! untimed choice or a change from outside becomes the new base and removes all layers.

use std::sync::Arc;

use super::{SourceState, Touched, Version, World};
use crate::directory::SourceId;
use crate::model::state::Presence;
use crate::model::time::Time;

/// A presence with the time when it was set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Value {
    /// The presence.
    pub presence: Presence,
    /// When it was set; [`Time::NEVER`] if it was never set.
    pub since: Time,
}

/// One timed status of a user at an extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Layer {
    /// The name of the user that chose the status.
    pub owner: Arc<str>,
    /// The chosen presence.
    pub value: Value,
    /// When the layer ends.
    pub until: Time,
    /// The version, if the layer was set while it was shared.
    pub(crate) version: Version,
}

/// The stack of an extension.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Layers {
    /// The presence without timed statuses.
    pub base: Value,
    /// The timed statuses; the one set last is at the end and on top.
    pub timed: Vec<Layer>,
    /// The owners and versions of shared timed statuses that have ended, so that no earlier one
    /// of the same user returns from another node.
    pub(crate) ended: Vec<(Arc<str>, Version)>,
}

impl Layers {
    /// The present value, and when it ends.
    fn top(&self) -> (&Value, Time) {
        match self.timed.last() {
            Some(layer) => (&layer.value, layer.until),
            None => (&self.base, Time::NEVER),
        }
    }

    fn next_end(&self) -> Option<Time> {
        self.timed.iter().map(|layer| layer.until).min()
    }

    /// Puts a user's timed status on top. It replaces an earlier one of the same user.
    pub(super) fn put(&mut self, layer: Layer) {
        self.remove(&layer.owner);
        self.timed.push(layer);
    }

    pub(super) fn remove(&mut self, owner: &str) {
        self.timed
            .retain(|layer| !layer.owner.eq_ignore_ascii_case(owner));
        self.ended.retain(|(of, _)| !of.eq_ignore_ascii_case(owner));
    }

    pub(super) fn remove_ended(&mut self, now: Time) {
        self.end_those(|layer| layer.until <= now);
    }

    /// Removes timed statuses so that they do not return from another node.
    pub(super) fn end_those(&mut self, ends: impl Fn(&Layer) -> bool) {
        let (timed, ended) = (&mut self.timed, &mut self.ended);
        timed.retain(|layer| {
            let goes = ends(layer);
            if goes && layer.version != Version::NONE {
                ended.push((layer.owner.clone(), layer.version));
            }
            !goes
        });
    }

    /// The version of the last timed status of a user, which may have ended.
    pub(super) fn version_of(&self, owner: &str) -> Version {
        let timed = self.timed.iter().map(|layer| (&layer.owner, layer.version));
        let ended = self.ended.iter().map(|(owner, version)| (owner, *version));
        let of_owner = timed
            .chain(ended)
            .filter(|it| it.0.eq_ignore_ascii_case(owner));
        let versions = of_owner.map(|(_, version)| version);
        versions.max().unwrap_or(Version::NONE)
    }

    /// Moves the end of the user's timed status. Without an end the status becomes the base,
    /// and the layers below it are removed.
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

    /// All values of the stack, for changing their times.
    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        let timed = self.timed.iter_mut().map(|layer| &mut layer.value);
        std::iter::once(&mut self.base).chain(timed)
    }
}

impl SourceState {
    /// When the present timed status ends; [`Time::NEVER`] without an end.
    pub fn until(&self) -> Time {
        let top = self.layers.as_ref().map(|layers| layers.top().1);
        top.unwrap_or(Time::NEVER)
    }

    /// The stack: the base and the timed statuses above it.
    pub fn layers(&self) -> Layers {
        match &self.layers {
            Some(layers) => (**layers).clone(),
            None => Layers {
                base: self.value(),
                ..Layers::default()
            },
        }
    }

    /// Takes the versions of the timed statuses away.
    pub(super) fn forget_versions(&mut self) {
        if let Some(layers) = &mut self.layers {
            layers.ended.clear();
            let timed = layers.timed.iter_mut();
            timed.for_each(|layer| layer.version = Version::NONE);
        }
    }

    /// Gives a version to the base and each timed status that has none. Returns whether any
    /// had none.
    pub(super) fn give_versions(
        &mut self,
        base: &mut Version,
        of: impl Fn(Time) -> Version,
    ) -> bool {
        let since = match &self.layers {
            Some(layers) => layers.base.since,
            None => self.since,
        };
        let mut given = false;
        if *base == Version::NONE && since != Time::NEVER {
            (*base, given) = (of(since), true);
        }
        let timed = self.layers.iter_mut().flat_map(|it| &mut it.timed);
        for layer in timed.filter(|layer| layer.version == Version::NONE) {
            (layer.version, given) = (of(layer.value.since).max(*base), true);
        }
        given
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
        let plain = layers.timed.is_empty() && layers.ended.is_empty();
        self.layers = (!plain).then(|| Box::new(layers));
    }
}

/// The owner of an end.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Ending {
    /// The own status of a user.
    Own(crate::directory::UserId),
    /// The layer of a source that ends first.
    Source(SourceId),
}

impl World {
    /// Changes the layers of a source. Returns whether the source's presence differs now.
    pub(super) fn change_layers(
        &mut self,
        source: SourceId,
        touched: &mut Touched,
        change: impl FnOnce(&mut Layers),
    ) -> bool {
        let mut layers = self.sources[source.index()].layers();
        let before = layers.clone();
        change(&mut layers);
        if layers == before {
            return false;
        }
        self.note_layers(source, &before, &mut layers);
        self.replace_layers(source, layers, touched)
    }

    /// Puts a stack in place of the source's. Returns whether the source's presence differs now.
    pub(super) fn replace_layers(
        &mut self,
        source: SourceId,
        layers: Layers,
        touched: &mut Touched,
    ) -> bool {
        let state = &mut self.sources[source.index()];
        let before = state.layers.as_ref().and_then(|layers| layers.next_end());
        let ends = (before, layers.next_end());
        let differs = state.presence != layers.top().0.presence;
        state.set_layers(layers);
        self.reschedule(source, ends);
        self.mark_source(source);
        self.touch_readers(source, touched);
        differs
    }

    /// Sets the base of a source and removes its timed statuses.
    pub(super) fn set_base(&mut self, source: SourceId, presence: Presence, at: Time) {
        let state = &mut self.sources[source.index()];
        let before = state.layers.take().and_then(|layers| layers.next_end());
        (state.presence, state.since, state.known) = (presence, at, true);
        if before.is_some() {
            self.reschedule(source, (before, None));
        }
        self.mark_source(source);
        if self.replica.is_some() {
            self.note_base(source, at);
        }
    }

    /// Whether `presence` is the source's presence after the ends that have passed. If so, the
    /// layers are updated and the report is no change: Asterisk was killed after the ends and
    /// before their rows were written.
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

    /// Collects the ends of all timed statuses.
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

//! Values of the store that cannot be right. They are left alone: a time far in the future would
//! win over everything that is ever chosen again.

use std::time::Duration;

use super::registers::{PersonRegister, SettingsRegister};
use super::{Replica, Version};
use crate::model::time::Time;
use crate::world::{Layers, World};

/// How far ahead of this node a time may be.
const AHEAD: Duration = Duration::from_secs(24 * 3600);

/// The most bytes of a value. A user's own settings have the longest.
pub(super) const MOST_BYTES: usize = 256 * 1024;

/// The most bytes of the path of an item, and its most parts: deeper ones are nobody's.
const LONGEST_PATH: usize = 1024;
const DEEPEST_PATH: usize = 32;

/// The latest time that can be right.
#[derive(Clone, Copy, Debug)]
pub(super) struct LatestTime(Time);

impl LatestTime {
    pub(super) fn allows(self, at: Time) -> bool {
        at <= self.0
    }

    fn allows_version(self, version: Version) -> bool {
        self.allows(version.time())
    }

    /// Leaves only the parts of a register that can be right; whether that was all of them.
    pub(super) fn check_person(self, register: &mut PersonRegister) -> bool {
        let before = register.flags.len();
        let own = register.own.take_if(|part| {
            let at = part.value.as_ref().map(|row| row.latest());
            !self.allows_version(part.version) || !at.is_none_or(|at| self.allows(at))
        });
        let timed = register.timed.take_if(|part| {
            let at = part.value.as_ref().map(|row| row.latest());
            !self.allows_version(part.version) || !at.is_none_or(|at| self.allows(at))
        });
        let dnd = register
            .dnd
            .take_if(|part| !self.allows_version(part.version));
        register
            .flags
            .retain(|_, part| self.allows_version(part.version));
        own.is_none() && timed.is_none() && dnd.is_none() && register.flags.len() == before
    }

    /// Leaves only the items that can be right; whether those were all.
    pub(super) fn check_settings(self, register: &mut SettingsRegister) -> bool {
        let before = register.len();
        register.retain(|path, item| {
            let is_deep = path.split('/').count() > DEEPEST_PATH;
            self.allows_version(item.version) && path.len() <= LONGEST_PATH && !is_deep
        });
        register.len() == before
    }

    /// Whether a stack can be right.
    pub(super) fn allows_layers(self, layers: &Layers, base: Version) -> bool {
        let timed = layers.timed.iter();
        let mut timed = timed.map(|layer| (layer.value.since, layer.version));
        let mut ended = layers.ended.iter().map(|(_, version)| *version);
        self.allows(layers.base.since)
            && self.allows_version(base)
            && timed.all(|(since, version)| self.allows(since) && self.allows_version(version))
            && ended.all(|version| self.allows_version(version))
    }
}

impl Replica {
    /// Notes a key whose value cannot be right.
    pub(super) fn doubt(&mut self, path: &str) {
        self.doubtful.get_or_insert_with(|| path.into());
    }
}

impl World {
    /// The latest time that can be right. A clock that was ahead may have been set back: then
    /// the last change of all decides.
    pub(super) fn latest(&self, now: Time) -> LatestTime {
        LatestTime(now.max(self.last).after(AHEAD))
    }

    /// Whether there is a key that cannot be right: see [`World::take_doubtful`].
    pub fn is_in_doubt(&self) -> bool {
        self.sharing().is_some_and(|it| it.doubtful.is_some())
    }

    /// The first key whose value cannot be right, since the last call: its time is far in the
    /// future, or it is too large.
    pub fn take_doubtful(&mut self) -> Option<Box<str>> {
        self.replica.as_mut()?.doubtful.take()
    }
}
